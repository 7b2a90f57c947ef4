"""The agent of this host: a detached ncpd process that outlives a crash of routingd, and ends when routingd is stopped,
or soon after, where it has sessions for the next one.

Its lock file says whether one is alive; such a one is adopted, never replaced. Agents that nobody here started (the
other boxes') are none of this module's business.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Final

import structlog

FIRST_PAUSE: Final = 1.0
LAST_PAUSE: Final = 30.0
CHECK: Final = 1.0
STOP_PATIENCE: Final = 10.0

log = structlog.get_logger("routingd.embedded")


class EmbeddedAgent:
    def __init__(self, ncp: str, controller: Path, run_dir: Path, state_dir: Path, log_level: str) -> None:
        self.ncp = ncp
        self._controller = controller
        self._run_dir = run_dir
        self._state_dir = state_dir
        self._log_level = log_level
        self._lock = run_dir / f"ncpd-{ncp}.lock"
        self._pid = run_dir / f"ncpd-{ncp}.pid"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Adopt or start, then keep one alive."""
        if alive(self._lock):
            log.info("embedded.adopted", ncp=self.ncp, pid=read_pid(self._pid))
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            if alive(self._lock):
                pause = FIRST_PAUSE
                await asyncio.sleep(CHECK)
                continue
            status = await self._spawn()
            if status == 0 and alive(self._lock):
                log.info("embedded.started", ncp=self.ncp, pid=read_pid(self._pid))
                continue
            log.error("embedded.failed", ncp=self.ncp, status=status, log=str(self._log), again_in=pause)
            await asyncio.sleep(pause)
            pause = min(LAST_PAUSE, pause * 2)

    @property
    def _log(self) -> Path:
        return self._run_dir / f"ncpd-{self.ncp}.log"

    def command(self) -> list[str]:
        return [
            sys.executable, "-m", "routingd.agent_main", "--detach", "--ncp", self.ncp,
            "--controller", f"unix:{self._controller}", "--run-dir", str(self._run_dir),
            "--state-dir", str(self._state_dir), "--log-level", self._log_level,
        ]  # fmt: skip

    async def _spawn(self) -> int:
        """With --detach the command returns once the agent runs, in a session of its own, with its lock taken."""
        with self._log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *self.command(), stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return await process.wait()

    async def stop(self, *, for_the_next: bool = False) -> None:
        """SIGTERM, then wait until its lock is free. Its kernel routes stay. ``for_the_next``: it ends by itself,
        unless another routingd comes in time."""
        if self._task is not None:
            self._task.cancel()
        pid = read_pid(self._pid)
        if pid is None or not alive(self._lock):
            return
        if for_the_next:
            os.kill(pid, signal.SIGUSR1)
            return
        os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                while alive(self._lock):  # noqa: ASYNC110 - another process's lock has no event to wait for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.error("embedded.not-stopped", ncp=self.ncp, pid=pid, waited=STOP_PATIENCE)


def alive(lock: Path) -> bool:
    """Whether a process holds the lock."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
