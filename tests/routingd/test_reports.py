"""What the writer tells of, gathered for the loop. No thread, no loop."""

from __future__ import annotations

from collections.abc import Callable

from kernel.routes import Failure, Report
from routingd.agent.reports import PATIENCE, Reports, Told

REFUSED: Failure = (254, b"\x0a\0\0\0", 8, 22, "no")
ALSO_REFUSED: Failure = (254, b"\x0b\0\0\0", 8, 22, "no")


class Loop:
    def __init__(self) -> None:
        self.now = 0.0
        self.scheduled: list[Callable[[], None]] = []
        self.taken: list[Told] = []
        self.reports = Reports(self.scheduled.append, lambda _, told: self.taken.append(told), lambda: self.now)

    def turn(self) -> list[Told]:
        self.taken = []
        due, self.scheduled[:] = list(self.scheduled), []
        for one in due:
            one()
        return self.taken


def test_batches_up_to_a_draining_are_told_once_with_all_that_failed() -> None:
    loop = Loop()
    loop.reports.put(Report(1, False, [REFUSED], 3, 0.5, installed=1))
    loop.reports.put(Report(2, False, [ALSO_REFUSED], 4, 0.25))
    assert loop.scheduled == []
    loop.reports.put(Report(2, True, []))
    assert loop.turn() == [Told(Report(2, True, [REFUSED, ALSO_REFUSED], 7, 0.75, installed=1), 2)]
    assert loop.turn() == []


def test_what_comes_before_the_loop_has_looked_goes_along_without_hiding_what_was_drained() -> None:
    loop = Loop()
    loop.reports.put(Report(1, True, []))
    loop.reports.put(Report(2, False, [], 1))
    assert len(loop.scheduled) == 1
    assert loop.turn() == [Told(Report(1, True, []), 0), Told(Report(2, False, [], 1), 1)]
    loop.reports.put(Report(2, True, []))
    loop.reports.put(Report(3, False, [], 1))
    loop.reports.put(Report(3, True, []))
    assert loop.turn() == [Told(Report(3, True, [], 1), 1)]


def test_long_work_shows_progress_and_lost_answers_are_told_at_once() -> None:
    loop = Loop()
    loop.reports.put(Report(1, False, [], 1))
    loop.now = PATIENCE
    loop.reports.put(Report(1, False, [], 1))
    assert loop.turn() == [Told(Report(1, False, [], 2), 2)]
    loop.reports.put(Report(1, False, [], 1))
    loop.reports.put(Report(1, False, [], error="lost"))
    assert loop.turn() == [Told(Report(1, False, [], 1, error="lost"), 1)]
