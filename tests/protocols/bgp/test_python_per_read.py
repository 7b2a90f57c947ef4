"""Python runs once per socket read: what a read calls does not depend on the UPDATEs or routes that it carries."""

from __future__ import annotations

import struct
import sys
from types import FrameType
from typing import Any

import pytest

import native
from protocols.bgp.session import Session
from protocols.effects import Established, Routes
from tests.protocols.bgp.peers import A, B
from tests.protocols.bgp.wire_pair import World

READ = 65536


def updates(prefixes_each: int) -> bytes:
    """As many UPDATEs as one read holds, each with its own attributes and ``prefixes_each`` prefixes."""
    out, n = b"", 0
    while True:
        path = struct.pack("!BBII", 2, 2, 65002, 100000 + n)
        attributes = (
            b"\x40\x01\x01\x00" + b"\x40\x02" + bytes((len(path),)) + path + b"\x40\x03\x04" + bytes((192, 0, 2, 2))
        )
        nlri = b"".join(
            b"\x18" + struct.pack("!I", (20 << 24) + ((n * prefixes_each + i) << 8))[:3] for i in range(prefixes_each)
        )
        body = struct.pack("!HH", 0, len(attributes)) + attributes + nlri
        message = b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body
        if len(out) + len(message) > READ:
            return out
        out += message
        n += 1


def established() -> tuple[Session, int, native.Engine, int, native.SessionTerms, float]:
    world = World(A, B)
    world.perform(world.a, world.a.session.start(0.0))
    world.perform(world.b, world.b.session.start(0.0))
    world.run(until=30.0)
    (up,) = world.a.seen(Established)
    assert isinstance(up, Established)
    engine = native.Engine(router_id=A.router_id, asn=A.local_asn, digest_key=bytes(16))
    connected = engine.add_connected_source()
    engine.put_connected(connected, (bytes((192, 0, 2, 0)), 24), "ncp1", "eth0")
    source = engine.add_peer(address=A.address, asn=A.remote_asn, router_id=B.router_id, ebgp=True)
    return world.a.session, up.conn, engine, source, up.terms, world.now


def calls_of_a_read(data: bytes) -> tuple[int, int, int]:
    """(Python functions entered, UPDATEs, routes then in the table) for one read, from the session to the verdict."""
    session, conn, engine, source, terms, now = established()
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    seen = 0
    sys.setprofile(count)
    try:
        for effect in session.receive(conn, data, now):
            if isinstance(effect, Routes):
                verdict = engine.receive(source, effect.updates, terms)
                session.routes_processed(conn, verdict, now)
                seen += verdict.updates
    finally:
        sys.setprofile(None)
    return calls, seen, engine.source_counts(source)["ipv4"]


@pytest.mark.parametrize("prefixes_each", [1, 50])
def test_a_read_costs_the_same_python_whatever_it_carries(prefixes_each: int) -> None:
    one = updates(prefixes_each)[: int.from_bytes(updates(prefixes_each)[16:18], "big")]
    few, count, _ = calls_of_a_read(one)
    assert count == 1
    data = updates(prefixes_each)
    many, count, routes = calls_of_a_read(data)
    assert count > 200
    assert routes == count * prefixes_each
    assert many == few
