"""Frames made to cost more than they weigh: refused before they are unpacked, whatever they look like."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fibd import bounds, wire
from tests.fibd.samples import SAMPLES

BIG = bounds.HARMLESS + 1


@pytest.fixture
def everything_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HARMLESS", 0)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False)
    | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.integers(0, 1 << 40), inner, max_size=20),
    max_leaves=60,
)  # fmt: skip


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(values)
def test_what_msgpack_writes_passes(value: Any) -> None:
    assume(depth(value) <= bounds.MAX_DEPTH)
    harmless, bounds.HARMLESS = bounds.HARMLESS, 0  # type: ignore[misc]
    try:
        bounds.check(msgpack.packb(value))
    finally:
        bounds.HARMLESS = harmless  # type: ignore[misc]


@pytest.mark.usefixtures("everything_counts")
def test_every_message_passes() -> None:
    for sample in SAMPLES:
        bounds.check(wire.encode(sample)[8:])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x91" * 17 + b"\xc0", "more than 16 deep"),
        (b"\x81\xc0" * 17 + b"\xc0", "more than 16 deep"),
        (b"\xdc\xff\xff" + b"\xc0" * 100, "more than 103 values"),
        (b"\xdf\xff\xff\xff\xff" + b"\xc0" * 100, "more than 105 values"),
        (b"\x92\xc0", "ends in the middle"),
        (b"\xc5\x01", "ends in the middle"),
        (b"\xc1", "begins no value"),
        (b"\xd4\x01\x00", "begins no value"),
    ],
)
@pytest.mark.usefixtures("everything_counts")
def test_what_announces_too_much_is_refused_with_its_reason(body: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        bounds.check(body)


def test_a_million_empty_containers_are_no_message() -> None:
    body = b"\x81\x00\xdc\xff\xff" + b"\x9f" + b"\x80" * (1 << 20)
    frame = struct.pack("!IBBH", len(body) + 4, 25, 0, 0) + body
    with pytest.raises(wire.WireError, match="unreadable body"):
        list(wire.Decoder().feed(frame))


@pytest.mark.parametrize("seed", range(8))
def test_large_frames_made_from_good_ones_by_chance_are_messages_or_wire_errors(seed: int) -> None:
    """Bytes changed, left out, doubled; bodies grown over the size from which on they are counted."""
    rng = random.Random(seed)
    seen = 0
    for _ in range(60):
        sample = rng.choice(SAMPLES)
        octets = bytearray(wire.encode(sample)[8:])
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(octets))
            match rng.randrange(4):
                case 0:
                    octets[at] = rng.randrange(256)
                case 1:
                    del octets[at : at + rng.randrange(8)]
                case 2:
                    octets[at:at] = octets[at : at + 64]
                case _:
                    octets[at:at] = bytes([rng.choice((0x80, 0x90, 0xC0, 0xDC, 0xDD, 0xDF))]) * rng.choice((1, BIG))
            octets = octets or bytearray(1)
        frame = struct.pack("!IBBH", len(octets) + 4, sample.TYPE, 0, 0) + octets
        try:
            for message, _, _ in wire.Decoder().feed(frame):
                assert isinstance(message, wire.Message)
        except wire.WireError:
            seen += 1
    assert seen > 30


def test_no_frame_of_16_mib_costs_a_multiple_of_its_size_in_memory() -> None:
    """In a process of its own, as a peak is one of a process."""
    program = """
import resource, struct
from fibd import wire
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
def feed(body):
    try:
        list(wire.Decoder().feed(struct.pack("!IBBH", len(body) + 4, 25, 0, 0) + body))
    except wire.WireError:
        return
    raise SystemExit("taken")
whole = wire.MAX_FRAME - 4
many = b"\\x82\\x00\\x01\\x01\\xdc\\x00\\xff" + (b"\\xdc\\xff\\xff" + b"\\x80" * 65535) * 255
bodies = [many[:whole], (b"\\x82\\x00\\x01\\x01" + b"\\x91" * whole)[:whole], bytes([0xdd, 0xff, 0xff, 0xff, 0xff]) * (whole // 5),
    b"\\x82\\x00\\x01\\x01" + b"\\xdc\\xff\\xff" * (whole // 3 - 4), b"\\x81\\x01" + b"\\xdc\\xff\\xff" * 500 + bytes(120000)]
before = peak()
for body in bodies:
    feed(body)
print(peak() - before)
"""  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stderr == ""
    assert int(done.stdout) < 128, "the frame itself twice, in MiB, and a little"
