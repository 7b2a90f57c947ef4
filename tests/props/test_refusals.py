"""What one engine refuses the other refuses too, with ValueError, and nothing has changed after it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.props.comparing import compare_tables
from tests.props.pair import Pair
from tests.props.peers import prefix
from tests.props.update_bytes import packed

WHERE = prefix("10.0.0.0/24")
ADDRESS = packed("10.0.0.1")
OPTIONS: list[dict[str, Any]] = [
    {"deterministic_med": True},
    {"always_compare_med": 1},
    {"multipath_ebgp": 0},
    {"multipath_ebgp": 65},
    {"multipath_ibgp": True},
    {"default_local_pref": 2**32},
    {"default_local_pref": -1},
    {"backup": True, "multipath_ibgp": 100},
]
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("set_options", (), {"instance": 7}),
    ("add_connected_source", (), {"instance": 7}),
    ("add_static_source", (), {"instance": 7}),
    ("add_peer", (), {"address": ADDRESS, "asn": 1, "router_id": ADDRESS, "ebgp": True, "instance": 7}),
    ("add_leak", (), {"source": 0, "target": 0}),
    ("add_leak", (), {"source": 0, "target": 7}),
    ("add_leak", (), {"source": 7, "target": 0}),
    ("add_leak", (), {"source": 0, "target": 1, "protocols": ["ospf"]}),
    ("remove_leak", (7,), {}),
    ("set_networks", (1, [WHERE]), {"instance": 7}),
    ("set_redistribute", (["static"],), {"instance": 7}),
    ("set_redistribute", (["bgp"],), {}),
    ("set_redistribute", (["ospf"],), {}),
    ("lookup", (WHERE,), {"instance": 7}),
    ("longest_match", (ADDRESS,), {"instance": 7}),
    ("covering", (WHERE,), {"instance": 7}),
    ("page", (1, 0, 10), {"instance": 7}),
    ("query", (1,), {"instance": 7}),
    ("query", (1,), {"protocols": ["ospf"]}),
    ("query", (1,), {"communities": ["no-export"]}),
    ("query", (1,), {"communities": ["65536:1"]}),
    ("query", (1,), {"communities": ["0002fde80000001"]}),
    ("watch_open", (1,), {"instance": 7}),
    ("watch_open", (1,), {"protocols": ["ospf"]}),
    ("put_static", (1, WHERE, []), {}),
    ("put_static", (1, WHERE, [{"weight": 1}]), {}),
    ("put_static", (1, WHERE, [{"address": ADDRESS}]), {"kind": "blackhole"}),
]


def refused(pair: Pair, method: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    for engine in (pair.native, pair.reference):
        with pytest.raises(ValueError):
            getattr(engine, method)(*arguments, **named)
    pair.settle()
    compare_tables(pair, [WHERE], [ADDRESS])


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.add_instance()
    made.call("put_static", made.call("add_static_source"), WHERE, [{"address": ADDRESS, "port": "eth0"}])
    return made


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_option_that_does_not_fit_is_refused(pair: Pair, options: dict[str, Any]) -> None:
    refused(pair, "set_options", (), options)


@pytest.mark.parametrize(("method", "arguments", "named"), CALLS, ids=lambda part: str(part))
def test_a_call_that_makes_no_sense_is_refused(
    pair: Pair, method: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    refused(pair, method, arguments, named)
