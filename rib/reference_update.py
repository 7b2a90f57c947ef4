"""UPDATE messages of the reference engine (RFC 4271 4.3, 4760 3 and 4, 6793 4.2, 8950 4): one attribute set, and the
prefixes with it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from rib.attributes import AsPath, PathAttributes, outside
from rib.prefix import AFI_IPV4, SAFI_UNICAST, Prefix

MARKER: Final = b"\xff" * 16
HEADER: Final = 19
UPDATE: Final = 2
LENGTHS: Final = 4  # of the withdrawn routes and of the attributes
ATTRIBUTE_HEADER: Final = 4  # with extended length
AS_TRANS: Final = 23456  # RFC 6793 9

WELL_KNOWN: Final = 0x40
OPTIONAL: Final = 0x80
OPTIONAL_TRANSITIVE: Final = 0xC0
EXTENDED_LENGTH: Final = 0x10


def message(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    body = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + nlri
    return MARKER + struct.pack("!HB", HEADER + len(body), UPDATE) + body


def end_of_rib(afi: int) -> bytes:
    """RFC 4724 2."""
    if afi == AFI_IPV4:
        return message(b"", b"", b"")
    return message(b"", attribute(OPTIONAL, 15, struct.pack("!HB", afi, SAFI_UNICAST)), b"")


def withdrawals(
    afi: int, prefixes: Sequence[Prefix], max_message: int, *, path_id: int | None = None
) -> Iterator[bytes]:
    if afi == AFI_IPV4:
        for field in chunks(prefixes, max_message - HEADER - LENGTHS, path_id):
            yield message(field, b"", b"")
    else:
        family = struct.pack("!HB", afi, SAFI_UNICAST)
        for field in chunks(prefixes, max_message - HEADER - LENGTHS - ATTRIBUTE_HEADER - len(family), path_id):
            yield message(b"", attribute(OPTIONAL, 15, family + field), b"")


def announcements(
    afi: int,
    attributes: PathAttributes,
    prefixes: Sequence[Prefix],
    max_message: int,
    *,
    four_octet_as: bool,
    path_id: int | None = None,
) -> Iterator[bytes]:
    encoded, reach = prepare(afi, attributes, four_octet_as=four_octet_as)
    for field in chunks(prefixes, room(afi, attributes, max_message, four_octet_as=four_octet_as), path_id):
        if reach is None:
            yield message(b"", encoded, field)
        else:
            # RFC 7606 5.1: MP_REACH_NLRI stands first.
            yield message(b"", attribute(OPTIONAL, 14, reach + field) + encoded, b"")


def prepare(afi: int, attributes: PathAttributes, *, four_octet_as: bool) -> tuple[bytes, bytes | None]:
    """The attributes, and the head of MP_REACH_NLRI where the next hop travels there (RFC 4760 3): not for IPv4 over
    IPv4."""
    rows = attribute_rows(attributes, four_octet_as=four_octet_as)
    reach = None
    if afi == AFI_IPV4 and len(attributes.next_hop) == 4:
        rows[3] = attribute(WELL_KNOWN, 3, attributes.next_hop)
    else:
        next_hop = attributes.next_hop + (attributes.link_local or b"")  # RFC 2545 3
        reach = struct.pack("!HBB", afi, SAFI_UNICAST, len(next_hop)) + next_hop + b"\0"
    return b"".join(rows[code] for code in sorted(rows)), reach


def room(afi: int, attributes: PathAttributes, max_message: int, *, four_octet_as: bool) -> int:
    """How many bytes of prefixes a message with these attributes can hold."""
    encoded, reach = prepare(afi, attributes, four_octet_as=four_octet_as)
    fixed = HEADER + LENGTHS + len(encoded)
    if reach is not None:
        fixed += ATTRIBUTE_HEADER + len(reach)
    return max_message - fixed


def chunks(prefixes: Sequence[Prefix], room: int, path_id: int | None = None) -> Iterator[bytes]:
    """NLRI fields of at most ``room`` bytes, which hold at least one prefix each; a path identifier goes before each
    where there is one (RFC 7911 3)."""
    before = b"" if path_id is None else struct.pack("!I", path_id)
    field = b""
    for prefix in prefixes:
        one = before + bytes((prefix.length,)) + prefix.address[: (prefix.length + 7) // 8]
        if len(field) + len(one) > room:
            yield field
            field = b""
        field += one
    if field:
        yield field


def attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack("!BBH", flags | EXTENDED_LENGTH, code, len(value)) + value
    return struct.pack("!BBB", flags & ~EXTENDED_LENGTH, code, len(value)) + value


def attribute_rows(attributes: PathAttributes, *, four_octet_as: bool) -> dict[int, bytes]:
    """Everything but the next hop, by attribute type code."""
    values: dict[int, tuple[int, bytes]] = {
        1: (WELL_KNOWN, bytes((attributes.origin,))),
        2: (WELL_KNOWN, as_path_bytes(attributes.as_path, 4 if four_octet_as else 2)),
    }
    public = outside(attributes.as_path)
    if not four_octet_as and any(asn > 0xFFFF for segment in public for asn in segment.asns):
        # RFC 6793 4.2.2: the true path travels beside the one with AS_TRANS, without confederation segments.
        values[17] = (OPTIONAL_TRANSITIVE, as_path_bytes(public, 4))
    if attributes.med is not None:
        values[4] = (OPTIONAL, struct.pack("!I", attributes.med))
    if attributes.local_pref is not None:
        values[5] = (WELL_KNOWN, struct.pack("!I", attributes.local_pref))
    if attributes.atomic_aggregate:
        values[6] = (WELL_KNOWN, b"")
    if attributes.aggregator is not None:
        asn, address = attributes.aggregator
        if four_octet_as:
            values[7] = (OPTIONAL_TRANSITIVE, struct.pack("!I", asn) + address)
        else:
            values[7] = (OPTIONAL_TRANSITIVE, struct.pack("!H", two_octets(asn)) + address)
            if asn > 0xFFFF:
                values[18] = (OPTIONAL_TRANSITIVE, struct.pack("!I", asn) + address)
    if attributes.communities:
        values[8] = (OPTIONAL_TRANSITIVE, numbers(attributes.communities, "!HH"))
    if attributes.originator_id is not None:
        values[9] = (OPTIONAL, attributes.originator_id)
    if attributes.cluster_list:
        values[10] = (OPTIONAL, b"".join(attributes.cluster_list))
    if attributes.extended_communities:
        values[16] = (OPTIONAL_TRANSITIVE, b"".join(attributes.extended_communities))
    if attributes.aigp is not None:
        values[26] = (OPTIONAL, struct.pack("!BHQ", 1, 11, attributes.aigp))  # RFC 7311 3: one TLV, its length in it
    if attributes.large_communities:
        values[32] = (OPTIONAL_TRANSITIVE, numbers(attributes.large_communities, "!III"))
    if attributes.otc is not None:
        values[35] = (OPTIONAL_TRANSITIVE, struct.pack("!I", attributes.otc))
    values.update({code: (flags, value) for flags, code, value in attributes.unknown})
    return {code: attribute(flags, code, value) for code, (flags, value) in values.items()}


def as_path_bytes(path: AsPath, width: int) -> bytes:
    """A segment counts its AS numbers in one byte (RFC 4271 4.3 b), so a longer sequence is written as several."""
    out = b""
    for segment in path:
        for start in range(0, len(segment.asns), 255):
            asns = segment.asns[start : start + 255]
            written = asns if width == 4 else tuple(two_octets(asn) for asn in asns)
            out += struct.pack(f"!BB{len(asns)}{'I' if width == 4 else 'H'}", segment.type, len(asns), *written)
    return out


def two_octets(asn: int) -> int:
    return asn if asn <= 0xFFFF else AS_TRANS


def numbers(texts: Sequence[str], layout: str) -> bytes:
    return b"".join(struct.pack(layout, *(int(part) for part in text.split(":"))) for text in texts)
