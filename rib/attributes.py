"""BGP path attributes in canonical form (RFC 4271 5, 1997, 4360, 4456, 5065, 7311, 8092): one frozen value per distinct
set.

Owns the meaning of a set: AS_PATH length, neighbouring AS, origin AS, well-known communities, link bandwidth. Bytes are
``rib/reference_update.py``.
"""

from __future__ import annotations

import ipaddress
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from rib.prefix import address_text


class Origin(IntEnum):
    """RFC 4271 4.3 a; the lower one is preferred."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class SegmentType(IntEnum):
    """RFC 4271 4.3 b, RFC 5065 3."""

    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4


@dataclass(frozen=True, slots=True)
class Segment:
    type: SegmentType
    asns: tuple[int, ...]


AsPath = tuple[Segment, ...]

NO_EXPORT: Final = "65535:65281"  # RFC 1997
NO_ADVERTISE: Final = "65535:65282"
NO_EXPORT_SUBCONFED: Final = "65535:65283"
LLGR_STALE: Final = "65535:6"  # RFC 9494 4.4
NO_LLGR: Final = "65535:7"  # 4.5

# One segment as people write it: {1,2} a set, (3 4) a confederation sequence, [5 6] a confederation set, else a
# sequence.
_SEGMENT: Final = re.compile(r"\{([\d, ]*)\}|\(([\d, ]*)\)|\[([\d, ]*)\]|(\d+(?:\s+\d+)*)")
_GROUPS: Final = (
    SegmentType.AS_SET,
    SegmentType.AS_CONFED_SEQUENCE,
    SegmentType.AS_CONFED_SET,
    SegmentType.AS_SEQUENCE,
)
_WRITTEN: Final = {
    SegmentType.AS_SET: "{%s}",
    SegmentType.AS_CONFED_SEQUENCE: "(%s)",
    SegmentType.AS_CONFED_SET: "[%s]",
    SegmentType.AS_SEQUENCE: "%s",
}


def parse_as_path(text: str) -> AsPath:
    """``65001 65002 {1,2} (3 4) [5 6]``"""
    segments = []
    for found in _SEGMENT.finditer(text):
        index = next(i for i, part in enumerate(found.groups()) if part is not None)
        asns = tuple(int(number) for number in re.split(r"[\s,]+", found.group(index + 1).strip()) if number)
        segments.append(Segment(_GROUPS[index], asns))
    return tuple(segments)


def as_path_text(path: AsPath) -> str:
    parts = []
    for segment in path:
        separator = "," if segment.type is SegmentType.AS_SET else " "
        parts.append(_WRITTEN[segment.type] % separator.join(str(asn) for asn in segment.asns))
    return " ".join(parts)


def as_path_length(path: AsPath) -> int:
    """RFC 4271 9.1.2.2 a: a set counts one however large; RFC 5065 5.3: confederation segments count nothing."""
    length = 0
    for segment in path:
        if segment.type is SegmentType.AS_SEQUENCE:
            length += len(segment.asns)
        elif segment.type is SegmentType.AS_SET:
            length += 1
    return length


def neighbor_as(path: AsPath) -> int:
    """Whom MED is compared among (RFC 4271 9.1.2.2 c): the first AS of a path that starts with a sequence, else 0.

    Confederation segments in front are ours, not the neighbour's (RFC 5065 5.3)."""
    for segment in path:
        if segment.type is SegmentType.AS_SEQUENCE:
            return segment.asns[0]
        if segment.type is SegmentType.AS_SET:
            return 0
    return 0


def origin_as(path: AsPath) -> int | None:
    """Who announced the route first: the last AS where the path ends with a sequence; a set does not tell."""
    if path and path[-1].type is SegmentType.AS_SEQUENCE:
        return path[-1].asns[-1]
    return None


def prepended(path: AsPath, asn: int, kind: SegmentType = SegmentType.AS_SEQUENCE) -> AsPath:
    """RFC 4271 5.1.2 b, RFC 5065 4.1: into a leading sequence while it has room for another, else as a new segment."""
    if path and path[0].type is kind and len(path[0].asns) < 255:
        return (Segment(kind, (asn, *path[0].asns)), *path[1:])
    return (Segment(kind, (asn,)), *path)


def outside(path: AsPath) -> AsPath:
    """As it is told outside the confederation (RFC 5065 4.1), and in AS4_PATH (RFC 6793 3)."""
    return tuple(s for s in path if s.type in (SegmentType.AS_SET, SegmentType.AS_SEQUENCE))


