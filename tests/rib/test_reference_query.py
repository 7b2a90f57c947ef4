"""Questions to the reference engine: pages in order, criteria, what covers what, one row of everything."""

from __future__ import annotations

from typing import Any

import pytest

from rib.reference import ReferenceEngine
from tests.rib.building import announce, attributes_row, engine, ip, peer, prefix


@pytest.fixture
def rib() -> ReferenceEngine:
    """Sources 1 connected, 2 and 3 peers; source 3 loses where both announce, and its last route has no next hop."""
    made = engine()
    made.put_connected(made.add_connected_source(), prefix("10.0.0.0/24"), "ncp1", "eth0")
    first, second = peer(made, "10.0.0.1"), peer(made, "10.0.0.2")
    made.apply(
        first,
        [
            announce("20.0.0.0/8", "10.0.0.1", "65001 65009", communities=["65001:7", "65001:8"]),
            announce("20.1.0.0/16", "10.0.0.1", "65001 {5,6}", large_communities=["4200000000:1:2"]),
            announce("2001:db8::/32", "10.0.0.1", "(64512) 65001", extended_communities=["0002fde800000001"]),
        ],
    )
    made.apply(
        second,
        [
            announce("20.0.0.0/8", "10.0.0.2", "65002 65001 65009"),
            announce("20.1.1.0/24", "10.0.0.2", ""),
            announce("20.2.0.0/16", "192.0.2.1", "65002"),
        ],
    )
    return made


def found(rib: ReferenceEngine, afi: int = 1, **criteria: Any) -> list[tuple[str, int]]:
    """(prefix, source) of each row, the same in pages of one."""
    rows, more = rib.query(afi, **criteria)
    assert more is None
    paged: list[dict[str, Any]] = []
    page, after = rib.query(afi, limit=1, **criteria)
    while page:
        paged += page
        if after is None:
            break
        page, after = rib.query(afi, limit=1, after=after, **criteria)
    assert paged == rows
    return [(row["prefix"], row["source"]) for row in rows]


