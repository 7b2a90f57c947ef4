"""``explain``: one prefix in the RIB, what its next hops rest on, and what every kernel made of it."""

from __future__ import annotations

from typing import Any, Final

from native import Engine
from protocols.bgp.family import family_name
from routingd.asked import PrefixBytes, family_of, parse_asked
from routingd.boxes import parse_prefix
from routingd.control.shapes import Explain, ExplainNcp, ExplainPeer, ExplainResolution
from routingd.controller import Controller
from routingd.fib_views import FibViews
from routingd.peer import ACCEPT
from routingd.route_views import find, lookup_view, sources_in
from routingd.sources import known_sources

MAX_DEPTH: Final = 16
MAX_HOPS: Final = 128
"""Of all trees together: a prefix with hundreds of paths is still answered in a moment."""


class ExplainView:
    def __init__(self, controller: Controller, fib: FibViews) -> None:
        self._controller = controller
        self._fib = fib

    async def explain(self, text: str) -> Explain:
        asked, exact = parse_asked(text)

        def read(engine: Engine) -> tuple[PrefixBytes | None, dict[str, Any] | None, Any, str | None]:
            prefix, found = find(engine, asked, exact)
            if found is None:
                covering = engine.covering(asked)
                return None, None, [], covering[0]["prefix"] if covering else None
            return prefix, found, Resolver(engine).trees(found), None

        found, route, resolution, covering = await self._controller.engine.call(read)
        shown = lookup_view(route, self._controller.clock()) if route is not None else None
        afi = family_of(asked)
        return {
            "asked": text,
            "family": "ipv4-unicast" if afi == 1 else "ipv6-unicast",
            "match": "none" if route is None else "exact" if exact else "longest",
            "route": shown,
            "resolution": resolution,
            "covering": covering,
            "sources": sources_in(shown, known_sources(self._controller)) if shown is not None else [],
            "peers": await self._peers((afi, 1)),
            "ncps": [
                await self._ncp(name, found or asked, waits=route is not None and route["waits"])
                for name in self._controller.plan.boxes.names
            ],
        }

    async def _peers(self, family: tuple[int, int]) -> list[ExplainPeer]:
        peers = self._controller.peers.all
        given = {peer.name: up.membership.source for peer in peers if (up := peer.giver) and up.membership.source}
        counts = await self._controller.engine.call(
            lambda engine: {name: engine.source_counts(source) for name, source in given.items()}
        )
        rows: list[ExplainPeer] = []
        for peer in peers:
            config = next((f for f in peer.session.config.families if f.family == family), None)
            rows.append(
                {
                    "address": peer.name,
                    "asn": peer.up.agreed.peer_asn if peer.up is not None else peer.session.config.remote_asn,
                    "state": str(peer.session.state),
                    "configured": config is not None,
                    "agreed": peer.up is not None and family in peer.up.agreed.families,
                    "accept_import": config is not None and config.import_policy == ACCEPT,
                    "received": counts.get(peer.name, {}).get(family_name(*family).partition("-")[0], 0),
                }
            )
        return rows

    async def _ncp(self, ncp: str, prefix: PrefixBytes, *, waits: bool) -> ExplainNcp:
        row = await self._fib.row(ncp, prefix)
        out: ExplainNcp = {
            "ncp": ncp,
            "state": row["state"],
            "kernel_group": row["kernel_group"],
            "members": row["members"],
            "awaited": waits and self._controller.feeds[ncp].awaited and row["state"] not in ("installed", "local"),
            "errno": row["errno"],
        }
        if "reason" in row:
            out["reason"] = row["reason"]
        return out


class Resolver:
    """What next hops rest on, as trees. On the engine's thread, within one job, so that all of it is of one moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left = MAX_HOPS
        self._tracked: dict[tuple[str, int], dict[str, Any]] | None = None

    def trees(self, route: dict[str, Any]) -> list[ExplainResolution]:
        """Of the paths that are used; of every path where none is."""
        used = [path for path in route["paths"] if path["role"]]
        return [
            {
                "source": path["source"],
                "path_id": path["path_id"],
                "role": path["role"],
                "next_hops": self._hops([path], route["instance"], 0),
            }
            for path in sorted(used or route["paths"], key=lambda path: not path["best"])
        ]

    def _hops(self, paths: list[dict[str, Any]], instance: int, depth: int) -> list[Any]:
        out: list[Any] = []
        seen: set[tuple[Any, Any, Any]] = set()
        for hop in (hop for path in paths for hop in path["next_hops"]):
            name = (hop["address"], hop["ncp"], hop["port"])
            if name in seen or self._left == 0:
                continue
            seen.add(name)
            self._left -= 1
            out.append(self._hop(hop, instance, depth))
        return out

    def _hop(self, hop: dict[str, Any], instance: int, depth: int) -> dict[str, Any]:
        node = {**hop, "protocol": None, "reason": "", "next_hops": []}
        if not hop["resolved"]:
            node["reason"] = self._reason(hop, instance)
        if hop["via"] is None:
            return node
        below = self._engine.lookup(parse_prefix(hop["via"]), instance=instance)
        paths = [path for path in below["paths"] if path["role"] in ("best", "multipath")] if below is not None else []
        if paths:
            node["protocol"] = paths[0]["protocol"]
            if node["protocol"] != "connected" and depth + 1 < MAX_DEPTH:
                node["next_hops"] = self._hops(paths, instance, depth + 1)
        return node

    def _reason(self, hop: dict[str, Any], instance: int) -> str:
        if self._tracked is None:
            self._tracked = {(row["address"], row["instance"]): row for row in self._engine.next_hops()}
        tracked = self._tracked.get((hop["address"], instance))
        if tracked is not None:
            return str(tracked["reason"])
        return f"port {hop['ncp']}/{hop['port']} is down" if hop["port"] else ""
