"""What a box does for the streams of a controller that is away, over real sockets of this host."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from kernel.stream_table import StreamTable
from kernel.streams import Stream
from native import Boundary
from tests.routingd.fake_agent import until

KEEPALIVE = b"\xff" * 16 + b"\x00\x13\x04"
EXPIRED = b"\xff" * 16 + b"\x00\x15\x03\x04\x00"


def message(size: int) -> bytes:
    return b"\xff" * 16 + size.to_bytes(2, "big") + b"\x02" + bytes(size - 19)


@given(st.lists(st.integers(19, 200)), st.integers(1, 90), st.integers(0, 300))
def test_the_tail_is_what_has_begun_and_not_ended_however_the_bytes_came(sizes: list[int], step: int, cut: int) -> None:
    data = b"".join(map(message, sizes))
    data = data[: max(0, len(data) - cut)]
    boundary = Boundary()
    for at in range(0, len(data), step):
        boundary.passed(data[at : at + step])
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    assert boundary.tail == data[max((end for end in ends if end <= len(data)), default=0) :]


def test_a_length_that_cannot_be_keeps_nothing() -> None:
    boundary = Boundary()
    boundary.passed(message(30) + b"\xff" * 16 + b"\x00\x12" + bytes(100))
    assert boundary.tail == b""


class Box:
    """A box's streams, and the one peer."""

    def __init__(self) -> None:
        self.data = b""
        self.ages: list[float] = []
        self.credit = 0
        self.closed: list[tuple[str, int]] = []
        self.table = StreamTable(self, random.Random(1))
        self.table.attach()
        self.peer = socket.socket()

    def stream_opened(self, stream: Stream) -> None:
        pass

    def stream_refused(self, number: int, reason: str, code: int) -> None:
        self.closed.append((reason, code))

    def stream_data(self, stream: Stream, data: bytes, age: float) -> None:
        self.data += data
        self.ages.append(age)

    def stream_credit(self, stream: Stream, amount: int) -> None:
        self.credit += amount

    def stream_closed(self, stream: Stream, reason: str, code: int) -> None:
        self.closed.append((reason, code))

    @property
    def stream(self) -> Stream:
        (one,) = self.table.streams.values()
        return one

    async def says(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)

    async def hears(self, count: int) -> bytes:
        got = b""
        while len(got) < count and (more := await asyncio.get_running_loop().sock_recv(self.peer, count - len(got))):
            got += more
        return got


@asynccontextmanager
async def box() -> AsyncIterator[Box]:
    made = Box()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        local = bytes([127, 0, 0, 1])
        made.table.connect(
            2, local, server.getsockname()[1], local=local, device="", ttl=0, minimum_ttl=0, md5="", timeout=5
        )
        made.peer, _ = await asyncio.get_running_loop().sock_accept(server)
        made.peer.setblocking(False)
        await until(lambda: made.table.streams, "the stream")
        try:
            yield made
        finally:
            made.table.close_all()
            made.peer.close()


