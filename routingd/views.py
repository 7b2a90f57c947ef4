"""Answers of the control socket about peers, boxes and ports, in the shapes of ``routingd.control.shapes``.

Only reads: numbers of the RIB come from the engine's thread, numbers of a kernel from the agent that holds it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Final

from fibd.wire import Role
from native import Engine
from protocols.bgp.family import Family, family_name
from routingd.boxes import Box
from routingd.control.shapes import (
    BgpCapability,
    BgpFamily,
    BgpNeighbor,
    BgpNeighbors,
    BgpNotification,
    BgpSummary,
    BgpSummaryRow,
    FibFailure,
    InterfaceAddress,
    InterfaceRow,
    Interfaces,
    NcpRow,
    Ncps,
)
from routingd.controller import Controller
from routingd.established import Membership
from routingd.peer import ACCEPT, Peer
from routingd.queries import AgentSilentError

LATEST_FAILURES: Final = 16


class NotFoundError(Exception):
    """What was asked for is not there; the text says what is."""


@dataclass(frozen=True, slots=True)
class RibCounts:
    """The engine's numbers for a table of sessions, read at one moment."""

    prefixes: dict[str, int]
    received: dict[str, dict[str, int]]
    """By peer, then family."""
    advertised: dict[str, dict[Family, int]]


def count(engine: Engine, members: dict[str, Membership]) -> RibCounts:
    """On the engine's thread."""
    counts = engine.counts()
    return RibCounts(
        {family: counts[family]["prefixes"] for family in ("ipv4", "ipv6")},
        {name: engine.source_counts(member.source) for name, member in members.items()},
        {
            name: {family: engine.export_count(number) for family, number in member.consumers.items()}
            for name, member in members.items()
        },
    )


class Views:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    # --- BGP ----------------------------------------------------------------------------------------------------------

    async def bgp_summary(self) -> BgpSummary:
        plan = self._controller.plan
        counts, described = await self._peers(self._controller.peers.all)
        return {
            "router": plan.name,
            "router_id": str(ipaddress.ip_address(plan.router_id)),
            "asn": plan.asn,
            "routes": {f"{family}-unicast": number for family, number in counts.prefixes.items()},
            "neighbors": [summary for summary, _ in described],
        }

    async def bgp_neighbors(self, address: str | None) -> BgpNeighbors:
        peers = self._controller.peers.all
        if address is not None:
            peers = [peer for peer in peers if peer.name == str(ipaddress.ip_address(address))]
            if not peers:
                raise NotFoundError(f"no BGP neighbor {address} is configured")
        _, described = await self._peers(peers)
        return {"neighbors": [neighbor(peer, *rows) for peer, rows in zip(peers, described, strict=True)]}

    async def _peers(self, peers: list[Peer]) -> tuple[RibCounts, list[tuple[BgpSummaryRow, dict[str, Any]]]]:
        members = {peer.name: peer.up.membership for peer in peers if peer.up is not None and peer.up.membership.source}
        counts = await self._controller.engine.call(lambda engine: count(engine, members))
        now = self._controller.clock()
        out = []
        for peer in peers:
            described = peer.session.describe(now)
            out.append((summary_row(peer, described, counts), described))
        return counts, out

    # --- boxes --------------------------------------------------------------------------------------------------------

    async def ncps(self, name: str | None) -> Ncps:
        return {"ncps": [await self._ncp(box) for box in self._boxes(name)]}

    def _boxes(self, name: str | None) -> list[Box]:
        boxes = self._controller.plan.boxes
        if name is None:
            return list(boxes.all.values())
        if name not in boxes.all:
            raise NotFoundError(f"no NCP {name} is configured; there are: {', '.join(boxes.names)}")
        return [boxes.all[name]]

    async def _ncp(self, box: Box) -> NcpRow:
        controller = self._controller
        now = controller.clock()
        open_connections = controller.agents.of(box.name)
        control = controller.agents.connection(box.name, Role.CONTROL)
        feed = controller.feeds[box.name]
        told = feed.describe()
        try:
            counts = await controller.queries.ask(box.name, "counts") if control is not None else {}
            reason = _why(feed.state, open_connections)
        except AgentSilentError as error:
            counts, reason = {}, str(error)
        return {
            "name": box.name,
            "embedded": box.embedded,
            "state": feed.state if control is not None else "absent",
            "reason": reason,
            "hostname": control.hostname if control is not None else "",
            "address": control.origin if control is not None else None,
            "connected": min((now - c.since for c in open_connections), default=None),
            "connections": {
                role.name.lower(): controller.agents.connection(box.name, role) is not None for role in Role
            },
            "fabric": " ".join(filter(None, (box.fabric_port, box.fabric_ipv4, box.fabric_ipv6))) or None,
            "sequence_sent": told["sent"],
            "sequence_received": told["received"],
            "sequence_installed": told["installed"],
            "routes": counts.get("routes", 0),
            "installed": counts.get("installed", 0),
            "pending": counts.get("pending", 0),
            "failed": told["failed"],
            "groups": counts.get("groups", 0),
            "streams": counts.get("streams", 0),
            "strangers": counts.get("refused", 0),
            "too_often": counts.get("too_often", 0),
            "heartbeat": max(0.0, now - control.heard_at) if control is not None else None,
            "snapshot_agrees": feed.agrees,
            "failures": failures(feed.feed.failures),
            "lag": told["lag"],
            "credit_bytes": told["credit_bytes"],
            "outstanding_bytes": told["outstanding_bytes"],
            "outstanding_transactions": told["outstanding_transactions"],
            "caught_up": told["caught_up"],
            "agent": counts,
        }  # type: ignore[typeddict-unknown-key]

    def interfaces(self, ncp: str | None) -> Interfaces:
        return {"interfaces": [row for box in self._boxes(ncp) for row in self._ports(box)]}

    def _ports(self, box: Box) -> list[InterfaceRow]:
        picture = self._controller.facts.pictures[box.name]
        out: list[InterfaceRow] = []
        for name in sorted({*box.ports, *picture.ports}):
            fact = picture.ports.get(name)
            port = box.ports.get(name)
            configured = {str(ipaddress.ip_interface(text)) for text in port.addresses} if port is not None else set()
            addresses: list[InterfaceAddress] = []
            for (owner, address, length), usable in sorted(picture.addresses.items()):
                if owner == name:
                    text = f"{ipaddress.ip_address(address)}/{length}"
                    addresses.append({"address": text, "usable": usable, "configured": text in configured})
                    configured.discard(text)
            addresses += [{"address": text, "usable": False, "configured": True} for text in sorted(configured)]
            out.append(
                {
                    "ncp": box.name,
                    "name": name,
                    "ifindex": fact.ifindex if fact is not None else 0,
                    "admin_up": fact is not None and fact.admin_up,
                    "carrier": fact is not None and fact.carrier,
                    "mtu": fact.mtu if fact is not None else 0,
                    "mac": fact.mac.hex(":") if fact is not None else "",
                    "kind": fact.kind if fact is not None else "",
                    "description": port.description if port is not None else "",
                    "fabric": name == box.fabric_port,
                    "present": fact is not None,
                    "addresses": addresses,
                }
            )
        return out


