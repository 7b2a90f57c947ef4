"""Row 10: a link goes down and no controller is there: the box alone does what its routes allow."""

from __future__ import annotations

import signal
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fibd import wire
from tests.failures.recording import Row
from tests.kernel.box_under_test import CONFIG, PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, Table, box_under_test
from tests.kernel.fake_controller import FakeController
from tests.lab.kernel import Hop, Hops
from tests.lab.lab import Namespace
from tests.lab.probes import Loss, PingStream, ping
from tests.lab.waiting import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.row(10)]

ROUTES = 5000
"""Of each family, all by the same next hops."""
TARGETS = [f"10.50.0.{n}" for n in range(1, 4)] + ["2001:db8:50::1"]
FOUR = ["10.50.0.0/24", *(f"20.{n >> 8}.{n & 255}.0/24" for n in range(ROUTES - 1))]
SIX = ["2001:db8:50::/64", *(f"2001:db9:{n:x}::/48" for n in range(1, ROUTES))]
VIA_A: Hops = frozenset({(Hop(PEER_A, PORT_A), 1)})
VIA_B: Hops = frozenset({(Hop(PEER_B, PORT_B), 1)})
VIA_B6: Hops = frozenset({(Hop("2001:db8:b::2", PORT_B), 1)})
PRIMARY, BACKUP = 0, 1


class Link:
    """A host, the box, and two peers behind it that both have the targets; the first one's link is to fail."""

    def __init__(self, under_test: BoxUnderTest, roles: list[int], *, weighted: bool = False) -> None:
        self.under_test = under_test
        self.host = under_test.lab.box("host")
        under_test.lab.link(
            under_test.box, "port-h", self.host, "eth0",
            a_addresses=["198.18.0.1/24", "2001:db8:c::1/64"], b_addresses=["198.18.0.2/24", "2001:db8:c::2/64"],
        )  # fmt: skip
        self.host.route("default", "via", "198.18.0.1")
        self.host.route("default", "via", "2001:db8:c::1")
        for peer, port in ((under_test.peer_a, "a"), (under_test.peer_b, "b")):
            peer.address("lo", *(f"{target}/{128 if ':' in target else 32}" for target in TARGETS))
            peer.route("198.18.0.0/24", "via", "192.0.2.1" if port == "a" else "198.51.100.1")
            peer.route("2001:db8:c::/64", "via", f"2001:db8:{port}::1")
        under_test.start()
        under_test.ready()
        under_test.controller.send(wire.Role.CONTROL, replace(CONFIG, generation=2, weighted_backup=weighted))
        table = Table(under_test.controller)
        table.begin()
        table.send(
            adjacencies=[
                table.adjacency(1, PORT_A, PEER_A), table.adjacency(2, PORT_B, PEER_B),
                table.adjacency(3, PORT_A, "2001:db8:a::2"), table.adjacency(4, PORT_B, "2001:db8:b::2"),
            ],
            groups=[_group(1, [1, 2], roles), _group(2, [3, 4], roles)],
            routes=[*table.routes(1, *FOUR), *table.routes(2, *SIX)],
        )  # fmt: skip
        assert table.end().agree
        table.wait_installed()
        for target in TARGETS:
            assert ping(self.host, target, count=2).received, target
        self._writes = self.counts(under_test.controller)["netlink_messages"]
        under_test.lose_controller()

    def counts(self, controller: FakeController) -> Any:
        return controller.ask(len(controller.received) + 1, "counts")

    def probe(self) -> list[PingStream]:
        return [PingStream(self.host, target, interval=0.001) for target in TARGETS]

    def finish(self, streams: list[PingStream]) -> Loss:
        for target in TARGETS:
            assert ping(self.host, target, count=1).received, target
        losses = [stream.finish() for stream in streams]
        return Loss(sum(loss.sent for loss in losses), sum(loss.received for loss in losses))

    def fail(self) -> float:
        begin = time.monotonic()
        self.under_test.peer_a.link_down("eth0")
        return begin

    def one(self) -> tuple[Hops | None, Hops | None]:
        """What the kernel has for one prefix of each family."""
        found = {}
        for prefix in (FOUR[-1], SIX[-1]):
            found[prefix] = hops(self.under_test.box, prefix)
        return found[FOUR[-1]], found[SIX[-1]]

    def return_controller(self) -> tuple[FakeController, int]:
        """And what the box has written without it."""
        controller = FakeController.unix(self.under_test.socket)
        controller.wait_connected()
        return controller, self.counts(controller)["netlink_messages"] - self._writes


