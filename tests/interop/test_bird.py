"""BIRD 2 and routingd: what each announces is what the other holds, over eBGP and iBGP, IPv4 and IPv6."""

from __future__ import annotations

import pytest

from tests.interop import exchange
from tests.lab.bird import Bird
from tests.lab.lab import Lab

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "ebgp",
    [
        pytest.param(True, id="ebgp", marks=pytest.mark.matrix("routes both ways: eBGP", "bird")),
        pytest.param(False, id="ibgp", marks=pytest.mark.matrix("routes both ways: iBGP", "bird")),
    ],
)
def test_tables_cross_both_ways_with_every_attribute(lab: Lab, ebgp: bool) -> None:
    exchange.tables_cross_both_ways(lab, Bird, ebgp=ebgp)


def test_a_killed_peer_takes_only_its_routes_and_comes_back(lab: Lab) -> None:
    exchange.a_killed_peer_takes_only_its_routes(lab, Bird)


def test_a_restarted_session_has_the_same_tables(lab: Lab) -> None:
    exchange.a_restarted_session_has_the_same_tables(lab, Bird)


def test_the_reference_engine_runs_the_router_as_well(lab: Lab) -> None:
    exchange.tables_cross_both_ways(lab, Bird, ebgp=True, prefixes=40, engine="reference")
