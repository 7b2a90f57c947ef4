"""What every test run shares: the markers' rules, and a strict view of skips.

`make test` says --strict-skips: then a test may only be skipped for a reason listed here, and any other skip is a
failure, so that a machine on which half the tests cannot run does not report success.
"""

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.failures.recording"]
ALLOWED_SKIPS = ("test data folder ../shared/data absent", "this kernel has TCP-AO")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="a skip for an unexpected reason is a failure")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        needs_root = pytest.mark.skip(reason="makes network namespaces: needs root")
        for item in items:
            if item.get_closest_marker("netns"):
                item.add_marker(needs_root)


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _judge(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or not config.getoption("--strict-skips"):
        return
    reason = _skip_reason(report)
    if reason not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"skipped: {reason}\n(not an expected reason, see tests/conftest.py: it counts as a failure)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(collector.config, report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        reason = _skip_reason(report)
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.section("skipped tests")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} x {reason}")
    if not reasons:
        terminalreporter.write_line("none")
