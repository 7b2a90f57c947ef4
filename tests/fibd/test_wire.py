"""The frames between routingd and ncpd: golden bytes, round trips, hostile bytes."""

from __future__ import annotations

import dataclasses
import struct
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibd import wire
from tests.fibd.samples import KEY, SAMPLES, V4

GOLDEN = Path(__file__).parent.parent / "golden" / "fibd-frames.txt"


def frame(kind: int, body: object, flags: int = 0, channel: int = 0) -> bytes:
    payload = body if isinstance(body, bytes) else msgpack.packb(body)
    return struct.pack("!IBBH", len(payload) + 4, kind, flags, channel) + payload


def decoded(data: bytes) -> list[wire.Message]:
    return [message for message, _, _ in wire.Decoder().feed(data)]


def golden() -> dict[str, bytes]:
    rows = (line.split() for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#"))
    return {name: bytes.fromhex(octets) for name, octets in rows}


def test_every_message_type_has_a_sample() -> None:
    assert {type(sample) for sample in SAMPLES} == set(wire.MESSAGES.values())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: type(s).__name__)
def test_a_frame_written_by_an_earlier_build_still_means_the_same(sample: wire.Message) -> None:
    assert decoded(golden()[type(sample).__name__]) == [sample]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: type(s).__name__)
def test_what_is_encoded_is_the_golden_frame(sample: wire.Message) -> None:
    assert wire.encode(sample).hex() == golden()[type(sample).__name__].hex()


def test_flags_and_channel_come_through() -> None:
    data = wire.encode(wire.FactsComplete(1), channel=513, flags=wire.BEGIN | wire.COMMIT)
    assert list(wire.Decoder().feed(data)) == [(wire.FactsComplete(1), 6, 513)]


@given(st.lists(st.integers(1, 97), min_size=1, max_size=40))
def test_frames_come_through_however_the_stream_is_cut(cuts: list[int]) -> None:
    data = b"".join(wire.encode(sample) for sample in SAMPLES)
    decoder, got, at = wire.Decoder(), [], 0
    for cut in cuts * (len(data) // sum(cuts) + 1):
        got += [message for message, _, _ in decoder.feed(data[at : at + cut])]
        at += cut
    assert tuple(got) == SAMPLES


def test_feeding_before_the_frames_were_read_loses_nothing() -> None:
    decoder = wire.Decoder()
    decoder.feed(wire.encode(wire.FactsComplete(1)))
    assert [m for m, _, _ in decoder.feed(wire.encode(wire.FactsComplete(2)))] == [
        wire.FactsComplete(1),
        wire.FactsComplete(2),
    ]


def test_an_absent_field_takes_its_default() -> None:
    assert decoded(frame(4, {0: "upgrade", 1: 5})) == [wire.Bye("upgrade", 5.0, flush=False)]


def test_unknown_keys_and_further_columns_are_ignored() -> None:
    assert decoded(frame(19, {0: 1, 77: [1], "x": 2})) == [wire.FactsComplete(1)]
    assert decoded(frame(37, {0: [[2, 4096, "later"]]})) == [wire.StreamCredit([[2, 4096]])]


def test_an_unknown_type_is_skipped_unless_it_is_critical() -> None:
    decoder = wire.Decoder()
    data = frame(200, b"\xc1 not even msgpack") + wire.encode(wire.FactsComplete(1))
    assert [m for m, _, _ in decoder.feed(data)] == [wire.FactsComplete(1)]
    assert decoder.skipped == 1
    with pytest.raises(wire.WireError, match="critical message of unknown type 200"):
        list(wire.Decoder().feed(frame(200, {}, flags=wire.CRITICAL)))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (struct.pack("!I", wire.MAX_FRAME + 1) + bytes(8), "a frame of 16777217 bytes"),
        (struct.pack("!I", 3) + bytes(8), "a frame of 3 bytes"),
        (frame(19, b"\xc1"), "unreadable body"),
        (frame(19, b"\x81\x00"), "unreadable body"),
        (frame(19, b"\x81\x00\x01\x00"), "unreadable body"),
        (frame(19, b"\x81\x90\x01"), "unreadable body"),
        (frame(19, b"\xdd\xff\xff\xff\xff"), "unreadable body"),
        (frame(25, b"\x82\x00\x01\x01" + b"\x91" * 5000 + b"\xc0"), "unreadable body"),
        (frame(25, b"\x82\x00\x01\x01\xd6\xff\x00\x00\x00\x01"), "unreadable body"),
        (frame(19, [1]), "expected a map"),
        (frame(19, {}), "FactsComplete.sequence is missing"),
        (frame(19, {0: True}), "expected an integer"),
        (frame(19, {0: "1"}), "expected an integer"),
        (frame(4, {0: b"why", 1: 1.0}), "expected text"),
        (frame(4, {0: "why", 1: float("nan")}), "not finite"),
        (frame(25, {0: 1, 1: {"installed": [float("nan")]}}), "not finite"),
        (frame(41, {0: [], 1: [[2, 60.0, float("inf"), 0]]}), "not finite"),
        (frame(4, {0: "why", 1: 1.0, 2: 1}), "expected a boolean"),
        (frame(1, {0: 3, 1: "n", 2: b"short"}), "Hello.boot_id: 5 bytes where 16"),
        (frame(1, {0: 5, 1: "n", 2: KEY}), "outside 1..4"),
        (frame(16, {0: 1, 1: [["eth0", 2]]}), "a row of 2 columns"),
        (frame(16, {0: 1, 1: ["eth0"]}), "expected a row"),
        (frame(17, {0: 1, 1: [["eth0", b"\x01" * 5, 24, True]]}), "4 or 16"),
        (frame(37, {0: [[1, -1]]}), "outside"),
        (frame(48, {0: 1, 1: 1, 4: [[1, KEY, 0, bytes(7)]]}), "multiple of 8"),
        (frame(48, {0: 1, 1: 1, 5: [[1, V4, b"\x18\x18", bytes(8), b"\x01\x01"]]}), "unequal length"),
        (frame(48, {0: 1, 1: 1, 5: [[1, V4, b"\x18", bytes(3), b"\x01"]]}), "unequal length"),
        (frame(48, {0: 1, 1: 1, 5: [[2, V4, b"\x18", bytes(4), b"\x01"]]}), "unequal length"),
        (frame(48, {0: 1, 1: 1, 5: [[9, V4, b"\x18", bytes(4), b"\x01"]]}), "no family known"),
        (frame(20, {0: 1, 1: {"eth0": "192.0.2.1/24"}}), "expected a list"),
    ],
)
def test_what_is_not_a_message_is_refused_with_its_reason(data: bytes, complaint: str) -> None:
    with pytest.raises(wire.WireError, match=complaint):
        list(wire.Decoder().feed(data))


