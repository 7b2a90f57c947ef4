"""BIRD and FRR ask for everything again (RFC 2918) and follow the markers around it (RFC 7313)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop import exchange
from tests.interop.matrix import against
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.lab import Lab
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "daemon", against("route refresh (RFC 2918)", "enhanced route refresh: sent (RFC 7313)", bird=Bird, frr=Frr)
)
def test_a_peer_that_asks_again_gets_everything_between_markers_and_keeps_it(
    lab: Lab, daemon: type[Bird | Frr]
) -> None:
    made = exchange.start(lab, daemon, ebgp=True, prefixes=200)
    made.peer_must_hold(4)
    assert isinstance(made.peer, daemon)
    us, peer = exchange.US[4], exchange.PEER[4]

    def row() -> dict[str, Any]:
        return dict(made.router.ctl("show", "bgp", "neighbor", peer)["neighbors"][0])

    before = row()["counters"]
    made.peer.ask_again(us)
    wait_for("BoRR and EoRR", lambda: row()["counters"]["route_refresh_sent"], lambda sent: sent == 2)
    after = row()
    assert after["counters"]["route_refresh_received"] == before["route_refresh_received"] + 1
    assert after["counters"]["update_sent"] > before["update_sent"]
    made.peer_must_hold(4)
    assert row()["established_count"] == 1
