"""`bgp: listen`: neighbors that are there while they are connected, behind a controller with a fake agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fibd.wire import BoxConfig, Hello, Role, Routers, StreamClose, StreamConnect, StreamListen, StreamOpened, Streams
from protocols.bgp.collision import COLLIDES
from protocols.bgp.errors import Cease
from protocols.bgp.graceful import Mode
from routingd.bgp_views import BgpViews
from routingd.controller import SOCKET_NAME, Controller, RouterPlan
from tests.routingd.fake_agent import END_OF_RIB, FakeAgent, RemotePeer, until, update
from tests.routingd.test_controller import controller
from tests.routingd.test_plan import planned

US = bytes([192, 0, 2, 1])
LISTEN = """
interfaces: { eth0: { addresses: [192.0.2.1/24] }, lo: { addresses: [10.255.0.1/32] } }
bgp:
  groups:
    customers:
      asn: external
      password: s3cret
      hold-time: 9
      families: { ipv4-unicast: { import: accept, export: accept } }
    inside: { asn: internal, source: 10.255.0.1, families: { ipv4-unicast: { import: accept } } }
  neighbors:
    192.0.2.9: { asn: 65009, ttl-security: true, passive: true }
  listen:
    192.0.2.0/25: { group: customers, limit: 1 }
    10.255.0.0/24: { group: inside }
"""


def host(number: int) -> bytes:
    return bytes([192, 0, 2, number])


def run(directory: Path, plan: RouterPlan, test: Callable[[Controller, FakeAgent], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), controller(directory, plan) as one:
            agent = FakeAgent("ncp1")
            await agent.connect(directory / SOCKET_NAME)
            agent.facts()
            await test(one, agent)

    asyncio.run(bounded())


def dials(agent: FakeAgent, stream: int, remote: bytes) -> None:
    agent.send(Role.STREAMS, StreamOpened(stream, 1, US, 179, remote, 50000))


def refused(agent: FakeAgent, stream: int) -> bool:
    return any(m.stream == stream and m.reset for m in agent.of(Role.STREAMS, StreamClose))


def comes_up(agent: FakeAgent, stream: int, remote: bytes, asn: int, peer: RemotePeer | None = None) -> RemotePeer:
    peer = peer or RemotePeer(agent, asn)
    peer.stream, peer.conn = stream, 0
    dials(agent, stream, remote)
    peer._perform(peer.session.connected(0, remote, US, True, 0.0))
    return peer


def test_a_box_is_told_prefixes_with_their_keys_beside_the_neighbors_of_the_same_address(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        await until(lambda: len(agent.of(Role.STREAMS, StreamListen)) == 2, "both listeners")
        inside, customers = agent.of(Role.STREAMS, StreamListen)
        assert (inside.local, inside.allow, inside.ranges) == (
            bytes([10, 255, 0, 1]), [], [[bytes([10, 255, 0, 0]), 24, "", 64, 0]],
        )  # fmt: skip
        assert (customers.local, customers.allow, customers.ranges) == (
            US, [[host(9), "", 255, 255]], [[host(0), 25, "s3cret", 1, 0]],
        )  # fmt: skip

    run(tmp_path, planned(LISTEN), test)


def test_a_prefix_on_no_subnet_is_listened_for_on_any_address_and_then_there_is_one_listener(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        await until(lambda: agent.of(Role.STREAMS, StreamListen), "the listener")
        (listener,) = agent.of(Role.STREAMS, StreamListen)
        assert listener.local == bytes(4)
        assert [row[0] for row in listener.allow] == [host(9)]
        assert {(row[0][0], row[1]) for row in listener.ranges} == {(192, 25), (10, 24), (172, 12)}

    far = LISTEN + "    172.16.0.0/12: { group: customers }\n"
    run(tmp_path, planned(far), test)


def test_link_local_neighbors_have_a_listener_on_their_port_which_asks_for_all_others_too(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        await until(lambda: len(agent.of(Role.STREAMS, StreamListen)) == 3, "the listeners")
        everywhere, on_eth0, on_eth1 = agent.of(Role.STREAMS, StreamListen)
        two, three = (bytes.fromhex(f"fe80{0:024x}{last:04x}") for last in (2, 3))
        far = bytes.fromhex("20010db8" + "00" * 12)
        assert (everywhere.local, everywhere.device, everywhere.ranges[0][:2]) == (bytes(16), "", [far, 32])
        assert (on_eth0.local, on_eth0.device, [row[0] for row in on_eth0.allow]) == (bytes(16), "eth0", [two])
        assert (on_eth1.local[:2], on_eth1.device, [row[0] for row in on_eth1.allow]) == (b"\xfe\x80", "eth1", [three])
        assert on_eth0.ranges == on_eth1.ranges == everywhere.ranges

    text = """
