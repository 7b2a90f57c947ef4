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

from kernel.netlink import NetlinkError, RouteSocket

Failure = tuple[int, bytes, int, int, str]
"""(table, address, length, errno, text)"""
BATCH: Final = 256 * 1024


class BatchSource(Protocol):
    """``native.AgentFib`` as far as the writer needs it."""

    def next_batch(self, max_bytes: int = ...) -> tuple[bytes, int, int] | None: ...
    def batch_done(self, replies: bytes) -> list[Failure]: ...


class Adopter(Protocol):
    """``native.AgentFib`` as far as the dump at start needs it."""

    def adopt_nexthops(self, dump: bytes) -> int: ...
    def adopt_routes(self, dump: bytes) -> int: ...


@dataclass(frozen=True, slots=True)
class Report:
    """What the writer did. ``drained``: the kernel holds everything the model held at ``position``."""

    position: int
    drained: bool
    failures: list[Failure]
    messages: int = 0
    seconds: float = 0.0
    error: str = ""
    """The kernel's state is not known any more: dump it again. The writer has ended."""


class RouteWriter(threading.Thread):
    """Empties the model's pending work into the kernel whenever it is kicked."""

    def __init__(self, model: BatchSource, position: Callable[[], int], report: Callable[[Report], None]) -> None:
        super().__init__(name="netlink-writer", daemon=True)
        self._model = model
        self._position = position
        self._report = report
        self._wake = threading.Event()
        self._ending = False
        self._socket = RouteSocket()

    def kick(self) -> None:
        self._wake.set()

    def stop(self, timeout: float = 35.0) -> None:
        """Finish the batch in hand, write no other."""
        self._ending = True
        self._wake.set()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        position = 0
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                while not self._ending:
                    # Read before the model is asked: what is applied later may not be in what it answers.
                    position = self._position()
                    report = self._once(position)
                    self._report(report)
                    if report.drained:
                        break
                if self._ending:
                    return
        except (NetlinkError, OSError) as error:
            self._report(Report(position, False, [], error=str(error)))
        finally:
            self._socket.close()

    def _once(self, position: int) -> Report:
        batch = self._model.next_batch(BATCH)
        if batch is None:
            return Report(position, True, [])
        octets, first, last = batch
        start = time.monotonic()
        failures = self._model.batch_done(self._socket.exchange(octets, last))
        return Report(position, False, failures, (last - first + 1) & 0xFFFFFFFF, time.monotonic() - start)


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


def drain(model: BatchSource) -> list[Failure]:
    """Write all that is pending, on the calling thread. Only while no writer runs."""
    failures: list[Failure] = []
    target = RouteSocket()
    try:
        while (batch := model.next_batch(BATCH)) is not None:
            failures += model.batch_done(target.exchange(batch[0], batch[2]))
    finally:
        target.close()
    return failures
