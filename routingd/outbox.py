"""What goes out on one box's streams connection within one turn of the event loop: few frames, shared bytes only once.

Order per stream is kept. Peers of one export group are handed equal bytes in the same turn; such bytes cross to the box
once, in a row that names all their streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fibd.wire import MAX_CHUNK, Message, StreamCredit, StreamData, encode

_HEADER_LENGTH: Final = 19
_LENGTH_AT: Final = 16
GIVE_BACK: Final = 128 * 1024
"""Bytes of read credit, an eighth of what a stream begins with, that leave in the turn in which they are given."""
OWED_FOR: Final = 0.02
"""Seconds for which less than that may wait for other frames to go with: a frame for each read would wake the box."""


class Outbox:
    def __init__(
        self,
        schedule: Callable[[Callable[[], None]], object],
        send: Callable[[Sequence[bytes]], None],
        schedule_in: Callable[[float, Callable[[], None]], object],
    ) -> None:
        """``schedule`` calls back in the next turn, ``schedule_in`` after so many seconds."""
        self._schedule = schedule
        self._schedule_in = schedule_in
        self._send = send
        self._frames: list[bytes] = []
        self._rows: list[tuple[list[int], bytes]] = []
        self._size = 0
        self._credit: dict[int, int] = {}
        self._scheduled = self._waits = False

    def data(self, stream: int, data: bytes) -> None:
        """Whole BGP messages."""
        for piece in pieces(data, MAX_CHUNK):
            self._row(stream, piece)
        self._later()

    def _row(self, stream: int, data: bytes) -> None:
        for at in range(len(self._rows) - 1, -1, -1):
            streams, same = self._rows[at]
            if stream in streams:
                break  # nothing may overtake what this stream has been given before
            if same == data:
                streams.append(stream)
                return
        if self._size + len(data) > MAX_CHUNK:
            self._close_rows()
        self._rows.append(([stream], data))
        self._size += len(data)

    def credit(self, stream: int, count: int) -> None:
        owed = self._credit[stream] = self._credit.get(stream, 0) + count
        if owed >= GIVE_BACK:
            self._later()
        elif not self._waits:
            self._waits = True
            self._schedule_in(OWED_FOR, self._waited)

    def _waited(self) -> None:
        self._waits = False
        self.flush()

    def message(self, message: Message) -> None:
        self._close_rows()
        self._frames.append(encode(message))
        self._later()

    def forget(self, stream: int) -> None:
        """Closed: the box would not know the number any more."""
        self._credit.pop(stream, None)

    def clear(self) -> None:
        """The connection is gone, and every stream with it."""
        self._frames.clear()
        self._rows.clear()
        self._credit.clear()
        self._size = 0

    def flush(self) -> None:
        self._scheduled = False
        self._close_rows()
        if self._credit:
            self._frames.append(encode(StreamCredit([[stream, count] for stream, count in self._credit.items()])))
            self._credit.clear()
        frames, self._frames = self._frames, []
        if frames:
            self._send(frames)

    def _close_rows(self) -> None:
        if self._rows:
            self._frames.append(encode(StreamData([[streams, data] for streams, data in self._rows])))
            self._rows = []
            self._size = 0

    def _later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)


def pieces(data: bytes, limit: int) -> list[bytes]:
    """Cut whole BGP messages into runs of at most ``limit`` bytes, at message boundaries (RFC 4271 4.1). What fits is
    not looked at: walking headers is for the rare long run only."""
    if len(data) <= limit:
        return [data]
    out: list[bytes] = []
    begun = at = 0
    while at + _HEADER_LENGTH <= len(data):
        end = at + int.from_bytes(data[at + _LENGTH_AT : at + _LENGTH_AT + 2], "big")
        if end - begun > limit and at > begun:
            out.append(data[begun:at])
            begun = at
        at = max(end, at + _HEADER_LENGTH)
    out.append(data[begun:])
    return out
