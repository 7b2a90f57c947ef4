"""What external peers are told of next hops and AS_PATHs, both engines: third parties, ourselves, as it came; private
AS numbers and the peer's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.props.comparing import compare
from tests.props.pair import Pair
from tests.props.peers import PeerConfig, Terms, prefix
from tests.props.pools import AS_PATHS
from tests.rib.building import attributes_row

GIVER = PeerConfig("giver", "10.0.0.2", 65001, "1.0.0.1", extended=True, aigp=True)
INSIDE = PeerConfig("inside", "10.0.0.3", 65000, "1.0.0.2", extended=True, aigp=True)
READER = PeerConfig("reader", "10.0.0.4", 65002, "1.0.0.3")
HERE, HERE6 = "10.0.0.254", "2001:db8:1::fe"
FOUR = Terms(1, HERE, shared=("10.0.0.0/24",))
SIX = Terms(2, HERE6, shared=("2001:db8:1::/64",))
BOTH = replace(SIX, local_link="fe80::fe")
WHERE, WHERE6 = prefix("203.0.113.0/24"), prefix("2001:db8:9::/48")


def told(row: dict[str, Any], terms: Terms, giver: PeerConfig = GIVER, reader: PeerConfig = READER) -> dict[str, Any]:
    """Under which attributes the reader has the giver's one route; {}: it has not."""
    pair = Pair()
    source = pair.call("add_connected_source")
    for where in ("10.0.0.0/24", "10.0.1.0/24", "2001:db8:1::/64"):
        pair.call("put_connected", source, prefix(where), "ncp1", "eth0")
    numbers = [pair.add_peer(config) for config in (giver, reader)]
    pair.announce(numbers[0], giver, [WHERE if terms.afi == 1 else WHERE6], row)
    pair.settle()
    consumer = pair.open_export(numbers[1], reader, terms)
    compare(pair, consumer)
    (shown,) = pair.call_of(consumer, "adj_rib_out", 9) or [{"attributes": {}}]
    return dict(shown["attributes"])


def next_hop(row: dict[str, Any], terms: Terms, giver: PeerConfig = GIVER, reader: PeerConfig = READER) -> Any:
    found = told(row, terms, giver, reader)
    return found["next_hop"], found["link_local"]


@pytest.mark.parametrize("giver", [GIVER, INSIDE], ids=["external", "internal"])
def test_a_router_on_the_readers_subnet_is_told_as_the_next_hop(giver: PeerConfig) -> None:
    """RFC 4271 5.1.3."""
    assert next_hop(attributes_row("10.0.0.9", "65001"), FOUR, giver) == ("10.0.0.9", None)
    assert next_hop(attributes_row("2001:db8:1::9", "65001"), SIX, giver) == ("2001:db8:1::9", None)


def test_elsewhere_and_where_it_is_the_reader_itself_it_is_us() -> None:
    assert next_hop(attributes_row("10.0.1.9", "65001"), FOUR) == (HERE, None)
    assert next_hop(attributes_row("10.0.0.4", "65001"), FOUR) == (HERE, None)
    assert next_hop(attributes_row("10.0.0.9", "65001"), replace(FOUR, shared=())) == (HERE, None)
    reader = replace(READER, next_hop_self=True)
    assert next_hop(attributes_row("10.0.0.9", "65001"), FOUR, reader=reader) == (HERE, None)
    over = Terms(1, HERE6, extended_next_hop=True, shared=FOUR.shared)
    assert next_hop(attributes_row("10.0.0.9", "65001"), over) == (HERE6, None)


def test_with_our_link_local_address_the_other_router_needs_one_too() -> None:
    """RFC 2545 3: on a shared subnet both addresses are told."""
    both = attributes_row("2001:db8:1::9", "65001", link_local="fe80::9")
    assert next_hop(both, BOTH) == ("2001:db8:1::9", "fe80::9")
    assert next_hop(both, SIX) == ("2001:db8:1::9", None)
    assert next_hop(attributes_row("2001:db8:1::9", "65001"), BOTH) == (HERE6, "fe80::fe")


def test_a_route_whose_way_is_told_leads_by_us() -> None:
    """RFC 7311 3.4: the costs are those of whoever is the next hop."""
    row = attributes_row("10.0.0.9", "65001", aigp=7)
    assert next_hop(row, replace(FOUR, aigp=True)) == (HERE, None)
    assert next_hop(row, FOUR) == ("10.0.0.9", None)


