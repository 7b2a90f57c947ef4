"""``python -m bench.page``: bench/results.json into docs/performance.md, between its markers, and docs/performance.svg.

No figure of these tables is typed by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import results
from bench.measured import DAEMONS
from bench.plot import Group, bars
from bench.registry import JOBS
from bench.results import Row
from bench.targets import outcomes

DOCS: Final = Path(__file__).parent.parent / "docs"
BEGIN: Final = "<!-- from here on: python -m bench.page -->"
END: Final = "<!-- until here -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"))
    options = parser.parse_args()
    jobs = [job.name for job in JOBS]
    rows = results.read(options.results)
    rows.sort(key=lambda row: (jobs.index(row["job"]), DAEMONS.index(row["daemon"])))
    if not rows:
        parser.error(f"nothing in {options.results}: `make bench-full` first")
    if any(row["scale"] != 1 for row in rows):
        parser.error(f"{options.results} is of another scale: its titles would lie")
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables(rows)}\n{END}{after}")
    (DOCS / "performance.svg").write_text(picture(rows))
    return 0


def tables(rows: Sequence[Row]) -> str:
    """One of all jobs and daemons, one of what was wanted and reached, one of what follows a move, and every row with
    its range, memory and CPU."""
    measured = sorted({row["date"] for row in rows})
    days = " to ".join([measured[0], measured[-1]] if len(measured) > 1 else measured)
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    versions = ", ".join(dict.fromkeys(row["version"] for row in rows if row["version"]))
    lines = [f"{machines}; {days}; {versions}; {_runs(rows)}.", "", *_overview(rows), "", *_reached(rows), ""]
    lines += [*_afterwards(rows), *_every(rows), ""]
    return "\n".join(lines)


def _overview(rows: Sequence[Row]) -> list[str]:
    daemons = [daemon for daemon in DAEMONS if any(row["daemon"] == daemon for row in rows)]
    found = {(row["job"], row["daemon"]): row for row in rows}
    lines = [_line("job", *daemons), _line("---", *["---"] * len(daemons))]
    for job, title in {row["job"]: row["title"] for row in rows}.items():
        cells = [_brief(found[job, daemon]) if (job, daemon) in found else "–" for daemon in daemons]
        lines.append(_line(f"**{job}**: {title}", *cells))
    return lines


def _brief(row: Row) -> str:
    if not row["runs"]:
        return results.FAILED
    memory = f", {row['rss_mb']:,.0f} MB" if row["rss_mb"] else ""
    return f"{results.seconds(row['median_s'])}{memory}"


def _reached(rows: Sequence[Row]) -> list[str]:
    lines = [_line("target", "wanted", "reached", ""), _line("---", "---", "---", "---")]
    return lines + [_line(o.title, o.wanted, o.reached, o.verdict) for o in outcomes(rows)]


def _afterwards(rows: Sequence[Row]) -> list[str]:
    """Packets go the other way long before routes have been rewritten."""
    lines = [
        _line("job", "daemon", "packets have moved", "CPU until then", "at rest so much later", "CPU until then"),
        _line("---", "---", *["---:"] * 4),
    ]
    for row in rows:
        if "rest_after_s" in row:
            times = (row[key] for key in ("median_s", "cpu_s", "rest_after_s", "cpu_until_rest_s"))
            lines.append(_line(row["job"], row["daemon"], *map(results.seconds, times)))
    return [*lines, ""] if len(lines) > 2 else []


def _runs(rows: Sequence[Row]) -> str:
    """How many there were of each, and of which jobs and daemons fewer."""
    jobs, daemons = ({row[key]: 0 for row in rows} for key in ("job", "daemon"))
    for row in rows:
        made = row["runs"] + row["failed"]
        jobs[row["job"]] = max(jobs[row["job"]], made)
        daemons[row["daemon"]] = max(daemons[row["daemon"]], made)
    most = max(jobs.values())
    fewer = [f"{name} {made}" for name, made in (jobs | daemons).items() if made < most]
    return f"runs of each: {most}{'; fewer: ' if fewer else ''}{', '.join(fewer)}"


def _every(rows: Sequence[Row]) -> list[str]:
    head = ("job", "daemon", "median", "range", "runs", "against BIRD", "of the limit", "CPU", "peak memory")
    lines = [_line(*head, "fixed work"), _line("---", "---", *["---:"] * 8)]
    lines += [_line(row["job"], *results.cells(row)) for row in rows]
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def picture(rows: Sequence[Row]) -> str:
    jobs = list(dict.fromkeys(row["job"] for row in rows))
    groups = [
        Group(job, [(row["daemon"], row["median_s"]) for row in rows if row["job"] == job and row["median_s"]])
        for job in jobs
    ]
    return bars("Medians in seconds", [group for group in groups if group.bars])


if __name__ == "__main__":
    sys.exit(main())
