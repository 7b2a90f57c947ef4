"""Row 15 from the RIB to a neighbor: what a box's kernel has no room for is not told, or taken back, until it has."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from tests.failures.one_box import FEEDER, FEEDER_ASN, OneBox
from tests.failures.recording import Row
from tests.lab.attributes import Attributes
from tests.lab.lab import PROJECT, Lab
from tests.lab.updates import announcements, parse_prefix
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
KNOWN = [f"20.0.{n}.0/24" for n in range(20)]
LOST, NEW = KNOWN[7], "20.1.0.0/24"
PLENTY = "1000"


def given(*prefixes: str) -> bytes:
    attributes = Attributes(origin="igp", as_path=str(FEEDER_ASN), next_hop=FEEDER)
    return b"".join(announcements([parse_prefix(prefix) for prefix in prefixes], attributes))


def alarms(ncp: dict[str, Any]) -> list[str]:
    return [each["code"] for each in ncp["conditions"] if each["severity"] == "alarm"]


@pytest.mark.row(15)
def test_a_route_without_room_is_withdrawn_from_neighbors_until_the_box_has_it(lab: Lab, row: Row) -> None:
    made = OneBox(lab)
    room = made.box.directory / "room"
    room.write_text(PLENTY)
    python = ["env", f"PYTHONPATH={PROJECT}", sys.executable]
    made.router.agents["ncp1"].command = [*python, "-m", "tests.failures.full_table", str(room)]
    made.start()
    made.bird.start()
    feeder = made.feed(given(*KNOWN))
    wait_for("BIRD to know all", made.told, lambda told: set(KNOWN) <= told)
    assert set(KNOWN) <= made.kernel() & made.advertised()

    room.write_text("0")
    full = time.monotonic()
    made.box.ip("route", "delete", LOST)
    feeder.send(given(NEW))
    wait_for("the new one to be refused", made.ncp, lambda ncp: ncp["failed"] == 1)
    made.audited()
    wait_for("a withdrawal", made.told, lambda told: LOST not in told)
    withdrawn = time.monotonic() - full
    found = wait_for("both refused", made.ncp, lambda ncp: ncp["failed"] == 2)
    assert {LOST, NEW}.isdisjoint(made.told() | made.advertised() | made.kernel())
    rest = set(KNOWN) - {LOST}
    assert rest <= made.told() & made.advertised() & made.kernel(), "nothing else changes"
    assert {(each["name"], each["count"] > 0) for each in found["errors"]} == {("ENOSPC", True)}
    assert alarms(found) == ["kernel-no-room"]

    room.write_text(PLENTY)
    freed = time.monotonic()
    wait_for("both to be told", made.told, lambda told: {LOST, NEW} <= told, timeout=60)
    whole = time.monotonic() - freed
    assert {*KNOWN, NEW} <= made.told() & made.advertised() & made.kernel()
    wait_for("the alarm to end", made.ncp, lambda ncp: not ncp["failed"] and not alarms(ncp))
    assert made.audited()["state"] == "equal"
    row(15, whole=whole, seconds_to_withdrawal=round(withdrawn, 2))
    made.router.stop()
