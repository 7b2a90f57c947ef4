"""The decision process, one test for each step (RFC 4271 9.1.2.2, RFC 4456 9)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from rib.adjacency import Adjacency, AdjacencyKind
from rib.attributes import Origin
from rib.options import Options
from rib.path import Path, Protocol
from rib.resolution import Resolution, Resolutions
from rib.selection import select
from rib.step import Step
from tests.rib.building import bgp_path, ip, local_path

NEAR, FAR, NOWHERE = ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")
PORT = Adjacency("ncp1", "eth0", NEAR, AdjacencyKind.IP)
KNOWN = Resolutions({(0, NEAR): Resolution(((PORT, 1),), 10), (0, FAR): Resolution(((PORT, 1),), 20)})


def decide(*paths: Path, **options: bool | int) -> tuple[int | None, Step, dict[int, Step]]:
    """(source of the best path, deciding step, step of each loser), the same for every order of the paths."""
    results = []
    for order in itertools.permutations(paths):
        chosen = select(order, KNOWN, Options().changed(options))
        lost = {source: step for (source, _), step in chosen.lost.items()}
        results.append((chosen.best.source.number if chosen.best else None, chosen.step, lost))
    assert all(result == results[0] for result in results)
    return results[0]


def test_no_path_is_no_route() -> None:
    assert decide() == (None, Step.NONE, {})


def test_a_path_whose_next_hop_does_not_resolve_takes_no_part() -> None:
    unresolved = bgp_path(1, next_hop="192.0.2.3")
    assert decide(unresolved) == (None, Step.NONE, {})
    assert decide(unresolved, bgp_path(2)) == (2, Step.ONLY, {})
    assert select([unresolved], KNOWN, Options()).unusable == (unresolved,)


def test_a_single_path_wins_alone() -> None:
    assert decide(bgp_path(1)) == (1, Step.ONLY, {})


LONGER = "65001 65002"
LOSERS: list[tuple[Step, dict[str, Any], dict[str, Any]]] = [
    (Step.LOCAL_PREF, {"local_pref": 101, "as_path": LONGER}, {}),
    (Step.LOCAL_PREF, {}, {"local_pref": 99}),
    (Step.AS_PATH_LENGTH, {"origin": Origin.INCOMPLETE}, {"as_path": LONGER}),
    (Step.AS_PATH_LENGTH, {"as_path": "65001 {1,2,3}"}, {"as_path": "65001 1 2"}),
    (Step.AS_PATH_LENGTH, {"as_path": "(7 8 9) 65001"}, {"as_path": LONGER}),
    (Step.ORIGIN, {"med": 9}, {"origin": Origin.EGP}),
    (Step.ORIGIN, {"origin": Origin.EGP}, {"origin": Origin.INCOMPLETE}),
    (Step.MED, {"med": 1, "ebgp": False}, {"med": 2}),
    (Step.MED, {"ebgp": False}, {"med": 1}),
    (Step.EBGP_OVER_IBGP, {"next_hop": "192.0.2.2"}, {"ebgp": False}),
    (Step.IGP_METRIC, {"router_id": "9.9.9.9"}, {"next_hop": "192.0.2.2"}),
    (Step.ROUTER_ID, {"cluster_list": (ip("1.0.0.1"),)}, {"router_id": "1.1.1.2"}),
    (Step.ROUTER_ID, {"router_id": "9.9.9.9", "originator_id": ip("1.1.1.1")}, {"router_id": "1.1.1.2"}),
    (Step.CLUSTER_LIST_LENGTH, {"address": "10.0.0.9"}, {"cluster_list": (ip("1.0.0.1"),)}),
    (Step.PEER_ADDRESS, {"path_id": 9}, {"address": "10.0.0.2"}),
    (Step.PEER_ADDRESS, {"address": "200.0.0.1"}, {"address": "2001:db8::1"}),
    (Step.PATH_ID, {"path_id": 1}, {"path_id": 2}),
    (Step.SOURCE, {}, {}),
]


@pytest.mark.parametrize(("step", "winner", "loser"), LOSERS)
def test_each_step_decides_between_paths_that_are_equal_before_it(
    step: Step, winner: dict[str, Any], loser: dict[str, Any]
) -> None:
    best, other = (1, 2) if step is Step.SOURCE else (2, 1)
    assert decide(bgp_path(best, **winner), bgp_path(other, **loser)) == (best, step, {other: step})


def test_med_is_not_compared_between_neighbours() -> None:
    assert decide(bgp_path(1, "65001", med=100), bgp_path(2, "65002", med=1)) == (1, Step.SOURCE, {2: Step.SOURCE})


def test_paths_without_a_leading_sequence_form_one_neighbour() -> None:
    assert decide(bgp_path(1, "{5}", med=2), bgp_path(2, "{6}", med=1)) == (2, Step.MED, {1: Step.MED})


def test_med_makes_the_pairwise_order_non_transitive_and_the_set_still_has_one_answer() -> None:
    """A beats B by router id, B beats C by MED, C beats A by router id: every order gives the answer of the set."""
    a = bgp_path(1, "65001", router_id="2.2.2.2")
    b = bgp_path(2, "65002", router_id="3.3.3.3", med=1)
    c = bgp_path(3, "65002", router_id="1.1.1.1", med=2)
    assert decide(a, b)[0] == 1
    assert decide(b, c)[0] == 2
    assert decide(c, a)[0] == 3
    assert decide(a, b, c) == (1, Step.ROUTER_ID, {2: Step.ROUTER_ID, 3: Step.MED})


def test_each_loser_has_the_step_at_which_it_went() -> None:
    assert decide(bgp_path(1), bgp_path(2, local_pref=50), bgp_path(3, LONGER), bgp_path(4, med=3)) == (
        1,
        Step.MED,
        {2: Step.LOCAL_PREF, 3: Step.AS_PATH_LENGTH, 4: Step.MED},
    )


def test_the_lowest_distance_wins_between_protocols_and_the_lowest_protocol_between_equal_distances() -> None:
    static, connected = local_path(1, Protocol.STATIC, distance=20), local_path(2, Protocol.CONNECTED)
    assert decide(static, connected) == (2, Step.DISTANCE, {1: Step.DISTANCE})
    assert decide(static, bgp_path(3)) == (1, Step.PROTOCOL, {3: Step.PROTOCOL})
    assert decide(static, bgp_path(3), connected) == (2, Step.DISTANCE, {1: Step.DISTANCE, 3: Step.DISTANCE})
    near = local_path(4, Protocol.STATIC)
    assert decide(near, connected, bgp_path(3)) == (2, Step.PROTOCOL, {4: Step.PROTOCOL, 3: Step.DISTANCE})


def test_a_path_that_lost_within_its_protocol_keeps_that_step_when_another_protocol_wins() -> None:
    assert decide(local_path(1, Protocol.CONNECTED), bgp_path(2), bgp_path(3, med=1)) == (
        1,
        Step.DISTANCE,
        {2: Step.DISTANCE, 3: Step.MED},
    )


def test_an_external_path_does_not_beat_an_internal_one_by_distance() -> None:
    assert decide(bgp_path(1), bgp_path(2, ebgp=False, local_pref=200)) == (2, Step.LOCAL_PREF, {1: Step.LOCAL_PREF})


def test_static_paths_go_by_distance_then_metric_then_source() -> None:
    assert decide(local_path(1, Protocol.STATIC, distance=5), local_path(2, Protocol.STATIC, distance=1, metric=9)) == (
        2,
        Step.DISTANCE,
        {1: Step.DISTANCE},
    )
    assert decide(local_path(1, Protocol.STATIC, metric=9), local_path(2, Protocol.STATIC)) == (
        2,
        Step.METRIC,
        {1: Step.METRIC},
    )
    assert decide(local_path(2, Protocol.STATIC), local_path(1, Protocol.STATIC)) == (1, Step.SOURCE, {2: Step.SOURCE})
