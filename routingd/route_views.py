"""Answers of the control socket about prefixes: the RIB's view, each kernel's view, and ``explain``, which joins
them."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from native import Engine
from protocols.bgp.family import family_name
from routingd.boxes import show_prefix
from routingd.control.shapes import (
    Explain,
    ExplainNcp,
    ExplainPeer,
    FibPage,
    FibRow,
    KernelMember,
    Lookup,
    RouteDetail,
    RouteRow,
    RoutesPage,
    SourceInfo,
)
from routingd.controller import Controller
from routingd.peer import ACCEPT
from routingd.queries import AgentSilentError
from routingd.views import NotFoundError

PAGE: Final = 512
"""Routes read at once: a page holds the engine's lock for some milliseconds at most."""
SORTED: Final = 8192
"""Up to so many routes of a family are shown in the order of their prefixes."""
FAMILIES: Final = {"ipv4-unicast": 1, "ipv6-unicast": 2}
PrefixBytes = tuple[bytes, int]


def parse_asked(text: str) -> tuple[PrefixBytes, bool]:
    """A prefix, or an address (a host prefix); True where it was a prefix. Raises ValueError with what to write."""
    try:
        if "/" not in text:
            address = ipaddress.ip_address(text)
            return (address.packed, address.max_prefixlen), False
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is neither a prefix (203.0.113.0/24) nor an address (203.0.113.7)") from None
    return (network.network_address.packed, network.prefixlen), True


def family_of(prefix: PrefixBytes) -> int:
    return 1 if len(prefix[0]) == 4 else 2


class RouteViews:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    # --- the RIB ------------------------------------------------------------------------------------------------------

    async def routes(self, family: str | None, protocol: str | None, limit: int | None) -> AsyncIterator[RoutesPage]:
        """Pages in the engine's stable order; other work goes on between them."""
        sources = self.sources()
        left = limit if limit is not None else 1 << 62
        for afi in [FAMILIES[family]] if family is not None else list(FAMILIES.values()):
            cursor: int | None = 0
            while cursor is not None:
                rows, cursor = await self._controller.engine.call(partial(page, afi, cursor))
                wanted = [named(row, sources) for row in rows if protocol in (None, row["protocol"])]
                if len(wanted) > left:
                    yield {"routes": wanted[:left], "truncated": True}
                    return
                left -= len(wanted)
                if wanted:
                    yield {"routes": wanted, "truncated": False}

    async def longer(self, text: str, limit: int | None) -> RoutesPage:
        """Everything within a prefix."""
        prefix, _ = parse_asked(text)
        most = limit if limit is not None else 10_000
        rows, more = await self._controller.engine.call(
            lambda engine: engine.query(family_of(prefix), within=prefix, limit=most)
        )
        sources = self.sources()
        return {"routes": [named(row, sources) for row in rows], "truncated": more is not None}

    async def detail(self, text: str) -> RouteDetail:
        asked, exact = parse_asked(text)
        _, route = await self._controller.engine.call(lambda engine: find(engine, asked, exact))
        if route is None:
            raise NotFoundError(f"no route {'for' if exact else 'to'} {text}")
        return {"asked": text, "route": route, "sources": self._sources_in(route)}

    def sources(self) -> dict[int, SourceInfo]:
        controller = self._controller
        known: dict[int, SourceInfo] = {
            number: _plain(number, "connected", ncp) for ncp, number in controller.connected_sources.items()
        }
        known[controller.static_source] = _plain(controller.static_source, "static", None)
        for peer in controller.peers.all:
            if peer.up is not None and peer.up.membership.source:
                stream, agreed = peer.stream, peer.up.agreed
                known[peer.up.membership.source] = {
                    "source": peer.up.membership.source,
                    "protocol": "bgp",
                    "name": peer.name,
                    "asn": agreed.peer_asn,
                    "kind": "ebgp" if agreed.ebgp else "ibgp",
                    "ncp": stream.ncp if stream is not None else None,
                    "router_id": str(ipaddress.ip_address(agreed.peer_router_id)),
                }
        return known

    def _sources_in(self, route: Lookup) -> list[SourceInfo]:
        known = self.sources()
        return [known[number] for number in sorted({path["source"] for path in route["paths"]}) if number in known]

    # --- the kernels --------------------------------------------------------------------------------------------------

    async def fib(
        self, prefix: str | None, ncp: str | None, family: str | None, limit: int | None
    ) -> AsyncIterator[FibPage]:
        names = self._names(ncp)
        if prefix is not None:
            wanted, _ = parse_asked(prefix)
            yield {"routes": [await self._fib_row(name, wanted) for name in names], "truncated": False}
            return
        left = limit if limit is not None else 1 << 62
        for name in names:
            for afi in [FAMILIES[family]] if family is not None else list(FAMILIES.values()):
                cursor: int | None = 0
                while cursor is not None:
                    answer = await self._controller.queries.ask(name, "routes", afi, cursor, PAGE)
                    rows = [fib_row(name, row["prefix"], row) for row in answer["rows"]]
                    cursor = answer["next"]
                    if len(rows) > left:
                        yield {"routes": rows[:left], "truncated": True}
                        return
                    left -= len(rows)
                    if rows:
                        yield {"routes": rows, "truncated": False}

    def _names(self, ncp: str | None) -> tuple[str, ...]:
        names = self._controller.plan.boxes.names
        if ncp is not None and ncp not in names:
            raise NotFoundError(f"no NCP {ncp} is configured; there are: {', '.join(names)}")
        return names if ncp is None else (ncp,)

    async def _fib_row(self, ncp: str, prefix: PrefixBytes) -> FibRow:
        try:
            answer = await self._controller.queries.ask(ncp, "route", family_of(prefix), *prefix)
        except AgentSilentError as error:
            return {**_no_row(ncp, prefix), "state": "unreachable", "reason": str(error)}
        return fib_row(ncp, show_prefix(prefix), answer) if answer is not None else _no_row(ncp, prefix)

    # --- explain ------------------------------------------------------------------------------------------------------

    async def explain(self, text: str) -> Explain:
        asked, exact = parse_asked(text)
        found, route = await self._controller.engine.call(lambda engine: find(engine, asked, exact))
        covering = None
        if route is None:
            match = await self._controller.engine.call(lambda engine: covering_of(engine, asked))
            covering = show_prefix(match) if match is not None else None
        afi = family_of(asked)
        return {
            "asked": text,
            "family": "ipv4-unicast" if afi == 1 else "ipv6-unicast",
            "match": "none" if route is None else "exact" if exact else "longest",
            "route": route,
            "covering": covering,
            "sources": self._sources_in(route) if route is not None else [],
            "peers": await self._explain_peers((afi, 1)),
            "ncps": [await self._explain_ncp(name, found or asked) for name in self._controller.plan.boxes.names],
        }

    async def _explain_peers(self, family: tuple[int, int]) -> list[ExplainPeer]:
        peers = self._controller.peers.all
        up = {
            peer.name: peer.up.membership.source for peer in peers if peer.up is not None and peer.up.membership.source
        }
        counts = await self._controller.engine.call(
            lambda engine: {name: engine.source_counts(source) for name, source in up.items()}
        )
        rows: list[ExplainPeer] = []
        for peer in peers:
            config = next((f for f in peer.session.config.families if f.family == family), None)
            rows.append(
                {
                    "address": peer.name,
                    "asn": peer.session.config.remote_asn,
                    "state": str(peer.session.state),
                    "configured": config is not None,
                    "agreed": peer.up is not None and family in peer.up.agreed.families,
                    "accept_import": config is not None and config.import_policy == ACCEPT,
                    "received": counts.get(peer.name, {}).get(family_name(*family).partition("-")[0], 0),
                }
            )
        return rows

    async def _explain_ncp(self, ncp: str, prefix: PrefixBytes) -> ExplainNcp:
        row = await self._fib_row(ncp, prefix)
        out: ExplainNcp = {
            "ncp": ncp,
            "state": row["state"],
            "kernel_group": row["kernel_group"],
            "members": row["members"],
            "errno": row["errno"],
        }
        if "reason" in row:
            out["reason"] = row["reason"]
        return out


