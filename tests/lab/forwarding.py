"""What a box's kernel must hold, worked out from the Loc-RIB's rows and the fabric: ``fib-distribution.md`` section
3, first form.

Only primary members count. A route with one on the box uses its members there; otherwise it goes to the boxes that have
one, over the fabric port. The comparison leaves weights out: where two members share a box, the other boxes see one way
to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.lab.attributes import address, prefix
from tests.lab.kernel import Hop, Hops
from tests.lab.lab import Namespace


@dataclass(frozen=True, slots=True)
class FabricPort:
    """How the other boxes reach one: its fabric port's name, IPv4 address, and IPv6 link-local address."""

    device: str
    ipv4: str
    ipv6: str


Ways = frozenset[Hop]


def fabric_port(box: Namespace, device: str) -> FabricPort:
    """Read from the box itself."""
    addresses = {
        (a["family"], a["scope"]): a["local"] for a in box.ip_json("address", "show", "dev", device)[0]["addr_info"]
    }
    return FabricPort(
        device,
        addresses.get(("inet", "global"), addresses.get(("inet", "link"), "")),
        addresses.get(("inet6", "link"), ""),
    )


def ways(hops: Hops) -> Ways:
    return frozenset(hop for hop, _ in hops)


def kernel_ways(table: Mapping[str, Hops]) -> set[tuple[str, Ways]]:
    cache: dict[Hops, Ways] = {}
    return {(net, cache.setdefault(hops, ways(hops))) for net, hops in table.items()}


def expected_ways(
    rows: Iterable[Mapping[str, Any]], ncp: str, fabric: Mapping[str, FabricPort]
) -> set[tuple[str, Ways]]:
    """(prefix, ways out) of ``ncp``'s kernel for Loc-RIB rows; connected routes of its own ports are the kernel's
    business."""
    out = set()
    cache: dict[str, Ways] = {}
    for row in rows:
        key = f"{row['next_hops']}{':' in row['prefix']}"
        found = cache.get(key)
        if found is None:
            found = cache[key] = _ways(row, ncp, fabric)
        if row["protocol"] == "connected" and any(hop["ncp"] == ncp for hop in row["next_hops"]):
            continue
        if found:
            out.add((prefix(row["prefix"]), found))
    return out


def _ways(row: Mapping[str, Any], ncp: str, fabric: Mapping[str, FabricPort]) -> Ways:
    six = ":" in row["prefix"]
    members = [hop for hop in row["next_hops"] if hop["ncp"] and not hop["role"]]
    if not members:
        return frozenset((Hop("", "blackhole"),)) if row["protocol"] == "static" else frozenset()
    here = frozenset(Hop(_gateway(hop), hop["port"]) for hop in members if hop["ncp"] == ncp)
    if here:
        return here
    device = fabric[ncp].device
    return frozenset(Hop(fabric[hop["ncp"]].ipv6 if six else fabric[hop["ncp"]].ipv4, device) for hop in members)


def _gateway(hop: Mapping[str, Any]) -> str:
    gateway = hop.get("gateway", hop.get("address"))
    return address(gateway) if gateway else ""
