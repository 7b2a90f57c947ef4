"""What the reference engine tells those who watch the best routes of one table: a monitor, another protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rib.path import MAIN, Path, Place
from rib.reference_outcome import Outcome
from rib.reference_query import Criteria
from rib.reference_rows import Rows

# What a watcher is told of: the best path with all it says, and the key of the group.
Told = tuple[Path, bytes]


@dataclass(slots=True)
class WatchConsumer:
    """What one watcher was told."""

    afi: int
    criteria: Criteria
    instance: int = MAIN
    told: dict[Place, Told] = field(default_factory=dict)

    def wanted(self, outcome: Outcome) -> dict[Place, Told]:
        return {
            (self.instance, prefix): (best, outcome.groups[self.instance, prefix].key)
            for prefix, best in outcome.best_paths(self.instance, self.afi)
            if self.criteria.hold(prefix, best)
        }

    def read(self, outcome: Outcome, rows: Rows, max_routes: int) -> list[dict[str, Any]] | None:
        """Up to ``max_routes`` differences between what is and what was told; None when there is none."""
        wanted = self.wanted(outcome)
        gone = [place for place in self.told if place not in wanted]
        fresh = [place for place, now in wanted.items() if self.told.get(place) != now]
        out: list[dict[str, Any]] = []
        for place in (gone + fresh)[:max_routes]:
            if place in wanted:
                self.told[place] = wanted[place]
                out.append({"op": "put", **rows.route(place, wanted[place][0])})
            else:
                del self.told[place]
                out.append({"op": "delete", "prefix": str(place[1])})
        return out or None
