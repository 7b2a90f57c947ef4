"""routingd is back after a restart: what its boxes and neighbors kept stays until the RIB is whole (RFC 4724 4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fibd.wire import Role, SnapshotBegin, StreamClose, StreamData
from protocols.bgp.capabilities import GracefulRestart
from protocols.bgp.graceful import Mode
from routingd.controller import Controller, RouterPlan
from routingd.identity import KnownNeighbors
from routingd.restart import Restart
from tests.routingd.fake_agent import END_OF_RIB, FakeAgent, RemotePeer, until, update
from tests.routingd.test_controller import controller, established, plan, run

THERE, BEHIND = "192.0.2.2", "198.51.100.0/24"


@asynccontextmanager
async def restarted(
    directory: Path, agent: FakeAgent, deferral: float = 360.0, router: RouterPlan | None = None
) -> AsyncIterator[Controller]:
    """A controller that follows another one, whose second neighbor is not configured any more."""
    known = KnownNeighbors(directory)
    known.write(frozenset({THERE, "192.0.2.99"}))
    agent.keeps = True
    async with controller(directory, replace(router or plan(), deferral=deferral), known) as one:
        yield one


def offered(remote: RemotePeer) -> GracefulRestart:
    """What the OPEN of the controller said to the peer."""
    (connection,) = remote.session.connections
    assert connection.received is not None
    (found,) = [c for c in connection.received.capabilities if isinstance(c, GracefulRestart)]
    return found


def test_boxes_and_neighbors_are_told_nothing_until_the_neighbors_have_told_everything(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with restarted(tmp_path, agent) as one:
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            said = offered(remote)
            assert (said.restarting, said.families) == (True, ((1, 1, True),))
            remote.send(update([BEHIND]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            assert one.feeds["ncp1"].state == "restarting"
            assert not agent.of(Role.FIB, SnapshotBegin)
            assert remote.updates == 0
            remote.send(END_OF_RIB)
            await until(lambda: BEHIND in agent.prefixes(), "the box gets its FIB")
            await until(lambda: one.feeds["ncp1"].state == "forwarding", "the snapshot agrees")
            await until(lambda: remote.updates, "End-of-RIB")
            assert not one.peers.all[0].session.forwarding.restarting

    run(test)


def test_a_neighbor_that_has_not_told_everything_is_waited_for_until_the_deferral_timer_expires(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with restarted(tmp_path, agent, deferral=0.5) as one:
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            remote.send(update([BEHIND]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            assert one.restart.deferring
            await until(lambda: BEHIND in agent.prefixes(), "the timer expires")
            await until(lambda: remote.updates, "End-of-RIB")

    run(test)


def test_neighbors_that_restarted_too_or_know_no_graceful_restart_any_more_are_not_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        for number, mode in enumerate((Mode.ON, Mode.OFF)):
            directory = tmp_path / str(number)
            directory.mkdir()
            agent = FakeAgent("ncp1")
            async with restarted(directory, agent) as one:
                remote = RemotePeer(agent, restarts=mode)
                if mode is Mode.ON:
                    remote.session.forwarding = replace(remote.session.forwarding, restarting=True)
                await established(directory, agent, remote)
                await until(lambda one=one: not one.restart.deferring, "nobody is waited for")  # type: ignore[misc]
                await until(lambda agent=agent: agent.of(Role.FIB, SnapshotBegin), "a snapshot")  # type: ignore[misc]

    run(test)


def test_without_neighbors_to_wait_for_or_a_box_that_kept_forwarding_nothing_waits(tmp_path: Path) -> None:
    async def test() -> None:
        for number, keeps in enumerate((True, False)):
            directory = tmp_path / str(number)
            directory.mkdir()
            known = KnownNeighbors(directory)
            known.write(frozenset() if keeps else frozenset({THERE}))
            async with controller(directory, known=known):
                agent = FakeAgent("ncp1")
                agent.keeps = keeps
                remote = await established(directory, agent, RemotePeer(agent, restarts=Mode.ON))
                await until(lambda remote=remote: remote.updates, "End-of-RIB")  # type: ignore[misc]
                assert not offered(remote).restarting
                assert agent.of(Role.FIB, SnapshotBegin)

    run(test)


def test_the_neighbors_with_graceful_restart_are_noted_for_the_next_one(tmp_path: Path) -> None:
    async def test() -> None:
        known = KnownNeighbors(tmp_path)
        async with controller(tmp_path, known=known):
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.HELPER))
            await until(lambda: known.read() == {THERE}, "noted")
            agent.remote = None
            remote.restart()
            await until(lambda: known.read() == frozenset(), "and not any more")

    run(test)


def test_who_ends_to_come_back_leaves_neighbors_with_graceful_restart_without_a_word(tmp_path: Path) -> None:
    async def test() -> None:
        for number, (mode, returning, told) in enumerate(
            ((Mode.ON, True, False), (Mode.ON, False, True), (Mode.OFF, True, True))
        ):
            directory = tmp_path / str(number)
            directory.mkdir()
            known = KnownNeighbors(directory)
            agent = FakeAgent("ncp1")
            async with controller(directory, known=known) as one:
                await established(directory, agent, RemotePeer(agent, restarts=mode))
                await until(lambda one=one: one.peers.all[0].up, "it is up here too")  # type: ignore[misc]
                await one.stop("test", returning=returning)
                last = b"".join(data for m in agent.of(Role.STREAMS, StreamData) for _, data in m.rows)
                # What is left alone is there for the next routingd.
                assert bool(agent.of(Role.STREAMS, StreamClose)) == told
                assert (last[-100:].find(b"\x03\x06") >= 0) == told, (mode, returning)
                assert known.read() == ({THERE} if mode is Mode.ON else frozenset())

    run(test)


def test_a_box_that_keeps_what_this_routingd_told_it_makes_no_restart() -> None:
    async def test() -> None:
        restart = Restart(frozenset({THERE}), 360.0, list, lambda: None)
        restart.box("ncp1", False)
        restart.box("ncp1", True)
        assert not restart.deferring

    run(test)


class Adopted:
    """A neighbor whose session goes on, and what of it has told everything."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.end_of_rib: frozenset[tuple[int, int]] = frozenset()
        agreed = SimpleNamespace(graceful=SimpleNamespace(restarting=False), families=((1, 1),))
        self.up = SimpleNamespace(agreed=agreed)
        self.session = plan().neighbors[0].session


