"""Rows of results, and the page that is made of them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from bench import page, results
from bench.measured import BIRD, LIMIT, ROUTINGD, Context, Job, Measured


def _never(daemon: str, context: Context) -> Measured:
    raise AssertionError("rows are made of runs that are over")


JOB = Job("S2", "a table into the kernel", (ROUTINGD, BIRD, LIMIT), _never)


def _runs() -> list[results.Run]:
    """Three rounds; in the last one the machine is half as fast, and BIRD fails."""
    seconds = {ROUTINGD: (1.0, 1.1, 2.0), BIRD: (4.0, 5.5), LIMIT: (0.8, 1.0, 1.6)}
    return [
        results.Run(n, Measured("S2", daemon, s, {"one": 30_000_000, "two": 10_000_000 * (n + 1)}, s / 2), (0.3, 0.4))
        for daemon, times in seconds.items()
        for n, s in enumerate(times)
    ]


def test_a_row_has_the_median_the_range_and_the_ratios_of_runs_in_one_round() -> None:
    ours, bird, limit = results.rows(JOB, _runs())
    assert (ours["median_s"], ours["min_s"], ours["max_s"], ours["runs"]) == (1.1, 1.0, 2.0, 3)
    assert ours["rss_mb"] == 60.0
    assert ours["cpu_s"] == 0.55
    assert ours["ratio_to_bird"] == 4.5  # of 4 and 5
    assert ours["ratio_to_limit"] == 1.25
    assert bird["ratio_to_bird"] == 1.0
    assert bird["ratio_to_limit"] == 5.25
    assert "ratio_to_bird" not in limit
    assert "ratio_to_limit" not in limit


def test_rows_that_are_not_measured_anew_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.write(file, results.rows(JOB, _runs()))
    again = [run for run in _runs() if run.measured.daemon == BIRD][:1]
    results.write(file, results.rows(JOB, again), results.read(file))
    assert {row["daemon"]: row["runs"] for row in results.read(file)} == {ROUTINGD: 3, LIMIT: 3, BIRD: 1}


def test_the_page_says_of_each_target_whether_it_is_reached() -> None:
    told = page.tables(results.rows(JOB, _runs()))
    assert (
        "| S2 | at most 1.2× the time of the bare netlink writer | 1.25× the time of the bare netlink writer | no |"
        in told
    )
    assert "| S2 | routingd | 1.10 s | 1.00 s to 2.00 s | 3 | 4.50× | 1.25 | 0.55 s | 60 MB | 0.30 to 0.40 s |" in told


def test_the_picture_has_a_bar_for_each_median() -> None:
    root = ElementTree.fromstring(page.picture(results.rows(JOB, _runs())))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"S2", "1.1", "4.75", "1"} <= set(labels)
