"""What a BGP peer is to us, by its AS."""

from __future__ import annotations

from typing import Final, Literal

PeerKind = Literal["ebgp", "ibgp", "confederation"]
"""The last: of another Member-AS of our confederation (RFC 5065)."""
NAMES: Final[dict[str, str]] = {"ebgp": "eBGP", "ibgp": "iBGP", "confederation": "eBGP within the confederation"}


def peer_kind(*, ebgp: bool, member: bool) -> PeerKind:
    return "ebgp" if ebgp else "confederation" if member else "ibgp"
