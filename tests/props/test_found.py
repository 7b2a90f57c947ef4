"""The smallest cases of what the engines once disagreed on, and chains that random tables seldom build."""

from __future__ import annotations

from typing import Any

import pytest

import native
from tests.props.comparing import compare, compare_tables, watchable
from tests.props.pair import Pair
from tests.props.peers import IPV4, LOCAL_ASN, PeerConfig, Terms, prefix
from tests.props.update_bytes import announcement, attribute, attributes, nlri, packed, update
from tests.rib.building import attributes_row

WHERE_TEXT = "203.0.113.0/24"
WHERE = prefix(WHERE_TEXT)
EXTERNAL = PeerConfig("a", "10.0.0.2", 65001, "1.1.1.1")
INSIDE = PeerConfig("i", "10.0.0.4", LOCAL_ASN, "1.1.1.4")


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    source = made.call("add_connected_source")
    made.call("put_connected", source, prefix("10.0.0.0/24"), "ncp1", "eth0")
    return made


def announced(pair: Pair, row: dict[str, Any], config: PeerConfig = EXTERNAL) -> int:
    source = pair.add_peer(config)
    pair.announce(source, config, [WHERE], row)
    pair.settle()
    return source


def adj_rib_out(pair: Pair, config: PeerConfig, terms: Terms = IPV4) -> dict[str, Any]:
    """Of a new peer, read through; the same from both engines."""
    peer = pair.add_peer(config)
    consumer = pair.open_export(peer, config, terms)
    compare(pair, consumer)
    rows = pair.call_of(consumer, "adj_rib_out", 9)
    return {row["prefix"]: row["attributes"] for row in rows}


def test_the_adj_rib_out_of_a_two_octet_peer_shows_whole_as_numbers(pair: Pair) -> None:
    announced(pair, attributes_row("10.0.0.1", "65001 4200000000", aggregator="4200000001 192.0.2.9"))
    old = PeerConfig("old", "10.0.0.9", 65009, "9.0.0.9", four_octet_as=False)
    shown = adj_rib_out(pair, old)["203.0.113.0/24"]
    assert shown["as_path"] == "65000 65001 4200000000"
    assert shown["aggregator"] == "4200000001 192.0.2.9"
    assert shown["unknown"] == []


def test_the_true_path_beside_a_two_octet_one_has_no_confederation_segments(pair: Pair) -> None:
    """RFC 6793 3: AS_CONFED_SEQUENCE and AS_CONFED_SET are not carried in AS4_PATH."""
    inside = PeerConfig("i", "10.0.0.4", LOCAL_ASN, "1.1.1.4", inside=True)
    announced(pair, attributes_row("10.0.0.1", "(64512) 65001 4200000000"), inside)
    old = PeerConfig("old", "10.0.0.9", 64512, "9.0.0.9", four_octet_as=False, inside=True)
    peer = pair.add_peer(old)
    compare(pair, pair.open_export(peer, old, IPV4))


def test_a_route_that_does_not_fit_into_a_message_is_not_shown_as_told(pair: Pair) -> None:
    announced(pair, attributes_row("10.0.0.1", unknown=[[0xE0, 99, "00" * 50]]))
    peer = PeerConfig("p", "10.0.0.9", 65009, "9.0.0.9")
    assert adj_rib_out(pair, peer, Terms(1, "10.0.0.254", max_message=90)) == {}


def test_a_prefix_without_paths_is_not_counted_while_a_consumer_has_still_to_hear_of_it(pair: Pair) -> None:
    consumer = pair.open_fib()
    source = announced(pair, attributes_row("10.0.0.1"))
    for engine, number, told in pair.ends(consumer):
        told.read_all(engine, number)
    pair.withdraw(source, EXTERNAL, [WHERE])
    pair.settle()
    assert pair.native.counts()["ipv4"]["prefixes"] == pair.reference.counts()["ipv4"]["prefixes"] == 1


def test_a_link_local_next_hop_is_shown_beside_the_global_one(pair: Pair) -> None:
    """RFC 2545 3: what was received is what ``show`` tells."""
    source = pair.add_peer(EXTERNAL)
    where = prefix("2001:db8:9::/48")
    pair.announce(source, EXTERNAL, [where], attributes_row("2001:db8:1::2", link_local="fe80::2"))
    pair.settle()
    for engine in (pair.native, pair.reference):
        row = engine.lookup(where)
        assert row is not None
        assert row["paths"][0]["attributes"]["link_local"] == "fe80::2"


@pytest.mark.parametrize("text", ["65001 {1,2} (3 4) [5 6]", "[5 6] 65001", "(3) {7}"])
def test_every_kind_of_segment_is_written_in_one_way(text: str) -> None:
    data = announcement([WHERE], attributes_row("10.0.0.1", text))
    (updates,) = native.Framer().feed(data).items
    assert isinstance(updates, native.Updates)
    (row,) = native.decode(updates, INSIDE.terms()).rows()
    assert row["attributes"]["as_path"] == text


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 18, 25])
def test_a_chain_of_recursive_next_hops_resolves_as_far_as_the_rounds_reach(pair: Pair, length: int) -> None:
    static = pair.call("add_static_source")
    for hop in range(length):
        target = "10.0.0.1" if hop == 0 else f"10.1.{hop - 1}.1"
        pair.call("put_static", static, prefix(f"10.1.{hop}.0/24"), [{"address": packed(target)}])
    pair.settle()
    consumer = pair.open_fib()
    compare(pair, consumer)
    compare_tables(pair, [prefix(f"10.1.{hop}.0/24") for hop in range(length)], [packed("10.1.0.1")])


