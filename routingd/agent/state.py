"""What an agent keeps on disk: which controller it serves, what its box shall be, whose its kernel groups are, and that
it is the only one of its name.

Every file is replaced atomically: after a power loss it is the old one or the new one.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import time
from pathlib import Path
from typing import Final

import msgpack

from fibd.wire import MOST_ELECTION, BoxConfig, Decoder, WireError, encode
from routingd.conditions import ConditionBook

_ELECTION: Final = "election"
_ABSENCE: Final = "absence"
_BOX: Final = "box.frame"
_ADDED: Final = "addresses"
_MEMORY: Final = "fib.memory"
_NOT_KEPT: Final = "state-not-kept"
"""The condition."""
_LOCK_ATTEMPTS: Final = 10
_LOCK_PAUSE: Final = 0.03


class AlreadyRunningError(Exception):
    """Another ncpd of this name holds the lock."""


class Store:
    """Files of one NCP below the state directory. Where they cannot be written that is an alarm and no more: a box that
    nobody may write to for it would be worse than one that has forgotten something after a restart of its agent."""

    def __init__(self, directory: Path, conditions: ConditionBook) -> None:
        self._directory = directory
        self._conditions = conditions
        self._unkept: dict[str, bytes] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def election_id(self) -> int:
        """0 where nothing readable says another."""
        try:
            kept = int(self._read(_ELECTION))
        except ValueError:
            return 0
        return kept if 0 <= kept <= MOST_ELECTION else 0

    def save_election_id(self, election_id: int) -> None:
        self._write(_ELECTION, str(election_id).encode())

    def absence(self) -> str:
        """What to do without a controller, as ``absence.Terms`` has it in a line."""
        return self._read(_ABSENCE).decode("ascii", "replace")

    def save_absence(self, text: str) -> None:
        self._write(_ABSENCE, text.encode())

    def box(self) -> BoxConfig | None:
        try:
            for message, _, _ in Decoder().feed(self._read(_BOX)):
                if isinstance(message, BoxConfig):
                    return message
        except WireError:
            pass  # of another release: the controller will say it again
        return None

    def save_box(self, config: BoxConfig) -> None:
        self._write(_BOX, encode(config))

    def added(self) -> set[tuple[str, str]]:
        """(port, "a/len") which are on this box because an earlier run put them there."""
        try:
            rows = msgpack.unpackb(self._read(_ADDED))
            return {(str(port), str(ipaddress.ip_interface(text))) for port, text in rows}
        except (ValueError, TypeError):
            return set()

    def save_added(self, added: set[tuple[str, str]]) -> None:
        self._write(_ADDED, msgpack.packb(sorted(added)))

    def memory(self) -> bytes:
        """Of the model's last life (``native.AgentFib.recall``)."""
        return self._read(_MEMORY)

    def save_memory(self, memory: bytes) -> None:
        """On any thread, unlike the rest. Raises OSError."""
        self._replace(self._directory / _MEMORY, memory)

    def _read(self, name: str) -> bytes:
        try:
            return (self._directory / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _write(self, name: str, data: bytes) -> None:
        """And what could not be written before."""
        self._unkept[name] = data
        try:
            for each, octets in list(self._unkept.items()):
                if self._read(each) != octets:
                    self._replace(self._directory / each, octets)
                del self._unkept[each]
        except OSError as error:
            text = f"{self._directory}: cannot keep {', '.join(sorted(self._unkept))}: {error.strerror or error}"
            self._conditions.set(_NOT_KEPT, "alarm", text)
        else:
            self._conditions.clear(_NOT_KEPT)

    def _replace(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class Lock:
    """One ncpd of a name per run directory, and per network namespace: two would fight over the same kernel tables.
    Held until the process ends."""

    def __init__(self, run_directory: Path, name: str) -> None:
        run_directory.mkdir(parents=True, exist_ok=True)
        self.pid_file = run_directory / f"ncpd-{name}.pid"
        self._path = run_directory / f"ncpd-{name}.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken():
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"ncpd {name} is already running (pid {_pid(self.pid_file)}, lock {self._path}): "
                "stop it first, or use another --run-dir"
            )
        self._namespace = _hold(f"\0routingd/ncpd/{name}".encode())
        if self._namespace is None:
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"ncpd {name} is already running in this network namespace, with another --run-dir: stop it first, or "
                "give one of them another name and kernel table"
            )

    def _taken(self) -> bool:
        """Who only looks whether an agent is alive holds the lock for an instant."""
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
            else:
                return True
        return False

    def write_pid(self) -> None:
        temporary = self.pid_file.with_suffix(".pid.new")
        temporary.write_text(f"{os.getpid()}\n")
        temporary.replace(self.pid_file)

    def release(self) -> None:
        self.pid_file.unlink(missing_ok=True)
        os.close(self._descriptor)


def _hold(address: bytes) -> socket.socket | None:
    """An abstract unix address belongs to one network namespace and to one process. None: another of root, or of our
    own user, has it; anybody else who takes it keeps nobody from working."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(address)
        holder.listen(1)
    except OSError:
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(address)
            except OSError:
                return holder  # it has just ended, or does not even listen
            _, uid, _ = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid in (0, os.getuid()):
            holder.close()
            return None
    return holder


def _pid(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except OSError:
        return "unknown"
