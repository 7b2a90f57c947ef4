"""The engine's thread: order, back-pressure, one chunk per request, failures that stay where they belong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from routingd.engine_thread import DEPTH, EngineThread
from tests.routingd.fake_agent import until


class FakeEngine:
    """A list that grows by jobs, and deferred work that takes some steps."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.deferred = 0
        self.steps = 0
        self.threads: set[int] = set()
        self.times: list[int] = []

    def set_time(self, seconds: int) -> None:
        self.times.append(seconds)

    def step(self, budget: int = 0) -> bool:
        self.threads.add(threading.get_ident())
        if self.deferred:
            self.deferred -= 1
            self.steps += 1
        return self.deferred > 0

    def put(self, value: int) -> int:
        self.threads.add(threading.get_ident())
        self.values.append(value)
        return value


Thread = EngineThread[FakeEngine]


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Thread, FakeEngine, list[BaseException]]]:
    engine, fatal = FakeEngine(), list[BaseException]()
    thread = EngineThread(engine, asyncio.get_running_loop(), fatal.append)
    thread.start()
    yield thread, engine, fatal
    await thread.stop()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def test_jobs_run_in_order_on_one_other_thread() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):
            for value in range(1000):
                thread.post(lambda engine, value=value: engine.put(value))  # type: ignore[misc]
            assert await thread.call(lambda engine: len(engine.values)) == 1000
            assert engine.values == list(range(1000))
            assert len(engine.threads) == 1
            assert threading.get_ident() not in engine.threads

    run(test)


def test_the_engine_is_told_the_time_before_each_round_of_jobs() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):
            before = int(asyncio.get_running_loop().time())
            assert await thread.call(lambda engine: engine.times[-1]) in (before, before + 1)
            assert engine.times == sorted(engine.times)

    run(test)


def test_results_arrive_on_the_loop_and_errors_at_who_asked() -> None:
    async def test() -> None:
        async with running() as (thread, _, fatal):
            arrived: list[int] = []
            thread.post(lambda engine: engine.put(7), lambda value: arrived.append(threading.get_ident()))
            with pytest.raises(ZeroDivisionError):
                await thread.call(lambda engine: 1 // 0)
            assert arrived == [threading.get_ident()]
            failed: list[Exception] = []
            thread.post(lambda engine: 1 // 0, None, failed.append)
            await thread.call(lambda engine: None)
            assert [type(error) for error in failed] == [ZeroDivisionError]
            assert fatal == []

    run(test)


def test_a_panic_is_fatal_and_says_what_it_was() -> None:
    class PanicError(BaseException):
        """As PyO3 raises one: not an Exception."""

    async def test() -> None:
        def panic(engine: FakeEngine) -> None:
            raise PanicError("index out of bounds")

        async with running() as (thread, _, fatal):
            thread.post(panic)
            await until(lambda: fatal, "the daemon is told")
            assert str(fatal[0]) == "index out of bounds"

    run(test)


def test_deferred_work_goes_on_without_further_input() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):

            def defer(engine: FakeEngine) -> None:
                engine.deferred = 50

            await thread.call(defer)
            await until(lambda: engine.steps == 50, "all of it is done")

    run(test)


def test_a_consumer_gets_one_chunk_per_request_and_none_while_there_is_no_news() -> None:
    async def test() -> None:
        async with running() as (thread, _, __):
            chunks: list[Any] = []
            consumer = thread.consumer(chunks.append)

            def read(engine: FakeEngine) -> list[int] | None:
                taken, engine.values = engine.values[:3], engine.values[3:]
                return taken or None

            consumer.request(read)
            await thread.call(lambda engine: None)
            assert chunks == []
            assert consumer.waiting
            await thread.call(lambda engine: [engine.put(v) for v in range(5)])
            await until(lambda: chunks == [[0, 1, 2]], "the first chunk")
            await thread.call(lambda engine: None)
            assert chunks == [[0, 1, 2]], "the rest stays in the engine until it is asked for"
            consumer.request(read)
            await until(lambda: chunks == [[0, 1, 2], [3, 4]], "the second chunk")

    run(test)


def test_a_consumer_that_got_all_is_read_again_after_the_next_change_unless_there_was_one() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):
            chunks: list[Any] = []
            consumer = thread.consumer(chunks.append)

            def read(engine: FakeEngine) -> list[Any] | None:
                taken, engine.values = engine.values, []
                return taken or None

            def later(engine: FakeEngine) -> list[Any] | None:
                found = read(engine)
                return ["later", *found] if found else None

            consumer.request(read)
            await thread.call(lambda engine: engine.put(1))
            await until(lambda: chunks == [[1]], "the first chunk")
            engine.values = [2]  # behind the thread's back: only it could have woken up
            consumer.request(read, later)
            assert consumer.waiting
            await thread.call(lambda engine: engine.put(3))
            await until(lambda: chunks == [[1], ["later", 2, 3]], "what the next change brought")
            await thread.call(lambda engine: engine.put(4))
            consumer.request(read, later)
            await until(lambda: chunks[2:] == [[4]], "what was there already")

    run(test)


def test_a_closed_consumer_hears_nothing_more() -> None:
    async def test() -> None:
        async with running() as (thread, _, __):
            chunks: list[Any] = []
            consumer = thread.consumer(chunks.append)
            consumer.request(lambda engine: engine.values or None)
            consumer.close()
            await thread.call(lambda engine: engine.put(1))
            await thread.call(lambda engine: None)
            assert chunks == []

    run(test)


def test_a_full_queue_makes_readers_wait_until_it_has_drained() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):
            begun, gate = threading.Event(), threading.Event()

            def hold(engine: FakeEngine) -> None:
                begun.set()
                gate.wait(20)

            thread.post(hold)
            await until(begun.is_set, "the thread is busy")
            for value in range(DEPTH + 1):
                thread.post(lambda engine, value=value: engine.put(value))  # type: ignore[misc]
            reader = asyncio.ensure_future(thread.room())
            await asyncio.sleep(0)
            assert not reader.done()
            gate.set()
            await reader
            assert thread.depth < DEPTH
            await thread.call(lambda engine: None)
            assert len(engine.values) == DEPTH + 1

    run(test)


def test_stopping_finishes_what_was_posted() -> None:
    async def test() -> None:
        async with running() as (thread, engine, _):
            for value in range(100):
                thread.post(lambda engine, value=value: engine.put(value))  # type: ignore[misc]
        assert engine.values == list(range(100))

    run(test)
