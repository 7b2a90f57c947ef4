"""Where one BGP message ends and the next begins in what a stream has received (RFC 4271 4.1), and the beginning of one
that has not ended yet: another controller starts to read at its first octet."""

from __future__ import annotations

from typing import Final

_HEADER: Final = 19
_LENGTH_AT: Final = 16


class Boundary:
    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = b""
        """At most one message without its last octet."""

    def passed(self, data: bytes) -> None:
        """``data`` was received. A header with a length that cannot be ends the session, so nothing is kept of it."""
        if self.tail:
            data = self.tail + data
        at, size = 0, len(data)
        while at + _LENGTH_AT + 2 <= size:
            length = data[at + _LENGTH_AT] << 8 | data[at + _LENGTH_AT + 1]
            if length < _HEADER:
                self.tail = b""
                return
            if at + length > size:
                break
            at += length
        self.tail = data[at:]
