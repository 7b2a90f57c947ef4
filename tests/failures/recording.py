"""pytest's side of the failure matrix: the marker `row(number, ...)`, the fixture `row`, the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from tests.failures import matrix
from tests.lab.probes import Loss


class Row(Protocol):
    def __call__(
        self,
        number: int,
        *,
        lost: Loss | None = None,
        writes: int | None = None,
        whole: float | None = None,
        **more: object,
    ) -> None:
        """Record figures of this row (see `matrix.Figures`); what is said more than once is shown once each."""


_rows: dict[str, Sequence[int]] = {}
"""By test, the rows that it judges."""
_figures: dict[str, list[matrix.Figures]] = {}
"""By test, what it measured."""


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    test = request.node.nodeid

    def record(
        number: int,
        *,
        lost: Loss | None = None,
        writes: int | None = None,
        whole: float | None = None,
        **more: object,
    ) -> None:
        assert number in _rows.get(test, ()), (
            f"mark the test with @pytest.mark.row({number}), so that it counts if it fails"
        )
        _figures.setdefault(test, []).append(matrix.Figures(number, lost, writes, whole, more))

    return record


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if numbers := [number for mark in item.iter_markers("row") for number in mark.args]:
            if strange := matrix.unknown(numbers):
                raise pytest.UsageError(f"{item.nodeid}: tests/failures/matrix.py has no row {strange}")
            _rows[item.nodeid] = numbers


def outcomes(reports: Sequence[pytest.TestReport]) -> dict[int, list[matrix.Outcome]]:
    """By row. A test is as good as the worst of its phases: one whose lab could not be made did not pass."""
    worst: dict[str, str] = {}
    for report in reports:
        told = report.outcome != "passed" or report.when == "call"
        if told and report.nodeid in _rows and worst.get(report.nodeid) != "failed":
            worst[report.nodeid] = report.outcome
    found: dict[int, list[matrix.Outcome]] = {}
    for test, outcome in worst.items():
        for number in _rows[test]:
            figures = [each for each in _figures.get(test, ()) if each.number == number]
            found.setdefault(number, []).append(matrix.Outcome(test.rpartition("::")[2], outcome, figures))
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    kinds = ("passed", "failed", "error", "skipped")
    reports = [each for kind in kinds for each in terminalreporter.getreports(kind)]
    found = outcomes([report for report in reports if isinstance(report, pytest.TestReport)])
    if found:
        terminalreporter.section("failure matrix")
        for line in matrix.rendered(found):
            terminalreporter.write_line(line)
