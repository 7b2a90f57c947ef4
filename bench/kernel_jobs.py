"""The jobs that end in a kernel."""

from __future__ import annotations

from functools import partial
from typing import Final

from bench import churn, holding, kernel_load, next_hop_move
from bench.measured import BIRD, FRR, LIMIT, ROUTINGD, Job

INSTALLERS: Final = (ROUTINGD, BIRD, FRR)
SIZES: Final = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
CHURN, SHORT_CHURN = 60.0, 10.0


def _move(name: str, title: str, prefixes: int, daemons: tuple[str, ...], short: bool = True) -> Job:
    """A job of its own for each size. The limit's one message is no measure for the others."""
    return Job(
        name, title, daemons, lambda daemon, context: next_hop_move.best_dies(name, daemon, context, prefixes), short,
        beside=(BIRD,),
    )  # fmt: skip


JOBS: Final = (
    Job("S2", "1M IPv4 prefixes from one peer into the kernel", (*INSTALLERS, LIMIT), kernel_load.one_box),
    Job("S2, two NCPs", "S2 into the kernels of two boxes at once", (ROUTINGD, LIMIT), kernel_load.two_boxes),
    Job("S5F", "200k IPv6 prefixes from one peer into the kernel", (*INSTALLERS, LIMIT), kernel_load.one_box_ipv6),
    _move("S4F", "2 peers with 500k IPv4 prefixes, the best dies: until packets take the other one", 500_000,
          (*INSTALLERS, LIMIT)),
    *(
        _move(f"S4F, {size}", f"S4F with {size} prefixes", prefixes, (ROUTINGD, LIMIT), short=False)
        for size, prefixes in SIZES.items()
    ),
    Job("churn", "1M routes held, 5,000 updates/s for 60 s: 99th percentile from the peer's write to the kernel's word",
        INSTALLERS, partial(churn.churn, "churn", seconds=CHURN), short=False, most_runs=3),
    Job("churn, short", "the same for 10 s", INSTALLERS, partial(churn.churn, "churn, short", seconds=SHORT_CHURN),
        most_runs=1),
    Job("idle", "50 sessions, 1M routes: processor time in 30 s in which nothing happens; BIRD scans the kernel",
        INSTALLERS, holding.idle, short=False, most_runs=1, beside=()),
    Job("10 tables", "10 peers with the same 1M IPv4 prefixes, one kernel: memory", INSTALLERS, holding.ten_tables,
        short=False, most_runs=1),
)  # fmt: skip
