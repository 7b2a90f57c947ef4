"""Answers of the control socket about what lies between routes and kernels or peers: next hops, groups, export groups,
and what they take of memory."""

from __future__ import annotations

import ipaddress
import mmap
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from native import Engine
from protocols.bgp.family import family_name
from routingd.asked import address, peer_name
from routingd.control.peer_kind import peer_kind
from routingd.control.protocol import PAGE_ROWS
from routingd.control.shapes import AdvertisedPage, ExportGroups, GroupsPage, Memory, NextHopsPage
from routingd.controller import Controller
from routingd.sources import known_sources
from routingd.views import NotFoundError

T = TypeVar("T")

ADVERTISED: Final = 1024
"""Rows of an Adj-RIB-Out where nobody says how many."""


class RibViews:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def next_hops(self, wanted: str | None) -> AsyncGenerator[NextHopsPage, None]:
        normal = address(wanted) if wanted is not None else None
        rows = await self._controller.engine.call(partial(tracked, normal, int(self._controller.clock())))
        if normal is not None and not rows:
            raise NotFoundError(f"no path has the next hop {normal}, so it is not tracked")
        for page in pages(rows):
            yield {"next_hops": page}

    async def groups(self, wanted: int | None) -> AsyncGenerator[GroupsPage, None]:
        rows = await self._controller.engine.call(partial(groups, wanted))
        if wanted is not None and not rows:
            raise NotFoundError(f"there is no next-hop group {wanted}")
        for page in pages(rows):
            yield {"groups": page}

    async def advertised(
        self, peer: str, families: tuple[int, ...], limit: int | None
    ) -> AsyncGenerator[AdvertisedPage, None]:
        """What a peer is told, by the tables as they are now. Found by a walk over the table, so there is a limit."""
        most = limit if limit is not None else ADVERTISED
        found = self._controller.peers.named(peer_name(peer))
        if found is None:
            raise NotFoundError(f"no BGP neighbor {peer} is configured")
        if found.up is None:
            raise NotFoundError(f"{found.name} is told nothing: its session is {found.session.state}")
        consumers = [number for (afi, _), number in found.up.membership.consumers.copy().items() if afi in families]
        rows: list[Any] = []
        for consumer in consumers:
            read = partial(adj_rib_out, consumer, most - len(rows))
            rows += await self._controller.engine.call(read)
        for page in pages(rows):
            yield {"routes": page, "truncated": len(rows) >= most}

    async def export_groups(self) -> ExportGroups:
        rows = await self._controller.engine.call(lambda engine: engine.export_groups())
        sources = known_sources(self._controller)

        def name(source: int) -> str:
            return sources[source]["name"] if source in sources else "a session that ends"

        out: list[Any] = [
            {
                "family": family_name(row["afi"], row["safi"]),
                "kind": peer_kind(ebgp=row["ebgp"], member=row["member"]),
                "instance": row["instance"],
                "members": [
                    {"address": name(member["peer_source"]), "backlog": member["backlog"]} for member in row["members"]
                ],
                "encoded": row["encoded"],
                "shared": row["shared"],
            }
            for row in rows
        ]
        return {"groups": out}

    async def memory(self) -> Memory:
        def read(engine: Engine) -> tuple[dict[str, int], dict[str, Any]]:
            return engine.memory(), engine.counts()

        kinds, counts = await self._controller.engine.call(read)
        families = [counts[family] for family in ("ipv4", "ipv6")]
        numbers = {name: sum(family[name] for family in families) for name in ("prefixes", "paths")}
        numbers |= {"groups": counts["groups"], "next_hops": counts["tracked_next_hops"]}
        if "attribute_sets" in counts:
            numbers["attribute_sets"] = counts["attribute_sets"]
        return {"resident": resident(), "kinds": kinds, "counts": numbers}


def tracked(wanted: str | None, now: int, engine: Engine) -> list[Any]:
    """On the engine's thread, as there may be thousands: all next hops, or those with one address, in order."""
    rows = [row for row in engine.next_hops() if wanted in (None, row["address"])]
    rows.sort(key=by_address)
    return [{**row, "changed": max(0, now - row["changed"])} for row in rows]


def groups(wanted: int | None, engine: Engine) -> list[Any]:
    """On the engine's thread: all groups, or the one with this number, in order."""
    return sorted((row for row in engine.groups() if wanted in (None, row["id"])), key=lambda row: row["id"])


def adj_rib_out(consumer: int, limit: int, engine: Engine) -> list[dict[str, Any]]:
    """On the engine's thread."""
    return engine.adj_rib_out(consumer, limit) if limit else []


def by_address(row: dict[str, Any]) -> tuple[int, int, int]:
    parsed = ipaddress.ip_address(row["address"])
    return row["instance"], parsed.version, int(parsed)


def pages(rows: list[T]) -> Iterator[list[T]]:
    """Slices that are written as JSON in a moment; one that is empty where there is nothing."""
    return (rows[start : start + PAGE_ROWS] for start in range(0, max(1, len(rows)), PAGE_ROWS))


def resident() -> int:
    """Of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
