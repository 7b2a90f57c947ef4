"""A kernel that exists only here: nexthop objects and routes by the rules measured on Linux 6.18, fed with netlink.

It answers a batch as Linux does with NETLINK_CAP_ACK: each message that failed, and the last one. What no honest agent
does is an assertion here, not an error number: a nexthop object deleted from under others, a message that nobody reads.
"""

from __future__ import annotations

import errno
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

HEADER = struct.Struct("=IHHII")
ERROR = 2
NEW_ROUTE, DELETE_ROUTE, NEW_NEXTHOP, DELETE_NEXTHOP = 24, 25, 104, 105
REQUEST, ACK, REPLACE, CREATE = 0x1, 0x4, 0x100, 0x400
CAPPED = 0x100
DST, PRIORITY, TABLE, NH_ID = 1, 6, 15, 30
ID, GROUP, BLACKHOLE, OIF, GATEWAY = 1, 2, 4, 5, 6
UNREACHABLE = 7
MEMBER = struct.Struct("=IBBH")
V6 = 10
WIDTH = {2: 4, V6: 16}

PROTOCOL, MAIN, METRIC = 201, 254, 50

TABLES = {4: 1, 16: 2}
"""The stream's table by the length of an address."""
Prefix = tuple[bytes, int]


class Single(NamedTuple):
    family: int
    gateway: bytes
    ifindex: int
    flags: int


class Route(NamedTuple):
    kind: int
    group: int
    """Id of its nexthop group; 0: it has none."""


Hops = frozenset[tuple[Single, int]]
"""(hop, weight)"""


