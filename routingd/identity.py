"""What a controller keeps on disk and chooses at start: its lock, its election id, the secrets of this run."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path
from typing import Final

from fibd.wire import MOST_ELECTION
from routingd.controller import Secrets

_ELECTION: Final = "election"
_NEIGHBORS: Final = "neighbors"


class AlreadyRunningError(Exception):
    """Another routingd holds the run directory."""


class RunLock:
    """One routingd per run directory. Held until the process ends, however it ends."""

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        path = run_dir / "routingd.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"routingd is already running (pid {holder or 'unknown'}, lock {path}): stop it first, "
                "or give another --run-dir"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def choose(state_dir: Path) -> Secrets:
    """Of two controllers the one that was started later writes, so its election id must be the higher one, also where
    the state directory was lost or is another machine's: more than any that was chosen or met here, and never less than
    the microseconds since 1970. What is left is a clock that is behind and a directory that is new: then boxes refuse,
    the id they know is kept (``overtaken``), and the next start is above it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    election_id = max(_last(state_dir) + 1, time.time_ns() // 1000)
    _replace(state_dir / _ELECTION, f"{election_id}\n", durably=True)
    return Secrets(election_id, secrets.token_bytes(16), secrets.token_bytes(16))


def overtaken(state_dir: Path, election_id: int) -> None:
    """A box has served a controller with this id: our next start must be above it."""
    if election_id > _last(state_dir):
        _replace(state_dir / _ELECTION, f"{election_id}\n", durably=True)


def _last(state_dir: Path) -> int:
    """The highest id chosen or met; 0 where nothing readable says so."""
    try:
        last = int((state_dir / _ELECTION).read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return last if 0 <= last < MOST_ELECTION else 0


class KnownNeighbors:
    """Who has a session with graceful restart, for the next routingd: it will wait for them (``restart``). Not worth a
    disk's time: where the host itself goes down, no kernel keeps forwarding either."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / _NEIGHBORS
        self._written: frozenset[str] | None = None

    def read(self) -> frozenset[str] | None:
        """None: nothing is known, as the state directory is new, lost, or another machine's."""
        try:
            return frozenset(self._path.read_text().split("\n")) - {""}
        except FileNotFoundError:
            return None

    def write(self, names: frozenset[str]) -> None:
        if names != self._written:
            _replace(self._path, "".join(f"{name}\n" for name in sorted(names)))
            self._written = names


def _replace(path: Path, text: str, *, durably: bool = False) -> None:
    """Never half. ``durably``: also where the host loses power."""
    temporary = path.with_suffix(".new")
    with temporary.open("w") as file:
        file.write(text)
        if durably:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if durably:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