interfaces: { eth0: {}, eth1: { addresses: ["fe80::1/64"] } }
bgp:
  groups: { g: { asn: external } }
  neighbors: { fe80::2%eth0: { asn: 65002, passive: true }, fe80::3%eth1: { asn: 65003, passive: true } }
  listen: { "2001:db8::/32": { group: g } }
"""
    run(tmp_path, planned(text), test)


def test_an_unnumbered_neighbor_is_where_its_last_router_advertisement_came_from(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        (peer,) = one.peers.all
        await until(lambda: agent.of(Role.STREAMS, StreamListen), "the listener")
        (listener,) = agent.of(Role.STREAMS, StreamListen)
        first, second = (bytes.fromhex(f"fe80{0:024x}{last:04x}") for last in (2, 3))
        assert (listener.device, listener.allow) == ("eth0", [])
        assert listener.ranges == [[bytes.fromhex("fe80").ljust(16, b"\0"), 10, "", 1, 0]]
        assert (peer.name, agent.of(Role.STREAMS, StreamConnect)) == ("eth0", [])
        assert agent.of(Role.CONTROL, BoxConfig)[-1].discover == ["eth0"]
        agent.send(Role.CONTROL, Routers(4, [["eth0", first]]))
        await until(lambda: agent.of(Role.STREAMS, StreamConnect), "an attempt")
        attempt = agent.of(Role.STREAMS, StreamConnect)[0]
        assert (attempt.remote, attempt.device, attempt.local) == (first, "eth0", b"")
        agent.send(Role.CONTROL, Routers(5, [["eth0", second]]))
        agent.send(Role.STREAMS, StreamClose(attempt.stream, "no route"))
        await until(lambda: agent.of(Role.STREAMS, StreamConnect)[-1].remote == second, "the next attempt")
        assert peer.names == ("eth0", "fe80::3%eth0", "fe80::3%ncp1/eth0", "ncp1/eth0")

    run(tmp_path, planned("interfaces: { eth0: {} }\nbgp: { interfaces: { eth0: { asn: external } } }"), test)


def test_an_unnumbered_neighbor_that_was_not_heard_is_not_connected_to_whoever_asks(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        (peer,) = one.peers.all
        peer.start()
        await until(lambda: peer.session.counters.connect_failures, "the attempt fails")
        assert agent.of(Role.STREAMS, StreamConnect) == []
        assert peer.session.last_connect_error == "no router advertisement heard on eth0"

    run(tmp_path, planned("interfaces: { eth0: {} }\nbgp: { interfaces: { eth0: { asn: external } } }"), test)


def test_a_box_that_has_lost_the_others_takes_no_new_neighbors_until_it_is_back(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        await until(lambda: agent.of(Role.STREAMS, StreamListen), "the listeners")
        one.peers.isolated("ncp1", True)
        dials(agent, 1, host(20))
        await until(lambda: refused(agent, 1) or one.peers.named("192.0.2.20") is not None, "a decision")
        assert one.peers.named("192.0.2.20") is None
        one.peers.isolated("ncp1", False)
        comes_up(agent, 3, host(20), 65020)
        await until(lambda: (peer := one.peers.named("192.0.2.20")) is not None and peer.up is not None, "the session")

    run(tmp_path, planned(LISTEN), test)


def test_a_neighbor_that_a_limit_holds_down_for_good_stays_down_when_its_box_is_back(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        idle, plain = (one.peers.named(f"192.0.2.{last}") for last in (2, 3))
        assert idle is not None
        assert plain is not None
        remote = RemotePeer(agent)
        await until(lambda: idle.up is not None, "the session")
        remote.send(update(["198.51.100.0/24", "203.0.113.0/24"]))
        await until(lambda: idle.session.idle_for_good, "it has told too much")
        one.peers.isolated("ncp1", True)
        assert not plain.session.running
        one.peers.isolated("ncp1", False)
        assert plain.session.running
        assert (idle.session.idle_for_good, str(idle.session.state)) == (True, "Idle")

    text = """
