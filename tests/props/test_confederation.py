"""Confederations (RFC 5065), both engines: AS_PATH towards each side, what may leave, what is malformed, what loops.

We are Member-AS 65000 of confederation 64999.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rib.attributes import NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED
from tests.props.comparing import compare_tables
from tests.props.pair import Pair
from tests.props.peers import CONFEDERATION, IPV4, PeerConfig, prefix
from tests.props.telling import WHERE, told
from tests.props.update_bytes import announcement
from tests.rib.building import attributes_row

OUTSIDE = PeerConfig("outside", "10.0.0.1", 65101, "1.0.0.1")
OTHER_OUTSIDE = PeerConfig("other outside", "10.0.0.2", 65102, "1.0.0.2")
MEMBER = PeerConfig("member", "10.0.0.3", 65001, "1.0.0.3", inside=True)
OTHER_MEMBER = PeerConfig("other member", "10.0.0.4", 65002, "1.0.0.4", inside=True)
INTERNAL = PeerConfig("internal", "10.0.0.5", 65000, "1.0.0.5", inside=True)
OTHER_INTERNAL = PeerConfig("other internal", "10.0.0.6", 65000, "1.0.0.6", inside=True)
EVERYBODY = (OUTSIDE, OTHER_OUTSIDE, MEMBER, OTHER_MEMBER, INTERNAL, OTHER_INTERNAL)


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    source = made.call("add_connected_source")
    made.call("put_connected", source, prefix("10.0.0.0/24"), "ncp1", "eth0")
    return made


@pytest.mark.parametrize(
    ("giver", "path", "member", "internal", "outside"),
    [
        (OUTSIDE, "65101", "(65000) 65101", "65101", "65000 65101"),
        (MEMBER, "(65001) 65101", "(65000 65001) 65101", "(65001) 65101", "65000 65101"),
        (MEMBER, "(65001)", "(65000 65001)", "(65001)", "65000"),
        (MEMBER, "(65001) [65003 65004] 65101", "(65000 65001) [65003 65004] 65101", "(65001) [65003 65004] 65101",
         "65000 65101"),
        (INTERNAL, "[65003] 65101", "(65000) [65003] 65101", None, "65000 65101"),
        (INTERNAL, "", "(65000)", None, "65000"),
    ],
)  # fmt: skip
def test_a_member_is_added_within_and_the_confederation_shows_as_one_as_outside(
    pair: Pair, giver: PeerConfig, path: str, member: str, internal: str | None, outside: str
) -> None:
    """RFC 5065 4.1. What we are to those outside is a matter of the session: here LOCAL_ASN to all."""
    found = {
        name: row["as_path"] for name, row in told(pair, giver, attributes_row("10.0.0.9", path), EVERYBODY).items()
    }
    assert found.get("other member") == member
    assert found.get("other internal") == internal
    assert found.get("other outside") == outside


def test_within_the_confederation_next_hop_med_and_local_pref_stay_and_reflection_does_not(pair: Pair) -> None:
    """RFC 5065 5.2; RFC 4456 8: what reflectors write is about one AS."""
    row = attributes_row(
        "10.0.0.9", "65101", med=7, local_pref=300, originator_id="1.0.0.9", cluster_list=["1.0.0.8"],
        extended_communities=["4004fde800000001"],
    )  # fmt: skip
    found = told(pair, INTERNAL, row, EVERYBODY)["member"]
    assert found == row | {"as_path": "(65000) 65101", "originator_id": None, "cluster_list": []}


def test_from_another_member_local_pref_counts_and_reflection_is_ignored(pair: Pair) -> None:
    row = attributes_row("10.0.0.9", "(65001)", local_pref=300, originator_id="9.9.9.9", cluster_list=["9.9.9.9"])
    assert told(pair, MEMBER, row, EVERYBODY)["internal"] == row | {"originator_id": None, "cluster_list": []}


@pytest.mark.parametrize(
    ("community", "hear"),
    [
        (NO_EXPORT, {"other member", "internal", "other internal"}),
        (NO_EXPORT_SUBCONFED, {"internal", "other internal"}),
        (NO_ADVERTISE, set()),
    ],
)
def test_well_known_communities_end_where_they_say(pair: Pair, community: str, hear: set[str]) -> None:
    """RFC 1997: NO_EXPORT at the confederation's border, NO_EXPORT_SUBCONFED at that of the Member-AS."""
    row = attributes_row("10.0.0.9", "(65001)", communities=[community])
    assert set(told(pair, MEMBER, row, EVERYBODY)) == hear


