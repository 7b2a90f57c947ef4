"""Another program changes what is ours in a box's kernel: routes, nexthops, everything at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from fibd import wire
from tests.failures.recording import Row
from tests.failures.truth import BEHIND, Truth, probed
from tests.kernel.box_under_test import PEER_A, PORT_A, BoxUnderTest, box_under_test
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

MANY = [200_000, pytest.param(1_000_000, marks=pytest.mark.long)]


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        under.start()
        under.ready()
        yield under


@pytest.mark.row(3)
def test_routes_that_another_program_deletes_or_replaces_are_repaired_by_an_audit(
    under_test: BoxUnderTest, row: Row
) -> None:
    truth = Truth(under_test, 2_000)
    truth.fill()
    before = under_test.routes()
    chosen = random.Random(7).sample(sorted(set(before) - {BEHIND}), 120)
    deleted, replaced = chosen[:100], chosen[100:]
    batch = [f"route del {prefix} metric 50" for prefix in deleted]
    batch += [f"route replace unreachable {prefix} metric 50" for prefix in replaced[:10]]
    batch += [f"route replace unreachable {prefix} metric 50 proto 201" for prefix in replaced[10:]]
    batch += ["route add unreachable 9.9.9.0/24 metric 50 proto 201", "nexthop add id 77 blackhole proto 201"]
    commands = under_test.box.directory / "foreign"
    commands.write_text("\n".join(batch) + "\n")
    probes = probed(under_test)
    under_test.box.ip("-batch", str(commands))
    damaged = under_test.routes()
    assert damaged != before
    writes = truth.counts()["netlink_messages"]
    began = time.monotonic()
    found = truth.ask("audit")
    counts = truth.settled()
    seconds = time.monotonic() - began
    assert under_test.routes() == before
    assert 77 not in {each["id"] for each in under_test.box.ip_json("nexthop")}
    assert (found["missing"], found["different"], found["foreign"], found["nexthops_foreign"]) == (110, 10, 1, 1)
    assert found["repaired"] == 122
    assert (counts["drift"]["missing"], counts["repairs"]) == (110, 122)
    wait_for("a condition", truth.conditions, lambda told: told.get("drift", [""] * 2)[1] == "warning")
    lost = probes.finish()
    assert lost.lost == 0
    row(3, lost=lost, writes=counts["netlink_messages"] - writes, whole=seconds, routes=truth.total)
    assert truth.ask("audit")["repaired"] == 0
    wait_for("no condition", truth.conditions, lambda told: "drift" not in told)


@pytest.mark.row(3)
def test_a_route_that_another_program_takes_away_again_raises_an_alarm(under_test: BoxUnderTest, row: Row) -> None:
    truth = Truth(under_test, 10)
    truth.fill()
    for _ in range(2):
        under_test.box.ip("route", "del", "20.0.3.0/24", "metric", "50")
        found = truth.ask("audit")
        truth.settled()
    assert (found["missing"], found["held"], found["names"]) == (1, 1, ["20.0.3.0/24"])
    told = wait_for("an alarm", truth.conditions, lambda told: "contested" in told)
    assert told["contested"][1] == "alarm"
    failures = wait_for(
        "the controller to hear of it",
        lambda: [row for ack in under_test.controller.all(wire.Ack) for row in ack.failures],
    )
    assert [(each[3], each[5]) for each in failures] == [(bytes([20, 0, 3, 0]), 16)]
    assert not truth.whole()
    assert truth.ask("audit")["held"] == 0
    wait_for("it to be tried at the audit after", truth.whole)
    row(3, alarms=1)


@pytest.mark.row(4)
@pytest.mark.parametrize("controller", ["with a controller", "without"])
@pytest.mark.parametrize("routes", MANY)
def test_nexthops_that_are_flushed_are_rebuilt_at_once(
    under_test: BoxUnderTest, row: Row, controller: str, routes: int
) -> None:
    truth = Truth(under_test, routes)
    truth.fill()
    writes = truth.counts()["netlink_messages"]
    if controller == "without":
        under_test.lose_controller()
    probes = probed(under_test)
    began = time.monotonic()
    under_test.box.ip("nexthop", "flush")
    flushed = time.monotonic() - began
    wait_for("the last routes again", truth.nearly_whole, every=0.02)
    seconds = wait_for("all routes again", truth.whole_at, every=0.1) - began
    lost = probes.finish()
    assert len(under_test.box.ip_json("nexthop")) == 6
    if controller == "without":
        row(4, lost=lost, whole=seconds, routes=truth.total, flush_itself=f"{flushed:.2f} s", controller="stopped")
        return
    counts = truth.settled()
    assert counts["foreign_changes"] >= 3
    wait_for("an audit after it", truth.counts, lambda now: now["audits"] > 0, every=0.05)
    after = truth.settled()
    row(
        4, lost=lost, writes=after["netlink_messages"] - writes, whole=seconds, routes=truth.total,
        flush_itself=f"{flushed:.2f} s", audit_after_it=f"{after['last_audit']['seconds']} s",
    )  # fmt: skip
    assert truth.ask("audit")["repaired"] == 0
    assert truth.whole()


@pytest.mark.row(4)
def test_one_group_or_nexthop_deleted_or_changed_by_another_comes_back_as_it_was(under_test: BoxUnderTest) -> None:
    truth = Truth(under_test, 100)
    truth.fill()
    before = under_test.routes()
    for command in ("del", "replace"):
        for each in under_test.box.ip_json("nexthop"):
            number = str(each["id"])
            if command == "del":
                under_test.box.ip("nexthop", "del", "id", number, check=False)
            elif "group" not in each and each["gateway"] == PEER_A:
                under_test.box.ip(
                    "nexthop", "replace", "id", number, "via", "192.0.2.77", "dev", PORT_A, "proto", "201"
                )
            wait_for("routes as they were", under_test.routes, lambda found: found == before, every=0.01)
    truth.settled()
    assert len(under_test.box.ip_json("nexthop")) == 6


@pytest.mark.row(3)
@pytest.mark.parametrize("routes", MANY)
def test_an_audit_of_a_large_table_sees_no_drift_in_what_changes_meanwhile_and_holds_nobody(
    under_test: BoxUnderTest, row: Row, routes: int
) -> None:
    truth = Truth(under_test, routes)
    truth.fill()
    table, controller = truth.table, under_test.controller
    slowest = 0.0
    for number in range(1000, 1004):
        controller.send(wire.Role.CONTROL, wire.Query(number, "audit"))
        while not any(answer.id == number for answer in controller.all(wire.Answer)):
            began = time.monotonic()
            for put in (False, True):
                table.send(routes=table.routes(1, *(f"20.{n}.{number % 200}.0/24" for n in range(3)), put=put))
            table.wait_installed()
            slowest = max(slowest, time.monotonic() - began)
        answer = controller.wait(wire.Answer, lambda answer, number=number: answer.id == number)
        assert answer.error == ""
        assert (answer.result["repaired"], answer.result["contested"]) == (0, 0)
        assert answer.result["compared"] >= truth.total - 3, "all but those that were away just then"
    assert truth.whole()
    lag = max(beat.lag for beat in controller.all(wire.Heartbeat))
    audit = truth.counts()["last_audit"]["seconds"]
    row(
        3, routes=truth.total, audit=f"{audit} s", slowest_change=f"{slowest * 1000:.0f} ms",
        event_loop_late=f"{lag * 1000:.0f} ms",
    )  # fmt: skip
