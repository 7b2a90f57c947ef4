"""A fib connection that is cut while routes flow goes on where it was: nothing that was installed is sent again."""

from __future__ import annotations

import pytest

from tests.failures.one_box import FEEDER, FEEDER_ASN, HOME, OneBox
from tests.lab import kernel, tables
from tests.lab.lab import Lab
from tests.lab.relay import Relay
from tests.lab.router import TLS_PORT
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
FRONT = "10.9.0.1"
ROUTES = 60_000
CUTS = [100_000, 150_000, 50_000]
"""Octets towards the agent behind which its connection ends; a route is ten."""


def test_a_stream_that_is_cut_again_and_again_goes_on_by_position_and_writes_each_route_once(lab: Lab) -> None:
    made = OneBox(lab, FRONT)
    made.box.address("lo", f"{FRONT}/32")
    relay = Relay(made.box, (FRONT, TLS_PORT), (HOME, TLS_PORT))
    made.start()
    before = made.ncp()
    own = kernel.count(made.box)
    relay.cuts.extend(CUTS)
    feeder = made.feed(tables.generate(ROUTES, first_asn=FEEDER_ASN, next_hop=FEEDER).encode())
    feeder.wait_sent()
    found = wait_for("all routes", made.ncp, lambda ncp: ncp["installed"] >= ROUTES and ncp["caught_up"], timeout=120)
    assert relay.cuts == []
    assert found["resumed"] == "position"
    assert found["resumes"]["position"] - before["resumes"].get("position", 0) == len(CUTS)
    for other in ("shards", "snapshot"):
        assert found["resumes"].get(other) == before["resumes"].get(other)
    assert found["disagreements"] == 0
    written = found["agent"]["netlink_messages"] - before["agent"]["netlink_messages"]
    assert ROUTES <= written < ROUTES + 10, "each route once, and its next hop"
    assert kernel.count(made.box) - own == ROUTES
    audit = made.audited()
    assert (audit["state"], audit["audit"]["drifted"]) == ("equal", 0)
    made.router.stop()
    relay.close()
