"""The Prefix type: an address block of either family, with its host bits cleared (RFC 4271 4.3 calls their value
irrelevant).

Owns nothing else; tables are in ``rib/reference.py``.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

AFI_IPV4: Final = 1  # IANA address family numbers
AFI_IPV6: Final = 2
SAFI_UNICAST: Final = 1


def afi_of(address: bytes) -> int:
    """The family that an address of 4 or 16 bytes belongs to."""
    if len(address) == 4:
        return AFI_IPV4
    if len(address) == 16:
        return AFI_IPV6
    raise ValueError(f"an address has 4 or 16 bytes, this one has {len(address)}: {address.hex()}")


def address_text(address: bytes) -> str:
    """As people write it (RFC 5952 for IPv6)."""
    return str(ipaddress.ip_address(address))


def is_link_local(address: bytes) -> bool:
    """fe80::/10 (RFC 4291 2.5.6): an address that means something on one link only."""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """Ordered within one family by address, then length: a prefix stands directly before everything that it covers."""

    address: bytes
    length: int

    @classmethod
    def of(cls, address: bytes, length: int) -> Prefix:
        bits = 32 if afi_of(address) == AFI_IPV4 else 128
        if not 0 <= length <= bits:
            raise ValueError(f"a prefix of this family has at most {bits} bits, not {length}")
        host_bits = bits - length
        value = int.from_bytes(address, "big") >> host_bits << host_bits
        return cls(value.to_bytes(len(address), "big"), length)

    @classmethod
    def parse(cls, text: str) -> Prefix:
        network = ipaddress.ip_network(text, strict=False)
        return cls(network.network_address.packed, network.prefixlen)

    @property
    def afi(self) -> int:
        return afi_of(self.address)

    def covers(self, other: Prefix) -> bool:
        """Whether ``other`` lies inside this prefix, or is this prefix."""
        if self.afi != other.afi or other.length < self.length:
            return False
        return Prefix.of(other.address, self.length) == self

    def __str__(self) -> str:
        return f"{address_text(self.address)}/{self.length}"


@lru_cache(1024)  # resolution asks for the same addresses round after round
def covering(address: bytes) -> tuple[Prefix, ...]:
    """Every prefix that could hold ``address``, longest first."""
    return tuple(Prefix.of(address, length) for length in range(len(address) * 8, -1, -1))
