"""The lab leaves nothing behind: not when it is left, not when it is told to end, and not for long when it is
killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.lab.commands import run
from tests.lab.lab import PROJECT, Lab, sweep
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
MAKER = """
from tests.lab.lab import Lab
with Lab() as lab:
    print(lab.box("box").start("sleep", ["sleep", "1000"]).pid, flush=True)
    input()
"""


def make() -> tuple[subprocess.Popen[str], int]:
    """Another process with a lab of one box, in which something sleeps: (that process, what sleeps)."""
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert maker.stdout is not None
    sleeper = int(maker.stdout.readline())
    assert f"rd-{maker.pid}-box" in run(["ip", "netns", "list"])
    return maker, sleeper


def nothing_is_left_of(maker: int, sleeper: int) -> None:
    wait_for("the process in the lab to be gone", lambda: not Path(f"/proc/{sleeper}").exists())
    assert f"rd-{maker}-" not in run(["ip", "netns", "list"])
    assert not (Path(tempfile.gettempdir()) / f"rd-{maker}-lab").exists()


def test_a_lab_that_is_told_to_end_removes_itself() -> None:
    maker, sleeper = make()
    maker.send_signal(signal.SIGTERM)
    assert maker.wait(20) == 128 + signal.SIGTERM
    nothing_is_left_of(maker.pid, sleeper)


def test_the_next_lab_removes_what_a_killed_one_left() -> None:
    maker, sleeper = make()
    maker.kill()
    maker.wait(20)
    assert Path(f"/proc/{sleeper}").exists()
    assert maker.pid in sweep()
    nothing_is_left_of(maker.pid, sleeper)


def test_a_lab_of_a_living_process_is_left_alone(lab: Lab) -> None:
    maker, sleeper = make()
    assert maker.pid not in sweep()
    assert Path(f"/proc/{sleeper}").exists()
    maker.terminate()
    maker.wait(20)
    assert lab.directory.exists()
