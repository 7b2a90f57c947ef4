"""The FIB stream to every box: binds each box's ``fibd.distributor.Feed`` to its fib connection and to the engine's
thread."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from fibd.agent import RESUME
from fibd.distributor import Chunk, Feed, FeedState, Want, read_chunk
from fibd.failures import FailureKey
from fibd.outstanding import DEFAULT_CREDIT
from fibd.wire import Ack, DigestReply, DigestRequest, Hello, Message, SnapshotVerdict, WireError
from native import Engine
from routingd.agents import AgentConnection
from routingd.engine_thread import Consumer, EngineThread

STALLED: Final = 3.0
"""A box that makes no progress for so long does not count as forwarding."""
LATE: Final = 1.0
NOTHING: Final = Chunk(None, at_tail=True, count=0, digest=0)
"""All that a box is told to forward where kernel install is off."""

log = structlog.get_logger("routingd.fib")


class BoxFeed:
    """One box."""

    def __init__(
        self, ncp: str, election_id: int, stream_id: bytes, grace: float, engine: EngineThread[Engine],
        clock: Callable[[], float], credit: int = DEFAULT_CREDIT, lags: Callable[[bool], None] = lambda _: None,
        *, install: bool = True,
    ) -> None:  # fmt: skip
        """``grace``: seconds for which the stream waits for a box that is away. ``credit``: bytes that it may have
        outstanding. ``lags`` is told when the box begins to lag behind and when it has caught up. Without ``install``
        the RIB is not read: the box is told that its table is empty, and removes what an earlier life put there."""
        self.ncp = ncp
        self.feed = Feed(ncp, election_id, credit)
        self.agrees: bool | None = None
        """The agent's verdict on the last snapshot."""
        self.held = False
        self._election_id = election_id
        self._stream_id = stream_id
        self._grace = grace
        self._engine = engine
        self._clock = clock
        self._connection: AgentConnection | None = None
        self._boot_id = b""
        """Of the agent that the stream has gone to so far."""
        self._tells_sums = False
        """It can say what it holds, and go on with a stream."""
        self._asked = False
        """What it holds, and has not answered yet."""
        self._reader: Consumer[Engine] | None = None
        self._cursor: Cursor | None = None
        self._all_read = False
        """The last chunk left nothing to read."""
        self._timer: asyncio.TimerHandle | None = None
        self._giving_up: asyncio.TimerHandle | None = None
        """While the box is away."""
        self.lagging = False
        """It made no progress for too long, and has not caught up since."""
        self.isolated = False
        """It has lost the other boxes."""
        self._lags = lags
        self._install = install
        self._away = False
        """For so long that nobody waits for it."""
        self._leaving: asyncio.TimerHandle | None = None
        self._look_at = math.inf
        """When to look again."""
        self._answered = 0
        """The last read that the engine knows to be installed."""

    # --- the connection -----------------------------------------------------------------------------------------------

    def up(self, connection: AgentConnection, hello: Hello, *, held: bool = False) -> None:
        """``held``: the box keeps what it has until ``release``."""
        self._connection = connection
        for timer in (self._giving_up, self._leaving):
            if timer is not None:
                timer.cancel()
        self._away = False
        self._count()
        self._tells_sums = RESUME in hello.capabilities
        again = hello.boot_id == self._boot_id and hello.stream_id == self._stream_id and self._tells_sums
        self._boot_id = hello.boot_id
        tail = self.feed.resume(hello.last_sequence, self._clock()) if again and self._cursor is not None else None
        if tail is not None:
            log.info("fib.resumed", ncp=self.ncp, routes=self.feed.resent_routes)
            self._send(tail)
            self.pump()
            return
        self._forget()
        self.held = held
        if not held:
            self._begin()

    def release(self) -> None:
        held, self.held = self.held, False
        if held and self._connection is not None:
            self._begin()

    def down(self) -> None:
        """The stream stays as it is until the box is back, or is given up."""
        self.held = self._asked = False
        self._connection = None
        self.feed.lost()
        loop = asyncio.get_running_loop()
        self._giving_up = loop.call_later(self._grace, self._forget)
        self._leaving = loop.call_later(STALLED, self._left)

    def _left(self) -> None:
        self._away = True
        self._count()

    def _count(self) -> None:
        """Whether peers are told of new prefixes only once this box has them."""
        if self._cursor is not None:
            number, wait = self._cursor.number, self.awaited
            self._engine.post(lambda engine: engine.fib_wait(number, wait))

    def _forget(self) -> None:
        self._close_cursor()
        self.feed.connected()

    def _begin(self) -> None:
        """The stream from its start, without what the box has already where it can tell."""
        if not self._install:
            self._tell_nothing()
        elif self._tells_sums and self._connection is not None:
            self._asked = True
            self._connection.send(DigestRequest(self._election_id))
        else:
            self._open([])

    def _tell_nothing(self) -> None:
        self.agrees = None
        now = self._clock()
        self._send(self.feed.begin(now) + self.feed.chunk(NOTHING, now))

    def _open(self, held: list[tuple[int, bytes]]) -> None:
        """A fresh cursor: opened on the engine's thread, then read from the start. ``held``: (table, sums)."""
        self._close_cursor()
        self.agrees = None
        connection = self._connection

        def opened(answer: tuple[int, list[tuple[int, bytes]]]) -> None:
            number, kept = answer
            if self._connection is not connection or connection is None or self._cursor is not None:
                self._engine.post(lambda engine: engine.fib_close(number))
                return
            self._cursor, self._all_read = Cursor(number, self._clock), False
            self._reader = self._engine.consumer(self._read)
            self._answered = 0
            if self.lagging:
                self._count()
            connection.send_frames(self.feed.begin(self._clock(), kept))
            self.pump()

        self._engine.post(lambda engine: engine.fib_resume(held), opened)

    def _close_cursor(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._look_at = math.inf
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._cursor is not None:
            number, self._cursor = self._cursor.number, None
            self._engine.post(lambda engine: engine.fib_close(number))

    # --- both directions ----------------------------------------------------------------------------------------------

    def message(self, message: Message) -> None:
        now = self._clock()
        if isinstance(message, DigestReply):
            if self._asked:
                self._asked = False
                self._open([(table, sums) for table, sums in message.rows])
            return
        if isinstance(message, Ack):
            self._send(self.feed.ack(message, now))
            for row in message.failures[:4]:
                log.warning("fib.failed", ncp=self.ncp, errno=row[5], text=row[6], failed=self.feed.failed_total)
        elif isinstance(message, SnapshotVerdict):
            self.agrees = message.agree
            self.feed.verdict(message, now)
            if message.agree:
                log.info("fib.snapshot", ncp=self.ncp, routes=message.count, sent=self.feed.resent_routes)
            else:
                log.error("fib.snapshot-differs", ncp=self.ncp, agent_routes=message.count)
        else:
            raise WireError(f"{type(message).__name__} does not belong on the fib connection")
        self.pump()

    def pump(self) -> None:
        """Ask for the next stretch where the box has room for it. One request is open at a time."""
        now = self._clock()
        self._answer()
        self._judge(now)
        if self.feed.restart_due(now):
            # What sums of shards have not mended, everything does
            self._open([]) if self._install else self._tell_nothing()
            return
        reader, cursor = self._reader, self._cursor
        if reader is not None and cursor is not None:
            want = self.feed.wants(now)
            if want is not None and (want.retry or not reader.waiting):
                later = partial(cursor.read_later, want) if self._all_read and not want.retry else None
                reader.request(partial(cursor.read, want), later)
        self._arm(now)

    def _look(self) -> None:
        self._timer = None
        self.pump()
        if self._timer is None:
            self._look_at = math.inf

    def _read(self, chunk: Chunk) -> None:
        # Groups that end may leave adjacencies without a use, which the next read tells
        self._all_read = chunk.at_tail and (chunk.delta is None or not chunk.delta.dead_groups)
        self._send(self.feed.chunk(chunk, self._clock()))
        self.pump()

    def _answer(self) -> None:
        """The engine hears what the box has and what it could not install."""
        news, read = self.feed.failed.news(), self.feed.installed_read
        if self._cursor is not None and (news or read > self._answered):
            self._answered = read
            self._engine.post(partial(answered, self._cursor.number, read, news))

    def _judge(self, now: float) -> None:
        """One box that does not get on must not hold up the router."""
        if self._connection is None or not self._install:
            return
        if self.lagging:
            if self.agrees and self.feed.near(now):
                self._lag(False)
        elif self.feed.still(now) >= STALLED:
            # Where this loop itself stood still, or the engine, answers may only not have been read yet
            if now - self._look_at > LATE or self._connection.unread:
                self.feed.excuse(now)
            else:
                self._lag(True)

    def _lag(self, lagging: bool) -> None:
        self.lagging = lagging
        log.warning("fib.lags" if lagging else "fib.caught-up", ncp=self.ncp)
        self._count()
        self._lags(lagging)

    def _send(self, frames: list[bytes]) -> None:
        if self._connection is not None:
            self._connection.send_frames(frames)

    def _arm(self, now: float) -> None:
        deadlines = [self.feed.next_deadline()]
        if self._connection is not None and self._install and not self.lagging and self.feed.outstanding:
            deadlines.append(now + STALLED - self.feed.still(now))
        # What is due and could not be done now is done when the box answers: no reason not to look whether it does
        deadline = min((one for one in deadlines if one is not None and one > now), default=None)
        if deadline is None or (self._timer is not None and self._look_at <= deadline):
            return  # to look once too often costs less than to move the time with each change
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._look)

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def awaited(self) -> bool:
        """Peers hear of new prefixes once this box has them."""
        return self._cursor is not None and not (self.lagging or self._away)

    @property
    def state(self) -> str:
        """The words of ``show ncp``."""
        if self.held:
            return "restarting"
        if self.feed.state is FeedState.ABSENT:
            return "absent" if self._connection is None else "connecting"
        if self.lagging:
            return "lagging"
        if self.isolated:
            return "isolated"
        if self.feed.state is FeedState.SNAPSHOT or not self.agrees:
            return "snapshot"
        return "forwarding" if self._install else "not-installing"

    def describe(self) -> dict[str, Any]:
        return self.feed.describe(self._clock())


def answered(number: int, read: int, news: list[tuple[FailureKey, bool]], engine: Engine) -> None:
    """On the engine's thread. What failed comes before the position that covers it."""
    for (table, address, length), failed in news:
        engine.fib_failed(number, table, (address, length), failed)
    engine.fib_installed(number, read)


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

    def read_later(self, want: Want, engine: Engine) -> Chunk | None:
        """All had been read when the request was opened: what is found has come since, and so just now."""
        self._since = None
        return self.read(want, engine)
