"""Route reflection (RFC 4456), both engines: who is told what of whom, and under which attributes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rib.attributes import NO_ADVERTISE
from tests.props.comparing import compare
from tests.props.pair import Pair
from tests.props.peers import IPV4, ROUTER_ID, PeerConfig, Terms, prefix
from tests.props.telling import WHERE, WHERE_TEXT, told
from tests.props.update_bytes import announcement, packed
from tests.rib.building import attributes_row

EXTERNAL = PeerConfig("external", "10.0.0.1", 65001, "1.0.0.1")
CLIENT = PeerConfig("client", "10.0.0.2", 65000, "1.0.0.2", client=True)
OTHER_CLIENT = PeerConfig("other client", "10.0.0.3", 65000, "1.0.0.3", client=True)
PLAIN = PeerConfig("plain", "10.0.0.4", 65000, "1.0.0.4")
OTHER_PLAIN = PeerConfig("other plain", "10.0.0.5", 65000, "1.0.0.5")
EVERYBODY = (EXTERNAL, CLIENT, OTHER_CLIENT, PLAIN, OTHER_PLAIN)


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    source = made.call("add_connected_source")
    made.call("put_connected", source, prefix("10.0.0.0/24"), "ncp1", "eth0")
    return made


@pytest.mark.parametrize(
    ("giver", "hear"),
    [
        (EXTERNAL, {"client", "other client", "plain", "other plain"}),
        (CLIENT, {"external", "other client", "plain", "other plain"}),
        (PLAIN, {"external", "client", "other client"}),
    ],
    ids=lambda value: value.name if isinstance(value, PeerConfig) else "",
)
def test_routes_of_clients_go_to_all_and_those_of_others_to_clients(
    pair: Pair, giver: PeerConfig, hear: set[str]
) -> None:
    """RFC 4456 6; and never back to who gave it."""
    assert set(told(pair, giver, attributes_row("10.0.0.9", "65001"), EVERYBODY)) == hear


def test_a_reflected_route_tells_who_brought_it_and_through_which_clusters_it_came(pair: Pair) -> None:
    """RFC 4456 8; what else it has stays (10), the next hop too although the reader wants us there."""
    row = attributes_row("10.0.0.9", "65001", med=7, local_pref=300)
    reader = PeerConfig("reader", "10.0.0.6", 65000, "1.0.0.6", next_hop_self=True)
    found = told(pair, CLIENT, row, (reader,))["reader"]
    assert found["originator_id"] == "1.0.0.2"
    assert found["cluster_list"] == ["9.9.9.9"]
    assert found | {"originator_id": None, "cluster_list": []} == row


def test_a_second_reflector_leaves_the_originator_and_adds_its_cluster_in_front(pair: Pair) -> None:
    row = attributes_row("10.0.0.9", "65001", local_pref=100, originator_id="1.0.0.7", cluster_list=["7.7.7.7"])
    found = told(pair, PLAIN, row, (CLIENT,), Terms(1, "10.0.0.254", cluster_id="9.0.0.9"))["client"]
    assert found["originator_id"] == "1.0.0.7"
    assert found["cluster_list"] == ["9.0.0.9", "7.7.7.7"]


def test_nothing_of_reflection_leaves_the_as(pair: Pair) -> None:
    row = attributes_row("10.0.0.9", "65001", originator_id="1.0.0.7", cluster_list=["7.7.7.7"])
    found = told(pair, CLIENT, row, (EXTERNAL,))["external"]
    assert (found["originator_id"], found["cluster_list"]) == (None, [])


def test_a_route_from_outside_is_not_reflected_but_told(pair: Pair) -> None:
    found = told(pair, EXTERNAL, attributes_row("10.0.0.1", "65001"), (CLIENT, PLAIN))
    assert [(of["originator_id"], of["cluster_list"]) for of in found.values()] == [(None, [])] * 2


def test_a_reflector_keeps_to_no_advertise(pair: Pair) -> None:
    row = attributes_row("10.0.0.9", "65001", communities=[NO_ADVERTISE])
    assert told(pair, CLIENT, row, EVERYBODY) == {}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"originator_id": "9.9.9.9"}, "own-originator"),
        ({"originator_id": "1.0.0.7", "cluster_list": ["1.0.0.8", "9.9.9.9"]}, "cluster-loop"),
    ],
)
def test_a_route_that_we_reflected_or_brought_ourselves_is_not_taken_again(
    pair: Pair, more: dict[str, Any], reason: str
) -> None:
    """RFC 4456 8. What was there before under the same prefix goes."""
    assert packed("9.9.9.9") == ROUTER_ID
    source = pair.add_peer(PLAIN)
    pair.announce(source, PLAIN, [WHERE], attributes_row("10.0.0.9", "65001"))
    pair.announce(source, PLAIN, [WHERE], attributes_row("10.0.0.9", "65001", **more))
    pair.settle()
    assert not any(pair.call("source_counts", source).values())
    assert refused(pair, more) == {reason: 1}


def refused(pair: Pair, more: dict[str, Any]) -> dict[str, int]:
    other = pair.add_peer(PLAIN)
    data = announcement([WHERE], attributes_row("10.0.0.9", "65001", **more))
    return pair.receive(other, PLAIN, data).refused


def test_a_prefix_whose_best_path_may_no_longer_be_told_is_withdrawn(pair: Pair) -> None:
    """From a client's path, which everybody hears of, to one of a plain peer."""
    client, plain, reader = (pair.add_peer(config) for config in (CLIENT, PLAIN, OTHER_PLAIN))
    consumer = pair.open_export(reader, OTHER_PLAIN, IPV4)
    pair.announce(client, CLIENT, [WHERE], attributes_row("10.0.0.9", "65001"))
    pair.settle()
    compare(pair, consumer)
    assert set(consumer.native_told.routes) == {WHERE_TEXT}
    pair.announce(plain, PLAIN, [WHERE], attributes_row("10.0.0.9", "65001", local_pref=200))
    pair.settle()
    compare(pair, consumer)
    assert consumer.native_told.routes == {}


def test_a_client_that_comes_back_with_another_identifier_is_told_of_under_that(pair: Pair) -> None:
    """RFC 4456 8: ORIGINATOR_ID is the identifier of whoever told us, as it is now."""
    client, reader = pair.add_peer(CLIENT), pair.add_peer(PLAIN)
    consumer = pair.open_export(reader, PLAIN, IPV4)
    pair.announce(client, CLIENT, [WHERE], attributes_row("10.0.0.9", "65001"))
    pair.settle()
    compare(pair, consumer)
    pair.call("renew_peer", client, **replace(CLIENT, router_id="1.0.0.99").source())
    pair.settle()
    compare(pair, consumer)
    (row,) = pair.call_of(consumer, "adj_rib_out", 9)
    assert row["attributes"]["originator_id"] == "1.0.0.99"


def test_a_peer_that_comes_back_as_no_client_is_heard_of_by_clients_alone(pair: Pair) -> None:
    client, reader = pair.add_peer(CLIENT), pair.add_peer(PLAIN)
    consumer = pair.open_export(reader, PLAIN, IPV4)
    pair.announce(client, CLIENT, [WHERE], attributes_row("10.0.0.9", "65001"))
    pair.settle()
    compare(pair, consumer)
    assert set(consumer.native_told.routes) == {WHERE_TEXT}
    pair.call("renew_peer", client, **replace(CLIENT, client=False).source())
    pair.settle()
    compare(pair, consumer)
    assert consumer.native_told.routes == {}
