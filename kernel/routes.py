"""Routes and nexthops between the agent's model and the kernel: the netlink writer thread, and the dump at start.

The model (``native.AgentFib``) writes and reads the messages; here they only travel. One send of 256 KiB blocks for 4
to 28 ms, so it never happens on the event loop.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from kernel.netlink import RouteSocket

Failure = tuple[int, bytes, int, int, str]
"""(table, address, length, errno, text)"""
BATCH: Final = 256 * 1024
_LEAST_BATCH: Final = 4096
_FIRST_PAUSE: Final = 0.01
_LAST_PAUSE: Final = 2.0
_MOST_LOSSES: Final = 5
"""Batches of one emptying whose answers may be lost."""


class BatchSource(Protocol):
    """``native.AgentFib`` as far as the writer needs it."""

    @property
    def reached(self) -> int: ...
    def next_batch(self, max_bytes: int = ..., position: int = ...) -> tuple[bytes, int, int] | None: ...
    def batch_done(self, replies: bytes) -> list[Failure]: ...


class Adopter(Protocol):
    """``native.AgentFib`` as far as the dump at start needs it."""

    def adopt_nexthops(self, dump: bytes) -> int: ...
    def adopt_routes(self, dump: bytes) -> int: ...


class Audited(Protocol):
    """``native.AgentFib`` as far as an audit's dumps need it."""

    def audit_nexthops(self, dump: bytes) -> None: ...
    def audit_routes(self, dump: bytes) -> None: ...
    def audit_doubtful(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What the writer did. ``drained``: the kernel holds everything the model held at ``position``."""

    position: int
    drained: bool
    failures: list[Failure]
    messages: int = 0
    seconds: float = 0.0
    installed: int = 0
    """The position up to which the kernel has answered for everything; 0 where that is not known."""
    error: str = ""
    """The answers to a batch were lost: what the kernel did not refuse is written again."""


class RouteWriter(threading.Thread):
    """Empties the model's pending work into the kernel whenever it is kicked."""

    def __init__(self, model: BatchSource, position: Callable[[], int], report: Callable[[Report], None]) -> None:
        super().__init__(name="netlink-writer", daemon=True)
        self._model = model
        self._position = position
        self._report = report
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._socket = RouteSocket()
        self._size = BATCH
        self.portid = self._socket.portid
        """Netlink address of all its writes."""

    def kick(self) -> None:
        self._wake.set()

    def stop(self, timeout: float = 35.0) -> None:
        """Finish the batch in hand, write no other."""
        self._ending.set()
        self._wake.set()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            pause = _FIRST_PAUSE
            while not self._ending.is_set():
                # Read before the model is asked: what is applied later may not be in what it answers.
                position = self._position()
                try:
                    report = self._once(position)
                    pause, self._size = _FIRST_PAUSE, BATCH
                except OSError as error:
                    report = Report(position, False, self._model.batch_done(b""), error=str(error))
                    # Smaller ones, so that the answers to a batch in which everything fails find room.
                    self._size = max(_LEAST_BATCH, self._size // 4)
                    self._ending.wait(pause)
                    pause = min(_LAST_PAUSE, pause * 2)
                self._report(report)
                if report.drained:
                    break
            if self._ending.is_set():
                self._socket.close()
                return

    def _once(self, position: int) -> Report:
        if self._socket.broken:
            self._socket.close()
            self._socket = RouteSocket(self.portid)
        batch = self._model.next_batch(self._size, position)
        if batch is None:
            return Report(position, True, [], installed=position)
        octets, first, last = batch
        start = time.monotonic()
        failures = self._model.batch_done(self._socket.exchange(octets, last))
        seconds = time.monotonic() - start
        return Report(position, False, failures, (last - first + 1) & 0xFFFFFFFF, seconds, self._model.reached)


def adopt(model: Adopter, table: int, protocol: int) -> tuple[int, int]:
    """Tell the model what of ours the kernel already has: (nexthops, routes). Nexthops first: the routes point to
    them."""
    source = RouteSocket()
    try:
        nexthops = sum(model.adopt_nexthops(dump) for dump in source.dump_nexthops())
        routes = 0
        for family in (socket.AF_INET, socket.AF_INET6):
            routes += sum(model.adopt_routes(dump) for dump in source.dump_routes(family, table, protocol))
        return nexthops, routes
    finally:
        source.close()


def read_nexthops(model: Audited) -> None:
    """For an audit of nexthops that has begun."""
    source = RouteSocket()
    try:
        for dump in source.dump_nexthops():
            model.audit_nexthops(dump)
    finally:
        source.close()


def read_routes(model: Audited, table: int, protocol: int, ending: Callable[[], bool]) -> None:
    """For an audit of routes that has begun; cut short where ``ending``."""
    source = RouteSocket()

    def read(family: int) -> None:
        for chunk in source.read_routes(family, table, protocol):
            if ending():
                return
            model.audit_routes(chunk)

    try:
        read(socket.AF_INET)
        read(socket.AF_INET6)
        if model.audit_doubtful():
            read(socket.AF_INET6)
    finally:
        source.close()


def drain(model: BatchSource, portid: int) -> list[Failure]:
    """Write all that is pending, on the calling thread, from the netlink address of a writer that has ended."""
    failures: list[Failure] = []
    losses = 0
    target = RouteSocket(portid)
    try:
        while (batch := model.next_batch(BATCH)) is not None:
            try:
                failures += model.batch_done(target.exchange(batch[0], batch[2]))
            except OSError:
                failures += model.batch_done(b"")
                losses += 1
                if losses > _MOST_LOSSES:
                    raise
                target.close()
                target = RouteSocket(portid)
    finally:
        target.close()
    return failures
