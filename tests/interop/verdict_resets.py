"""What only a reset answers: prefixes that cannot be located, lengths that lie, unrecognized well-known attributes, and
faults of a message that tells nothing."""

from __future__ import annotations

import socket

from tests.interop.verdict_cases import BAD_ATOMIC, BAD_COMMUNITY, BAD_MED, BAD_ORIGIN
from tests.interop.verdict_rows import (
    CLASSIC,
    EXTERNAL,
    MULTIPROTOCOL,
    OPTIONAL,
    REACH,
    SENDER6,
    TRANSITIVE,
    UNREACH,
    WELL_KNOWN,
    Build,
    Row,
    Slot,
    Verdict,
    having,
    reach,
    update,
    withdrawing_only,
)
from tests.lab.updates import attribute


def reset(
    name: str, build: Build, finding: tuple[int, str], subcode: int, *more: tuple[int, str], form: str = CLASSIC
) -> Row:
    return Row(name, EXTERNAL, Verdict.RESET, build, (*more, finding), {}, (form,), (3, subcode))


def resets() -> list[Row]:
    return [*_fields(), *_multiprotocol(), *_nothing_told(), *_strongest()]


def _fields() -> list[Row]:
    def lengths(withdrawn: int, attributes: int) -> Build:
        """Length fields that are so much too large."""

        def build(slot: Slot, form: str) -> bytes:
            octets = bytearray(having()(slot, form))
            at = 21 + int.from_bytes(octets[19:21], "big")
            octets[19:21] = (int.from_bytes(octets[19:21], "big") + withdrawn).to_bytes(2, "big")
            octets[at : at + 2] = (int.from_bytes(octets[at : at + 2], "big") + attributes).to_bytes(2, "big")
            return bytes(octets)

        return build

    def fields(withdrawn: bytes, nlri: bytes) -> Build:
        return lambda slot, form: update(withdrawn, b"".join(slot.mandatory(form).values()), nlri)

    told = b"\x18\x14\0\1"
    return [
        reset("Total Path Attribute Length beyond the message", lengths(0, 100), (0, "7606 3 b"), 1),
        reset("Withdrawn Routes Length beyond the message", lengths(1000, 0), (0, "7606 3 b"), 1),
        reset("prefix of 33 bits withdrawn", fields(b"\x21\1\2\3\4\5", told), (0, "7606 5.3"), 10),
        reset("prefix cut short in the withdrawn", fields(b"\x18\1\2", told), (0, "7606 5.3"), 10),
        reset("prefix of 33 bits told", fields(b"", b"\x21\1\2\3\4\5"), (0, "7606 5.3"), 10),
        reset("prefix cut short at the end", fields(b"", told + b"\x18\1\2"), (0, "7606 5.3"), 10),
        reset("unrecognized and well-known", having(attribute(WELL_KNOWN, 99, b"hey")), (99, "4271 6.3"), 2),
        reset("unrecognized and neither optional nor transitive", having(attribute(0, 99, b"")), (99, "4271 6.3"), 2),
    ]


def _multiprotocol() -> list[Row]:
    hop = socket.inet_pton(socket.AF_INET6, SENDER6)

    def instead(code: int, octets: bytes, name: str, clause: str, subcode: int = 9) -> Row:
        return reset(
            f"attribute {code}: {name}", having(instead={code: octets}), (code, clause), subcode, form=MULTIPROTOCOL
        )

    prefix = b"\x30\x2a\x02\0\0\0\1"
    values = {REACH: reach(prefix), UNREACH: b"\0\2\1" + prefix}
    made = []
    for code, value in values.items():
        for name, flags in (("not optional", 0), ("transitive", TRANSITIVE), ("both", WELL_KNOWN)):
            made.append(instead(code, attribute(flags, code, value), f"wrong flags, {name}", "7606 5.3"))
        twice = attribute(OPTIONAL, code, value) * 2
        made += [
            instead(code, twice, "twice", "7606 3 g", 1),
            instead(code, attribute(OPTIONAL, code, value[:-7] + b"\x81" + bytes(17)), "129 bits", "7606 5.3"),
            instead(code, attribute(OPTIONAL, code, value[:-1]), "prefix cut short", "7606 5.3"),
            instead(code, attribute(OPTIONAL, code, b""), "length 0", "7606 5.3"),
            instead(code, attribute(OPTIONAL, code, value[:2]), "length 2", "7606 5.3"),
            reset(
                f"attribute {code}: beyond the end",
                having(without=(code,), tail=attribute(OPTIONAL, code, value)[:-1]),
                (code, "7606 3 j"), 9, form=MULTIPROTOCOL,
            ),
            reset(
                f"attribute {code}: beyond the end, beside prefixes of IPv4",
                having(tail=attribute(OPTIONAL, code, value)[:-1]), (code, "7606 3 j"), 9,
            ),
        ]  # fmt: skip
    for name, next_hop in (
        ("of 15 octets", hop[:15]),
        ("of 4 octets", hop[:4]),
        ("of 24 octets", hop + hop[:8]),
        ("of none", b""),
    ):
        made.append(instead(REACH, attribute(OPTIONAL, 14, reach(prefix, next_hop)), f"next hop {name}", "7606 7.11"))
    made.append(
        instead(REACH, attribute(OPTIONAL, 14, b"\0\2\1\xff" + hop + b"\0"), "next hop beyond the end", "7606 7.11")
    )
    return made


def _nothing_told() -> list[Row]:
    """RFC 7606 5.2: a message that withdraws only, with a fault that would withdraw what it tells."""
    made = []
    for code, octets, clause, subcode in (
        (1, BAD_ORIGIN, "7606 7.1", 6),
        (2, attribute(WELL_KNOWN, 2, b"\2"), "7606 7.2", 11),
        (3, attribute(WELL_KNOWN, 3, b"\1"), "7606 7.3", 5),
        (4, BAD_MED, "7606 7.4", 5),
        (8, BAD_COMMUNITY, "7606 7.8", 5),
        (16, attribute(TRANSITIVE, 16, b"\1"), "7606 7.14", 5),
        (32, attribute(TRANSITIVE, 32, b"\1"), "8092 6", 5),
        (35, attribute(TRANSITIVE, 35, b"\1"), "9234 5", 5),
        (6, attribute(OPTIONAL, 6, b""), "7606 3 c", 4),
    ):
        for form in (CLASSIC, MULTIPROTOCOL)[: 2 if code == 4 else 1]:
            name = f"attribute {code} malformed and nothing told, {form}"
            made.append(reset(name, withdrawing_only(octets), (code, "7606 5.2"), subcode, (code, clause), form=form))
    empty = attribute(OPTIONAL, 14, reach(b""))
    made.append(
        reset("MP_REACH_NLRI without prefixes", withdrawing_only(empty, BAD_MED), (4, "7606 5.2"), 5, (4, "7606 7.4"))
    )
    return made


def _strongest() -> list[Row]:
    """RFC 7606 3 h."""
    cut = b"\x18\1\2"
    far = attribute(WELL_KNOWN, 99, b"")
    return [
        reset("discard and reset", having(BAD_ATOMIC, far), (99, "4271 6.3"), 2, (6, "7606 7.6")),
        reset("withdraw and reset", having(BAD_MED, far), (99, "4271 6.3"), 2, (4, "7606 7.4")),
        reset(
            "discard, withdraw and reset",
            lambda slot, form: update(b"", b"".join(slot.mandatory(form).values()) + BAD_ATOMIC + BAD_MED, cut),
            (0, "7606 5.3"), 10, (6, "7606 7.6"), (4, "7606 7.4"),
        ),
    ]  # fmt: skip
