"""Peers that mean no good, one a process: slow, silent, deaf, flooding, restless ones, and strangers.

``python -m tests.lab.hostile MODE --peer ADDRESS --local ADDRESS --asn N --report FILE``. What it has done is in the
report file, as JSON. They are nice to the machine: a real attacker has a processor of its own.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import json
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.lab.speaker import KEEPALIVE_MESSAGE, ROUTE_REFRESH, open_message
from tests.lab.updates import message

STRANGERS: Final = 200
HOLD: Final = 9
PREFIXES: Final = 500
MODES: Final = (
    "strangers", "silent", "trickle_open", "trickle", "idle", "deaf", "updates", "refreshes", "keepalives", "garbage",
    "opens", "connections", "crumbs",
)  # fmt: skip

FLOODS: Final = ("updates", "refreshes", "keepalives", "crumbs")
"""They come back when their session ends."""


class Attack:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.done = {"connections": 0, "ended": 0, "sent": 0, "received": 0}
        """How many connections were made, how many the other end ended; octets."""

    def report(self) -> None:
        partial = Path(f"{self.options.report}.new")
        while True:
            partial.write_text(json.dumps(self.done))
            partial.replace(self.options.report)
            time.sleep(0.2)

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        while True:
            sock = socket.socket()
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            try:
                sock.bind((self.options.local, 0))
                sock.connect((self.options.peer, 179))
            except OSError:
                sock.close()
                time.sleep(0.05)
                continue
            self.done["connections"] += 1
            return sock

    def established(self, receive_buffer: int = 0) -> socket.socket:
        """As far as we say: what the other end says is not read."""
        sock = self.connect(receive_buffer)
        self.send(sock, open_message(self.options.asn, HOLD, self.options.local, [1]) + KEEPALIVE_MESSAGE)
        return sock

    def send(self, sock: socket.socket, data: bytes) -> None:
        sock.sendall(data)
        self.done["sent"] += len(data)

    def until_ended(self, sock: socket.socket) -> None:
        """Read everything away."""
        try:
            while data := sock.recv(1 << 16):
                self.done["received"] += len(data)
        except OSError:
            pass
        self.done["ended"] += 1

    def reads(self, sock: socket.socket) -> None:
        threading.Thread(target=self.until_ended, args=(sock,), daemon=True).start()

    # --- what they do -------------------------------------------------------------------------------------------------

    def strangers(self) -> None:
        """Two hundred addresses that no neighbor has connect at once, again and again."""
        first = ipaddress.ip_address(self.options.local)
        while True:
            with selectors.DefaultSelector() as waiting:
                for at in range(STRANGERS):
                    sock = socket.socket()
                    sock.setblocking(False)
                    sock.bind((str(first + at), 0))
                    sock.connect_ex((self.options.peer, 179))
                    waiting.register(sock, selectors.EVENT_READ)
                while waiting.get_map() and (ready := waiting.select(timeout=5)):
                    for key, _ in ready:
                        waiting.unregister(key.fileobj)
                        assert isinstance(key.fileobj, socket.socket)
                        self.done["connections"] += 1
                        self.until_ended(key.fileobj)
                        key.fileobj.close()

    def silent(self) -> None:
        """It connects and never says a word."""
        self.until_ended(self.connect())

    def trickle_open(self) -> None:
        """An OPEN, one octet a second."""
        self._trickle(self.connect(), open_message(self.options.asn, HOLD, self.options.local, [1]))

    def trickle(self) -> None:
        """An agreed session on which KEEPALIVEs come at one octet a second."""
        sock = self.established()
        self.reads(sock)
        for _ in itertools.count():
            self._trickle(sock, KEEPALIVE_MESSAGE)

    def _trickle(self, sock: socket.socket, data: bytes) -> None:
        for octet in data:
            self.send(sock, bytes([octet]))
            time.sleep(1)

    def idle(self) -> None:
        """A session as it should be, until somebody pulls the cable."""
        self._beats(self.established(), reads=True)

    def deaf(self) -> None:
        """It goes on talking and never reads."""
        self._beats(self.established(receive_buffer=4096), reads=False)

    def _beats(self, sock: socket.socket, *, reads: bool) -> None:
        if reads:
            self.reads(sock)
        try:
            while True:
                self.send(sock, KEEPALIVE_MESSAGE)
                time.sleep(1)
        except OSError:
            self.done["ended"] += 0 if reads else 1

    def updates(self) -> None:
        """The same prefixes with another MED each time, as fast as TCP takes them."""
        sock = self.established()
        self.reads(sock)
        for med in itertools.count():
            self.send(sock, self._announcement(med) + KEEPALIVE_MESSAGE)

    def _announcement(self, med: int) -> bytes:
        path = struct.pack("!BBI", 2, 1, self.options.asn)
        hop = socket.inet_aton(self.options.local)
        attributes = b"\x40\x01\x01\x00" + b"\x40\x02" + bytes([len(path)]) + path + b"\x40\x03\x04" + hop
        attributes += b"\x80\x04\x04" + struct.pack("!I", med & 0xFFFFFFFF)
        nlri = b"".join(bytes([24, 100, at >> 8, at & 0xFF]) for at in range(PREFIXES))
        return message(2, b"\0\0" + struct.pack("!H", len(attributes)) + attributes + nlri)

    def refreshes(self) -> None:
        """It asks for everything again, a thousand times in a row, for ever."""
        self._floods(message(ROUTE_REFRESH, struct.pack("!HBB", 1, 0, 1)) * 1000)

    def keepalives(self) -> None:
        self._floods(KEEPALIVE_MESSAGE * 3000)

    def _floods(self, data: bytes) -> None:
        sock = self.established()
        self.reads(sock)
        while True:
            self.send(sock, data)

    def crumbs(self) -> None:
        """KEEPALIVEs, every octet in a packet of its own, as fast as they go."""
        sock = self.established()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reads(sock)
        while True:
            for octet in KEEPALIVE_MESSAGE:
                self.send(sock, bytes([octet]))

    def garbage(self) -> None:
        """Sessions that end in noise, one after the other."""
        noise = random.Random(7)
        self._again(lambda sock: self.send(sock, noise.randbytes(100_000)), said=True)

    def opens(self) -> None:
        """OPEN, and gone."""
        self._again(lambda sock: None, said=True)

    def connections(self) -> None:
        """Connect, and gone."""
        self._again(lambda sock: None, said=False)

    def _again(self, then: Callable[[socket.socket], None], *, said: bool) -> None:
        while True:
            try:
                with self.established() if said else self.connect() as sock:
                    then(sock)
            except OSError:
                self.done["ended"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--local", required=True)
    parser.add_argument("--asn", type=int, default=65066)
    parser.add_argument("--report", required=True)
    options = parser.parse_args()
    os.nice(10)
    attack = Attack(options)
    threading.Thread(target=attack.report, daemon=True).start()
    while True:
        try:
            getattr(attack, options.mode)()
        except OSError:
            attack.done["ended"] += 1
            time.sleep(0.2)
        if options.mode not in FLOODS:
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
