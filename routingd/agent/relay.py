"""Edge sockets on one side, the streams connection on the other: frames to calls and back.

Owns which listeners the controller asked for and cannot be had yet. Bytes are never looked at.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Callable
from typing import Final

import structlog

from fibd.wire import (
    Capsule,
    Lease,
    Message,
    StreamAdopt,
    StreamClose,
    StreamConnect,
    StreamCredit,
    StreamData,
    StreamListen,
    StreamOpened,
    Streams,
    StreamUnlisten,
    WireError,
)
from kernel.edge_sockets import Peer, text_of
from kernel.stream_table import StreamTable
from kernel.streams import INITIAL_CREDIT, Stream
from kernel.tcp_ao import AoKey

log = structlog.get_logger("ncpd.streams")

WINDOW: Final = 30.0
"""Seconds that established streams wait for a controller."""
_RETRY: Final = 2.0


class Relay:
    """``send`` puts a message on the streams connection; called only while attached."""

    def __init__(self, rng: random.Random, window: float = WINDOW) -> None:
        self.table = StreamTable(self, rng)
        self._window = window
        self._send: Callable[[Message], None] | None = None
        self._wanted: dict[int, StreamListen] = {}
        """Listeners that failed: their port or address may still appear."""
        self._retry: asyncio.TimerHandle | None = None

    # --- the controller -----------------------------------------------------------------------------------------------

    def attach(self, send: Callable[[Message], None]) -> None:
        """The streams connection is up: offer what is still open."""
        self._send = send
        self.table.attach()
        there = list(self.table.streams.values())
        now = asyncio.get_running_loop().time()
        send(
            Streams(
                [
                    [s.number, s.listener, s.local, s.local_port, s.remote, s.remote_port, s.device, s.capsule]
                    for s in there
                ],
                [
                    [s.number, now - s.established_at, s.silent_for, s.room]
                    for s in there
                    if s.established_at is not None
                ],
            )
        )

    def detach(self) -> None:
        self._send = None
        self._wanted.clear()
        self.table.detach(self._window)

    def receive(self, message: Message) -> None:
        match message:
            case StreamData(rows):
                for numbers, data in rows:
                    for number in numbers:
                        self._write(number, data)
            case StreamCredit(grants):
                for number, amount in grants:
                    if (stream := self.table.streams.get(number)) is not None:
                        stream.grant(amount)
            case Lease(number, interval, lasts, packet, hold, farewell):
                if (stream := self.table.streams.get(number)) is not None:
                    stream.lease(interval, lasts, packet, hold, farewell)
            case Capsule(number, blob):
                if (stream := self.table.streams.get(number)) is not None:
                    stream.deposit(blob)
            case StreamAdopt(number):
                log.info("stream.adopted", stream=number)
                self.table.adopt(number)
            case StreamListen():
                self._listen(message)
            case StreamUnlisten(listener):
                self._wanted.pop(listener, None)
                self.table.unlisten(listener)
            case StreamConnect():
                self._connect(message)
            case StreamClose(number, _, _, reset):
                self.table.close(number, reset)
            case _:
                raise WireError(f"{type(message).__name__} does not belong on the streams connection")

    def _write(self, number: int, data: bytes) -> None:
        stream = self.table.streams.get(number)
        if stream is not None and not stream.send(data):
            log.error("stream.overrun", stream=number, remote=text_of(stream.remote))
            self.table.close(number, reset=True)
            self.stream_closed(stream, "the controller sent more than it was granted", errno.ENOBUFS)

    def _listen(self, message: StreamListen) -> None:
        peers = [Peer(*row) for row in message.allow]
        peers += [Peer(address, md5, ttl, least, length) for address, length, md5, ttl, least in message.ranges]
        try:
            keys = tuple(AoKey(*row) for row in message.ao)
            self.table.listen(message.listener, message.local, message.port, message.device, peers, keys)
        except OSError as error:
            if message.listener not in self._wanted:
                log.warning("listen.failed", reason=error.strerror, device=message.device or None, retry=_RETRY)
            self._wanted[message.listener] = message
            if self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(_RETRY, self._listen_again)
        else:
            self._wanted.pop(message.listener, None)

    def _listen_again(self) -> None:
        self._retry = None
        for message in list(self._wanted.values()):
            self._listen(message)

    def _connect(self, m: StreamConnect) -> None:
        self.table.connect(
            m.stream, m.remote, m.port, local=m.local, device=m.device, ttl=m.ttl, minimum_ttl=m.minimum_ttl, md5=m.md5,
            timeout=min(m.timeout, 300.0),
            keys=tuple(AoKey(m.remote, 8 * len(m.remote), *row) for row in m.ao),
        )  # fmt: skip

    # --- the network --------------------------------------------------------------------------------------------------

    def _tell(self, message: Message) -> None:
        if self._send is not None:
            self._send(message)

    def stream_opened(self, stream: Stream) -> None:
        log.info("stream.opened", stream=stream.number, remote=text_of(stream.remote), accepted=bool(stream.listener))
        s = stream
        opened = StreamOpened(
            s.number, s.listener, s.local, s.local_port, s.remote, s.remote_port, s.device, INITIAL_CREDIT
        )  # fmt: skip
        self._tell(opened)

    def stream_refused(self, number: int, reason: str, code: int) -> None:
        self._tell(StreamClose(number, reason, code))

    def stream_data(self, stream: Stream, data: bytes, age: float) -> None:
        self._tell(StreamData([[[stream.number], data]], age))

    def stream_credit(self, stream: Stream, amount: int) -> None:
        self._tell(StreamCredit([[stream.number, amount]]))

    def stream_closed(self, stream: Stream, reason: str, code: int) -> None:
        log.info("stream.closed", stream=stream.number, remote=text_of(stream.remote), reason=reason)
        self._tell(StreamClose(stream.number, reason, code))
