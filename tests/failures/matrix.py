"""The failure matrix: what may break, what must hold then, and how it came out in this run of the tests.

A test that judges a row says so, and hands over what it measured through the fixture `row`:

    @pytest.mark.row(4)
    def test_nexthops_that_are_flushed_come_back(lab: Lab, row: Row) -> None:
        ...
        row(4, lost=stream.finish(), writes=after - before, whole=seconds, routes=count)

It may live in any folder and name several rows. At the end of a run of pytest the table is printed: each row with its
result, and beneath it the figures of each of its tests. What is here in words is what docs/failures.md tells the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.lab.probes import Loss


@dataclass(frozen=True, slots=True)
class Fault:
    what: str
    required: str


ROWS: Final[Mapping[int, Fault]] = {
    1: Fault(
        "an agent is killed and started again",
        "no packet is lost; what its kernel holds is adopted; where digests agree no route is sent again; the BGP "
        "sessions on that box come back by graceful restart",
    ),
    2: Fault(
        "an agent is killed in the middle of a snapshot",
        "only the shards that differ are sent again; nothing is swept before the snapshot is complete",
    ),
    3: Fault(
        "another program deletes or replaces routes in our table",
        "they are repaired within one audit interval, and counted as drift",
    ),
    4: Fault(
        "nexthop objects are flushed",
        "the agent rebuilds them and their routes from its own model, controller or none",
    ),
    5: Fault(
        "the kernel's event socket overruns (ENOBUFS)",
        "the agent dumps what it may have missed, and audits",
    ),
    6: Fault(
        "a message inside a netlink batch is refused",
        "all others are applied; the answer names the route and the error",
    ),
    7: Fault(
        "the controller dies and returns",
        "boxes forward and no packet is lost; neighbors that can be swept keep their session, others restart "
        "gracefully; what changed meanwhile is right on both sides",
    ),
    8: Fault(
        "two controllers at once",
        "only the one with the higher election id writes; the other is refused and says so",
    ),
    9: Fault(
        "a box is slow or stands still",
        "the others do not notice; memory is bounded; in the end it holds the last value of each route",
    ),
    10: Fault(
        "a link goes down: under a single path, one of several, one with a backup",
        "routes are flushed and the controller told; the group shrinks; the backup carries: controller or none",
    ),
    11: Fault(
        "a port flaps a hundred times",
        "in the end the kernel equals the model, and no nexthop object is left over",
    ),
    12: Fault(
        "the wall clock jumps",
        "no timer moves",
    ),
    13: Fault(
        "frames are corrupt, cut off or giant; versions differ by one",
        "that connection alone is closed; neighbors in versions understand each other",
    ),
    14: Fault(
        "changes refer to what has not come yet, or is gone",
        "they are refused or wait; nothing ever dangles",
    ),
    15: Fault(
        "a kernel's table is full",
        "routes that do not fit are not advertised, an alarm is raised, and all of it recovers",
    ),
    16: Fault(
        "two agents call themselves by one name",
        "the second is refused, with an alarm; the first does not notice",
    ),
    17: Fault(
        "a box loses the fabric while its management lives",
        "its ports leave routing until the fabric is back",
    ),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one test of one row. ``lost``: probes sent through the fault and how many did not return. ``writes``: messages
    that boxes wrote to their kernels because of it. ``whole``: seconds from the fault until all was right again.
    ``more``: what else tells how it went, by name."""

    number: int
    lost: Loss | None = None
    writes: int | None = None
    whole: float | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    def text(self) -> str:
        parts = []
        if self.lost is not None:
            parts.append(f"{self.lost.lost:,} of {self.lost.sent:,} probes lost")
        if self.writes is not None:
            parts.append(f"{self.writes:,} netlink writes")
        if self.whole is not None:
            parts.append(f"whole after {_seconds(self.whole)}")
        parts += [f"{name.replace('_', ' ')} {_value(value)}" for name, value in self.more.items()]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one test of one row."""

    test: str
    result: str
    """passed, failed, skipped"""
    figures: Sequence[Figures] = ()


def unknown(numbers: Iterable[object]) -> set[object]:
    """Rows that tests claim and the matrix lacks."""
    return set(numbers) - set(ROWS)


def rendered(outcomes: Mapping[int, Sequence[Outcome]]) -> list[str]:
    """Lines of the table: all rows, also those that nothing judged in this run."""
    lines = []
    for number, fault in ROWS.items():
        of = outcomes.get(number, ())
        lines.append(f"{number:>2} {result(of):8} {fault.what}")
        for outcome in of:
            told = "; ".join(filter(None, (figures.text() for figures in outcome.figures)))
            mark = "" if outcome.result == "passed" else f" {outcome.result.upper()}"
            lines.append(f"              {outcome.test}{mark}{f': {told}' if told else ''}")
    return lines


def result(of: Sequence[Outcome]) -> str:
    """A row is as good as its worst test; one that nothing judged is "not run"."""
    results = {outcome.result for outcome in of}
    if "failed" in results:
        return "FAILED"
    return "ok" if "passed" in results else "skipped" if "skipped" in results else "not run"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _value(value: object) -> str:
    if isinstance(value, Loss):
        return f"{value.lost:,} of {value.sent:,}"
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
