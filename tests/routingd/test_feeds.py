"""Since when what a feed reads could have been read, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fibd.distributor import Chunk, Want
from fibd.wire import Ack, Hello, SnapshotVerdict
from routingd.feeds import BoxFeed, Cursor
from tests.fibd.test_distributor import Delta, routes


class Readable:
    """An engine's end of one consumer."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.now = 100.0
        self.cursor = Cursor(1, lambda: self.now)

    def fib_read(self, consumer: int, max_routes: int = 0) -> Any:
        return self.deltas.pop(0) if self.deltas else None

    def fib_reads(self, consumer: int) -> int:
        return 0

    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        return not self.deltas, 0, 0

    def read(self, at: float, *, later: bool = False) -> float | None:
        """What became readable when, of what is read at this time; None: there was nothing."""
        self.now = at
        read = self.cursor.read_later if later else self.cursor.read
        chunk = read(Want(8192, at_tail=True), self)  # type: ignore[arg-type]
        return chunk.readable_at if chunk is not None else None


def test_a_snapshot_is_readable_from_the_moment_it_is_opened() -> None:
    engine = Readable()
    engine.deltas = [routes(1), routes(1)]
    assert engine.read(at=101.0) == 100.0
    assert engine.read(at=109.0) == 100.0


def test_what_a_waiting_request_finds_has_just_come() -> None:
    engine = Readable()
    assert engine.read(at=101.0) is None
    engine.deltas = [routes(1)]
    assert engine.read(at=500.0) == 500.0


def test_what_lies_there_when_a_request_is_opened_may_have_come_right_after_the_last() -> None:
    engine = Readable()
    engine.deltas = [routes(1)]
    engine.read(at=101.0)
    engine.deltas = [routes(1)]
    assert engine.read(at=103.0) == 101.0


def test_where_nothing_had_changed_when_a_request_was_opened_what_it_finds_has_just_come() -> None:
    engine = Readable()
    engine.deltas = [routes(1)]
    assert engine.read(at=101.0) == 100.0
    engine.deltas = [routes(1)]
    assert engine.read(at=103.0, later=True) == 103.0


def test_while_the_end_is_not_reached_changes_may_be_as_old_as_the_backlog() -> None:
    engine = Readable()
    assert engine.read(at=101.0) is None
    engine.deltas = [routes(1), routes(1), routes(1)]
    assert [engine.read(at=at) for at in (102.0, 110.0, 120.0)] == [102.0, 102.0, 102.0]
    assert engine.read(at=121.0) is None


class Inline:
    """An engine and its thread in one: jobs run at once, reads when the test says so."""

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.waiting = self.may_wait = False
        self.waited: list[bool] = []
        """For whom peers were to wait from then on."""
        self.heard: list[tuple[str, int]] = []
        self._deliver: Any = None

    def fib_resume(self, held: Any) -> tuple[int, list[Any]]:
        return 1, []

    def fib_wait(self, consumer: int, wait: bool) -> None:
        self.waited.append(wait)

    def fib_failed(self, consumer: int, table: int, prefix: tuple[bytes, int], failed: bool) -> None:
        self.heard.append(("failed", failed))

    def fib_installed(self, consumer: int, read: int) -> None:
        self.heard.append(("installed", read))

    def fib_close(self, consumer: int) -> None:
        self.closed.append(consumer)

    def post(self, work: Any, done: Any = lambda _: None) -> None:
        done(work(self))

    def consumer(self, deliver: Any) -> Inline:
        self._deliver = deliver
        return self

    def request(self, read: Any, later: Any = None) -> None:
        self.waiting = True
        self.may_wait = later is not None

    def arrives(self, delta: Any = None, read: int = 0, *, at_tail: bool = True) -> None:
        self.waiting = False
        self._deliver(Chunk(delta, at_tail, 0, 0, read=read))

    def close(self) -> None:
        pass


class Wire:
    unread = False

    def send(self, *messages: Any) -> None:
        pass

    def send_frames(self, frames: Any) -> None:
        pass


