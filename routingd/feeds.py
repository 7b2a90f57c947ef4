"""The FIB stream to every box: binds each box's ``fibd.distributor.Feed`` to its fib connection and to the engine's
thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from fibd.distributor import Chunk, Feed, FeedState, Want, read_chunk
from fibd.wire import Ack, Message, SnapshotVerdict, WireError
from native import Engine
from routingd.agents import AgentConnection
from routingd.engine_thread import Consumer, EngineThread

STALLED: Final = 3.0
"""A box that makes no progress for so long does not count as forwarding."""

log = structlog.get_logger("routingd.fib")


class BoxFeed:
    """One box."""

    def __init__(self, ncp: str, election_id: int, engine: EngineThread[Engine], clock: Callable[[], float]) -> None:
        self.ncp = ncp
        self.feed = Feed(ncp, election_id)
        self.agrees: bool | None = None
        """The agent's verdict on the last snapshot."""
        self.held = False
        self._engine = engine
        self._clock = clock
        self._connection: AgentConnection | None = None
        self._reader: Consumer[Engine] | None = None
        self._cursor: Cursor | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- the connection -----------------------------------------------------------------------------------------------

    def up(self, connection: AgentConnection, *, held: bool = False) -> None:
        """``held``: the box keeps what it has until ``release``."""
        self._connection = connection
        self.feed.connected()
        self.held = held
        if not held:
            self._snapshot()

    def release(self) -> None:
        held, self.held = self.held, False
        if held and self._connection is not None:
            self._snapshot()

    def down(self) -> None:
        self.held = False
        self._connection = None
        self.feed.lost()
        self._close_cursor()

    def _snapshot(self) -> None:
        """A fresh cursor: opened on the engine's thread, then read from the start."""
        self._close_cursor()
        self.agrees = None
        connection = self._connection

        def opened(number: int) -> None:
            if self._connection is not connection or connection is None or self._cursor is not None:
                self._engine.post(lambda engine: engine.fib_close(number))
                return
            self._cursor = Cursor(number, self._clock)
            self._reader = self._engine.consumer(self._read)
            connection.send_frames(self.feed.begin(self._clock()))
            self.pump()

        self._engine.post(lambda engine: engine.fib_open(), opened)

    def _close_cursor(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._cursor is not None:
            number, self._cursor = self._cursor.number, None
            self._engine.post(lambda engine: engine.fib_close(number))

    # --- both directions ----------------------------------------------------------------------------------------------

    def message(self, message: Message) -> None:
        now = self._clock()
        if isinstance(message, Ack):
            self._send(self.feed.ack(message, now))
            for row in message.failures[:4]:
                log.warning("fib.failed", ncp=self.ncp, errno=row[5], text=row[6], failed=self.feed.failed_total)
        elif isinstance(message, SnapshotVerdict):
            self.agrees = message.agree
            self.feed.verdict(message, now)
            if message.agree:
                log.info("fib.snapshot", ncp=self.ncp, routes=message.count)
            else:
                log.error("fib.snapshot-differs", ncp=self.ncp, agent_routes=message.count)
        else:
            raise WireError(f"{type(message).__name__} does not belong on the fib connection")
        self.pump()

    def pump(self) -> None:
        """Ask for the next stretch where the box has room for it. One request is open at a time."""
        now = self._clock()
        if self.feed.restart_due(now):
            self._snapshot()
            return
        reader, cursor = self._reader, self._cursor
        if reader is not None and cursor is not None:
            want = self.feed.wants(now)
            if want is not None and (want.retry or not reader.waiting):
                reader.request(partial(cursor.read, want))
        self._arm(now)

    def _read(self, chunk: Chunk) -> None:
        self._send(self.feed.chunk(chunk, self._clock()))
        self.pump()

    def _send(self, frames: list[bytes]) -> None:
        if self._connection is not None:
            self._connection.send_frames(frames)

    def _arm(self, now: float) -> None:
        deadline = self.feed.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and deadline > now:
            self._timer = asyncio.get_running_loop().call_at(deadline, self.pump)

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The words of ``show ncp``."""
        if self.held:
            return "restarting"
        if self.feed.state is FeedState.ABSENT:
            return "absent" if self._connection is None else "connecting"
        if self.feed.lag(self._clock()) > STALLED:
            return "stalled"
        return "snapshot" if self.feed.state is FeedState.SNAPSHOT or not self.agrees else "forwarding"

    def describe(self) -> dict[str, Any]:
        return self.feed.describe(self._clock())


class Cursor:
    """A consumer of the engine, with a watch: since when has there been something for it that it has not read?

    ``read`` runs on the engine's thread. While a request is open it is polled after every change of the engine, so what
    it finds has just come. What lay there when the request was opened may have come as soon as the read before it; and
    as long as reads do not reach the end, what they bring may be as old as the backlog.
    """

    def __init__(self, number: int, clock: Callable[[], float]) -> None:
        self.number = number
        self._clock = clock
        self._since: float | None = clock()

    def read(self, want: Want, engine: Engine) -> Chunk | None:
        chunk = read_chunk(engine, self.number, want)
        now = self._clock()
        if chunk is None:
            self._since = None
            return None
        readable = now if self._since is None else self._since
        self._since = now if chunk.at_tail else readable
        return replace(chunk, readable_at=readable)