def _group(number: int, members: list[int], roles: list[int]) -> list[Any]:
    rows = [struct.pack("<IHBB", member, 1, role, 0) for member, role in zip(members, roles, strict=False)]
    return [number, struct.pack("<16s", b"group %d" % number), 0, b"".join(rows)]


def hops(box: Namespace, prefix: str) -> Hops | None:
    rows = box.ip_json("-6" if ":" in prefix else "-4", "route", "show", prefix)
    if not rows:
        return None
    objects = {each["id"]: each for each in box.ip_json("nexthop")}
    members = objects.get(rows[0]["nhid"], {}).get("group", [])
    return frozenset(
        (Hop(objects[m["id"]]["gateway"], objects[m["id"]]["dev"]), m.get("weight", 1))
        for m in members
        if m["id"] in objects
    )


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


def test_a_single_path_is_flushed_and_returns_with_the_link(under_test: BoxUnderTest, row: Row) -> None:
    link = Link(under_test, [PRIMARY])
    begin = link.fail()
    wait_for("the routes to be flushed", link.one, lambda found: found == (None, None), every=0.01)
    flushed = time.monotonic() - begin
    controller, _ = link.return_controller()
    controller.wait(wire.Ports, lambda m: any(each[0] == PORT_A and not each[3] for each in m.present))
    assert not set(FOUR + SIX) & set(under_test.routes())
    controller.close()
    begin = time.monotonic()
    under_test.peer_a.link_up("eth0")
    under_test.peer_a.route("198.18.0.0/24", "via", "192.0.2.1")
    wait_for("the routes to return", under_test.routes, lambda found: {*FOUR, *SIX} <= set(found), every=0.05)
    returned = time.monotonic() - begin
    assert all(ping(link.host, target, count=1).received for target in TARGETS[:3])
    _, writes = link.return_controller()
    row(10, writes=writes, whole=returned, path="single", routes=2 * ROUTES, seconds_to_flush=round(flushed, 3))


def test_a_group_of_several_shrinks_and_carries_on(under_test: BoxUnderTest, row: Row) -> None:
    link = Link(under_test, [PRIMARY, PRIMARY])
    streams = link.probe()
    begin = link.fail()
    wait_for("the groups to shrink", link.one, lambda found: found == (VIA_B, VIA_B6), every=0.01)
    whole = time.monotonic() - begin
    lost = link.finish(streams)
    assert {*FOUR, *SIX} <= set(under_test.routes())
    controller, writes = link.return_controller()
    controller.close()
    assert writes < ROUTES, "groups, not routes"
    row(10, lost=lost, writes=writes, whole=whole, path="one of two", routes=2 * ROUTES)


def test_a_backup_carries_once_the_agent_has_moved_the_routes(under_test: BoxUnderTest, row: Row) -> None:
    link = Link(under_test, [PRIMARY, BACKUP])
    assert link.one()[0] == VIA_A
    streams = link.probe()
    begin = link.fail()
    wait_for("routes by the backup", link.one, lambda found: found == (VIA_B, VIA_B6), every=0.01)
    whole = time.monotonic() - begin
    lost = link.finish(streams)
    assert {*FOUR, *SIX} <= set(under_test.routes())
    controller, writes = link.return_controller()
    controller.close()
    assert writes >= 2 * ROUTES, "the kernel flushed them all"
    row(10, lost=lost, writes=writes, whole=whole, path="with a backup", routes=2 * ROUTES)


def test_a_weighted_backup_carries_although_the_agent_stands_still(under_test: BoxUnderTest, row: Row) -> None:
    link = Link(under_test, [PRIMARY, BACKUP], weighted=True)
    four, _ = link.one()
    assert four is not None
    assert dict(four)[Hop(PEER_B, PORT_B)] == 1
    assert dict(four)[Hop(PEER_A, PORT_A)] in (255, 65535)
    streams = link.probe()
    under_test.process.signal(signal.SIGSTOP)
    begin = link.fail()
    wait_for("the groups to shrink", link.one, lambda found: found == (VIA_B, VIA_B6), every=0.01)
    whole = time.monotonic() - begin
    lost = link.finish(streams)
    assert {*FOUR, *SIX} <= set(under_test.routes())
    under_test.process.signal(signal.SIGCONT)
    controller, writes = link.return_controller()
    controller.close()
    assert writes < ROUTES, "no route was written"
    assert link.one() == (VIA_B, VIA_B6)
    row(10, lost=lost, writes=writes, whole=whole, path="with a weighted backup, agent stopped", routes=2 * ROUTES)
