"""Every attribute this speaker knows, a row for each way in which it can be wrong by itself."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.interop.verdict_rows import (
    CLASSIC,
    EXTERNAL,
    INTERNAL,
    MULTIPROTOCOL,
    NEXT_HOP,
    OLD,
    OPTIONAL,
    PARTIAL,
    PEER_ASN,
    TRANSITIVE,
    WELL_KNOWN,
    Build,
    Row,
    Verdict,
    as_path,
    having,
)
from tests.lab.updates import attribute


@dataclass(frozen=True, slots=True)
class Known:
    """An attribute that this speaker knows, as one kind of sender may send it."""

    code: int
    flags: int
    good: bytes
    shown: Mapping[str, str]
    bad: Mapping[str, bytes]
    clause: str
    malformed: Verdict = Verdict.WITHDRAWN
    kind: str = EXTERNAL
    forms: tuple[str, ...] = (CLASSIC, MULTIPROTOCOL)
    flags_clause: str = "7606 3 c"
    also: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)
    """Values that another clause makes malformed."""

    @property
    def name(self) -> str:
        return f"attribute {self.code}, {self.kind}"

    def carrying(self, octets: bytes, *more: bytes) -> Build:
        """In the place of the mandatory one, or behind them."""
        if self.code <= NEXT_HOP:
            return having(*more, instead={self.code: octets})
        return having(octets, *more)

    def rows(self) -> list[Row]:
        def row(
            name: str, verdict: Verdict, build: Build, *findings: str, shown: Mapping[str, str] | None = None
        ) -> Row:
            found = tuple((self.code, clause) for clause in findings)
            return Row(f"{self.name}: {name}", self.kind, verdict, build, found, shown or {}, self.forms)

        good, first = attribute(self.flags, self.code, self.good), next(iter(self.bad.values()), b"")
        flagged = self.malformed if self.flags_clause != "7606 3 c" else Verdict.WITHDRAWN
        made = [
            row("well-formed", Verdict.KEPT, self.carrying(good), shown=self.shown),
            row(
                "well-formed, with Partial",
                Verdict.KEPT,
                self.carrying(attribute(self.flags | PARTIAL, self.code, self.good)),
                shown=self.shown,
            ),
            row(
                "well-formed, in the long form",
                Verdict.KEPT,
                self.carrying(struct.pack("!BBH", self.flags | 0x10, self.code, len(self.good)) + self.good),
                shown=self.shown,
            ),
            row(
                "twice, the second malformed",
                Verdict.KEPT,
                self.carrying(good, attribute(self.flags, self.code, first)),
                "7606 3 g",
                shown=self.shown,
            ),
            row(
                "twice, the first malformed",
                self.malformed,
                self.carrying(attribute(self.flags, self.code, first), good),
                self.clause,
                "7606 3 g",
            ),
        ]
        for name, flips in (("Optional", 0x80), ("Transitive", 0x40), ("both", 0xC0)):
            octets = attribute(self.flags ^ flips, self.code, self.good)
            made.append(row(f"wrong flags: {name}", flagged, self.carrying(octets), self.flags_clause))
        for name, value in self.bad.items():
            build = self.carrying(attribute(self.flags, self.code, value))
            made.append(row(name, self.malformed, build, self.clause))
        for name, (value, clause) in self.also.items():
            build = self.carrying(attribute(self.flags, self.code, value))
            made.append(row(name, self.malformed, build, clause))
        for name, length in (("by one octet", len(self.good) + 1), ("by many", 255)):
            tail = struct.pack("!BBB", self.flags, self.code, length) + self.good
            build = having(without=(self.code,), tail=tail)
            made.append(row(f"beyond the end {name}", Verdict.WITHDRAWN, build, "7606 4"))
        return made


def lengths(right: bytes, *wrong: int) -> dict[str, bytes]:
    """The value cut or lengthened."""
    return {f"length {n}": (right * (n // max(1, len(right)) + 1) or b"\1" * n)[:n] for n in wrong}


def aigp(metric: int, kind: int = 1, length: int = 11) -> bytes:
    return struct.pack("!BHQ", kind, length, metric)


def paths(kind: str) -> dict[str, bytes]:
    """AS_PATHs of RFC 7606 7.2."""
    good = as_path(kind)
    return {
        "segment of type 0": b"\0" + good[1:],
        "segment of type 5": b"\5" + good[1:],
        "segment without AS numbers": good + b"\2\0",
        "segment beyond the end": good[:1] + bytes((good[1] + 1,)) + good[2:],
        "one octet left": good + b"\2",
        "last AS number cut": good[:-1],
        "one octet": b"\2",
    }


COMMUNITY, AGGREGATOR = b"\x00\x01\x00\x02", b"\0\1\0\1\1\2\3\4"
LARGE = struct.pack("!III", 65010, 2, 3)
EXTENDED = b"\0\2\0\1\0\0\0\1"
KNOWN: Final = (
    Known(
        1, WELL_KNOWN, b"\1", {"origin": "EGP"},
        {"length 0": b"", "length 2": b"\0\0", "value 3": b"\3", "value 255": b"\xff"}, "7606 7.1",
    ),
    Known(
        2, WELL_KNOWN, as_path(EXTERNAL, PEER_ASN, 7), {"as_path": "65010 7"}, paths(EXTERNAL), "7606 7.2",
        also={
            "AS 0": (as_path(EXTERNAL, PEER_ASN, 0), "7607 2"),
            "AS 0 in a set": (as_path(EXTERNAL) + b"\1\1\0\0\0\0", "7607 2"),
        },
    ),
    Known(
        2, WELL_KNOWN, as_path(OLD, PEER_ASN, 7), {"as_path": "65010 7"}, paths(OLD), "7606 7.2", kind=OLD,
        also={"AS 0": (as_path(OLD, PEER_ASN, 0), "7607 2")},
    ),
    Known(
        3, WELL_KNOWN, socket.inet_aton("10.8.0.9"), {}, lengths(b"\x0a\x08\0\7", 0, 3, 5, 16), "7606 7.3",
        forms=(CLASSIC,),
        also={
            f"value {address}": (socket.inet_aton(address), "4271 6.3")
            for address in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "255.255.255.255")
        },
    ),
    Known(4, OPTIONAL, b"\0\0\0\5", {"med": "5"}, lengths(b"\0\0\0\5", 0, 1, 3, 5, 8), "7606 7.4"),
    Known(5, WELL_KNOWN, b"\0\0\0\5", {"local_pref": "5"}, lengths(b"\0\0\0\5", 0, 3, 5), "7606 7.5", kind=INTERNAL),
    Known(
        6, WELL_KNOWN, b"", {"atomic_aggr": ""}, {"length 1": b"\0", "length 4": b"\0\0\0\0"}, "7606 7.6", Verdict.KEPT
    ),
    Known(
        7, TRANSITIVE, AGGREGATOR, {"aggregator": "1.2.3.4 AS65537"}, lengths(AGGREGATOR, 0, 6, 7, 9), "7606 7.7",
        Verdict.KEPT,
        also={"AS 0": (b"\0\0\0\0\1\2\3\4", "7607 2")},
    ),
    Known(
        7, TRANSITIVE, b"\0\7\1\2\3\4", {"aggregator": "1.2.3.4 AS7"}, lengths(AGGREGATOR, 0, 5, 7, 8), "7606 7.7",
        Verdict.KEPT, kind=OLD, also={"AS 0": (b"\0\0\1\2\3\4", "7607 2")},
    ),
    Known(8, TRANSITIVE, COMMUNITY, {"community": "(1,2)"}, lengths(COMMUNITY, 0, 1, 3, 5, 6), "7606 7.8"),
    Known(
        9, OPTIONAL, b"\5\5\5\5", {"originator_id": "5.5.5.5"}, lengths(b"\5", 0, 3, 5, 8), "7606 7.9", kind=INTERNAL
    ),
    Known(
        10, OPTIONAL, b"\6\6\6\6", {"cluster_list": "10.255.0.1 6.6.6.6"}, lengths(b"\6", 0, 3, 5), "7606 7.10",
        kind=INTERNAL,
    ),
    Known(16, TRANSITIVE, EXTENDED, {"ext_community": "(rt, 1, 1)"}, lengths(EXTENDED, 0, 4, 7, 9), "7606 7.14"),
    Known(
        17, TRANSITIVE, as_path(EXTERNAL, 70000), {"as_path": "65010 70000"},
        paths(EXTERNAL) | {"length 0": b""}, "6793 6", Verdict.KEPT, kind=OLD,
        also={"AS 0": (as_path(EXTERNAL, 0), "7607 2")},
    ),
    Known(
        18, TRANSITIVE, AGGREGATOR, {}, lengths(AGGREGATOR, 0, 6, 7, 9), "6793 6", Verdict.KEPT, kind=OLD,
        also={"AS 0": (b"\0\0\0\0\1\2\3\4", "7607 2")},
    ),
    Known(
        26, OPTIONAL, aigp(5), {"aigp": "5"},
        {
            "no TLV": b"", "no AIGP TLV": b"\2\0\4\0", "TLV of length 10": aigp(5, length=10)[:10],
            "TLV cut": aigp(5)[:-1], "TLV of length 2": b"\1\0\2", "behind a TLV that cannot be": b"\2\0\2" + aigp(5),
            "all ones (3.2)": aigp(2**64 - 1),
        },
        "7311 3", Verdict.KEPT, kind=INTERNAL, flags_clause="7311 3",
    ),
    Known(
        32, TRANSITIVE, LARGE, {"large_community": "(65010, 2, 3)"}, lengths(LARGE, 0, 4, 8, 11, 13), "8092 6"
    ),
    Known(35, TRANSITIVE, b"\0\0\0\7", {"otc": "7"}, lengths(b"\0\0\0\7", 0, 3, 5), "9234 5"),
)  # fmt: skip
