"""Answers of the control socket about BGP sessions, in the shapes of ``routingd.control.bgp_shapes``."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Final

from native import Engine
from protocols.bgp.family import Family, family_name
from protocols.bgp.limits import PrefixLimit
from routingd.asked import peer_name
from routingd.boxes import show_prefix
from routingd.control.peer_kind import peer_kind
from routingd.control.shapes import (
    BgpCapability,
    BgpEvents,
    BgpFamily,
    BgpFault,
    BgpLimit,
    BgpListen,
    BgpNeighbor,
    BgpNeighbors,
    BgpNotification,
    BgpOrdered,
    BgpSummary,
    BgpSummaryRow,
)
from routingd.controller import Controller
from routingd.established import Membership
from routingd.peer import ACCEPT, Peer
from routingd.views import NotFoundError

_INFORMATION: Final = frozenset({"fqdn", "software-version"})
"""Capabilities that only tell something."""


@dataclass(frozen=True, slots=True)
class RibCounts:
    """The engine's numbers for a table of sessions, read at one moment."""

    prefixes: dict[str, int]
    received: dict[str, dict[str, int]]
    """By peer, then family."""
    advertised: dict[str, dict[Family, int]]


def count(engine: Engine, members: dict[str, Membership]) -> RibCounts:
    """On the engine's thread, where those that have just joined are known by now."""
    members = {name: member for name, member in members.items() if member.source}
    counts = engine.counts()
    return RibCounts(
        {family: counts[family]["prefixes"] for family in ("ipv4", "ipv6")},
        {name: engine.source_counts(member.source) for name, member in members.items()},
        {
            name: {family: engine.export_count(number) for family, number in member.consumers.items()}
            for name, member in members.items()
        },
    )


class BgpViews:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def summary(self) -> BgpSummary:
        plan = self._controller.plan
        counts, described = await self._peers(self._controller.peers.all)
        return {
            "router": plan.name,
            "router_id": str(ipaddress.ip_address(plan.router_id)),
            "asn": plan.asn,
            "routes": {f"{family}-unicast": number for family, number in counts.prefixes.items()},
            "neighbors": [summary for summary, _ in described],
            "listen": self._listen(),
        }

    def _listen(self) -> list[BgpListen]:
        ranges = self._controller.peers.ranges
        return [
            {
                "prefix": show_prefix(one.prefix),
                "group": one.group,
                "limit": one.limit,
                "neighbors": ranges.members[one.prefix],
                "refused": ranges.refused[one.prefix],
            }
            for one in ranges.all
        ]

    async def neighbors(self, address: str | None) -> BgpNeighbors:
        peers = self._controller.peers.all if address is None else [self._named(address)]
        _, described = await self._peers(peers)
        return {"neighbors": [neighbor(peer, *rows) for peer, rows in zip(peers, described, strict=True)]}

    def follow(self, address: str | None) -> AsyncGenerator[BgpEvents, None]:
        return self._controller.peers.events.follow(self._named(address).name if address is not None else None)

    async def order(self, address: str, order: Callable[[Peer], None]) -> BgpOrdered:
        peer = self._named(address)
        order(peer)
        return {"address": peer.name, "state": peer.session.state}

    def _named(self, address: str) -> Peer:
        peer = self._controller.peers.named(peer_name(address))
        if peer is None:
            raise NotFoundError(f"no BGP neighbor {address} is configured")
        return peer

    async def _peers(self, peers: list[Peer]) -> tuple[RibCounts, list[tuple[BgpSummaryRow, dict[str, Any]]]]:
        members = {peer.name: up.membership for peer in peers if (up := peer.giver)}
        counts = await self._controller.engine.call(lambda engine: count(engine, members))
        now = self._controller.clock()
        out = []
        for peer in peers:
            described = peer.session.describe(now)
            out.append((summary_row(peer, described, counts), described))
        return counts, out


def summary_row(peer: Peer, described: dict[str, Any], counts: RibCounts) -> BgpSummaryRow:
    stream = peer.stream
    return {
        "address": peer.name,
        "description": peer.session.config.description,
        "listen": show_prefix(peer.by.prefix) if peer.by is not None else None,
        "asn": peer.session.config.remote_asn or described["peer_asn_received"],
        "ncp": stream.ncp if stream is not None else peer.place.ncp,
        "state": described["state"],
        "uptime": described["uptime"],
        "last_down": last_down(described),
        "messages_received": sum(described["counters"]["messages_in"].values()),
        "messages_sent": sum(described["counters"]["messages_out"].values()),
        "families": {row["name"]: family_row(peer, row, counts) for row in described["families"]},
    }


def last_down(described: dict[str, Any]) -> str | None:
    down = described["last_down"]
    if down is not None:
        return str(down["reason"])
    return described["last_connect_error"] or None


def family_row(peer: Peer, row: dict[str, Any], counts: RibCounts) -> BgpFamily:
    config = next(f for f in peer.session.config.families if family_name(*f.family) == row["name"])
    family = config.family
    name = "ipv4" if family[0] == 1 else "ipv6"
    return {
        "agreed": row["agreed"],
        "received": counts.received.get(peer.name, {}).get(name, 0),
        "advertised": counts.advertised.get(peer.name, {}).get(family, 0),
        "accept_import": row["import"] == ACCEPT,
        "accept_export": row["export"] == ACCEPT,
        "maximum_prefixes": limit(config.maximum),
        "end_of_rib_received": row["end_of_rib"],
        "end_of_rib_sent": peer.up is not None and family in peer.up.end_of_rib_sent,
        "stale": counts.received.get(peer.name, {}).get(f"{name}_stale", 0),
    }


