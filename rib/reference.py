"""The reference engine: the central RIB in plain Python, the specification that the native engine is held to.

It has the interface of ``native.Engine`` and shares no code with it. It stores what the sources said and nothing
else; everything that
follows from that (resolutions, selections, groups, FIB, Adj-RIBs-Out) is computed from scratch after a change. Slow,
and obvious.

The decision process is ``rib/selection.py``, recursion ``rib/resolution.py``, groups ``rib/group.py``, export
``rib/reference_export.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from typing import Protocol as Interface

from sortedcontainers import SortedDict

from rib.attributes import PathAttributes
from rib.group import Group, group_of
from rib.path import Forward, NextHop, Path, Protocol, Source
from rib.prefix import AFI_IPV4, AFI_IPV6, Prefix, covering
from rib.reference_export import ExportConsumer, ExportTerms, adj_rib_out
from rib.reference_fib import Fib, FibConsumer, FibDelta, Numbers
from rib.reference_rows import group_row, lookup_row, page_row
from rib.resolution import Adjacency, Resolutions, resolve
from rib.selection import Selection, select

EBGP_DISTANCE: Final = 20
IBGP_DISTANCE: Final = 200
STATIC_KINDS: Final = {"via": Forward.VIA, "blackhole": Forward.BLACKHOLE, "unreachable": Forward.UNREACHABLE}
PathKey = tuple[int, int]


class Changes(Interface):
    """``native.Changes``, or anything else that tells its rows."""

    def rows(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that follows from the paths at one moment."""

    resolutions: Resolutions
    selections: dict[Prefix, Selection]
    fib: Fib

    def best_paths(self) -> Iterator[tuple[Prefix, Path]]:
        for prefix, selection in self.selections.items():
            if selection.best is not None:
                yield prefix, selection.best


