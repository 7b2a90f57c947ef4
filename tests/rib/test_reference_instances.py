"""Instances of the reference engine: separate tables, options of each, leaks between them, what BGP originates."""

from __future__ import annotations

from typing import Any

import pytest

from rib.reference import ReferenceEngine
from tests.props.folding import FoldedFib
from tests.rib.building import announce, engine, ip, peer, prefix, withdraw

WHERE = "203.0.113.0/24"


def routes(rib: ReferenceEngine, instance: int, afi: int = 1) -> dict[str, bool]:
    """Prefix to whether its best path was leaked."""
    rows, more = rib.query(afi, instance=instance)
    assert more is None
    return {row["prefix"]: row["leaked"] for row in rows}


def look_up(rib: ReferenceEngine, where: str, instance: int = 0) -> dict[str, Any]:
    row = rib.lookup(prefix(where), instance=instance)
    assert row is not None
    return row


@pytest.fixture
def rib() -> ReferenceEngine:
    """Instances 0, 1 and 2, each with 10.I.0.0/24 on its port and a static route 192.168.I.0/24."""
    made = engine()
    assert [made.add_instance(), made.add_instance()] == [1, 2]
    for number in (0, 1, 2):
        connected = made.add_connected_source(instance=number)
        made.put_connected(connected, prefix(f"10.{number}.0.0/24"), "ncp1", f"eth{number}")
        made.put_connected(connected, prefix(f"10.{number}.0.9/32"), "ncp1", f"eth{number}", local=True)
        static = made.add_static_source(instance=number)
        made.put_static(static, prefix(f"192.168.{number}.0/24"), [{"address": ip(f"10.{number}.0.1")}])
    return made


def test_instances_know_nothing_of_each_other(rib: ReferenceEngine) -> None:
    assert routes(rib, 1) == {"10.1.0.0/24": False, "10.1.0.9/32": False, "192.168.1.0/24": False}
    assert rib.longest_match(ip("10.0.0.1"), instance=1) is None
    static = rib.add_static_source(instance=1)
    rib.put_static(static, prefix(WHERE), [{"address": ip("10.0.0.1")}])
    assert look_up(rib, WHERE, 1)["paths"][0]["reason"] == "next hop unresolved: 10.0.0.1 (no route)"
    assert rib.lookup(prefix(WHERE)) is None
    assert rib.counts()["ipv4"] == {"prefixes": 10, "paths": 10, "fib": 9}


def test_a_table_has_the_number_of_its_instance_and_family_and_only_fib_instances_are_streamed() -> None:
    rib = engine()
    seen, hidden = rib.add_instance(), rib.add_instance(fib=False)
    for number in (seen, hidden):
        rib.put_connected(rib.add_connected_source(instance=number), prefix(WHERE), "ncp1", "eth0")
    assert (look_up(rib, WHERE, seen)["table"], look_up(rib, WHERE, seen)["instance"]) == (0x101, 1)
    consumer, folded = rib.fib_open(), FoldedFib()
    folded.read_all(rib, consumer)
    assert set(folded.routes) == {(0x101, prefix(WHERE))}
    assert rib.fib_snapshot_state(consumer) == (True, 1, folded.digest(bytes(range(16))))
    assert look_up(rib, WHERE, hidden)["group"]["routes"] == 1


def test_a_leak_takes_what_its_lists_name_and_no_local_address(rib: ReferenceEngine) -> None:
    leak = rib.add_leak(source=1, target=2)
    assert leak == 1
    own = {"10.2.0.0/24": False, "10.2.0.9/32": False, "192.168.2.0/24": False}
    assert routes(rib, 2) == own | {"10.1.0.0/24": True, "192.168.1.0/24": True}
    rib.remove_leak(leak)
    assert routes(rib, 2) == own
    second = rib.add_leak(source=1, target=2, protocols=["static"])
    assert (second, routes(rib, 2)) == (2, own | {"192.168.1.0/24": True})
    rib.add_leak(source=1, target=2, prefixes=[(ip("10.0.0.0"), 8, 24, 32)])
    assert routes(rib, 2) == own | {"10.1.0.0/24": True, "192.168.1.0/24": True}
    rib.remove_leak(second)
    assert routes(rib, 2) == own | {"10.1.0.0/24": True}
    with pytest.raises(ValueError, match="no leak 2"):
        rib.remove_leak(second)