BEST = [("10.0.0.0/24", 1), ("20.0.0.0/8", 2), ("20.1.0.0/16", 2), ("20.1.1.0/24", 3)]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, BEST),
        ({"within": prefix("20.1.0.0/16")}, BEST[2:]),
        ({"protocols": ["connected", "static"]}, BEST[:1]),
        ({"protocols": ["bgp"]}, BEST[1:]),
        ({"source": 3}, BEST[3:]),
        ({"source": 3, "best_only": False}, [("20.0.0.0/8", 3), ("20.1.1.0/24", 3), ("20.2.0.0/16", 3)]),
        ({"communities": ["65001:7"]}, BEST[1:2]),
        ({"communities": ["65001:8", "65001:7"]}, BEST[1:2]),
        ({"communities": ["65001:7", "65001:9"]}, []),
        ({"communities": ["4200000000:1:2"]}, BEST[2:3]),
        ({"as_in_path": 65009}, BEST[1:2]),
        ({"as_in_path": 6}, BEST[2:3]),
        ({"as_in_path": 65001, "best_only": False}, [("20.0.0.0/8", 2), ("20.0.0.0/8", 3), ("20.1.0.0/16", 2)]),
        ({"origin_as": 65009}, BEST[1:2]),
        ({"origin_as": 6}, []),
        ({"neighbor_as": 65001}, BEST[1:3]),
        ({"neighbor_as": 0}, BEST[3:]),  # announced with an empty path; what is not BGP's has no neighbour at all
        ({"neighbor_as": 65002, "best_only": False}, [("20.0.0.0/8", 3), ("20.2.0.0/16", 3)]),
        ({"neighbor_as": 65001, "within": prefix("20.1.0.0/16"), "source": 2}, BEST[2:3]),
    ],
)
def test_a_query_finds_the_paths_for_which_all_criteria_hold(
    rib: ReferenceEngine, criteria: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    assert found(rib, **criteria) == expected


def test_confederation_segments_and_extended_communities_can_be_asked_for() -> None:
    rib = engine()
    rib.put_connected(rib.add_connected_source(), prefix("2001:db8:1::/64"), "ncp1", "eth0")
    source = peer(rib, "2001:db8:1::2")
    where, more = "2001:db8::/32", {"extended_communities": ["0002fde800000001"]}
    rib.apply(source, [announce(where, "2001:db8:1::2", "(64512) 65001", **more)])
    assert found(rib, 2, as_in_path=64512) == [(where, source)]
    assert found(rib, 2, communities=["0002FDE800000001"]) == [(where, source)]
    assert found(rib, 2, communities=["0002fde800000002"]) == []


@pytest.mark.parametrize("text", ["no-export", "65536:1", "1:2:3:4", "1:4294967296:3", "0002fde80000001", "-1:2", ""])
def test_what_is_no_community_is_refused(rib: ReferenceEngine, text: str) -> None:
    with pytest.raises(ValueError, match="no community"):
        rib.query(1, communities=[text])


def test_a_page_is_not_cut_within_a_prefix_and_the_next_begins_after_it(rib: ReferenceEngine) -> None:
    rows, after = rib.query(1, limit=2, best_only=False)
    assert [row["source"] for row in rows] == [1, 2, 3]
    assert after == prefix("20.0.0.0/8")
    rows, after = rib.query(1, limit=2, best_only=False, after=after)
    assert ([row["prefix"] for row in rows], after) == (["20.1.0.0/16", "20.1.1.0/24"], prefix("20.1.1.0/24"))
    rows, after = rib.query(1, limit=2, best_only=False, after=after)
    assert ([row["step"] for row in rows], after) == (["next hop unresolved: 192.0.2.1 (no route)"], None)


def test_the_routes_that_cover_a_prefix_come_longest_first(rib: ReferenceEngine) -> None:
    def over(where: str) -> list[str]:
        return [row["prefix"] for row in rib.covering(prefix(where))]

    assert over("20.1.1.1/32") == ["20.1.1.0/24", "20.1.0.0/16", "20.0.0.0/8"]
    assert over("20.1.0.0/16") == ["20.1.0.0/16", "20.0.0.0/8"]
    assert over("20.2.0.0/24") == ["20.0.0.0/8"]  # 20.2.0.0/16 has no usable path
    assert over("11.0.0.0/8") == []


def test_a_row_says_all_about_its_path(rib: ReferenceEngine) -> None:
    rib.set_time(70)
    rib.apply(3, [announce("20.0.0.0/8", "10.0.0.2", "65002 65001 65009", med=4)])
    best, loser = rib.query(1, best_only=False, within=prefix("20.0.0.0/8"), limit=1)[0]
    group = rib.lookup(prefix("20.0.0.0/8"))
    assert group is not None
    common = {"prefix": "20.0.0.0/8", "instance": 0, "protocol": "bgp", "path_id": 0, "distance": 20, "metric": 0}
    common |= {"stale": False}
    assert loser == common | {
        "source": 3,
        "tag": 0,
        "since": 70,
        "best": False,
        "role": "",
        "leaked": False,
        "step": "as-path-length",
        "next_hops": [],
        "group": None,
        "attributes": attributes_row("10.0.0.2", "65002 65001 65009", med=4),
    }
    assert best | {"attributes": None} == common | {
        "source": 2,
        "tag": 0,
        "since": 0,
        "best": True,
        "role": "best",
        "leaked": False,
        "step": "as-path-length",
        "next_hops": [
            {"id": 1, "ncp": "ncp1", "port": "eth0", "gateway": "10.0.0.1", "kind": "ip", "weight": 1, "role": 0}
        ],
        "group": group["group"]["id"],
        "attributes": None,
    }


def test_counts_are_of_all_instances_and_leaked_paths_count_where_they_are(rib: ReferenceEngine) -> None:
    inside = rib.add_instance()
    rib.add_leak(source=0, target=inside, prefixes=[(*prefix("20.0.0.0/8"), 8, 8)])
    counts = rib.counts()
    assert counts["ipv4"] == {"prefixes": 6, "paths": 8, "fib": 5}
    assert counts["ipv6"] == {"prefixes": 1, "paths": 1, "fib": 1}
    # The connected route, and the next hops 10.0.0.1 and 10.0.0.2; beside these 192.0.2.1 is looked up.
    assert (counts["groups"], counts["tracked_next_hops"]) == (3, 3)
    assert rib.source_counts(2) == {"ipv4": 2, "ipv6": 1, "ipv4_stale": 0, "ipv6_stale": 0}
    assert rib.longest_match(ip("20.1.1.1"), instance=inside) == prefix("20.0.0.0/8")