class ReferenceEngine:
    """The controller's RIB. ``native.Engine`` documents each method."""

    def __init__(self, *, router_id: bytes, asn: int, digest_key: bytes, seed: int = 0) -> None:
        self.router_id = router_id
        self.asn = asn
        self._digest_key = digest_key
        self._sources: dict[int, Source] = {}
        self._next_source = 1
        # Per family: prefix -> (source, path id) -> path.
        self._tables: dict[int, Any] = {AFI_IPV4: SortedDict(), AFI_IPV6: SortedDict()}
        self._networks: dict[int, frozenset[Prefix]] = {AFI_IPV4: frozenset(), AFI_IPV6: frozenset()}
        self._group_ids: Numbers[bytes] = Numbers()
        self._adjacency_ids: Numbers[Adjacency] = Numbers()
        self._fib_consumers: dict[int, FibConsumer] = {}
        self._export_consumers: dict[int, ExportConsumer] = {}
        self._next_consumer = 1
        self._computed: Outcome | None = None

    # --- sources ----------------------------------------------------------------------------------------------------

    def add_connected_source(self) -> int:
        return self._add_source(lambda number: Source(number, Protocol.CONNECTED))

    def add_static_source(self) -> int:
        return self._add_source(lambda number: Source(number, Protocol.STATIC))

    def add_peer(
        self,
        *,
        address: bytes,
        asn: int,
        router_id: bytes,
        ebgp: bool,
        import_accept: bool = True,
        distance: int | None = None,
    ) -> int:
        if distance is None:
            distance = EBGP_DISTANCE if ebgp else IBGP_DISTANCE
        return self._add_source(
            lambda number: Source(number, Protocol.BGP, distance, address, asn, router_id, ebgp, import_accept)
        )

    def _add_source(self, make: Callable[[int], Source]) -> int:
        number = self._next_source
        self._next_source += 1
        self._sources[number] = make(number)
        return number

    def _source(self, number: int) -> Source:
        if number not in self._sources:
            raise ValueError(f"no source {number}")
        return self._sources[number]

    def remove_source(self, source: int) -> None:
        """Everything at once: here is no table so large that it must be done in slices."""
        for prefix, path in list(self._all_paths()):
            if path.source.number == source:
                self._remove(prefix, path.key)
        self._sources.pop(source, None)

    def step(self, budget: int = 4096) -> bool:
        return False

    # --- what sources say -------------------------------------------------------------------------------------------

    def apply(self, source: int, changes: Changes | Sequence[dict[str, Any]]) -> None:
        """Announcements and withdrawals of a BGP peer, in their order."""
        peer = self._source(source)
        if not peer.import_accept:
            return  # RFC 8212 2: without an import policy nothing is taken in
        rows = changes if isinstance(changes, Sequence) else changes.rows()
        for row in rows:
            prefix = Prefix.of(*row["prefix"])
            if row["op"] == "withdraw":
                self._remove(prefix, (source, row["path_id"]))
                continue
            attributes = PathAttributes.from_row(row["attributes"])
            hops = (NextHop(attributes.next_hop),)
            self._put(prefix, Path(peer, row["path_id"], peer.distance, Forward.VIA, hops, attributes=attributes))

    def put_connected(
        self, source: int, prefix: tuple[bytes, int], ncp: str, port: str, *, local: bool = False, metric: int = 0
    ) -> None:
        hops = (NextHop(b"", ncp, port),)
        self._put(
            Prefix.of(*prefix), Path(self._source(source), 0, 0, Forward.CONNECTED, hops, metric=metric, local=local)
        )

    def put_static(
        self,
        source: int,
        prefix: tuple[bytes, int],
        next_hops: Sequence[dict[str, Any]],
        *,
        kind: str = "via",
        distance: int = 1,
        metric: int = 0,
        tag: int = 0,
    ) -> None:
        """``next_hops`` for "via" only: "blackhole" and "unreachable" have one end and no choice."""
        if (kind == "via") != bool(next_hops):
            raise ValueError('"via" has next hops, the other kinds have none')
        hops = tuple(static_next_hop(**hop) for hop in next_hops) or (NextHop(b""),)
        path = Path(self._source(source), 0, distance, STATIC_KINDS[kind], hops, metric=metric, tag=tag)
        self._put(Prefix.of(*prefix), path)

    def delete(self, source: int, prefix: tuple[bytes, int]) -> None:
        self._remove(Prefix.of(*prefix), (source, 0))

    def set_networks(self, afi: int, prefixes: Sequence[tuple[bytes, int]]) -> None:
        self._networks[afi] = frozenset(Prefix.of(*prefix) for prefix in prefixes)

    def _put(self, prefix: Prefix, path: Path) -> None:
        self._tables[prefix.afi].setdefault(prefix, {})[path.key] = path
        self._computed = None

    def _remove(self, prefix: Prefix, key: PathKey) -> None:
        table = self._tables[prefix.afi]
        paths = table.get(prefix, {})
        if paths.pop(key, None) is not None and not paths:
            del table[prefix]
        self._computed = None

    # --- what follows -----------------------------------------------------------------------------------------------

    def _paths(self, prefix: Prefix) -> list[Path]:
        return list(self._tables[prefix.afi].get(prefix, {}).values())

    def _all_paths(self) -> Iterator[tuple[Prefix, Path]]:
        for table in self._tables.values():
            for prefix, paths in table.items():
                for path in paths.values():
                    yield prefix, path

    def _best_path(self, prefix: Prefix, known: Resolutions) -> Path | None:
        return select(self._paths(prefix), known).best

    def _outcome(self) -> Outcome:
        if self._computed is None:
            next_hops = [hop for _, path in self._all_paths() for hop in path.next_hops]
            known = resolve((hop.address for hop in next_hops if hop.recursive), self._best_path)
            prefixes = [prefix for table in self._tables.values() for prefix in table]
            selections = {prefix: select(self._paths(prefix), known) for prefix in prefixes}
            self._computed = Outcome(known, selections, make_fib(selections, known))
        return self._computed

    # --- FIB feed ---------------------------------------------------------------------------------------------------

    def fib_open(self) -> int:
        return self._open(self._fib_consumers, FibConsumer(self._group_ids, self._adjacency_ids))

    def fib_close(self, consumer: int) -> None:
        del self._fib_consumers[consumer]

    def fib_read(self, consumer: int, max_routes: int = 8192) -> FibDelta | None:
        return self._fib_consumers[consumer].read(self._outcome().fib, max_routes)

    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        fib = self._outcome().fib
        return self._fib_consumers[consumer].at_tail(fib), len(fib.routes), fib.digest(self._digest_key)

    # --- export -----------------------------------------------------------------------------------------------------

    def export_open(
        self,
        *,
        peer_source: int,
        afi: int,
        safi: int,
        ebgp: bool,
        local_asn: int,
        peer_asn: int,
        next_hop_self: bool,
        local_address: bytes,
        local_link: bytes | None,
        four_octet_as: bool,
        max_message: int = 4096,
        extended_next_hop: bool = False,
    ) -> int:
        terms = ExportTerms(
            peer_source,
            afi,
            safi,
            ebgp,
            local_asn,
            peer_asn,
            next_hop_self,
            local_address,
            local_link,
            four_octet_as,
            max_message,
            extended_next_hop,
        )
        return self._open(self._export_consumers, ExportConsumer(terms))

    def export_close(self, consumer: int) -> None:
        del self._export_consumers[consumer]

    def export_read(self, consumer: int, max_routes: int = 8192) -> bytes | None:
        return self._export_consumers[consumer].read(self._wanted(consumer), max_routes)

    def export_backlog(self, consumer: int) -> int:
        return len(self._export_consumers[consumer].pending(self._wanted(consumer)))

    def adj_rib_out(self, consumer: int, limit: int) -> list[dict[str, Any]]:
        rows = sorted(self._wanted(consumer).items())[:limit]
        return [{"prefix": str(prefix), "attributes": attributes.to_row()} for prefix, attributes in rows]

    def _wanted(self, consumer: int) -> dict[Prefix, PathAttributes]:
        terms = self._export_consumers[consumer].terms
        return adj_rib_out(self._outcome().best_paths(), self._networks[terms.afi], terms)

    def _open(self, consumers: dict[int, Any], consumer: FibConsumer | ExportConsumer) -> int:
        number = self._next_consumer
        self._next_consumer += 1
        consumers[number] = consumer
        return number

    # --- asking -----------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Any]:
        outcome = self._outcome()
        families: dict[str, Any] = {}
        for afi, name in ((AFI_IPV4, "ipv4"), (AFI_IPV6, "ipv6")):
            families[name] = {
                "prefixes": len(self._tables[afi]),
                "paths": sum(len(paths) for paths in self._tables[afi].values()),
                "fib": sum(1 for prefix in outcome.fib.routes if prefix.afi == afi),
            }
        return {**families, "groups": len(outcome.fib.groups), "tracked_next_hops": len(outcome.resolutions)}

    def source_counts(self, source: int) -> dict[str, int]:
        of_source = [prefix.afi for prefix, path in self._all_paths() if path.source.number == source]
        return {"ipv4": of_source.count(AFI_IPV4), "ipv6": of_source.count(AFI_IPV6)}

    def lookup(self, prefix: tuple[bytes, int]) -> dict[str, Any] | None:
        wanted = Prefix.of(*prefix)
        outcome = self._outcome()
        selection = outcome.selections.get(wanted)
        if selection is None:
            return None
        group = self._group_row(outcome.fib.groups[outcome.fib.routes[wanted]]) if selection.best else None
        known = outcome.resolutions
        return lookup_row(wanted, self._paths(wanted), selection, known, group, self._adjacency_ids.__getitem__)

    def longest_match(self, address: bytes) -> tuple[bytes, int] | None:
        routes = self._outcome().fib.routes
        return next(((found.address, found.length) for found in covering(address) if found in routes), None)

    def page(self, afi: int, cursor: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        """The cursor is the last prefix shown, as a number: it stays right whatever comes and goes."""
        table = self._tables[afi]
        width = 4 if afi == AFI_IPV4 else 16
        start = 0 if cursor == 0 else table.bisect_right(prefix_of_cursor(cursor, width))
        routes = self._outcome().fib.routes
        prefixes = [prefix for prefix in table.islice(start) if prefix in routes]
        rows = [self._page_row(prefix) for prefix in prefixes[:limit]]
        return rows, cursor_of_prefix(prefixes[limit - 1]) if len(prefixes) > limit else None

    def subtree(self, prefix: tuple[bytes, int], limit: int) -> list[dict[str, Any]]:
        top = Prefix.of(*prefix)
        routes = self._outcome().fib.routes
        inside = [found for found in self._tables[top.afi] if top.covers(found) and found in routes]
        return [self._page_row(found) for found in inside[:limit]]

    def groups(self) -> list[dict[str, Any]]:
        return [self._group_row(group) for group in self._outcome().fib.groups.values()]

    def _page_row(self, prefix: Prefix) -> dict[str, Any]:
        outcome = self._outcome()
        group = outcome.fib.groups[outcome.fib.routes[prefix]]
        number = self._adjacency_ids.__getitem__
        return page_row(prefix, outcome.selections[prefix], group, self._group_ids[group.key], number)

    def _group_row(self, group: Group) -> dict[str, Any]:
        routes = list(self._outcome().fib.routes.values()).count(group.key)
        return group_row(group, self._group_ids[group.key], routes, self._adjacency_ids.__getitem__)


def static_next_hop(address: bytes = b"", ncp: str | None = None, port: str | None = None, weight: int = 1) -> NextHop:
    """An NCP without a port says nothing: such a next hop is looked up like any other."""
    if not address and not port:
        raise ValueError("a next hop has an address or a port")
    return NextHop(address, (ncp or "") if port else "", port or "", weight)


def make_fib(selections: dict[Prefix, Selection], known: Resolutions) -> Fib:
    fib = Fib()
    for prefix, selection in selections.items():
        if selection.best is not None:
            group = group_of(selection.best, known)
            fib.routes[prefix] = group.key
            fib.groups[group.key] = group
    return fib


def cursor_of_prefix(prefix: Prefix) -> int:
    """Never 0, which is the start."""
    return (int.from_bytes(prefix.address, "big") << 8 | prefix.length) + 1


def prefix_of_cursor(cursor: int, width: int) -> Prefix:
    return Prefix((cursor - 1 >> 8).to_bytes(width, "big"), cursor - 1 & 0xFF)
