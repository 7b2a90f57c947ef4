"""One of the agent's connections, over a real socket that its other end does not read."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fibd.wire import Decoder, Heartbeat, Message, Role, StreamData
from routingd.agent.connection import Connection
from tests.routingd.fake_agent import until


def test_a_close_while_something_waits_sends_it_once_and_breaks_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        readers: list[asyncio.StreamReader] = []
        server = await asyncio.start_unix_server(lambda r, w: readers.append(r), tmp_path / "sock", limit=1 << 16)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "sock")
        connection = Connection(Role.STREAMS, reader, writer)
        for _ in range(20):
            connection.send(StreamData([[[2], bytes(250_000)]]))
        connection.send(Heartbeat(7))
        await until(lambda: readers and connection._waiting, "it waits")
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0)
        got: list[Message] = []
        decoder = Decoder()
        while data := await readers[0].read(1 << 16):
            got += [message for message, _, _ in decoder.feed(data)]
        await closing
        assert [type(message) for message in got] == [StreamData] * 20 + [Heartbeat]
        assert connection._pump is not None
        assert connection._pump.done()
        assert connection._pump.exception() is None
        server.close()

    asyncio.run(test())