def test_a_box_that_stays_away_is_given_up_whatever_was_being_read_when_it_went() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        engine = Inline()
        feed = BoxFeed("ncp1", 1, b"s" * 16, 0.02, engine, loop.time)  # type: ignore[arg-type]
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        assert engine.waiting
        feed.down()
        engine.arrives()
        assert engine.closed == []
        async with asyncio.timeout(5):
            while engine.closed != [1]:  # noqa: ASYNC110 - of the feed's own timer
                await asyncio.sleep(0.005)

    asyncio.run(test())


def test_the_engine_is_asked_at_once_for_more_only_where_the_last_read_left_some() -> None:
    async def test() -> None:
        engine = Inline()
        feed = BoxFeed("ncp1", 1, b"s" * 16, 60.0, engine, asyncio.get_running_loop().time)  # type: ignore[arg-type]
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        asked = []
        for delta, at_tail in ((routes(1), False), (routes(1), True), (replace(routes(1), dead_groups=[7]), True)):
            asked.append(engine.may_wait)
            engine.arrives(delta, at_tail=at_tail)
        assert [*asked, engine.may_wait] == [False, False, True, False], "a group's end may be followed by more"

    asyncio.run(test())


def test_a_box_that_makes_no_progress_is_not_waited_for_until_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routingd.feeds.STALLED", 0.02)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        engine, lags = Inline(), list[bool]()
        feed = BoxFeed("ncp1", 1, b"s" * 16, 60.0, engine, loop.time, lags=lags.append)  # type: ignore[arg-type]
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        engine.arrives(read=1)
        feed.message(Ack(2, 2, 2))
        feed.message(SnapshotVerdict(True, 0, 0))
        assert (feed.state, engine.heard) == ("forwarding", [("installed", 1)])
        engine.arrives(routes(1), read=2)
        async with asyncio.timeout(5):
            while not lags:  # noqa: ASYNC110 - of the feed's own timer
                await asyncio.sleep(0.005)
        assert (feed.state, engine.waited[-1], lags) == ("lagging", False, [True])
        engine.arrives(routes(1), read=3)
        feed.message(Ack(3, 3, 3, failures=[[3, -1, 1, bytes(4), 8, 12, "no room"]]))
        feed.message(Ack(4, 4, 4))
        assert engine.heard[1:] == [("failed", True), ("installed", 2), ("installed", 3)]
        assert (feed.state, engine.waited[-1], lags) == ("forwarding", True, [True, False])

    asyncio.run(test())


def test_a_box_that_stops_while_a_route_is_due_again_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routingd.feeds.STALLED", 0.05)
    monkeypatch.setattr("fibd.failures.FIRST_BACKOFF", 0.01)

    async def test() -> None:
        engine, lags = Inline(), list[bool]()
        clock = asyncio.get_running_loop().time
        feed = BoxFeed("ncp1", 1, b"s" * 16, 60.0, engine, clock, lags=lags.append)  # type: ignore[arg-type]
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        engine.arrives(routes(1), read=1, at_tail=False)
        engine.arrives(routes(1), read=2, at_tail=False)
        feed.message(Ack(2, 2, 2, failures=[[2, -1, 1, bytes(4), 8, 12, "no room"]]))
        async with asyncio.timeout(5):
            while not lags:  # noqa: ASYNC110 - of the feed's own timer
                await asyncio.sleep(0.005)

    asyncio.run(test())


def test_a_box_that_is_away_is_waited_for_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routingd.feeds.STALLED", 0.02)

    async def test() -> None:
        engine = Inline()
        feed = BoxFeed("ncp1", 1, b"s" * 16, 60.0, engine, asyncio.get_running_loop().time)  # type: ignore[arg-type]
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        feed.down()
        async with asyncio.timeout(5):
            while engine.waited[-1:] != [False]:  # noqa: ASYNC110 - of the feed's own timer
                await asyncio.sleep(0.005)
        feed.up(Wire(), Hello(3, "ncp1", b"b" * 16))  # type: ignore[arg-type]
        assert engine.waited[-1]

    asyncio.run(test())
