"""The rows that are about no attribute alone: MP_REACH_NLRI and MP_UNREACH_NLRI, unrecognized attributes, lengths of
the message, several faults at once; and the whole table."""

from __future__ import annotations

import socket
import struct

from tests.interop.verdict_attributes import AGGREGATOR, COMMUNITY, aigp
from tests.interop.verdict_rows import (
    AS_PATH,
    ASN,
    CLASSIC,
    EXTERNAL,
    FAR_ASN,
    INTERNAL,
    MULTIPROTOCOL,
    NEXT_HOP,
    OLD,
    OPTIONAL,
    ORIGIN,
    PEER_ASN,
    REACH,
    SENDER6,
    TRANSITIVE,
    WELL_KNOWN,
    Build,
    Row,
    Slot,
    Verdict,
    as_path,
    having,
    reach,
    update,
    withdrawing_only,
)
from tests.lab.updates import attribute

KEPT, WITHDRAWN, RESET = Verdict.KEPT, Verdict.WITHDRAWN, Verdict.RESET
BAD_MED, BAD_ATOMIC = attribute(OPTIONAL, 4, b"\1"), attribute(WELL_KNOWN, 6, b"\1")
BAD_COMMUNITY, BAD_AGGREGATOR = attribute(TRANSITIVE, 8, b"\1"), attribute(TRANSITIVE, 7, b"\1")
BAD_ORIGIN = attribute(WELL_KNOWN, 1, b"\7")
CONFEDERATION = struct.pack("!BBI", 3, 1, 65500)
MP = (MULTIPROTOCOL,)


def row(
    name: str, verdict: Verdict, build: Build, *findings: tuple[int, str], kind: str = EXTERNAL,
    forms: tuple[str, ...] = (CLASSIC, MULTIPROTOCOL), **shown: str,
) -> Row:  # fmt: skip
    return Row(name, kind, verdict, build, findings, shown, forms)


def missing() -> list[Row]:
    made = [
        row("without NEXT_HOP", WITHDRAWN, having(without=(NEXT_HOP,)), (3, "7606 3 d"), forms=(CLASSIC,)),
        row(
            "without any", WITHDRAWN, having(without=(1, 2, 3)), *((c, "7606 3 d") for c in (1, 2, 3)), forms=(CLASSIC,)
        ),
        row("without LOCAL_PREF, which then is ours", KEPT, having(), kind=INTERNAL),
    ]
    for code, name in ((ORIGIN, "ORIGIN"), (AS_PATH, "AS_PATH")):
        made.append(row(f"without {name}", WITHDRAWN, having(without=(code,)), (code, "7606 3 d")))
    return made