def test_a_route_server_leaves_next_hops_as_they_came() -> None:
    """RFC 7947 2.2.1; a link-local one means nothing elsewhere."""
    terms = Terms(1, HERE, next_hop_unchanged=True)
    assert next_hop(attributes_row("10.0.1.9", "65001"), terms) == ("10.0.1.9", None)
    six = replace(BOTH, shared=(), next_hop_unchanged=True)
    assert next_hop(attributes_row("2001:db8:1::9", "65001", link_local="fe80::9"), six) == ("2001:db8:1::9", None)
    on_link = replace(GIVER, ncp="ncp1", port="eth0")
    assert next_hop(attributes_row("fe80::9", "65001"), six, on_link) == (HERE6, "fe80::fe")


@pytest.mark.parametrize(
    ("path", "terms", "expected"),
    [
        ("65001 3 65002 4200000000 {65003,7}", Terms(1, HERE, private_as="remove"), "65000 3 65002 {7}"),
        ("65001 {65003}", Terms(1, HERE, private_as="remove"), "65000"),
        ("65001 3 65002 {65003,7}", Terms(1, HERE, private_as="replace"), "65000 65000 3 65002 {65000,7}"),
        ("65001 65002 65002 {65002}", Terms(1, HERE, as_override=True), "65000 65001 65000 65000 {65000}"),
        ("65001 65002", Terms(1, HERE, as_override=True, private_as="remove"), "65000 65000"),
        ("65001 65002", Terms(1, HERE), "65000 65001 65002"),
    ],
)
def test_private_numbers_and_the_readers_own_are_edited_as_its_terms_say(
    path: str, terms: Terms, expected: str
) -> None:
    """RFC 6996 4; the reader's own number stays where it is not to be replaced, so that it sees a loop."""
    assert told(attributes_row("10.0.0.9", path), terms)["as_path"] == expected


def test_an_internal_reader_is_told_paths_and_next_hops_as_they_came_whatever_its_terms_say() -> None:
    terms = replace(FOUR, private_as="remove", as_override=True, next_hop_unchanged=True)
    found = told(attributes_row("10.0.0.9", "65001 65002"), terms, reader=replace(READER, asn=65000))
    assert (found["as_path"], found["next_hop"]) == ("65001 65002", "10.0.0.9")


def test_segments_of_a_confederation_that_an_internal_peer_told_stay_inside() -> None:
    """RFC 5065 4; found by native/fuzz, as an external peer of ours has to call such a path malformed."""
    assert told(attributes_row("10.0.0.9", "(65010) 65001"), FOUR, INSIDE)["as_path"] == "65000 65001"


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(),
    path=st.sampled_from(AS_PATHS),
    aigp=st.sampled_from((None, 5)),
    giver=st.sampled_from((GIVER, INSIDE)),
    asn=st.sampled_from((65000, 65002, 3, 4200000000)),
    four_octet_as=st.booleans(),
    next_hop_self=st.booleans(),
    flags=st.fixed_dictionaries(
        {name: st.booleans() for name in ("aigp", "extended_next_hop", "next_hop_unchanged", "as_override")}
    ),
    private_as=st.sampled_from((None, "remove", "replace")),
)
def test_both_engines_tell_the_same_whatever_the_terms_are(
    data: st.DataObject, path: str, aigp: int | None, giver: PeerConfig, asn: int, four_octet_as: bool,
    next_hop_self: bool, flags: dict[str, bool], private_as: str | None,
) -> None:  # fmt: skip
    afi = data.draw(st.sampled_from((1, 2)))
    hop = data.draw(st.sampled_from(("10.0.0.9", "10.0.0.4", "10.0.1.9", "2001:db8:1::9", "fe80::9")[3 * (afi - 1) :]))
    six = ":" in hop
    beside = data.draw(st.sampled_from((None, "fe80::8"))) if six else None
    row = attributes_row(hop, path, aigp=aigp, link_local=beside)
    local = data.draw(st.sampled_from((HERE, HERE6)[afi - 1 :]))
    link = data.draw(st.sampled_from((None, "fe80::fe")))
    shared = ("10.0.0.0/24", "2001:db8:1::/64")[: data.draw(st.integers(0, 2))]
    terms = Terms(afi, local, link, private_as=private_as, shared=shared, **flags)
    reader = replace(READER, asn=asn, four_octet_as=four_octet_as, next_hop_self=next_hop_self)
    told(row, terms, replace(giver, ncp="ncp1", port="eth0"), reader)
