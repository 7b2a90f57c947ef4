"""An event loop without I/O and without real time: callbacks in order, timers when somebody advances the clock."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any


class Handle:
    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._callback = callback
        self._arguments = arguments
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if not self.cancelled:
            self._callback(*self._arguments)


class Loop:
    def __init__(self) -> None:
        self.now = 1000.0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> Handle:
        self._ready.append(Handle(callback, arguments))
        return self._ready[-1]

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> Handle:
        handle = Handle(callback, arguments)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> Handle:
        return self.call_at(self.now + delay, callback, *arguments)

    @property
    def waiting(self) -> bool:
        """There is a callback to run."""
        return bool(self._ready)

    def run_one(self) -> bool:
        """The next callback, if there is one."""
        if self._ready:
            self._ready.popleft().run()
            return True
        return False

    def next_timer(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        self.now += seconds
        while (due := self.next_timer()) is not None and due <= self.now:
            self._ready.append(heapq.heappop(self._timers)[2])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """What asks for the running loop gets this one."""
        asyncio._set_running_loop(self)  # type: ignore[arg-type]
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
