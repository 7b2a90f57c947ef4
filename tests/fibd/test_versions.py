"""Boxes and controller of two releases: what one writes the other reads, as far as it knows of it."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import msgpack
import pytest

from fibd import wire
from fibd.messages import OLDEST, VERSION
from tests.fibd.samples import SAMPLES

GOLDEN = Path(__file__).parent.parent / "golden"
FIRST = "fibd-frames-1.txt"
"""As the frames were when several versions began to count."""


def frames(name: str) -> dict[str, bytes]:
    rows = (line.split() for line in (GOLDEN / name).read_text().splitlines() if line and not line.startswith("#"))
    return {kind: bytes.fromhex(octets) for kind, octets in rows}


OLD = frames(FIRST)
NOW = {type(sample).__name__: sample for sample in SAMPLES}


def body(frame: bytes) -> dict[Any, Any]:
    return dict(msgpack.unpackb(frame[8:], strict_map_key=False))


def known_to(old: Any, new: Any) -> Any:
    """What a reader that knows the shape ``old`` keeps of ``new``: unknown keys and further columns go."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: known_to(value, new[key]) for key, value in old.items() if key in new}
    if isinstance(old, list) and isinstance(new, list) and any(isinstance(value, list) for value in old):
        return [known_to(row, other) for row, other in zip(old, new, strict=True)]
    if isinstance(old, list) and isinstance(new, list):
        return new[: len(old)]
    return new


@pytest.mark.parametrize("name", OLD)
def test_what_the_first_version_wrote_is_read_and_means_the_same(name: str) -> None:
    ((message, _, _),) = wire.Decoder().feed(OLD[name])
    sample = NOW[name]
    written = body(OLD[name])
    for key, field in enumerate(dataclasses.fields(sample)):
        told, meant = getattr(message, field.name), getattr(sample, field.name)
        if key in written:
            assert told == known_to(written[key], meant), f"{name}.{field.name}"
        else:
            default = field.default_factory() if callable(field.default_factory) else field.default
            assert told == default, f"{name}.{field.name} was not there: its default"


@pytest.mark.parametrize("name", OLD)
def test_what_is_written_now_means_the_same_to_a_reader_of_the_first_version(name: str) -> None:
    new = wire.encode(NOW[name])
    assert new[4] == OLD[name][4], "the type's number"
    assert known_to(body(OLD[name]), body(new)) == body(OLD[name])


def test_a_type_that_the_first_version_lacks_is_not_critical_to_it() -> None:
    """It skips what it does not know unless the frame says that this must not be."""
    for sample in SAMPLES:
        if type(sample).__name__ not in OLD:
            _, _, flags, _ = struct.unpack_from("!IBBH", wire.encode(sample))
            assert not flags & wire.CRITICAL


@pytest.mark.row(13)
def test_both_ends_speak_this_version_and_the_one_before() -> None:
    assert (max(1, VERSION - 1), VERSION) == (OLDEST, VERSION)
    hello = wire.Hello(wire.Role.CONTROL, "ncp1", bytes(16))
    assert (hello.version_min, hello.version_max) == (OLDEST, VERSION)
