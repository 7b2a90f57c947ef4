"""The kernel is tried out where nobody lives, and what does not hold is said."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from kernel import scratch, self_tests
from kernel.scratch import Scratch
from kernel.self_tests import KernelFacts
from routingd.conditions import ConditionBook

LONG = 20.0
"""Seconds: on a crowded machine the result counts, not the time."""
NEEDED = {
    "nexthop-objects", "errors-by-message", "deletion-by-prefix", "ipv4-over-ipv6", "carrier-loss-shrinks-groups",
    "changes-are-told",
}  # fmt: skip


def conditions(facts: KernelFacts) -> dict[str, tuple[str, str]]:
    book = ConditionBook(time.monotonic)
    facts.judge(book)
    return {code: (severity, text) for code, severity, text, _, _ in book.rows()}


@pytest.mark.netns
def test_the_facts_are_found_in_a_namespace_that_is_gone_afterwards() -> None:
    home = Path("/proc/thread-self/ns/net").readlink()
    links = sorted(Path("/sys/class/net").iterdir())
    facts = self_tests.run(LONG)
    assert facts.untested == ""
    assert {fact.code for fact in facts.facts if fact.holds} >= NEEDED
    assert all(fact.measured for fact in facts.facts)
    assert Path("/proc/thread-self/ns/net").readlink() == home
    assert sorted(Path("/sys/class/net").iterdir()) == links


@pytest.mark.netns
def test_a_fact_that_does_not_hold_says_what_that_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    def contrary(name: str, value: str) -> None:
        value = "1" if name == "ipv4/nexthop_compat_mode" else value
        (Path("/proc/sys/net") / name).write_text(value)

    monkeypatch.setattr(Scratch, "sysctl", staticmethod(contrary))
    severity, text = conditions(self_tests.run(LONG))["kernel-ipv4-groups-cost-no-routes"]
    assert severity == "warning"
    assert text.startswith("group changes cost O(routes) here: convergence will be slow")
    assert "under 4096 routes" in text


@pytest.mark.netns
def test_weights_of_eight_bits_are_told_and_the_model_is_not_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scratch.group

    def narrow(number: int, members: dict[int, int]) -> bytes:
        """As a kernel before 6.12 answers: the octet must be zero there."""
        if max(members.values()) > 256:
            raise OSError(errno.EINVAL, "Invalid argument")
        return whole(number, members)

    monkeypatch.setattr(scratch, "group", narrow)
    facts = self_tests.run(LONG)
    assert not facts.wide_weights
    assert conditions(facts)["kernel-weights-of-16-bits"][0] == "info"


def test_where_no_namespace_may_be_made_everything_is_unknown_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(scratch, "enter", refused)
    facts = self_tests.run(LONG)
    assert {row[1] for row in facts.rows()} == {None}
    assert not facts.wide_weights
    assert conditions(facts) == {
        "kernel-unknown": (
            "info",
            "the kernel was not tried out: no network namespace to try them in: Operation not permitted",
        )
    }


def test_a_kernel_that_does_not_answer_in_time_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def stuck() -> None:
        answer.wait(LONG)
        raise OSError(errno.EINTR, "given up")

    monkeypatch.setattr(scratch, "enter", stuck)
    facts = self_tests.run(0.01)
    answer.set()
    assert facts.untested == "they took longer than 0.01 s"
    assert {row[1] for row in facts.rows()} == {None}