@dataclass
class Kernel:
    singles: dict[int, Single] = field(default_factory=dict)
    groups: dict[int, dict[int, int]] = field(default_factory=dict)
    routes: dict[Prefix, Route] = field(default_factory=dict)
    down: set[int] = field(default_factory=set)
    refused: dict[Prefix, int] = field(default_factory=dict)
    """Prefixes that it takes no route for, and the error it says."""
    lost: set[int] = field(default_factory=set)
    """Nexthop objects that went with a port, or were refused for one: an agent may name them until it has heard."""
    writes: int = 0

    # --- what a port does ---------------------------------------------------------------------------------------------

    def carrier(self, ifindex: int, up: bool) -> None:
        """Without carrier the objects of a port go, and the routes of each group that loses its last member."""
        if up:
            self.down.discard(ifindex)
            return
        self.down.add(ifindex)
        gone = {number for number, single in self.singles.items() if single.ifindex == ifindex}
        for number in gone:
            del self.singles[number]
        self._shrink(gone)
        self.lost |= gone

    def _shrink(self, gone: set[int]) -> None:
        for members in self.groups.values():
            for number in gone:
                members.pop(number, None)
        empty = {number for number, members in self.groups.items() if not members}
        for number in empty:
            del self.groups[number]
        self.routes = {prefix: route for prefix, route in self.routes.items() if route.group not in empty}
        self.lost |= empty

    def take_away(self, thing: Prefix | int) -> None:
        """What another program deletes: a route, or a nexthop object and what hangs on it."""
        if isinstance(thing, tuple):
            del self.routes[thing]
        elif thing in self.groups:
            self._delete_group(thing)
        else:
            del self.singles[thing]
            self._shrink({thing})
            self.lost.add(thing)

    def _delete_group(self, number: int) -> None:
        del self.groups[number]
        self.routes = {prefix: route for prefix, route in self.routes.items() if route.group != number}
        self.lost.add(number)

    # --- messages -----------------------------------------------------------------------------------------------------

    def apply(self, batch: bytes) -> bytes:
        messages = list(_messages(batch))
        replies = b""
        for at, (kind, flags, sequence, body) in enumerate(messages):
            last = at == len(messages) - 1
            assert bool(flags & ACK) == last, "an answer is asked for where it is not needed, or not where it is"
            assert not at or sequence == messages[at - 1][2] + 1
            code = self._handle(kind, flags & ~ACK, body)
            self.writes += 1
            if code or last:
                echo = HEADER.pack(len(body) + HEADER.size, kind, flags, sequence, 0)
                replies += HEADER.pack(36, ERROR, CAPPED, sequence, 0) + struct.pack("=i", -code) + echo
        return replies

    def _handle(self, kind: int, flags: int, body: bytes) -> int:
        if kind == NEW_NEXTHOP:
            return self._new_nexthop(flags, body)
        if kind == DELETE_NEXTHOP:
            return self._delete_nexthop(body)
        if kind == NEW_ROUTE:
            return self._new_route(flags, body)
        assert kind == DELETE_ROUTE, f"netlink message of type {kind}"
        return self._delete_route(body)

    def _new_nexthop(self, flags: int, body: bytes) -> int:
        family, _, protocol, _, hop_flags = struct.unpack_from("=BBBBI", body)
        assert protocol == PROTOCOL
        found = _attributes(body[8:])
        number = _u32(found[ID])
        if GROUP in found:
            members = {m: low + (high << 8) + 1 for m, low, high, _ in MEMBER.iter_unpack(found[GROUP])}
            return self._new_group(number, members, create=bool(flags & CREATE))
        single = Single(family, found.get(GATEWAY, b""), _u32(found[OIF]) if OIF in found else 0, hop_flags)
        assert (single.ifindex == 0) == (BLACKHOLE in found)
        assert number not in self.groups, "a singleton in a group's place"
        if number not in self.singles and not flags & CREATE:
            assert number in self.lost, "a singleton is replaced that was never written"
            return errno.ENOENT
        if single.ifindex in self.down:
            self.lost.add(number)
            return errno.ENETDOWN
        self.lost.discard(number)
        self.singles[number] = single
        return 0

    def _new_group(self, number: int, members: dict[int, int], *, create: bool) -> int:
        assert members, "a group of nothing"
        assert number not in self.singles, "a group in a singleton's place"
        missing = members.keys() - self.singles.keys()
        if missing:
            assert missing <= self.lost, "a group names what was never written"
            self.lost.add(number)
            return errno.EINVAL
        if number not in self.groups and not create:
            assert number in self.lost, "a group is replaced that was never written"
            return errno.ENOENT
        singles = [self.singles[member] for member in members]
        assert len(members) == 1 or all(single.ifindex for single in singles), "a blackhole stands alone"
        of_v6 = any(len(prefix[0]) == 16 and route.group == number for prefix, route in self.routes.items())
        assert not (of_v6 and any(single.family != V6 for single in singles)), "IPv6 routes over an IPv4 nexthop"
        self.lost.discard(number)
        self.groups[number] = members
        return 0

    def _delete_nexthop(self, body: bytes) -> int:
        assert body[:8] == bytes(8)
        number = _u32(_attributes(body[8:])[ID])
        self.lost.discard(number)
        if number in self.groups:
            # An agent that heard of a port's loss while it wrote deletes the group to be sure, and its routes with it.
            self._delete_group(number)
            return 0
        if number in self.singles:
            del self.singles[number]
            self._shrink({number})
            return 0
        return errno.ENOENT

    def _new_route(self, flags: int, body: bytes) -> int:
        assert flags == REQUEST | CREATE | REPLACE
        prefix, found = _prefix(body)
        if prefix in self.refused:
            return self.refused[prefix]
        number = _u32(found[NH_ID]) if NH_ID in found else 0
        assert bool(number) != (body[7] == UNREACHABLE)
        if number and number not in self.groups:
            assert number in self.lost, "a route names a group that was never written"
            return errno.EINVAL
        if len(prefix[0]) == 16 and number:
            families = {self.singles[member].family for member in self.groups[number]}
            assert families == {V6}, "an IPv6 route over an IPv4 nexthop"
        self.routes[prefix] = Route(body[7], number)
        return 0

    def _delete_route(self, body: bytes) -> int:
        prefix, found = _prefix(body)
        assert NH_ID not in found, "a stale id would leave the route"
        return 0 if self.routes.pop(prefix, None) else errno.ESRCH

    # --- dumps --------------------------------------------------------------------------------------------------------

    def dump_nexthops(self) -> bytes:
        out = b""
        for number, single in self.singles.items():
            body = struct.pack("=BBBBI", single.family, 0, PROTOCOL, 0, single.flags) + _attribute(ID, _packed(number))
            body += _attribute(OIF, _packed(single.ifindex)) if single.ifindex else _attribute(BLACKHOLE, b"")
            out += _message(NEW_NEXTHOP, body + (_attribute(GATEWAY, single.gateway) if single.gateway else b""))
        for number, members in self.groups.items():
            rows = b"".join(MEMBER.pack(m, (w - 1) & 255, (w - 1) >> 8, 0) for m, w in members.items())
            body = struct.pack("=BBBBI", 0, 0, PROTOCOL, 0, 0) + _attribute(ID, _packed(number))
            out += _message(NEW_NEXTHOP, body + _attribute(GROUP, rows))
        return out

    def dump_routes(self) -> bytes:
        out = b""
        for (address, length), route in self.routes.items():
            family = 2 if len(address) == 4 else V6
            body = struct.pack("=BBBBBBBBI", family, length, 0, 0, MAIN, PROTOCOL, 0, route.kind, 0)
            body += _attribute(DST, address) if length else b""
            body += _attribute(PRIORITY, _packed(METRIC)) + _attribute(TABLE, _packed(MAIN))
            out += _message(NEW_ROUTE, body + (_attribute(NH_ID, _packed(route.group)) if route.group else b""))
        return out

    # --- asking -------------------------------------------------------------------------------------------------------

    def forwards(self) -> dict[Prefix, Hops | None]:
        """What each route does, ids resolved away; None: unreachable."""
        return {
            prefix: self._hops(self.groups[route.group]) if route.group else None
            for prefix, route in self.routes.items()
        }

    def _hops(self, members: dict[int, int]) -> Hops:
        """Only the ratio of weights counts."""
        divisor = math.gcd(*members.values())
        return frozenset((self.singles[member], weight // divisor) for member, weight in members.items())

    def check(self) -> None:
        """Nothing dangles."""
        for members in self.groups.values():
            assert members, "an empty group"
            assert members.keys() <= self.singles.keys(), "a group dangles"
        for prefix, route in self.routes.items():
            assert not route.group or route.group in self.groups, f"{prefix} dangles"


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    at = 0
    while at < len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, at)
        assert HEADER.size <= length <= len(data) - at, "a message that lies about its length"
        yield kind, flags, sequence, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def deleted(batch: bytes) -> list[Prefix]:
    """The routes that a batch withdraws."""
    return [_prefix(body)[0] for kind, _, _, body in _messages(batch) if kind == DELETE_ROUTE]


def _prefix(body: bytes) -> tuple[Prefix, dict[int, bytes]]:
    found = _attributes(body[12:])
    assert (body[4], body[5]) == (MAIN, PROTOCOL)
    assert _u32(found[PRIORITY]) == METRIC
    return (found.get(DST, b"").ljust(WIDTH[body[0]], b"\0"), body[1]), found


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def _message(kind: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, 0, 0, 0) + body


def _u32(data: bytes) -> int:
    return int(struct.unpack("=I", data)[0])


def _packed(value: int) -> bytes:
    return struct.pack("=I", value)
