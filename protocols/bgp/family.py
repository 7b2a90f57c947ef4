"""Address families as IANA numbers them, and their names for people (RFC 4760 3)."""

from __future__ import annotations

from typing import Final

Family = tuple[int, int]
"""(AFI, SAFI)"""

AFI_IPV6: Final = 2
IPV4_UNICAST: Final[Family] = (1, 1)
IPV6_UNICAST: Final[Family] = (2, 1)

_AFI: Final = {1: "ipv4", 2: "ipv6", 25: "l2vpn", 16388: "link-state"}
_SAFI: Final = {
    1: "unicast", 2: "multicast", 4: "labeled-unicast", 65: "vpls", 70: "evpn", 71: "link-state", 73: "sr-policy",
    128: "vpn", 132: "route-target", 133: "flowspec", 134: "vpn-flowspec",
}  # fmt: skip


def family_name(afi: int, safi: int) -> str:
    return f"{_AFI.get(afi, f'afi{afi}')}-{_SAFI.get(safi, f'safi{safi}')}"
