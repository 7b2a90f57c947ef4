"""The engine's source numbers as a person knows them: peers, static routes, connected routes of a box."""

from __future__ import annotations

import ipaddress
from typing import Any

from routingd.control.peer_kind import peer_kind
from routingd.control.shapes import RouteRow, SourceInfo
from routingd.controller import Controller


def known_sources(controller: Controller) -> dict[int, SourceInfo]:
    """Every source there is now."""
    known: dict[int, SourceInfo] = {
        number: _plain(number, "connected", ncp) for ncp, number in controller.connected_sources.items()
    }
    known[controller.static_source] = _plain(controller.static_source, "static", None)
    for peer in controller.peers.all:
        given = peer.giver
        if given is not None and given.membership.source:
            stream, agreed = peer.stream, given.agreed
            known[given.membership.source] = {
                "source": given.membership.source,
                "protocol": "bgp",
                "name": peer.name,
                "asn": agreed.peer_asn,
                "kind": peer_kind(ebgp=agreed.ebgp, member=agreed.member),
                "ncp": stream.ncp if stream is not None else peer.place.ncp,
                "router_id": str(ipaddress.ip_address(agreed.peer_router_id)),
            }
    return known


def route_row(row: dict[str, Any], sources: dict[int, SourceInfo], now: float) -> RouteRow:
    """A row of the engine with its age and its source's name; a source that is going has only its protocol's."""
    source = sources.get(row["source"])
    out: Any = aged(row, now) | {"source_name": source["name"] if source is not None else row["protocol"]}
    typed: RouteRow = out
    return typed


def aged(row: dict[str, Any], now: float) -> dict[str, Any]:
    """``since``, by the engine's clock, becomes ``age`` in seconds."""
    return {**{key: value for key, value in row.items() if key != "since"}, "age": max(0, int(now) - row["since"])}


def _plain(number: int, protocol: str, ncp: str | None) -> SourceInfo:
    return {
        "source": number,
        "protocol": protocol,
        "name": protocol,
        "asn": None,
        "kind": None,
        "ncp": ncp,
        "router_id": None,
    }
