"""All jobs, in the order in which they run."""

from __future__ import annotations

from typing import Final

from bench.jobs import JOBS as TABLE_JOBS
from bench.kernel_jobs import JOBS as KERNEL_JOBS
from bench.measured import GOBGP, INSTALLING, NOTHING, Job

JOBS: Final[tuple[Job, ...]] = (*TABLE_JOBS, *KERNEL_JOBS)
MOST_RUNS: Final = {GOBGP: 1, INSTALLING: 1, NOTHING: 1}
"""GoBGP is slower by an order of magnitude; routingd with its defaults, and the peers without a daemon, stand in the
table for comparison alone."""