@pytest.mark.parametrize(("least", "greatest", "taken"), [(24, 24, True), (16, 23, False), (25, 32, False)])
def test_a_prefix_of_a_leak_has_bounds(rib: ReferenceEngine, least: int, greatest: int, taken: bool) -> None:
    rib.add_leak(source=1, target=2, prefixes=[(ip("192.168.0.0"), 16, least, greatest)])
    assert ("192.168.1.0/24" in routes(rib, 2)) is taken


def test_a_leaked_path_leads_where_it_leads_at_home(rib: ReferenceEngine) -> None:
    rib.add_leak(source=1, target=2, protocols=["static"])
    row = look_up(rib, "192.168.1.0/24", 2)
    assert [(hop["address"], hop["instance"]) for hop in row["group"]["hops"]] == [("10.1.0.1", 1)]
    assert [(member["gateway"], member["port"]) for member in row["group"]["members"]] == [("10.1.0.1", "eth1")]
    assert row["group"]["id"] == look_up(rib, "192.168.1.0/24", 1)["group"]["id"]
    assert row["group"]["routes"] == 2


def test_a_leaked_connected_route_resolves_next_hops_of_the_target(rib: ReferenceEngine) -> None:
    static = rib.add_static_source(instance=2)
    rib.put_static(static, prefix(WHERE), [{"address": ip("10.1.0.7")}])
    assert look_up(rib, WHERE, 2)["group"] is None
    rib.add_leak(source=1, target=2, protocols=["connected"])
    members = look_up(rib, WHERE, 2)["group"]["members"]
    assert [(member["gateway"], member["port"]) for member in members] == [("10.1.0.7", "eth1")]


def test_leaks_do_not_pass_on_what_was_leaked_so_a_circle_of_them_ends(rib: ReferenceEngine) -> None:
    for source, target in ((0, 1), (1, 2), (2, 0)):
        rib.add_leak(source=source, target=target, protocols=["static"])
    assert "192.168.0.0/24" in routes(rib, 1)
    assert "192.168.0.0/24" not in routes(rib, 2)
    assert routes(rib, 0)["192.168.0.0/24"] is False


def test_a_leaked_path_competes_by_its_own_distance_under_the_options_of_the_target(rib: ReferenceEngine) -> None:
    near = peer(rib, "10.1.0.1", instance=1, weight=1)
    far = peer(rib, "10.2.0.1", instance=2)
    rib.apply(near, [announce(WHERE, "10.1.0.1", "65001 65002")])
    rib.apply(far, [announce(WHERE, "10.2.0.1", "65001")])
    rib.add_leak(source=1, target=2)
    rib.set_time(5)
    rows = look_up(rib, WHERE, 2)["paths"]
    assert [(row["source"], row["best"], row["leaked"], row["reason"], row["weight"]) for row in rows] == [
        (near, True, True, "weight", 1),
        (far, False, False, "weight", 0),
    ]
    rib.set_options(instance=2, backup=True)
    assert [hop["instance"] for hop in look_up(rib, WHERE, 2)["group"]["hops"]] == [1, 2]
    assert [hop["instance"] for hop in look_up(rib, WHERE, 1)["group"]["hops"]] == [1]
    assert rib.source_counts(near) == {"ipv4": 1, "ipv6": 0, "ipv4_stale": 0, "ipv6_stale": 0}
    rib.apply(near, [withdraw(WHERE)])
    assert [row["source"] for row in look_up(rib, WHERE, 2)["paths"]] == [far]
    rib.remove_source(far)
    assert rib.lookup(prefix(WHERE), instance=2) is None


def test_the_default_route_counts_by_the_instance_in_which_it_is_looked_up(rib: ReferenceEngine) -> None:
    static = rib.add_static_source(instance=1)
    rib.put_static(static, prefix("0.0.0.0/0"), [{"address": ip("10.1.0.1")}])
    rib.put_static(static, prefix(WHERE), [{"address": ip("192.0.2.1")}])
    rib.add_leak(source=1, target=2, prefixes=[(*prefix(WHERE), 24, 24)])
    rib.set_options(instance=2, resolve_via_default=False)
    assert look_up(rib, WHERE, 2)["group"] is not None
    rib.set_options(instance=1, resolve_via_default=False)
    assert look_up(rib, WHERE, 2)["group"] is None


