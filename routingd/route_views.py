"""Answers of the control socket about the RIB's routes: tables in the order of prefixes, all paths of one prefix."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Final

from native import Engine
from routingd.asked import PrefixBytes, RouteQuery, parse_asked
from routingd.control.protocol import PAGE_ROWS
from routingd.control.shapes import Lookup, RouteDetail, RoutesPage, SourceInfo
from routingd.controller import Controller
from routingd.sources import aged, known_sources, route_row
from routingd.views import NotFoundError

EVERYTHING: Final = 1 << 62


class RouteViews:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def routes(self, query: RouteQuery) -> AsyncGenerator[RoutesPage, None]:
        """Pages, at least one, read as the client takes them: each row is as it was when its page was read."""
        sources = known_sources(self._controller)
        criteria = {**query.criteria, "source": self._source(query.neighbor, sources)}
        left = limit = query.limit if query.limit is not None else EVERYTHING
        for afi in query.families:
            after: PrefixBytes | None = None
            while True:
                # One more than is shown tells whether there is more.
                read = partial(page, afi, after, min(PAGE_ROWS, left + 1), criteria)
                rows, after = await self._controller.engine.call(read)
                now = self._controller.clock()
                shown = [route_row(row, sources, now) for row in rows[:left]]
                if len(rows) > left:
                    yield {"routes": shown, "truncated": True}
                    return
                left -= len(rows)
                if shown:
                    yield {"routes": shown, "truncated": False}
                if after is None:
                    break
        if left == limit:
            yield {"routes": [], "truncated": False}

    def _source(self, neighbor: str | None, sources: dict[int, SourceInfo]) -> int | None:
        if neighbor is None:
            return None
        peer = self._controller.peers.named(neighbor)
        if peer is None:
            raise NotFoundError(f"no BGP neighbor {neighbor} is configured")
        for number, source in sources.items():
            if source["name"] == peer.name:
                return number
        raise NotFoundError(f"no route from {neighbor}: its session is {peer.session.state}")

    async def covering(self, text: str) -> AsyncGenerator[RoutesPage, None]:
        """The routes that a packet could follow if longer ones went away: longest first."""
        prefix, _ = parse_asked(text)
        rows = await self._controller.engine.call(lambda engine: engine.covering(prefix))
        sources, now = known_sources(self._controller), self._controller.clock()
        yield {"routes": [route_row(row, sources, now) for row in rows], "truncated": False}

    async def detail(self, text: str) -> RouteDetail:
        asked, exact = parse_asked(text)
        _, found = await self._controller.engine.call(lambda engine: find(engine, asked, exact))
        if found is None:
            raise NotFoundError(f"no route {'for' if exact else 'to'} {text}")
        route = lookup_view(found, self._controller.clock())
        return {"asked": text, "route": route, "sources": sources_in(route, known_sources(self._controller))}


def page(
    afi: int, after: PrefixBytes | None, limit: int, criteria: dict[str, Any], engine: Engine
) -> tuple[list[dict[str, Any]], PrefixBytes | None]:
    """On the engine's thread."""
    return engine.query(afi, after=after, limit=limit, **criteria)


def find(engine: Engine, asked: PrefixBytes, exact: bool) -> tuple[PrefixBytes | None, dict[str, Any] | None]:
    """On the engine's thread: a prefix exactly, an address by longest match."""
    prefix = asked if exact else engine.longest_match(asked[0])
    found = engine.lookup(prefix) if prefix is not None else None
    return (prefix if found is not None else None), found


def lookup_view(found: dict[str, Any], now: float) -> Lookup:
    out: Any = {**found, "paths": [aged(path, now) for path in found["paths"]]}
    typed: Lookup = out
    return typed


def sources_in(route: Lookup, known: dict[int, SourceInfo]) -> list[SourceInfo]:
    return [known[number] for number in sorted({path["source"] for path in route["paths"]}) if number in known]
