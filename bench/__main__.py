"""``python -m bench``: every job by every daemon, turn about, on the same work.

Prints medians, ranges, ratios, peak memory and CPU seconds; writes them to bench/results.json after each job, and a
plot to bench/results.svg at the end: ``python -m bench.page`` puts both into docs/performance.md. Before and after each
run a fixed piece of work is timed, for the machine's own speed drifts.
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
from bench.measured import DAEMONS, SHORT, Context, Job
from bench.registry import JOBS, MOST_RUNS

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    options = _options()
    jobs = [job for job in JOBS if job.name in options.jobs]
    kept = results.read(options.output) if options.add else []
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()
    rows: list[results.Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="rd-bench-") as directory:
        context = Context(Path(directory), options.scale)
        for job in jobs:
            print(f"{job.name}: {job.title}", flush=True)
            fresh = results.rows(job, _runs(job, options.daemons, options.runs, context, failed), options.scale)
            rows += fresh
            results.write(options.output, rows, kept)
            results.show(console, fresh)
    if rows:
        options.output.with_suffix(".svg").write_text(page.picture(results.read(options.output)))
    print(f"{len(rows)} rows in {options.output}, after {time.monotonic() - begun:.0f} s")
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    names = [job.name for job in JOBS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all jobs and daemons, five runs; else the short form")
    parser.add_argument("--jobs", nargs="+", metavar="JOB", help=f"of {'; '.join(names)}")
    parser.add_argument("--daemons", nargs="+", metavar="DAEMON", help=f"of {'; '.join(DAEMONS)}")
    parser.add_argument("--runs", type=int, help="of each daemon and job; some make fewer, which is said")
    parser.add_argument("--scale", type=float, default=1.0, help="all tables are so many times as long")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default: %(default)s")
    parser.add_argument("--add", action="store_true", help="keep the rows of the output that are not measured anew")
    options = parser.parse_args()
    options.jobs = _chosen(parser, options.jobs, names, [j.name for j in JOBS if options.full or j.short])
    options.daemons = _chosen(parser, options.daemons, DAEMONS, DAEMONS if options.full else SHORT)
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


def _runs(job: Job, daemons: Sequence[str], rounds: int, context: Context, failed: list[str]) -> list[results.Run]:
    """Turn about, and each round begins with another one, so that none always runs after the same."""
    mine = [daemon for daemon in job.daemons if daemon in daemons]
    for daemon in mine:
        if MOST_RUNS.get(daemon, rounds) < rounds:
            print(f"  {daemon}: {MOST_RUNS[daemon]} of {rounds} runs", flush=True)
    runs: list[results.Run] = []
    for number in range(min(rounds, job.most_runs)):
        turn = number % len(mine) if mine else 0
        for daemon in (*mine[turn:], *mine[:turn]):
            if number >= MOST_RUNS.get(daemon, rounds):
                continue
            before = peers.work()
            try:
                measured = job.run(daemon, context)
            except Exception as error:  # one run that fails is told at the end and does not cost the others
                failed.append(f"{job.name}, {daemon}, run {number + 1}: {type(error).__name__}: {error}")
                print(f"  {failed[-1]}", flush=True)
                continue
            runs.append(results.Run(number, measured, (before, peers.work())))
            memory = ", ".join(f"{who} {size / results.MEGA:.0f} MB" for who, size in measured.memory.items())
            spent = f"{results.seconds(measured.seconds)}, {measured.cpu:.2f} CPU s"
            work = " and ".join(f"{s:.2f}" for s in runs[-1].work)
            print(f"  run {number + 1}: {daemon}: {spent}, {memory}; fixed work {work} s", flush=True)
    return runs


if __name__ == "__main__":
    sys.exit(main())
