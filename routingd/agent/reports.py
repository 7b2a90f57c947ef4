"""What the netlink writer did, on its way from its thread to the loop: one turn, and one word to the controller, for
each draining of the model and not for each batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from kernel.routes import Report

PATIENCE: Final = 0.05
"""Seconds for which what was written may wait for the rest, so that long work shows progress."""


@dataclass(frozen=True, slots=True)
class Told:
    report: Report
    """Of the last batch, but with what failed and how many messages there were in all of them."""
    batches: int


class Reports:
    """Of one writer. ``schedule`` runs a call on the loop soon, from any thread; ``take`` is called there."""

    def __init__(
        self,
        schedule: Callable[[Callable[[], None]], Any],
        take: Callable[[Reports, Told], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._schedule = schedule
        self._take = take
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Told] = []
        self._since = 0.0
        """When the first of those came."""
        self._scheduled = False

    def put(self, report: Report) -> None:
        """On the writer's thread."""
        told = Told(report, 1 if report.messages else 0)
        with self._lock:
            if not self._waiting:
                self._since = self._clock()
            # What was drained at an earlier position is not told by one that was not at a later
            while self._waiting and (report.drained or not self._waiting[-1].report.drained):
                told = _both(self._waiting.pop(), told)
            self._waiting.append(told)
            late = self._clock() - self._since >= PATIENCE
            if self._scheduled or not (report.drained or report.error or late):
                return
            self._scheduled = True
        self._schedule(self._arrive)

    def _arrive(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._scheduled = False
        for told in waiting:
            self._take(self, told)


def _both(earlier: Told, later: Told) -> Told:
    before, after = earlier.report, later.report
    report = replace(
        after,
        failures=before.failures + after.failures,
        messages=before.messages + after.messages,
        seconds=before.seconds + after.seconds,
        installed=max(before.installed, after.installed),
        error=before.error or after.error,
    )
    return Told(report, earlier.batches + later.batches)
