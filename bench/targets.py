"""What routingd shall reach, and what rows of results say of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.measured import BIRD, LIMIT, ROUTINGD
from bench.registry import JOBS
from bench.results import Row

FEW: Final = 3
"""Of fewer runs nothing is said, but of jobs that make no more."""
Rows = Mapping[tuple[str, str], Row]
"""By job and daemon, those that have figures."""


@dataclass(frozen=True, slots=True)
class Target:
    title: str
    measured: tuple[tuple[str, str], ...]
    """The rows it takes: job and daemon."""
    wanted: float
    words: str
    """With a place for the value."""
    value: Callable[[Rows], float | None]
    least: bool = False
    """The value is to be at least what is wanted; else at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    title: str
    wanted: str
    reached: str
    verdict: str


def _than_bird(job: str, wanted: float) -> Target:
    measured = ((job, ROUTINGD), (job, BIRD))
    words = "{}× as fast as BIRD"
    return Target(job, measured, wanted, words, lambda rows: rows[measured[0]].get("ratio_to_bird"), least=True)


def _than_limit(job: str, wanted: float) -> Target:
    measured = ((job, ROUTINGD), (job, LIMIT))
    words = f"{{}}× the time of the {LIMIT}"
    return Target(job, measured, wanted, words, lambda rows: rows[measured[0]].get("ratio_to_limit"))


def _by_itself(title: str, job: str, key: str, wanted: float, words: str, unit: float = 1.0) -> Target:
    """``unit``: of what is told, in that of the row."""
    mine = (job, ROUTINGD)

    def value(rows: Rows) -> float | None:
        found = rows[mine].get(key)
        return None if found is None else found / unit

    return Target(title, (mine,), wanted, words, value)


def _share(title: str, above: tuple[str, str], below: tuple[str, str], key: str, wanted: float, words: str) -> Target:
    def value(rows: Rows) -> float | None:
        return float(rows[above][key] / rows[below][key]) if rows[below][key] else None

    return Target(title, (above, below), wanted, words, value)


TARGETS: Final = (
    _than_bird("S1", 2.0),
    _than_bird("S3", 1.5),
    _than_bird("S4", 1.5),
    _than_bird("S5", 1.5),
    _than_bird("S6", 4.0),
    _than_bird("S4F", 50.0),
    *(
        _share(f"S4F flat, {many} over {few}", (f"S4F, {many}", ROUTINGD), (f"S4F, {few}", ROUTINGD), "median_s", 1.5,
               f"{{}}× the time with {few}")
        for few, many in (("10k", "100k"), ("10k", "1M"))
    ),
    _than_limit("S2", 1.2),
    _than_limit("S2, two NCPs", 1.2),
    _share("S2, two NCPs, CPU", ("S2, two NCPs", ROUTINGD), ("S2, two NCPs", LIMIT), "cpu_s", 1.2,
           "{}× the CPU of two bare writers"),
    _than_limit("S5F", 1.2),
    _by_itself("churn", "churn", "median_s", 20, "{} ms", 0.001),
    _by_itself("churn, loop", "churn", "loop_slices_over_5ms", 0, "{} slices of the loop over 5 ms"),
    _share("S1, memory", ("S1", ROUTINGD), ("S1", BIRD), "rss_mb", 1.5, "{}× the memory of BIRD"),
    _by_itself("10 tables", "10 tables", "rss_mb", 1200, "{} MB"),
    _by_itself("idle", "idle", "share_of_a_core", 1, "{} % of a core", 0.01),
)  # fmt: skip
JOB_RUNS: Final = {job.name: job.most_runs for job in JOBS}


def outcomes(rows: Sequence[Row]) -> list[Outcome]:
    """Of the targets all of whose rows are there."""
    found = {(row["job"], row["daemon"]): row for row in rows if row["runs"]}
    out = []
    for target in TARGETS:
        value = target.value(found) if all(key in found for key in target.measured) else None
        if value is not None:
            wanted = f"at {'least' if target.least else 'most'} {target.words.format(f'{target.wanted:g}')}"
            out.append(Outcome(target.title, wanted, _reached(target, value), _verdict(target, found, value)))
    return out


def _reached(target: Target, value: float) -> str:
    """Three decimals, rounded towards the worse, so that no figure looks better than what was compared."""
    turned = math.floor if target.least else math.ceil
    return target.words.format(f"{turned(round(value * 1000, 3)) / 1000:.10g}")


def _verdict(target: Target, rows: Rows, value: float) -> str:
    met = value >= target.wanted if target.least else value <= target.wanted
    runs = min(rows[key]["runs"] for key in target.measured)
    if runs >= FEW:
        return "yes" if met else "no"
    if runs < min(JOB_RUNS[job] for job, _ in target.measured):
        return "too few runs"
    return f"{'yes' if met else 'no'}, {runs} run{'' if runs == 1 else 's'}"
