"""Since when what a feed reads could have been read, on a clock that the test turns."""

from __future__ import annotations

from typing import Any

from fibd.distributor import Want
from routingd.feeds import Cursor
from tests.fibd.test_distributor import Delta, routes


class Readable:
    """An engine's end of one consumer."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.now = 100.0
        self.cursor = Cursor(1, lambda: self.now)

    def fib_read(self, consumer: int, max_routes: int = 0) -> Any:
        return self.deltas.pop(0) if self.deltas else None

    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        return not self.deltas, 0, 0

    def read(self, at: float) -> float | None:
        """What became readable when, of what is read at this time; None: there was nothing."""
        self.now = at
        chunk = self.cursor.read(Want(8192, at_tail=True), self)  # type: ignore[arg-type]
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


def test_while_the_end_is_not_reached_changes_may_be_as_old_as_the_backlog() -> None:
    engine = Readable()
    assert engine.read(at=101.0) is None
    engine.deltas = [routes(1), routes(1), routes(1)]
    assert [engine.read(at=at) for at in (102.0, 110.0, 120.0)] == [102.0, 102.0, 102.0]
    assert engine.read(at=121.0) is None
