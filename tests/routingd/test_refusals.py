"""Agents that are turned away: said in the conditions of the box they say they are, until it is over."""

from __future__ import annotations

import asyncio

import pytest

from fibd.wire import Error
from routingd import refusals
from routingd.conditions import ConditionBook
from routingd.refusals import Refusals
from tests.routingd.fake_agent import until


def codes(book: ConditionBook) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in book.rows()]


def test_a_second_agent_is_an_alarm_for_as_long_as_it_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "CALM", 0.05)

    async def test() -> None:
        book = ConditionBook(asyncio.get_running_loop().time)
        here = Refusals({"ncp1": book}, lambda election_id: None)
        here.refused("ncp1", Error("duplicate", "another agent"), "192.0.2.9:40000", 0)
        here.refused("ncp1", Error("duplicate", "another agent"), "192.0.2.9:40001", 0)
        (row,) = book.rows()
        assert row[:2] == ["duplicate-agent", "alarm"]
        assert "192.0.2.9:40001" in row[2]
        assert row[3] == 2
        here.refused("nobody", Error("name", "no such NCP"), "unix", 0)
        await until(lambda: not book.rows(), "calm")

    asyncio.run(test())


def test_a_controller_that_was_overtaken_says_so_until_the_box_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        book = ConditionBook(asyncio.get_running_loop().time)
        learned: list[int] = []
        here = Refusals({"ncp1": book}, learned.append)
        here.left("ncp1", Error("election", "another controller has taken over"))
        assert codes(book) == [("overtaken", "alarm")]
        here.refused("ncp1", Error("election", "another controller has taken over"), "unix", 77)
        assert learned == [77]
        here.welcomed("ncp1")
        assert book.rows() == []

    asyncio.run(test())