@pytest.mark.parametrize(("last", "routes"), [("10.0.0.1", 7), ("10.1.5.1", 1)])
def test_a_ring_of_next_hops_resolves_nothing_and_a_way_out_resolves_all(pair: Pair, last: str, routes: int) -> None:
    static = pair.call("add_static_source")
    for hop in range(6):
        target = last if hop == 0 else f"10.1.{hop - 1}.1"
        pair.call("put_static", static, prefix(f"10.1.{hop}.0/24"), [{"address": packed(target)}])
    pair.settle()
    consumer = pair.open_fib()
    compare(pair, consumer)
    assert len(consumer.native_told.routes) == routes


def test_the_cluster_list_decides_between_two_reflected_copies(pair: Pair) -> None:
    for index, clusters in enumerate((["1.0.0.1", "1.0.0.2"], ["1.0.0.3"])):
        config = PeerConfig("r", f"10.0.0.{2 + index}", 65000, f"1.1.1.{index}")
        row = attributes_row("10.0.0.1", originator_id="7.7.7.7", cluster_list=clusters, local_pref=100)
        announced(pair, row, config)
    compare_tables(pair, [WHERE], [])
    found = pair.native.lookup(WHERE)
    assert found is not None
    assert found["step"] == "cluster-list-length"


def test_a_route_to_a_peer_that_takes_over_as_best_is_withdrawn_from_it(pair: Pair) -> None:
    """Told to ``b`` while ``a`` was best; once ``b`` itself is best, ``b`` must not keep what it heard of us."""
    first = announced(pair, attributes_row("10.0.0.1"))
    other = PeerConfig("b", "10.0.0.3", 65002, "1.1.1.2")
    second = pair.add_peer(other)
    consumer = pair.open_export(second, other, IPV4)
    compare(pair, consumer)
    assert set(consumer.native_told.routes) == {"203.0.113.0/24"}
    pair.announce(second, other, [WHERE], attributes_row("10.0.0.1", "65002"))
    pair.announce(first, EXTERNAL, [WHERE], attributes_row("10.0.0.1", "65001 65001"))
    pair.settle()
    compare(pair, consumer)
    assert consumer.native_told.routes == {}


def test_a_second_announcement_of_one_prefix_in_one_update_is_the_one_that_counts(pair: Pair) -> None:
    """RFC 4271 4.3: withdrawn and announced in one message means announced; a prefix twice means the same as once."""
    source = pair.add_peer(EXTERNAL)
    row = attributes_row("10.0.0.1")
    field = nlri([WHERE])
    pair.receive(source, EXTERNAL, update(field, attributes(row, next_hop=True), field + field))
    pair.settle()
    compare_tables(pair, [WHERE], [])
    counts = pair.call("source_counts", source)
    assert (counts["ipv4"], counts["ipv6"]) == (1, 0)


def test_an_unknown_optional_transitive_attribute_is_passed_on_with_the_partial_bit(pair: Pair) -> None:
    """RFC 4271 5."""
    source = pair.add_peer(EXTERNAL)
    row = attributes_row("10.0.0.1")
    block = attributes(row, next_hop=True) + attribute(0xC0, 99, b"\x01\x02") + attribute(0x80, 98, b"\x03")
    pair.receive(source, EXTERNAL, update(attributes=block, nlri=nlri([WHERE])))
    pair.settle()
    assert adj_rib_out(pair, PeerConfig("p", "10.0.0.9", 65009, "9.0.0.9"))["203.0.113.0/24"]["unknown"] == [
        [0xE0, 99, "0102"]
    ]


@pytest.mark.parametrize("budget", range(1, 8))
def test_deferred_work_ends_wherever_it_stood_when_more_came(pair: Pair, budget: int) -> None:
    first = announced(pair, attributes_row("10.0.0.1"))
    second = announced(pair, attributes_row("10.0.0.3"), PeerConfig("b", "10.0.0.3", 65002, "1.1.1.2"))
    for source in (first, second):
        pair.native.remove_source(source)
        pair.reference.remove_source(source)
        pair.native.step(budget)
    pair.settle()
    compare_tables(pair, [WHERE], [])


def test_a_watcher_hears_of_another_group_for_the_same_path(pair: Pair) -> None:
    """The best path stays what it is; a member beside it comes, and the group is another one."""
    pair.call("set_options", multipath_ebgp=2)
    announced(pair, attributes_row("10.0.0.1"))
    watches = [pair.open_watch(1, initial=initial, before=watchable(pair, 1, {})) for initial in (True, False)]
    for consumer in watches:
        compare(pair, consumer)
    announced(pair, attributes_row("10.0.0.3"), PeerConfig("b", "10.0.0.3", 65001, "1.1.1.2"))
    for consumer in watches:
        compare(pair, consumer)
        assert WHERE_TEXT in consumer.native_told.routes


def test_a_next_hop_that_is_only_a_link_is_shown_as_it_was_told_and_used_on_the_port_of_the_peer(pair: Pair) -> None:
    """RFC 2545 3: some send the unspecified address where they have no global one."""
    config = PeerConfig("l", "fe80::7", 65001, "1.1.1.7", ncp="ncp1", port="eth0", extended=True)
    announced(pair, attributes_row("::", link_local="fe80::7"), config)
    compare_tables(pair, [WHERE], [])
    found = pair.native.lookup(WHERE)
    assert found is not None
    assert found["paths"][0]["attributes"]["next_hop"] == "::"
    assert [(member["port"], member["gateway"]) for member in found["group"]["members"]] == [("eth0", "fe80::7")]
