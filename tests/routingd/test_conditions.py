"""Conditions: set and counted until cleared, told whole, the worst first."""

from __future__ import annotations

from routingd.conditions import ConditionBook


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_condition_is_counted_until_it_is_cleared_and_begins_anew_after() -> None:
    clock = Clock()
    book = ConditionBook(clock)
    book.set("audit", "warning", "1 route was repaired")
    clock.now += 5.0
    book.set("audit", "warning", "2 routes were repaired")
    assert book.rows() == [["audit", "warning", "2 routes were repaired", 2, 5.0]]
    book.clear("audit")
    assert book.rows() == []
    book.set("audit", "warning", "again")
    assert book.rows() == [["audit", "warning", "again", 1, 0.0]]


def test_alarms_come_first_and_the_older_of_two() -> None:
    clock = Clock()
    book = ConditionBook(clock)
    book.set("kernel", "info", "weights have 8 bits")
    clock.now += 1.0
    book.set("drift", "alarm", "10.0.0.0/8 drifted twice")
    clock.now += 1.0
    book.set("fabric", "alarm", "no carrier")
    assert [row[0] for row in book.rows()] == ["drift", "fabric", "kernel"]


def test_what_an_agent_tells_replaces_what_it_told_and_ages_here() -> None:
    agent, controller = Clock(), Clock()
    controller.now = 7.0
    told, heard = ConditionBook(agent), ConditionBook(controller)
    heard.set("duplicate", "alarm", "another agent of this name")
    told.set("audit", "warning", "1 route was repaired")
    agent.now += 10.0
    heard.told(told.rows())
    controller.now += 2.0
    assert ["audit", "warning", "1 route was repaired", 1, 12.0] in heard.rows()
    told.clear("audit")
    heard.told(told.rows())
    assert [row[0] for row in heard.rows()] == ["duplicate"]


def test_whoever_watches_hears_of_each_change_and_of_nothing_else() -> None:
    changes: list[int] = []
    book = ConditionBook(Clock(), lambda: changes.append(1))
    book.clear("audit")
    assert changes == []
    book.set("audit", "warning", "x")
    book.clear("audit")
    book.clear("audit")
    assert len(changes) == 2
