"""Row 15 at the box: a kernel that is full takes what fits, says of each other route that it has no room, and is asked
again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import native
from fibd import wire
from tests.failures.recording import Row
from tests.kernel.box_under_test import PEER_A, PORT_A, BoxUnderTest, box_under_test, packed
from tests.kernel.engine_feed import EngineFeed
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

ROUTES = 40
ROOM = 25
CODE = "kernel-no-room"
HOP = {"address": packed(PEER_A), "ncp": "ncp1", "port": PORT_A}


def conditions(under_test: BoxUnderTest) -> dict[str, list[Any]]:
    told = under_test.controller.all(wire.Conditions)
    return {row[0]: row for row in told[-1].rows} if told else {}


def start_with_room(under_test: BoxUnderTest, routes: int) -> Path:
    room = under_test.box.directory / "room"
    room.write_text(str(routes))
    under_test.start(module=("tests.failures.full_table", str(room)))
    under_test.ready()
    return room


@pytest.mark.row(15)
def test_routes_without_room_are_named_alarmed_and_tried_again_until_they_fit(row: Row) -> None:
    with box_under_test() as under_test:
        room = start_with_room(under_test, ROOM)
        engine = native.Engine(router_id=packed("10.255.0.1"), asn=65000, digest_key=bytes(range(16)))
        engine.put_connected(engine.add_connected_source(), (packed("192.0.2.0"), 24), "ncp1", PORT_A)
        static = engine.add_static_source()
        # the connected prefix is one of those that have room
        for n in range(ROUTES - 1):
            engine.put_static(static, (packed(f"20.0.{n}.0"), 24), [HOP])
        feed = EngineFeed(engine, under_test.controller)
        feed.run(lambda: len(feed.failures) == ROUTES - ROOM)
        begin = time.monotonic()
        assert len(under_test.routes()) == ROOM
        assert {(failure.errno, failure.text) for failure in feed.failures.values()} == {
            (28, "No space left on device")
        }
        alarm = wait_for("an alarm", lambda: conditions(under_test).get(CODE), every=0.02)
        assert alarm[1] == "alarm"
        assert alarm[2] == f"the kernel has no room for {ROUTES - ROOM} routes (No space left on device)"
        feed.run(lambda: {failure.attempts for failure in feed.failures.values()} == {3})
        tries = time.monotonic() - begin
        room.write_text(str(ROUTES))
        freed = time.monotonic()
        feed.run(lambda: not feed.failures)
        assert len(under_test.routes()) == ROUTES
        wait_for("the alarm to end", lambda: CODE not in conditions(under_test), every=0.02)
        row(15, whole=time.monotonic() - freed, refused=ROUTES - ROOM, seconds_for_three_attempts=round(tries, 1))


@pytest.mark.row(15)
def test_room_that_withdrawn_routes_leave_is_used(row: Row) -> None:
    with box_under_test() as under_test:
        start_with_room(under_test, 1)
        engine = native.Engine(router_id=packed("10.255.0.1"), asn=65000, digest_key=bytes(range(16)))
        static = engine.add_static_source()
        prefixes = [(packed(f"20.0.{n}.0"), 24) for n in range(2)]
        for prefix in prefixes:
            engine.put_static(static, prefix, [HOP])
        feed = EngineFeed(engine, under_test.controller)
        feed.run(lambda: len(feed.failures) == 1)
        ((_, missing, _),) = feed.failures
        kept = next(prefix for prefix in prefixes if prefix[0] != missing)
        begin = time.monotonic()
        engine.delete(static, kept)
        feed.run(lambda: not feed.failures)
        assert len(under_test.routes()) == 1
        row(15, whole=time.monotonic() - begin)
