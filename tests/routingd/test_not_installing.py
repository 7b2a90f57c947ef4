"""``kernel: install: false``: sessions and a RIB, and boxes that are told that nothing is to be in their kernels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fibd.wire import Ack, Role, SnapshotBegin, SnapshotEnd, Transaction
from routingd.boxes import Boxes, Kernel
from routingd.controller import RouterPlan
from tests.routingd.fake_agent import END_OF_RIB, FakeAgent, until, update
from tests.routingd.test_consistency import Asked
from tests.routingd.test_controller import controller, established, plan, run
from tests.routingd.test_installed import OURS, originating, told
from tests.routingd.test_restart import restarted

LEARNED, OTHER = "198.51.100.0/24", "203.0.113.0/24"
EMPTY = {"ipv4": 0, "ipv6": 0, "digest": 0, "installed": 0, "pending": 0, "applied": 2}
"""What an agent counts that has taken an empty snapshot."""


def reflector() -> RouterPlan:
    router = plan()
    return replace(router, boxes=Boxes(list(router.boxes.all.values()), Kernel(install=False)))


def test_a_box_is_told_that_its_table_is_empty_and_never_of_a_route(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, reflector()) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            remote.send(update([LEARNED, OTHER]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            await until(lambda: one.feeds["ncp1"].state == "not-installing", "the agent agrees")
            counts = await one.engine.call(lambda engine: engine.counts())
            assert counts["ipv4"]["prefixes"] == 4, "two learned, a subnet and our address"
            assert counts["ipv4"]["fib"] == 0
            assert not agent.of(Role.FIB, Transaction)
            begin, end = agent.of(Role.FIB, SnapshotBegin, SnapshotEnd)
            assert (begin.kept, end.count, end.digest) == ([], 0, 0)

    run(test)


def test_neighbors_are_told_at_once_whatever_a_box_answers(tmp_path: Path) -> None:
    async def test() -> None:
        router = replace(originating(installed=True), boxes=reflector().boxes)
        async with controller(tmp_path, router):
            agent = FakeAgent("ncp1")
            agent.acknowledge = False
            remote = await established(tmp_path, agent)
            await until(lambda: told(agent, remote).end_of_rib == 1, "the end of the initial table")
            assert set(told(agent, remote).routes) == {OURS}

    run(test)


def test_views_say_that_nothing_is_installed_and_why(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path, reflector()) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            agent.answers |= {"counts": EMPTY, "route": None, "facts": []}
            remote.send(update([LEARNED]))
            await until(lambda: remote.credit_given_back() == remote.sent_bytes, "it was taken")
            await until(lambda: one.feeds["ncp1"].feed.caught_up and one.feeds["ncp1"].agrees, "the agent agrees")
            asked = Asked(one)
            (row,) = (await asked("show ncp"))["ncps"]
            assert (row["state"], row["reason"]) == ("not-installing", "kernel install is off")
            (detail,) = (await asked("show ncp detail"))["ncps"]
            assert detail["controller_fib"] == detail["model_fib"]
            answer = await asked("show fib consistency")
            assert (answer["install"], answer["controller"]["ipv4"], answer["ncps"][0]["state"]) == (False, 0, "equal")
            (here,) = (await asked("show route ncp", prefix=LEARNED))["ncps"]
            assert (here["state"], here["reason"]) == ("not-installed", "kernel install is off")
            explained = await asked("explain", prefix=LEARNED)
            assert explained["route"]["paths"][0]["best"]
            assert [(n["state"], n["reason"]) for n in explained["ncps"]] == [
                ("not-installed", "kernel install is off")
            ]

    run(test)


def test_what_an_earlier_life_installed_is_removed_once_neighbors_have_told_everything(tmp_path: Path) -> None:
    async def test() -> None:
        agent = FakeAgent("ncp1")
        async with restarted(tmp_path, agent, router=reflector()) as one:
            remote = await established(tmp_path, agent)
            assert one.feeds["ncp1"].state == "restarting"
            assert not agent.of(Role.FIB, SnapshotBegin)
            remote.send(END_OF_RIB)
            await until(lambda: one.feeds["ncp1"].state == "not-installing", "the box has swept its table")
            assert [end.count for end in agent.of(Role.FIB, SnapshotEnd)] == [0]

    run(test)


def test_a_box_that_is_back_or_holds_something_else_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fibd.distributor.FIRST_BACKOFF", 0.01)

    async def test() -> None:
        async with controller(tmp_path, reflector()) as one:
            agent = FakeAgent("ncp1")
            agent.holds = 3
            await agent.connect(tmp_path / "ncc.sock")
            await until(lambda: len(agent.of(Role.FIB, SnapshotEnd)) > 1, "it is told again")
            assert one.feeds["ncp1"].state == "snapshot"
            agent.holds = 0
            await until(lambda: one.feeds["ncp1"].state == "not-installing", "now they agree")
            await agent.close(Role.FIB)
            await until(lambda: one.feeds["ncp1"].state == "absent", "the connection is away")
            before = len(agent.of(Role.FIB, SnapshotEnd))
            await agent.connect(tmp_path / "ncc.sock", Role.FIB)
            await until(lambda: len(agent.of(Role.FIB, SnapshotEnd)) > before, "it is told again")
            await until(lambda: one.feeds["ncp1"].state == "not-installing", "they agree again")

    run(test)


def test_a_box_that_takes_long_to_empty_its_kernel_does_not_lag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routingd.feeds.STALLED", 0.02)

    async def test() -> None:
        async with controller(tmp_path, reflector()) as one:
            agent = FakeAgent("ncp1")
            agent.acknowledge = False
            await established(tmp_path, agent)
            feed = one.feeds["ncp1"]
            await until(lambda: feed.feed.still(one.clock()) > 0.1, "it takes its time")
            feed.pump()
            assert (feed.lagging, one.facts.out) == (False, {})
            sent = feed.describe()["sent"]
            agent.send(Role.FIB, Ack(sent, sent, sent))
            await until(lambda: feed.feed.caught_up, "it is done")

    run(test)
