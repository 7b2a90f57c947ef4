"""Who is told what: RFC 4271 5.1 and 9.2, RFC 1997, RFC 4360, RFC 4456."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rib.adjacency import Adjacency, AdjacencyKind
from rib.attributes import Origin, PathAttributes
from rib.path import Protocol
from rib.prefix import Prefix
from rib.reference_export import CUSTOMER, PEER, PROVIDER, ROUTE_SERVER, RS_CLIENT, ExportTerms, adj_rib_out, exported
from rib.reference_said import Instance
from rib.reference_update import announcements, attribute_rows
from rib.resolution import Resolution, Resolutions
from rib.selection import Selection
from rib.step import Step
from tests.props.update_bytes import Replay
from tests.rib.building import bgp_path, ip, local_path

WHERE = Prefix.parse("203.0.113.0/24")
NEIGHBOR = Adjacency("ncp1", "eth0", ip("10.0.0.2"), AdjacencyKind.IP)
KNOWN = Resolutions({(0, ip("192.0.2.1")): Resolution(((NEIGHBOR, 1),), 30)})
EBGP = ExportTerms(
    peer_source=9,
    afi=1,
    safi=1,
    ebgp=True,
    local_asn=65000,
    peer_asn=65009,
    next_hop_self=False,
    local_address=ip("10.0.0.254"),
    local_link=None,
    four_octet_as=True,
)
IBGP = replace(EBGP, ebgp=False, peer_asn=65000)


def told(terms: ExportTerms, **path: Any) -> PathAttributes | None:
    best = bgp_path(1, **path)
    return adj_rib_out([(WHERE, Selection(best, Step.ONLY), [best])], Instance(), KNOWN, terms).get((WHERE, None))


def test_an_external_peer_sees_our_as_and_our_address_and_nothing_that_stays_inside() -> None:
    seen = told(
        EBGP,
        med=5,
        local_pref=7,
        communities=("1:2",),
        originator_id=ip("1.2.3.4"),
        cluster_list=(ip("1.1.1.1"),),
        extended_communities=(bytes.fromhex("0002fde800000001"), bytes.fromhex("4302fde800000001")),
    )
    assert seen is not None
    assert seen.to_row()["as_path"] == "65000 65001"
    assert seen.next_hop == EBGP.local_address
    assert (seen.med, seen.local_pref, seen.originator_id, seen.cluster_list) == (None, None, None, ())
    assert seen.communities == ("1:2",)
    assert seen.extended_communities == (bytes.fromhex("0002fde800000001"),)


def test_an_internal_peer_sees_the_path_as_it_came_with_a_local_pref() -> None:
    seen = told(IBGP, med=5)
    assert seen is not None
    assert (seen.next_hop, seen.med, seen.local_pref) == (ip("192.0.2.1"), 5, 100)
    assert seen.to_row()["as_path"] == "65001"
    own = told(replace(IBGP, next_hop_self=True), local_pref=7)
    assert own is not None
    assert (own.next_hop, own.local_pref) == (IBGP.local_address, 7)


def test_what_an_internal_peer_told_is_told_to_external_peers_only() -> None:
    assert told(IBGP, ebgp=False) is None
    assert told(EBGP, ebgp=False) is not None


def test_nobody_is_told_what_he_told() -> None:
    assert told(replace(EBGP, peer_source=1)) is None


@pytest.mark.parametrize(
    ("community", "external", "internal"),
    [("65535:65281", False, True), ("65535:65282", False, False), ("65535:65283", False, True)],
)
def test_well_known_communities_are_obeyed(community: str, external: bool, internal: bool) -> None:
    assert (told(EBGP, communities=(community,)) is not None) is external
    assert (told(IBGP, communities=(community,)) is not None) is internal


def test_a_route_of_another_protocol_is_originated_only_where_it_is_listed() -> None:
    path = local_path(1, Protocol.STATIC)
    assert exported(WHERE, path, Instance(), KNOWN, EBGP) is None
    seen = exported(WHERE, path, Instance(networks={1: frozenset({WHERE})}), KNOWN, IBGP)
    assert seen == PathAttributes(Origin.IGP, (), IBGP.local_address, local_pref=100)


@pytest.mark.parametrize(
    ("role", "unmarked", "marked"),
    [
        (PROVIDER, 65000, 65009),
        (ROUTE_SERVER, 65000, 65009),
        (RS_CLIENT, None, "not told"),
        (CUSTOMER, None, "not told"),
        (PEER, 65000, "not told"),
        (None, None, 65009),
    ],
)
def test_only_to_customer_follows_our_role(role: int | None, unmarked: int | None, marked: int | str) -> None:
    """RFC 9234 5, egress; 65000 is ours, 65009 marked the route before."""
    seen = told(replace(EBGP, role=role))
    assert seen is not None
    assert seen.otc == unmarked
    seen = told(replace(EBGP, role=role), otc=65009)
    assert ("not told" if seen is None else seen.otc) == marked
    inside = told(replace(IBGP, role=role), otc=65009)
    assert inside is not None
    assert inside.otc == 65009


def test_aigp_is_told_where_it_was_agreed_and_grows_by_our_way_to_the_next_hop() -> None:
    """RFC 7311 3.4.3: 100 from the far end to the next hop, 30 from there to us."""

    def value(terms: ExportTerms, aigp: int | None) -> int | None:
        seen = told(terms, aigp=aigp)
        assert seen is not None
        return seen.aigp

    assert value(EBGP, 100) is None
    assert value(replace(IBGP, aigp=True), 100) == 100
    assert value(replace(IBGP, aigp=True, next_hop_self=True), 100) == 130
    assert value(replace(EBGP, aigp=True), 100) == 130
    assert value(replace(EBGP, aigp=True), 0xFFFFFFFFFFFFFFF0) == 0xFFFFFFFFFFFFFFFF
    assert value(replace(EBGP, aigp=True), None) is None


def test_aigp_is_written_as_one_tlv() -> None:
    """RFC 7311 3: type 1, length 11 with its own three octets, eight octets of value; optional, not transitive."""
    assert attribute_rows(PathAttributes(aigp=258), four_octet_as=True)[26] == bytes.fromhex(
        "80 1a 0b 01 000b 0000000000000102"
    )


def test_a_link_local_next_hop_is_never_passed_on() -> None:
    """RFC 2545 3: it means something only where it was told."""
    six = replace(IBGP, afi=2, local_address=ip("2001:db8::1"), local_link=ip("fe80::1"))
    seen = told(six, next_hop="fe80::7")
    assert seen is not None
    assert (seen.next_hop, seen.link_local) == (ip("2001:db8::1"), ip("fe80::1"))


def test_a_path_without_local_pref_is_told_with_the_default_of_the_instance() -> None:
    seen = told(replace(IBGP, default_local_pref=250))
    assert seen is not None
    assert seen.local_pref == 250


def test_a_next_hop_of_the_wrong_family_needs_the_capability() -> None:
    six = replace(EBGP, local_address=ip("2001:db8::1"), local_link=ip("fe80::1"))
    assert told(six) is None
    seen = told(replace(six, extended_next_hop=True))
    assert seen is not None
    assert (seen.next_hop, seen.link_local) == (ip("2001:db8::1"), ip("fe80::1"))


def test_a_route_whose_attributes_fill_a_message_is_not_told() -> None:
    assert told(EBGP, unknown=((0xE0, 99, b"x" * 4000),)) is not None
    assert told(EBGP, unknown=((0xE0, 99, b"x" * 4060),)) is None
    assert told(replace(EBGP, max_message=65535), unknown=((0xE0, 99, b"x" * 4060),)) is not None


def test_a_two_octet_peer_gets_as_trans_and_the_true_path_beside_it() -> None:
    seen = told(replace(EBGP, local_asn=4_200_000_000), aggregator=(4_200_000_001, ip("192.0.2.7")))
    assert seen is not None
    message = b"".join(announcements(1, seen, [WHERE], 4096, four_octet_as=False))
    row = Replay(four_octet_as=False).feed(message).routes["203.0.113.0/24"]
    assert row["as_path"] == "23456 65001"
    assert row["as4_path"] == "4200000000 65001"
    assert row["aggregator"] == "23456 192.0.2.7"
    assert row["as4_aggregator"] == "4200000001 192.0.2.7"
