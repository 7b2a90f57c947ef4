"""The embedded agent is a process of its own: what a crash of either side does and does not touch."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import kernel
from tests.lab.bird import Bird
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.process import peak_memory
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
OURS, THEIRS, BEHIND = "10.3.0.1", "10.3.0.2", "198.51.100.0/24"


class One:
    def __init__(self, lab: Lab) -> None:
        self.box, self.peer = lab.box("box"), lab.box("peer")
        lab.link(self.box, "eth0", self.peer, "eth0", b_addresses=(f"{THEIRS}/24",))
        accept = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
        config: dict[str, Any] = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "interfaces": {"eth0": {"addresses": [f"{OURS}/24"]}},
            "static": {"203.0.113.0/24": {"blackhole": True}},
            "bgp": {"neighbors": {THEIRS: {"asn": 65003, "families": accept}}},
        }
        self.router = Router(lab, config, {"ncp1": self.box})
        self.bird = Bird(
            self.peer,
            PeerConfig(65003, "10.0.0.3", [Neighbor(OURS, 65001, THEIRS, families=(4,))], [Announcement(BEHIND)]),
        )
        self.bird.start()
        self.router.start()
        self.installed(BEHIND)

    def prefixes(self) -> set[str]:
        return set(kernel.kernel_routes(self.box))

    def installed(self, prefix: str) -> None:
        wait_for(f"{prefix} in the kernel", self.prefixes, lambda seen: prefix in seen)


@pytest.fixture
def one(lab: Lab) -> Iterator[One]:
    made = One(lab)
    yield made
    made.bird.stop()


def test_a_killed_routingd_leaves_the_agent_and_the_next_one_adopts_it(one: One) -> None:
    pid = one.router.agent_pid("ncp1")
    one.router.kill_controller()
    os.kill(pid, 0)
    assert BEHIND in one.prefixes(), "the kernel forwards without a controller"
    one.router.start_controller()
    one.router.wait_established(THEIRS)
    one.installed(BEHIND)
    assert one.router.agent_pid("ncp1") == pid, "adopted, not replaced"
    one.router.wait_ncps()
    assert one.router.ncps()["ncp1"]["snapshot_agrees"] is True


def test_a_killed_agent_is_started_again_and_the_kernel_keeps_its_routes_meanwhile(one: One) -> None:
    pid = one.router.agent_pid("ncp1")
    os.kill(pid, signal.SIGKILL)
    assert BEHIND in one.prefixes()
    wait_for("another agent", lambda: one.router.agent_pid("ncp1"), lambda now: now not in (0, pid))
    one.router.wait_ncps()
    one.router.wait_established(THEIRS)
    one.installed(BEHIND)


def test_stopping_routingd_leaves_the_session_to_the_next_one(one: One) -> None:
    pid, since = one.router.agent_pid("ncp1"), one.bird.up_since(OURS)
    for _ in range(2):
        process = one.router.process
        assert process is not None
        assert process.stop(20) == 0
        one.router.start_controller()
        one.router.wait_established(THEIRS)
        one.router.wait_ncps()
        (row,) = one.router.ctl("show", "bgp", "neighbor", THEIRS)["neighbors"]
        assert row["came_back"] == {"adopted": True, "reason": None}
    assert one.router.agent_pid("ncp1") == pid
    assert one.bird.up_since(OURS) == since
    assert {BEHIND, "203.0.113.0/24"} <= one.prefixes()


@pytest.mark.long
def test_without_a_next_one_the_agent_ends_too_and_leaves_routes_in_the_kernel(one: One) -> None:
    pid = one.router.agent_pid("ncp1")
    process = one.router.process
    assert process is not None
    assert process.stop(20) == 0
    assert peak_memory(pid) > 0
    wait_for("the agent's end", lambda: peak_memory(pid), lambda size: size == 0, timeout=60)
    assert {BEHIND, "203.0.113.0/24"} <= one.prefixes()


def test_shutdown_tells_the_peer_that_it_is_meant_and_leaves_routes_in_the_kernel(one: One) -> None:
    process, pid = one.router.process, one.router.agent_pid("ncp1")
    assert process is not None
    one.router.ctl("shutdown")
    assert process.wait(20) == 0
    assert {BEHIND, "203.0.113.0/24"} <= one.prefixes()
    wait_for("the Cease", lambda: one.bird.ask("show protocols all"), lambda text: "routingd stops" in text)
    wait_for("the agent's end", lambda: peak_memory(pid), lambda size: size == 0)


def test_shutdown_with_flush_empties_the_kernel(one: One) -> None:
    one.router.ctl("shutdown", "--flush")
    wait_for("our routes gone", one.prefixes, lambda seen: not {BEHIND, "203.0.113.0/24"} & seen)
    process = one.router.process
    assert process is not None
    assert process.wait(20) == 0


def test_a_second_routingd_on_the_same_run_directory_says_which_one_runs(one: One, lab: Lab) -> None:
    assert one.router.process is not None
    second = Router(lab, one.router.config, {"ncp1": one.box})
    second.start_controller()
    assert second.process is not None
    assert second.process.wait(20) == 1
    assert f"already running (pid {one.router.process.pid}" in second.process.output(tail=3)
