"""Leaks: paths of one instance that are paths of another one too.

A leak copies what a source of its own instance said, never what was leaked to it, and never what was chosen. So there
are no loops, no order matters, and a leaked path is gone when its source takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from rib.path import Path, Protocol
from rib.prefix import Prefix


@dataclass(frozen=True, slots=True)
class PrefixRange:
    """The prefixes inside ``top`` of at least ``least`` and at most ``greatest`` bits."""

    top: Prefix
    least: int
    greatest: int

    def holds(self, prefix: Prefix) -> bool:
        return self.top.covers(prefix) and self.least <= prefix.length <= self.greatest


@dataclass(frozen=True, slots=True)
class Leak:
    """From the instance ``source`` to the instance ``target``. No protocols or no prefixes named: all of them."""

    source: int
    target: int
    protocols: frozenset[Protocol] = frozenset()
    prefixes: tuple[PrefixRange, ...] = ()

    def takes(self, prefix: Prefix, path: Path) -> bool:
        """Our own addresses stay where they are: they are answered for in one instance only."""
        if path.source.instance != self.source or path.local:
            return False
        if self.protocols and path.protocol not in self.protocols:
            return False
        return not self.prefixes or any(each.holds(prefix) for each in self.prefixes)
