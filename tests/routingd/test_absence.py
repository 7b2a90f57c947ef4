"""What an agent does without a controller, as the last one said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fibd.messages import FOREVER
from fibd.wire import Welcome
from routingd.agent.absence import CODE, Absence, Terms
from routingd.agent.state import Store
from routingd.conditions import ConditionBook
from tests.routingd.fake_agent import until

KEY = bytes(16)


def welcome(grace: float, isolate: bool = False) -> Welcome:
    return Welcome(1, 1, b"s", KEY, grace=grace, isolate=isolate)


@pytest.mark.parametrize("terms", [Terms(), Terms(600.0, True, bytes([192, 0, 2, 1])), Terms(0.5, False, bytes(16))])
def test_terms_are_what_was_kept(terms: Terms) -> None:
    assert Terms.parse(terms.text()) == terms


@pytest.mark.parametrize("text", ["", "soon remove", "600", "600 isolate zz"])
def test_who_was_never_told_forwards_for_ever(text: str) -> None:
    assert Terms.parse(text) == Terms(FOREVER)


def test_after_the_grace_it_is_over_once_and_a_new_agent_counts_anew(tmp_path: Path) -> None:
    async def test() -> None:
        over: list[Terms] = []
        conditions = ConditionBook(asyncio.get_running_loop().time)
        absence = Absence(Store(tmp_path, conditions), conditions, over.append)
        absence.begin()
        assert absence._timer is None, "nobody has said for how long"
        absence.end(welcome(0.02, isolate=True), b"\1\2\3\4")
        again = Absence(Store(tmp_path, conditions), conditions, over.append)
        again.begin()
        await until(lambda: over, "the end of the grace")
        assert over == [Terms(0.02, True, b"\1\2\3\4")]
        assert [row[:2] for row in conditions.rows()] == [[CODE, "alarm"]]
        again.end(welcome(FOREVER), b"")
        assert conditions.rows() == []
        again.begin()
        assert again._timer is None

    asyncio.run(test())


def test_a_controller_within_the_grace_ends_it(tmp_path: Path) -> None:
    async def test() -> None:
        over: list[Terms] = []
        conditions = ConditionBook(asyncio.get_running_loop().time)
        absence = Absence(Store(tmp_path, conditions), conditions, over.append)
        absence.end(welcome(10.0), b"")
        absence.begin()
        absence.begin()
        absence.end(welcome(30.0), b"")
        assert absence._timer is None
        absence.begin()
        assert absence._timer is not None
        assert absence._timer.when() > asyncio.get_running_loop().time() + 20
        absence.stop()
        assert over == []

    asyncio.run(test())
