"""What an agent has been told, from the frames it accepted: in plain dictionaries, ids resolved away."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from fibd.wire import Message, SnapshotBegin, SnapshotEnd, Transaction
from rib.digest import has_shard, shard
from rib.prefix import Prefix as RibPrefix
from tests.props.folding import Adjacency, Group
from tests.sim.kernel import TABLES, Prefix


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

    def accepted(self, message: Message, agree: bool | None) -> None:
        """``agree``: the agent's verdict, where it gave one."""
        match message:
            case SnapshotBegin():
                self._adjacencies, self._groups = {}, {}
                kept = dict(message.kept)
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
        bits = kept.get(TABLES[len(prefix[0])])
        at = shard(self.digest_key, RibPrefix(*prefix))
        return self.routes[prefix] is not None and bits is not None and has_shard(bits, at)

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
        return {prefix: (key, self.contents[key]) for prefix, key in self.routes.items() if key is not None}

    def known(self) -> set[bytes]:
        """Keys of the groups that this stream has told of and not ended."""
        return set(self._groups.values())
