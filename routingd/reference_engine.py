"""``engine: reference``: the RIB of plain Python where the native one would be. Reading UPDATEs stays native: the
reference is of tables, not of wire formats."""

from __future__ import annotations

import native
from rib.reference import ReferenceEngine


class ReferenceWithBytes(ReferenceEngine):
    def receive(self, source: int, updates: native.Updates, terms: native.SessionTerms) -> native.Changes:
        """As ``native.Engine.receive``."""
        changes = native.decode(updates, terms)
        self.apply(source, changes)
        return changes
