"""What a job is, and what one run of it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROUTINGD: Final = "routingd"
INSTALLING: Final = "routingd, installing"
"""With its defaults: routes go into the kernel, and peers are told of them when they are there."""
BIRD: Final = "bird"
FRR: Final = "frr"
GOBGP: Final = "gobgp"
OPENBGPD: Final = "openbgpd"
LIMIT: Final = "bare netlink writer"
NOTHING: Final = "feeder straight to sink"
"""No daemon: the ceiling of the peers themselves."""
DAEMONS: Final = (ROUTINGD, INSTALLING, BIRD, FRR, OPENBGPD, GOBGP, LIMIT, NOTHING)
SHORT: Final = (ROUTINGD, BIRD, LIMIT, NOTHING)
"""Those of the short form."""


class ContentsDiffer(AssertionError):
    """A run whose contents are not what must have been told is an error, no figure."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a job is given beside the daemon's name."""

    directory: Path
    """For tables as UPDATEs; the same for all jobs, so that each is made once."""
    scale: float = 1.0
    """1: the sizes that the job's title tells."""

    def size(self, prefixes: int) -> int:
        return max(100, round(prefixes * self.scale))


@dataclass(frozen=True, slots=True)
class Measured:
    job: str
    daemon: str
    seconds: float
    memory: dict[str, int]
    """Peak resident bytes of each of the daemon's processes."""
    cpu: float
    """Seconds, user and system, of all the daemon's processes during the run."""
    notes: dict[str, object] = field(default_factory=dict)
    """Further keys of the row in the results; of numbers the median of the runs."""


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    title: str
    daemons: tuple[str, ...]
    """Those that can do it."""
    run: Callable[[str, Context], Measured]
    short: bool = True
    """Part of the short form."""
    most_runs: int = 1000
    """However many are asked for."""
    beside: tuple[str, ...] = (BIRD, LIMIT)
    """With whose times those of the others are compared, where they do the job."""
