"""The README's five minutes, run as they are written: its commands, and the output it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import PROJECT, sweep
from tests.lab.waiting import wait_for

README = PROJECT / "README.md"
BLOCK = re.compile(r"^```(sh)?\n(.*?)^```$", re.M | re.S)
ANSI = {"COLUMNS": "140", "TERM": "dumb"}


def blocks() -> list[tuple[str, str]]:
    """("sh" or "output", text) of the section that is run."""
    text = README.read_text()
    section = text[text.index("## Your first router") : text.index("## More boxes")]
    return [("sh" if kind else "output", body) for kind, body in BLOCK.findall(section)]


class Shell:
    """Runs the commands with the namespaces' and files' names made ours, and gives output back under the README's."""

    def __init__(self, directory: Path) -> None:
        self.prefix = f"rd-{os.getpid()}-"
        self.directory = directory

    def ours(self, text: str) -> str:
        text = re.sub(r"(netns (?:add|exec|delete)|-n|netns) (r1|isp)\b", rf"\1 {self.prefix}\2", text)
        return text.replace("/tmp/", f"{self.directory}/").replace(".venv/bin/", f"{Path(sys.executable).parent}/")

    def run(self, text: str) -> str:
        log = (self.directory / "background.log").open("ab")
        # What a block leaves in the background must not hold the pipe that is read here.
        script = re.sub(r" &$", f" >{log.name} 2>&1 &", self.ours(text), flags=re.M)
        done = subprocess.run(
            ["bash", "-ec", script], cwd=PROJECT, env={**os.environ, **ANSI}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    sweep()
    made = Shell(tmp_path)
    yield made
    for name in ("r1", "isp"):
        pids = subprocess.run(["ip", "netns", "pids", made.prefix + name], capture_output=True, text=True).stdout
        subprocess.run(["kill", "-9", *pids.split()], capture_output=True)
        subprocess.run(["ip", "netns", "delete", made.prefix + name], capture_output=True)
    shutil.rmtree(tmp_path, ignore_errors=True)


def comparable(text: str) -> list[str]:
    """Without what differs from run to run: uptimes, numbers given in order of arrival, spaces that align them."""
    text = re.sub(r"\b\d+(ms|s|m|h)\b", "TIME", text)
    text = re.sub(r"\b(nhid|group) \d+", r"\1 N", text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


@pytest.mark.netns
def test_the_five_minutes_of_the_readme_work_and_look_as_shown(shell: Shell) -> None:
    shown = blocks()
    assert sum(kind == "output" for kind, _ in shown) >= 4
    outputs = iter([*shown[1:], ("end", "")])
    for (kind, text), (following, expected) in zip(shown, outputs, strict=True):
        if kind == "output":
            continue
        if following == "output":
            wait_for(
                text.strip(),
                lambda t=text: comparable(shell.run(t)),  # type: ignore[misc]
                lambda seen, e=expected: seen == comparable(e),
                timeout=30,
            )
        else:
            shell.run(text)
            if text.rstrip().endswith("&"):
                ready = ".venv/bin/routingctl --run-dir /tmp/r1/run show version"
                wait_for(
                    "routingd to answer",
                    lambda r=ready: subprocess.run(["bash", "-c", shell.ours(r)], capture_output=True).returncode,  # type: ignore[misc]
                    lambda code: code == 0,
                )
    assert not (shell.directory / "r1").exists()