def is_private(asn: int) -> bool:
    """RFC 6996 5."""
    return 64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294


def renumbered(path: AsPath, of: Callable[[int], int | None]) -> AsPath:
    """The path with other AS numbers, or without those that become None, and without segments that are left empty.
    Segments of a confederation stay."""
    changed = []
    for segment in path:
        asns = segment.asns
        if segment.type in (SegmentType.AS_SET, SegmentType.AS_SEQUENCE):
            asns = tuple(asn for asn in map(of, asns) if asn is not None)
        if asns:
            changed.append(Segment(segment.type, asns))
    return tuple(changed)


@dataclass(frozen=True, slots=True)
class PathAttributes:
    """One attribute set. ``None`` is absence. ``unknown`` are optional transitive attributes passed on: (flags, code,
    value)."""

    origin: Origin = Origin.IGP
    as_path: AsPath = ()
    next_hop: bytes = b""
    link_local: bytes | None = None
    med: int | None = None
    local_pref: int | None = None
    atomic_aggregate: bool = False
    aggregator: tuple[int, bytes] | None = None
    communities: tuple[str, ...] = ()
    originator_id: bytes | None = None
    cluster_list: tuple[bytes, ...] = ()
    extended_communities: tuple[bytes, ...] = ()
    large_communities: tuple[str, ...] = ()
    aigp: int | None = None
    otc: int | None = None
    unknown: tuple[tuple[int, int, bytes], ...] = ()

    @property
    def link_bandwidth(self) -> float | None:
        """Of the first link bandwidth extended community (RFC 10005, the former draft-ietf-idr-link-bandwidth): type
        0x40 or, transitive, 0x00, subtype 4, two octets of AS, then bytes per second as an IEEE float. What is no
        positive number says nothing."""
        for community in self.extended_communities:
            if community[0] in (0x00, 0x40) and community[1] == 0x04:
                (bandwidth,) = struct.unpack("!f", community[4:])
                if math.isfinite(bandwidth) and bandwidth > 0:
                    return float(bandwidth)
        return None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> PathAttributes:
        """From the dictionary that ``native.Changes.rows`` gives."""
        aggregator = row.get("aggregator")
        originator = row.get("originator_id")
        link_local = row.get("link_local")
        return cls(
            origin=Origin[row["origin"].upper()],
            as_path=parse_as_path(row["as_path"]),
            next_hop=ipaddress.ip_address(row["next_hop"]).packed,
            link_local=ipaddress.ip_address(link_local).packed if link_local else None,
            med=row.get("med"),
            local_pref=row.get("local_pref"),
            atomic_aggregate=bool(row.get("atomic_aggregate")),
            aggregator=_parse_aggregator(aggregator) if aggregator else None,
            communities=tuple(row.get("communities") or ()),
            originator_id=ipaddress.ip_address(originator).packed if originator else None,
            cluster_list=tuple(ipaddress.ip_address(cluster).packed for cluster in row.get("cluster_list") or ()),
            extended_communities=tuple(bytes.fromhex(value) for value in row.get("extended_communities") or ()),
            large_communities=tuple(row.get("large_communities") or ()),
            aigp=row.get("aigp"),
            otc=row.get("otc"),
            unknown=tuple((flags, code, bytes.fromhex(value)) for flags, code, value in row.get("unknown") or ()),
        )

    def to_row(self) -> dict[str, Any]:
        return {
            "origin": self.origin.name.lower(),
            "as_path": as_path_text(self.as_path),
            "next_hop": address_text(self.next_hop) if self.next_hop else "",
            "link_local": address_text(self.link_local) if self.link_local else None,
            "med": self.med,
            "local_pref": self.local_pref,
            "atomic_aggregate": self.atomic_aggregate,
            "aggregator": f"{self.aggregator[0]} {address_text(self.aggregator[1])}" if self.aggregator else None,
            "communities": list(self.communities),
            "originator_id": address_text(self.originator_id) if self.originator_id else None,
            "cluster_list": [address_text(cluster) for cluster in self.cluster_list],
            "extended_communities": [value.hex() for value in self.extended_communities],
            "large_communities": list(self.large_communities),
            "aigp": self.aigp,
            "otc": self.otc,
            "unknown": [[flags, code, value.hex()] for flags, code, value in self.unknown],
        }


def _parse_aggregator(text: str) -> tuple[int, bytes]:
    asn, address = text.split()
    return int(asn), ipaddress.ip_address(address).packed
