"""What comes over a connection is taken in the turn of the event loop in which it comes.

A task that reads from a ``StreamReader`` is woken up one turn later, and each turn looks at all sockets: with messages
as small as those of a change or two that doubled what the loop had to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, cast

Take = Callable[[bytes], bool]
"""Is given what came; whether there is room for more."""
Room = Callable[[], Awaitable[bool]]
"""Waits for room; False: nothing more is wanted."""


class _Straight(asyncio.Protocol):
    """In the place of a stream's own protocol, which goes on with the writer's part and hears of the end."""

    def __init__(self, transport: asyncio.Transport, take: Take) -> None:
        self.before: Final = cast("asyncio.StreamReaderProtocol", transport.get_protocol())
        self.ended = False
        self.error: Exception | None = None
        """Why."""
        self.news = asyncio.Event()
        """There is no room, or it has ended."""
        self._transport = transport
        self._take = take

    def data_received(self, data: bytes) -> None:
        if self.ended:
            return
        try:
            if self._take(data):
                return
        except Exception as error:
            self._end(error)
        self._transport.pause_reading()
        self.news.set()

    def eof_received(self) -> bool | None:
        self._end(None)
        return self.before.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self.before.connection_lost(error)
        self._end(error)

    def pause_writing(self) -> None:
        self.before.pause_writing()

    def resume_writing(self) -> None:
        self.before.resume_writing()

    def _end(self, error: Exception | None) -> None:
        if not self.ended:
            self.ended, self.error = True, error
            self.news.set()


async def take_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Take, room: Room) -> None:
    """From what the reader holds to the end of the connection. Raises what ``take`` raises, and OSError."""
    if (error := reader.exception()) is not None:
        raise error
    transport = cast("asyncio.Transport", writer.transport)
    straight = _Straight(transport, take)
    held = bytes(reader._buffer)  # type: ignore[attr-defined]
    reader._buffer.clear()  # type: ignore[attr-defined]
    transport.set_protocol(straight)
    try:
        straight.ended = reader.at_eof() or transport.is_closing()
        goes_on = not held or take(held) or await room()
        while goes_on and not straight.ended:
            straight.news.clear()
            transport.resume_reading()
            await straight.news.wait()
            goes_on = await room()
        if straight.error is not None:
            raise straight.error
    finally:
        transport.set_protocol(straight.before)
        transport.resume_reading()
