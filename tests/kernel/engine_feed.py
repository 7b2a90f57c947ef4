"""A real engine's FIB stream into a real ncpd, without a daemon between: every frame on the wire is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import native
from fibd import wire
from fibd.distributor import Failure, FailureKey, Feed, Want, read_chunk
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

    def begin_again(self, engine: native.Engine) -> None:
        """The agent is another, and so may be the engine: what the box holds is asked for, the rest is to be sent."""
        self.engine = engine
        self._seen = len(self.controller.received)
        self.controller.send(wire.Role.FIB, wire.DigestRequest(self.controller.election_id))

        def reply() -> wire.DigestReply | None:
            news = [message for _, message in self.controller.received[self._seen :]]
            return next((message for message in news if isinstance(message, wire.DigestReply)), None)

        told = wait_for("what the box holds", reply, every=0.01)
        assert told is not None
        self._cursor, kept = engine.fib_resume([(table, sums) for table, sums in told.rows])
        self._feed.connected()
        self._send(self._feed.begin(time.monotonic(), kept))

    def send(self, routes: int) -> None:
        """One stretch of about so many routes."""
        chunk = read_chunk(self.engine, self._cursor, Want(routes, at_tail=False))
        assert chunk is not None
        assert not chunk.at_tail, "that was the end"
        self._send(self._feed.chunk(chunk, time.monotonic()))

    def wait_for_an_answer(self) -> None:
        """That something of what was sent is in the kernel."""

        def installed() -> bool:
            news = [message for _, message in self.controller.received[self._seen :]]
            return any(isinstance(message, wire.Ack) and message.installed for message in news)

        wait_for("an acknowledgement", installed, every=0.002)

    @property
    def resent(self) -> tuple[int, int]:
        """Routes and shards that it took to bring the box up to date."""
        return self._feed.resent_routes, self._feed.resent_shards

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
