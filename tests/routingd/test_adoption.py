"""The controller was away, or the way to it: sessions that can go on do, and nobody is refused meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fibd.wire import (
    Capsule,
    Role,
    SnapshotBegin,
    StreamAdopt,
    StreamClose,
    StreamConnect,
    StreamData,
    StreamListen,
    StreamUnlisten,
)
from protocols.bgp.capsule import opened
from protocols.bgp.graceful import Mode
from protocols.bgp.messages import RouteRefreshMessage
from protocols.effects import MarkStale, RefreshRequested, SweepStale
from routingd.controller import SOCKET_NAME
from routingd.identity import KnownNeighbors
from tests.routingd.fake_agent import FakeAgent, RemotePeer, until, update
from tests.routingd.test_controller import controller, established, run

THERE, BEHIND, NEW = "192.0.2.2", "198.51.100.0/24", "203.0.113.0/24"
BEGINS, ENDS = (RouteRefreshMessage(1, 1, subtype).encode() for subtype in (1, 2))


async def before(directory: Path, agent: FakeAgent) -> RemotePeer:
    """A routingd that ends to come back, and the session that it leaves with the box."""
    known = KnownNeighbors(directory)
    async with controller(directory, known=known) as one:
        remote = await established(directory, agent, RemotePeer(agent, restarts=Mode.ON))
        remote.send(update([BEHIND]))
        await until(lambda: BEHIND in agent.prefixes(), "its route")
        await until(lambda: agent.of(Role.STREAMS, Capsule)[1:], "it has been told everything")
        await one.stop("an upgrade", returning=True)
        assert not agent.of(Role.STREAMS, StreamClose, StreamUnlisten)
    agent.keeps = True
    remote.outlives()
    return remote


def test_a_capsule_is_left_at_once_and_says_later_that_the_neighbor_has_been_told_everything(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path):
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            await until(lambda: len(agent.of(Role.STREAMS, Capsule)) == 2, "both")
            first, second = (opened(m.blob) for m in agent.of(Role.STREAMS, Capsule))
            assert (first.told, second.told, second.election, second.peer) == (False, True, 5, THERE)
            assert (second.sent, second.received) != (b"", b"")
            assert all(m.stream == remote.stream for m in agent.of(Role.STREAMS, Capsule))

    run(test)


def test_the_next_routingd_goes_on_with_the_session_and_both_sides_tell_everything_again(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        remote = await before(tmp_path, agent)
        async with controller(tmp_path, known=KnownNeighbors(tmp_path)) as one:
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamAdopt), "the stream is adopted")
            await until(lambda: RefreshRequested(remote.conn, 1, 1) in remote.log, "it is asked again")
            (peer,) = one.peers.all
            described = peer.session.describe(one.clock())
            assert 60 <= described["uptime"] < 90
            assert described["came_back"] == {"adopted": True, "reason": None}
            remote.send(BEGINS + update([NEW]))
            await until(lambda: remote.credit_given_back() > 0, "it was taken")
            assert one.restart.deferring
            assert MarkStale(1, 1) not in remote.log, "nothing is told before the RIB is whole"
            remote.send(ENDS)
            await until(lambda: SweepStale(1, 1) in remote.log, "it may sweep what was not told again")
            assert remote.log.index(MarkStale(1, 1)) < remote.log.index(SweepStale(1, 1))
            await until(lambda: NEW in agent.prefixes(), "the box has what came")
            assert BEHIND not in agent.prefixes()
            assert not agent.of(Role.STREAMS, StreamConnect, StreamClose)

    run(test)


def test_a_session_that_does_not_fit_is_closed_without_a_word_and_begun_again_as_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        remote = await before(tmp_path, agent)
        agent.kept.rows[0][7] = b"what is this"
        async with controller(tmp_path, known=KnownNeighbors(tmp_path)) as one:
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamConnect), "another connection")
            closed = agent.of(Role.STREAMS, StreamClose)[0]
            assert (closed.stream, closed.reset) == (agent.kept.rows[0][0], False)
            assert not [m for m in agent.of(Role.STREAMS, StreamData) if [closed.stream] in [row[0] for row in m.rows]]
            (peer,) = one.peers.all
            assert peer.session.came_back == (False, "its capsule cannot be read")
            assert remote.stream != closed.stream

    run(test)


def test_a_session_whose_box_was_out_of_reach_for_a_moment_goes_on_too(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with controller(tmp_path) as one:
            remote = await established(tmp_path, agent, RemotePeer(agent, restarts=Mode.ON))
            remote.send(update([BEHIND]))
            await until(lambda: BEHIND in agent.prefixes(), "its route")
            await until(lambda: agent.of(Role.STREAMS, Capsule)[1:], "it has been told everything")
            await agent.close()
            (peer,) = one.peers.all
            await until(lambda: peer.up is None, "the session is out of reach")
            remote.outlives()
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: peer.up is not None, "it goes on")
            await until(lambda: RefreshRequested(remote.conn, 1, 1) in remote.log, "it is asked again")
            remote.send(BEGINS + update([NEW]) + ENDS)
            await until(lambda: {BEHIND, NEW} & agent.prefixes() == {NEW}, "what was not told again goes")
            await until(lambda: SweepStale(1, 1) in remote.log, "and there")
            assert not agent.of(Role.STREAMS, StreamClose)

    run(test)


def test_two_streams_of_one_neighbor_are_one_too_many(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        await before(tmp_path, agent)
        (row,), (life,) = agent.kept.rows, agent.kept.lives
        agent.kept.rows.append([row[0] + 2, *row[1:]])
        agent.kept.lives.append([life[0] + 2, *life[1:]])
        async with controller(tmp_path, known=KnownNeighbors(tmp_path)):
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamClose), "the second is closed")
            assert [m.stream for m in agent.of(Role.STREAMS, StreamAdopt)] == [row[0]]
            assert [m.stream for m in agent.of(Role.STREAMS, StreamClose)] == [row[0] + 2]

    run(test)


def test_nobody_may_connect_before_the_sessions_of_the_box_can_begin(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path):
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            await asyncio.sleep(0)
            assert agent.of(Role.STREAMS, StreamListen) == [], "a neighbor would be refused, and pause"
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamListen), "now it may")
            await until(lambda: agent.of(Role.FIB, SnapshotBegin), "the FIB")

    run(test)
