"""A million IPv4 routes behind a hundred groups: what a change below them costs, on the wire and in netlink.

The kernel itself is asked what was written: ``ip monitor`` in the box's namespace prints each nexthop object and each
route that netlink tells of.
"""

from __future__ import annotations

import re
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

import native
from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, box_under_test, packed
from tests.kernel.engine_feed import EngineFeed
from tests.lab.process import Process
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

ROUTES, GROUPS = 1_000_000, 100
ASN, PEER_ASN = 65000, 65001
MAX_NLRI = 1000


def table_of(next_hops: list[str], routes: int) -> bytes:
    """``routes`` prefixes of 24 bits from 20.0.0.0 up as UPDATEs, in equal shares behind each next hop."""
    out = []
    share = routes // len(next_hops)
    for at, next_hop in enumerate(next_hops):
        attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x06\x02\x01" + struct.pack("!I", PEER_ASN)
        attributes += b"\x40\x03\x04" + packed(next_hop)
        for start in range(at * share, (at + 1) * share, MAX_NLRI):
            numbers = range(start, min(start + MAX_NLRI, (at + 1) * share))
            nlri = b"".join(struct.pack("!I", 24 << 24 | (20 << 16) + n) for n in numbers)
            body = struct.pack("!HH", 0, len(attributes)) + attributes + nlri
            out.append(b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body)
    return b"".join(out)


@dataclass(frozen=True, slots=True)
class Written:
    """What netlink told of."""

    nexthops: int
    groups: int
    routes: int
    last: float
    """Wall clock of the last of them, seconds."""