@pytest.mark.parametrize(
    ("peer", "path"),
    [
        (OUTSIDE, "(65001) 65101"),
        (OUTSIDE, "65101 [65001]"),
        (MEMBER, "65001"),
        (MEMBER, ""),
        (MEMBER, "[65001] 65101"),
    ],
)
def test_a_path_that_this_peer_may_not_tell_is_malformed(pair: Pair, peer: PeerConfig, path: str) -> None:
    """RFC 5065 5, treated as a withdrawal by RFC 7606 7.2."""
    source = pair.add_peer(peer)
    changes = pair.receive(source, peer, announcement([WHERE], attributes_row("10.0.0.9", path)))
    assert (changes.announced, changes.withdrawn) == (0, 1)
    assert [(fault["code"], fault["disposition"], fault["rfc"]) for fault in changes.faults] == [(2, 2, "5065 5")]
    compare_tables(pair, [WHERE], [])


@pytest.mark.parametrize(
    ("path", "looped"),
    [
        ("(65001 65000) 65101", True),
        ("(65001) [65000 65002]", True),
        (f"(65001) 65101 {CONFEDERATION}", True),
        (f"(65001 {CONFEDERATION}) 65101", False),
        ("(65001) 65101 65000 65102", False),
    ],
)
def test_our_member_as_within_and_the_confederations_number_outside_are_ourselves(
    pair: Pair, path: str, looped: bool
) -> None:
    """RFC 5065 4. Numbers of Member-ASes mean nothing outside: others may use them as well."""
    source = pair.add_peer(MEMBER)
    changes = pair.receive(source, MEMBER, announcement([WHERE], attributes_row("10.0.0.9", path)))
    assert changes.refused == ({"own-as": 1} if looped else {})
    assert changes.announced == (0 if looped else 1)


def test_a_route_of_another_member_counts_as_internal(pair: Pair) -> None:
    """RFC 5065 5.3 4: after all that is external; its confederation segments have no length (3)."""
    outside, member = pair.add_peer(OUTSIDE), pair.add_peer(MEMBER)
    pair.announce(outside, OUTSIDE, [WHERE], attributes_row("10.0.0.1", "65101"))
    pair.announce(member, MEMBER, [WHERE], attributes_row("10.0.0.3", "(65001 65002 65003) 65101"))
    pair.settle()
    compare_tables(pair, [WHERE], [])
    found = pair.native.lookup(WHERE)
    assert found is not None
    assert found["step"] == "ebgp-over-ibgp"
    assert [path["source"] for path in found["paths"] if path["best"]] == [outside]


def test_meds_of_two_members_are_compared_as_those_of_our_own_as(pair: Pair) -> None:
    """RFC 5065 5.3 1: of a path with nothing but confederation segments the neighboring AS is ours."""
    for peer, med in ((MEMBER, 5), (OTHER_MEMBER, 1)):
        pair.announce(pair.add_peer(peer), peer, [WHERE], attributes_row("10.0.0.3", f"({peer.asn})", med=med))
    pair.settle()
    compare_tables(pair, [WHERE], [])
    found = pair.native.lookup(WHERE)
    assert found is not None
    assert found["step"] == "med"


@pytest.mark.parametrize(
    ("path", "wanted"), [("(65001 4200000001)", 0), ("(4200000001) 65101", 0), ("(65001) 4200000001", 1)]
)
def test_numbers_of_four_octets_inside_the_confederation_alone_need_no_as4_path(
    pair: Pair, path: str, wanted: int
) -> None:
    old = replace(OTHER_MEMBER, four_octet_as=False)
    giver, reader = pair.add_peer(MEMBER), pair.add_peer(old)
    pair.announce(giver, MEMBER, [WHERE], attributes_row("10.0.0.3", path))
    pair.settle()
    for engine, number, _ in pair.ends(pair.open_export(reader, old, IPV4)):
        data, updates = engine.export_read(number)
        assert updates == 2  # and End-of-RIB
        assert data.count(bytes((0xC0, 17))) == wanted
