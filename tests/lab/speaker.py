"""A BGP speaker that only moves bytes (RFC 4271, 4760, 6793): it opens a session, sends prepared messages as fast as
TCP takes them, records what it receives, and keeps the session alive. No work per prefix, so that what is measured is
the other end.

``python -m tests.lab.speaker --help``. State is in the report file, replaced whole five times a second; commands come
on stdin: ``send FILE`` (whole messages), ``refresh`` and ``quit`` (CEASE). Recordings are decoded afterwards with
``updates.Replay``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from tests.lab.updates import END_OF_RIB_IPV4, END_OF_RIB_IPV6, HEADER, message

OPEN, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 3, 4, 5
KEEPALIVE_MESSAGE = message(KEEPALIVE, b"")
ENDS = (END_OF_RIB_IPV4, *END_OF_RIB_IPV6)
AS_TRANS = 23456


def open_message(asn: int, hold_time: int, router_id: str, families: list[int]) -> bytes:
    capabilities = b"".join(b"\x01\x04" + struct.pack("!HBB", afi, 0, 1) for afi in families)
    capabilities += b"\x41\x04" + struct.pack("!I", asn) + b"\x02\x00"
    parameters = b"\x02" + bytes((len(capabilities),)) + capabilities
    short = asn if asn < 65536 else AS_TRANS
    return message(
        OPEN, struct.pack("!BHH4sB", 4, short, hold_time, socket.inet_aton(router_id), len(parameters)) + parameters
    )


class Speaker:
    """One session. The reader owns the record; whoever writes holds the lock for whole messages."""

    def __init__(self, stream: socket.socket, options: argparse.Namespace) -> None:
        self.stream = stream
        self.options = options
        self.lock = threading.Lock()
        self.interval = options.hold / 3
        self.report: dict[str, Any] = {
            "state": "opening", "pid": os.getpid(), "sent_bytes": 0, "sending": 0, "received_bytes": 0, "end_of_rib": 0,
            "established": None, "first_sent": None, "last_sent": None, "first_received": None, "last_received": None,
        }  # fmt: skip

    def handshake(self) -> bytes:
        """Through OPEN and the first KEEPALIVE (RFC 4271 8.2.2); what came after them in the same reads."""
        families = [int(name) for name in self.options.families.split(",")]
        self.stream.sendall(open_message(self.options.asn, self.options.hold, self.options.router_id, families))
        data = b""
        while True:
            more = self.stream.recv(65536)
            if not more:
                raise ConnectionError("closed before the session was up")
            data += more
            while len(data) >= HEADER and len(data) >= (length := int.from_bytes(data[16:18], "big")):
                kind, body, data = data[18], data[HEADER:length], data[length:]
                if kind == OPEN:
                    # RFC 4271 4.2: the smaller of the two; 0 means no KEEPALIVEs, and then an hour does no harm.
                    agreed = min(self.options.hold, int.from_bytes(body[3:5], "big"))
                    self.interval = agreed / 3 or 3600.0
                    self.stream.sendall(KEEPALIVE_MESSAGE)
                elif kind == KEEPALIVE:
                    return data
                else:
                    raise ConnectionError(f"message of type {kind} while opening: {body.hex()}")

    def run(self, early: bytes) -> None:
        self.report.update(state="established", established=time.monotonic())
        threads = [
            threading.Thread(target=target, daemon=True) for target in (self._beat, self._write_report, self._commands)
        ]
        for thread in threads:
            thread.start()
        if self.options.blob:
            threading.Thread(target=self.send_file, args=(self.options.blob,), daemon=True).start()
        try:
            self._read(early)
        except OSError as error:
            self.report["error"] = str(error)
        self.report["state"] = "closed"
        self._save()

    def _read(self, early: bytes) -> None:
        record: BinaryIO | None = open(self.options.record, "wb", buffering=0) if self.options.record else None  # noqa: SIM115
        carry = b""
        data = early
        try:
            while True:
                if data:
                    now = time.monotonic()
                    self.report["first_received"] = self.report["first_received"] or now
                    if len(data) != HEADER:  # a lone KEEPALIVE is no news
                        self.report["last_received"] = now
                    self.report["received_bytes"] += len(data)
                    window = carry + data
                    ended = sum(window.count(end) for end in ENDS)
                    if ended:
                        self.report["end_of_rib"] += ended
                        self.report["end_of_rib_at"] = now
                        window = b""  # what was counted must not be counted again
                    carry = window[-(len(ENDS[2]) - 1) :]
                    if record:
                        record.write(data)
                data = self.stream.recv(1 << 20)
                if not data:
                    self.report["error"] = "closed by the peer"
                    return
        finally:
            if record:
                record.close()

    def send_file(self, path: str) -> None:
        data = memoryview(Path(path).read_bytes())
        with self.lock:
            self.report["sending"] += 1
            self.report["first_sent"] = self.report["first_sent"] or time.monotonic()
            self.stream.sendall(data)
            self.report["sent_bytes"] += len(data)
            self.report["last_sent"] = time.monotonic()
            self.report["sending"] -= 1
            self.report["sent_files"] = self.report.get("sent_files", 0) + 1

    def _beat(self) -> None:
        while True:
            time.sleep(self.interval * random.uniform(0.75, 1.0))
            try:
                with self.lock:
                    self.stream.sendall(KEEPALIVE_MESSAGE)
            except OSError:
                return

    def _write_report(self) -> None:
        while True:
            self._save()
            time.sleep(0.2)

    def _save(self) -> None:
        if self.options.report:
            partial = f"{self.options.report}.{threading.get_ident()}"
            Path(partial).write_text(json.dumps(self.report))
            os.replace(partial, self.options.report)

    def _commands(self) -> None:
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "send":
                self.send_file(rest)
            elif word == "refresh":
                for afi in (int(name) for name in self.options.families.split(",")):
                    with self.lock:
                        self.stream.sendall(message(ROUTE_REFRESH, struct.pack("!HBB", afi, 0, 1)))
            elif word == "quit":
                with self.lock:
                    self.stream.sendall(message(NOTIFICATION, b"\x06\x02"))  # RFC 4486: administrative shutdown
                self.stream.close()
                os._exit(0)


def connect(options: argparse.Namespace) -> socket.socket:
    """Dial, or wait to be dialled, until there is a TCP connection with the peer."""
    family = socket.AF_INET6 if ":" in options.peer else socket.AF_INET
    if options.listen:
        with socket.create_server((options.local or "", options.port), family=family) as server:
            while True:
                stream, remote = server.accept()
                if remote[0] == options.peer:
                    return stream
                stream.close()
    while True:
        try:
            return socket.create_connection(
                (options.peer, options.port), timeout=5, source_address=(options.local, 0) if options.local else None
            )
        except OSError:
            time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="the peer's address")
    parser.add_argument("--local", default="", help="our address")
    parser.add_argument("--port", type=int, default=179)
    parser.add_argument("--listen", action="store_true", help="wait for the peer's connection instead of dialling")
    parser.add_argument("--asn", type=int, required=True)
    parser.add_argument("--router-id", default="192.0.2.99")
    parser.add_argument("--hold", type=int, default=90)
    parser.add_argument("--families", default="1", help="AFIs to negotiate, 1 IPv4 and 2 IPv6, with commas")
    parser.add_argument("--blob", default="", help="whole messages to send once the session is up")
    parser.add_argument("--record", default="", help="file for every byte received")
    parser.add_argument("--report", default="", help="file for the state, as JSON")
    options = parser.parse_args()
    while True:
        with connect(options) as stream:
            stream.settimeout(None)
            speaker = Speaker(stream, options)
            try:
                early = speaker.handshake()
            except OSError as error:
                print(f"speaker: {error}; trying again", flush=True)
                time.sleep(0.5)
                continue
            print("speaker: established", flush=True)
            speaker.run(early)
            print(f"speaker: {speaker.report}", flush=True)
            return 0


if __name__ == "__main__":
    sys.exit(main())
