"""Short ways to say paths, prefixes and tables."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from rib.attributes import Origin, PathAttributes, parse_as_path
from rib.path import Forward, NextHop, Path, Protocol, Source
from rib.prefix import Prefix
from rib.reference import ReferenceEngine

ROUTER_ID = b"\x0a\xff\x00\x01"
DIGEST_KEY = bytes(range(16))


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def prefix(text: str) -> tuple[bytes, int]:
    found = Prefix.parse(text)
    return found.address, found.length


def engine() -> ReferenceEngine:
    return ReferenceEngine(router_id=ROUTER_ID, asn=65000, digest_key=DIGEST_KEY)


def peer(
    engine: Any, address: str, *, asn: int = 65001, ebgp: bool = True, router_id: str | None = None, **more: Any
) -> int:
    number: int = engine.add_peer(address=ip(address), asn=asn, router_id=ip(router_id or "1.1.1.1"), ebgp=ebgp, **more)
    return number


def attributes_row(next_hop: str, as_path: str = "65001", **more: Any) -> dict[str, Any]:
    return {
        "origin": "igp",
        "as_path": as_path,
        "next_hop": next_hop,
        "link_local": None,
        "med": None,
        "local_pref": None,
        "atomic_aggregate": False,
        "aggregator": None,
        "communities": [],
        "originator_id": None,
        "cluster_list": [],
        "extended_communities": [],
        "large_communities": [],
        "aigp": None,
        "otc": None,
        "unknown": [],
    } | more


def announce(where: str, next_hop: str, as_path: str = "65001", *, path_id: int = 0, **more: Any) -> dict[str, Any]:
    found = Prefix.parse(where)
    return {
        "op": "announce",
        "afi": found.afi,
        "safi": 1,
        "prefix": (found.address, found.length),
        "path_id": path_id,
        "attributes": attributes_row(next_hop, as_path, **more),
    }


def withdraw(where: str, *, path_id: int = 0) -> dict[str, Any]:
    found = Prefix.parse(where)
    return {
        "op": "withdraw",
        "afi": found.afi,
        "safi": 1,
        "prefix": (found.address, found.length),
        "path_id": path_id,
        "attributes": None,
    }


def bgp_path(
    number: int,
    as_path: str = "65001",
    *,
    next_hop: str = "192.0.2.1",
    ebgp: bool = True,
    router_id: str = "1.1.1.1",
    address: str = "10.0.0.1",
    path_id: int = 0,
    weight: int = 0,
    since: int = 0,
    **attributes: Any,
) -> Path:
    source = Source(number, Protocol.BGP, 20 if ebgp else 200, ip(address), 65001, ip(router_id), ebgp, weight=weight)
    made = replace(PathAttributes(Origin.IGP, parse_as_path(as_path), ip(next_hop)), **attributes)
    hops = (NextHop(ip(next_hop)),)
    return Path(source, path_id, source.distance, Forward.VIA, hops, attributes=made, since=since)


def local_path(number: int, protocol: Protocol, *, distance: int = 0, metric: int = 0) -> Path:
    return Path(
        Source(number, protocol), 0, distance, Forward.CONNECTED, (NextHop(b"", "ncp1", "eth0"),), metric=metric
    )
