"""Garbage for a listening socket, from as many sides as one process can come: noise, giants, bombs, halves, silence.

``python -m tests.lab.garbage KIND TARGET --report FILE [--local ADDRESS] [--certificate FILE --key FILE --ncp NAME]``.
KIND is ``stream`` (a unix path or ADDRESS:PORT), ``tls`` (the same behind a handshake without a certificate) or
``insider`` (with one: what it says after a good Hello). What it has done is in the report file, as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgpack

from fibd.wire import MAX_FRAME, Hello, Role, encode

HELD: Final = 150
"""Connections on which it says nothing."""
PAUSE: Final = 0.004
"""A real attacker has a processor of its own."""
READ: Final = 0.05


def frame(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("!IBBH", len(body) + 4 if length is None else length, kind, 0, 0) + body


def bomb(size: int) -> bytes:
    """Arrays of 65,535 empty maps each, in a map as large as a frame may be."""
    row = b"\xdc\xff\xff" + b"\x80" * 65535
    count = size // len(row)
    return b"\x82\x00\x01\x01\xdc" + struct.pack("!H", count) + row * count


def samples(rng: random.Random) -> list[Callable[[], bytes]]:
    hello = encode(Hello(Role.CONTROL, "ncp1", bytes(16)))
    return [
        lambda: rng.randbytes(rng.choice((1, 8, 4096, 65536))),
        lambda: frame(1, rng.randbytes(64), MAX_FRAME) + rng.randbytes(1 << 18),
        lambda: frame(1, b"", 0xFFFFFFFF),
        lambda: frame(1, bomb(1 << 17)),
        lambda: frame(1, b"\x91" * 100_000),
        lambda: frame(1, msgpack.packb({0: 1, 1: "nobody", 2: bytes(16), 9: list(range(5000))})),
        lambda: frame(48, msgpack.packb({0: 1, 1: 1})),
        lambda: hello[: rng.randrange(len(hello))],
        lambda: b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
        lambda: b'{"id": 1, "command": ["show", "nothing"], "args": ' + b"[" * 50_000 + b"\n",
        lambda: b"x" * (2 << 20),
        lambda: b"\xff" * 16 + struct.pack("!HB", 4096, 2) + rng.randbytes(4077),
        lambda: b"",
    ]


def insider_samples(rng: random.Random) -> list[Callable[[], bytes]]:
    """After its Hello larger frames are read."""
    return [
        lambda: frame(25, bomb(MAX_FRAME - 1024)),
        lambda: frame(25, b"\x82\x00\x01\x01" + b"\x91" * 1_000_000),
        lambda: frame(49, msgpack.packb({0: 5, 1: 4, 2: 3})),
        lambda: frame(16, msgpack.packb({0: 1, 1: [["eth0"] * 3] * 60_000})),
        lambda: frame(17, msgpack.packb({0: 1, 1: [["eth0", bytes(4), 24, True]] * 60_000})),
        lambda: frame(rng.randrange(256), rng.randbytes(300)),
        lambda: rng.randbytes(1 << 20),
    ]


class Garbage:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rng = random.Random(options.target)
        self.done = {"connections": 0, "refused": 0, "sent": 0}
        self.held: deque[socket.socket] = deque()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        if options.certificate:
            self.context.load_cert_chain(options.certificate, options.key)

    def run(self) -> None:
        insider = self.options.kind == "insider"
        hello = encode(Hello(Role.CONTROL, self.options.ncp, self.rng.randbytes(16))) if insider else b""
        make = insider_samples(self.rng) if insider else samples(self.rng)
        reported = 0.0
        while True:
            for octets in make:
                try:
                    self.once(hello, octets())
                except OSError:
                    self.done["refused"] += 1
                time.sleep(PAUSE)
                if time.monotonic() - reported > 0.2:
                    reported = time.monotonic()
                    self.report()

    def once(self, hello: bytes, octets: bytes) -> None:
        sock = self.connect()
        if not octets:
            self.held.append(sock)
            if len(self.held) > HELD:
                self.held.popleft().close()
            return
        with sock:
            if hello:
                sock.sendall(hello)
                sock.recv(1)
            sock.settimeout(2)
            sock.sendall(octets)
            self.done["sent"] += len(octets)
            sock.settimeout(READ)
            with suppress(TimeoutError):
                while sock.recv(1 << 16):
                    pass

    def connect(self) -> socket.socket:
        target = self.options.target
        if target.startswith("/"):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(2)
            sock.connect(target)
        else:
            host, _, port = target.rpartition(":")
            source = (self.options.local, 0) if self.options.local else None
            sock = socket.create_connection((host, int(port)), timeout=2, source_address=source)
        self.done["connections"] += 1
        return sock if self.options.kind == "stream" else self.context.wrap_socket(sock)

    def report(self) -> None:
        partial = Path(f"{self.options.report}.new")
        partial.write_text(json.dumps(self.done))
        partial.replace(self.options.report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("stream", "tls", "insider"))
    parser.add_argument("target")
    for name in ("report", "local", "certificate", "key", "ncp"):
        parser.add_argument(f"--{name}", default="")
    Garbage(parser.parse_args()).run()
