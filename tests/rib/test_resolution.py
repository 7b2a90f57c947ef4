"""Recursive next hops in the reference engine: longest usable prefix, loops, our own addresses, several next hops."""

from __future__ import annotations

from typing import Any

import pytest

from rib.reference import ReferenceEngine
from tests.rib.building import announce, engine, ip, peer, prefix


def look_up(rib: ReferenceEngine, where: str) -> dict[str, Any]:
    row = rib.lookup(prefix(where))
    assert row is not None
    return row


def next_hop(rib: ReferenceEngine, where: str) -> dict[str, Any]:
    found: dict[str, Any] = look_up(rib, where)["paths"][0]["next_hops"][0]
    return found


def leads_to(rib: ReferenceEngine, where: str) -> list[tuple[str | None, str | None, str | None]]:
    """(gateway, NCP, port) of each member of the prefix's group; empty where it has none."""
    row = rib.lookup(prefix(where))
    if row is None or row["group"] is None:
        return []
    return [(member["gateway"], member["ncp"], member["port"]) for member in row["group"]["members"]]


def test_a_next_hop_on_a_connected_network_is_a_neighbour_on_its_port() -> None:
    rib = engine()
    connected, bgp = rib.add_connected_source(), peer(rib, "10.0.0.2")
    rib.apply(bgp, [announce("203.0.113.0/24", "10.0.0.2")])
    assert leads_to(rib, "203.0.113.0/24") == []
    assert look_up(rib, "203.0.113.0/24")["paths"][0]["reason"] == "next hop unresolved: 10.0.0.2 (no route)"
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0", metric=7)
    assert leads_to(rib, "203.0.113.0/24") == [("10.0.0.2", "ncp1", "eth0")]
    found = next_hop(rib, "203.0.113.0/24")
    assert (found["via"], found["metric"], found["resolved"]) == ("10.0.0.0/24", 7, True)
    rib.delete(connected, prefix("10.0.0.0/24"))
    assert leads_to(rib, "203.0.113.0/24") == []


def test_the_longest_usable_prefix_resolves_and_an_unusable_one_is_passed_over() -> None:
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.0/8"), "ncp1", "eth0")
    rib.put_static(static, prefix("203.0.113.0/24"), [{"address": ip("10.1.1.1")}])
    rib.put_static(static, prefix("10.1.0.0/16"), [{"address": ip("172.16.0.1")}])
    assert leads_to(rib, "203.0.113.0/24") == [("10.1.1.1", "ncp1", "eth0")]
    rib.put_connected(connected, prefix("172.16.0.0/24"), "ncp2", "eth1")
    assert leads_to(rib, "203.0.113.0/24") == [("172.16.0.1", "ncp2", "eth1")]


def test_one_of_our_own_addresses_is_no_next_hop_even_where_a_shorter_prefix_would_serve() -> None:
    rib = engine()
    connected, bgp = rib.add_connected_source(), peer(rib, "10.0.0.2")
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.put_connected(connected, prefix("10.0.0.1/32"), "ncp1", "", local=True)
    rib.apply(bgp, [announce("203.0.113.0/24", "10.0.0.1")])
    assert leads_to(rib, "203.0.113.0/24") == []
    assert leads_to(rib, "10.0.0.1/32") == [(None, "ncp1", None)]
    assert look_up(rib, "10.0.0.1/32")["group"]["kind"] == 2


def test_a_route_never_resolves_through_itself_but_a_shorter_prefix_may_serve() -> None:
    rib = engine()
    connected, bgp = rib.add_connected_source(), peer(rib, "10.0.0.2")
    rib.apply(bgp, [announce("203.0.113.0/24", "203.0.113.1")])
    assert leads_to(rib, "203.0.113.0/24") == []
    rib.put_connected(connected, prefix("203.0.0.0/16"), "ncp1", "eth0")
    assert leads_to(rib, "203.0.113.0/24") == [("203.0.113.1", "ncp1", "eth0")]


def test_two_routes_that_need_each_other_resolve_nothing() -> None:
    rib = engine()
    bgp = peer(rib, "10.0.0.2")
    rib.apply(bgp, [announce("192.0.2.0/24", "198.51.100.1"), announce("198.51.100.0/24", "192.0.2.1")])
    assert leads_to(rib, "192.0.2.0/24") == leads_to(rib, "198.51.100.0/24") == []


