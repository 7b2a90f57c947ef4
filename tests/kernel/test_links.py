"""Lost events and broken dumps end in reading everything again, never in a guess. Needs no root: it only reads."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct

import pytest

from kernel.links import Change, Observer, Seen
from kernel.netlink import NetlinkError, RouteSocket


class Overrun:
    """A socket whose queue the kernel could not keep."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def recv(self, size: int) -> bytes:
        raise OSError(errno.ENOBUFS, "No buffer space available")

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_lost_events_are_made_good_by_another_dump() -> None:
    async def run() -> list[Change]:
        told: list[Change] = []
        again = asyncio.Event()

        def changed(change: Change) -> None:
            told.append(change)
            if len([c for c in told if isinstance(c, Seen)]) == 2:
                again.set()

        observer = Observer(changed)
        await observer.start()
        observer._socket = Overrun(observer._socket)  # type: ignore[assignment]
        observer._readable()
        await asyncio.wait_for(again.wait(), 10)
        assert observer.overruns == 1
        await observer.stop()
        return told

    first = asyncio.run(run())[0]
    assert isinstance(first, Seen)
    assert ("lo", 1) in {(link.name, link.ifindex) for link in first.links}


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


class Kernel:
    """Answers a dump with what it is given."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self.chunks:
            raise TimeoutError
        return self.chunks.pop(0)


def route_socket(kernel: Kernel) -> RouteSocket:
    under_test = RouteSocket()
    under_test.close()
    under_test._socket = kernel  # type: ignore[assignment]
    return under_test


def test_a_dump_that_a_change_broke_is_read_again() -> None:
    route = message(24, 2, 2, b"\x02" + bytes(11))
    kernel = Kernel(message(24, 0x12, 1, bytes(12)) + message(3, 0x12, 1, bytes(4)), route, message(3, 2, 2, bytes(4)))
    assert b"".join(route_socket(kernel).dump_routes(2, 254, 201)) == route
    assert len(kernel.sent) == 2


def test_a_refused_dump_says_so() -> None:
    kernel = Kernel(message(2, 0, 1, struct.pack("=i", -errno.EPERM) + bytes(16)))
    with pytest.raises(NetlinkError, match="EPERM"):
        list(route_socket(kernel).dump_nexthops())


def test_a_table_that_the_kernel_does_not_have_has_no_routes() -> None:
    refusal = message(2, 0, 1, struct.pack("=i", -errno.ENOENT) + bytes(16))
    assert list(route_socket(Kernel(refusal)).dump_routes(2, 100, 201)) == []
    assert b"".join(route_socket(Kernel(refusal)).read_routes(2, 100, 201)) == b""


def test_an_exchange_ends_with_the_answer_to_the_last_message() -> None:
    refusal = message(2, 0, 7, struct.pack("=i", -errno.EINVAL) + bytes(16))
    done = message(2, 0x100, 9, bytes(20))
    assert route_socket(Kernel(refusal, done)).exchange(b"batch", 9) == refusal + done
    with pytest.raises(NetlinkError, match="did not answer"):
        route_socket(Kernel(refusal)).exchange(b"batch", 9)
