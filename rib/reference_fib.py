"""The FIB of the reference engine and its stream towards one consumer.

The stream is the difference between what the FIB is and what this consumer was told, made anew at each read:
adjacencies, then groups,
then routes, then what no told route needs any more. The native engine sends the same by cursors into one shared list.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from rib.adjacency import Adjacency
from rib.digest import SHARDS, digest, equal_shards, has_shard, shard, shard_sums
from rib.group import Group
from rib.path import Place
from rib.prefix import Prefix

PUT: Final = 1
DELETE: Final = 0
K = TypeVar("K", bound=Hashable)


def table_of(place: Place) -> int:
    """Instance and family as one number."""
    instance, prefix = place
    return instance << 8 | prefix.afi


class Numbers(Generic[K]):
    """Small numbers for keys; a number never changes its meaning."""

    def __init__(self) -> None:
        self._numbers: dict[K, int] = {}

    def __getitem__(self, key: K) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 1)


@dataclass(slots=True)
class Fib:
    """What every NCP should hold: prefix to group, and the groups."""

    routes: dict[Place, bytes] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)

    def digest(self, key: bytes) -> int:
        return digest(key, self._rows())

    def shard_sums(self, key: bytes) -> dict[int, bytes]:
        return shard_sums(key, self._rows())

    def _rows(self) -> list[tuple[int, Prefix, bytes]]:
        return [(table_of(place), place[1], group) for place, group in self.routes.items()]


@dataclass(frozen=True, slots=True)
class FibDelta:
    """As ``native.FibDelta``."""

    adjacencies: list[tuple[int, str, str, bytes, int]]
    groups: list[tuple[int, bytes, int, bytes]]
    routes: list[tuple[int, bytes, bytes, bytes, bytes]]
    dead_groups: list[int]
    dead_adjacencies: list[int]
    urgent: bool
    count: int


@dataclass(slots=True)
class FibConsumer:
    """What one consumer was told."""

    group_ids: Numbers[bytes]
    adjacency_ids: Numbers[Adjacency]
    routes: dict[Place, bytes] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    adjacencies: set[Adjacency] = field(default_factory=set)

    def at_tail(self, fib: Fib) -> bool:
        return self.routes == fib.routes

    def resume(
        self, fib: Fib, key: bytes, tables: Sequence[int], sums: Sequence[tuple[int, bytes]]
    ) -> list[tuple[int, bytes]]:
        """Routes in shards with these sums count as told; the equal shards of those of ``tables`` that were given."""
        ours, theirs = fib.shard_sums(key), dict(sums)
        equal = {
            table: equal_shards(ours.get(table, bytes(8 * SHARDS)), theirs[table])
            for table in tables
            if table in theirs
        }
        for place, group in fib.routes.items():
            bits = equal.get(table_of(place))
            if bits is not None and has_shard(bits, shard(key, place[1])):
                self.routes[place] = group
        return list(equal.items())

    def read(self, fib: Fib, max_routes: int) -> FibDelta | None:
        """The next part of the difference; groups whole, routes up to ``max_routes``."""
        changed_groups = {key: group for key, group in fib.groups.items() if self.groups.get(key) != group}
        # Content that replaces what this consumer forwards with: nothing may be put in front of it.
        urgent = any(key in self.groups for key in changed_groups)
        self.groups.update(changed_groups)
        new_adjacencies = used_adjacencies(self.groups) - self.adjacencies
        self.adjacencies |= new_adjacencies

        changed = [place for place, group in fib.routes.items() if self.routes.get(place) != group]
        changed += [place for place in self.routes if place not in fib.routes]
        changed = changed[:max_routes]
        rows = self._columns(changed, fib.routes)
        for place in changed:
            if place in fib.routes:
                self.routes[place] = fib.routes[place]
            else:
                del self.routes[place]

        needed = set(self.routes.values()) | set(fib.groups)
        dead_groups = [key for key in self.groups if key not in needed]
        for key in dead_groups:
            del self.groups[key]
        dead_adjacencies = self.adjacencies - used_adjacencies(self.groups)
        self.adjacencies -= dead_adjacencies

        if not (changed_groups or changed or dead_groups):
            return None
        return FibDelta(
            [self._adjacency_row(adjacency) for adjacency in sorted(new_adjacencies)],
            [self._group_row(group) for group in changed_groups.values()],
            rows,
            [self.group_ids[key] for key in dead_groups],
            [self.adjacency_ids[adjacency] for adjacency in sorted(dead_adjacencies)],
            urgent,
            len(changed),
        )

    def _adjacency_row(self, adjacency: Adjacency) -> tuple[int, str, str, bytes, int]:
        number = self.adjacency_ids[adjacency]
        return number, adjacency.ncp, adjacency.port, adjacency.gateway, int(adjacency.kind)

    def _group_row(self, group: Group) -> tuple[int, bytes, int, bytes]:
        members = b"".join(
            struct.pack("<IHBB", self.adjacency_ids[member.adjacency], member.weight, member.role, 0)
            for member in group.members
        )
        return self.group_ids[group.key], group.key, int(group.kind), members

    def _columns(
        self, places: list[Place], wanted: Mapping[Place, bytes]
    ) -> list[tuple[int, bytes, bytes, bytes, bytes]]:
        tables: dict[int, list[Place]] = defaultdict(list)
        for place in places:
            tables[table_of(place)].append(place)
        return [
            (
                table,
                b"".join(prefix.address for _, prefix in rows),
                bytes(prefix.length for _, prefix in rows),
                b"".join(struct.pack("<I", self.group_ids[wanted[place]] if place in wanted else 0) for place in rows),
                bytes(PUT if place in wanted else DELETE for place in rows),
            )
            for table, rows in sorted(tables.items())
        ]


def used_adjacencies(groups: Mapping[bytes, Group]) -> set[Adjacency]:
    return {member.adjacency for group in groups.values() for member in group.members}
