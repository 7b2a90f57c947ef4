"""One UPDATE decoded and encoded again, and why it does not come out as it went in.

The encoder has one way to write a set of attributes: MP_REACH_NLRI first, the others by their codes, lengths in the
short form where that will do, unknown ones with Partial (RFC 4271 5, RFC 7606 5.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import native
from rib.attributes import PathAttributes
from rib.prefix import Prefix
from rib.reference_update import OPTIONAL, attribute, chunks, end_of_rib, message, prepare, withdrawals

HEADER: Final = 19
NOBODY: Final = 4294967294
UNICAST: Final = ((1, 1), (2, 1))
KNOWN: Final = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 26, 32, 35))
TRANSITIVE_FLAG, PARTIAL_FLAG, LONG_FLAG = 0x40, 0x20, 0x10


def terms(*, four_octet_as: bool, add_path: bool) -> native.SessionTerms:
    """An internal session on which nothing is refused."""
    return native.SessionTerms(
        peer_asn=NOBODY, local_asn=NOBODY, four_octet_as=four_octet_as, families=UNICAST,
        add_path_receive=UNICAST if add_path else (), max_message=65535, local_router_id=b"\xff\xff\xff\xfe", aigp=True,
        extended_next_hop=((1, 1),),
    )  # fmt: skip


def decoded(octets: bytes, *, four_octet_as: bool, add_path: bool) -> native.Changes:
    (updates,) = native.Framer(65535).feed(octets).items
    assert isinstance(updates, native.Updates)
    return native.decode(updates, terms(four_octet_as=four_octet_as, add_path=add_path))


def encoded(changes: native.Changes, *, four_octet_as: bool, add_path: bool) -> bytes | None:
    """The same as one message; None where it takes several."""
    if changes.end_of_rib:
        return end_of_rib(changes.end_of_rib[0][0])
    told: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in changes.rows():
        told.setdefault((row["afi"], row["op"]), []).append(row)
    sets = {
        PathAttributes.from_row(r["attributes"]) for (_, op), rows in told.items() if op == "announce" for r in rows
    }
    if len(told) > 1 or len(sets) > 1:
        return None
    for (afi, op), rows in told.items():
        prefixes = [Prefix.of(*row["prefix"]) for row in rows]
        ids = [row["path_id"] if add_path else None for row in rows]
        nlri = b"".join(next(chunks([p], 100, i)) for p, i in zip(prefixes, ids, strict=True))
        if op == "withdraw":
            (one,) = withdrawals(afi, prefixes, 65535) if not add_path else (_withdrawn(afi, nlri),)
            return one
        block, reach = prepare(afi, sets.pop(), four_octet_as=four_octet_as)
        return message(b"", block, nlri) if reach is None else _reaching(reach, nlri, block)
    return None


def _reaching(reach: bytes, nlri: bytes, block: bytes) -> bytes:
    return message(b"", attribute(OPTIONAL, 14, reach + nlri) + block, b"")


def _withdrawn(afi: int, nlri: bytes) -> bytes:
    if afi == 1:
        return message(nlri, b"", b"")
    return message(b"", attribute(OPTIONAL, 15, struct.pack("!HB", afi, 1) + nlri), b"")


WAYS: Final = [{"four_octet_as": four, "add_path": many} for many in (False, True) for four in (True, False)]


def verdict(octets: bytes) -> str:
    """What a message is afterwards: "same"; "same but for" what we write in another way; or "other" and every reason,
    which is "unexplained" if there is none."""
    wanted, reasons = normal(octets), "; ".join(dict.fromkeys(_reasons(octets))) or "unexplained"
    for way in WAYS:
        changes = decoded(octets, **way)
        again = encoded(changes, **way) if changes.error is None and not changes.faults else None
        if again == octets:
            return "same"
        if again is not None and again == wanted:
            return f"same but for: {reasons}"
    return f"other: {reasons}"


def normal(octets: bytes) -> bytes:
    """The message with its attributes in our order and form, without those that end here."""
    withdrawn, block, nlri = parts_of(octets)
    kept = [
        (flags | (0 if code in KNOWN else PARTIAL_FLAG), code, value)
        for flags, code, value in attributes_of(block)
        if code in KNOWN or flags & TRANSITIVE_FLAG
    ]
    kept.sort(key=lambda one: (one[1] != 14, one[1]))
    return message(withdrawn, b"".join(attribute(flags & ~LONG_FLAG, code, value) for flags, code, value in kept), nlri)


def parts_of(octets: bytes) -> tuple[bytes, bytes, bytes]:
    """Withdrawn routes, attributes, prefixes."""
    size = int.from_bytes(octets[19:21], "big")
    withdrawn, rest = octets[21 : 21 + size], octets[21 + size :]
    size = int.from_bytes(rest[:2], "big")
    return withdrawn, rest[2 : 2 + size], rest[2 + size :]


def _reasons(octets: bytes) -> Iterator[str]:
    withdrawn, block, nlri = parts_of(octets)
    found = list(attributes_of(block))
    codes = [code for _, code, _ in found]
    families = [struct.unpack("!HB", value[:3]) for _, code, value in found if code in (14, 15)]
    yield from (f"family {afi}/{safi}" for afi, safi in families if (afi, safi) not in UNICAST)
    if sorted(codes, key=lambda code: (code != 14, code)) != codes:
        yield "attributes in another order"
    for flags, code, value in found:
        if flags & LONG_FLAG and len(value) < 256:
            yield f"attribute {code}: long form"
        if code not in KNOWN and not flags & TRANSITIVE_FLAG:
            yield f"attribute {code}: not transitive, ends here"
        elif code not in KNOWN and not flags & PARTIAL_FLAG:
            yield f"attribute {code}: gets Partial"
    parts = [bool(withdrawn), bool(nlri), 14 in codes, 15 in codes]
    if sum(parts) > 1:
        yield "several lists of prefixes"
    if 3 in codes and not nlri:
        yield "NEXT_HOP beside MP_REACH_NLRI"
    if (1, 1) in families and any(code == 14 and value[3] == 4 for _, code, value in found):
        yield "IPv4 in MP_REACH_NLRI with an IPv4 next hop"
    if (1, 1) in families and 15 in codes:
        yield "IPv4 in MP_UNREACH_NLRI"
    if sum(parts) == 0 and codes:
        yield "no prefixes"
    readings = [decoded(octets, **way) for way in WAYS]
    best = min(readings, key=lambda changes: (changes.error is not None, len(changes.faults)))
    yield from (f"attribute {f['code']}: {f['rfc']}" for f in best.faults)
    if 17 in codes and not best.faults:
        yield "AS4_PATH of a part of the path"


def attributes_of(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(flags, code, value)."""
    while len(block) >= 3:
        size = 2 if block[0] & LONG_FLAG else 1
        end = 2 + size + int.from_bytes(block[2 : 2 + size], "big")
        yield block[0], block[1], block[2 + size : end]
        block = block[end:]