def test_an_oversize_frame_is_refused_at_its_header() -> None:
    with pytest.raises(wire.WireError, match="a frame of 70000 bytes"):
        list(wire.Decoder(max_frame=65536).feed(struct.pack("!IBBH", 70000, 19, 0, 0)))


def test_frames_before_a_broken_one_come_and_nothing_after_it() -> None:
    decoder = wire.Decoder()
    got: list[tuple[wire.Message, int, int]] = []
    with pytest.raises(wire.WireError):
        got.extend(decoder.feed(wire.encode(wire.FactsComplete(1)) + frame(19, {})))
    assert [message for message, _, _ in got] == [wire.FactsComplete(1)]
    with pytest.raises(wire.WireError):
        list(decoder.feed(wire.encode(wire.FactsComplete(2))))


def test_what_cannot_be_framed_is_refused_when_it_is_written() -> None:
    with pytest.raises(ValueError, match="send it in parts"):
        wire.encode(wire.Capsule(1, bytes(wire.MAX_FRAME)))


@given(st.binary(max_size=400))
@settings(max_examples=400)
def test_random_bytes_are_a_frame_or_a_wire_error(data: bytes) -> None:
    try:
        list(wire.Decoder().feed(data))
    except wire.WireError:
        pass


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text("aé\0", max_size=8)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.integers(0, 8) | st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(sorted(wire.MESSAGES)), st.dictionaries(st.integers(0, 9), anything, max_size=10))
@settings(max_examples=400)
def test_well_formed_msgpack_of_any_shape_is_a_message_or_a_wire_error(kind: int, body: dict[int, Any]) -> None:
    try:
        (message,) = decoded(frame(kind, body))
    except wire.WireError:
        return
    assert decoded(wire.encode(message)) == [message]


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=300)
def test_a_flipped_byte_gives_a_message_of_right_types_or_a_wire_error(
    sample: wire.Message, data: st.DataObject
) -> None:
    octets = bytearray(wire.encode(sample))
    octets[data.draw(st.integers(4, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        for message in decoded(bytes(octets)):
            assert dataclasses.is_dataclass(message)
            assert decoded(wire.encode(message)) == [message]
    except wire.WireError:
        pass


def test_a_large_frame_in_small_reads_costs_linear_time() -> None:
    def cost(size: int) -> float:
        data = wire.encode(wire.Capsule(1, bytes(size)))
        decoder, best = wire.Decoder(), 9.0
        for _ in range(3):
            start = time.process_time()
            got = [m for at in range(0, len(data), 1024) for m, _, _ in decoder.feed(data[at : at + 1024])]
            best = min(best, time.process_time() - start)
            assert len(got) == 1
        return best

    assert cost(8 << 20) < 60 * max(cost(1 << 20), 1e-4)
