"""The agent of a box is killed: its kernel forwards on, and the next one knows by key what that holds."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.failures.test_controller_crash import together
from tests.interop.test_own_restart import ENDS, Restarting
from tests.lab.lab import Lab
from tests.lab.probes import PingStream
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns


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
