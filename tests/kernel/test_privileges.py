"""What routingd and ncpd may still do once they run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from kernel.privileges import AGENT, AGENT_AT_START, CONTROLLER, Capability
from tests.kernel.box_under_test import box_under_test
from tests.lab.lab import Lab
from tests.lab.router import Router

pytestmark = pytest.mark.netns


def privileges(pid: int) -> list[dict[str, int]]:
    """Of each thread, as /proc has them."""
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    out = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        rows = (line.split(":\t") for line in (task / "status").read_text().splitlines() if ":\t" in line)
        out.append({name: int(value, 16) for name, value in rows if name in wanted})
    return out


def mask(capabilities: Iterable[Capability]) -> int:
    return sum(1 << capability for capability in capabilities)


def test_every_thread_of_an_agent_has_three_capabilities_and_can_never_have_more() -> None:
    with box_under_test() as under_test:
        process = under_test.start()
        under_test.ready()
        threads = privileges(process.pid)
    few = mask(AGENT)
    assert len(threads) > 1
    assert threads == [
        {"CapInh": 0, "CapPrm": few, "CapEff": few, "CapBnd": few, "CapAmb": 0, "NoNewPrivs": 1}
    ] * len(threads)  # fmt: skip


def test_a_controller_has_what_its_sockets_need_and_its_agent_what_a_box_needs() -> None:
    with Lab() as lab:
        box = lab.box("box")
        router = Router(lab, {"router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001}}, {"ncp1": box})
        router.start()
        assert router.process is not None
        controller, agent = privileges(router.process.pid), privileges(router.agent_pid("ncp1"))
    assert len(controller) > 1
    assert {(row["CapPrm"], row["CapEff"], row["CapInh"]) for row in controller} == {(mask(CONTROLLER),) * 2 + (0,)}
    assert {(row["CapEff"], row["CapBnd"], row["NoNewPrivs"]) for row in agent} == {(mask(AGENT), mask(AGENT), 1)}
    assert not any(row["CapBnd"] & ~mask(CONTROLLER | AGENT_AT_START) for row in controller)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up what only root has")
def test_what_was_given_up_is_not_to_be_had_again_by_a_program_started_later() -> None:
    program = """
import subprocess
from kernel.privileges import AGENT, keep
keep(AGENT)
keep(AGENT)
print(subprocess.run(["grep", "-E", "CapEff|NoNewPrivs", "/proc/self/status"], capture_output=True, text=True).stdout)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stderr == ""
    rows = dict(line.split(":\t") for line in done.stdout.splitlines() if line)
    assert int(rows["CapEff"], 16) == mask(AGENT)
    assert rows["NoNewPrivs"] == "1"
