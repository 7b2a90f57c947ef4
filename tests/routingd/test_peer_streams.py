"""What goes to a box for one neighbor's connections, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fibd.wire import Capsule, Decoder, Message, StreamData
from protocols.bgp.messages import KEEPALIVE
from routingd.outbox import Outbox
from routingd.peer_streams import PeerStreams


class Owner:
    """One box, and what it is sent."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.decoder = Decoder()
        self.received: list[Message] = []
        self.box = Outbox(self.due.append, self._take, lambda _, flush: self.due.append(flush))

    def _take(self, frames: Any) -> None:
        for frame in frames:
            self.received += [message for message, _, _ in self.decoder.feed(frame)]

    def outbox(self, ncp: str) -> Outbox:
        return self.box

    def flush(self) -> list[Message]:
        for flush in self.due:
            flush()
        self.due.clear()
        sent, self.received = self.received, []
        return sent


def test_a_capsule_goes_behind_what_waits_for_credit() -> None:
    owner = Owner()
    streams = PeerStreams(owner)  # type: ignore[arg-type]
    conn = streams.accept("ncp1", 1, 3 * len(KEEPALIVE))
    streams.send(conn, 2 * KEEPALIVE)
    streams.send(conn, 2 * KEEPALIVE)
    streams.keep(conn, b"told everything")
    assert owner.flush() == [StreamData([[[1], 2 * KEEPALIVE]])], "the rest was not said yet"
    streams.credited(conn, 2 * len(KEEPALIVE))
    assert owner.flush() == [StreamData([[[1], 2 * KEEPALIVE]]), Capsule(1, b"told everything")]
