"""A process inside a namespace, its output in a file, and its end: asked, forced, or checked."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.waiting import wait_for


class Process:
    """One child. ``ip netns exec`` replaces itself by the command, so ``pid`` is the command's own."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        namespace: str | None,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self.argv = [*(["ip", "netns", "exec", namespace] if namespace else []), *argv]
        with log.open("ab") as sink:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        return self._child.poll()

    def running(self) -> bool:
        return self._child.poll() is None

    def write_line(self, line: str) -> None:
        assert self._child.stdin is not None, f"{self.name} was started without stdin"
        self._child.stdin.write(line.encode() + b"\n")
        self._child.stdin.flush()

    def signal(self, number: int) -> None:
        if self.running():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and to everything in its session: what a crash looks like from outside."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, then SIGKILL if it does not listen. The exit status."""
        if self.running():
            self._child.terminate()
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._child.wait()

    def wait(self, timeout: float) -> int:
        return self._child.wait(timeout)

    def wait_for_line(self, needle: str, timeout: float = 30.0) -> None:
        wait_for(f"{self.name} to log {needle!r}", self.output, lambda text: needle in text, timeout=timeout)

    def output(self, tail: int | None = None) -> str:
        text = self.log.read_text(errors="replace")
        return text if tail is None else "\n".join(text.splitlines()[-tail:])

    def peak_memory(self) -> int:
        """VmHWM in bytes: the most it ever had resident."""
        return peak_memory(self.pid)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """VmHWM of any process, in bytes; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