def not_ours() -> list[Row]:
    """Attributes that are dropped or passed on whatever is in them."""
    made = []
    for code, flags, value in ((5, WELL_KNOWN, b"\0\0\0\5"), (9, OPTIONAL, b"\5\5\5\5"), (10, OPTIONAL, b"\6\6\6\6")):
        for why, octets in (
            ("well-formed", attribute(flags, code, value)),
            ("of a wrong length", attribute(flags, code, value[:3])),
            ("with wrong flags", attribute(flags ^ 0xC0, code, value)),
        ):  # RFC 7606 7.5, 7.9, 7.10
            made.append(row(f"attribute {code} from outside, {why}", KEPT, having(octets)))
    for why, octets in (("well-formed", aigp(5)), ("malformed", b"\1")):  # RFC 7311 3.2
        made.append(row(f"AIGP where it was not agreed, {why}", KEPT, having(attribute(OPTIONAL, 26, octets))))
    for code, value in ((17, as_path(EXTERNAL, 70000)), (18, AGGREGATOR)):
        for why, octets in (
            ("well-formed", attribute(TRANSITIVE, code, value)),
            ("malformed", attribute(TRANSITIVE, code, b"\1")),
            ("with wrong flags", attribute(OPTIONAL, code, value)),
        ):
            name = f"attribute {code} between speakers of four octets, {why}"
            made.append(row(name, KEPT, having(octets), (code, "6793 4.1")))
    as4 = as_path(EXTERNAL, 70000)
    made += [
        row(
            "AS4_PATH longer than AS_PATH", KEPT, having(attribute(TRANSITIVE, 17, as_path(EXTERNAL, 1, 2, 3))),
            kind=OLD,
        ),
        row(
            "AS4_PATH with a confederation's segment, which goes", KEPT,
            having(attribute(TRANSITIVE, 17, CONFEDERATION + as4)), kind=OLD, as_path="65010 70000",
        ),
        row(
            "AS4_PATH beside an AGGREGATOR that is not AS_TRANS", KEPT,
            having(attribute(TRANSITIVE, 7, b"\0\7\1\2\3\4"), attribute(TRANSITIVE, 17, as4)), kind=OLD,
            aggregator="1.2.3.4 AS7",
        ),
        row(
            "AS4_AGGREGATOR", KEPT,
            having(attribute(TRANSITIVE, 7, b"\x5b\xa0\1\2\3\4"), attribute(TRANSITIVE, 18, AGGREGATOR)), kind=OLD,
            aggregator="1.2.3.4 AS65537",
        ),
        row(
            "malformed AS4_AGGREGATOR", KEPT,
            having(attribute(TRANSITIVE, 7, b"\x5b\xa0\1\2\3\4"), attribute(TRANSITIVE, 18, b"\1")), (18, "6793 6"),
            kind=OLD,
            aggregator="1.2.3.4 AS23456",
        ),
        row("AS_PATH of length 0", KEPT, having(instead={2: attribute(WELL_KNOWN, 2, b"")}), kind=INTERNAL, as_path=""),
    ]  # fmt: skip
    unknown = {"63 [t]": "68 65 79"}
    for why, flags in (
        ("", TRANSITIVE),
        (" with Partial", TRANSITIVE | 0x20),
        (" with bits that mean nothing", TRANSITIVE | 0xF),
    ):
        name = f"unrecognized, optional and transitive{why}"
        made.append(Row(name, EXTERNAL, KEPT, having(attribute(flags, 99, b"hey")), (), unknown))
    made += [
        Row("unrecognized and empty", EXTERNAL, KEPT, having(attribute(TRANSITIVE, 99, b"")), (), {"63 [t]": ""}),
        row("unrecognized, optional, not transitive", KEPT, having(attribute(OPTIONAL, 99, b"hey"))),
        Row(
            "unrecognized, twice", EXTERNAL, KEPT,
            having(attribute(TRANSITIVE, 99, b"hey"), attribute(TRANSITIVE, 99, b"you")), ((99, "7606 3 g"),), unknown,
        ),
        row("unrecognized, beyond the end", WITHDRAWN, having(tail=b"\xc0\x63\x04hey"), (99, "7606 4")),
    ]  # fmt: skip
    return made


def lists() -> list[Row]:
    """The list of attributes, the prefixes, the paths."""
    looped = having(instead={2: attribute(WELL_KNOWN, 2, as_path(EXTERNAL, PEER_ASN, ASN))})
    confederated = having(instead={2: attribute(WELL_KNOWN, 2, CONFEDERATION + as_path(EXTERNAL))})
    made = [
        row(f"{n} octets where an attribute should begin", WITHDRAWN, having(tail=octets), (0, "7606 4"))
        for n, octets in ((1, b"\x40"), (2, b"\x40\x05"), (3, b"\x50\x05\x00"))
    ]
    made += [
        row("our own AS in the path", WITHDRAWN, looped),
        row("a confederation's segment from outside", WITHDRAWN, confederated, (2, "5065 5")),
        row("prefix withdrawn and told in one message", KEPT, _both_ways, forms=(CLASSIC,)),
        row("multicast prefixes among others", KEPT, _beside_multicast, (0, "4271 6.3")),
        Row(
            "withdrawals beside a discarded attribute, nothing told", EXTERNAL, KEPT, withdrawing_only(BAD_ATOMIC),
            ((6, "7606 7.6"),), tells=False,
        ),
        row("NEXT_HOP that is our own address", WITHDRAWN, having(
            instead={3: attribute(WELL_KNOWN, 3, socket.inet_aton("10.8.0.2"))}), forms=(CLASSIC,)),
        row("NEXT_HOP of no host, where it says nothing", KEPT, having(attribute(WELL_KNOWN, 3, bytes(4))), forms=MP),
        row(
            "NEXT_HOP that is malformed, where it says nothing", WITHDRAWN, having(attribute(WELL_KNOWN, 3, b"\0")),
            (3, "7606 7.3"), forms=MP,
        ),
    ]  # fmt: skip
    for address in ("::", "::1", "ff02::5"):
        made.append(
            row(
                f"next hop {address}",
                WITHDRAWN,
                _reaching(socket.inet_pton(socket.AF_INET6, address)),
                (14, "4271 6.3"),
                forms=MP,
            )
        )
    link_local = socket.inet_pton(socket.AF_INET6, SENDER6) + socket.inet_pton(socket.AF_INET6, "fe80::8")
    made.append(row("next hop with a link-local one", KEPT, _reaching(link_local), forms=MP))
    return made


