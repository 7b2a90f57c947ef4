"""``Rib.watch`` and ``Rib.moves``: what changed, and what an experiment moved."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rib import Rib
from rib.watching import Change, Move, Way
from tests.rib.test_api import every_engine, two_providers

BLOCK = "203.0.113.0/24"


def told(changes: Iterable[Change]) -> dict[str, str | None]:
    return {str(change.prefix): change.route.source.name if change.route else None for change in changes}


def moved(moves: Iterable[Move]) -> list[tuple[str, str, str]]:
    return [(str(move.prefix), str(move.before), str(move.after)) for move in moves]


@every_engine
def test_a_watch_tells_each_change_once_in_its_last_state(engine: str) -> None:
    table = two_providers(engine)
    watch = table.watch()
    assert told(watch) == {}
    table.announce("isp-b", "100.64.0.0/10")
    table.announce("isp-a", "100.64.0.0/10", as_path="65001 1 2")
    table.withdraw("isp-a", BLOCK)
    assert told(watch) == {"100.64.0.0/10": "isp-b", BLOCK: "isp-b"}
    assert told(watch) == {}
    table.withdraw("isp-b", [BLOCK, "100.64.0.0/10"])
    table.withdraw("isp-a", "100.64.0.0/10")
    assert told(watch) == {"100.64.0.0/10": None, BLOCK: None}


@every_engine
def test_a_watch_may_begin_with_what_is_there_and_keep_to_a_part(engine: str) -> None:
    table = two_providers(engine)
    table.add_connected("2001:db8::/64", "eth0")
    with table.watch(initial=True, within="172.16.0.0/12", protocols="bgp") as watch:
        assert told(watch) == {"172.16.0.0/12": "isp-a", "172.16.4.0/24": "core"}
        table.announce("isp-a", ["10.0.0.0/8", "172.16.8.0/24"])
        assert told(watch) == {"172.16.8.0/24": "isp-a"}
    with table.watch(6, initial=True) as watch:
        assert told(watch) == {"2001:db8::/64": "connected"}


@every_engine
def test_the_loss_of_a_peer_moves_its_routes(engine: str) -> None:
    table = two_providers(engine)
    with table.moves() as moves:
        table.remove("isp-a")
    assert moved(moves) == [
        ("172.16.0.0/12", "isp-a via 192.0.2.1 at eth0", "None"),
        (BLOCK, "isp-a via 192.0.2.1 at eth0", "isp-b via 198.51.100.1 at eth1"),
    ]
    assert "isp-a" not in [source.name for source in table.sources()]


@every_engine
def test_a_port_takes_its_networks_and_next_hops_with_it_and_brings_them_back(engine: str) -> None:
    table = two_providers(engine)
    with table.moves() as moves:
        table.set_port("eth0", up=False)
    assert [str(move.prefix) for move in moves if move.after is None] == [
        "10.0.0.0/24", "172.16.0.0/12", "172.16.4.0/24", "192.0.2.0/24",
    ]  # fmt: skip
    with table.moves() as back:
        table.set_port("eth0", up=True)
    assert sorted((move.prefix, move.after, move.before) for move in back) == sorted(
        (move.prefix, move.before, move.after) for move in moves
    )


@every_engine
def test_a_network_said_of_a_port_that_is_down_waits_for_it(engine: str) -> None:
    table = Rib(engine)
    table.set_port("ncp1/eth0", up=False)
    table.add_connected("192.0.2.0/24", "ncp1/eth0")
    table.add_static("10.0.0.0/8", "192.0.2.1 at ncp1/eth0")
    assert table.routes().count() == 0
    assert table.explain("10.0.0.0/8").candidates[0].standing == (
        "not usable: next hop unresolved: 192.0.2.1 (port eth0 down)"
    )
    table.set_port("ncp1/eth0", up=True)
    assert table.routes().count() == 2


@every_engine
def test_routes_that_stay_while_their_group_moves_are_told_too(engine: str) -> None:
    table = Rib(engine)
    table.add_connected("192.0.2.0/24", "eth0")
    table.add_connected("198.51.100.0/24", "eth1")
    table.add_static("10.0.0.0/24", ["192.0.2.1", "198.51.100.1"])
    table.add_peer("10.0.0.1", 65000)
    table.announce("10.0.0.1", "100.64.0.0/10")
    with table.moves(within="100.64.0.0/10") as moves:
        table.set_port("eth1", up=False)
    assert moved(moves) == [
        ("100.64.0.0/10", "10.0.0.1 via 192.0.2.1 at eth0, 198.51.100.1 at eth1", "10.0.0.1 via 192.0.2.1 at eth0")
    ]


PREFIXES = st.sampled_from((BLOCK, "172.16.4.0/24", "100.64.0.0/10", "10.0.0.0/24"))
PEERS = st.sampled_from(("isp-a", "isp-b", "core"))
CHANGES = st.one_of(
    st.tuples(st.just("announce"), PEERS, PREFIXES, st.sampled_from(("192.0.2.1", "198.51.100.1", "10.0.0.9"))),
    st.tuples(st.just("withdraw"), PEERS, PREFIXES),
    st.tuples(st.just("port"), st.sampled_from(("eth0", "eth1")), st.booleans()),
)


def change(table: Rib, what: str, *values: object) -> None:
    match what, values:
        case "announce", (str(peer), str(where), str(hop)):
            table.announce(peer, where, next_hop=hop)
        case "withdraw", (str(peer), str(where)):
            table.withdraw(peer, where)
        case _, (str(port), bool(up)):
            table.set_port(port, up)


def ways(table: Rib) -> dict[str, str]:
    return {str(route.prefix): str(Way(route.source, route.path_id, route.next_hops)) for route in table.routes()}


@every_engine
@settings(deadline=None, max_examples=60)
@given(changes=st.lists(CHANGES, max_size=6))
def test_moves_are_the_difference_between_two_tables(engine: str, changes: list[tuple[object, ...]]) -> None:
    table = two_providers(engine)
    before = ways(table)
    with table.moves() as moves:
        for what, *values in changes:
            change(table, str(what), *values)
    after = ways(table)
    assert moved(moves) == [
        (where, before.get(where, "None"), after.get(where, "None"))
        for where in sorted(before | after, key=IPv4Network)
        if before.get(where) != after.get(where)
    ]


@every_engine
def test_what_ends_as_it_began_moved_nothing(engine: str) -> None:
    table = two_providers(engine)
    with table.moves() as moves:
        table.withdraw("isp-a", BLOCK)
        table.announce("isp-a", BLOCK, as_path="65001 65010")
    assert len(moves) == 0
    assert repr(moves) == "(nothing)"


@every_engine
def test_an_experiment_that_fails_leaves_no_watch_behind(engine: str) -> None:
    table = two_providers(engine)
    moves = table.moves()
    with pytest.raises(ValueError, match="no source"), moves:
        table.remove("isp-c")
    assert len(moves) == 0
