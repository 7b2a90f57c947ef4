"""Frames that were sent and are not known to be installed: kept, so that a stream may go on over another connection.
Credits bound them. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from fibd.wire import MAX_CHUNK

DEFAULT_CREDIT: Final = 8 << 20
OF_ALL_BOXES: Final = 256 << 20
"""What was sent to boxes and is not installed is kept until it is, so that a stream can go on: so much of it in all."""


def credit_of_each(boxes: int) -> int:
    """Bytes that one box may have outstanding where there are so many, whatever it would take. At least two chunks: one
    is on its way while the other is written."""
    return max(2 * MAX_CHUNK, min(DEFAULT_CREDIT, OF_ALL_BOXES // boxes))


@dataclass(slots=True)
class _Frame:
    sequence: int
    octets: bytes
    routes: int
    sent_at: float


class Outstanding:
    def __init__(self) -> None:
        self.size = 0
        """Bytes."""
        self._frames: deque[_Frame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def oldest(self) -> float | None:
        """When the oldest was sent."""
        return self._frames[0].sent_at if self._frames else None

    def add(self, sequence: int, octets: bytes, routes: int, now: float) -> None:
        self._frames.append(_Frame(sequence, octets, routes, now))
        self.size += len(octets)

    def installed(self, sequence: int) -> float | None:
        """All up to this one are done with: when the last of them was sent; None if none was outstanding."""
        sent_at = None
        while self._frames and self._frames[0].sequence <= sequence:
            done = self._frames.popleft()
            self.size -= len(done.octets)
            sent_at = done.sent_at
        return sent_at

    def has_all_behind(self, sequence: int, last: int) -> bool:
        """Whether what follows this one, up to ``last``, is all here."""
        first = self._frames[0].sequence if self._frames else last + 1
        return first - 1 <= sequence <= last

    def again(self, sequence: int, now: float) -> tuple[list[bytes], int]:
        """The frames that follow this one, and how many routes they have; all that is here counts as sent now."""
        for frame in self._frames:
            frame.sent_at = now
        tail = [frame for frame in self._frames if frame.sequence > sequence]
        return [frame.octets for frame in tail], sum(frame.routes for frame in tail)

    def clear(self) -> None:
        self._frames.clear()
        self.size = 0
