"""An ncpd whose kernel has room for so many routes and no more: python -m tests.failures.full_table FILE ARGUMENTS

FILE holds the number, and is read with each batch, so that a test can make room. Only what fits reaches the kernel; for
the rest this answers ENOSPC as Linux would.
"""

from __future__ import annotations

import errno
import struct
import sys
from pathlib import Path
from typing import ClassVar

from kernel import netlink, routes
from routingd import agent_main

HEADER = struct.Struct("=IHHII")
ACK = 0x4
ERROR, NEWROUTE, DELROUTE = 2, 24, 25
CAPPED = 0x100


class FullTable(netlink.RouteSocket):
    room: Path
    held: ClassVar[set[bytes]] = set()
    """By all sockets of this process: one may follow another."""

    def exchange(self, batch: bytes, last: int) -> bytes:
        room = int(self.room.read_text())
        fits: list[bytearray] = []
        refused = b""
        at = 0
        while at < len(batch):
            length, kind, _, sequence, _ = HEADER.unpack_from(batch, at)
            message = bytearray(batch[at : at + length])
            if kind == NEWROUTE and not self._take(message, room):
                refused += HEADER.pack(36, ERROR, CAPPED, sequence, 0) + struct.pack("=i", -errno.ENOSPC) + message[:16]
            else:
                if kind == DELROUTE:
                    self.held.discard(_prefix(message))
                fits.append(message)
            at += (length + 3) & ~3
        if not fits:
            return refused
        _, kind, flags, sequence, port = HEADER.unpack_from(fits[-1])
        HEADER.pack_into(fits[-1], 0, len(fits[-1]), kind, flags | ACK, sequence, port)
        return super().exchange(b"".join(fits), sequence) + refused

    def _take(self, message: bytearray, room: int) -> bool:
        """Where there is less room than is held, what was lost meanwhile finds none."""
        prefix = _prefix(message)
        self.held.discard(prefix)
        if len(self.held) >= room:
            return False
        self.held.add(prefix)
        return True


def _prefix(message: bytearray) -> bytes:
    """Family, length and destination, which is the first attribute."""
    (length,) = struct.unpack_from("=H", message, 28)
    return bytes(message[16:18]) + bytes(message[32 : 28 + length])


if __name__ == "__main__":
    FullTable.room = Path(sys.argv.pop(1))
    routes.RouteSocket = FullTable  # type: ignore[misc]
    agent_main.main()
