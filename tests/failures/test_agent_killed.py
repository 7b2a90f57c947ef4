"""The agent of a box is killed: its kernel forwards on, and the next one knows by key what that holds."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

import native
from fibd import wire
from tests.failures.recording import Row
from tests.failures.test_controller_crash import together
from tests.interop.test_own_restart import ENDS, Restarting
from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, box_under_test, packed
from tests.kernel.engine_feed import EngineFeed
from tests.lab.lab import Lab
from tests.lab.probes import PingStream
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
KILLS = 4
BEFORE, AFTER, MOVED = range(4000), range(40, 4300), range(1000, 1100)
"""Numbers of the prefixes in the FIB of the controller before, of the one now, and that go another way now."""


def detail(made: Restarting) -> dict[str, Any]:
    return dict(made.router.ctl("show", "ncp", "ncp1", "detail")["ncps"][0])


@pytest.mark.row(1)
def test_a_killed_agent_costs_no_packet_and_its_successor_is_sent_no_route(lab: Lab, row: Row) -> None:
    made = Restarting(lab, ends=ENDS[:2])  # OpenBGPD names no family to be kept: its routes go with its session
    router = made.router
    probes = [PingStream(box, target, interval=0.001) for box, target in made.ways()]
    old = router.agent_pid("ncp1")
    os.kill(old, signal.SIGKILL)
    killed = time.monotonic()
    wait_for("another agent", lambda: router.agent_pid("ncp1"), lambda pid: pid not in (0, old), every=0.02)
    router.wait_ncps()
    installed = time.monotonic() - killed
    router.wait_established()
    made.everything_is_right()
    lost = together(probes)

    found = detail(made)
    row(
        1, lost=lost, writes=found["agent"]["netlink_messages"], whole=installed, routes=found["routes"],
        routes_sent_again=found["resent_routes"],
    )  # fmt: skip
    assert lost.lost == 0
    assert (found["resumed"], found["resent_routes"], found["resent_shards"]) == ("shards", 0, 0)
    assert found["agent"]["netlink_messages"] == 0
    assert found["snapshot_agrees"]


def prefix(number: int) -> tuple[bytes, int]:
    return packed(f"20.{number >> 8}.{number & 255}.0"), 24


def engine(numbers: range, moved: range) -> native.Engine:
    """All of it behind one port but what has moved behind the other."""
    made = native.Engine(router_id=packed("10.255.0.1"), asn=65001, digest_key=bytes(range(16)))
    connected, static = made.add_connected_source(), made.add_static_source()
    for network, port in (("192.0.2.0", PORT_A), ("198.51.100.0", PORT_B)):
        made.put_connected(connected, (packed(network), 24), "ncp1", port)
    for number in reversed(numbers):  # a snapshot has them in this order: what is new comes first
        gateway = PEER_B if number in moved else PEER_A
        made.put_static(static, prefix(number), [{"address": packed(gateway)}])
    while made.step():
        pass
    return made


def another_agent(under_test: BoxUnderTest) -> None:
    controller = under_test.controller
    before = len(controller.hellos)
    under_test.kill(under_test.process)
    under_test.start()
    roles = {wire.Role.CONTROL, wire.Role.STREAMS, wire.Role.FIB}
    wait_for("three hellos", lambda: {hello.role for hello in controller.hellos[before:]}, lambda seen: seen == roles)
    controller.wait_connected()


@pytest.mark.row(2)
def test_an_agent_killed_again_and_again_in_snapshots_sweeps_nothing_and_needs_ever_less(row: Row) -> None:
    kill_in_snapshots(5, row)


@pytest.mark.long
@pytest.mark.row(2)
@pytest.mark.parametrize("seed", range(10, 26))
def test_an_agent_killed_in_snapshots_at_other_moments(seed: int, row: Row) -> None:
    kill_in_snapshots(seed, row)


def kill_in_snapshots(seed: int, row: Row) -> None:
    rng = random.Random(seed)
    with box_under_test() as under_test:
        under_test.start()
        under_test.ready()
        feed = EngineFeed(engine(BEFORE, range(0)), under_test.controller)
        feed.run()
        wait_for("its memory", (under_test.state_dir / "ncp" / "ncp1" / "fib.memory").exists)
        old = set(under_test.routes())
        assert len(old) == len(BEFORE) + 2
        wanted = engine(AFTER, MOVED)
        needed = []
        for _ in range(KILLS):
            another_agent(under_test)
            feed.begin_again(wanted)
            needed.append(feed.resent[1])
            for _ in range(rng.randrange(1, 5)):
                feed.send(rng.randrange(1, 100))
            if rng.random() < 0.7:
                feed.wait_for_an_answer()
            assert old <= set(under_test.routes()), "nothing goes before the end of the snapshot"
        another_agent(under_test)
        begun = time.monotonic()
        feed.begin_again(wanted)
        feed.run()
        whole = time.monotonic() - begun
        routes, shards = feed.resent
        found = under_test.routes()
        writes = under_test.controller.ask(1, "counts")["netlink_messages"]
    assert needed == sorted(needed, reverse=True)
    assert shards < needed[0] < 1024, "what came before the last kill counts"
    assert routes < len(AFTER) / 2
    gateways = {number: {hop.gateway for hop, _ in found[f"20.{number >> 8}.{number & 255}.0/24"]} for number in AFTER}
    assert gateways == {number: {PEER_B if number in MOVED else PEER_A} for number in AFTER}
    assert len(found) == len(AFTER) + 2
    row(
        2, writes=writes, whole=whole, kills=KILLS, routes=len(AFTER), routes_sent_at_last=routes,
        shards_that_differed=" ".join(str(count) for count in [*needed, shards]),
    )  # fmt: skip
