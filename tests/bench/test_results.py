"""Rows of results, and the page that is made of them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import page, results
from bench.__main__ import turns
from bench.measured import BIRD, FRR, LIMIT, ROUTINGD, Context, Job, Measured


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
    assert "runs of each: 3; fewer: bird 2." in told
    assert (
        "| S2 | routingd | 1.10 s | 1.00 s to 2.00 s | 3 | 4.500× | 1.250 | 0.55 s | 60 MB | 0.30 to 0.40 s |" in told
    )


def test_the_picture_has_a_bar_for_each_median() -> None:
    root = ElementTree.fromstring(page.picture(results.rows(JOB, _runs())))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"S2", "1.1", "4.75", "1"} <= set(labels)


def _pair(
    job: str, ours: float, others: float, *, runs: int = 3, most: int = 1000, **notes: object
) -> list[results.Row]:
    made = Job(job, job, (ROUTINGD, BIRD), _never, most_runs=most)
    taken = [
        results.Run(n, Measured(job, daemon, s, {"one": 1_000_000}, s, dict(notes)), (0.3, 0.3))
        for daemon, s in ((ROUTINGD, ours), (BIRD, others))
        for n in range(runs)
    ]
    return results.rows(made, taken)


def test_a_ratio_just_below_its_target_is_not_rounded_to_it() -> None:
    assert "| S3 | at least 1.5× as fast as BIRD | 1.499× as fast as BIRD | no |" in page.tables(_pair("S3", 1, 1.4996))
    assert "| S3 | at least 1.5× as fast as BIRD | 1.5× as fast as BIRD | yes |" in page.tables(_pair("S3", 1, 1.5))


def test_of_fewer_than_three_runs_nothing_is_said_but_of_jobs_that_make_no_more() -> None:
    told = page.tables([*_pair("S3", 1, 2, runs=2), *_pair("idle", 0.1, 0.1, runs=1, most=1, share_of_a_core=0.0005)])
    assert "| S3 | at least 1.5× as fast as BIRD | 2× as fast as BIRD | too few runs |" in told
    assert "| idle | at most 1 % of a core | 0.05 % of a core | yes, 1 run |" in told
    assert "runs of each: 2; fewer: idle 1." in told


def test_targets_of_several_rows_are_told_where_all_are_there() -> None:
    moves = [*_pair("S4F, 10k", 0.002, 1), *_pair("S4F, 1M", 0.004, 1, rest_after_s=1.5, cpu_until_rest_s=2.0)]
    told = page.tables([*moves, *_pair("churn", 0.0201, 1, loop_slices_over_5ms=4)])
    assert "| S4F flat, 1M over 10k | at most 1.5× the time with 10k | 2× the time with 10k | no |" in told
    assert "100k over" not in told
    assert "| churn | at most 20 ms | 20.1 ms | no |" in told
    assert "| churn, loop | at most 0 slices of the loop over 5 ms | 4 slices of the loop over 5 ms | no |" in told
    assert "| S4F, 1M | routingd | 4.0 ms | 4.0 ms | 1.50 s | 2.00 s |" in told


def test_runs_that_failed_are_counted_and_a_daemon_without_a_figure_is_named() -> None:
    failures = [results.Failure(BIRD, "no"), results.Failure(LIMIT, "no")]
    taken = [run for run in _runs() if run.measured.daemon != LIMIT]
    rows = results.rows(JOB, taken, failures=failures)
    assert [(row["daemon"], row["runs"], row["failed"]) for row in rows] == [
        (ROUTINGD, 3, 0),
        (BIRD, 2, 1),
        (LIMIT, 0, 1),
    ]
    told = page.tables(rows)
    assert "| **S2**: a table into the kernel | 1.10 s, 60 MB | 4.75 s, 50 MB | – (failed) |" in told
    assert "| S2 | bird | 4.75 s | 4.00 s to 5.50 s | 2 of 3 |" in told
    assert "| S2 | bare netlink writer | – (failed) | – | 0 of 1 |" in told
    assert "bare netlink writer" not in page.picture(rows)


def test_results_of_another_version_are_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text('[{"job": "S1", "daemon": "bird", "median_s": 1.0}]')
    with pytest.raises(SystemExit, match=r"results\.json is of another version, without failed, scale, title"):
        results.read(file)


def test_those_that_routingd_is_compared_with_run_next_to_it_and_every_second_round_goes_backward() -> None:
    forward = [LIMIT, ROUTINGD, BIRD, FRR]
    assert turns([ROUTINGD, BIRD, FRR, LIMIT], 0) == forward
    assert turns([ROUTINGD, BIRD, FRR, LIMIT], 1) == forward[::-1]
