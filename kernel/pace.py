"""How often each address may connect: a bucket of tokens per address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

BURST: Final = 20
"""Connections at once."""
PER_SECOND: Final = 1.0
"""Beyond those, in the long run; a BGP speaker waits 120 s by RFC 4271 10, real ones one or two seconds."""

MOST: Final = 4096
"""Addresses remembered before a new one of a configured prefix has to wait: such may be more than memory has room
for."""

BURST_OF_PREFIX: Final = 200
PER_SECOND_OF_PREFIX: Final = 50.0
"""Of all neighbors that come by one prefix together, as each of their connections is work for the controller."""


@dataclass(slots=True)
class Pace:
    """Asked for addresses of neighbors only, so a stranger takes no memory."""

    burst: int = BURST
    per_second: float = PER_SECOND
    _buckets: dict[bytes, tuple[float, float]] = field(default_factory=dict)
    """Tokens left, and when that was."""

    def allows(self, address: bytes, now: float, *, known: bool = True) -> bool:
        """``known``: a neighbor's own address is configured, not only a prefix."""
        if not known and address not in self._buckets and len(self._buckets) >= MOST:
            self._forget(now)
            if len(self._buckets) >= MOST:
                return False
        tokens, then = self._buckets.get(address, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - then) * self.per_second)
        allowed = tokens >= 1.0
        self._buckets[address] = (tokens - 1.0 if allowed else tokens, now)
        return allowed

    def __len__(self) -> int:
        return len(self._buckets)

    def _forget(self, now: float) -> None:
        """Who has been away long enough for a whole burst is as good as new."""
        self._buckets = {
            address: (tokens, then)
            for address, (tokens, then) in self._buckets.items()
            if tokens + (now - then) * self.per_second < self.burst
        }
