"""The controller's wiring: real engine, real sockets, an agent and a BGP peer in a few lines of Python."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibd.wire import (
    BoxConfig,
    Bye,
    Capsule,
    Error,
    FactsComplete,
    Heartbeat,
    Hello,
    Lease,
    Ports,
    Role,
    SnapshotBegin,
    SnapshotEnd,
    StreamClose,
    StreamConnect,
    StreamData,
    StreamListen,
    StreamOpened,
    Streams,
    Welcome,
)
from native import Engine
from protocols.bgp.config import FamilyConfig, PeerConfig
from protocols.bgp.fsm import State
from protocols.bgp.session import Session
from routingd.boxes import Box, Boxes, Port
from routingd.controller import SOCKET_NAME, Controller, Known, RouterPlan, Secrets
from routingd.peer_streams import LEASE
from routingd.peers import Neighbor
from tests.routingd.fake_agent import FakeAgent, RemotePeer, until, update

PEER = bytes([192, 0, 2, 2])


def plan(*, boxes: list[Box] | None = None, peers: bool = True, import_policy: str | None = "accept") -> RouterPlan:
    boxes = boxes or [Box("ncp1", ports={"eth0": Port(("192.0.2.1/24",))})]
    families = (FamilyConfig(1, 1, import_policy, "accept"),)
    config = PeerConfig(PEER, 65002, 65001, bytes([10, 0, 0, 1]), families)
    neighbors = (Neighbor(Session(config, random.Random(1)), "transit", "ncp1"),) if peers else ()
    return RouterPlan("r1", bytes([10, 0, 0, 1]), 65001, Boxes(boxes), neighbors)


@asynccontextmanager
async def controller(
    directory: Path, router: RouterPlan | None = None, known: Known | None = None
) -> AsyncIterator[Controller]:
    router = router or plan()
    terms: dict[str, Any] = {"router_id": router.router_id, "asn": 65001, "digest_key": b"k" * 16}
    engine = Engine(**terms, fib=router.boxes.kernel.install)
    problems: list[BaseException] = []
    one = Controller(router, engine, Secrets(5, b"s" * 16, b"k" * 16), problems.append, known)
    await one.start(directory)
    try:
        yield one
    finally:
        await one.stop("test over")
    assert problems == []


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


async def established(directory: Path, agent: FakeAgent, remote: RemotePeer | None = None) -> RemotePeer:
    remote = remote or RemotePeer(agent)
    await agent.connect(directory / SOCKET_NAME)
    agent.facts()
    await until(lambda: remote.established, "the session is Established")
    return remote


def test_a_box_that_reports_its_ports_gets_connected_routes_and_a_snapshot_that_agrees(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)) as one:
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: agent.prefixes() == {"192.0.2.0/24", "192.0.2.1/32"}, "connected routes arrive")
            await until(lambda: one.feeds["ncp1"].state == "forwarding", "the snapshot agrees")
            assert agent.of(Role.FIB, SnapshotBegin, SnapshotEnd)
            welcome = agent.of(Role.FIB, Welcome)[0]
            assert (welcome.election_id, welcome.digest_key, welcome.router) == (5, b"k" * 16, "r1")
            assert one.feeds["ncp1"].feed.fact_sequence == 3

    run(test)


def test_a_port_that_goes_down_or_away_loses_its_connected_routes(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: len(agent.prefixes()) == 2, "connected routes arrive")
            agent.send(Role.CONTROL, Ports(4, [["eth0", 2, True, False, 1500, b"", "veth"]]))
            await until(lambda: agent.prefixes() == set(), "carrier lost")
            agent.send(Role.CONTROL, Ports(5, [["eth0", 2, True, True, 1500, b"", "veth"]]))
            await until(lambda: len(agent.prefixes()) == 2, "carrier back")
            agent.send(Role.CONTROL, Ports(6, [], ["eth0"]))
            await until(lambda: agent.prefixes() == set(), "port gone")

    run(test)


def test_an_update_becomes_a_route_in_the_fib_and_read_credit_comes_back_for_its_bytes(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path):
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            remote.send(update(["198.51.100.0/24", "203.0.113.0/24"]))
            await until(lambda: {"198.51.100.0/24", "203.0.113.0/24"} <= agent.prefixes(), "routes arrive")
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "every byte's credit is back")

    run(test)


def test_an_established_session_deposits_a_capsule_and_leases_its_keepalives(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path):
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            await until(lambda: agent.of(Role.STREAMS, Lease), "a lease")
            lease = agent.of(Role.STREAMS, Lease)[0]
            assert (lease.stream, lease.interval, lease.lease) == (remote.stream, 30.0, LEASE)
            assert lease.packet == b"\xff" * 16 + b"\0\x13\x04"
            assert agent.of(Role.STREAMS, Capsule)[0].stream == remote.stream

    run(test)


def test_routes_of_one_peer_are_exported_to_another_only_as_far_as_its_credit_goes(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            await until(
                lambda: one.peers.all[0].up is not None and one.peers.all[0].up.end_of_rib_sent, "End-of-RIB sent"
            )
            await until(lambda: remote.updates == 1, "End-of-RIB received")
            stream = one.peers.all[0].stream
            assert stream is not None
            sent = sum(len(data) for m in agent.of(Role.STREAMS, StreamData) for _, data in m.rows)
            assert stream.credit == (1 << 20) - sent

    run(test)


def test_without_an_import_policy_nothing_is_used(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(import_policy=None)) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            remote.send(update(["198.51.100.0/24"]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "the UPDATE was dealt with")
            counts = await one.engine.call(lambda engine: engine.counts())
            assert counts["ipv4"]["paths"] == 2  # the connected ones

    run(test)


def test_a_lost_streams_connection_ends_the_sessions_and_withdraws_what_they_brought(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            remote.send(update(["198.51.100.0/24"]))
            await until(lambda: "198.51.100.0/24" in agent.prefixes(), "the route arrives")
            await agent.close(Role.STREAMS)
            await until(lambda: "198.51.100.0/24" not in agent.prefixes(), "the route is withdrawn")
            assert one.peers.all[0].session.state is not State.ESTABLISHED

    run(test)


def test_an_agent_that_loses_control_loses_all_three_connections_and_may_come_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: len(agent.prefixes()) == 2, "connected routes arrive")
            await agent.close(Role.CONTROL)
            await until(lambda: agent.closed == set(Role), "all three are closed")
            again = FakeAgent("ncp1", boot=2)
            await again.connect(tmp_path / SOCKET_NAME)
            await until(lambda: len(again.prefixes()) == 2, "what was known of the box is still in the RIB")
            again.facts(address=bytes([198, 51, 100, 1]))
            await until(
                lambda: again.prefixes() == {"198.51.100.0/24", "198.51.100.1/32"}, "the new picture replaces it"
            )

    run(test)


def test_a_box_that_stays_away_longer_than_it_forwards_leaves_the_rib(
    tmp_path: Path,
) -> None:
    async def prefixes(one: Controller) -> int:
        counts = await one.engine.call(lambda engine: engine.counts())
        return int(counts["ipv4"]["prefixes"])

    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)) as one:
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: len(agent.prefixes()) == 2, "connected routes arrive")
            await agent.close(Role.CONTROL)
            await until(lambda: one._away, "the box is away")
            again = FakeAgent("ncp1", boot=2)
            await again.connect(tmp_path / SOCKET_NAME)
            await until(lambda: not one._away, "the box is back")
            assert await prefixes(one) == 2
            one.plan = replace(one.plan, grace=0.05)
            await again.close(Role.CONTROL)
            await until(lambda: not one.facts.pictures["ncp1"].ports, "the box is lost")
            assert await prefixes(one) == 0

    run(test)


def test_a_second_agent_of_one_name_is_refused_and_the_first_notices_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)) as one:
            agent, second = FakeAgent("ncp1"), FakeAgent("ncp1", boot=2)
            await agent.connect(tmp_path / SOCKET_NAME)
            await second.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            assert [m.code for m in second.of(Role.CONTROL, Error)] == ["duplicate"]
            await until(lambda: Role.CONTROL in second.closed, "the second is closed")
            assert agent.closed == set()
            assert one.membership.refused == {"duplicate": 1}

    run(test)


def test_unknown_names_and_higher_elections_are_refused_with_what_to_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            stranger = FakeAgent("ncp9")
            await stranger.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            (refusal,) = stranger.of(Role.CONTROL, Error)
            assert refusal.code == "name"
            assert "ncp1" in refusal.text
            other = FakeAgent("ncp1")
            hello = Hello(Role.CONTROL, "ncp1", other.boot_id, election_id=6)
            await other.connect(tmp_path / SOCKET_NAME, Role.CONTROL, hello=hello)
            assert [m.code for m in other.of(Role.CONTROL, Error)] == ["election"]

    run(test)


def test_garbage_closes_the_connection_that_sent_it_and_no_other(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.writers[Role.STREAMS].write(b"\0\0\0\x08\x24\0\0\0\xff\xff\xff\xff")
            await until(lambda: Role.STREAMS in agent.closed, "streams closed")
            assert agent.of(Role.STREAMS, Error)[0].code == "protocol"
            assert agent.closed == {Role.STREAMS}
            await agent.connect(tmp_path / SOCKET_NAME, Role.STREAMS)
            assert len(agent.of(Role.STREAMS, Welcome)) == 2
            _reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET_NAME)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await _reader.read())[4] == Error.TYPE
            writer.close()
            assert agent.closed == set()

    run(test)


def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            assert (tmp_path / SOCKET_NAME).stat().st_mode & 0o777 == 0o600

    run(test)


def test_inbound_connections_belong_to_the_neighbor_with_that_address_and_others_are_reset(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamListen), "a listener")
            listen = agent.of(Role.STREAMS, StreamListen)[0]
            assert (listen.local, listen.port, listen.allow) == (bytes([192, 0, 2, 1]), 179, [[PEER, "", 1, 0]])
            local = bytes([192, 0, 2, 1])
            agent.send(Role.STREAMS, StreamOpened(1, listen.listener, local, 179, bytes([192, 0, 2, 77]), 4000))
            await until(lambda: agent.of(Role.STREAMS, StreamClose), "the stranger is reset")
            assert agent.of(Role.STREAMS, StreamClose)[0].reset
            agent.send(Role.STREAMS, StreamOpened(3, listen.listener, local, 179, PEER, 4000))
            await until(lambda: agent.of(Role.STREAMS, StreamData), "our OPEN on the accepted stream")
            assert agent.of(Role.STREAMS, StreamData)[0].rows[0][0] == [3]
            assert one.peers.turned_away == 1

    run(test)


def test_streams_of_an_earlier_controller_are_closed_and_their_numbers_not_used_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path):
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            agent.facts()
            reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET_NAME)
            agent.writers[Role.STREAMS] = writer
            agent.send(
                Role.STREAMS,
                Hello(Role.STREAMS, "ncp1", agent.boot_id),
                Streams([[6, 0, bytes([192, 0, 2, 1]), 4000, PEER, 179, "", b"old"]]),
            )
            agent._tasks.append(asyncio.create_task(agent._read(Role.STREAMS, reader)))
            await until(lambda: agent.of(Role.STREAMS, StreamConnect), "a fresh attempt")
            assert [m.stream for m in agent.of(Role.STREAMS, StreamClose)] == [6]
            assert agent.of(Role.STREAMS, StreamConnect)[0].stream == 8

    run(test)


def test_each_box_is_told_the_others_fabric_addresses_once_they_are_known(tmp_path: Path) -> None:
    async def test() -> None:
        boxes = [
            Box("ncp1", ports={"eth0": Port(("192.0.2.1/24",))}, fabric_port="fab0", fabric_ipv4="169.254.100.1"),
            Box("ncp2", ports={"eth0": Port(("198.51.100.1/24",))}, fabric_port="fab0", fabric_ipv4="169.254.100.2"),
        ]
        async with controller(tmp_path, plan(boxes=boxes, peers=False)):
            one, two = FakeAgent("ncp1"), FakeAgent("ncp2", boot=2)
            await one.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            await until(lambda: one.of(Role.CONTROL, BoxConfig), "its configuration")
            first = one.of(Role.CONTROL, BoxConfig)[0]
            assert first.fabric_peers == {"ncp2": [bytes([169, 254, 100, 2]), b""]}
            assert first.interfaces == {"eth0": ["192.0.2.1/24"]}
            await two.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            link_local = bytes.fromhex("fe800000000000000000000000000002")
            two.facts("fab0", link_local, 64)
            await until(lambda: len(one.of(Role.CONTROL, BoxConfig)) == 2, "a second configuration")
            second = one.of(Role.CONTROL, BoxConfig)[1]
            assert second.fabric_peers == {"ncp2": [bytes([169, 254, 100, 2]), link_local]}
            assert second.generation > first.generation

    run(test)


def test_a_silent_agent_is_given_up_after_three_heartbeats(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)):
            agent = FakeAgent("ncp1")
            agent._react = lambda role, message: None  # type: ignore[method-assign]
            await agent.connect(tmp_path / SOCKET_NAME, Role.CONTROL)
            await until(lambda: Role.CONTROL in agent.closed, "given up")
            assert 2 <= len(agent.of(Role.CONTROL, Heartbeat)) <= 4

    run(test)


def test_stopping_tells_peers_and_agents_why(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with controller(tmp_path):
            await established(tmp_path, agent)
        await until(lambda: agent.closed == set(Role), "all closed")
        (cease,) = [data for m in agent.of(Role.STREAMS, StreamData) for _, data in m.rows if data[18] == 3]
        # RFC 8538 3, RFC 4486: Cease, Hard Reset for an Administrative Shutdown
        assert cease[19:23] == b"\x06\x09\x06\x02"
        assert agent.of(Role.STREAMS, StreamClose)
        (bye,) = agent.of(Role.CONTROL, Bye)
        assert not bye.flush

    run(test)


def test_facts_told_twice_change_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, plan(peers=False)) as one:
            agent = FakeAgent("ncp1")
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: one.feeds["ncp1"].state == "forwarding", "the snapshot agrees")
            await until(lambda: len(agent.prefixes()) == 2, "connected routes arrive")
            before = one.feeds["ncp1"].describe()["sent"]
            agent.facts()
            agent.send(Role.CONTROL, FactsComplete(9))
            await until(lambda: one.feeds["ncp1"].feed.fact_sequence == 9, "the facts were used")
            assert one.feeds["ncp1"].describe()["sent"] == before

    run(test)
