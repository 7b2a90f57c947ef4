"""A lab for each test, removed after it whatever happened; the interop matrix after the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop import matrix
from tests.lab.lab import Lab

_cells: dict[str, list[matrix.Cell]] = {}
"""By test, what it judges."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if marked := [(mark.args[0], mark.args[1]) for mark in item.iter_markers("matrix")]:
            if strange := matrix.unknown(marked):
                raise pytest.UsageError(f"{item.nodeid}: tests/interop/matrix.py does not expect {strange}")
            _cells[item.nodeid] = marked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes: dict[matrix.Cell, list[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            if isinstance(report, pytest.TestReport) and (report.when == "call" or outcome != "passed"):
                for cell in _cells.get(report.nodeid, ()):
                    outcomes.setdefault(cell, []).append("failed" if outcome == "error" else outcome)
    if outcomes:
        terminalreporter.section("interop matrix")
        for line in matrix.rendered(outcomes):
            terminalreporter.write_line(line)
