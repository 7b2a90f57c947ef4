"""routingd beside OpenBGPD: tables in both directions, read at both ends."""

from __future__ import annotations

import pytest

from tests.interop import exchange
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "ebgp",
    [
        pytest.param(True, id="ebgp", marks=pytest.mark.matrix("routes both ways: eBGP", "openbgpd")),
        pytest.param(False, id="ibgp", marks=pytest.mark.matrix("routes both ways: iBGP", "openbgpd")),
    ],
)
def test_tables_cross_both_ways_with_every_attribute(lab: Lab, ebgp: bool) -> None:
    exchange.tables_cross_both_ways(lab, OpenBgpd, ebgp=ebgp)


def test_a_killed_peer_takes_only_its_routes_and_comes_back(lab: Lab) -> None:
    exchange.a_killed_peer_takes_only_its_routes(lab, OpenBgpd)


def test_a_restarted_session_has_the_same_tables(lab: Lab) -> None:
    exchange.a_restarted_session_has_the_same_tables(lab, OpenBgpd)
