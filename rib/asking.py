"""The questions that a ``Rib`` answers, and the settling of the table before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rib.explanation import Explanation, explain
from rib.listing import Paged, Rows
from rib.literals import AddressLike, PrefixLike, community_of, families_of, prefix_of
from rib.ports import Network, Ports
from rib.prefix import Prefix
from rib.routes import Group, Route, Row, Source, TrackedNextHop
from rib.sources import SourceLike, Sources
from rib.watching import Moves, Watch

if TYPE_CHECKING:
    from rib.engines import Engine

PAGE: Final = 1000
BUDGET: Final = 65536
ASSUMED: Final = "assumed"
ASSUMABLE: Final = ("no route", "loop", "only the default route")
"""Why a next hop does not resolve, where a route to it would help."""


class Questions:
    """What can be asked of an engine. ``family`` is 4, 6, or ``None`` for both, always; ``instance`` a number."""

    def __init__(self, engine: Engine, *, assume_reachable: bool) -> None:
        self.engine = engine
        self._sources = Sources()
        self._ports = Ports(engine)
        self._assume_reachable = assume_reachable
        self._assumed: set[tuple[int, str]] = set()
        self._new_next_hops = False

    # --- settling ---------------------------------------------------------------------------------------------------

    def settle(self, told: Callable[[], None] | None = None) -> None:
        """Do all deferred work, ``told`` being called between its slices. Every question does this first."""
        self._step(told)
        while self._assume_reachable and self._new_next_hops:
            self.reach_next_hops()
            self._step(told)

    def _step(self, told: Callable[[], None] | None) -> None:
        while self.engine.step(BUDGET):
            if told is not None:
                told()

    def reach_next_hops(self) -> None:
        """Give each next hop that does not resolve a connected host route of the source "assumed", once: one that is
        withdrawn afterwards stays away."""
        self._new_next_hops = False
        for row in self.engine.next_hops():
            where = (row["instance"], row["address"])
            if row["reason"] in ASSUMABLE and where not in self._assumed:
                self._assumed.add(where)
                host = prefix_of(row["address"])
                source = self._own_source(ASSUMED, "connected", row["instance"])
                self._ports.put(source.number, host, Network(("", ASSUMED), local=False, metric=0))

    def _own_source(self, name: str, protocol: str, instance: int) -> Source:
        """The one source of that name in an instance; made when first asked for."""
        name = f"{name} in {instance}" if instance else name
        if name in self._sources:
            return self._sources.find(name)
        add = self.engine.add_connected_source if protocol == "connected" else self.engine.add_static_source
        return self._sources.add(Source(add(instance=instance), protocol, name, instance=instance))

    # --- routes -----------------------------------------------------------------------------------------------------

    def exact(self, prefix: PrefixLike, *, instance: int = 0) -> Route | None:
        """The best route of this very prefix."""
        wanted = prefix_of(prefix)
        found = self.match(wanted, instance=instance)
        return found if found is not None and found.prefix.prefixlen == wanted.length else None

    def match(self, address: AddressLike | PrefixLike, *, instance: int = 0) -> Route | None:
        """The route that packets to an address take (or the most specific one that covers a whole prefix)."""
        return next(iter(self.covering(address, instance=instance)), None)

    def covering(self, prefix: AddressLike | PrefixLike, *, instance: int = 0) -> Rows[Route]:
        """Every best route that covers the prefix, itself included, longest first."""
        self.settle()
        return Rows(map(self._route, self.engine.covering(pair(prefix_of(prefix)), instance=instance)))

    def routes(
        self,
        family: int | None = None,
        *,
        within: PrefixLike | None = None,
        protocols: str | Sequence[str] = (),
        source: SourceLike | None = None,
        communities: str | Sequence[str] = (),
        as_in_path: int | None = None,
        origin_as: int | None = None,
        neighbor_as: int | None = None,
        best_only: bool = True,
        instance: int = 0,
        page: int = PAGE,
    ) -> Paged[Route]:
        """Routes in the order of their prefixes for which everything holds; fetched while they are read.
        ``communities``: all of them must be there. Without ``best_only`` also paths that lost or are not usable."""
        inside = prefix_of(within) if within is not None else None
        if inside is not None and family is None:
            family = 4 if inside.afi == 1 else 6
        families = families_of(family)
        wanted = communities.split() if isinstance(communities, str) else communities
        criteria: dict[str, Any] = {
            "within": pair(inside) if inside is not None else None,
            "protocols": protocols.split() if isinstance(protocols, str) else protocols,
            "source": self.source(source).number if source is not None else None,
            "communities": [community_of(text) for text in wanted],
            "as_in_path": as_in_path,
            "origin_as": origin_as,
            "neighbor_as": neighbor_as,
            "best_only": best_only,
            "instance": instance,
            "limit": page,
        }
        return Paged(lambda: self._pages(families, criteria))

    def _pages(self, families: Sequence[int], criteria: dict[str, Any]) -> Iterator[Route]:
        for afi in families:
            after: tuple[bytes, int] | None = None
            while True:
                self.settle()
                rows, after = self.engine.query(afi, after=after, **criteria)
                yield from map(self._route, rows)
                if after is None:
                    break

    def within(self, prefix: PrefixLike, *, instance: int = 0) -> Paged[Route]:
        """The best routes in a prefix, itself included."""
        return self.routes(within=prefix, instance=instance)

    def by_source(self, source: SourceLike, family: int | None = None, *, best_only: bool = False) -> Paged[Route]:
        """Every path that a source gave, best or not."""
        found = self.source(source)
        return self.routes(family, source=found, best_only=best_only, instance=found.instance)

    def by_community(
        self, *communities: str, family: int | None = None, best_only: bool = False, instance: int = 0
    ) -> Paged[Route]:
        """Every path that carries all these communities, of whatever kind: "65001:100", "65001:1:2", "no-export"."""
        return self.routes(family, communities=communities, best_only=best_only, instance=instance)

    def by_as(
        self, asn: int, where: str = "path", family: int | None = None, *, best_only: bool = False, instance: int = 0
    ) -> Paged[Route]:
        """Every path with this AS: anywhere in its "path", as its "origin", or as the "neighbor" it is from."""
        names = {"path": "as_in_path", "origin": "origin_as", "neighbor": "neighbor_as"}
        if where not in names:
            raise ValueError(f"an AS can be looked for in {', '.join(map(repr, names))}, not in {where!r}")
        return self.routes(family, best_only=best_only, instance=instance, **{names[where]: asn})  # type: ignore[arg-type]

    # --- reasons ----------------------------------------------------------------------------------------------------

    def explain(self, prefix: AddressLike | PrefixLike, *, instance: int = 0) -> Explanation:
        """Every path of a prefix with what decided, how its next hops resolve, and its group. Where there is no such
        prefix, the same of its longest match."""
        self.settle()
        asked = prefix_of(prefix)
        found: Prefix | None = asked
        if self._look_up(asked, instance) is None:
            rows = self.engine.covering(pair(asked), instance=instance)
            found = prefix_of(rows[0]["prefix"]) if rows else None
        return explain(self._look_up, asked, found, instance, self._sources.of)

    def next_hops(self) -> Rows[TrackedNextHop]:
        """Every next hop that is looked up in a table, with its resolution."""
        self.settle()
        found = map(TrackedNextHop.from_row, self.engine.next_hops())
        return Rows(sorted(found, key=lambda hop: (hop.instance, hop.address.version, hop.address)))

    def groups(self) -> Rows[Group]:
        """The next-hop groups that routes use."""
        self.settle()
        return Rows(sorted(map(Group.from_row, self.engine.groups()), key=lambda group: group.id))

    def counts(self) -> dict[str, Any]:
        self.settle()
        counts: dict[str, Any] = self.engine.counts()
        return counts

    def path_counts(self, source: SourceLike) -> dict[str, int]:
        """How many paths a source gives: {"ipv4", "ipv6"}, and of these {"ipv4_stale", "ipv6_stale"}."""
        self.settle()
        counts: dict[str, int] = self.engine.source_counts(self.source(source).number)
        return counts

    def memory(self) -> dict[str, int]:
        """Bytes by kind; the reference engine does not count them."""
        self.settle()
        sizes: dict[str, int] = self.engine.memory()
        return sizes

    def sources(self) -> Rows[Source]:
        return Rows(self._sources)

    def source(self, wanted: SourceLike) -> Source:
        """A source by its name (the address of a peer that was given none) or number."""
        return self._sources.find(wanted)

    # --- changes ----------------------------------------------------------------------------------------------------

    def watch(
        self,
        family: int | None = None,
        *,
        within: PrefixLike | None = None,
        protocols: str | Sequence[str] = (),
        initial: bool = False,
        instance: int = 0,
    ) -> Watch:
        """Tells how best routes change from now on; with ``initial`` first all there are."""
        self.settle()
        inside = prefix_of(within) if within is not None else None
        families = families_of(family) if inside is None else (inside.afi,)
        names = protocols.split() if isinstance(protocols, str) else protocols
        consumers = [
            self.engine.watch_open(
                afi,
                instance=instance,
                protocols=names,
                within=pair(inside) if inside is not None else None,
                initial=initial,
            )
            for afi in families
        ]
        return Watch(self.engine, consumers, self.settle, self._sources.of)

    def moves(self, family: int | None = None, *, within: PrefixLike | None = None, instance: int = 0) -> Moves:
        """``with rib.moves() as moved:`` compares the best routes before the block with those after it."""
        watch = self.watch(family, within=within, initial=True, instance=instance)
        return Moves(self.engine, watch, self.settle, self._sources.of)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _route(self, row: Row) -> Route:
        return Route.from_row(row, self._sources.of)

    def _look_up(self, prefix: Prefix, instance: int) -> Row | None:
        row: Row | None = self.engine.lookup(pair(prefix), instance=instance)
        return row


def pair(prefix: Prefix) -> tuple[bytes, int]:
    """A prefix as the engines take it."""
    return prefix.address, prefix.length
