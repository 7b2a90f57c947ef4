"""A whole routingd with a box that answers when told to: what its neighbor hears, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fibd.wire import Ack, Role, StreamData
from routingd.controller import RouterPlan
from routingd.statics import RibPlan, StaticRoute
from tests.lab.updates import Replay
from tests.routingd.fake_agent import FakeAgent, RemotePeer, until
from tests.routingd.test_consistency import Asked
from tests.routingd.test_controller import controller, established, plan, run

DISCARDED = (bytes([11, 0, 0, 0]), 8)
OURS = "11.0.0.0/8"


def originating(*, installed: bool) -> RouterPlan:
    rib = RibPlan((StaticRoute(DISCARDED, "blackhole"),), (DISCARDED,), options={"advertise_installed": installed})
    return replace(plan(), rib=rib)


def told(agent: FakeAgent, remote: RemotePeer) -> Replay:
    rows = [row for message in agent.of(Role.STREAMS, StreamData) for row in message.rows]
    return Replay().feed(b"".join(data for streams, data in rows if remote.stream in streams))


def acknowledge(agent: FakeAgent, *failures: tuple[int, str]) -> None:
    """All that was sent, but for our own prefix where an error says so."""
    sequence = max(m.sequence for role, m in agent.received if role is Role.FIB and hasattr(m, "sequence"))
    rows = [[sequence, -1, 1, *DISCARDED, errno, text] for errno, text in failures]
    agent.send(Role.FIB, Ack(sequence, sequence, sequence, 8 << 20, rows))


def test_a_neighbor_hears_of_a_route_and_of_the_end_once_the_kernel_has_it_and_of_its_end_when_the_kernel_fails(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with controller(tmp_path, originating(installed=True)) as one:
            agent = FakeAgent("ncp1")
            agent.acknowledge = False
            remote = await established(tmp_path, agent)
            await until(lambda: one.peers.all[0].up is not None and OURS in agent.prefixes(), "the box has heard of it")
            assert (told(agent, remote).routes, told(agent, remote).end_of_rib) == ({}, 0)
            acknowledge(agent)
            await until(lambda: told(agent, remote).end_of_rib == 1, "the end of the initial table")
            assert set(told(agent, remote).routes) == {OURS}
            acknowledge(agent, (28, "No space left on device"))
            await until(lambda: not told(agent, remote).routes, "it is withdrawn")
            agent.acknowledge = True
            acknowledge(agent)  # of what was sent meanwhile; another attempt follows by itself
            await until(lambda: OURS in told(agent, remote).routes, "the kernel has room, and it is told again")

    run(test)


def test_explain_names_the_box_that_neighbors_wait_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, originating(installed=True)) as one:
            agent = FakeAgent("ncp1")
            agent.acknowledge = False
            agent.answers["route"] = None
            remote = await established(tmp_path, agent)
            await until(lambda: OURS in agent.prefixes(), "the box has heard of it")
            explained = await Asked(one)("explain", prefix=OURS)
            assert explained["route"]["waits"]
            assert [(row["ncp"], row["awaited"]) for row in explained["ncps"]] == [("ncp1", True)]
            acknowledge(agent)
            await until(lambda: OURS in told(agent, remote).routes, "it is told")
            explained = await Asked(one)("explain", prefix=OURS)
            assert not explained["route"]["waits"]
            assert not explained["ncps"][0]["awaited"]
            subnet = await Asked(one)("explain", prefix="192.0.2.0/24")
            assert not subnet["route"]["waits"]

    run(test)


def test_with_immediately_nobody_waits_for_the_kernel(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, originating(installed=False)):
            agent = FakeAgent("ncp1")
            agent.acknowledge = False
            remote = await established(tmp_path, agent)
            await until(lambda: told(agent, remote).end_of_rib == 1, "the end of the initial table")
            assert set(told(agent, remote).routes) == {OURS}

    run(test)
