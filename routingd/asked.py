"""What a person asked for, checked: prefixes, families, and the criteria of ``show route`` and ``monitor route``.

Every function raises ValueError with what to write instead.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rib.literals import community_of
from routingd.boxes import show_prefix

FAMILIES: Final = {"ipv4-unicast": 1, "ipv6-unicast": 2}
PROTOCOLS: Final = ("connected", "static", "bgp")
MAX_ASN: Final = 0xFFFFFFFF
PrefixBytes = tuple[bytes, int]
Arguments = Mapping[str, Any]


def text(args: Arguments, name: str) -> str | None:
    value: Any = args.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return value


def required(args: Arguments, name: str) -> str:
    value = text(args, name)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def number(args: Arguments, name: str, most: int = 1 << 53) -> int | None:
    value: Any = args.get(name)
    if value is not None and (type(value) is not int or not 0 <= value <= most):
        raise ValueError(f"{name} must be a number, 0 to {most}")
    return value


def parse_asked(text: str) -> tuple[PrefixBytes, bool]:
    """A prefix, or an address (a host prefix); True where it was a prefix."""
    try:
        if "/" not in text:
            address = ipaddress.ip_address(text)
            return (address.packed, address.max_prefixlen), False
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is neither a prefix (203.0.113.0/24) nor an address (203.0.113.7)") from None
    return (network.network_address.packed, network.prefixlen), True


def family_of(prefix: PrefixBytes) -> int:
    return 1 if len(prefix[0]) == 4 else 2


def families(args: Arguments, within: PrefixBytes | None) -> tuple[int, ...]:
    """AFIs: of the family that was named, else of the prefix, else all."""
    name = text(args, "family")
    if name is not None and name not in FAMILIES:
        raise ValueError(f"family {name} is not known: use {' or '.join(FAMILIES)}")
    named = (FAMILIES[name],) if name is not None else tuple(FAMILIES.values())
    if within is None:
        return named
    if family_of(within) not in named:
        raise ValueError(f"{show_prefix(within)} is not of the family {name}")
    return (family_of(within),)


def protocols(args: Arguments) -> tuple[str, ...]:
    name = text(args, "protocol")
    if name is not None and name not in PROTOCOLS:
        raise ValueError(f"protocol {name} is not known: use {', '.join(PROTOCOLS)}")
    return (name,) if name is not None else ()


def within(args: Arguments) -> PrefixBytes | None:
    name = text(args, "within")
    return parse_asked(name)[0] if name is not None else None


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """Which routes to show."""

    families: tuple[int, ...]
    limit: int | None
    neighbor: str | None
    """Name of the peer that gave the path, in its normal form."""
    criteria: dict[str, Any] = field(default_factory=dict)
    """The other keyword arguments of ``Engine.query``."""

    @classmethod
    def of(cls, args: Arguments) -> RouteQuery:
        neighbor = text(args, "neighbor")
        inside = within(args)
        wanted = {
            "within": inside,
            "protocols": protocols(args),
            "best_only": not args.get("all"),
            "communities": communities(text(args, "community")),
            "as_in_path": number(args, "as", MAX_ASN),
            "origin_as": number(args, "origin_as", MAX_ASN),
            "neighbor_as": number(args, "neighbor_as", MAX_ASN),
        }
        limit = number(args, "limit")
        return cls(families(args, inside), limit, None if neighbor is None else peer_name(neighbor), wanted)


def address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address") from None


def peer_name(text: str) -> str:
    """An address in its normal form, with the port behind it where it is link-local; any other word as it is."""
    host, zone, port = text.partition("%")
    try:
        return address(host) + zone + port
    except ValueError:
        return text


def communities(given: str | None) -> tuple[str, ...]:
    """Several, with commas, each of which must be there."""
    return tuple(community_of(word) for word in given.split(",")) if given is not None else ()
