"""A neighbor restarts and its routes stay: the daemon's part, real engine, an agent and a peer in Python."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from fibd.wire import Role
from protocols.bgp.graceful import Mode
from routingd.adj_rib_in import AdjRibIn
from routingd.bgp_views import BgpViews
from routingd.controller import Controller
from routingd.established import Membership, Up
from routingd.sources import known_sources
from tests.routingd.fake_agent import END_OF_RIB, FakeAgent, RemotePeer, until, update
from tests.routingd.test_controller import controller, established, run

KEPT, LOST = "198.51.100.0/24", "203.0.113.0/24"


async def two_routes(directory: Path, agent: FakeAgent, restart_time: int = 120) -> RemotePeer:
    remote = await established(directory, agent, RemotePeer(agent, restarts=Mode.ON, restart_time=restart_time))
    remote.send(update([KEPT, LOST]) + END_OF_RIB)
    await until(lambda: {KEPT, LOST} <= agent.prefixes(), "routes arrive")
    return remote


async def retained(one: Controller) -> tuple[list[str], int, int]:
    """What is waited for, how many paths there are, and how many of them are stale."""
    (row,) = (await BgpViews(one).neighbors(None))["neighbors"]
    family = row["families"]["ipv4-unicast"]
    return [kept["waits_for"] for kept in row["retained"]], family["received"], family["stale"]


def test_routes_stay_in_the_fib_while_the_neighbor_restarts_and_the_rest_goes_at_end_of_rib(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await two_routes(tmp_path, agent)
            source = one.peers.all[0].up
            before = one.feeds["ncp1"].describe()["sent"]
            remote.restart()
            await until(lambda: one.peers.all[0].up is None, "the session is down")
            assert await retained(one) == (["restart"], 2, 2)
            assert source is not None
            assert known_sources(one)[source.membership.source]["name"] == "192.0.2.2"
            await until(lambda: remote.established and one.peers.all[0].up is not None, "the session is back")
            assert await retained(one) == (["end-of-rib"], 2, 2)
            remote.send(update([KEPT]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            assert await retained(one) == (["end-of-rib"], 2, 1)
            assert one.feeds["ncp1"].describe()["sent"] == before
            remote.send(END_OF_RIB)
            await until(lambda: LOST not in agent.prefixes(), "what was not told again goes")
            assert KEPT in agent.prefixes()
            assert await retained(one) == ([], 1, 0)
            assert one.peers.all[0].up is not None
            assert one.peers.all[0].up.membership.source == source.membership.source

    run(test)


class Busy:
    """An engine's thread that has not come to its jobs yet."""

    def post(self, work: Any) -> None:
        pass


def test_the_source_of_a_session_that_is_back_is_known_before_the_engine_has_heard_of_it() -> None:
    sessions = [cast(Up, SimpleNamespace(membership=Membership())) for _ in range(2)]
    given = AdjRibIn(cast(Any, Busy()))
    given.join(sessions[0], {}, ())
    sessions[0].membership.source = 7
    given.leave(sessions[0], frozenset({(1, 1)}))
    given.join(sessions[1], {}, ())
    assert given.of is sessions[1]
    assert sessions[1].membership.source == 7


def test_a_neighbor_that_does_not_come_back_loses_its_routes_after_its_restart_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await two_routes(tmp_path, agent, restart_time=1)
            agent.remote = None  # nobody answers any more
            remote.restart()
            await until(lambda: not {KEPT, LOST} & agent.prefixes(), "they go")
            assert one.peers.all[0].given.of is None
            assert await retained(one) == ([], 0, 0)

    run(test)


def test_a_neighbor_that_lost_its_forwarding_or_forgot_what_it_promised_has_nothing_kept(tmp_path: Path) -> None:
    async def test() -> None:
        for number, (forwarding, restarts) in enumerate(((False, Mode.ON), (True, Mode.HELPER))):
            directory = tmp_path / str(number)
            directory.mkdir()
            async with controller(directory):
                agent = FakeAgent("ncp1")
                remote = await two_routes(directory, agent)
                remote.restart(forwarding=forwarding, restarts=restarts)
                await until(lambda remote=remote: remote.established, "the session is back")  # type: ignore[misc]
                await until(lambda agent=agent: not {KEPT, LOST} & agent.prefixes(), "they go")  # type: ignore[misc]

    run(test)


def test_routes_stay_while_the_streams_of_their_box_are_lost(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            await two_routes(tmp_path, agent)
            await agent.close(Role.STREAMS)
            await until(lambda: one.peers.all[0].up is None, "the session is down")
            assert await retained(one) == (["restart"], 2, 2)
            assert {KEPT, LOST} <= agent.prefixes()

    run(test)


def test_what_a_refresh_of_the_neighbor_leaves_out_goes_at_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await two_routes(tmp_path, agent)
            marker = b"\xff" * 16 + bytes.fromhex("0017 05 0001")
            remote.send(marker + b"\x01\x01" + update([KEPT]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            assert await retained(one) == (["refresh"], 2, 1)
            remote.send(marker + b"\x02\x01")
            await until(lambda: LOST not in agent.prefixes(), "it goes")
            assert KEPT in agent.prefixes()
            assert await retained(one) == ([], 1, 0)

    run(test)
