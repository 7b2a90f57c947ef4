"""ncpd in a namespace: the controller's routes lie in the kernel, survive what they must, and go when they should."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fibd import wire
from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, Table, box_under_test
from tests.kernel.fake_controller import FakeController
from tests.lab.kernel import Hop
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

FOUR = [f"10.{i}.0.0/16" for i in range(40)]
SIX = [f"2001:db8:{i:x}::/48" for i in range(0x100, 0x120)]


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


def filled(under_test: BoxUnderTest, controller: FakeController | None = None) -> Table:
    """A snapshot with 40 IPv4 routes by both gateways and 32 IPv6 routes by one."""
    table = Table(controller or under_test.controller)
    table.begin()
    table.send(
        adjacencies=[
            table.adjacency(1, PORT_A, PEER_A),
            table.adjacency(2, PORT_B, PEER_B),
            table.adjacency(3, PORT_A, "2001:db8:a::2"),
        ],
        groups=[table.group(1, 1, 2), table.group(2, 3)],
        routes=[*table.routes(1, *FOUR), *table.routes(2, *SIX)],
    )
    assert table.end().agree
    table.wait_installed()
    return table


def test_routes_land_in_the_kernel_with_their_next_hops(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    filled(under_test)
    found = under_test.routes()
    assert set(found) == {*FOUR, *SIX}
    assert found[FOUR[0]] == {(Hop(PEER_A, PORT_A), 1), (Hop(PEER_B, PORT_B), 1)}
    assert found[SIX[0]] == {(Hop("2001:db8:a::2", PORT_A), 1)}
    assert under_test.controller.all(wire.Ack)[-1].failures == []


def test_the_namespace_is_made_a_router(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    read = under_test.box.run("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv4.nexthop_compat_mode").split()
    assert read == ["1", "0"]
    assert "nodad" in under_test.box.ip("-6", "address", "show", "dev", PORT_A)


def test_withdrawn_routes_leave_the_kernel(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    table = filled(under_test)
    table.send(routes=table.routes(1, *FOUR[:39], put=False))
    table.wait_installed()
    assert set(under_test.routes()) == {FOUR[39], *SIX}


def test_a_route_of_an_unknown_group_is_refused_by_name_and_the_others_applied(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    table = filled(under_test)
    table.send(routes=[*table.routes(77, "10.99.0.0/16"), *table.routes(1, "10.98.0.0/16")])
    table.wait_installed()
    failures = [row for ack in under_test.controller.all(wire.Ack) for row in ack.failures]
    assert [(row[1], row[3], row[4]) for row in failures] == [(0, bytes([10, 99, 0, 0]), 16)]
    assert "10.98.0.0/16" in under_test.routes()


def test_without_a_controller_routes_stay_and_the_next_one_is_dialled(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    filled(under_test)
    under_test.controller.close()
    successor = FakeController.unix(under_test.socket)
    successor.wait_connected()
    assert set(under_test.routes()) == {*FOUR, *SIX}
    assert {hello.boot_id for hello in successor.hellos} == {hello.boot_id for hello in under_test.controller.hellos}
    successor.close()


def test_sigterm_keeps_routes_and_a_new_agent_adopts_them_and_sweeps_the_old(under_test: BoxUnderTest) -> None:
    first = under_test.start()
    under_test.ready()
    filled(under_test)
    first.signal(signal.SIGTERM)
    assert first.wait(15) == 0
    assert set(under_test.routes()) == {*FOUR, *SIX}
    under_test.controller.received.clear()

    under_test.start()
    under_test.ready()
    table = Table(under_test.controller)
    table.begin()
    table.send(
        adjacencies=[table.adjacency(11, PORT_A, PEER_A), table.adjacency(12, PORT_B, PEER_B)],
        groups=[table.group(1, 11, 12)],
        routes=table.routes(1, *FOUR[:5]),
    )
    table.wait_installed()
    assert set(under_test.routes()) == {*FOUR, *SIX}, "nothing may be swept before the snapshot has ended"
    assert table.end().agree
    table.wait_installed()
    assert set(under_test.routes()) == set(FOUR[:5])
    assert under_test.routes()[FOUR[0]] == {(Hop(PEER_A, PORT_A), 1), (Hop(PEER_B, PORT_B), 1)}
    assert len(under_test.box.ip_json("nexthop")) == 3


def test_a_snapshot_that_disagrees_sweeps_nothing(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    table = filled(under_test)
    table.begin()
    under_test.controller.send(wire.Role.FIB, wire.SnapshotEnd(1, table.sequence + 1, 99, 7))
    verdict = under_test.controller.wait(wire.SnapshotVerdict, lambda v: not v.agree)
    assert verdict.count != 99
    table.sequence += 1
    table.wait_installed()
    assert set(under_test.routes()) == {*FOUR, *SIX}


def test_a_port_that_loses_carrier_is_reported_and_its_routes_return_with_it(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    filled(under_test)
    under_test.controller.received.clear()
    under_test.peer_a.link_down("eth0")
    under_test.controller.wait(wire.Ports, lambda m: any(row[0] == PORT_A and not row[3] for row in m.present))
    wait_for(
        "the group to shrink to the other port",
        lambda: under_test.routes().get(FOUR[0]),
        lambda hops: hops == {(Hop(PEER_B, PORT_B), 1)},
    )
    assert SIX[0] not in under_test.routes()
    under_test.peer_a.link_up("eth0")
    under_test.controller.wait(wire.Ports, lambda m: any(row[0] == PORT_A and row[3] for row in m.present))
    under_test.wait_routes([*FOUR, *SIX])
    wait_for(
        "both gateways again",
        lambda: under_test.routes()[FOUR[0]],
        lambda hops: hops == {(Hop(PEER_A, PORT_A), 1), (Hop(PEER_B, PORT_B), 1)},
    )


def test_bye_with_flush_empties_the_kernel_and_ends_the_agent(under_test: BoxUnderTest) -> None:
    process = under_test.start()
    under_test.ready()
    filled(under_test)
    under_test.controller.send(wire.Role.CONTROL, wire.Bye("shutdown", 0.0, flush=True))
    assert process.wait(15) == 0
    assert under_test.routes() == {}
    assert under_test.box.ip_json("nexthop") == []


def test_a_controller_with_a_lower_election_id_may_not_write(under_test: BoxUnderTest) -> None:
    process = under_test.start()
    under_test.controller.election_id = 7
    under_test.ready()
    filled(under_test)
    under_test.kill(process)
    under_test.controller.election_id = 6
    under_test.controller.received.clear()
    under_test.start()
    error = under_test.controller.wait(wire.Error)
    assert error.code == "election"
    assert set(under_test.routes()) == {*FOUR, *SIX}


def test_a_person_s_questions_are_answered(under_test: BoxUnderTest) -> None:
    under_test.start()
    under_test.ready()
    filled(under_test)
    assert under_test.controller.ask(1, "route", 1, bytes([10, 1, 0, 0]), 16)["state"] == "installed"
    assert under_test.controller.ask(2, "route", 1, bytes([11, 0, 0, 0]), 8) is None
    page = under_test.controller.ask(3, "routes", 1, 0, 30)
    assert len(page["rows"]) == 30
    rest = under_test.controller.ask(4, "routes", 1, page["next"], 30)
    assert len(rest["rows"]) == 10
    assert rest["next"] is None
    counts = under_test.controller.ask(5, "counts")
    assert (counts["installed"], counts["connections"]) == (72, ["control", "fib", "streams"])
    under_test.controller.send(wire.Role.CONTROL, wire.Query(6, "weather"))
    assert "weather" in under_test.controller.wait(wire.Answer, lambda a: a.id == 6).error
