"""How long the event loop does not look at its sockets: hellos are due meanwhile."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any

from fibd.latency import Latencies


class TimedSelector(selectors.EpollSelector):
    """Between two looks lies one slice of work: all callbacks that were ready, one behind the other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.slices = Latencies()
        self._clock = clock
        self._looked: float | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        if self._looked is not None:
            self.slices.note(self._clock() - self._looked)
        try:
            return super().select(timeout)
        finally:
            self._looked = self._clock()


def timed_runner() -> tuple[asyncio.Runner, Latencies]:
    """A runner of ``asyncio``, and the slices of its loop."""
    selector = TimedSelector()
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)), selector.slices
