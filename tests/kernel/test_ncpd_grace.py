"""A box that no controller speaks to: it forwards for the grace, then gives up its routes, or its ports too."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fibd import wire
from tests.kernel.box_under_test import CONFIG, PORT_A, PORT_B, BoxUnderTest, Table, box_under_test
from tests.kernel.fake_controller import FakeController
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
PREFIXES = ("203.0.113.0/24", "2001:db8:f::/48")


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


def with_routes(under_test: BoxUnderTest, controller: FakeController) -> None:
    under_test.ready(controller)
    send_routes(under_test, controller)


def send_routes(under_test: BoxUnderTest, controller: FakeController) -> None:
    table = Table(controller)
    table.begin()
    table.send(
        adjacencies=[table.adjacency(1, PORT_A, "192.0.2.2"), table.adjacency(2, PORT_A, "2001:db8:a::2")],
        groups=[table.group(1, 1), table.group(2, 2)],
        routes=table.routes(1, PREFIXES[0]) + table.routes(2, PREFIXES[1]),
    )
    assert table.end().agree
    under_test.wait_routes(PREFIXES)


def up(under_test: BoxUnderTest, port: str) -> bool:
    (row,) = under_test.box.ip_json("link", "show", port)
    return "UP" in row["flags"]


def test_after_the_grace_routes_go_and_ports_stay(under_test: BoxUnderTest) -> None:
    under_test.controller.grace = 2.0
    under_test.start()
    with_routes(under_test, under_test.controller)
    under_test.lose_controller()
    assert set(under_test.routes()) == set(PREFIXES), "it forwards for the grace"
    under_test.wait_routes(())
    assert up(under_test, PORT_A)
    again = FakeController.unix(under_test.socket)
    again.election_id = 2
    with_routes(under_test, again)
    assert again.hellos[-1].keeps is False
    again.close()


def test_a_box_that_isolates_itself_takes_its_ports_down_until_a_controller_is_back(under_test: BoxUnderTest) -> None:
    under_test.controller.grace, under_test.controller.isolate = 1.0, True
    process = under_test.start()
    with_routes(under_test, under_test.controller)
    under_test.kill(process)
    under_test.controller.close()
    under_test.start()
    wait_for("ports down", lambda: (up(under_test, PORT_A), up(under_test, PORT_B)), lambda ups: ups == (False, False))
    assert up(under_test, "lo")
    assert under_test.routes() == {}
    again = FakeController.unix(under_test.socket)
    again.election_id = 2
    with_routes(under_test, again)
    assert up(under_test, PORT_A)
    assert up(under_test, PORT_B)
    again.close()


def test_no_stream_goes_on_with_a_model_that_is_made_anew(under_test: BoxUnderTest) -> None:
    under_test.start(module=("tests.kernel.slow_to_empty",))
    controller = under_test.controller
    with_routes(under_test, controller)
    begun = len(controller.hellos)
    controller.send(wire.Role.CONTROL, replace(CONFIG, generation=2, kernel_table=100))
    wait_for(
        "the stream to be asked for from its start",
        lambda: [hello.stream_id for hello in controller.hellos[begun:] if hello.role == wire.Role.FIB],
        lambda streams: streams[-1:] == [b""],
    )


def test_a_model_that_is_made_anew_is_made_in_the_end_whatever_keeps_its_kernel_from_being_read(
    under_test: BoxUnderTest,
) -> None:
    under_test.start(module=("tests.kernel.refused_dump",))
    controller = under_test.controller
    with_routes(under_test, controller)
    controller.send(wire.Role.CONTROL, replace(CONFIG, generation=2, kernel_table=100))
    wait_for("the kernel to be read", lambda: under_test.process.output().count("] adopted"), lambda count: count == 2)
    controller.wait_connected()
    send_routes(under_test, controller)
    assert {row["table"] for row in under_test.box.ip_json("route", "show", "table", "all", "proto", "201")} == {"100"}


def test_what_the_agent_empties_itself_is_no_change_by_another_program(under_test: BoxUnderTest) -> None:
    under_test.start()
    controller = under_test.controller
    with_routes(under_test, controller)
    controller.send(wire.Role.CONTROL, replace(CONFIG, generation=2, kernel_table=100))
    wait_for("the kernel to be read again", lambda: under_test.process.output().count("] adopted"), lambda n: n == 2)
    controller.wait_connected()
    assert controller.ask(7, "counts")["foreign_changes"] == 0
    assert "foreign-nexthops" not in [row[0] for told in controller.all(wire.Conditions) for row in told.rows]


def test_an_agent_that_is_told_to_end_leaves_its_routes_however_short_the_grace(under_test: BoxUnderTest) -> None:
    under_test.controller.grace = 0.0
    process = under_test.start()
    with_routes(under_test, under_test.controller)
    process.signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert set(under_test.routes()) == set(PREFIXES)
