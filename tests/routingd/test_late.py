"""A controller that is behind does not take its own lateness for a neighbor's silence."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

from native import Engine
from protocols.bgp.session import Session
from routingd.engine_thread import DEPTH, EngineThread
from routingd.peers import Neighbor
from tests.routingd.fake_agent import FakeAgent, until, update
from tests.routingd.test_controller import controller, established, plan, run


def test_a_neighbor_whose_routes_wait_for_the_engine_is_not_silent(tmp_path: Path) -> None:
    async def test() -> None:
        router = plan()
        (first,) = router.neighbors
        session = Session(replace(first.session.config, hold_time=3), first.session.rng)
        router = replace(router, neighbors=(Neighbor(session, first.group, first.ncp),))
        async with controller(tmp_path, router) as one:
            remote = await established(tmp_path, FakeAgent("ncp1"))
            gate = threading.Event()
            one.engine.post(lambda engine: gate.wait(30))
            try:
                remote.send(update(["203.0.113.0/24"]))
                (peer,) = one.peers.all
                await until(lambda: peer._streams.owing != [], "the UPDATE waits")
                last = session.deadlines()["hold"]
                # Nothing more comes, and the hold timer fires: it starts over.
                await until(lambda: session.deadlines().get("hold", 0.0) > last, "the hold timer starts over")
                assert str(session.state) == "Established"
            finally:
                gate.set()
            await until(lambda: peer._streams.owing == [], "it is dealt with")

    run(test)


def test_readers_that_wait_for_room_make_the_controller_late_until_they_have_caught_up() -> None:
    async def test() -> None:
        engine = Engine(router_id=bytes([10, 0, 0, 1]), asn=65001, digest_key=b"k" * 16)
        problems: list[BaseException] = []
        thread: EngineThread[Engine] = EngineThread(engine, asyncio.get_running_loop(), problems.append)
        thread.start()
        gate = threading.Event()
        try:
            assert not thread.behind
            held = threading.Event()

            def hold(_: Engine) -> None:
                held.set()
                gate.wait(30)

            thread.post(hold)
            await until(held.is_set, "the thread is held")  # else it might take some of these along
            for _ in range(DEPTH + 1):
                thread.post(lambda _: None)
            reader = asyncio.ensure_future(thread.room())
            await until(lambda: thread.behind, "a reader waits")
            gate.set()
            await reader
            assert thread.behind  # what came meanwhile is not read yet
            await until(lambda: not thread.behind, "it has caught up")
        finally:
            gate.set()
            await thread.stop()
        assert problems == []

    run(test)


def test_a_box_whose_words_are_old_and_not_all_read_makes_its_neighbors_wait(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            assert not one.peers.behind("ncp1")  # all is read
            one.peers._unread["ncp1"] = lambda: True
            one.peers._read_to["ncp1"] = one.clock() - 1
            assert one.peers.behind("ncp1")
            (peer,) = one.peers.all
            assert peer._streams.owing == [peer.up.conn if peer.up is not None else None]
            remote.send(update(["203.0.113.0/24"]))
            await until(lambda: not one.peers.behind("ncp1"), "what was sent a moment ago is read")

    run(test)
