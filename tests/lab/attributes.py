"""What a route's attributes are, in one canonical form, whoever tells them: a peer's tool, routingd, bgpdump, or the
generator.

AS paths are written as RFC 4271 and RFC 5065 segments: ``65001 65002 {1,2} (3 4) [5 6]``. Communities are sorted sets
(RFC 1997, 8092).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

ORIGINS = ("igp", "egp", "incomplete")


class Attributes(NamedTuple):
    """What is compared at two ends of a session. ``None`` means absent."""

    origin: str = "igp"
    as_path: str = ""
    next_hop: str = ""
    med: int | None = None
    local_pref: int | None = None
    atomic: bool = False
    aggregator: str | None = None
    communities: tuple[str, ...] = ()
    large: tuple[str, ...] = ()
    originator: str | None = None
    clusters: tuple[str, ...] = ()
    """RFC 4456: those that reflected it, the last one first."""


Route = tuple[str, Attributes]


def segment(kind: int, numbers: Iterable[int]) -> str:
    """One segment of an AS path, by its type code (RFC 4271 4.3 b, RFC 5065 3)."""
    opening, closing, between = {1: ("{", "}", ","), 3: ("(", ")", " "), 4: ("[", "]", " ")}.get(kind, ("", "", " "))
    return opening + between.join(map(str, numbers)) + closing


def communities(values: Iterable[str]) -> tuple[str, ...]:
    """``A:B`` strings, well-known names as numbers, sorted by value."""
    return tuple(sorted({_WELL_KNOWN.get(value.lower(), value) for value in values}, key=_numbers))


def large_communities(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values), key=_numbers))


def _numbers(value: str) -> tuple[int, ...]:
    return tuple(int(part) for part in value.split(":"))


_WELL_KNOWN = {  # RFC 1997, 7999, 8326: how the peers' tools spell them
    "no-export": "65535:65281",
    "no_export": "65535:65281",
    "no-advertise": "65535:65282",
    "no_advertise": "65535:65282",
    "no-export-subconfed": "65535:65283",
    "local-as": "65535:65283",
    "no-peer": "65535:65284",
    "blackhole": "65535:666",
    "graceful-shutdown": "65535:0",
    "graceful_shutdown": "65535:0",
    "internet": "0:0",
}


def address(text: str) -> str:
    """An address as everybody should spell it (RFC 5952)."""
    return str(ipaddress.ip_address(text)) if ":" in text else text


def prefix(text: str) -> str:
    return str(ipaddress.ip_network(text)) if ":" in text else text


def family(text: str) -> int:
    return 6 if ":" in text else 4


def from_routingd(row: Mapping[str, Any]) -> Attributes:
    """The ``attributes`` of a route row that routingctl prints."""
    return Attributes(
        origin=row["origin"],
        as_path=row["as_path"],
        # BIRD tells a link-local next hop beside an unspecified one.
        next_hop=address(row["link_local"] if row["next_hop"] == "::" else row["next_hop"]),
        med=row["med"],
        local_pref=row["local_pref"],
        atomic=bool(row["atomic_aggregate"]),
        aggregator=row["aggregator"],
        communities=communities(row["communities"]),
        large=large_communities(row["large_communities"]),
        originator=row["originator_id"],
        clusters=tuple(row["cluster_list"]),
    )


def over_ebgp(attributes: Attributes, *, asn: int, next_hop: str, keep_med: bool = False) -> Attributes:
    """What the other end of an eBGP session must see (RFC 4271 5.1.2, 5.1.3, 5.1.4, 5.1.5): sender's AS first, sender
    as next hop, no LOCAL_PREF, and MED only from the AS that set it."""
    return attributes._replace(
        as_path=f"{asn} {attributes.as_path}".strip(),
        next_hop=next_hop,
        local_pref=None,
        med=attributes.med if keep_med else None,
    )


def over_ibgp(attributes: Attributes, *, next_hop: str | None = None) -> Attributes:
    """What an iBGP peer must see: LOCAL_PREF always present (RFC 4271 5.1.5), next hop unchanged unless the sender
    puts itself there."""
    return attributes._replace(
        next_hop=next_hop or attributes.next_hop,
        local_pref=100 if attributes.local_pref is None else attributes.local_pref,
    )


def differences(expected: set[Any], found: set[Any], *, limit: int = 10) -> list[str]:
    """The first differences of two sets, ordered so that the two readings of one prefix stand together."""
    rows = [(row, "expected, not there") for row in expected - found] + [
        (row, "there, not expected") for row in found - expected
    ]
    rows.sort(key=lambda entry: repr(entry))
    return [f"{why}: {row}" for row, why in rows[:limit]] + (
        [f"… and {len(rows) - limit} more"] if len(rows) > limit else []
    )


def assert_same(expected: set[Any], found: set[Any], what: str) -> None:
    """Two sets are equal, or the first ten differences say how they are not."""
    if expected != found:
        lines = "\n  ".join(differences(expected, found))
        raise AssertionError(f"{what}: {len(expected)} expected, {len(found)} found; the first differences:\n  {lines}")
