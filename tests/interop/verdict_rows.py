"""UPDATEs with something wrong, and what their RFCs want done with each: RFC 7606, with 4271, 4456, 4760, 5065, 6793,
7311, 7607, 8092 and 9234 for what it leaves to them.

Every row's message withdraws a prefix besides, as no fault may lose a withdrawal. What a row shows is as BIRD tells it.
"""

from __future__ import annotations

import enum
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.updates import UPDATE, attribute, message

EXTERNAL, INTERNAL, OLD = "external", "internal", "two-octet"
CLASSIC, MULTIPROTOCOL = "NLRI", "MP_REACH_NLRI"
ORIGIN, AS_PATH, NEXT_HOP, REACH, UNREACH = 1, 2, 3, 14, 15
WELL_KNOWN, OPTIONAL, TRANSITIVE, PARTIAL = 0x40, 0x80, 0xC0, 0x20
PEER_ASN, ASN, FAR_ASN = 65010, 65001, 64999
SENDER6 = "2001:db8:8::1"


class Verdict(enum.Enum):
    KEPT = "kept"
    """With the attributes that `shown` says: nothing is wrong, or the attribute alone is discarded."""
    WITHDRAWN = "withdrawn"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Slot:
    """A session and the prefixes of one message: announced before, told in it, and withdrawn by it."""

    kind: str
    number: int
    sender: str
    """The IPv4 address of whoever sends."""

    def octets(self, form: str) -> tuple[bytes, bytes]:
        """(told, gone) as in NLRI."""
        number = struct.pack("!H", self.number)
        if form == CLASSIC:
            return b"\x18\x14" + number, b"\x18\x15" + number
        return b"\x30\x2a\x00\x00\x00" + number, b"\x30\x2a\x01\x00\x00" + number

    def prefixes(self, form: str) -> tuple[str, str]:
        if form == CLASSIC:
            return tuple(f"{first}.{self.number >> 8}.{self.number & 255}.0/24" for first in (20, 21))  # type: ignore[return-value]
        return tuple(f"{first}:0:{self.number:x}::/48" for first in ("2a00", "2a01"))  # type: ignore[return-value]

    def mandatory(self, form: str) -> dict[int, bytes]:
        """What a message must have, by code, in the order it is sent."""
        told, gone = self.octets(form)
        own = {ORIGIN: attribute(WELL_KNOWN, 1, b"\0"), AS_PATH: attribute(WELL_KNOWN, 2, as_path(self.kind))}
        if form == CLASSIC:
            return own | {NEXT_HOP: attribute(WELL_KNOWN, 3, socket.inet_aton(self.sender))}
        return {REACH: attribute(OPTIONAL, 14, reach(told)), UNREACH: attribute(OPTIONAL, 15, b"\0\2\1" + gone)} | own


Build = Callable[[Slot, str], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    kind: str
    verdict: Verdict
    build: Build
    findings: tuple[tuple[int, str], ...] = ()
    """(attribute, clause), as `show bgp neighbor` counts them."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Beyond, or instead of, what every route has."""
    forms: tuple[str, ...] = (CLASSIC, MULTIPROTOCOL)
    notification: tuple[int, int] = (0, 0)
    tells: bool = True
    """The message tells a prefix; else what was told before stays."""


def as_path(kind: str, *asns: int) -> bytes:
    """One AS_SEQUENCE as this kind of sender writes it."""
    asns = asns or ((FAR_ASN,) if kind == INTERNAL else (PEER_ASN, FAR_ASN))
    return struct.pack(f"!BB{len(asns)}{'H' if kind == OLD else 'I'}", 2, len(asns), *asns)


def reach(nlri: bytes, next_hop: bytes = socket.inet_pton(socket.AF_INET6, SENDER6)) -> bytes:
    return b"\0\2\1" + bytes((len(next_hop),)) + next_hop + b"\0" + nlri


def update(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    fields = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes
    return message(UPDATE, fields + nlri)


def having(
    *extra: bytes, without: Sequence[int] = (), instead: Mapping[int, bytes] | None = None, tail: bytes = b""
) -> Build:
    """Other attributes than the mandatory ones; ``tail``: octets that end the list, whatever they are."""

    def build(slot: Slot, form: str) -> bytes:
        own = slot.mandatory(form) | dict(instead or {})
        attributes = b"".join(octets for code, octets in own.items() if code not in without) + b"".join(extra) + tail
        told, gone = slot.octets(form)
        return update(gone, attributes, told) if form == CLASSIC else update(b"", attributes, b"")

    return build


def withdrawing_only(*attributes: bytes) -> Build:
    """Nothing is told."""

    def build(slot: Slot, form: str) -> bytes:
        _, gone = slot.octets(form)
        if form == CLASSIC:
            return update(gone, b"".join(attributes), b"")
        return update(b"", attribute(OPTIONAL, 15, b"\0\2\1" + gone) + b"".join(attributes), b"")

    return build
