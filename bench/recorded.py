"""A recorded iBGP session as one of an external peer: the same prefixes, in the same messages, behind one more AS.

What only internal peers tell is left out (LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST), and so is what would be judged and
not carried on: paths with AS 0 (RFC 7607) or with an AS of the benchmark, communities that keep routes inside
(RFC 1997). The next hop is the peer.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from bench.sessions import FIRST_ASN, OUR_ASN, Session
from tests.lab import mrt, updates

AS_PATH, NEXT_HOP, LOCAL_PREF, AGGREGATOR, COMMUNITIES, ORIGINATOR, CLUSTERS = 2, 3, 5, 7, 8, 9, 10
INSIDE = (LOCAL_PREF, ORIGINATOR, CLUSTERS)
NO_EXPORT_AND_ALIKE = {0xFFFFFF01, 0xFFFFFF02, 0xFFFFFF03}
FORBIDDEN = {0, OUR_ASN, *range(FIRST_ASN, FIRST_ASN + 100)}


def as_external(recording: Path, session: Session) -> bytes:
    """UPDATE messages, an End-of-RIB last."""
    out = []
    for width, data in mrt.records(recording):
        if width == 4 and data[18] == updates.UPDATE and not updates.is_end_of_rib(data[updates.HEADER :]):
            body = _body(data[updates.HEADER :], session)
            if body is not None:
                out.append(updates.message(updates.UPDATE, body))
    return b"".join([*out, updates.END_OF_RIB_IPV4])


def _body(body: bytes, session: Session) -> bytes | None:
    withdrawn_end = 2 + int.from_bytes(body[:2], "big")
    length = int.from_bytes(body[withdrawn_end : withdrawn_end + 2], "big")
    start = withdrawn_end + 2
    kept = []
    for flags, code, value in _attributes(body[start : start + length]):
        if code in INSIDE or (code == AGGREGATOR and value[:4] == bytes(4)):
            continue
        if code == AS_PATH:
            if FORBIDDEN & _numbers_of_path(value):
                return None
            value = _behind(session.asn, value)
        elif code == NEXT_HOP:
            value = socket.inet_aton(session.local)
        elif code == COMMUNITIES:
            values = struct.unpack(f"!{len(value) // 4}I", value)
            value = b"".join(struct.pack("!I", v) for v in values if v not in NO_EXPORT_AND_ALIKE)
            if not value:
                continue
        kept.append(updates.attribute(flags & 0xE0, code, value))
    attributes = b"".join(kept)
    return body[:withdrawn_end] + struct.pack("!H", len(attributes)) + attributes + body[start + length :]


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(data):
        flags, code = data[at], data[at + 1]
        octets = 2 if flags & 0x10 else 1
        length = int.from_bytes(data[at + 2 : at + 2 + octets], "big")
        at += 2 + octets
        yield flags, code, data[at : at + length]
        at += length


def _numbers_of_path(value: bytes) -> set[int]:
    numbers: set[int] = set()
    at = 0
    while at < len(value):
        count = value[at + 1]
        numbers.update(struct.unpack_from(f"!{count}I", value, at + 2))
        at += 2 + 4 * count
    return numbers


def _behind(asn: int, path: bytes) -> bytes:
    """RFC 4271 5.1.2 b: into the first sequence, or as a sequence of its own."""
    front = struct.pack("!I", asn)
    if path and path[0] == updates.AS_SEQUENCE and path[1] < 255:
        return bytes((path[0], path[1] + 1)) + front + path[2:]
    return bytes((updates.AS_SEQUENCE, 1)) + front + path
