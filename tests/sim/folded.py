"""What an agent has been told, from the frames it accepted: in plain dictionaries, ids resolved away."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

from fibd.wire import Message, SnapshotBegin, SnapshotEnd, Transaction
from rib.digest import has_shard, shard
from rib.prefix import Prefix as RibPrefix
from tests.props.folding import Adjacency, Group
from tests.sim.kernel import TABLES, Prefix

SOME_KEY = b"what the agent remembers"
"""Of a route that was found in the kernel and kept by a stream: only the agent knows under which key."""


class Folded:
    """``routes`` are those that nothing has ended yet: also those of streams before this one, and those that were found
    in the kernel at start, of which the group's key is not known."""

    def __init__(self, found: set[Prefix]) -> None:
        self.routes: dict[Prefix, bytes | None] = dict.fromkeys(found)
        self.contents: dict[bytes, Group] = {}
        self.digest_key = b""
        self.stale: set[Prefix] = set()
        self._adjacencies: dict[int, Adjacency] = {}
        self._groups: dict[int, bytes] = {}
        self._kept: dict[int, bytes] = {}

    def accepted(self, message: Message, agree: bool | None, is_stale: Callable[[Prefix], bool]) -> None:
        """``agree``: the agent's verdict, where it gave one; ``is_stale``: whether it means to sweep this one of those
        that it found."""
        match message:
            case SnapshotBegin():
                self._adjacencies, self._groups = {}, {}
                kept = self._kept = dict(message.kept)
                for prefix, key in self.routes.items():
                    if key in (None, SOME_KEY) and self._in(prefix, kept):
                        self.routes[prefix] = None if is_stale(prefix) else SOME_KEY
                self.stale = {prefix for prefix in self.routes if not self._keeps(prefix, kept)}
            case Transaction():
                self._transaction(message)
            case SnapshotEnd():
                assert agree is not None
                if agree:
                    for prefix in self.stale:
                        del self.routes[prefix]
                    self.stale = set()

    def _keeps(self, prefix: Prefix, kept: Mapping[int, bytes]) -> bool:
        return self.routes[prefix] is not None and self._in(prefix, kept)

    def _in(self, prefix: Prefix, kept: Mapping[int, bytes]) -> bool:
        bits = kept.get(TABLES[len(prefix[0])])
        return bits is not None and has_shard(bits, shard(self.digest_key, RibPrefix(*prefix)))

    def _transaction(self, message: Transaction) -> None:
        for number, ncp, port, gateway, kind in message.adjacencies:
            self._adjacencies[number] = (ncp, port, gateway, kind)
        for number, key, kind, members in message.groups:
            assert self._groups.get(number, key) == key, "a group's number changed its meaning while in use"
            content = []
            for adjacency, weight, role, _ in struct.iter_unpack("<IHBB", members):
                assert adjacency in self._adjacencies, "a group came before its adjacency"
                content.append((self._adjacencies[adjacency], weight, role))
            self._groups[number] = key
            self.contents[key] = (kind, tuple(content))
        for _, dst, plen, nhg, op in message.routes:
            width = len(dst) // len(plen)
            for i in range(len(plen)):
                prefix = (dst[i * width : (i + 1) * width], plen[i])
                self.stale.discard(prefix)
                if op[i]:
                    (number,) = struct.unpack_from("<I", nhg, 4 * i)
                    assert number in self._groups, "a route came before its group"
                    self.routes[prefix] = self._groups[number]
                else:
                    self.routes.pop(prefix, None)
        for number in message.dead_groups:
            key = self._groups.pop(number)
            users = [prefix for prefix, of in self.routes.items() if of == key and prefix not in self.stale]
            assert not users, f"a group died under {users}"
        for number in message.dead_adjacencies:
            del self._adjacencies[number]

    def content(self) -> dict[Prefix, tuple[bytes, Group]]:
        return {
            prefix: (key, self.contents[key])
            for prefix, key in self.routes.items()
            if key is not None and key != SOME_KEY
        }

    def remembered(self, truth: Iterable[Prefix]) -> set[Prefix]:
        """Those that the agent had of its life before: in the kernel, or, as they need no nexthop, nowhere."""
        found = {prefix for prefix, key in self.routes.items() if key == SOME_KEY}
        return found | {prefix for prefix in truth if prefix not in self.routes and self._in(prefix, self._kept)}

    def key_of(self, group: int | None) -> bytes | None:
        """Of a group by its number in this stream."""
        return self._groups.get(group) if group is not None else None

    def known(self) -> set[bytes]:
        """Keys of the groups that this stream has told of and not ended."""
        return set(self._groups.values())
