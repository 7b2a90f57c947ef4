"""What leaves on a streams connection: order, sharing, sizes. No loop, no socket."""

from __future__ import annotations

import struct
from collections.abc import Callable

from fibd.wire import MAX_CHUNK, Decoder, Message, StreamClose, StreamCredit, StreamData
from routingd.outbox import GIVE_BACK, Outbox, pieces


class Wire:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.sizes: list[int] = []
        self.scheduled: list[Callable[[], None]] = []
        self.later: list[Callable[[], None]] = []
        self.outbox = Outbox(self.scheduled.append, self._send, lambda _, flush: self.later.append(flush))

    def _send(self, frames: object) -> None:
        for frame in frames:  # type: ignore[attr-defined]
            self.sizes.append(len(frame))
            self.messages += [message for message, _, _ in Decoder().feed(frame)]

    def turn(self) -> list[Message]:
        """The loop's next turn."""
        self.messages = []
        for flush in self.scheduled:
            flush()
        self.scheduled.clear()
        return self.messages

    def wait(self) -> list[Message]:
        """Until what was to be called later is."""
        self.scheduled += self.later
        self.later.clear()
        return self.turn()


def bgp(size: int, fill: int = 0) -> bytes:
    return b"\xff" * 16 + struct.pack("!HB", size, 2) + bytes([fill]) * (size - 19)


def test_equal_bytes_of_one_turn_cross_once_for_all_their_streams() -> None:
    wire = Wire()
    for stream in (2, 4, 6):
        wire.outbox.data(stream, bgp(100))
    assert wire.turn() == [StreamData([[[2, 4, 6], bgp(100)]])]


def test_bytes_of_one_stream_keep_their_order_even_where_sharing_would_be_possible() -> None:
    wire = Wire()
    wire.outbox.data(2, bgp(100, 1))
    wire.outbox.data(4, bgp(100, 2))
    wire.outbox.data(4, bgp(100, 1))
    (message,) = wire.turn()
    assert isinstance(message, StreamData)
    assert [data for streams, data in message.rows if 4 in streams] == [bgp(100, 2), bgp(100, 1)]


def test_a_close_follows_the_bytes_before_it() -> None:
    wire = Wire()
    wire.outbox.data(2, bgp(21))
    wire.outbox.message(StreamClose(2, "done"))
    assert [type(m) for m in wire.turn()] == [StreamData, StreamClose]


def test_credit_is_summed_and_not_given_to_closed_streams() -> None:
    wire = Wire()
    wire.outbox.credit(2, 100)
    wire.outbox.credit(2, 50)
    wire.outbox.credit(4, 7)
    wire.outbox.forget(4)
    assert wire.wait() == [StreamCredit([[2, 150]])]


def test_a_little_credit_goes_with_what_leaves_or_after_a_moment_and_much_at_once() -> None:
    wire = Wire()
    wire.outbox.credit(2, 100)
    assert wire.turn() == []
    wire.outbox.data(4, bgp(21))
    assert wire.turn() == [StreamData([[[4], bgp(21)]]), StreamCredit([[2, 100]])]
    assert wire.wait() == [], "it is gone by the time that it was waited for"
    wire.outbox.credit(2, 50)
    assert len(wire.later) == 1
    wire.outbox.credit(2, GIVE_BACK)
    assert wire.turn() == [StreamCredit([[2, GIVE_BACK + 50]])]


def test_one_turn_is_flushed_once_and_an_empty_one_not_at_all() -> None:
    wire = Wire()
    wire.outbox.data(2, bgp(21))
    wire.outbox.data(2, bgp(21))
    assert len(wire.scheduled) == 1
    wire.turn()
    assert wire.turn() == []


def test_a_long_run_is_cut_at_message_boundaries() -> None:
    run = b"".join(bgp(4096, i % 251) for i in range(200))
    parts = pieces(run, MAX_CHUNK)
    assert b"".join(parts) == run
    assert len(parts) > 1
    assert all(len(part) <= MAX_CHUNK and len(part) % 4096 == 0 for part in parts)


def test_no_frame_is_much_larger_than_a_chunk() -> None:
    wire = Wire()
    for index in range(10):
        wire.outbox.data(2, bgp(4096, index) * 60)
    wire.turn()
    assert max(wire.sizes) <= MAX_CHUNK + 1024


def test_after_a_lost_connection_nothing_old_is_sent() -> None:
    wire = Wire()
    wire.outbox.data(2, bgp(100))
    wire.outbox.credit(2, 5)
    wire.outbox.clear()
    assert wire.turn() == []