class Monitor:
    """``ip monitor`` in a box, from now on."""

    def __init__(self, under_test: BoxUnderTest, name: str) -> None:
        """Returns when it listens."""
        self._box = under_test.box
        argv = ["ip", "-o", "-ts", "monitor", "nexthop", "route"]
        self._process: Process = self._box.start(name, argv)
        wait_for("the monitor to listen", lambda: self._mark("203.0.113.254"), every=0.05)
        self._from = len(self._lines())

    def _mark(self, address: str) -> bool:
        """A route of ours came and went; whether the monitor has told of it."""
        self._box.ip("route", "replace", "blackhole", f"{address}/32", "proto", "99")
        self._box.ip("route", "del", "blackhole", f"{address}/32", "proto", "99")
        return any("Deleted" in line and address in line for line in self._lines())

    def _lines(self) -> list[str]:
        return self._process.output().splitlines()

    def stop(self) -> Written:
        """All that was told before a mark of our own."""
        wait_for("the monitor to come to the mark", lambda: self._mark("203.0.113.253"), every=0.02)
        self._process.signal(signal.SIGTERM)
        self._process.wait(10)
        lines = [line for line in self._lines()[self._from :] if "203.0.113.25" not in line]
        objects = [line for line in lines if re.search(r"\bid \d+", line) and " nhid " not in line]
        routes = [line for line in lines if line not in objects]
        groups = [line for line in objects if " group " in line]
        stamps = [re.match(r"\[(\d+-\d+-\d+T\d+:\d+:\d+)\.(\d+)\]", line) for line in lines]
        last = max(
            (time.mktime(time.strptime(s[1], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{s[2]}") for s in stamps if s),
            default=0.0,
        )
        return Written(len(objects) - len(groups), len(groups), len(routes), last)


class Loaded:
    """A box whose kernel holds the table, and the engine that gave it."""

    def __init__(self, under_test: BoxUnderTest, routes: int = ROUTES, groups: int = GROUPS) -> None:
        self.under_test = under_test
        self.engine = native.Engine(router_id=packed("10.255.0.1"), asn=ASN, digest_key=bytes(range(16)))
        connected = self.engine.add_connected_source()
        self.static = self.engine.add_static_source()
        for text, port in (("192.0.2.0", PORT_A), ("198.51.100.0", PORT_B)):
            self.engine.put_connected(connected, (packed(text), 24), "ncp1", port)
        self.igp((PORT_A, PEER_A))
        self.routes = routes
        self.peer = self.add_peer("10.100.0.1", [f"10.100.{n}.1" for n in range(groups)])
        self.feed = EngineFeed(self.engine, under_test.controller)
        self.feed.run()
        assert self.feed.take().routes == routes + 3

    def add_peer(self, address: str, next_hops: list[str]) -> int:
        """One more peer with the whole table, in equal shares behind these next hops. Of two, the first one's address
        is the lower and so its routes are best."""
        peer = self.engine.add_peer(address=packed(address), asn=PEER_ASN, router_id=packed(address), ebgp=True)
        terms = native.SessionTerms(peer_asn=PEER_ASN, local_asn=ASN, four_octet_as=True, families=[(1, 1)])
        for updates in native.Framer().feed(table_of(next_hops, self.routes)).items:
            assert isinstance(updates, native.Updates)
            self.engine.receive(peer, updates, terms)
        self.settle()
        return peer

    def settle(self) -> None:
        while self.engine.step():
            pass

    def igp(self, *next_hops: tuple[str, str]) -> None:
        """The route below all next hops, as an IGP would give it."""
        rows = [{"address": packed(address), "ncp": "ncp1", "port": port} for port, address in next_hops]
        self.engine.put_static(self.static, (packed("10.0.0.0"), 8), rows, distance=110)


@contextmanager
def loaded(routes: int = ROUTES, groups: int = GROUPS) -> Iterator[Loaded]:
    with box_under_test() as under_test:
        under_test.start()
        under_test.ready()
        yield Loaded(under_test, routes, groups)


@pytest.fixture(scope="module")
def box() -> Iterator[Loaded]:
    with loaded() as ready:
        yield ready


def gateways(box: Loaded, *numbers: int) -> set[str]:
    """By which gateways the kernel forwards to some of the table's prefixes."""
    found = set()
    for number in numbers:
        address = socket.inet_ntoa(struct.pack("!I", (20 << 24) + (number << 8) + 1))
        found |= {row.get("gateway", "") for row in box.under_test.box.ip_json("route", "get", address)}
    return found


def test_an_igp_change_replaces_the_groups_and_leaves_a_million_routes_alone(box: Loaded) -> None:
    box.igp((PORT_A, PEER_A))
    box.feed.run()
    assert gateways(box, 0, 555_555, 999_999) == {PEER_A}
    box.feed.take()
    monitor = Monitor(box.under_test, "igp")
    box.igp((PORT_B, PEER_B))
    box.feed.run()
    sent, written = box.feed.take(), monitor.stop()
    # The IGP's own prefix is one route that moves to another group; nothing that uses it is touched
    assert (sent.groups, sent.routes) == (GROUPS + 1, 1)
    assert sent.urgent
    assert (written.groups, written.routes) == (GROUPS + 2, 1)  # + 1: the group of the old IGP path goes
    assert gateways(box, 0, 555_555, 999_999) == {PEER_B}


def test_a_lost_ecmp_member_of_the_igp_costs_group_messages_only(box: Loaded) -> None:
    box.igp((PORT_A, PEER_A), (PORT_B, PEER_B))
    box.feed.run()
    box.feed.take()
    monitor = Monitor(box.under_test, "ecmp")
    box.engine.set_port("ncp1", PORT_A, False)
    box.feed.run()
    sent, written = box.feed.take(), monitor.stop()
    assert (sent.groups, sent.routes) == (GROUPS + 1, 0)
    assert (written.groups, written.routes) == (GROUPS + 1, 0)
    assert gateways(box, 0, 555_555, 999_999) == {PEER_B}
    box.engine.set_port("ncp1", PORT_A, True)
    box.feed.run()
    assert box.feed.take().routes == 0


def test_a_lost_peer_with_backups_moves_groups_first_and_routes_after(box: Loaded) -> None:
    box.engine.set_options(backup=True)
    second = box.add_peer("10.200.0.1", ["198.51.100.2"])  # every route has its backup by the other port
    box.igp((PORT_A, PEER_A))
    box.feed.run()
    assert gateways(box, 0, 555_555, 999_999) == {PEER_A}
    box.feed.take()
    monitor = Monitor(box.under_test, "lost")
    box.engine.remove_source(box.peer)
    box.feed.pump()
    at_once = box.feed.take()
    assert (at_once.groups, at_once.routes, at_once.urgent) == (GROUPS, 0, True)
    box.feed.run()
    # Before one route has been looked at, all of them are forwarded by the backup
    assert gateways(box, 0, 555_555, 999_999) == {PEER_B}
    moved = monitor.stop()
    assert (moved.groups, moved.routes) == (GROUPS, 0)
    box.settle()
    box.feed.run()
    after = box.feed.take()
    assert after.routes == ROUTES
    assert gateways(box, 0, 555_555, 999_999) == {PEER_B}
    assert box.engine.source_counts(second)["ipv4"] == ROUTES
