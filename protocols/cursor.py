"""A bounded reading position over bytes from the network: every codec of the speakers reads through it.

Every read can fail, a nested value is a cursor of its own, so that no decoder reads past the field it was given.
"""

from __future__ import annotations


class CursorError(ValueError):
    """The field ends before what it must hold."""


class Cursor:
    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def __len__(self) -> int:
        """Octets left."""
        return self._end - self._at

    def peek(self) -> int | None:
        """The next octet, left where it is."""
        return self._data[self._at] if self._at < self._end else None

    def take(self, count: int) -> bytes:
        if count < 0 or count > self._end - self._at:
            raise CursorError(f"{count} octets wanted, {len(self)} left")
        start = self._at
        self._at += count
        return self._data[start : self._at]

    def child(self, count: int) -> Cursor:
        """The next ``count`` octets as a cursor that cannot leave them."""
        return Cursor(self.take(count))

    def rest(self) -> bytes:
        return self.take(len(self))

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def finish(self) -> None:
        """Nothing may be left."""
        if len(self):
            raise CursorError(f"{len(self)} octets too many")
