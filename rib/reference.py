"""The reference engine: the central RIB in plain Python, the specification that the native engine is held to.

It has the interface of ``native.Engine`` and shares no code with it. It stores what was said and nothing else
(``rib/reference_said.py``); everything that follows from that is computed from scratch after a change
(``rib/reference_outcome.py``). Slow, and obvious.

The decision process is ``rib/selection.py``, recursion ``rib/resolution.py``, groups ``rib/group.py``, leaks
``rib/leak.py``, export ``rib/reference_export.py``, rows ``rib/reference_rows.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rib.adjacency import Adjacency
from rib.path import MAIN, Place, Protocol
from rib.prefix import AFI_IPV4, AFI_IPV6, Prefix, covering
from rib.reference_export import ExportConsumer, ExportTerms, Key, adj_rib_out
from rib.reference_fib import Fib, FibConsumer, FibDelta, Numbers
from rib.reference_installed import Installed
from rib.reference_outcome import FIRST, Outcome, conclude
from rib.reference_query import Criteria
from rib.reference_rows import Rows
from rib.reference_said import Said
from rib.reference_watch import WatchConsumer

FAMILIES = ((AFI_IPV4, "ipv4"), (AFI_IPV6, "ipv6"))


class ReferenceEngine(Said):
    """The controller's RIB: what was said, and here what follows. ``native.Engine`` documents each method; ``receive``,
    which decodes, is its alone."""

    def __init__(self, *, router_id: bytes, asn: int, digest_key: bytes, seed: int = 0, fib: bool = True) -> None:
        super().__init__(fib=fib)
        self.router_id = router_id
        self.asn = asn
        self._digest_key = digest_key
        self._group_ids: Numbers[bytes] = Numbers()
        self._adjacency_ids: Numbers[Adjacency] = Numbers()
        self._fib_consumers: dict[int, FibConsumer] = {}
        self._export_consumers: dict[int, ExportConsumer] = {}
        self._watch_consumers: dict[int, WatchConsumer] = {}
        self._installed = Installed()
        self._next_consumer = 1
        self._computed: Outcome | None = None

    def step(self, budget: int = 4096) -> bool:
        return False

    @property
    def healthy(self) -> bool:
        return True

    def _changed(self) -> None:
        self._computed = None

    def _outcome(self) -> Outcome:
        if self._computed is None:
            options = {number: instance.options for number, instance in self._instances.items()}
            self._computed = conclude(self._said(), self._leaks.values(), options, frozenset(self._ports_down))
        return self._computed

    def _rows(self) -> Rows:
        return Rows(self._outcome(), self._group_ids, self._adjacency_ids)

    def _number(self) -> int:
        """Of a new consumer."""
        self._next_consumer += 1
        return self._next_consumer - 1

    # --- FIB feed ---------------------------------------------------------------------------------------------------

    def _fib(self) -> Fib:
        return self._outcome().fib({number for number, instance in self._instances.items() if instance.fib})

    def fib_open(self) -> int:
        self._looked()
        number = self._number()
        self._fib_consumers[number] = FibConsumer(self._group_ids, self._adjacency_ids)
        self._installed.open(number, self._fib_consumers[number])
        return number

    def fib_resume(self, sums: Sequence[tuple[int, bytes]]) -> tuple[int, list[tuple[int, bytes]]]:
        number = self.fib_open()
        tables = [i << 8 | afi for i, instance in self._instances.items() if instance.fib for afi in (1, 2)]
        return number, self._fib_consumers[number].resume(self._fib(), self._digest_key, tables, sums)

    def fib_close(self, consumer: int) -> None:
        del self._fib_consumers[consumer]
        self._installed.close(consumer, self._looked().routes)

    def fib_read(self, consumer: int, max_routes: int = 8192) -> FibDelta | None:
        fib, reader = self._looked(), self._fib_consumers[consumer]
        delta = reader.read(fib, max_routes)
        self._installed.read(consumer, fib.routes, empty=delta is None, whole=reader.at_tail(fib))
        return delta

    def fib_reads(self, consumer: int) -> int:
        return self._installed.reads(consumer)

    def fib_installed(self, consumer: int, read: int) -> None:
        self._installed.answer(consumer, read, self._looked().routes)

    def fib_wait(self, consumer: int, wait: bool) -> None:
        self._installed.wait(consumer, wait, self._looked().routes)

    def fib_failed(self, consumer: int, table: int, prefix: tuple[bytes, int], failed: bool) -> None:
        self._installed.fail(consumer, table, Prefix.of(*prefix), failed, self._looked().routes)

    def set_options(self, *, instance: int = MAIN, **options: bool | int) -> None:
        self._looked()
        super().set_options(instance=instance, **options)
        place = self._instances[instance]
        wanted = place.fib and place.options.advertise_installed
        self._installed.want(instance, wanted, self._fib().routes)

    def _looked(self) -> Fib:
        """The FIB; what is new in it is so from now on."""
        fib = self._fib()
        self._installed.look(fib.routes)
        return fib

    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        fib = self._fib()
        known = self._fib_consumers.get(consumer)
        return known is not None and known.at_tail(fib), len(fib.routes), fib.digest(self._digest_key)

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
        aigp: bool = False,
        role: int | None = None,
        member: bool = False,
        client: bool = False,
        cluster_id: bytes | None = None,
        llgr: bool = False,
        next_hop_unchanged: bool = False,
        private_as: str | None = None,
        as_override: bool = False,
        shared: Sequence[tuple[bytes, int]] = (),
        add_path: int = 0,
    ) -> int:
        if private_as not in (None, "remove", "replace"):
            raise ValueError('private_as: "remove" or "replace"')
        peer = self._source(peer_source)
        instance = peer.instance
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
            aigp,
            role,
            llgr,
            add_path,
            self._instances[instance].options.default_local_pref,
            member,
            client,
            self.router_id if cluster_id is None else cluster_id,
            next_hop_unchanged,
            private_as,
            as_override,
            tuple(Prefix.of(*subnet) for subnet in shared),
            peer.address,
        )
        number = self._number()
        self._export_consumers[number] = ExportConsumer(terms, instance)
        return number

    def export_again(self, consumer: int) -> None:
        peer = self._export_consumers[consumer]
        peer.again, peer.end_of_rib_sent, peer.awaited = set(peer.told), False, None

    def export_close(self, consumer: int) -> None:
        del self._export_consumers[consumer]

    def export_read(self, consumer: int, max_routes: int = 8192) -> tuple[bytes, int] | None:
        peer, told = self._export_consumers[consumer], self._told(consumer)
        return peer.read(told, max_routes, self._installed)

    def export_backlog(self, consumer: int) -> int:
        peer, told = self._export_consumers[consumer], self._told(consumer)
        return len(peer.pending(told)) + (not peer.end_of_rib_sent)

    def export_count(self, consumer: int) -> int:
        return len(self._told(consumer))

    def export_groups(self) -> list[dict[str, Any]]:
        """Here every peer is told separately."""
        return []

    def adj_rib_out(self, consumer: int, limit: int) -> list[dict[str, Any]]:
        peer = self._export_consumers[consumer]
        rows = [
            {"prefix": str(key[0]), "path_id": peer.path_id(key), "attributes": attributes.to_row()}
            for key, attributes in sorted(self._told(consumer).items(), key=lambda row: row[0])
        ]
        return rows[:limit]

    def _told(self, consumer: int) -> dict[Key, Any]:
        """The whole Adj-RIB-Out as it should be now."""
        known_as = self._export_consumers[consumer]
        outcome, terms = self._outcome(), known_as.terms
        self._looked()
        new = {prefix for instance, prefix in self._installed.waiting if instance == known_as.instance}
        choices = outcome.choices(known_as.instance, terms.afi)
        return adj_rib_out(choices, self._instances[known_as.instance], outcome.known, terms, new)

    # --- watching ---------------------------------------------------------------------------------------------------

    def watch_open(
        self,
        afi: int,
        *,
        instance: int = MAIN,
        protocols: Sequence[str] = (),
        within: tuple[bytes, int] | None = None,
        initial: bool = True,
    ) -> int:
        self._instance(instance)
        watcher = WatchConsumer(afi, Criteria(inside(within), named(protocols)), instance)
        if not initial:
            watcher.told = watcher.wanted(self._outcome())
        number = self._number()
        self._watch_consumers[number] = watcher
        return number

    def watch_read(self, consumer: int, max_routes: int = 256) -> list[dict[str, Any]] | None:
        return self._watch_consumers[consumer].read(self._outcome(), self._rows(), max_routes)

    def watch_close(self, consumer: int) -> None:
        del self._watch_consumers[consumer]

    # --- asking -----------------------------------------------------------------------------------------------------

    def lookup(self, prefix: tuple[bytes, int], *, instance: int = MAIN) -> dict[str, Any] | None:
        self._instance(instance)
        self._looked()
        place = (instance, Prefix.of(*prefix))
        return self._rows().lookup(place, new=place in self._installed.waiting)

    def longest_match(self, address: bytes, *, instance: int = MAIN) -> tuple[bytes, int] | None:
        self._instance(instance)
        groups = self._outcome().groups
        return next(((found.address, found.length) for found in covering(address) if (instance, found) in groups), None)

    def covering(self, prefix: tuple[bytes, int], *, instance: int = MAIN) -> list[dict[str, Any]]:
        """The best routes that cover a prefix, itself included, longest first."""
        self._instance(instance)
        inside, groups = Prefix.of(*prefix), self._outcome().groups
        places = [(instance, found) for found in covering(inside.address) if found.length <= inside.length]
        return [self._best_row(place) for place in places if place in groups]

    def page(
        self, afi: int, cursor: int, limit: int, *, instance: int = MAIN
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The cursor is the last prefix shown, as a number: it stays right whatever comes and goes."""
        after = prefix_of_cursor(cursor, 4 if afi == AFI_IPV4 else 16) if cursor else None
        rows, last = self.query(
            afi, instance=instance, after=(after.address, after.length) if after else None, limit=limit
        )
        return rows, cursor_of_prefix(Prefix(*last)) if last else None

    def query(
        self,
        afi: int,
        *,
        instance: int = MAIN,
        after: tuple[bytes, int] | None = None,
        limit: int = 100,
        best_only: bool = True,
        within: tuple[bytes, int] | None = None,
        protocols: Sequence[str] = (),
        source: int | None = None,
        communities: Sequence[str] = (),
        as_in_path: int | None = None,
        origin_as: int | None = None,
        neighbor_as: int | None = None,
    ) -> tuple[list[dict[str, Any]], tuple[bytes, int] | None]:
        """Rows in the order of prefixes after ``after``, never cut within a prefix; the last prefix shown where more
        follow."""
        self._instance(instance)
        wanted = Criteria(
            inside(within), named(protocols), source, tuple(communities), as_in_path, origin_as, neighbor_as
        )
        outcome, make = self._outcome(), self._rows()
        rows: list[dict[str, Any]] = []
        last: Prefix | None = None
        for place in outcome.places(instance, afi, Prefix.of(*after) if after is not None else FIRST):
            prefix = place[1]
            best = outcome.selections[place].best
            shown = [path for path in outcome.paths[place] if path is best or not best_only]
            found = [make.route(place, path) for path in shown if wanted.hold(prefix, path)]
            if found and last is not None and len(rows) >= limit:
                return rows, (last.address, last.length)
            if found:
                rows += found
                last = prefix
        return rows, None

    def _best_row(self, place: Place) -> dict[str, Any]:
        best = self._outcome().selections[place].best
        assert best is not None
        return self._rows().route(place, best)

    def next_hops(self) -> list[dict[str, Any]]:
        return self._rows().tracked()

    def groups(self) -> list[dict[str, Any]]:
        return self._rows().groups()

    def counts(self) -> dict[str, Any]:
        """All instances together; leaked paths count where they are leaked to."""
        outcome, fib = self._outcome(), self._fib()
        families: dict[str, Any] = {}
        for afi, name in FAMILIES:
            tables = {place: paths for place, paths in outcome.paths.items() if place[1].afi == afi}
            families[name] = {
                "prefixes": len(tables),
                "paths": sum(len(paths) for paths in tables.values()),
                "fib": sum(1 for _, prefix in fib.routes if prefix.afi == afi),
            }
        groups = {group.key for group in outcome.groups.values()}
        return {**families, "groups": len(groups), "tracked_next_hops": len(outcome.known.tracked)}

    def source_counts(self, source: int) -> dict[str, int]:
        """Paths that a source gave, each once wherever it was leaked to."""
        given = [(prefix.afi, path) for (_, prefix), path in self._said() if path.source.number == source]
        counts = {name: sum(1 for of, _ in given if of == afi) for afi, name in FAMILIES}
        stale = {f"{name}_stale": sum(1 for of, path in given if of == afi and path.stale) for afi, name in FAMILIES}
        return counts | stale

    def memory(self) -> dict[str, int]:
        """Python does not tell."""
        return {}


def inside(within: tuple[bytes, int] | None) -> Prefix | None:
    return Prefix.of(*within) if within else None


def named(protocols: Sequence[str]) -> frozenset[Protocol]:
    return frozenset(map(Protocol.named, protocols))


def cursor_of_prefix(prefix: Prefix) -> int:
    """Never 0, which is the start."""
    return (int.from_bytes(prefix.address, "big") << 8 | prefix.length) + 1


def prefix_of_cursor(cursor: int, width: int) -> Prefix:
    return Prefix((cursor - 1 >> 8).to_bytes(width, "big"), cursor - 1 & 0xFF)