def test_a_neighbor_adopted_when_all_others_have_told_everything_is_waited_for_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("routingd.restart.CALM", 0.05)

    async def test() -> None:
        there, late = Adopted("192.0.2.2"), Adopted("192.0.2.3")
        over: list[float] = []
        clock = asyncio.get_running_loop().time
        restart = Restart(
            frozenset({there.name}), 360.0, lambda: cast(Any, [there, late]), lambda: over.append(clock())
        )
        restart.box("ncp1", True)
        there.end_of_rib = frozenset({(1, 1)})
        restart.look()
        calm = clock()
        assert restart.waits_for == frozenset()
        restart.expect(late.name)
        await until(lambda: clock() > calm + 0.1, "the calm would be over")
        assert (restart.deferring, over) == (True, []), "it has told nothing yet"
        late.end_of_rib = frozenset({(1, 1)})
        told = clock()
        restart.look()
        await until(lambda: over, "the restart is over")
        assert over[0] >= told + 0.05

    run(test)


def test_a_box_that_comes_when_the_deferral_timer_has_expired_makes_no_restart() -> None:
    async def test() -> None:
        restart = Restart(frozenset({THERE}), 0.0, list, lambda: None)
        restart.box("ncp1", True)
        assert not restart.deferring

    run(test)


def test_a_neighbor_that_was_told_already_when_the_restart_is_over_is_not_told_by_a_second_reader(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with controller(tmp_path) as one:
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            await until(lambda: remote.updates, "End-of-RIB")
            one.peers.restarted()
            groups = await one.engine.call(lambda engine: engine.export_groups())
            assert sum(len(group["members"]) for group in groups) == 1

    run(test)


def test_a_state_directory_that_cannot_be_written_keeps_nobody_from_a_last_word(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        known = KnownNeighbors(tmp_path / "gone")
        async with controller(tmp_path, known=known) as one:
            await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            await one.stop("routingd stops")
            assert agent.of(Role.STREAMS, StreamClose)

    run(test)
