"""The one thread that calls the engine: jobs in through a bounded queue, stretches of output out to consumers that have
room.

The event loop hands over closures and gets results back as callbacks on the loop. After each round of input the thread
lets the engine do a bounded piece of deferred work and then reads one chunk for each consumer that asked; a consumer
asks again only when it has dealt with its chunk, so nothing here grows with the size of the RIB or with a slow reader.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

T = TypeVar("T")
E = TypeVar("E", bound="Stepping")

DEPTH: Final = 512
"""Jobs waiting before readers of sockets are made to wait too."""
CATCHING_UP: Final = 1.0
"""Seconds in which readers that had to wait read what came meanwhile."""
ROUND_JOBS: Final = 16
ROUND_SECONDS: Final = 0.005
STEP_BUDGET: Final = 4096

log = structlog.get_logger("routingd.engine")


class Stepping(Protocol):
    def step(self, budget: int = ...) -> bool: ...
    def set_time(self, seconds: int) -> None: ...


class Consumer(Generic[E]):
    """A reader of the engine's output. ``read`` runs on the engine's thread, ``deliver`` on the loop."""

    __slots__ = ("_deliver", "_read", "_seen", "_thread", "_wanted", "closed")

    def __init__(self, thread: EngineThread[E], deliver: Callable[[Any], None]) -> None:
        self._thread = thread
        self._deliver = deliver
        self._read: Callable[[E], Any] | None = None
        self._wanted = False
        self._seen = -1
        self.closed = False

    def request(self, read: Callable[[E], Any], later: Callable[[E], Any] | None = None) -> None:
        """Run ``read`` now and again after each change of the engine, until it returns something; that is delivered
        once. ``later`` instead, from the next change on, where there was none since the last read: it had got all that
        there was, so that the thread need not wake up now."""
        self._thread._request(self, read, later)

    @property
    def waiting(self) -> bool:
        """A request is open or its chunk is on the way."""
        return self._wanted

    def close(self) -> None:
        """Nothing is delivered any more."""
        self.closed = True
        self._thread._forget(self)

    def _arrived(self, chunk: Any) -> None:
        self._wanted = False
        if not self.closed:
            self._deliver(chunk)


class EngineThread(Generic[E]):
    def __init__(self, engine: E, loop: asyncio.AbstractEventLoop, fatal: Callable[[BaseException], None]) -> None:
        self._engine = engine
        self._loop = loop
        self._fatal = fatal
        self._wake = threading.Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._consumers: list[Consumer[E]] = []
        self._epoch = 0
        self._poll = False
        self._stopping = False
        self._room: list[asyncio.Future[None]] = []
        self._behind_until = -math.inf
        self._results: list[Callable[[], None]] = []
        self.longest = 0.0
        """Seconds of the longest single job."""
        self.jobs_done = 0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    # --- on the loop --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Finish the jobs that wait, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    @property
    def depth(self) -> int:
        return len(self._jobs)

    def post(
        self,
        work: Callable[[E], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run ``work`` on the engine's thread, in order. Never waits: who posts is bounded by credits or awaits
        ``room``."""

        def job() -> None:
            try:
                result = work(self._engine)
            except Exception as error:
                self._results.append(lambda error=error: self._failed(error, failed))  # type: ignore[misc]
                return
            if done is not None:
                self._results.append(lambda: done(result))

        with self._wake:
            self._jobs.append(job)
            self._wake.notify()

    async def call(self, work: Callable[[E], T]) -> T:
        """Run ``work`` on the engine's thread and wait for what it gives."""
        await self.room()
        answer: asyncio.Future[T] = self._loop.create_future()

        def done(result: T) -> None:
            if not answer.done():
                answer.set_result(result)

        def failed(error: Exception) -> None:
            if not answer.done():
                answer.set_exception(error)

        self.post(work, done, failed)
        return await answer

    @property
    def full(self) -> bool:
        return len(self._jobs) >= DEPTH

    async def room(self) -> None:
        """Wait until the queue has room: who reads from a socket waits here, and TCP passes the pressure on."""
        while self.full:
            waiter: asyncio.Future[None] = self._loop.create_future()
            with self._wake:
                self._room.append(waiter)
            await waiter
            self._behind_until = self._loop.time() + CATCHING_UP

    @property
    def behind(self) -> bool:
        """Who reads from a socket waits for room, or did a moment ago: what was sent to us may not be read yet."""
        return bool(self._room) or self._loop.time() < self._behind_until

    def consumer(self, deliver: Callable[[Any], None]) -> Consumer[E]:
        new = Consumer(self, deliver)
        with self._wake:
            self._consumers.append(new)
        return new

    def _request(self, consumer: Consumer[E], read: Callable[[E], Any], later: Callable[[E], Any] | None) -> None:
        with self._wake:
            consumer._wanted = True
            if later is not None and consumer._seen == self._epoch:
                consumer._read = later
                return
            consumer._read = read
            consumer._seen = -1
            self._poll = True
            self._wake.notify()

    def _forget(self, consumer: Consumer[E]) -> None:
        with self._wake:
            if consumer in self._consumers:
                self._consumers.remove(consumer)

    def _failed(self, error: Exception, failed: Callable[[Exception], None] | None) -> None:
        if failed is not None:
            failed(error)
        else:
            log.error("engine.job-failed", error=str(error), kind=type(error).__name__)

    # --- on the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            more = False
            while (batch := self._next(more)) is not None:
                more = self._turn(batch, more)
        except BaseException as error:  # a panic in the RIB is not an Exception; no state after it can be trusted
            self._loop.call_soon_threadsafe(self._fatal, error)

    def _turn(self, batch: list[Callable[[], None]], more: bool) -> bool:
        """Jobs, a slice of deferred work, a chunk for each reader. True while deferred work is left."""
        self._engine.set_time(int(time.monotonic()))
        self._work(batch)
        # A slice of deferred work each round, so that a flood of UPDATEs cannot starve re-selection or a peer's loss.
        changed = bool(batch) or more
        more = self._engine.step(STEP_BUDGET)
        if changed or more:
            self._epoch += 1
        self._produce()
        self._hand_over()
        return more

    def _next(self, more: bool) -> list[Callable[[], None]] | None:
        with self._wake:
            while not (self._jobs or more or self._poll or self._stopping):
                self._wake.wait()
            if self._stopping and not self._jobs:
                return None
            self._poll = False
            return [self._jobs.popleft() for _ in range(min(ROUND_JOBS, len(self._jobs)))]

    def _work(self, batch: list[Callable[[], None]]) -> None:
        for at, job in enumerate(batch):
            begun = time.monotonic()
            job()
            self.jobs_done += 1
            self.longest = max(self.longest, time.monotonic() - begun)
            if at + 1 < len(batch) and time.monotonic() - begun > ROUND_SECONDS:
                with self._wake:
                    self._jobs.extendleft(reversed(batch[at + 1 :]))
                return

    def _produce(self) -> None:
        with self._wake:
            wanting = [c for c in self._consumers if c._wanted and c._read is not None and c._seen != self._epoch]
        for consumer in wanting:
            read = consumer._read
            consumer._seen = self._epoch
            if read is None or consumer.closed:
                continue
            chunk = read(self._engine)
            if chunk is not None:
                with self._wake:
                    consumer._read = None
                self._results.append(lambda consumer=consumer, chunk=chunk: consumer._arrived(chunk))  # type: ignore[misc]

    def _hand_over(self) -> None:
        """One call into the loop per round: what peers of one export group are sent arrives there together."""
        results, self._results = self._results, []
        waiters: list[asyncio.Future[None]] = []
        if self._room and len(self._jobs) < DEPTH // 2:
            with self._wake:
                waiters, self._room = self._room, []
        if not results and not waiters:
            return

        def arrive() -> None:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            for result in results:
                try:
                    result()
                except Exception as error:
                    log.exception("engine.result-failed", error=str(error))

        try:
            self._loop.call_soon_threadsafe(arrive)
        except RuntimeError:
            pass  # the loop has closed: nobody waits for results any more
