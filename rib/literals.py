"""What people type, as the engines take it: prefixes, addresses, ports, next hops, AS paths, communities.

Every error names the text and says what would be right.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rib.attributes import NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, parse_as_path
from rib.prefix import AFI_IPV4, AFI_IPV6, Prefix

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
AddressLike = str | IPAddress
PrefixLike = str | IPNetwork | IPAddress | ipaddress.IPv4Interface | ipaddress.IPv6Interface | Prefix
NextHopLike = str | IPAddress
ViaLike = NextHopLike | Sequence[NextHopLike] | Mapping[NextHopLike, int]

WELL_KNOWN: Final = {
    "no-export": NO_EXPORT,
    "no-advertise": NO_ADVERTISE,
    "no-export-subconfed": NO_EXPORT_SUBCONFED,
    "graceful-shutdown": "65535:0",  # RFC 8326
    "blackhole": "65535:666",  # RFC 7999
}
FAMILIES: Final = {4: AFI_IPV4, 6: AFI_IPV6}
_NEXT_HOP: Final = re.compile(r"(?P<address>\S+)?(?:(?:^|\s+)at\s+(?P<place>\S+))?")
_RULE: Final = re.compile(r"(?P<prefix>\S+)(?:\s+ge\s+(?P<ge>\d+))?(?:\s+le\s+(?P<le>\d+))?")
_PORT: Final = re.compile(r"(?:(?P<ncp>[^\s/]+)/)?(?P<port>[^\s/]+)")
_AS_PATH: Final = re.compile(r"[\d\s,{}()\[\]]*")


def address_of(value: AddressLike) -> bytes:
    try:
        return ipaddress.ip_address(value).packed
    except ValueError:
        raise ValueError(f"not an IP address: {value!r} (write one like 192.0.2.1 or 2001:db8::1)") from None


def prefix_of(value: PrefixLike) -> Prefix:
    """Host bits are cleared; an address without a length is its host prefix."""
    if isinstance(value, Prefix):
        return value
    try:
        return Prefix.parse(str(value))
    except ValueError:
        raise ValueError(f"not a prefix: {value!r} (write one like 10.0.0.0/24 or 2001:db8::/32)") from None


def prefixes_of(values: PrefixLike | Iterable[PrefixLike]) -> list[Prefix]:
    # A network is iterable itself (its hosts); here it is one prefix.
    if isinstance(values, PrefixLike):
        return [prefix_of(values)]
    return [prefix_of(value) for value in values]


def families_of(family: int | None) -> tuple[int, ...]:
    """The AFIs that 4, 6 or None (both) stand for."""
    if family is None:
        return tuple(FAMILIES.values())
    if family not in FAMILIES:
        raise ValueError(f"not a family: {family!r} (4, 6, or None for both)")
    return (FAMILIES[family],)


def port_of(text: str) -> tuple[str, str]:
    """(NCP, port) of "ncp1/eth0" or "eth0"."""
    found = _PORT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a port: {text!r} (write one like eth0, or ncp1/eth0 where there are several boxes)")
    return found["ncp"] or "", found["port"]


def next_hop_of(value: NextHopLike, weight: int = 1) -> dict[str, Any]:
    """Of "192.0.2.1" (looked up in the RIB), "192.0.2.1 at eth0" (a neighbour on that port) or "at eth0"."""
    found = _NEXT_HOP.fullmatch(str(value).strip())
    if found is None or not found[0]:
        raise ValueError(f"not a next hop: {value!r} (write 192.0.2.1, 192.0.2.1 at ncp1/eth0, or at ncp1/eth0)")
    ncp, port = port_of(found["place"]) if found["place"] else ("", "")
    address = address_of(found["address"]) if found["address"] else b""
    return {"address": address, "ncp": ncp or None, "port": port or None, "weight": weight}


def next_hops_of(via: ViaLike) -> list[dict[str, Any]]:
    """One next hop, several of equal weight, or a mapping of next hop to weight."""
    if isinstance(via, Mapping):
        return [next_hop_of(hop, weight) for hop, weight in via.items()]
    if isinstance(via, NextHopLike):
        return [next_hop_of(via)]
    return [next_hop_of(hop) for hop in via]


def rule_of(value: PrefixLike | tuple[bytes, int, int, int]) -> tuple[bytes, int, int, int]:
    """(address, length, ge, le) as prefix lists are written: "10.0.0.0/8" alone is that prefix and no other,
    "10.0.0.0/8 ge 16 le 24" those in it of 16 to 24 bits; with ``ge`` alone the longest is a host."""
    if isinstance(value, tuple):
        return value
    found = _RULE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"not a rule: {value!r} (write 10.0.0.0/8, 10.0.0.0/8 le 24, or 10.0.0.0/8 ge 16 le 24)")
    prefix = prefix_of(found["prefix"])
    bits = len(prefix.address) * 8
    ge = int(found["ge"]) if found["ge"] else prefix.length
    le = int(found["le"]) if found["le"] else bits if found["ge"] else prefix.length
    if not prefix.length <= ge <= le <= bits:
        raise ValueError(f"no prefix matches {value!r}: it must hold {prefix.length} <= ge <= le <= {bits}")
    return prefix.address, prefix.length, ge, le


def as_path_of(value: str | Iterable[int]) -> str:
    """ "65001 65002", with sets and confederations as {1,2} (3 4) [5 6]; or AS numbers."""
    if not isinstance(value, str):
        return " ".join(str(int(asn)) for asn in value)
    path = parse_as_path(value)
    if not _AS_PATH.fullmatch(value) or any(asn > 0xFFFFFFFF for segment in path for asn in segment.asns):
        raise ValueError(f"not an AS path: {value!r} (write AS numbers: 65001 65002; a set as {{65003,65004}})")
    return value


def community_of(text: str) -> str:
    """Standard "65001:100" or by its well-known name, large "65001:1:2", extended as 16 hexadecimal digits."""
    known = WELL_KNOWN.get(text.lower())
    if known is not None:
        return known
    parts = text.split(":")
    numbers = [int(part) if part.isdecimal() else -1 for part in parts]
    most = {2: 0xFFFF, 3: 0xFFFFFFFF}.get(len(parts), -1)
    if all(0 <= number <= most for number in numbers) or re.fullmatch(r"[0-9a-fA-F]{16}", text):
        return text.lower()
    raise ValueError(
        f"not a community: {text!r} (standard 65001:100, large 65001:1:2, extended as 16 hexadecimal digits, "
        f"or one of {', '.join(WELL_KNOWN)})"
    )


def communities_of(values: str | Iterable[str]) -> dict[str, list[str]]:
    """By kind, under the names that rows of attributes have for them."""
    kinds: dict[str, list[str]] = {"communities": [], "large_communities": [], "extended_communities": []}
    names = {1: "communities", 2: "large_communities", 0: "extended_communities"}
    for text in values.split() if isinstance(values, str) else values:
        found = community_of(text)
        kinds[names[found.count(":")]].append(found)
    return kinds