interfaces: { eth0: { addresses: [192.0.2.1/24] } }
bgp:
  neighbors:
    192.0.2.2:
      asn: 65002
      families: { ipv4-unicast: { import: accept, maximum-prefixes: { limit: 1, action: idle } } }
    192.0.2.3: { asn: 65003, passive: true }
"""
    run(tmp_path, planned(text), test)


def test_one_of_a_prefix_whose_session_cannot_go_on_is_a_neighbor_again_when_it_comes(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.timeout(60), controller(tmp_path, planned(LISTEN)) as one:
            agent = FakeAgent("ncp1")
            rows = [[3, 1, US, 179, host(7), 50000, "", b"what is this"]]
            agent.kept = Streams(rows, [[3, 60.0, 0.5, 1 << 20]])
            await agent.connect(tmp_path / SOCKET_NAME)
            agent.facts()
            await until(lambda: [m.stream for m in agent.of(Role.STREAMS, StreamClose)] == [3], "it is closed")
            assert one.peers.named("192.0.2.7") is None
            assert one.peers.ranges.members[host(0), 25] == 0
            comes_up(agent, 5, host(7), 65077)
            await until(
                lambda: (peer := one.peers.named("192.0.2.7")) is not None and peer.up is not None, "its return"
            )

    asyncio.run(test())


def test_a_neighbor_that_the_operator_stops_before_its_box_is_there_stays_stopped(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.timeout(60), controller(tmp_path, planned(SIGNED)) as one:
            stopped = one.peers.named("192.0.2.3")
            assert stopped is not None
            stopped.stop(Cease())
            agent = FakeAgent("ncp1")
            for role in Role:
                hello = Hello(role, "ncp1", agent.boot_id, capabilities=["tcp-ao"])
                await agent.connect(tmp_path / SOCKET_NAME, role, hello=hello)
            agent.facts()
            await until(lambda: agent.of(Role.STREAMS, StreamConnect), "the other one's attempt")
            assert (str(stopped.session.state), stopped.session.running) == ("Idle", False)

    asyncio.run(test())


def test_who_else_connects_on_the_port_of_an_unnumbered_neighbor_does_not_become_it(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        (peer,) = one.peers.all
        first, second = (bytes.fromhex(f"fe80{0:024x}{last:04x}") for last in (2, 3))
        ours = bytes.fromhex(f"fe80{0:024x}0001")
        remote = RemotePeer(agent, 65077)
        remote.stream, remote.conn = 1, 0
        agent.send(Role.STREAMS, StreamOpened(1, 1, ours, 179, first, 50000, "eth0"))
        remote._perform(remote.session.connected(0, first, ours, True, 0.0))
        await until(lambda: peer.up is not None, "the session is Established")
        assert (peer.names[1], peer.session.config.remote_asn) == ("fe80::2%eth0", None)
        agent.send(Role.STREAMS, StreamOpened(3, 1, ours, 179, second, 50000, "eth0"))
        await until(lambda: any(m.stream == 3 for m in agent.of(Role.STREAMS, StreamClose)), "the other is refused")
        assert (peer.names[1], peer.up is not None) == ("fe80::2%eth0", True)

    options = "asn: external, passive: true, families: { ipv4-unicast: { import: accept } }"
    run(tmp_path, planned(f"interfaces: {{ eth0: {{}} }}\nbgp: {{ interfaces: {{ eth0: {{ {options} }} }} }}"), test)


def test_who_else_connects_there_does_not_pass_for_the_neighbor_that_has_restarted(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        (peer,) = one.peers.all
        first, second = (bytes.fromhex(f"fe80{0:024x}{last:04x}") for last in (2, 3))
        ours = bytes.fromhex(f"fe80{0:024x}0001")
        remote = RemotePeer(agent, 65077, restarts=Mode.ON)
        remote.stream, remote.conn = 1, 0
        agent.send(Role.STREAMS, StreamOpened(1, 1, ours, 179, first, 50000, "eth0"))
        remote._perform(remote.session.connected(0, first, ours, True, 0.0))
        await until(lambda: peer.up is not None, "the session is Established")
        (connection,) = peer.session.connections
        assert connection.established_at is not None
        connection.established_at -= COLLIDES
        agent.send(Role.CONTROL, Routers(4, [["eth0", second]]))
        agent.send(Role.STREAMS, StreamOpened(3, 1, ours, 179, second, 50000, "eth0"))
        await until(lambda: refused(agent, 3), "the other is turned away")
        assert peer.session.connections == (connection,)
        agent.send(Role.STREAMS, StreamOpened(5, 1, ours, 179, first, 50001, "eth0"))
        await until(lambda: len(peer.session.connections) == 2, "the neighbor itself may have restarted")

    options = "asn: external, passive: true, families: { ipv4-unicast: { import: accept } }"
    run(tmp_path, planned(f"interfaces: {{ eth0: {{}} }}\nbgp: {{ interfaces: {{ eth0: {{ {options} }} }} }}"), test)


SIGNED = """
interfaces: { eth0: { addresses: [192.0.2.1/24] } }
bgp:
  groups:
    g: { asn: external, tcp-ao: [{ send-id: 1, receive-id: 2, key: old }, { send-id: 3, receive-id: 3, key: new }] }
  neighbors: { 192.0.2.2: { group: g }, 192.0.2.3: { asn: 65003 } }
  listen: { 192.0.2.128/25: { group: g } }
