"""ExaBGP 5 and routingd: what each announces is what the other holds, over eBGP and iBGP, IPv4 and IPv6."""

from __future__ import annotations

import pytest

from tests.interop import exchange
from tests.lab.exabgp import ExaBgp
from tests.lab.lab import Lab

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "ebgp",
    [
        pytest.param(True, id="ebgp", marks=pytest.mark.matrix("routes both ways: eBGP", "exabgp")),
        pytest.param(False, id="ibgp", marks=pytest.mark.matrix("routes both ways: iBGP", "exabgp")),
    ],
)
def test_tables_cross_both_ways_with_every_attribute(lab: Lab, ebgp: bool) -> None:
    exchange.tables_cross_both_ways(lab, ExaBgp, ebgp=ebgp)


def test_a_killed_peer_takes_only_its_routes_and_comes_back(lab: Lab) -> None:
    exchange.a_killed_peer_takes_only_its_routes(lab, ExaBgp)
