"""The decision process, one test for each step (RFC 4271 9.1.2.2, RFC 4456 9)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rib.adjacency import Adjacency, AdjacencyKind
from rib.attributes import Origin, neighbor_as
from rib.options import Options
from rib.path import Path, Protocol
from rib.resolution import Resolution, Resolutions
from rib.selection import least_med, select
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
    (Step.STALE, {"local_pref": 99}, {"weight": 1, "communities": ("65535:6",)}),
    (Step.WEIGHT, {"weight": 1}, {"local_pref": 200}),
    (Step.LOCAL_PREF, {"local_pref": 101}, {"aigp": 0}),
    (Step.LOCAL_PREF, {"local_pref": 101, "as_path": LONGER}, {}),
    (Step.LOCAL_PREF, {}, {"local_pref": 99}),
    (Step.AIGP, {"aigp": 7, "as_path": LONGER}, {"aigp": 8}),
    (Step.AIGP, {"aigp": 0xFFFFFFFFFFFFFFFF, "as_path": LONGER}, {}),
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


def test_aigp_counts_with_the_way_to_the_next_hop() -> None:
    """RFC 7311 4.1: the interior cost is 10 to the near next hop and 20 to the far one."""
    near, far = bgp_path(1, aigp=100), bgp_path(2, aigp=91, next_hop="192.0.2.2")
    assert decide(near, far) == (1, Step.AIGP, {2: Step.AIGP})
    equal = bgp_path(2, aigp=90, next_hop="192.0.2.2")
    assert decide(near, equal) == (1, Step.IGP_METRIC, {2: Step.IGP_METRIC})


def test_the_sum_of_aigp_and_interior_cost_does_not_wrap() -> None:
    """RFC 7311 4: 64 bits. Both are as far as can be said, so the interior cost decides."""
    farthest = 0xFFFFFFFFFFFFFFFF
    near, far = bgp_path(1, aigp=farthest), bgp_path(2, aigp=farthest - 1, next_hop="192.0.2.2")
    assert decide(near, far) == (1, Step.IGP_METRIC, {2: Step.IGP_METRIC})


def test_a_path_without_aigp_goes_only_once_the_earlier_steps_have_let_one_with_it_through() -> None:
    assert decide(bgp_path(1, local_pref=50, aigp=1), bgp_path(2), bgp_path(3, med=1)) == (
        2,
        Step.MED,
        {1: Step.LOCAL_PREF, 3: Step.MED},
    )


# The example of Cisco's "How BGP Routers Use the Multi-Exit Discriminator for Best Path Selection".
FIRST = bgp_path(1, "500", med=150, router_id="172.16.13.1")
SECOND = bgp_path(2, "100", med=200, router_id="1.1.1.1")
THIRD = bgp_path(3, "500", med=100, router_id="172.16.8.4", ebgp=False)


def test_the_order_of_arrival_does_not_matter_to_med() -> None:
    assert decide(FIRST, SECOND, THIRD) == (2, Step.EBGP_OVER_IBGP, {1: Step.MED, 3: Step.EBGP_OVER_IBGP})


def test_med_may_always_be_compared() -> None:
    assert decide(FIRST, SECOND, THIRD, always_compare_med=True) == (3, Step.MED, {1: Step.MED, 2: Step.MED})


def test_a_missing_med_is_the_best_or_the_worst() -> None:
    missing, told = bgp_path(1), bgp_path(2, med=0xFFFFFFFE)
    assert decide(missing, told) == (1, Step.MED, {2: Step.MED})
    assert decide(missing, told, missing_med_as_worst=True) == (2, Step.MED, {1: Step.MED})
    same = bgp_path(2, med=0xFFFFFFFF)
    assert decide(missing, same, missing_med_as_worst=True) == (1, Step.SOURCE, {2: Step.SOURCE})


def test_the_length_of_the_as_path_may_be_ignored() -> None:
    paths = bgp_path(1, LONGER), bgp_path(2, origin=Origin.EGP)
    assert decide(*paths) == (2, Step.AS_PATH_LENGTH, {1: Step.AS_PATH_LENGTH})
    assert decide(*paths, as_path_ignore=True) == (1, Step.ORIGIN, {2: Step.ORIGIN})


def test_a_path_without_local_pref_has_the_default_one() -> None:
    paths = bgp_path(1), bgp_path(2, local_pref=150)
    assert decide(*paths) == (2, Step.LOCAL_PREF, {1: Step.LOCAL_PREF})
    assert decide(*paths, default_local_pref=151) == (1, Step.LOCAL_PREF, {2: Step.LOCAL_PREF})


def test_the_oldest_external_path_may_stay_best() -> None:
    """RFC 5004; among internal paths age says nothing."""
    younger = {"router_id": "1.1.1.1", "since": 9}
    older = {"router_id": "2.2.2.2", "since": 8}
    assert decide(bgp_path(1, **younger), bgp_path(2, **older))[0] == 1
    assert decide(bgp_path(1, **younger), bgp_path(2, **older), prefer_oldest=True) == (
        2,
        Step.OLDEST,
        {1: Step.OLDEST},
    )
    internal = bgp_path(1, ebgp=False, **younger), bgp_path(2, ebgp=False, **older)
    assert decide(*internal, prefer_oldest=True) == (1, Step.ROUTER_ID, {2: Step.ROUTER_ID})


def test_router_ids_of_external_paths_may_be_ignored() -> None:
    low, high = {"router_id": "1.1.1.1", "address": "10.0.0.2"}, {"router_id": "2.2.2.2", "address": "10.0.0.1"}
    external = bgp_path(1, **low), bgp_path(2, **high)
    assert decide(*external, compare_router_id=False) == (2, Step.PEER_ADDRESS, {1: Step.PEER_ADDRESS})
    internal = bgp_path(1, ebgp=False, **low), bgp_path(2, ebgp=False, **high)
    assert decide(*internal, compare_router_id=False) == (1, Step.ROUTER_ID, {2: Step.ROUTER_ID})


ANY_PATHS = st.lists(
    st.builds(
        dict,
        as_path=st.sampled_from(("65001", "65002", "65003", "{7}", "65001 9")),
        med=st.sampled_from((None, 0, 1, 2)),
        ebgp=st.booleans(),
        next_hop=st.sampled_from(("192.0.2.1", "192.0.2.2")),
        local_pref=st.sampled_from((None, None, 90)),
        aigp=st.sampled_from((None, None, None, 5)),
        weight=st.sampled_from((0, 0, 0, 1)),
        since=st.integers(0, 2),
        router_id=st.sampled_from(("1.1.1.1", "1.1.1.2")),
    ),
    min_size=1,
    max_size=7,
)
ANY_OPTIONS = st.fixed_dictionaries(
    {name: st.booleans() for name in ("missing_med_as_worst", "as_path_ignore", "compare_router_id", "prefer_oldest")}
)


@given(made=ANY_PATHS, options=ANY_OPTIONS)
def test_the_best_of_each_neighbour_and_then_the_best_of_these_is_the_best_of_the_set(
    made: list[dict[str, Any]], options: dict[str, bool]
) -> None:
    """Which is what others call deterministic MED; so there is no knob for it."""
    knobs = Options().changed(options)
    paths = [bgp_path(number, **path) for number, path in enumerate(made, 1)]
    groups: dict[int, list[Path]] = {}
    for path in paths:
        groups.setdefault(neighbor_as(path.attributes.as_path), []).append(path)
    winners = [best for group in groups.values() if (best := select(group, KNOWN, knobs).best)]
    assert select(winners, KNOWN, knobs).best == select(paths, KNOWN, knobs).best


@given(made=ANY_PATHS)
def test_med_removes_what_the_text_of_the_rfc_removes(made: list[dict[str, Any]]) -> None:
    """RFC 4271 9.1.2.2 c, its nested loop as it stands there."""
    paths = [bgp_path(number, **path) for number, path in enumerate(made, 1)]
    left = list(paths)
    for m in paths:
        for n in paths:
            same_neighbor = neighbor_as(n.attributes.as_path) == neighbor_as(m.attributes.as_path)
            if m in left and n in left and same_neighbor and (n.attributes.med or 0) < (m.attributes.med or 0):
                left.remove(m)
    assert least_med(Options())(paths) == left


# --- beside the best path -------------------------------------------------------------------------------------------


def used(*paths: Path, **options: bool | int) -> tuple[list[int], int | None]:
    """(sources of the members, of the backup), the same for every order of the paths."""
    results = []
    for order in itertools.permutations(paths):
        chosen = select(order, KNOWN, Options().changed(options))
        backup = chosen.backup.source.number if chosen.backup else None
        results.append(([path.source.number for path in chosen.members], backup))
    assert all(result == results[0] for result in results)
    return results[0]


def test_one_path_is_used_unless_more_are_asked_for() -> None:
    assert used(bgp_path(1), bgp_path(2)) == ([1], None)


def test_paths_that_only_ties_tell_apart_are_used_together_in_the_order_of_the_ties() -> None:
    paths = [bgp_path(number, router_id=f"1.1.1.{9 - number}") for number in (1, 2, 3)]
    assert used(*paths, multipath_ebgp=64) == ([3, 2, 1], None)
    assert used(*paths, multipath_ebgp=2) == ([3, 2], None)
    assert used(*paths, multipath_ibgp=2) == ([3], None)


def test_the_order_of_members_is_by_age_where_age_decides() -> None:
    paths = [bgp_path(1, since=5), bgp_path(2, since=4), bgp_path(3, since=6)]
    assert used(*paths, multipath_ebgp=3, prefer_oldest=True) == ([2, 1, 3], None)


def test_what_lost_before_the_ties_is_not_used() -> None:
    far, worse = bgp_path(2, next_hop="192.0.2.2"), bgp_path(3, med=1)
    assert used(bgp_path(1), far, worse, multipath_ebgp=64) == ([1], None)


def test_members_share_the_as_path_unless_relaxed() -> None:
    paths = bgp_path(1, "65001"), bgp_path(2, "65002"), bgp_path(3, "65001")
    assert used(*paths, multipath_ebgp=3) == ([1, 3], None)
    assert used(*paths, multipath_ebgp=3, multipath_relax=True) == ([1, 2, 3], None)


def test_the_best_kind_of_peer_sets_the_limit() -> None:
    paths = bgp_path(1, ebgp=False), bgp_path(2, ebgp=False)
    assert used(*paths, multipath_ebgp=3) == ([1], None)
    assert used(*paths, multipath_ibgp=3) == ([1, 2], None)


def test_the_backup_is_the_best_path_with_another_next_hop() -> None:
    same, other, worse = (
        bgp_path(2, med=1),
        bgp_path(3, med=2, next_hop="192.0.2.2"),
        bgp_path(4, med=3, next_hop="192.0.2.2"),
    )
    assert used(bgp_path(1), same, other, worse, backup=True) == ([1], 3)
    assert used(bgp_path(1), same, backup=True) == ([1], None)
    assert used(bgp_path(1), bgp_path(2, next_hop="192.0.2.3"), backup=True) == ([1], None)


def test_a_path_of_another_protocol_is_used_alone() -> None:
    paths = local_path(1, Protocol.STATIC), bgp_path(2), bgp_path(3, next_hop="192.0.2.2")
    assert used(*paths, multipath_ebgp=2, backup=True) == ([1], None)


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