def _why(state: str, connections: list[Any]) -> str:
    if state == "forwarding":
        return ""
    if not connections:
        return "no agent of this name is connected"
    return {
        "stalled": "the agent has installed nothing for some seconds although transactions wait",
        "snapshot": "the first snapshot is not complete",
    }.get(state, "its fib connection is not up")


def failures(known: dict[tuple[int, bytes, int], Any]) -> list[FibFailure]:
    return [
        {"prefix": f"{ipaddress.ip_address(address)}/{length}", "errno": failure.errno, "text": failure.text}
        for (_, address, length), failure in list(known.items())[-LATEST_FAILURES:]
    ]


def summary_row(peer: Peer, described: dict[str, Any], counts: RibCounts) -> BgpSummaryRow:
    stream = peer.stream
    return {
        "address": peer.name,
        "description": peer.session.config.description,
        "asn": peer.session.config.remote_asn,
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
    family = next(f.family for f in peer.session.config.families if family_name(*f.family) == row["name"])
    name = "ipv4" if family[0] == 1 else "ipv6"
    return {
        "agreed": row["agreed"],
        "received": counts.received.get(peer.name, {}).get(name, 0),
        "advertised": counts.advertised.get(peer.name, {}).get(family, 0),
        "accept_import": row["import"] == ACCEPT,
        "accept_export": row["export"] == ACCEPT,
        "end_of_rib_received": row["end_of_rib"],
        "end_of_rib_sent": peer.up is not None and family in peer.up.end_of_rib_sent,
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
        "local_asn": config.local_asn,
        "kind": "ebgp" if config.ebgp else "ibgp",
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
        "ttl_security": config.ttl_security,
        "multihop": config.ttl or None,
        "role": config.role.label if config.role is not None else None,
        "next_hop_self": config.next_hop_self,
        "weight": config.weight,
        "distance": config.distance,
        "aigp": config.aigp,
        "capabilities": capabilities(described["capabilities"]),
        "established_count": counters["established"],
        "last_notification": notification(described),
        "faults": [
            {"attribute": f["attribute"], "disposition": str(f["disposition"]), "rfc": f["rfc"], "count": f["count"]}
            for f in counters["faults"]
        ],
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
                "rejected",
            )
        },
    }


def _key(kind: str) -> str:
    return kind.lower().replace("-", "_").replace(" ", "_")


def capabilities(both: dict[str, Any]) -> list[BgpCapability]:
    sent = {_capability(c) for c in both["offered"]}
    received = {_capability(c) for c in both["received"]}
    return [
        {"name": name, "value": value, "sent": (name, value) in sent, "received": (name, value) in received}
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