def test_since_is_when_a_source_began_to_say_what_it_says() -> None:
    rib = engine()
    rib.put_connected(rib.add_connected_source(), prefix("10.0.0.0/24"), "ncp1", "eth0")
    source = peer(rib, "10.0.0.1")

    def since() -> int:
        found: int = look_up(rib, WHERE)["paths"][0]["since"]
        return found

    rib.set_time(100)
    rib.apply(source, [announce(WHERE, "10.0.0.1")])
    rib.set_time(200)
    rib.apply(source, [announce(WHERE, "10.0.0.1")])
    assert since() == 100
    rib.apply(source, [announce(WHERE, "10.0.0.1", med=1)])
    assert since() == 200
    rib.set_time(150)  # a clock does not go back
    rib.apply(source, [withdraw(WHERE), announce(WHERE, "10.0.0.1", med=1)])
    assert since() == 200
    rib.set_time(300)
    rib.apply(source, [withdraw(WHERE), announce(WHERE, "10.0.0.1", med=1)])
    assert since() == 300


@pytest.mark.parametrize(
    "wrong",
    [
        {"multipath": 2},
        {"multipath_ebgp": 0},
        {"multipath_ebgp": 65},
        {"multipath_ibgp": True},
        {"backup": 1},
        {"default_local_pref": -1},
        {"default_local_pref": 1 << 32},
    ],
)
def test_a_wrong_option_is_refused_and_the_others_with_it(wrong: dict[str, bool | int]) -> None:
    rib = engine()
    rib.put_connected(rib.add_connected_source(), prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.apply(peer(rib, "10.0.0.1"), [announce(WHERE, "192.0.2.1")])
    rib.put_static(rib.add_static_source(), prefix("0.0.0.0/0"), [{"address": ip("10.0.0.1")}])
    with pytest.raises(ValueError):
        rib.set_options(resolve_via_default=False, **wrong)
    assert look_up(rib, WHERE)["group"] is not None


def test_what_does_not_exist_is_named(rib: ReferenceEngine) -> None:
    with pytest.raises(ValueError, match="no instance 7"):
        rib.add_static_source(instance=7)
    with pytest.raises(ValueError, match="no instance 7"):
        rib.lookup(prefix(WHERE), instance=7)
    with pytest.raises(ValueError, match="two instances"):
        rib.add_leak(source=1, target=1)
    with pytest.raises(ValueError, match="no protocol 'rip'"):
        rib.add_leak(source=1, target=2, protocols=["rip"])
    with pytest.raises(ValueError, match="BGP"):
        rib.set_redistribute(["bgp"])


def test_bgp_originates_what_is_redistributed_and_what_is_listed(rib: ReferenceEngine) -> None:
    rib.add_leak(source=1, target=0, protocols=["static"])
    rib.set_redistribute(["static", "connected"])
    rib.set_networks(1, [prefix("192.168.0.0/24"), prefix("192.168.7.0/24")])
    consumer = rib.export_open(
        peer_source=peer(rib, "10.0.0.1"),
        afi=1,
        safi=1,
        ebgp=True,
        local_asn=65000,
        peer_asn=65001,
        next_hop_self=False,
        local_address=ip("10.0.0.9"),
        local_link=None,
        four_octet_as=True,
    )

    def told() -> dict[str, str]:
        return {row["prefix"]: row["attributes"]["origin"] for row in rib.adj_rib_out(consumer, 10)}

    # Our own address 10.0.0.9/32 is connected too, and told to nobody.
    assert told() == {"10.0.0.0/24": "incomplete", "192.168.0.0/24": "igp", "192.168.1.0/24": "incomplete"}
    rib.set_redistribute(["static"])
    assert told() == {"192.168.0.0/24": "igp", "192.168.1.0/24": "incomplete"}
    rib.set_redistribute([], instance=1)
    rib.set_redistribute([])
    assert told() == {"192.168.0.0/24": "igp"}