def several() -> list[Row]:
    """RFC 7606 3 h: the strongest."""
    discard, withdraw = [(BAD_ATOMIC, (6, "7606 7.6")), (BAD_AGGREGATOR, (7, "7606 7.7"))], [
        (BAD_MED, (4, "7606 7.4")), (BAD_COMMUNITY, (8, "7606 7.8")),
    ]  # fmt: skip
    good = attribute(TRANSITIVE, 8, COMMUNITY)
    made = [
        row(
            "two discarded",
            KEPT,
            having(discard[0][0], discard[1][0], good),
            discard[0][1],
            discard[1][1],
            community="(1,2)",
        ),
        row("two that withdraw", WITHDRAWN, having(withdraw[0][0], withdraw[1][0]), withdraw[0][1], withdraw[1][1]),
    ]
    for d, d_finding in discard:
        for w, w_finding in withdraw:
            made.append(row("one discarded, one that withdraws", WITHDRAWN, having(d, w), d_finding, w_finding))
            made.append(row("one that withdraws, one discarded", WITHDRAWN, having(w, d), w_finding, d_finding))
    bad_flags = attribute(OPTIONAL, 2, as_path(EXTERNAL))
    made += [
        row(
            "discarded, withdrawing, twice, missing, beyond the end", WITHDRAWN,
            having(BAD_ATOMIC, BAD_MED, BAD_ATOMIC, without=(ORIGIN,), tail=b"\xc0\x08\x05\0"),
            (6, "7606 7.6"), (4, "7606 7.4"), (6, "7606 3 g"), (1, "7606 3 d"), (8, "7606 4"),
        ),
        row("everything malformed", WITHDRAWN, having(
            BAD_MED, BAD_ATOMIC, BAD_AGGREGATOR, BAD_COMMUNITY, instead={1: BAD_ORIGIN, 2: bad_flags}), (1, "7606 7.1"),
            (2, "7606 3 c"), (4, "7606 7.4"), (6, "7606 7.6"), (7, "7606 7.7"), (8, "7606 7.8")),
        row("our own AS in the path, and a discarded attribute", WITHDRAWN, having(
            BAD_ATOMIC, instead={2: attribute(WELL_KNOWN, 2, as_path(EXTERNAL, PEER_ASN, ASN, FAR_ASN))}),
            (6, "7606 7.6")),
    ]  # fmt: skip
    return made


def _both_ways(slot: Slot, form: str) -> bytes:
    told, gone = slot.octets(form)
    return update(gone + told, b"".join(slot.mandatory(form).values()), told)


def _beside_multicast(slot: Slot, form: str) -> bytes:
    told, gone = slot.octets(form)
    if form == CLASSIC:
        return update(gone, b"".join(slot.mandatory(form).values()), b"\x08\xe8" + told)
    return having(instead={REACH: attribute(OPTIONAL, 14, reach(b"\x10\xff\x02" + told))})(slot, form)


def _reaching(next_hop: bytes) -> Build:
    return lambda slot, form: having(instead={REACH: attribute(OPTIONAL, 14, reach(slot.octets(form)[0], next_hop))})(
        slot, form
    )


def rows() -> list[Row]:
    return [*missing(), *not_ours(), *lists(), *several()]
