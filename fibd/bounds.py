"""What a msgpack body costs to unpack, found without unpacking it. No I/O.

An empty map is one byte on the wire and 64 in memory, and an array's header alone makes room for what it announces: 16
MiB of those would be a gigabyte. So the marks are counted first. https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import struct
from typing import Final

MAX_DEPTH: Final = 16
"""Containers in containers; honest ones come to six."""
MAX_VALUES: Final = 1 << 19
"""Values in a body, containers and keys too. Of the messages with most, 65,536 rows of eight."""
HARMLESS: Final = 128 * 1024
"""Bytes that cost some ten MiB at most, whatever they say: not worth the time."""

_UNUSED: Final = 0
_SIZED: Final = -1
_CONTAINER: Final = -2


def _marks() -> tuple[list[int], dict[int, tuple[str, int]]]:
    """By first byte: how many bytes the value has; and of those that say it themselves in which format, and how many
    values (of a container) or bytes more than that number they have."""
    steps = [1] * 128 + [_CONTAINER] * 32 + [1 + n for n in range(32)] + [1] * 32 + [1] * 32
    sized: dict[int, tuple[str, int]] = {}
    for first, lengths in ((0xC4, "BHI"), (0xD9, "BHI")):  # bin, str
        for number, length in enumerate(lengths):
            steps[first + number] = _SIZED
            sized[first + number] = (f">{length}", 1)
    for first, each in ((0xDC, 1), (0xDE, 2)):  # array, map
        for number, length in enumerate("HI"):
            steps[first + number] = _CONTAINER
            sized[first + number] = (f">{length}", each)
    steps[0xC1] = _UNUSED
    for number in (0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)):  # ext: none of ours has any
        steps[number] = _UNUSED
    for number, size in {
        0xCA: 5,
        0xCB: 9,
        0xCC: 2,
        0xCD: 3,
        0xCE: 5,
        0xCF: 9,
        0xD0: 2,
        0xD1: 3,
        0xD2: 5,
        0xD3: 9,
    }.items():
        steps[number] = size
    return steps, sized


_STEPS, _FORMATS = _marks()
_LENGTHS: Final = {kind: (struct.Struct(format), each) for kind, (format, each) in _FORMATS.items()}


def check(body: bytes | memoryview) -> None:
    """Raises ValueError where unpacking costs more than any message of ours may, or comes to no end."""
    size = len(body)
    if size <= HARMLESS:
        return
    at = values = 0
    left = 1
    outer: list[int] = []
    try:
        while True:
            kind = body[at]
            step = _STEPS[kind]
            left -= 1
            if step > 0:
                at += step
            elif step == _UNUSED:
                raise ValueError(f"byte {kind:#x} begins no value")
            else:
                if kind < 0xA0:  # fixmap, fixarray
                    count = 2 * (kind & 0x0F) if kind < 0x90 else kind & 0x0F
                    at += 1
                else:
                    length, each = _LENGTHS[kind]
                    (count,) = length.unpack_from(body, at + 1)
                    at += 1 + length.size
                    if step == _SIZED:
                        at += count
                        count = 0
                    else:
                        count *= each
                if count:
                    values += count
                    if values > MAX_VALUES or values > size:
                        raise ValueError(f"more than {min(MAX_VALUES, size)} values")
                    outer.append(left)
                    if len(outer) > MAX_DEPTH:
                        raise ValueError(f"containers in each other more than {MAX_DEPTH} deep")
                    left = count
            while not left:
                if not outer:
                    return
                left = outer.pop()
    except (IndexError, struct.error):
        raise ValueError("ends in the middle of a value") from None
