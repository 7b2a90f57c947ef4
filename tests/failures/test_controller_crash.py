"""routingd is killed, or stands still, between BIRD, FRR, GoBGP and OpenBGPD: no packet is lost, nobody who can be
swept loses its session, and what changed meanwhile is right everywhere afterwards."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.interop.test_own_restart import ENDS, FAMILIES, End, Restarting
from tests.lab.lab import Lab
from tests.lab.probes import Loss, PingStream
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

ADOPTED = frozenset({"bird", "frr"})
"""Those that can be swept: the others offer no enhanced route refresh (docs/restart.md)."""


def neighbors(made: Restarting) -> dict[tuple[End, int], dict[str, Any]]:
    rows = {row["address"]: row for row in made.router.ctl("show", "bgp", "neighbor")["neighbors"]}
    return {(end, of): rows[end.them[of]] for end in ENDS for of in FAMILIES}


def since(made: Restarting) -> dict[tuple[End, int], str]:
    """Since when those that are adopted have had their sessions, as they tell it."""
    pairs = [(end, of) for end in ENDS for of in FAMILIES if end.daemon.kind in ADOPTED]
    return {(end, of): made.peers[end].up_since(end.us[of]) for end, of in pairs}


def together(streams: list[PingStream]) -> Loss:
    losses = [stream.finish() for stream in streams]
    return Loss(sum(loss.sent for loss in losses), sum(loss.received for loss in losses))


@pytest.mark.row(7)
def test_a_killed_routingd_finds_its_sessions_as_they_were_and_whatever_changed_meanwhile(lab: Lab, row: Row) -> None:
    made = Restarting(lab)
    began = since(made)
    probes = [PingStream(box, target, interval=0.001) for box, target in made.ways()]
    made.router.kill_controller()
    killed = time.monotonic()
    made.bird_tells(ENDS[0].changed)
    for end in ENDS[1:3]:
        for gone in end.announced[1].prefix, end.announced[4].prefix:
            made.peers[end].withdraw(gone)
    made.router.start_controller()
    made.router.wait_established()
    made.everything_is_right()
    whole = time.monotonic() - killed
    made.router.wait_ncps()
    lost = together(probes)

    after = neighbors(made)
    came_back = {(end.daemon.kind, of): row["came_back"]["adopted"] for (end, of), row in after.items()}
    assert came_back == {(end.daemon.kind, of): end.daemon.kind in ADOPTED for end in ENDS for of in FAMILIES}
    assert since(made) == began, "never down, say the peers"
    assert all(after[key]["uptime"] > whole for key in began), "and so say we"
    row(7, lost=lost, whole=whole, sessions_kept=sum(came_back.values()))
    assert lost.lost == 0


@pytest.mark.row(7)
def test_a_routingd_that_stands_still_loses_no_session_though_the_hold_time_is_three_seconds(
    lab: Lab, row: Row
) -> None:
    made = Restarting(lab, hold=3)
    began, before = since(made), neighbors(made)
    probes = [PingStream(box, target, interval=0.001) for box, target in made.ways()]
    assert made.router.process is not None
    made.router.process.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    # Three hold times, well within the lease.
    wait_for("three hold times", lambda: time.monotonic() - stopped, lambda seconds: seconds > 9)
    peers = {end: [peer.session(end.us[of]) for of in FAMILIES] for end, peer in made.peers.items()}
    assert peers == {end: ["established"] * 2 for end in ENDS}
    made.bird_tells(ENDS[0].changed)
    made.router.process.signal(signal.SIGCONT)
    made.everything_is_right()
    whole = time.monotonic() - stopped
    wait_for("another hold time", lambda: time.monotonic() - stopped, lambda seconds: seconds > whole + 4)
    after = neighbors(made)
    for key, then in before.items():
        assert after[key]["hold_time"] == 3
        assert (after[key]["established_count"], after[key]["state"]) == (then["established_count"], "Established")
        assert after[key]["uptime"] > then["uptime"] + 9
        assert after[key]["came_back"] is None, "it has never been away"
    assert since(made) == began
    lost = together(probes)
    row(7, lost=lost, stood_still=9.0, sessions_kept=len(after))
    assert lost.lost == 0
