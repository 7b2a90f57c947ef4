"""A network namespace of a thread's own, to try in it what the kernel does; it goes with the thread. Never the one that
the process lives in.

Owns the few rtnetlink messages that such trials need (RFC 3549, linux/nexthop.h); those that program the box are
``native.AgentFib``'s.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from pathlib import Path
from typing import Final

from kernel.netlink import RouteSocket

_CLONE_NEWNET: Final = 0x40000000
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NHMSG: Final = struct.Struct("=BBBBI")
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_IFINFO: Final = struct.Struct("=BxHiII")
_MEMBER: Final = struct.Struct("=IHH")
_CODE: Final = struct.Struct("=i")
_SEQUENCE: Final = 8
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_NEWLINK, _NEWROUTE, _DELROUTE, _NEWNEXTHOP, _DELNEXTHOP = 16, 24, 25, 104, 105
_ERROR: Final = 2
_ONLINK: Final = 4
_IFF_UP: Final = 1
_TABLE: Final = 254
PROTOCOL: Final = 201
METRIC: Final = 50
_PATIENCE: Final = 0.4
_OWN: Final = Path("/proc/thread-self/ns/net")


def enter() -> None:
    """From here on this thread, and no other, is in a network namespace that nobody else has. Raises
    OSError."""
    before = _OWN.readlink()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if _OWN.readlink() == before:
        raise OSError(0, "the kernel left this thread in its network namespace")


def attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """With sequence 0, for ``Scratch.all``."""
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 0, 0) + body


def singleton(number: int, gateway: bytes, ifindex: int, *, create: bool = True) -> bytes:
    family = socket.AF_INET if len(gateway) == 4 else socket.AF_INET6
    body = _NHMSG.pack(family, 0, PROTOCOL, 0, _ONLINK) + attribute(1, struct.pack("=I", number))
    body += attribute(5, struct.pack("=I", ifindex)) + attribute(6, gateway)
    return message(_NEWNEXTHOP, _REPLACE | (_CREATE if create else 0), body)


def group(number: int, members: dict[int, int]) -> bytes:
    """By nexthop, its weight, of 16 bits (struct nexthop_grp: the weight less one)."""
    packed = b"".join(_MEMBER.pack(nexthop, weight - 1, 0) for nexthop, weight in members.items())
    body = _NHMSG.pack(0, 0, PROTOCOL, 0, 0) + attribute(1, struct.pack("=I", number)) + attribute(2, packed)
    return message(_NEWNEXTHOP, _CREATE | _REPLACE, body)


def delete(number: int) -> bytes:
    return message(_DELNEXTHOP, 0, _NHMSG.pack(0, 0, 0, 0, 0) + attribute(1, struct.pack("=I", number)))


def route(address: bytes, length: int, nexthop: int, *, protocol: int = PROTOCOL) -> bytes:
    body = _RTMSG.pack(_family(address), length, 0, 0, _TABLE, protocol, 0, 1, 0) + _prefix(address)
    return message(_NEWROUTE, _CREATE | _REPLACE, body + attribute(30, struct.pack("=I", nexthop)))


def withdraw(address: bytes, length: int) -> bytes:
    """As the agent does, without naming the nexthop."""
    body = _RTMSG.pack(_family(address), length, 0, 0, _TABLE, PROTOCOL, 255, 0, 0)
    return message(_DELROUTE, 0, body + _prefix(address))


def _family(address: bytes) -> int:
    return socket.AF_INET if len(address) == 4 else socket.AF_INET6


def _prefix(address: bytes) -> bytes:
    return attribute(1, address) + attribute(6, struct.pack("=I", METRIC))


class Scratch:
    """The kernel's side of it. In a thread that has entered."""

    def __init__(self) -> None:
        self._socket = RouteSocket(patience=_PATIENCE)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def all(self, messages: list[bytes]) -> dict[int, int]:
        """As one batch of which only the last asks for an answer; by place in it, the errno of each that failed."""
        batch = bytearray()
        first = self._sequence + 1
        for each in messages:
            self._sequence += 1
            at = len(batch)
            batch += each
            struct.pack_into("=I", batch, at + _SEQUENCE, self._sequence)
        flags = at + 6
        struct.pack_into("=H", batch, flags, struct.unpack_from("=H", batch, flags)[0] | _ACK)
        return _errors(self._socket.exchange(bytes(batch), self._sequence), first)

    def one(self, each: bytes) -> int:
        """Its errno; 0: done."""
        return self.all([each]).get(0, 0)

    def nexthops(self) -> dict[int, dict[int, bytes]]:
        """By id, attributes of what there is."""
        found = {}
        for chunk in self._socket.dump_nexthops():
            at = 0
            while at < len(chunk):
                length = _HEADER.unpack_from(chunk, at)[0]
                values = _attributes(chunk[at + _HEADER.size + _NHMSG.size : at + length])
                found[int.from_bytes(values[1], "little")] = values
                at += (length + 3) & ~3
        return found

    def routes(self) -> int:
        """How many bytes of ours the IPv4 and IPv6 tables have."""
        families = (socket.AF_INET, socket.AF_INET6)
        return sum(len(chunk) for family in families for chunk in self._socket.dump_routes(family, _TABLE, PROTOCOL))

    def pair(self, near: str, far: str) -> int:
        """Two ports wired to each other and up; the index of the near one."""
        peer = attribute(1, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(3, far.encode() + b"\0"))
        info = attribute(18, attribute(1, b"veth") + attribute(2, peer))
        self.must(message(_NEWLINK, _CREATE, _IFINFO.pack(0, 0, 0, 0, 0) + attribute(3, near.encode() + b"\0") + info))
        for name in (far, near):
            self.power(name, True)
        return socket.if_nametoindex(near)

    def power(self, name: str, up: bool) -> None:
        index = socket.if_nametoindex(name)
        self.must(message(_NEWLINK, 0, _IFINFO.pack(0, 0, index, _IFF_UP if up else 0, _IFF_UP)))

    def must(self, each: bytes) -> None:
        if code := self.one(each):
            raise OSError(code, os.strerror(code))

    @staticmethod
    def sysctl(name: str, value: str) -> None:
        (Path("/proc/sys/net") / name).write_text(value)


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def _errors(replies: bytes, first: int) -> dict[int, int]:
    found, at = {}, 0
    while at + _HEADER.size + _CODE.size <= len(replies):
        length, kind, _, sequence, _ = _HEADER.unpack_from(replies, at)
        (code,) = _CODE.unpack_from(replies, at + _HEADER.size)
        if kind == _ERROR and code:
            found[sequence - first] = -code
        at += (length + 3) & ~3
    return found
