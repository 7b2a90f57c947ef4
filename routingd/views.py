"""Answers of the control socket about peers, boxes and ports, in the shapes of ``routingd.control.shapes``.

Only reads: numbers of the RIB come from the engine's thread, numbers of a kernel from the agent that holds it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from fibd.wire import Role
from routingd.boxes import INSTALL_OFF, Box
from routingd.control.shapes import (
    FibFailure,
    InterfaceAddress,
    InterfaceRow,
    Interfaces,
    NcpRow,
    Ncps,
)
from routingd.controller import Controller, RouterPlan
from routingd.queries import AgentSilentError

LATEST_FAILURES: Final = 16


class NotFoundError(Exception):
    """What was asked for is not there; the text says what is."""


def boxes(plan: RouterPlan, name: str | None) -> list[Box]:
    """One, or all."""
    if name is None:
        return list(plan.boxes.all.values())
    if name not in plan.boxes.all:
        raise NotFoundError(f"no NCP {name} is configured; there are: {', '.join(plan.boxes.names)}")
    return [plan.boxes.all[name]]


class Views:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def ncps(self, name: str | None) -> Ncps:
        return {"ncps": await asyncio.gather(*(self.ncp(box) for box in boxes(self._controller.plan, name)))}

    async def ncp(self, box: Box) -> NcpRow:
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
            "conditions": [
                {"code": code, "severity": severity, "text": text, "count": count, "since": since}
                for code, severity, text, count, since in controller.conditions[box.name].rows()
            ],
        }

    def interfaces(self, ncp: str | None) -> Interfaces:
        return {"interfaces": [row for box in boxes(self._controller.plan, ncp) for row in self._ports(box)]}

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
        "restarting": "it forwards by what it was told before the restart; neighbors have not told everything yet",
        "lagging": "it made no progress for seconds although transactions waited, and has not caught up since",
        "not-installing": INSTALL_OFF,
        "isolated": "its fabric port is down: the other boxes go on without its ports",
        "snapshot": "the first snapshot is not complete",
    }.get(state, "its fib connection is not up")


def failures(known: Mapping[tuple[int, bytes, int], Any]) -> list[FibFailure]:
    return [
        {"prefix": f"{ipaddress.ip_address(address)}/{length}", "errno": failure.errno, "text": failure.text}
        for (_, address, length), failure in list(known.items())[-LATEST_FAILURES:]
    ]
