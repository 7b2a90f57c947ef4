"""``python -m bench``: every job by every daemon, turn about, on the same work.

Prints medians, ranges, ratios, peak memory and CPU seconds; writes them to bench/results.json after each job, and a
plot to bench/results.svg at the end: ``python -m bench.page`` puts both into docs/performance.md. The short form has
files of its own, bench/short.json and bench/short.svg. Before and after each run a fixed piece of work is timed, for
the machine's own speed drifts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import page, peers, results
from bench.measured import BIRD, DAEMONS, LIMIT, ROUTINGD, SHORT, Context, Job
from bench.registry import JOBS, MOST_RUNS

HERE = Path(__file__).parent


def main() -> int:
    options = _options()
    jobs = [job for job in JOBS if job.name in options.jobs]
    kept = results.read(options.output) if options.add else []
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()
    rows: list[results.Row] = []
    failures: list[results.Failure] = []
    with tempfile.TemporaryDirectory(prefix="rd-bench-") as directory:
        context = Context(Path(directory), options.scale)
        for job in jobs:
            print(f"{job.name}: {job.title}", flush=True)
            runs, failed = _runs(job, options.daemons, options.runs, context)
            failures += failed
            fresh = results.rows(job, runs, options.scale, failed)
            rows += fresh
            results.write(options.output, rows, kept)
            results.show(console, fresh)
    if rows:
        options.output.with_suffix(".svg").write_text(page.picture(results.read(options.output)))
    print(f"{len(rows)} rows in {options.output}, after {time.monotonic() - begun:.0f} s")
    for failure in failures:
        print(f"FAILED: {failure.why}")
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    names = [job.name for job in JOBS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all jobs and daemons, five runs, of some fewer; else the short form"
    )
    parser.add_argument("--jobs", nargs="+", metavar="JOB", help=f"of {'; '.join(names)}")
    parser.add_argument("--daemons", nargs="+", metavar="DAEMON", help=f"of {'; '.join(DAEMONS)}")
    parser.add_argument("--runs", type=int, help="of each daemon and job; some make fewer, which is said")
    parser.add_argument("--scale", type=float, default=1.0, help="all tables are so many times as long")
    parser.add_argument("--output", type=Path, help="default: bench/results.json; of the short form bench/short.json")
    parser.add_argument("--add", action="store_true", help="keep the rows of the output that are not measured anew")
    options = parser.parse_args()
    options.jobs = _chosen(parser, options.jobs, names, [j.name for j in JOBS if options.full or j.short])
    options.daemons = _chosen(parser, options.daemons, DAEMONS, DAEMONS if options.full else SHORT)
    options.output = options.output or HERE / ("results.json" if options.full else "short.json")
    options.runs = options.runs or (5 if options.full else 2)
    return options


def _chosen(
    parser: argparse.ArgumentParser, said: list[str] | None, known: Sequence[str], otherwise: Sequence[str]
) -> list[str]:
    if said is None:
        return list(otherwise)
    for word in said:
        if word not in known:
            parser.error(f"there is no {word!r}; there are: {'; '.join(known)}")
    return said


def turns(daemons: Sequence[str], number: int) -> list[str]:
    """The order of a round: those that routingd is compared with are its neighbors, and every second round goes
    backward, so that a machine that grows slower or faster favors nobody."""
    first = [daemon for daemon in (LIMIT, ROUTINGD, BIRD) if daemon in daemons]
    order = [*first, *(daemon for daemon in daemons if daemon not in first)]
    return order[::-1] if number % 2 else order


def _runs(
    job: Job, daemons: Sequence[str], rounds: int, context: Context
) -> tuple[list[results.Run], list[results.Failure]]:
    mine = [daemon for daemon in job.daemons if daemon in daemons]
    for daemon in mine:
        if MOST_RUNS.get(daemon, rounds) < rounds:
            print(f"  {daemon}: {MOST_RUNS[daemon]} of {rounds} runs", flush=True)
    if mine and job.most_runs < rounds:
        print(f"  each: {job.most_runs} of {rounds} runs", flush=True)
    runs: list[results.Run] = []
    failures: list[results.Failure] = []
    for number in range(min(rounds, job.most_runs)):
        for daemon in turns(mine, number):
            if number >= MOST_RUNS.get(daemon, rounds):
                continue
            before = peers.work()
            try:
                measured = job.run(daemon, context)
            except Exception as error:  # one run that fails is told at the end and does not cost the others
                why = f"{job.name}, {daemon}, run {number + 1}: {type(error).__name__}: {error}"
                failures.append(results.Failure(daemon, why))
                print(f"  {why}", flush=True)
                continue
            runs.append(results.Run(number, measured, (before, peers.work())))
            memory = ", ".join(f"{who} {size / results.MEGA:.0f} MB" for who, size in measured.memory.items())
            spent = f"{results.seconds(measured.seconds)}, {measured.cpu:.2f} CPU s"
            work = " and ".join(f"{s:.2f}" for s in runs[-1].work)
            print(f"  run {number + 1}: {daemon}: {spent}, {memory}; fixed work {work} s", flush=True)
    return runs, failures


if __name__ == "__main__":
    sys.exit(main())
