"""A connection whose bytes are taken as they come, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from routingd.straight import take_all
from tests.routingd.fake_agent import until


@dataclass(slots=True)
class Taker:
    """Has room while it is told so."""

    room: asyncio.Event = field(default_factory=asyncio.Event)
    got: bytearray = field(default_factory=bytearray)
    wanted: bool = True

    def take(self, data: bytes) -> bool:
        if b"!" in data:
            raise ValueError(data.decode())
        self.got += data
        return self.room.is_set()

    async def wait(self) -> bool:
        if self.wanted:
            await self.room.wait()
        return self.wanted


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamWriter]


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """Our reader and writer, the writer of the other end."""
    ours: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda r, w: ours.set_result((r, w)), "127.0.0.1", 0)
    _, far = await asyncio.open_connection(*server.sockets[0].getsockname())
    reader, writer = await ours
    yield reader, writer, far
    for one in (writer, far):
        one.close()
    server.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def test_what_the_reader_held_and_what_comes_is_taken_in_order_to_the_end() -> None:
    async def test() -> None:
        async with pair() as (reader, writer, far):
            taker = Taker()
            taker.room.set()
            far.write(b"greeting, ")
            assert await reader.read(5) == b"greet"
            taking = asyncio.create_task(take_all(reader, writer, taker.take, taker.wait))
            await until(lambda: taker.got == b"ing, ", "what was held")
            far.write(b"and more")
            await until(lambda: taker.got == b"ing, and more", "what came then")
            far.write_eof()
            await taking

    run(test)


def test_while_there_is_no_room_the_other_side_has_to_wait() -> None:
    async def test() -> None:
        async with pair() as (reader, writer, far):
            taker = Taker()
            taking = asyncio.create_task(take_all(reader, writer, taker.take, taker.wait))
            whole = bytes(64 << 20)
            far.write(whole)
            await until(lambda: taker.got, "the first")
            first = len(taker.got)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(taker.got) == first
            assert far.transport.get_write_buffer_size() > 0
            taker.room.set()
            await until(lambda: len(taker.got) == len(whole), "the rest")
            far.close()
            await taking

    run(test)


def test_who_wants_nothing_more_gets_nothing_more_and_may_still_write() -> None:
    async def test() -> None:
        async with pair() as (reader, writer, far):
            taker = Taker(wanted=False)
            far.write(b"last")
            await take_all(reader, writer, taker.take, taker.wait)
            far.write(b"too late")
            assert await reader.read(100) == b"too late", "the reader has the connection again"
            assert taker.got == b"last"
            writer.write(b"bye")
            await writer.drain()

    run(test)


def test_what_the_taker_raises_and_a_broken_connection_reach_the_caller() -> None:
    async def test() -> None:
        async with pair() as (reader, writer, far):
            taker = Taker()
            taker.room.set()
            far.write(b"wrong!")
            with pytest.raises(ValueError, match="wrong!"):
                await take_all(reader, writer, taker.take, taker.wait)
        async with pair() as (reader, writer, far):
            taking = asyncio.create_task(take_all(reader, writer, taker.take, taker.wait))
            await asyncio.sleep(0)
            sock = far.get_extra_info("socket")
            sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: reset
            far.transport.abort()
            with pytest.raises(ConnectionResetError):
                await taking

    run(test)
