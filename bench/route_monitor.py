"""Route notifications of a box's kernel, as any program can have them (RTNLGRP_IPV4_ROUTE)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from tests.kernel.fake_controller import in_namespace
from tests.lab.lab import Namespace
from tests.lab.updates import Prefix

RTM_NEWROUTE, RTM_DELROUTE = 24, 25
_RTMGRP_IPV4_ROUTE: Final = 0x40
_RTA_DST: Final = 1
_SO_RCVBUFFORCE: Final = 33
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_RTMSG: Final = 12


class RouteMonitor:
    """Hears from when it is made. OSError ENOBUFS: notifications were lost."""

    def __init__(self, box: Namespace) -> None:
        def opened() -> socket.socket:
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
            made.bind((0, _RTMGRP_IPV4_ROUTE))
            return made

        self.socket: socket.socket = in_namespace(box, opened)

    def read(self) -> Iterator[tuple[float, tuple[bool, Prefix]]]:
        """When it was read, on the monotonic clock, and (there, or gone; prefix) of what has been told meanwhile."""
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return
            now = time.monotonic()
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind in (RTM_NEWROUTE, RTM_DELROUTE):
                    yield now, (kind == RTM_NEWROUTE, _prefix(data, at + _HEADER.size, at + length))
                at += max(_HEADER.size, (length + 3) & ~3)

    def close(self) -> None:
        self.socket.close()


def _prefix(data: bytes, at: int, end: int) -> Prefix:
    length = data[at + 1]
    at += _RTMSG
    while at + _ATTRIBUTE.size <= end:
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if kind == _RTA_DST:
            return data[at + 4 : at + size], length
        at += max(4, (size + 3) & ~3)
    return bytes(4), length
