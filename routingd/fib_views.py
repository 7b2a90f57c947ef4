"""Answers of the control socket about each box's kernel, asked of its agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from routingd.asked import PrefixBytes, family_of, parse_asked
from routingd.boxes import INSTALL_OFF, parse_address, show_prefix
from routingd.control.protocol import PAGE_ROWS
from routingd.control.shapes import FibPage, FibRow, KernelMember, RouteAtNcps
from routingd.controller import Controller
from routingd.queries import AgentSilentError
from routingd.route_views import find
from routingd.views import NotFoundError, boxes

EVERYTHING: Final = 1 << 62
Fabric = dict[tuple[str, bytes], str]
"""(port, gateway) to the box that is reached there."""


class FibViews:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def fib(
        self, prefix: str | None, ncp: str | None, families: tuple[int, ...], limit: int | None
    ) -> AsyncGenerator[FibPage, None]:
        """Pages, at least one."""
        names = self._names(ncp)
        if prefix is not None:
            wanted, _ = parse_asked(prefix)
            yield {"routes": [await self.row(name, wanted) for name in names], "truncated": False}
            return
        left = most = limit if limit is not None else EVERYTHING
        for name in names:
            for afi in families:
                cursor: int | None = 0
                while cursor is not None:
                    answer = await self._controller.queries.ask(name, "routes", afi, cursor, PAGE_ROWS)
                    fabric = self._fabric(name)
                    rows = [fib_row(name, row["prefix"], row, fabric) for row in answer["rows"]]
                    cursor = answer["next"]
                    if len(rows) > left:
                        yield {"routes": rows[:left], "truncated": True}
                        return
                    left -= len(rows)
                    if rows:
                        yield {"routes": rows, "truncated": False}
        if left == most:
            yield {"routes": [], "truncated": False}

    async def at_boxes(self, text: str, ncp: str | None) -> RouteAtNcps:
        """A prefix exactly, or the route that an address's packets take, and what every box has for it."""
        asked, exact = parse_asked(text)
        prefix, found = await self._controller.engine.call(lambda engine: find(engine, asked, exact))
        if prefix is None or found is None:
            raise NotFoundError(f"no route {'for' if exact else 'to'} {text}")
        group = found["group"]
        return {
            "asked": text,
            "prefix": found["prefix"],
            "group": group["id"] if group is not None else None,
            "key": group["key"] if group is not None else None,
            "ncps": await asyncio.gather(*(self.row(name, prefix) for name in self._names(ncp))),
        }

    def _names(self, ncp: str | None) -> tuple[str, ...]:
        return tuple(box.name for box in boxes(self._controller.plan, ncp))

    async def row(self, ncp: str, prefix: PrefixBytes) -> FibRow:
        """One prefix at one box."""
        try:
            answer = await self._controller.queries.ask(ncp, "route", family_of(prefix), *prefix)
        except AgentSilentError as error:
            return {**_no_row(ncp, prefix), "state": "unreachable", "reason": str(error)}
        if answer is None:
            row = _no_row(ncp, prefix)
            if self._controller.plan.boxes.kernel.install:
                return row
            return {**row, "state": "not-installed", "reason": INSTALL_OFF}
        return fib_row(ncp, show_prefix(prefix), answer, self._fabric(ncp))

    def _fabric(self, ncp: str) -> Fabric:
        port = self._controller.plan.boxes.all[ncp].fabric_port
        peers = self._controller.facts.fabric_peers(ncp)
        return {(port, address): other for other, addresses in peers.items() for address in addresses if address}


def fib_row(ncp: str, prefix: str, row: dict[str, Any], fabric: Fabric) -> FibRow:
    out: FibRow = {
        "ncp": ncp,
        "prefix": prefix,
        "nhg": row.get("nhg"),
        "kernel_group": row.get("kernel_group"),
        "state": row["state"],
        "errno": row.get("errno") or 0,
        "members": [_member(member, fabric) for member in row.get("members") or ()],
    }
    if row.get("reason"):
        out["reason"] = row["reason"]
    return out


def _member(member: dict[str, Any], fabric: Fabric) -> KernelMember:
    port, gateway = member.get("port") or "", member.get("gateway")
    out: KernelMember = {"port": port, "gateway": gateway, "weight": member.get("weight", 1)}
    if gateway and (other := fabric.get((port, parse_address(gateway)))):
        out["fabric"] = other
    return out


def _no_row(ncp: str, prefix: PrefixBytes) -> FibRow:
    return {
        "ncp": ncp,
        "prefix": show_prefix(prefix),
        "nhg": None,
        "kernel_group": None,
        "state": "absent",
        "errno": 0,
        "members": [],
    }
