"""How long changes take, counted in buckets: a histogram that costs a few words, whatever it is told. No I/O."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
"""Seconds, inclusive; one bucket more holds what is above all of them."""


class Latencies:
    __slots__ = ("counts", "longest", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.longest = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    @property
    def count(self) -> int:
        return sum(self.counts)

    def within(self, share: float) -> float | None:
        """Seconds within which this share of them were: the bound of a bucket, or the longest of all. None: there is
        none."""
        due = share * self.count
        passed = 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            passed += count
            if passed and passed >= due:
                return min(bound, self.longest)
        return self.longest if self.count else None
