"""What a consumer of an engine's streams ends up with, whichever engine it is; strict about what an agent or peer
relies on."""

from __future__ import annotations

import struct
from typing import Any

from rib.digest import digest, has_shard, shard, shard_sums
from rib.prefix import Prefix
from tests.props.update_bytes import Replay

Adjacency = tuple[str, str, bytes, int]
Group = tuple[int, tuple[tuple[Adjacency, int, int], ...]]
LIMIT = 10_000


class FoldedFib:
    """The model of an agent that never loses a message: ids resolved away."""

    def __init__(self) -> None:
        self.adjacencies: dict[int, Adjacency] = {}
        self.groups: dict[int, tuple[bytes, Group]] = {}
        self.routes: dict[tuple[int, tuple[bytes, int]], int] = {}
        self.held: dict[tuple[int, tuple[bytes, int]], bytes] = {}
        """Kept from an earlier stream: by group key, which this stream tells the content of."""
        self.most_routes = 0

    def apply(self, delta: Any) -> None:
        for number, ncp, port, gateway, kind in delta.adjacencies:
            self.adjacencies[number] = (ncp, port, bytes(gateway), kind)
        for number, key, kind, members in delta.groups:
            content = []
            for adjacency, weight, role, zero in struct.iter_unpack("<IHBB", members):
                assert zero == 0
                assert adjacency in self.adjacencies, "a group came before its adjacency"
                content.append((self.adjacencies[adjacency], weight, role))
            known = self.groups.get(number)
            assert known is None or known[0] == bytes(key), "a group's number changed its meaning while in use"
            self.groups[number] = (bytes(key), (kind, tuple(content)))
        rows = 0
        for table, dst, plen, nhg, op in delta.routes:
            width = 4 if table & 0xFF == 1 else 16
            count = len(op)
            assert (len(dst), len(plen), len(nhg)) == (count * width, count, count * 4), "columns of unequal length"
            rows += count
            for i in range(count):
                where = (table, (bytes(dst[i * width : (i + 1) * width]), plen[i]))
                self.held.pop(where, None)
                if op[i]:
                    (number,) = struct.unpack_from("<I", nhg, i * 4)
                    assert number in self.groups, "a route came before its group"
                    self.routes[where] = number
                else:
                    self.routes.pop(where, None)
        assert delta.count == rows
        self.most_routes = max(self.most_routes, rows)
        for number in delta.dead_groups:
            key, _ = self.groups.pop(number)
            assert number not in self.routes.values(), "a group died under its routes"
            assert key not in self.held.values(), "a group died under routes of an earlier stream"
        for number in delta.dead_adjacencies:
            del self.adjacencies[number]
            used = {member[0] for _, (_, members) in self.groups.values() for member in members}
            assert not used - set(self.adjacencies.values()), "an adjacency died under its group"

    def read_all(self, engine: Any, consumer: int, max_routes: int = 8192) -> None:
        for _ in range(LIMIT):
            delta = engine.fib_read(consumer, max_routes)
            if delta is None:
                return
            self.apply(delta)
        raise AssertionError("the FIB stream does not end")

    def content(self) -> tuple[dict[tuple[int, tuple[bytes, int]], bytes], dict[bytes, Group]]:
        """({(table, prefix): group key}, {group key: content}) of what routes use."""
        routes = {where: self.groups[number][0] for where, number in self.routes.items()} | self.held
        used = set(routes.values())
        return routes, {key: group for key, group in self.groups.values() if key in used}

    def resumed(self, digest_key: bytes, equal: list[tuple[int, bytes]]) -> FoldedFib:
        """What an agent starts the next stream with: the routes in shards that are equal."""
        kept, new = dict(equal), FoldedFib()
        for (table, where), key in self.content()[0].items():
            if table in kept and has_shard(kept[table], shard(digest_key, Prefix(*where))):
                new.held[table, where] = key
        return new

    def shard_sums(self, digest_key: bytes) -> list[tuple[int, bytes]]:
        routes, _ = self.content()
        return list(shard_sums(digest_key, ((table, Prefix(*p), key) for (table, p), key in routes.items())).items())

    def digest(self, key: bytes) -> int:
        routes, _ = self.content()
        return digest(key, ((table, Prefix(*where), group) for (table, where), group in routes.items()))


class FoldedExport(Replay):
    """The Adj-RIB-In of a peer that believes everything."""

    def apply(self, data: bytes, messages: int) -> None:
        before = self.updates
        self.feed(data)
        assert self.updates - before == messages, "the engine miscounted its UPDATE messages"

    def read_all(self, engine: Any, consumer: int, max_routes: int = 8192) -> None:
        for _ in range(LIMIT):
            read = engine.export_read(consumer, max_routes)
            if read is None:
                return
            self.apply(*read)
        raise AssertionError("the export stream does not end")


class FoldedWatch:
    """The best routes of one table, as one who watches it knows them. In ``told``, None is what was deleted: there only
    for one who wanted no beginning."""

    def __init__(self, *, initial: bool) -> None:
        self.initial = initial
        self.told: dict[str, dict[str, Any] | None] = {}
        self.most_rows = 0

    @property
    def routes(self) -> dict[str, dict[str, Any]]:
        return {prefix: row for prefix, row in self.told.items() if row is not None}

    def apply(self, rows: list[dict[str, Any]]) -> None:
        self.most_rows = max(self.most_rows, len(rows))
        for row in rows:
            if row["op"] == "put":
                self.told[row["prefix"]] = row
            elif self.initial:
                assert row == {"op": "delete", "prefix": row["prefix"]}
                assert row["prefix"] in self.told, "a route is deleted that was never told"
                del self.told[row["prefix"]]
            else:
                self.told[row["prefix"]] = None

    def read_all(self, engine: Any, consumer: int, max_routes: int = 256) -> None:
        for _ in range(LIMIT):
            rows = engine.watch_read(consumer, max_routes)
            if rows is None:
                return
            assert len(rows) <= max_routes
            self.apply(rows)
        raise AssertionError("the watch does not end")
