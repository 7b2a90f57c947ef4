"""A real engine's FIB stream into a real ncpd, without a daemon between: every frame on the wire is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import native
from fibd import wire
from fibd.distributor import Failure, FailureKey, Feed, read_chunk
from tests.kernel.fake_controller import FakeController
from tests.lab.waiting import wait_for


@dataclass(slots=True)
class Sent:
    """What left since it was last looked at."""

    groups: int = 0
    routes: int = 0
    order: list[str] = field(default_factory=list)
    """"groups" or "routes" for each transaction that held some, in the order they left."""
    urgent: bool = False


class EngineFeed:
    """``engine`` feeds the box that ``controller`` speaks to."""

    def __init__(self, engine: native.Engine, controller: FakeController) -> None:
        self.engine = engine
        self.controller = controller
        self.sent = Sent()
        self._feed = Feed("ncp1", controller.election_id)
        self._decoder = wire.Decoder()
        self._seen = 0
        self._feed.connected()
        self._cursor = engine.fib_open()
        self._send(self._feed.begin(time.monotonic()))

    def _send(self, frames: list[bytes]) -> None:
        for frame in frames:
            for message, _, _ in self._decoder.feed(frame):
                if isinstance(message, wire.Transaction):
                    self._count(message)
            self.controller.send_bytes(wire.Role.FIB, frame)

    def _count(self, message: wire.Transaction) -> None:
        rows = sum(len(row[4]) for row in message.routes)
        self.sent.groups += len(message.groups)
        self.sent.routes += rows
        self.sent.urgent |= message.urgent
        self.sent.order += ["groups"] * bool(message.groups) + ["routes"] * bool(rows)

    def pump(self) -> None:
        """Send all that credits allow, take what was answered."""
        now = time.monotonic()
        for _, message in self.controller.received[self._seen :]:
            self._seen += 1
            if isinstance(message, wire.Ack):
                self._send(self._feed.ack(message, now))
            elif isinstance(message, wire.SnapshotVerdict):
                self._feed.verdict(message, now)
        while (want := self._feed.wants(now)) is not None:
            chunk = read_chunk(self.engine, self._cursor, want)
            if chunk is None:
                return
            self._send(self._feed.chunk(chunk, now))

    def run(self, done: Callable[[], Any] = lambda: True, *, timeout: float = 120.0) -> None:
        """Until the box has installed everything (and ``done``)."""

        def whole() -> bool:
            self.pump()
            return self._feed.caught_up and bool(done())

        wait_for("the box to have everything", whole, timeout=timeout, every=0.002)

    @property
    def failures(self) -> dict[FailureKey, Failure]:
        return self._feed.failures

    def take(self) -> Sent:
        sent, self.sent = self.sent, Sent()
        return sent