def test_several_next_hops_are_joined_in_order_without_repetition_and_with_their_weights() -> None:
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.1.0/24"), "ncp1", "eth0", metric=30)
    rib.put_connected(connected, prefix("10.0.2.0/24"), "ncp2", "eth0", metric=20)
    rib.put_static(
        static,
        prefix("192.0.2.0/24"),
        [
            {"address": ip("10.0.2.9"), "weight": 5},
            {"address": ip("10.0.1.9"), "weight": 2},
            {"address": ip("10.0.9.9")},
        ],
    )
    row = look_up(rib, "192.0.2.0/24")
    assert [(member["gateway"], member["weight"]) for member in row["group"]["members"]] == [
        ("10.0.2.9", 5),
        ("10.0.1.9", 2),
    ]
    bgp = peer(rib, "10.0.1.2")
    rib.apply(bgp, [announce("203.0.113.0/24", "192.0.2.1")])
    assert leads_to(rib, "203.0.113.0/24") == [("10.0.2.9", "ncp2", "eth0"), ("10.0.1.9", "ncp1", "eth0")]


def test_a_next_hop_with_a_port_needs_no_look_up() -> None:
    rib = engine()
    static = rib.add_static_source()
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("fe80::1"), "ncp": "ncp1", "port": "eth3"}])
    assert leads_to(rib, "192.0.2.0/24") == [("fe80::1", "ncp1", "eth3")]


def test_a_next_hop_inside_a_blackhole_is_usable_and_drops() -> None:
    rib = engine()
    static, bgp = rib.add_static_source(), peer(rib, "10.0.0.2")
    rib.put_static(static, prefix("192.0.2.1/32"), [], kind="blackhole")
    rib.put_static(static, prefix("192.0.2.2/32"), [], kind="unreachable")
    rib.apply(bgp, [announce("203.0.113.0/24", "192.0.2.1"), announce("203.0.114.0/24", "192.0.2.2")])
    kinds = [look_up(rib, where)["group"]["kind"] for where in ("203.0.113.0/24", "203.0.114.0/24")]
    assert kinds == [1, 3]


def test_the_interior_cost_is_that_of_the_route_to_the_next_hop_and_a_bgp_route_costs_nothing() -> None:
    rib = engine()
    connected, bgp = rib.add_connected_source(), peer(rib, "10.0.0.2")
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0", metric=50)
    rib.apply(bgp, [announce("192.0.2.0/24", "10.0.0.2"), announce("203.0.113.0/24", "192.0.2.1")])
    assert next_hop(rib, "192.0.2.0/24")["metric"] == 50
    assert next_hop(rib, "203.0.113.0/24")["metric"] == 0


def test_a_next_hop_with_a_port_resolves_while_the_port_is_up() -> None:
    rib = engine()
    static = rib.add_static_source()
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.0.1"), "ncp": "ncp1", "port": "eth3"}])
    rib.put_static(static, prefix("192.0.3.0/24"), [{"ncp": "ncp1", "port": "eth3"}])
    rib.set_port("ncp2", "eth3", False)
    assert leads_to(rib, "192.0.2.0/24") == [("10.0.0.1", "ncp1", "eth3")]
    rib.set_port("ncp1", "eth3", False)
    assert leads_to(rib, "192.0.2.0/24") == []
    assert look_up(rib, "192.0.2.0/24")["paths"][0]["reason"] == "next hop unresolved: 10.0.0.1 (port eth3 down)"
    assert look_up(rib, "192.0.3.0/24")["paths"][0]["reason"] == "next hop unresolved: eth3 (port eth3 down)"
    rib.set_port("ncp1", "eth3", True)
    assert leads_to(rib, "192.0.2.0/24") == [("10.0.0.1", "ncp1", "eth3")]


