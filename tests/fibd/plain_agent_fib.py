"""``native.AgentFib`` in plain Python, whole tables compared each time: for tests of what surrounds it, and to read it
against.

It speaks the netlink of a real kernel. Adjacencies of other boxes, verdicts for single routes and speed are left to the
real one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from rib.digest import digest, has_shard, shard, shard_sums
from rib.prefix import Prefix

HEADER = struct.Struct("=IHHII")
CREATE_REPLACE = 0x501
WIDTH = {1: 4, 2: 16}
FAMILY = {1: 2, 2: 10}
AFI = {2: 1, 10: 2}
RouteKey = tuple[int, bytes, int]


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def parse(dump: bytes) -> Iterator[tuple[int, bytes, int]]:
    at = 0
    while at < len(dump):
        length, kind, _, sequence, _ = HEADER.unpack_from(dump, at)
        yield kind, dump[at + 16 : at + length], sequence
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


class PlainAgentFib:
    def __init__(
        self, *, ncp: str, table: int = 254, protocol: int = 201, metric: int = 50, id_base: int = 0x20000000
    ) -> None:
        self.ncp, self.table, self.protocol, self.metric = ncp, table, protocol, metric
        self.next_id = id_base
        self.ids: dict[bytes, int] = {}
        self.ports: dict[str, tuple[int, bool]] = {}
        self.adjacencies: dict[int, tuple[int, str, str, bytes, int]] = {}
        self.groups: dict[int, tuple[bytes, list[int]]] = {}
        self.routes: dict[RouteKey, bytes] = {}
        self.stale: set[RouteKey] = set()
        self.old_groups: set[int] = set()
        self.kernel_nexthops: dict[int, bytes] = {}
        self.kernel_routes: dict[RouteKey, int] = {}
        self.sequence = 0
        self.outstanding: dict[int, RouteKey | None] = {}
        self.sweeping = False
        self.key = bytes(16)
        self.to_retry = 0

    # facts
    def set_port(self, name: str, ifindex: int, up: bool) -> None:
        self.ports[name] = (ifindex, up)
        if not up:
            gone = {
                kid for kid, body in self.kernel_nexthops.items() if attribute(5, struct.pack("=I", ifindex)) in body
            }
            groups = {k for k, b in self.kernel_nexthops.items() if any(struct.pack("=I", g) in b[12:] for g in gone)}
            for kid in gone | groups:
                del self.kernel_nexthops[kid]
            self.kernel_routes = {key: kid for key, kid in self.kernel_routes.items() if kid not in groups}

    def remove_port(self, name: str) -> None:
        if name in self.ports:
            self.set_port(name, self.ports[name][0], False)
            del self.ports[name]

    def set_fabric(self, port: str | None, peers: dict[str, tuple[bytes | None, bytes | None]]) -> None:
        self.fabric = port, peers

    # stream
    def put_adjacencies(self, rows: Sequence[tuple[int, str, str, bytes, int]]) -> None:
        self.adjacencies.update({row[0]: row for row in rows})

    def put_groups(self, rows: Sequence[tuple[int, bytes, int, bytes]]) -> None:
        for number, key, _, members in rows:
            self.old_groups.discard(number)
            self.groups[number] = (key, [struct.unpack_from("<I", members, at)[0] for at in range(0, len(members), 8)])

    def put_routes(self, table: int, dst: bytes, plen: bytes, nhg: bytes, op: bytes) -> list[tuple[int, str]]:
        width, refused = WIDTH[table & 0xFF], []
        for i in range(len(plen)):
            key = (table, dst[i * width : (i + 1) * width], plen[i])
            group = self.groups.get(int.from_bytes(nhg[4 * i : 4 * i + 4], "little"))
            self.stale.discard(key)
            if not op[i]:
                self.routes.pop(key, None)
            elif group is None:
                refused.append((i, "unknown group"))
            else:
                self.routes[key] = group[0]
        return refused

    def drop_groups(self, ids: Sequence[int]) -> None:
        for number in ids:
            self.groups.pop(number, None)

    def drop_adjacencies(self, ids: Sequence[int]) -> None:
        for number in ids:
            self.adjacencies.pop(number, None)

    def snapshot_begin(self, kept: Sequence[tuple[int, bytes]] = ()) -> None:
        bits = dict(kept)
        self.stale = {key for key in self.routes if key[0] not in bits or not has_shard(bits[key[0]], self._shard(key))}
        self.old_groups = set(self.groups)
        self.sweeping = False

    def snapshot_end(self, count: int, digest: int, sweep: bool = True) -> tuple[bool, int, int]:
        own = {key: group for key, group in self.routes.items() if key not in self.stale}
        mine = len(own), self._digest(own)
        if (count, digest) == mine and sweep:
            self.routes, self.stale, self.sweeping = own, set(), True
            self.drop_groups(list(self.old_groups))
        return (count, digest) == mine, *mine

    def shard_sums(self) -> list[tuple[int, bytes]]:
        return list(
            shard_sums(self.key, ((t, Prefix(a, n), group) for (t, a, n), group in self.routes.items())).items()
        )

    def retry_failed(self) -> int:
        """What was refused is taken to be in the kernel here, but it can be said how many shall be tried again."""
        return self.to_retry

    def _shard(self, key: RouteKey) -> int:
        return shard(self.key, Prefix(key[1], key[2]))

    def set_digest_key(self, key: bytes) -> None:
        self.key = key

    # kernel
    def adopt_nexthops(self, dump: bytes) -> int:
        found = 0
        for kind, body, _ in parse(dump):
            if kind == 104 and body[2] == self.protocol:
                kid = struct.unpack("=I", attributes(body[8:])[1])[0]
                self.kernel_nexthops[kid] = b"adopted"
                self.next_id = max(self.next_id, kid + 1)
                found += 1
        return found

    def adopt_routes(self, dump: bytes) -> int:
        found = 0
        for kind, body, _ in parse(dump):
            if kind == 24:
                afi, plen, got = AFI[body[0]], body[1], attributes(body[12:])
                key = (afi, got.get(1, b"").ljust(WIDTH[afi], b"\0"), plen)
                self.kernel_routes[key] = struct.unpack("=I", got[30])[0]
                found += 1
        return found

    def _id(self, key: bytes) -> int:
        if key not in self.ids:
            self.ids[key] = self.next_id
            self.next_id += 1
        return self.ids[key]

    def _wanted(self) -> tuple[dict[int, bytes], dict[RouteKey, int]]:
        singles: dict[int, bytes] = {}
        groups: dict[int, bytes] = {}
        usable: dict[bytes, int] = {}
        for key, members in self.groups.values():
            ids = []
            for member in members:
                number, owner, port, gateway, kind = self.adjacencies[member]
                ifindex, up = self.ports.get(port, (0, False))
                if kind == 0 and owner == self.ncp and up:
                    kid = self._id(b"adjacency %d" % number)
                    afi = 10 if len(gateway) == 16 else 2
                    singles[kid] = (
                        struct.pack("=BBBBI", afi, 0, self.protocol, 0, 4 if gateway else 0)
                        + attribute(1, struct.pack("=I", kid))
                        + attribute(5, struct.pack("=I", ifindex))
                        + (attribute(6, gateway) if gateway else b"")
                    )
                    ids.append(kid)
            if ids:
                usable[key] = kid = self._id(key)
                groups[kid] = (
                    struct.pack("=BBBBI", 0, 0, self.protocol, 0, 0)
                    + attribute(1, struct.pack("=I", kid))
                    + attribute(2, b"".join(struct.pack("=IBBH", i, 0, 0, 0) for i in ids))
                )
        return singles | groups, {k: usable[g] for k, g in self.routes.items() if g in usable and k not in self.stale}

    def next_batch(self, max_bytes: int = 262144, position: int = 0) -> tuple[bytes, int, int] | None:
        assert not self.outstanding
        nexthops, routes = self._wanted()
        out: list[tuple[int, int, bytes, RouteKey | None]] = []
        for kid, body in nexthops.items():
            if self.kernel_nexthops.get(kid) != body:
                out.append((104, CREATE_REPLACE, body, None))
        for key, kid in routes.items():
            if self.kernel_routes.get(key) != kid:
                out.append((24, CREATE_REPLACE, self._route(key, kid), key))
        if self.sweeping:
            out += [(25, 1, self._route(key, 0), key) for key in self.kernel_routes if key not in self.routes]
            stale = sorted(kid for kid in self.kernel_nexthops if kid not in nexthops)
            for kid in reversed(stale):
                out.append((105, 1, bytes(8) + attribute(1, struct.pack("=I", kid)), None))
        self.kernel_nexthops = nexthops if self.sweeping else self.kernel_nexthops | nexthops
        self.kernel_routes = routes if self.sweeping else self.kernel_routes | routes
        if not out:
            return None
        octets, first = bytearray(), self.sequence + 1
        for i, (kind, flags, body, key_or_none) in enumerate(out):
            self.sequence += 1
            self.outstanding[self.sequence] = key_or_none
            flags |= 4 if i == len(out) - 1 else 0
            octets += HEADER.pack(16 + len(body), kind, flags, self.sequence, 0) + body
        return bytes(octets), first, self.sequence

    def _route(self, key: RouteKey, kid: int) -> bytes:
        table, address, plen = key
        return (
            struct.pack("=BBBBBBBBI", FAMILY[table & 0xFF], plen, 0, 0, self.table, self.protocol, 0, 1, 0)
            + attribute(1, address)
            + attribute(6, struct.pack("=I", self.metric))
            + attribute(15, struct.pack("=I", self.table))
            + (attribute(30, struct.pack("=I", kid)) if kid else b"")
        )

    def batch_done(self, replies: bytes) -> list[tuple[int, bytes, int, int, str]]:
        failures = []
        for kind, body, sequence in parse(replies):
            code = -struct.unpack_from("=i", body)[0] if kind == 2 else 0
            if code and code not in (2, 3, 17):
                table, address, plen = self.outstanding.get(sequence) or (0, b"", 0)
                failures.append((table, address, plen, code, "refused"))
        self.outstanding = {}
        return failures

    @property
    def reached(self) -> int:
        return 0

    @property
    def pending(self) -> int:
        return len(self.outstanding)

    @property
    def installed(self) -> int:
        return len(self.kernel_routes)

    def counts(self) -> dict[str, int]:
        return {"routes": len(self.routes), "groups": len(self.groups), "stale": len(self.stale)}

    def digest(self) -> tuple[int, int]:
        return len(self.routes), self._digest(self.routes)

    def _digest(self, routes: dict[RouteKey, bytes]) -> int:
        return digest(self.key, ((t, Prefix(a, n), group) for (t, a, n), group in routes.items()))

    def route(self, table: int, prefix: tuple[bytes, int]) -> dict[str, Any] | None:
        group = self.routes.get((table, *prefix))
        return None if group is None else {"nhg": self.ids.get(group, 0), "state": "installed", "errno": 0}

    def page(self, table: int, cursor: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        rows = [{"prefix": [key[1], key[2]]} for key in sorted(self.routes) if key[0] == table]
        return rows[cursor : cursor + limit], cursor + limit if cursor + limit < len(rows) else None
