"""UPDATEs with damage: well-formed ones, and ones that are not, changed at random places. Seeded."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence

from tests.lab.updates import HEADER, MARKER, MAX_MESSAGE, UPDATE

SHORTEST = 23


def mutated(bases: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` messages: the header is whole and tells the right length, anything else may be damaged."""
    rng = random.Random(seed)
    for _ in range(count):
        body = bytearray(rng.choice(bases)[HEADER:])
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
            _damage(body, rng)
        body.extend(bytes(max(0, SHORTEST - HEADER - len(body))))
        del body[MAX_MESSAGE - HEADER :]
        yield MARKER + struct.pack("!HB", HEADER + len(body), UPDATE) + body


def _damage(body: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(body) + 1)
    span = rng.randrange(1, 9)
    match rng.randrange(8):
        case 0 | 1 | 2 if at < len(body):
            body[at] = rng.randrange(256)
        case 3 if at < len(body):
            body[at] ^= 1 << rng.randrange(8)
        case 4 if at < len(body):
            body[at] = (body[at] + rng.choice((1, 255))) & 255  # a length that is off by one
        case 5:
            del body[at : at + span]
        case 6:
            body[at:at] = rng.randbytes(span)
        case _:
            body[at:at] = body[at : at + 8 * span]
