"""The frame of the failure matrix: rows, figures, and how a run of tests becomes the table."""

from __future__ import annotations

import pytest

from tests.failures import matrix
from tests.failures.matrix import Figures, Outcome
from tests.lab.probes import Loss

pytest_plugins = ["pytester"]

INNER = """
import pytest
from tests.lab.probes import Loss

@pytest.fixture
def broken():
    raise RuntimeError("no lab")

@pytest.mark.row(4)
@pytest.mark.parametrize("family", ["four", "six"])
def test_flush(row, family):
    row(4, lost=Loss(3000, 2998), writes=1234, whole=0.0421, family=family)

@pytest.mark.row(5, 11)
def test_two_rows(row):
    row(11, whole=12.34, nexthops_left=0)
    assert False

@pytest.mark.row(6)
def test_without_a_lab(row, broken):
    pass

@pytest.mark.row(8)
def test_skipped():
    pytest.skip("not here")
"""


def test_all_rows_of_the_matrix_are_declared() -> None:
    assert list(matrix.ROWS) == list(range(1, 18))
    assert len({fault.what for fault in matrix.ROWS.values()}) == 17


def test_a_row_is_as_good_as_its_worst_test() -> None:
    assert matrix.result(()) == "not run"
    assert matrix.result([Outcome("a", "skipped")]) == "skipped"
    assert matrix.result([Outcome("a", "skipped"), Outcome("b", "passed")]) == "ok"
    assert matrix.result([Outcome("a", "passed"), Outcome("b", "failed")]) == "FAILED"


def test_figures_are_told_with_their_units() -> None:
    figures = Figures(1, Loss(3000, 3000), 0, 1.26, {"routes_resent": 0, "peers": "bird, frr"})
    assert (
        figures.text()
        == "0 of 3,000 probes lost, 0 netlink writes, whole after 1.3 s, routes resent 0, peers bird, frr"
    )
    assert Figures(1).text() == ""


def test_a_run_of_tests_ends_with_the_table(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tests.failures.recording"]')
    pytester.makepyfile(INNER)
    lines = pytester.runpytest_subprocess("-p", "no:cacheprovider").outlines
    table = lines[next(n for n, line in enumerate(lines) if "failure matrix" in line) :]
    rows = {int(line.split()[0]): line for line in table if line[:2].strip().isdigit()}
    assert sorted(rows) == list(matrix.ROWS)
    state = {number: line[3:].split("  ")[0].strip() for number, line in rows.items()}
    assert {n: s for n, s in state.items() if not s.startswith("not run")} == {
        4: "ok", 5: "FAILED", 6: "FAILED", 8: "skipped", 11: "FAILED",
    }  # fmt: skip
    shown = "\n".join(line.strip() for line in table)
    assert "test_flush[four]: 2 of 3,000 probes lost, 1,234 netlink writes, whole after 42 ms, family four" in shown
    assert "test_two_rows FAILED: whole after 12.3 s, nexthops left 0" in shown


def test_a_row_that_the_matrix_lacks_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tests.failures.recording"]')
    pytester.makepyfile("import pytest\n@pytest.mark.row(18)\ndef test_it(): pass")
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert told.ret == pytest.ExitCode.USAGE_ERROR
    told.stderr.fnmatch_lines(["*has no row {18}*"])
