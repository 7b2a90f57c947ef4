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
from bench.measured import BIRD, DAEMONS, LIMIT, ROUTINGD
from bench.plot import Group, bars
from bench.registry import JOBS
from bench.results import Row

DOCS: Final = Path(__file__).parent.parent / "docs"
BEGIN: Final = "<!-- from here on: python -m bench.page -->"
END: Final = "<!-- until here -->"
TARGETS: Final[dict[str, tuple[str, float]]] = {
    "S1": ("ratio_to_bird", 2.0),
    "S3": ("ratio_to_bird", 1.5),
    "S4": ("ratio_to_bird", 1.5),
    "S5": ("ratio_to_bird", 1.5),
    "S6": ("ratio_to_bird", 4.0),
    "S4F": ("ratio_to_bird", 50.0),
    "S2": ("ratio_to_limit", 1.2),
    "S2, two NCPs": ("ratio_to_limit", 1.2),
    "S5F": ("ratio_to_limit", 1.2),
    "churn": ("median_s", 0.02),
    "idle": ("share_of_a_core", 0.01),
    "10 tables": ("rss_mb", 1200.0),
}
"""What routingd shall reach: at least so many times faster than BIRD; else at most so much."""
MEMORY: Final = 1.5
"""Of S1, in BIRD's."""


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
    """One of all jobs and daemons, one of what was wanted and reached, and every row with its range, memory and CPU."""
    measured = sorted({row["date"] for row in rows})
    days = " to ".join([measured[0], measured[-1]] if len(measured) > 1 else measured)
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    versions = ", ".join(dict.fromkeys(row["version"] for row in rows if row["version"]))
    lines = [f"{machines}; {days}; {versions}.", "", *_overview(rows), "", *_reached(rows), "", *_every(rows), ""]
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
    memory = f", {row['rss_mb']:,.0f} MB" if row["rss_mb"] else ""
    return f"{results.seconds(row['median_s'])}{memory}"


def _reached(rows: Sequence[Row]) -> list[str]:
    lines = [_line("target", "wanted", "reached", ""), _line("---", "---", "---", "---")]
    mine = {row["job"]: row for row in rows if row["daemon"] == ROUTINGD}
    for job, (key, wanted) in TARGETS.items():
        found = mine.get(job, {}).get(key)
        if found is not None:
            met = found >= wanted if key == "ratio_to_bird" else found <= wanted
            lines.append(
                _line(job, _told(key, wanted, "at least", "at most"), _told(key, found), "yes" if met else "no")
            )
    bird = next((row for row in rows if (row["job"], row["daemon"]) == ("S1", BIRD)), None)
    if bird is not None and "S1" in mine:
        share = mine["S1"]["rss_mb"] / bird["rss_mb"]
        lines.append(
            _line("S1, memory", "at most 1.5 × BIRD's", f"{share:.2f} × BIRD's", "yes" if share <= 1.5 else "no")
        )
    return lines


def _told(key: str, value: float, least: str = "", most: str = "") -> str:
    if key == "ratio_to_bird":
        return f"{least} {value:g}× as fast as BIRD".strip()
    unit = {
        "ratio_to_limit": f"{value:g}× the time of the {LIMIT}",
        "median_s": results.seconds(value),
        "share_of_a_core": f"{value:.2%} of a core",
        "rss_mb": f"{value:,.0f} MB",
    }
    return f"{most} {unit[key]}".strip()


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
        Group(job, [(row["daemon"], row["median_s"]) for row in rows if row["job"] == job and row["median_s"] > 0])
        for job in jobs
    ]
    return bars("Medians in seconds", [group for group in groups if group.bars])


if __name__ == "__main__":
    sys.exit(main())