"""


def test_a_box_without_tcp_ao_begins_no_session_that_is_to_be_signed(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        await until(lambda: agent.of(Role.STREAMS, StreamConnect), "the other one's attempt")
        (listener,) = agent.of(Role.STREAMS, StreamListen)
        assert ([row[0] for row in listener.allow], listener.ranges, listener.ao) == ([host(3)], [], [])
        assert {m.remote for m in agent.of(Role.STREAMS, StreamConnect)} == {host(3)}
        (row,) = (await BgpViews(one).neighbors("192.0.2.2"))["neighbors"]
        assert (row["tcp_ao"], row["state"]) == (True, "Idle")
        assert row["last_down"] == "ncp1: its kernel has no TCP-AO (Linux has from 6.7 on, with CONFIG_TCP_AO)"

    run(tmp_path, planned(SIGNED), test)


def test_a_box_with_tcp_ao_is_told_the_keys(tmp_path: Path) -> None:
    async def test() -> None:
        async with asyncio.timeout(60), controller(tmp_path, planned(SIGNED)):
            agent = FakeAgent("ncp1")
            for role in Role:
                hello = Hello(role, "ncp1", agent.boot_id, capabilities=["tcp-ao"])
                await agent.connect(tmp_path / SOCKET_NAME, role, hello=hello)
            agent.facts()
            await until(lambda: len(agent.of(Role.STREAMS, StreamConnect)) == 2, "both attempts")
            keys = [[1, 2, "hmac-sha-1-96", b"old"], [3, 3, "hmac-sha-1-96", b"new"]]
            assert {m.remote: m.ao for m in agent.of(Role.STREAMS, StreamConnect)} == {host(2): keys, host(3): []}
            (listener,) = agent.of(Role.STREAMS, StreamListen)
            assert listener.ao == [[host(2), 32, *key] for key in keys] + [[host(128), 25, *key] for key in keys]

    asyncio.run(test())


def test_whoever_connects_from_the_prefix_is_a_neighbor_until_the_session_ends(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        configured = [peer.name for peer in one.peers.all]
        remote = comes_up(agent, 1, host(7), 65077)
        await until(lambda: remote.established, "the session is Established")
        remote.send(update(["198.51.100.0/24"], asn=65077))
        await until(lambda: "198.51.100.0/24" in agent.prefixes(), "its route")
        summary = await BgpViews(one).summary()
        (row,) = [row for row in summary["neighbors"] if row["listen"]]
        assert (row["address"], row["listen"], row["asn"], row["state"]) == (
            "192.0.2.7", "192.0.2.0/25", 65077, "Established",
        )  # fmt: skip
        dials(agent, 3, host(8))
        await until(lambda: refused(agent, 3), "the second is refused")
        dials(agent, 5, host(200))
        await until(lambda: refused(agent, 5), "a stranger is refused")
        listen = (await BgpViews(one).summary())["listen"]
        assert [(r["prefix"], r["neighbors"], r["limit"], r["refused"]) for r in listen] == [
            ("192.0.2.0/25", 1, 1, 1), ("10.255.0.0/24", 0, 100, 0),
        ]  # fmt: skip
        agent.send(Role.STREAMS, StreamClose(1, "the peer closed the connection"))
        await until(lambda: [peer.name for peer in one.peers.all] == configured, "it is no neighbor any more")
        await until(lambda: "198.51.100.0/24" not in agent.prefixes(), "its route is gone")
        dials(agent, 7, host(8))
        await until(lambda: one.peers.ranges.members[host(0), 25] == 1, "there is room again")

    run(tmp_path, planned(LISTEN), test)


def test_one_of_a_prefix_that_the_operator_stopped_stays_so_whatever_its_box_tells(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        remote = comes_up(agent, 1, host(7), 65077)
        await until(lambda: remote.established, "the session is Established")
        (peer,) = [peer for peer in one.peers.all if peer.by is not None]
        peer.stop(Cease())
        one.peers.facts_used("ncp1", [US])
        assert not peer.session.running
        dials(agent, 3, host(8))
        await until(lambda: refused(agent, 3), "nobody takes its place")
        assert peer in one.peers.all

    run(tmp_path, planned(LISTEN), test)


def test_who_connects_and_says_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        dials(agent, 1, host(7))
        await until(lambda: one.peers.ranges.members[host(0), 25] == 1, "a silent one")
        remote = comes_up(agent, 3, host(8), 65078)
        await until(lambda: remote.established, "the session is Established")
        assert any(m.stream == 1 for m in agent.of(Role.STREAMS, StreamClose))
        assert [(peer.name, peer.by is None) for peer in one.peers.all] == [("192.0.2.9", True), ("192.0.2.8", False)]
        dials(agent, 5, host(7))
        await until(lambda: refused(agent, 5), "a session is not displaced")
        assert (one.peers.ranges.members[host(0), 25], one.peers.ranges.refused[host(0), 25]) == (1, 2)

    run(tmp_path, planned(LISTEN), test)


def test_a_neighbor_that_restarts_stays_one_until_its_routes_are_given_up(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        remote = comes_up(agent, 1, host(7), 65077, RemotePeer(agent, 65077, restarts=Mode.ON, restart_time=1))
        await until(lambda: remote.established, "the session is Established")
        remote.send(update(["198.51.100.0/24"], asn=65077) + END_OF_RIB)
        await until(lambda: "198.51.100.0/24" in agent.prefixes(), "its route")
        (before,) = [peer for peer in one.peers.all if peer.by is not None]
        remote.restart()
        await until(lambda: before.up is None, "the session is down")
        assert before in one.peers.all
        comes_up(agent, 3, host(7), 65077, remote)
        await until(lambda: before.up is not None, "the session is back")
        assert "198.51.100.0/24" in agent.prefixes()
        agent.send(Role.STREAMS, StreamClose(3, "reset"))
        await until(lambda: before not in one.peers.all, "its restart time is over")
        await until(lambda: "198.51.100.0/24" not in agent.prefixes(), "its route is gone")

    run(tmp_path, planned(LISTEN), test)


def test_our_own_as_is_not_external(tmp_path: Path) -> None:
    async def test(one: Controller, agent: FakeAgent) -> None:
        remote = comes_up(agent, 1, host(7), 65001)
        await until(lambda: remote.session.counters.last_received is not None, "a NOTIFICATION")
        assert "bad peer as" in str(remote.session.counters.last_received)
        assert not remote.established

    run(tmp_path, planned(LISTEN), test)
