"""Every option of a neighbor may be its group's: whatever key there is, the group's word counts where the neighbor says
nothing, and the neighbor's own where it does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from routingd.config.bgp_schema import NeighborOptions
from routingd.config.effective import EffectiveNeighbor, neighbors
from routingd.config.load import loads

TWO: dict[str, tuple[Any, Any]] = {
    "asn": (65002, 65003),
    "source": ("10.255.0.1", "10.255.0.2"),
    "ncp": ("ncp1", "ncp2"),
    "hold-time": (30, 33),
    "password": ("one", "two"),
    "tcp-ao": tuple([{"send-id": n, "receive-id": n, "key": "k"}] for n in (1, 2)),
    "description": ("one", "two"),
    "families": tuple({"ipv4-unicast": {"import": "accept"}, f"ipv{n}-unicast": {"export": "accept"}} for n in (4, 6)),
}
"""A group's value and a neighbor's other one, by key; of what is not here they are made from the schema."""
TOGETHER: dict[str, dict[str, Any]] = {"role-strict": {"role": "peer"}, "route-reflector-client": {"asn": 65001}}
"""Keys that mean nothing without another."""


def values(key: str, schema: dict[str, Any]) -> tuple[Any, Any]:
    if key in TWO:
        return TWO[key]
    form = next((one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"), schema)
    if form.get("type") == "boolean":
        default = bool(schema.get("default"))
        return not default, default
    if "enum" in form:
        return form["enum"][0], form["enum"][1]
    assert form.get("type") == "integer", f"{key}: give it two values in TWO"
    low = max(form["minimum"], 1)
    return form["maximum"], form["maximum"] - low


def effective(group: dict[str, Any], neighbor: dict[str, Any]) -> EffectiveNeighbor:
    config = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "x"}},
        "listen": {"address": "0.0.0.0:7179", "certificate": "c", "key": "k", "ca": "a"},
        "fabric": {"ncp1": {"port": "f", "address": "169.254.0.1"}, "ncp2": {"port": "f", "address": "169.254.0.2"}},
        "interfaces": {
            "ncp1/eth0": {"addresses": ["192.0.2.1/24"]},
            "lo": {"addresses": ["10.255.0.1/32", "10.255.0.2/32"]},
        },
        "bgp": {
            "groups": {"g": {"asn": 65002, **group}},
            "neighbors": {"192.0.2.2": {"group": "g", **neighbor}},
        },
    }
    return neighbors(loads(yaml.safe_dump(config)).config)[0]


OPTIONS = {
    info.alias or name: (name, NeighborOptions.model_json_schema()["properties"][info.alias or name])
    for name, info in NeighborOptions.model_fields.items()
}


@pytest.mark.parametrize("key", OPTIONS)
def test_a_groups_word_counts_until_the_neighbor_says_another(key: str) -> None:
    name, schema = OPTIONS[key]
    one, two = values(key, schema)
    beside = TOGETHER.get(key, {})
    by_group = getattr(effective({key: one, **beside}, {}), name)
    by_itself = getattr(effective(beside, {key: one}), name)
    assert by_group == by_itself
    other = getattr(effective({key: one, **beside}, {key: two}), name)
    assert other == getattr(effective(beside, {key: two}), name) or key == "families"
    assert other != by_group
