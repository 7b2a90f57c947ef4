"""Next-hop groups of the reference engine: how next hops share what is sent, who gave them, what stands by, what a key
says."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from rib.adjacency import Adjacency, AdjacencyKind, Weighted, blend
from rib.digest import siphash
from rib.reference import ReferenceEngine
from tests.rib.building import announce, engine, ip, peer, prefix

A, B, C = (Adjacency("ncp1", f"eth{number}", b"", AdjacencyKind.IP) for number in range(3))
WHERE = "203.0.113.0/24"


def bandwidth(value: float, kind: int = 0x40) -> str:
    """A link bandwidth extended community, in bytes per second."""
    return struct.pack("!BBHf", kind, 4, 65001, value).hex()


@pytest.mark.parametrize(
    ("hops", "shares"),
    [
        ([], ()),
        ([(7, [(A, 3)])], ((A, 1),)),
        ([(2, [(A, 1)]), (1, [(B, 1)])], ((A, 2), (B, 1))),
        ([(1, [(A, 1), (B, 1)]), (1, [(C, 1)])], ((A, 1), (B, 1), (C, 2))),  # C gets what A and B share
        ([(1, [(B, 1)]), (1, [(A, 1), (B, 1)])], ((B, 3), (A, 1))),
        ([(1, [(A, 3), (B, 1)])], ((A, 3), (B, 1))),
        ([(0, [(A, 1)]), (1, [(B, 1)])], ((A, 1), (B, 256))),  # a weight of 0 is little, not nothing
        ([(65535, [(A, 1)]), (1, [(B, 1)])], ((A, 256), (B, 1))),
        # A third of 65536 is 21845, which has no divisor in common with 65536, nor with both together, 87381.
        ([(1, [(A, 1), (B, 1), (C, 1)]), (1, [(A, 1)])], ((A, 256), (B, 63), (C, 63))),
        ([(1, [(A, 1)]), (1, [(B, 1), (C, 2)])], ((A, 256), (B, 85), (C, 170))),
    ],
)
def test_what_next_hops_send_adds_up_in_the_smallest_whole_numbers(
    hops: list[tuple[int, list[Weighted]]], shares: tuple[Weighted, ...]
) -> None:
    assert blend(hops) == shares


@pytest.fixture
def rib() -> ReferenceEngine:
    """Two connected networks, 10.0.1.0/24 and 10.0.2.0/24."""
    made = engine()
    connected = made.add_connected_source()
    for number in (1, 2):
        made.put_connected(connected, prefix(f"10.0.{number}.0/24"), "ncp1", f"eth{number}")
    return made


def group(rib: ReferenceEngine, where: str = WHERE) -> dict[str, Any]:
    row = rib.lookup(prefix(where))
    assert row is not None
    found: dict[str, Any] = row["group"]
    return found


def members(rib: ReferenceEngine, where: str = WHERE) -> list[tuple[str, int, int]]:
    return [(member["gateway"], member["weight"], member["role"]) for member in group(rib, where)["members"]]


def hops(rib: ReferenceEngine, where: str = WHERE) -> list[tuple[str, int, int, list[str]]]:
    return [(hop["address"], hop["weight"], hop["role"], hop["givers"]) for hop in group(rib, where)["hops"]]


def test_members_share_equally_and_name_the_peers_they_are_from(rib: ReferenceEngine) -> None:
    rib.set_options(multipath_ebgp=4)
    first, second = peer(rib, "10.0.2.9"), peer(rib, "10.0.1.9")
    rib.apply(first, [announce(WHERE, "10.0.2.1")])
    rib.apply(second, [announce(WHERE, "10.0.1.1")])
    assert hops(rib) == [("10.0.1.1", 1, 0, ["10.0.1.9"]), ("10.0.2.1", 1, 0, ["10.0.2.9"])]
    assert members(rib) == [("10.0.1.1", 1, 0), ("10.0.2.1", 1, 0)]
    row = rib.lookup(prefix(WHERE))
    assert row is not None
    assert [(path["source"], path["role"], path["reason"]) for path in row["paths"]] == [
        (first, "multipath", "peer-address"),
        (second, "best", "peer-address"),
    ]


def test_members_with_one_next_hop_are_one_hop_of_both_peers(rib: ReferenceEngine) -> None:
    rib.set_options(multipath_ebgp=4)
    for address, next_hop in (("10.0.1.10", "10.0.1.1"), ("10.0.1.9", "10.0.1.1"), ("10.0.2.9", "10.0.2.1")):
        rib.apply(peer(rib, address), [announce(WHERE, next_hop)])
    assert hops(rib) == [("10.0.1.1", 2, 0, ["10.0.1.9", "10.0.1.10"]), ("10.0.2.1", 1, 0, ["10.0.2.9"])]
    assert members(rib) == [("10.0.1.1", 2, 0), ("10.0.2.1", 1, 0)]


def test_a_group_of_one_next_hop_is_shared_by_whoever_gives_it(rib: ReferenceEngine) -> None:
    rib.set_options(multipath_ebgp=4)
    first, second = peer(rib, "10.0.1.9"), peer(rib, "10.0.1.10")
    rib.apply(first, [announce(WHERE, "10.0.1.1", extended_communities=[bandwidth(8)])])
    rib.apply(second, [announce(WHERE, "10.0.1.1"), announce("203.0.114.0/24", "10.0.1.1")])
    assert hops(rib) == [("10.0.1.1", 1, 0, [])]
    assert group(rib)["key"] == group(rib, "203.0.114.0/24")["key"]
    assert group(rib)["routes"] == 2


@pytest.mark.parametrize(
    ("communities", "options", "weights"),
    [
        ([bandwidth(1000.0), bandwidth(500.0)], {}, [2, 1]),
        ([bandwidth(1000.0), bandwidth(500.0, kind=0)], {}, [2, 1]),
        ([bandwidth(1e9), bandwidth(1.0)], {}, [256, 1]),
        ([bandwidth(1000.0), bandwidth(500.0)], {"weighted": False}, [1, 1]),
        ([bandwidth(1000.0), "0002fde800000001"], {}, [1, 1]),
        ([bandwidth(1000.0), bandwidth(0.0)], {}, [1, 1]),
        ([bandwidth(1000.0), bandwidth(float("inf"))], {}, [1, 1]),
        ([bandwidth(3.0), bandwidth(float("nan")) + bandwidth(1.0)], {}, [256, 85]),
    ],
)
def test_members_share_by_link_bandwidth_if_each_tells_his(
    rib: ReferenceEngine, communities: list[str], options: dict[str, bool], weights: list[int]
) -> None:
    rib.set_options(multipath_ebgp=2, **options)
    for number, text in enumerate(communities, 1):
        each = [text[start : start + 16] for start in range(0, len(text), 16)]
        rib.apply(peer(rib, f"10.0.{number}.9"), [announce(WHERE, f"10.0.{number}.1", extended_communities=each)])
    assert [weight for _, weight, _ in members(rib)] == weights


def test_a_backup_stands_by_behind_the_best(rib: ReferenceEngine) -> None:
    rib.set_options(backup=True)
    first, second = peer(rib, "10.0.1.9"), peer(rib, "10.0.2.9")
    rib.apply(first, [announce(WHERE, "10.0.1.1", "65001 65002", extended_communities=[bandwidth(9)])])
    rib.apply(second, [announce(WHERE, "10.0.2.1", "65001")])
    assert hops(rib) == [("10.0.2.1", 1, 0, ["10.0.2.9"]), ("10.0.1.1", 1, 1, ["10.0.1.9"])]
    assert members(rib) == [("10.0.2.1", 1, 0), ("10.0.1.1", 1, 1)]


def test_a_backup_that_leads_the_same_way_as_the_best_adds_nothing(rib: ReferenceEngine) -> None:
    rib.set_options(backup=True)
    static = rib.add_static_source()
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.1.1")}])
    rib.apply(peer(rib, "10.0.1.9"), [announce(WHERE, "10.0.1.1")])
    rib.apply(peer(rib, "10.0.2.9"), [announce(WHERE, "192.0.2.1")])
    assert [hop[:3] for hop in hops(rib)] == [("10.0.1.1", 1, 0), ("192.0.2.1", 1, 1)]
    assert members(rib) == [("10.0.1.1", 1, 0)]


def test_a_recursive_next_hop_shares_as_the_route_below_it_does(rib: ReferenceEngine) -> None:
    static = rib.add_static_source()
    below = [{"address": ip("10.0.1.1"), "weight": 3}, {"address": ip("10.0.2.1"), "weight": 1}]
    rib.put_static(static, prefix("192.0.2.0/24"), below)
    rib.apply(peer(rib, "10.0.1.9"), [announce(WHERE, "192.0.2.1")])
    assert members(rib) == [("10.0.1.1", 3, 0), ("10.0.2.1", 1, 0)]
    rib.put_static(static, prefix("198.51.100.0/24"), [{"address": ip("192.0.2.1")}, {"address": ip("10.0.2.1")}])
    assert members(rib, "198.51.100.0/24") == [("10.0.1.1", 3, 0), ("10.0.2.1", 5, 0)]


def test_a_change_below_moves_the_content_and_keeps_key_and_number(rib: ReferenceEngine) -> None:
    static = rib.add_static_source()
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.1.1")}])
    rib.apply(peer(rib, "10.0.1.9"), [announce(WHERE, "192.0.2.1")])
    before = group(rib)
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.2.1")}])
    after = group(rib)
    assert (before["key"], before["id"]) == (after["key"], after["id"])
    assert members(rib) == [("10.0.2.1", 1, 0)]


def test_a_key_is_two_hashes_of_what_was_asked_for(rib: ReferenceEngine) -> None:
    rib.set_options(backup=True)
    inside = rib.add_instance()
    other = peer(rib, "10.9.9.9", instance=inside, ncp="n", port="p", weight=1)
    rib.apply(other, [announce("2001:db8::/32", "::", link_local="fe80::1")])
    rib.add_leak(source=inside, target=0)
    rib.apply(peer(rib, "10.0.1.9"), [announce("2001:db8::/32", "2001:db8:1::1")])
    rib.put_connected(rib.add_connected_source(), prefix("2001:db8:1::/64"), "ncp1", "eth1")
    description = bytes.fromhex(
        "02 00"  # BGP, via
        "0100 10 fe800000000000000000000000000001 01 6e 01 70 0100 00 01 04 0a090909"
        "0000 10 20010db8000100000000000000000001 00 00 0100 01 01 04 0a000109"
    )
    expected = b"".join(struct.pack("<Q", siphash(bytes((fill,)) * 16, description)) for fill in (0, 1))
    assert group(rib, "2001:db8::/32")["key"] == expected.hex()


def test_every_way_to_write_a_local_address_and_its_network_is_another_group(rib: ReferenceEngine) -> None:
    connected = rib.add_connected_source()
    rib.put_connected(connected, prefix("10.0.1.1/32"), "ncp1", "eth1", local=True)
    assert group(rib, "10.0.1.1/32")["key"] != group(rib, "10.0.1.0/24")["key"]
    assert [member["kind"] for member in group(rib, "10.0.1.1/32")["members"]] == ["local"]
