"""Changes of an input as hostile or broken peers make them: bits, octets, lengths, parts moved, doubled and cut."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

OCTETS: Final = (0, 1, 2, 3, 4, 16, 19, 23, 32, 64, 127, 128, 129, 254, 255)
WORDS: Final = (0, 1, 18, 19, 255, 256, 4095, 4096, 4097, 32767, 65534, 65535)
LONGEST: Final = 5000


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """One to six changes; parts of ``others`` may come in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _change(out, others, rng)
    return bytes(out[:LONGEST])


def _change(out: bytearray, others: Sequence[bytes], rng: Random) -> None:
    at = rng.randrange(len(out) + 1)
    end = min(len(out), at + rng.choice((1, 2, 4, 8, 32, 256)))
    match rng.randrange(9):
        case 0 if at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        case 1 if at < len(out):
            out[at] = rng.choice(OCTETS)
        case 2 if at < len(out):
            out[at] = (out[at] + rng.choice((-1, 1, -2, 2))) % 256
        case 3:
            out[at : at + 2] = rng.choice(WORDS).to_bytes(2, "big")
        case 4:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        case 5:
            del out[at:end]
        case 6:
            out[at:at] = out[at:end]
        case 7:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            out[at:end] = other[start : start + rng.choice((1, 2, 8, 64, 512))]
        case _:
            del out[at:]
