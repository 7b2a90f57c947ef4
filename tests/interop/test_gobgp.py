"""routingd beside GoBGP: tables in both directions, read at both ends."""

from __future__ import annotations

import pytest

from tests.interop import exchange
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "ebgp",
    [
        pytest.param(True, id="ebgp", marks=pytest.mark.matrix("routes both ways: eBGP", "gobgp")),
        pytest.param(False, id="ibgp", marks=pytest.mark.matrix("routes both ways: iBGP", "gobgp")),
    ],
)
def test_tables_cross_both_ways_with_every_attribute(lab: Lab, ebgp: bool) -> None:
    exchange.tables_cross_both_ways(lab, GoBgp, ebgp=ebgp)


def test_a_killed_peer_takes_only_its_routes_and_comes_back(lab: Lab) -> None:
    exchange.a_killed_peer_takes_only_its_routes(lab, GoBgp)


def test_a_restarted_session_has_the_same_tables(lab: Lab) -> None:
    exchange.a_restarted_session_has_the_same_tables(lab, GoBgp)
