"""News of the kernel that never arrive, ports that flap: in the end the kernel is as the model says."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.failures.recording import Row
from tests.failures.truth import Truth, probed
from tests.kernel.box_under_test import PORT_A, BoxUnderTest, box_under_test
from tests.lab.lab import Namespace
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

OBJECTS = 6
"""Three gateways, three groups."""


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


def flap(peer: Namespace, times: int) -> None:
    peer.ip("-batch", _script(peer, [f"link set eth0 {state}" for _ in range(times) for state in ("down", "up")]))


def slow_flap(under_test: BoxUnderTest) -> None:
    """One that the box's kernel takes note of: of quick ones it sees the last state only."""

    def carrier() -> bool:
        return "LOWER_UP" in under_test.box.ip_json("link", "show", PORT_A)[0]["flags"]

    under_test.peer_a.link_down("eth0")
    wait_for("the port to lose carrier", lambda: not carrier(), every=0.01)
    under_test.peer_a.link_up("eth0")
    wait_for("the port to have carrier", carrier, every=0.01)


def _script(peer: Namespace, lines: list[str]) -> str:
    path = peer.directory / "batch"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.row(5)
@pytest.mark.parametrize("fault", ["link flaps", "nexthop flush"])
def test_events_that_overrun_a_tiny_buffer_end_in_a_dump_and_an_audit(
    under_test: BoxUnderTest, row: Row, fault: str
) -> None:
    under_test.start("--event-buffer", "1")
    under_test.ready()
    truth = Truth(under_test, 2_000)
    truth.fill()
    before, counts = under_test.routes(), truth.counts()
    under_test.process.signal(signal.SIGSTOP)
    if fault == "link flaps":
        for _ in range(8):
            slow_flap(under_test)
    else:
        under_test.box.ip("nexthop", "flush")
    assert under_test.routes() != before
    under_test.process.signal(signal.SIGCONT)
    began = time.monotonic()
    wait_for("routes as they were", under_test.routes, lambda found: found == before, every=0.02)
    seconds = time.monotonic() - began
    wait_for("an audit", truth.counts, lambda now: now["audits"] > counts["audits"], every=0.02)
    after = truth.settled()
    assert after["event_overruns"] > counts["event_overruns"]
    assert len(under_test.box.ip_json("nexthop")) == OBJECTS
    row(
        5, writes=after["netlink_messages"] - counts["netlink_messages"], whole=seconds, routes=truth.total,
        overruns=after["event_overruns"] - counts["event_overruns"], fault=fault,
    )  # fmt: skip


@pytest.mark.row(11)
def test_a_hundred_flaps_of_a_port_without_a_controller_leave_the_kernel_as_the_model_says(
    under_test: BoxUnderTest, row: Row
) -> None:
    under_test.start()
    under_test.ready()
    truth = Truth(under_test, 2_000)
    truth.fill()
    before, writes = under_test.routes(), truth.counts()["netlink_messages"]
    under_test.lose_controller()
    for _ in range(10):
        flap(under_test.peer_a, 9)
        under_test.peer_a.link_down("eth0")
        wait_for("the port's routes to go", under_test.routes, lambda found: found != before, every=0.01)
        under_test.peer_a.link_up("eth0")
        wait_for("routes as they were", under_test.routes, lambda found: found == before, every=0.01)
    began = time.monotonic()
    wait_for("routes as they were", under_test.routes, lambda found: found == before, every=0.01)
    seconds = time.monotonic() - began
    assert len(under_test.box.ip_json("nexthop")) == OBJECTS
    truth.reconnect()
    counts = truth.settled()
    assert truth.ask("audit")["repaired"] == 0
    row(11, writes=counts["netlink_messages"] - writes, whole=seconds, routes=truth.total, nexthops_left_over=0)


@pytest.mark.row(11)
def test_a_port_that_comes_back_is_used_again_from_the_model_alone(under_test: BoxUnderTest, row: Row) -> None:
    under_test.start()
    under_test.ready()
    truth = Truth(under_test, 2_000)
    truth.fill()
    before = under_test.routes()
    under_test.lose_controller()
    probes = probed(under_test)
    under_test.peer_a.link_down("eth0")
    wait_for("the group to shrink", under_test.routes, lambda found: found != before, every=0.01)
    under_test.peer_a.link_up("eth0")
    began = time.monotonic()
    wait_for("routes as they were", under_test.routes, lambda found: found == before, every=0.01)
    row(11, lost=probes.finish(), whole=time.monotonic() - began, routes=truth.total, controller="stopped")
