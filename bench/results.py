"""Runs to rows: medians, ranges and ratios; as JSON, and as a table for people.

A row has ``job``, ``daemon``, ``median_s``, ``min_s``, ``max_s``, ``runs``, ``rss_mb`` (peak resident megabytes, all
processes of the daemon together, the most of all runs), ``cpu_s`` (median); besides ``title``, ``processes`` (MB of
each), ``work_s`` (least and most seconds of the fixed piece of work before and after the runs), ``ratio_to_bird`` (how
many times faster than BIRD in the same round, median of the rounds), ``ratio_to_limit`` (time over that of the bare
netlink writer in the same round), ``failed`` (runs that gave no figure), ``version``, ``date``, ``machine``, ``scale``
and what the job notes. Where all runs failed there are no figures: ``median_s`` and its like are null, ``runs`` is 0.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.daemons import version
from bench.measured import BIRD, LIMIT, NOTHING, Job, Measured

MEGA = 1e6
FAILED = "– (failed)"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement, the round it belongs to, and the machine's speed around it."""

    round: int
    measured: Measured
    work: tuple[float, float]
    """Seconds of the fixed piece of work before and after."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that gave no figure, and why."""

    daemon: str
    why: str


def rows(job: Job, runs: Sequence[Run], scale: float = 1.0, failures: Sequence[Failure] = ()) -> list[Row]:
    """One row a daemon, in the order in which the job names them."""
    failed = Counter(failure.daemon for failure in failures)
    by_daemon = {daemon: [run for run in runs if run.measured.daemon == daemon] for daemon in job.daemons}
    return [
        (_row(job, daemon, by_daemon) if by_daemon[daemon] else _nothing())
        | {"job": job.name, "daemon": daemon, "title": job.title, "failed": failed[daemon], "scale": scale}
        | {"version": version(daemon), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
        for daemon in job.daemons
        if by_daemon[daemon] or failed[daemon]
    ]


def _nothing() -> Row:
    return dict.fromkeys(("median_s", "min_s", "max_s", "rss_mb", "cpu_s")) | {"runs": 0}


def _row(job: Job, daemon: str, by_daemon: Mapping[str, Sequence[Run]]) -> Row:
    runs = by_daemon[daemon]
    seconds = [run.measured.seconds for run in runs]
    names = dict.fromkeys(name for run in runs for name in run.measured.memory)
    work = [s for run in runs for s in run.work]
    row: Row = {
        "median_s": round(statistics.median(seconds), 6),
        "min_s": round(min(seconds), 6),
        "max_s": round(max(seconds), 6),
        "runs": len(runs),
        "rss_mb": round(max(sum(run.measured.memory.values()) for run in runs) / MEGA, 1),
        "cpu_s": round(statistics.median(run.measured.cpu for run in runs), 3),
        "processes": {n: round(max(r.measured.memory.get(n, 0) for r in runs) / MEGA, 1) for n in names},
        "work_s": [round(min(work), 3), round(max(work), 3)],
    }
    compared = () if daemon in (LIMIT, NOTHING) else job.beside
    if BIRD in compared and (faster := _ratio(by_daemon.get(BIRD, ()), runs)) is not None:
        row["ratio_to_bird"] = faster
    if LIMIT in compared and (slower := _ratio(runs, by_daemon.get(LIMIT, ()))) is not None:
        row["ratio_to_limit"] = slower
    return row | _notes(runs)


def _ratio(above: Sequence[Run], below: Sequence[Run]) -> float | None:
    """Of the times in each round that both have, the median."""
    under = {run.round: run.measured.seconds for run in below}
    found = [run.measured.seconds / under[run.round] for run in above if under.get(run.round)]
    return round(statistics.median(found), 4) if found else None


def _notes(runs: Sequence[Run]) -> Row:
    notes: Row = {}
    for name in dict.fromkeys(name for run in runs for name in run.measured.notes):
        values = [run.measured.notes[name] for run in runs if name in run.measured.notes]
        numbers = [v for v in values if isinstance(v, (int, float))]
        notes[name] = round(statistics.median(numbers), 6) if len(numbers) == len(values) else values[-1]
    return notes


def machine() -> str:
    """Its cores and its kernel."""
    release = re.match(r"[\d.]+", platform.release())
    return f"{os.cpu_count()} cores, {platform.system()} {release.group() if release else ''}"


def write(file: Path, fresh: Iterable[Row], kept: Iterable[Row] = ()) -> None:
    """``kept``: rows of before, where no fresh one stands for the same job and daemon."""
    new = {(row["job"], row["daemon"]): row for row in fresh}
    file.write_text(
        json.dumps([*(r for r in kept if (r["job"], r["daemon"]) not in new), *new.values()], indent=1) + "\n"
    )


def read(file: Path) -> list[Row]:
    """SystemExit: the rows are not as this program writes them."""
    found: list[Row] = list(json.loads(file.read_text())) if file.exists() else []
    lacking = {name for row in found for name in {"title", "failed", "scale"} - row.keys()}
    if lacking:
        raise SystemExit(f"{file} is of another version, without {', '.join(sorted(lacking))}: delete it")
    return found


def show(console: Console, rows: Sequence[Row]) -> None:
    for job in dict.fromkeys(row["job"] for row in rows):
        mine = [row for row in rows if row["job"] == job]
        table = Table(title=f"{job}: {mine[0]['title']}", title_justify="left", title_style="bold", expand=False)
        table.add_column("daemon")
        for name in ("median", "range", "runs", "against BIRD", "of the limit", "CPU", "peak memory", "fixed work"):
            table.add_column(name, justify="right")
        for row in mine:
            table.add_row(*cells(row))
        console.print(table)


def cells(row: Row) -> list[str]:
    """A row for people: name, median, range, runs, ratios, CPU, memory, speed of the machine."""
    if not row["runs"]:
        return [row["daemon"], FAILED, "–", f"0 of {row['failed']}", *["–"] * 5]
    faster, slower = row.get("ratio_to_bird"), row.get("ratio_to_limit")
    return [
        row["daemon"],
        seconds(row["median_s"]),
        f"{seconds(row['min_s'])} to {seconds(row['max_s'])}" if row["runs"] > 1 else "–",
        f"{row['runs']} of {row['runs'] + row['failed']}" if row["failed"] else str(row["runs"]),
        f"{faster:.3f}×" if faster is not None else "–",
        f"{slower:.3f}" if slower is not None else "–",
        seconds(row["cpu_s"]),
        f"{row['rss_mb']:,.0f} MB",
        " to ".join(f"{s:.2f}" for s in row["work_s"]) + " s",
    ]


def seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"
