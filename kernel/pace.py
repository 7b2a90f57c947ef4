"""How often each address may connect: a bucket of tokens per address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BURST: Final = 20
"""Connections at once."""
PER_SECOND: Final = 1.0
"""Beyond those, in the long run; a BGP speaker waits 120 s by RFC 4271 10, real ones one or two seconds."""


@dataclass(slots=True)
class Pace:
    """Asked for configured addresses only, so a stranger takes no memory."""

    _buckets: dict[bytes, tuple[float, float]] = field(default_factory=dict)
    """Tokens left, and when that was."""

    def allows(self, address: bytes, now: float) -> bool:
        tokens, then = self._buckets.get(address, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - then) * PER_SECOND)
        allowed = tokens >= 1.0
        self._buckets[address] = (tokens - 1.0 if allowed else tokens, now)
        return allowed

    def keep(self, addresses: set[bytes]) -> None:
        """The others are nobody's peer any more."""
        self._buckets = {address: bucket for address, bucket in self._buckets.items() if address in addresses}
