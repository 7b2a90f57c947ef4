"""A consumer that does not read while the whole table changes over and over: memory stays bounded by the table, the
others get everything in time, and in the end the one that stalled has what they have."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import native
from tests.props.folding import FoldedExport, FoldedFib

PREFIXES = 20_000
ROUNDS = 40
NEXT_HOPS = [bytes((10, 0, 0, number)) for number in (2, 3, 4)]
ASN, PEER_ASN = 65000, 65001
TERMS = native.SessionTerms(peer_asn=PEER_ASN, local_asn=ASN, four_octet_as=True, families=[(1, 1)])


def update(next_hop: bytes, med: int, numbers: range, *, withdraw: bool = False) -> bytes:
    nlri = b"".join(struct.pack("!I", 24 << 24 | (20 << 16) + number) for number in numbers)
    attributes = (
        b"\x40\x01\x01\x00\x40\x02\x06\x02\x01" + struct.pack("!I", PEER_ASN)
        + b"\x40\x03\x04" + next_hop + b"\x80\x04\x04" + struct.pack("!I", med)
    )  # fmt: skip
    body = (
        struct.pack("!H", len(nlri)) + nlri + b"\0\0"
        if withdraw
        else struct.pack("!HH", 0, len(attributes)) + attributes + nlri
    )
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body


@dataclass
class FoldedWatch:
    routes: dict[str, Any] = field(default_factory=dict)

    def apply(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["op"] == "put":
                self.routes[row["prefix"]] = (row["source"], row["attributes"])
            else:
                del self.routes[row["prefix"]]


class Churned:
    """An engine under churn with two readers of each feed: one that reads after every round, one that never does."""

    def __init__(self) -> None:
        self.engine = native.Engine(router_id=bytes((9, 9, 9, 9)), asn=ASN, digest_key=bytes(16))
        self.engine.put_connected(self.engine.add_connected_source(), (bytes((10, 0, 0, 0)), 24), "ncp1", "eth0")
        self.peer = self.engine.add_peer(address=NEXT_HOPS[0], asn=PEER_ASN, router_id=NEXT_HOPS[0], ebgp=True)
        self.other = self.engine.add_peer(
            address=bytes((10, 0, 0, 9)), asn=65009, router_id=bytes((10, 0, 0, 9)), ebgp=True
        )
        self.fib = [(self.engine.fib_open(), FoldedFib()) for _ in range(2)]
        self.exports = [(self.export_open(), FoldedExport(four_octet_as=True)) for _ in range(2)]
        self.watches = [(self.engine.watch_open(1), FoldedWatch()) for _ in range(2)]

    def export_open(self) -> int:
        return self.engine.export_open(
            peer_source=self.other, afi=1, safi=1, ebgp=False, local_asn=ASN, peer_asn=ASN, next_hop_self=False,
            local_address=bytes((10, 0, 0, 1)), local_link=None, four_octet_as=True,
        )  # fmt: skip

    def say(self, data: bytes) -> None:
        for item in native.Framer().feed(data).items:
            assert isinstance(item, native.Updates)
            assert self.engine.receive(self.peer, item, TERMS).error is None

    def churn(self, round_: int) -> None:
        """Every prefix changes what peers are told, most change their group, some go and come."""
        for start in range(0, PREFIXES, 500):
            numbers = range(start, start + 500)
            gone = (start // 500 + round_) % 7 == 0
            self.say(update(NEXT_HOPS[(start // 500 + round_) % 3], round_, numbers, withdraw=gone))
        while self.engine.step():
            pass

    def read(self, which: int) -> None:
        consumer, told = self.fib[which]
        told.read_all(self.engine, consumer, 8192)
        consumer, sent = self.exports[which]
        sent.read_all(self.engine, consumer, 8192)
        consumer, seen = self.watches[which]
        while (rows := self.engine.watch_read(consumer, 8192)) is not None:
            seen.apply(rows)


def test_stalled_readers_of_every_feed_hold_up_nobody_keep_memory_bounded_and_end_right() -> None:
    churned = Churned()
    sizes = []
    for round_ in range(ROUNDS):
        churned.churn(round_)
        churned.read(0)
        sizes.append(churned.engine.memory()["total"])
    # The first rounds fill what a stalled reader costs at most; after that nothing grows, however long it lasts
    assert max(sizes[ROUNDS // 2 :]) <= 1.05 * max(sizes[: ROUNDS // 2])
    assert churned.engine.memory()["logs"] <= 64 * PREFIXES
    churned.read(1)
    for readers in (churned.fib, churned.exports, churned.watches):
        (_, prompt), (_, stalled) = readers
        assert stalled.routes.keys() == prompt.routes.keys()
    assert churned.fib[1][1].content() == churned.fib[0][1].content()
    assert churned.exports[1][1].routes == churned.exports[0][1].routes
    assert churned.watches[1][1].routes == churned.watches[0][1].routes
    assert len(churned.watches[1][1].routes) == churned.engine.counts()["ipv4"]["fib"]