def test_a_port_that_is_down_does_not_unmake_the_connected_routes_on_it() -> None:
    rib = engine()
    rib.put_connected(rib.add_connected_source(), prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.apply(peer(rib, "10.0.0.2"), [announce("203.0.113.0/24", "10.0.0.2")])
    rib.set_port("ncp1", "eth0", False)
    assert leads_to(rib, "203.0.113.0/24") == [("10.0.0.2", "ncp1", "eth0")]


@pytest.mark.parametrize(
    ("next_hop_told", "link_local"), [("fe80::7", None), ("::", "fe80::7"), ("fe80::7", "fe80::7")]
)
@pytest.mark.parametrize("where", ["2001:db8::/32", "203.0.113.0/24"])
def test_a_link_local_next_hop_is_on_the_port_of_the_peer(
    next_hop_told: str, link_local: str | None, where: str
) -> None:
    """RFC 2545 3, RFC 8950 3."""
    rib = engine()
    source = peer(rib, "fe80::7", ncp="ncp1", port="eth2")
    rib.apply(source, [announce(where, next_hop_told, link_local=link_local)])
    assert leads_to(rib, where) == [("fe80::7", "ncp1", "eth2")]
    assert next_hop(rib, where)["address"] == "fe80::7"
    assert look_up(rib, where)["paths"][0]["attributes"]["next_hop"] == next_hop_told
    rib.set_port("ncp1", "eth2", False)
    assert leads_to(rib, where) == []


def test_a_link_local_address_beside_a_global_one_is_not_the_next_hop() -> None:
    rib = engine()
    source = peer(rib, "fe80::7", ncp="ncp1", port="eth2")
    rib.apply(source, [announce("2001:db8::/32", "2001:db8:1::1", link_local="fe80::7")])
    assert next_hop(rib, "2001:db8::/32")["address"] == "2001:db8:1::1"
    assert leads_to(rib, "2001:db8::/32") == []


def reasons(rib: ReferenceEngine) -> dict[str, str]:
    return {row["address"]: row["reason"] for row in rib.next_hops()}


def test_a_link_local_next_hop_without_a_port_never_resolves() -> None:
    rib = engine()
    static = rib.add_static_source()
    rib.put_connected(rib.add_connected_source(), prefix("fe80::/64"), "ncp1", "eth0")
    rib.apply(peer(rib, "2001:db8::7", ncp="ncp1"), [announce("2001:db8::/32", "fe80::7")])
    rib.put_static(static, prefix("2001:db8:1::/48"), [{"address": ip("fe80::8"), "ncp": "ncp1"}])
    assert leads_to(rib, "2001:db8::/32") == leads_to(rib, "2001:db8:1::/48") == []
    assert reasons(rib) == dict.fromkeys(("fe80::7", "fe80::8"), "link-local next hop without a port")


def test_the_default_route_serves_unless_the_instance_forbids_it() -> None:
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.put_static(static, prefix("0.0.0.0/0"), [{"address": ip("10.0.0.1")}])
    rib.apply(peer(rib, "10.0.0.2"), [announce("203.0.113.0/24", "192.0.2.1")])
    assert leads_to(rib, "203.0.113.0/24") == [("10.0.0.1", "ncp1", "eth0")]
    rib.set_options(resolve_via_default=False)
    assert leads_to(rib, "203.0.113.0/24") == []
    assert reasons(rib) == {"10.0.0.1": "", "192.0.2.1": "only the default route"}
    rib.delete(static, prefix("0.0.0.0/0"))
    assert reasons(rib) == {"192.0.2.1": "no route"}


def test_each_unresolved_next_hop_has_its_reason() -> None:
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.1/32"), "ncp1", "eth0", local=True)
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.0.1")}, {"address": ip("10.9.9.9")}])
    expected = "next hop unresolved: 10.0.0.1 (own address), 10.9.9.9 (no route)"
    assert look_up(rib, "192.0.2.0/24")["paths"][0]["reason"] == expected
    assert reasons(rib) == {"10.0.0.1": "own address", "10.9.9.9": "no route"}


def test_a_next_hop_that_never_comes_to_rest_is_a_loop() -> None:
    """The more specific route holds only while its next hop resolves by the less specific one, and then hides that."""
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.0/8"), "ncp1", "eth0")
    rib.put_static(static, prefix("10.1.0.0/16"), [{"address": ip("10.2.0.1")}])
    rib.put_static(static, prefix("10.2.0.0/16"), [{"address": ip("10.1.0.1")}])
    assert reasons(rib) == {"10.1.0.1": "loop", "10.2.0.1": "loop"}


def test_a_tracked_next_hop_tells_through_what_it_resolves_and_how_many_groups_use_it() -> None:
    rib = engine()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0", metric=4)
    rib.put_static(static, prefix("192.0.2.0/24"), [{"address": ip("10.0.0.1")}], metric=9)
    rib.put_static(static, prefix("192.0.3.0/24"), [{"address": ip("10.0.0.1")}])
    rib.apply(peer(rib, "10.0.0.2"), [announce("203.0.113.0/24", "192.0.2.1"), announce("203.0.114.0/24", "10.0.0.1")])
    rows = {row.pop("address"): row for row in rib.next_hops()}
    adjacency = {"id": 1, "ncp": "ncp1", "port": "eth0", "gateway": "10.0.0.1", "kind": "ip", "weight": 1}
    same = {"instance": 0, "resolved": True, "adjacencies": [adjacency], "reason": "", "changed": 0, "change": ""}
    # Of the static routes, which share a group, and of BGP's.
    assert rows["10.0.0.1"] == same | {"via": "10.0.0.0/24", "protocol": "connected", "metric": 4, "sets": 2}
    assert rows["192.0.2.1"] == same | {"via": "192.0.2.0/24", "protocol": "static", "metric": 9, "sets": 1}


def test_an_ipv4_route_may_have_an_ipv6_next_hop() -> None:
    rib = engine()
    connected, bgp = rib.add_connected_source(), peer(rib, "2001:db8::2")
    rib.put_connected(connected, prefix("2001:db8::/64"), "ncp1", "eth0")
    rib.apply(bgp, [announce("203.0.113.0/24", "2001:db8::2")])
    assert leads_to(rib, "203.0.113.0/24") == [("2001:db8::2", "ncp1", "eth0")]