def page(afi: int, cursor: int, engine: Engine) -> tuple[list[dict[str, Any]], int | None]:
    """On the engine's thread: a small table whole and in order, a large one in pages as it lies in memory."""
    if cursor == 0 and engine.counts()["ipv4" if afi == 1 else "ipv6"]["prefixes"] <= SORTED:
        return engine.query(afi, limit=SORTED)[0], None
    return engine.page(afi, cursor, PAGE)


def find(engine: Engine, asked: PrefixBytes, exact: bool) -> tuple[PrefixBytes | None, Lookup | None]:
    """On the engine's thread: a prefix exactly, an address by longest match."""
    prefix = asked if exact else engine.longest_match(asked[0])
    found = engine.lookup(prefix) if prefix is not None else None
    route: Any = found
    return (prefix if found is not None else None), route


def covering_of(engine: Engine, asked: PrefixBytes) -> PrefixBytes | None:
    """On the engine's thread: the longest prefix with a route that covers all of ``asked``."""
    whole = ipaddress.ip_network(asked)
    for length in range(asked[1] - 1, -1, -1):
        candidate = (whole.supernet(new_prefix=length).network_address.packed, length)
        if engine.lookup(candidate) is not None:
            return candidate
    return None


def named(row: dict[str, Any], sources: dict[int, SourceInfo]) -> RouteRow:
    source = sources.get(row["source"])
    out: Any = {**row, "source_name": source["name"] if source is not None else row["protocol"]}
    typed: RouteRow = out
    return typed


def fib_row(ncp: str, prefix: str, row: dict[str, Any]) -> FibRow:
    out: FibRow = {
        "ncp": ncp,
        "prefix": prefix,
        "nhg": row.get("nhg"),
        "kernel_group": row.get("kernel_group"),
        "state": row["state"],
        "errno": row.get("errno") or 0,
        "members": [_member(member) for member in row.get("members") or ()],
    }
    if row.get("reason"):
        out["reason"] = row["reason"]
    return out


def _member(member: dict[str, Any]) -> KernelMember:
    out: KernelMember = {
        "port": member.get("port") or "",
        "gateway": member.get("gateway"),
        "weight": member.get("weight", 1),
    }
    if member.get("fabric"):
        out["fabric"] = member["fabric"]
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