def limit(given: PrefixLimit | None) -> BgpLimit | None:
    if given is None:
        return None
    return {
        "limit": given.limit,
        "warn": given.warn,
        "action": given.action.value,
        "restart_after": given.restart_after,
    }


def neighbor(peer: Peer, summary: BgpSummaryRow, described: dict[str, Any]) -> BgpNeighbor:
    config = peer.session.config
    stream = peer.stream
    agreed = described["capabilities"]["agreed"]
    counters = described["counters"]
    messages = {f"{_key(kind)}_received": n for kind, n in counters["messages_in"].items()}
    messages |= {f"{_key(kind)}_sent": n for kind, n in counters["messages_out"].items()}
    return {
        **summary,
        "group": peer.group or None,
        "learned": str(ipaddress.ip_address(config.address)) if config.unnumbered and any(config.address) else None,
        "local_asn": config.local_asn,
        "kind": peer_kind(ebgp=config.ebgp, member=config.member),
        "router_id": described["router_id"],
        "hold_time": described["negotiated_hold_time"],
        "configured_hold_time": config.hold_time,
        "keepalive_interval": agreed["keepalive"] if agreed else None,
        "send_hold_time": config.send_hold(agreed["hold_time"]) if agreed else None,
        "endpoint": {
            "ncp": stream.ncp,
            "local": described["local_address"],
            "remote": described["remote_address"],
            "inbound": bool(described["inbound"]),
        }
        if stream is not None
        else None,
        "port": config.port,
        "passive": config.passive,
        "password": bool(config.password),
        "tcp_ao": bool(config.ao_keys),
        "ttl_security": config.ttl_security,
        "multihop": config.ttl or None,
        "role": config.role.label if config.role is not None else None,
        "next_hop_self": config.next_hop_self,
        "route_reflector_client": config.route_reflector_client,
        "graceful_restart": str(config.graceful_restart),
        "restart_time": config.restart_time,
        "long_lived_stale_time": config.long_lived_stale_time,
        "came_back": described["came_back"],
        "retained": described["retained"],
        "weight": config.weight,
        "distance": config.distance,
        "aigp": config.aigp,
        "capabilities": capabilities(described["capabilities"]),
        "established_count": counters["established"],
        "last_notification": notification(described),
        "last_session": described["last_session"],
        "timers": described["timers"],
        "offences": described["offences"],
        "connections_refused": counters["rejected"],
        "faults": [fault(found) for found in counters["findings"]],
        "other_faults": counters["other_findings"],
        "refused": counters["refused"],
        "counters": messages
        | {
            name: counters[name]
            for name in (
                "bytes_in",
                "bytes_out",
                "announced",
                "withdrawn",
                "connect_failures",
                "collisions",
            )
        }
        | {"rejected": sum(counters["rejected"].values())},
    }


def fault(found: dict[str, Any]) -> BgpFault:
    return {
        "attribute": found["attribute"],
        "name": found["name"],
        "disposition": found["verdict"],
        "subcode": found["subcode"],
        "rfc": found["rfc"],
        "count": found["count"],
        "ago": found["ago"],
        "bytes": found["bytes"],
        "message": found["message"],
    }


def _key(kind: str) -> str:
    return kind.lower().replace("-", "_").replace(" ", "_")


def capabilities(both: dict[str, Any]) -> list[BgpCapability]:
    """What each side said; where the values differ, a row each."""
    sent = {_capability(c) for c in both["offered"]}
    received = {_capability(c) for c in both["received"]}
    agreed = both["agreed"]
    told = {name for name, _ in sent} & {name for name, _ in received} - _INFORMATION

    def holds(name: str, value: str) -> bool | None:
        if agreed is None or name in _INFORMATION:
            return None
        if name == "add-path":  # where one sends and the other receives (RFC 7911 4)
            return bool(agreed["add_path_receive"] or agreed["add_path_send"])
        return value in agreed["families"] if name == "multiprotocol" else name in told

    return [
        {
            "name": name,
            "value": value,
            "sent": (name, value) in sent,
            "received": (name, value) in received,
            "agreed": holds(name, value),
        }
        for name, value in sorted(sent | received)
    ]


def _capability(described: dict[str, Any]) -> tuple[str, str]:
    return str(described["name"]), _words(described["value"])


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', '-')} {_words(inner)}" for key, inner in value.items() if inner not in (None, {}, False)
        )
    if isinstance(value, (list, tuple)):
        return " ".join(_words(inner) for inner in value)
    return "" if value is None else str(value)


def notification(described: dict[str, Any]) -> BgpNotification | None:
    """The one that ended the latest connection."""
    down = described["last_down"]
    if down is None:
        return None
    for direction in ("received", "sent"):
        told = down[direction]
        if told is not None:
            text = f"{told['name']}: {told['text']}" if told["text"] else told["name"]
            return {
                "direction": "received" if direction == "received" else "sent",
                "code": told["code"],
                "subcode": told["subcode"],
                "text": text,
                "ago": down["ago"],
            }
    return None
