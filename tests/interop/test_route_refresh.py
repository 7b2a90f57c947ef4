"""Everything told again (RFC 2918), asked for by either side, between markers where both know them (RFC 7313)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.interop import exchange
from tests.interop.matrix import against
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Peer
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns


PLAIN, SENT = "route refresh (RFC 2918)", "enhanced route refresh: sent (RFC 7313)"
RECEIVED = "enhanced route refresh: received (RFC 7313)"


@pytest.mark.parametrize("daemon", against(PLAIN, SENT, bird=Bird, frr=Frr, openbgpd=OpenBgpd))
def test_a_peer_that_asks_again_gets_everything_between_markers_and_keeps_it(
    lab: Lab, daemon: type[Bird | Frr | OpenBgpd]
) -> None:
    made = exchange.start(lab, daemon, ebgp=True, prefixes=200)
    made.peer_must_hold(4)
    assert isinstance(made.peer, daemon)
    us, peer = exchange.US[4], exchange.PEER[4]

    def row() -> dict[str, Any]:
        return dict(made.router.ctl("show", "bgp", "neighbor", peer)["neighbors"][0])

    before = row()["counters"]
    made.peer.ask_again(us)
    wait_for(
        "everything again, and the markers",
        lambda: (row()["counters"]["update_sent"] > before["update_sent"], row()["counters"]["route_refresh_sent"]),
        lambda seen: seen == (True, 2),
    )
    assert row()["counters"]["route_refresh_received"] == before["route_refresh_received"] + 1
    made.peer_must_hold(4)
    assert row()["established_count"] == 1


@pytest.mark.parametrize(
    ("daemon", "markers"),
    [
        pytest.param(Bird, 2, id="bird", marks=pytest.mark.matrix(RECEIVED, "bird")),
        pytest.param(Frr, 2, id="frr", marks=pytest.mark.matrix(RECEIVED, "frr")),
        pytest.param(GoBgp, 0, id="gobgp", marks=pytest.mark.matrix(PLAIN, "gobgp")),
        pytest.param(ExaBgp, 2, id="exabgp", marks=[pytest.mark.matrix(f, "exabgp") for f in (PLAIN, RECEIVED)]),
    ],
)
def test_a_peer_that_is_asked_tells_everything_again_and_nothing_of_it_changes(
    lab: Lab, daemon: type[Peer], markers: int
) -> None:
    made = exchange.start(lab, daemon, ebgp=True, prefixes=40)
    made.loc_rib_must_be(4)
    us, peer = exchange.US[4], exchange.PEER[4]

    def row() -> dict[str, Any]:
        return dict(made.router.ctl("show", "bgp", "neighbor", peer)["neighbors"][0])

    def came() -> float:
        """When the latest of its routes came, by this clock."""
        return max(time.monotonic() - r["age"] for r in made.router.rows(4) if r["source_name"] == peer)

    before = row()["counters"]
    wait_for("routes of some age", lambda: time.monotonic() - came(), lambda age: age > 3)
    asked = time.monotonic()
    made.router.ctl("bgp", "refresh", peer)
    told = len(made.peer.announced(us, 4, next_hop=peer))
    wait_for(
        "everything again, and the markers",
        lambda: (row()["counters"]["announced"] - before["announced"], row()["counters"]["route_refresh_received"]),
        lambda seen: seen == (told, markers),
    )
    after = row()
    assert (after["retained"], after["families"]["ipv4-unicast"]["stale"]) == ([], 0)
    made.loc_rib_must_be(4)
    assert came() < asked
    assert after["established_count"] == 1
