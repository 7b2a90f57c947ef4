"""A BGP peer of bare bytes: it opens a session, says what it is told to say, well-formed or not, and keeps what it
hears."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import NamedTuple

from tests.kernel.fake_controller import in_namespace
from tests.lab.lab import Namespace
from tests.lab.speaker import AS_TRANS, KEEPALIVE, KEEPALIVE_MESSAGE, NOTIFICATION, OPEN
from tests.lab.updates import HEADER, UPDATE, message


class Heard(NamedTuple):
    """A NOTIFICATION."""

    code: int
    subcode: int
    data: bytes


class RawPeer:
    """One connection, without a hold timer: it stays as long as nobody closes it."""

    def __init__(
        self,
        box: Namespace,
        *,
        local: str,
        remote: str,
        asn: int,
        four_octet: bool = True,
        families: tuple[int, ...] = (1, 2),
        extended_messages: bool = False,
        more: bytes = b"",
        hold_time: int = 0,
    ) -> None:
        """``more``: further capabilities, encoded. ``hold_time``: seconds; as it sends no KEEPALIVEs, 0, or long enough
        for a peer that does not take that."""
        self.local = local
        self.asn = asn
        self.notification: Heard | None = None
        self.updates: list[bytes] = []
        """Their bodies."""
        self.heard: list[tuple[int, bytes]] = []
        """All but KEEPALIVEs: type, body."""
        self.closed = threading.Event()
        self._opened = threading.Event()
        """Up, or closed before."""
        self._stream: socket.socket = in_namespace(box, lambda: _connected(local, remote))
        self._stream.sendall(_open(asn, hold_time, local, four_octet, families, extended_messages, more))
        self._stream.sendall(KEEPALIVE_MESSAGE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def up(self) -> bool:
        """Once OPENs were exchanged, or the connection is gone."""
        return self._opened.wait(10) and not self.closed.is_set()

    def send(self, data: bytes) -> None:
        """All of it, unless the other end closes before."""
        with contextlib.suppress(ConnectionError):
            self._stream.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._stream.close()

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):
            while more := self._stream.recv(1 << 16):
                data += more
                while len(data) >= HEADER and len(data) >= (length := int.from_bytes(data[16:18], "big")):
                    kind, body, data = data[18], data[HEADER:length], data[length:]
                    if kind == KEEPALIVE:
                        self._opened.set()
                        continue
                    self.heard.append((kind, body))
                    if kind == NOTIFICATION:
                        self.notification = Heard(body[0], body[1], body[2:])
                    elif kind == UPDATE:
                        self.updates.append(body)
        self.closed.set()
        self._opened.set()


def _connected(local: str, remote: str) -> socket.socket:
    """As soon as somebody listens there and lets us in."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    deadline = time.monotonic() + 20
    while True:
        stream = socket.socket(family)
        try:
            stream.bind((local, 0))
            stream.connect((remote, 179))
        except ConnectionError:
            stream.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return stream


def _open(
    asn: int, hold_time: int, router_id: str, four_octet: bool, families: tuple[int, ...], extended_messages: bool,
    more: bytes,
) -> bytes:  # fmt: skip
    capabilities = b"".join(b"\x01\x04" + struct.pack("!HBB", afi, 0, 1) for afi in families)
    if four_octet:
        capabilities += b"\x41\x04" + struct.pack("!I", asn)
    if extended_messages:
        capabilities += b"\x06\x00"
    capabilities += more
    parameters = b"\x02" + bytes((len(capabilities),)) + capabilities
    short = asn if asn < 65536 else AS_TRANS
    fixed = struct.pack("!BHH4sB", 4, short, hold_time, socket.inet_aton(router_id), len(parameters))
    return message(OPEN, fixed + parameters)