def run(test: Callable[[Box], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30), box() as made:
            await test(made)

    asyncio.run(bounded())


def test_the_next_controller_starts_at_the_beginning_of_a_message_and_misses_none() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        cut, second, third = message(200), message(77), message(19)
        await box.says(message(50) + cut[:60])
        await until(lambda: len(box.data) == 110, "it came")
        box.table.detach(30.0)
        await box.says(cut[60:] + second)
        await until(lambda: len(box.stream._kept) == 277, "it waits")
        box.data, box.ages = b"", []
        box.table.attach()
        await box.says(third)
        assert box.data == b"", "nobody has adopted it"
        await until(lambda: len(box.stream._kept) == 296, "it waits")
        box.table.adopt(2)
        assert box.data == cut + second + third
        assert box.ages[0] > 0
        box.table.adopt(2)  # a second time is nothing
        await box.says(second[:30])
        await until(lambda: len(box.data) == 326, "it goes on")
        box.table.detach(30.0)
        assert bytes(box.stream._kept) == second[:30]

    run(test)


def test_a_stream_without_a_capsule_ends_with_its_controller() -> None:
    async def test(box: Box) -> None:
        box.table.detach(30.0)
        assert box.table.streams == {}
        assert await box.hears(1) == b""

    run(test)


def test_what_the_peer_said_last_and_its_end_are_told_to_the_next_controller() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.table.detach(30.0)
        await box.says(EXPIRED)
        box.peer.shutdown(socket.SHUT_WR)
        await until(lambda: box.stream.ended, "its end is seen")
        assert box.closed == []
        box.table.attach()
        box.table.adopt(2)
        assert (box.data, box.closed) == (EXPIRED, [("the peer closed the connection", 0)])
        assert box.table.streams == {}

    run(test)


def test_a_peer_that_falls_silent_while_no_controller_is_there_is_told_and_given_up() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.stream.lease(10.0, 30.0, KEEPALIVE, 0.3, EXPIRED)
        box.table.detach(30.0)
        for _ in range(3):  # each is heard before the time is over
            await box.says(KEEPALIVE)
            heard = len(box.stream._kept) + 19
            await until(lambda heard=heard: len(box.stream._kept) == heard, "heard")  # type: ignore[misc]
        assert await box.hears(len(EXPIRED) + 1) == EXPIRED
        assert len(box.stream._kept) == 3 * 19
        box.table.attach()
        box.table.adopt(2)
        assert box.closed == [("nothing heard from the peer for 0.3 s", errno.ETIMEDOUT)]

    run(test)


def test_a_lease_goes_on_without_a_controller_and_with_one_that_has_not_adopted() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.stream.lease(0.05, 30.0, KEEPALIVE, 90.0, EXPIRED)
        box.table.detach(30.0)
        assert await box.hears(3 * 19) == 3 * KEEPALIVE
        box.table.attach()
        assert await box.hears(3 * 19) == 3 * KEEPALIVE

    run(test)


def test_what_waits_for_a_controller_is_bounded_and_none_of_it_is_lost() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.table.detach(30.0)
        flood = b"".join(message(4096) for _ in range(400))
        sending = asyncio.create_task(box.says(flood))
        await until(lambda: len(box.stream._kept) == 128 * 1024, "it is full")
        assert not sending.done() or len(flood) > len(box.stream._kept)
        box.table.attach()
        box.table.adopt(2)
        box.stream.grant(1 << 20)
        await until(lambda: len(box.data) == len(flood), "all of it comes")
        assert box.data == flood
        await sending

    run(test)


def test_a_peer_that_tcp_holds_back_is_not_silent() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.table.detach(30.0)
        box.stream.heard_at -= 20.0
        assert box.stream.silent_for >= 20.0
        sending = asyncio.create_task(box.says(bytes(1 << 20)))
        await until(lambda: len(box.stream._kept) == 128 * 1024, "nothing more is read")
        box.stream.heard_at -= 20.0
        assert box.stream.silent_for == 0.0
        sending.cancel()

    run(test)


def test_a_stream_that_nobody_has_adopted_when_the_window_is_over_ends() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        box.table.detach(0.05)
        box.table.attach()
        assert await box.hears(1) == b""
        await until(lambda: box.table.streams == {}, "it is gone")
        box.table.adopt(2)
        assert box.closed == [("it was not held any longer", errno.ECONNABORTED)], "who comes too late hears of it"

    run(test)


def test_what_waits_to_be_sent_counts_against_what_the_next_controller_may_send() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        assert box.stream.room == 1 << 20
        box.stream.send(message(4096) * 500)
        waiting = box.stream._queued
        box.table.detach(30.0)
        assert waiting > 0
        assert box.stream.room == (1 << 20) - waiting
        assert len(await box.hears(4096 * 500)) == 4096 * 500
        assert box.stream.room == 1 << 20

    run(test)


def test_what_tcp_took_before_the_next_controller_came_is_not_given_back_to_it_again() -> None:
    async def test(box: Box) -> None:
        box.stream.deposit(b"capsule")
        before, more = message(4096) * 250, message(4096) * 40
        box.stream.send(before)
        box.credit = 0
        box.table.detach(30.0)
        assert len(await box.hears(len(before))) == len(before)
        assert box.stream.room == 1 << 20, "it is all counted here"
        box.table.attach()
        box.table.adopt(2)
        box.stream.send(more)
        assert len(await box.hears(len(more))) == len(more)
        await until(lambda: box.credit > 0, "some of it is given back")
        assert box.credit <= len(more)

    run(test)
