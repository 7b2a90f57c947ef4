from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.bgp.capabilities import (
    AddPath,
    BgpRole,
    Capability,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    Multiprotocol,
    RouteRefresh,
    SoftwareVersion,
)
from protocols.bgp.config import Confederation, FamilyConfig, PeerConfig
from protocols.bgp.errors import OpenSubcode, SessionError
from protocols.bgp.messages import Open
from protocols.bgp.negotiation import Agreed, negotiate, offer
from protocols.bgp.role import Role
from tests.protocols.bgp.peers import A

PEER_ID = bytes([10, 0, 0, 2])
USUAL: tuple[Capability, ...] = (
    Multiprotocol(1, 1), Multiprotocol(2, 1), RouteRefresh(), ExtendedMessage(), FourOctetAs(65002)
)  # fmt: skip
OPEN = Open(65002, 90, PEER_ID, USUAL)


def agree(received: Open, config: PeerConfig = A) -> Agreed:
    return negotiate(config, offer(config), received)


def test_we_offer_each_family_refreshes_long_messages_graceful_restart_and_four_octet_as_numbers() -> None:
    assert offer(A) == (
        Multiprotocol(1, 1), Multiprotocol(2, 1), RouteRefresh(), ExtendedMessage(),
        GracefulRestart(False, True, 120, ((1, 1, False), (2, 1, False))), FourOctetAs(65001), EnhancedRouteRefresh(),
    )  # fmt: skip


def test_host_name_and_version_are_offered_where_configured() -> None:
    offered = offer(replace(A, host_name="r1.example.net", software_version="routingd/0.1", extended_message=False))
    assert offered[-2:] == (Fqdn(b"r1", b"example.net"), SoftwareVersion(b"routingd/0.1"))
    assert ExtendedMessage() not in offered


def test_two_equal_speakers_agree_on_everything() -> None:
    agreed = agree(OPEN)
    assert agreed.families == ((1, 1), (2, 1))
    assert (agreed.peer_asn, agreed.peer_router_id, agreed.ebgp) == (65002, PEER_ID, True)
    assert (agreed.four_octet_as, agreed.route_refresh) == (True, True)
    assert (agreed.max_receive, agreed.max_send) == (65535, 65535)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed", "keepalive"), [(90, 30, 30, 10.0), (9, 180, 9, 3.0), (90, 0, 0, 0.0), (0, 90, 0, 0.0)]
)
def test_the_smaller_hold_time_holds(ours: int, theirs: int, agreed: int, keepalive: float) -> None:
    result = agree(replace(OPEN, hold_time=theirs), replace(A, hold_time=ours))
    assert (result.hold_time, result.keepalive_interval) == (agreed, keepalive)


def test_within_a_confederation_another_member_as_is_neither_external_nor_internal() -> None:
    within = Confederation(65000, 65001, frozenset((65002, 65003)))
    member = agree(OPEN, replace(A, confederation=within))
    assert (member.ebgp, member.member) == (False, True)
    outside = agree(OPEN, replace(A, local_asn=65000, confederation=replace(within, others=frozenset())))
    assert (outside.ebgp, outside.member) == (True, False)


@pytest.mark.parametrize("asn", [65000, 65001, 65003])
def test_a_neighbor_of_any_external_as_is_not_of_our_confederation(asn: int) -> None:
    within = Confederation(65000, 65001, frozenset((65003,)))
    anybody = replace(A, remote_asn=None, local_asn=65000, confederation=within)
    assert agree(OPEN, anybody).peer_asn == 65002
    capabilities = tuple(FourOctetAs(asn) if isinstance(c, FourOctetAs) else c for c in USUAL)
    with pytest.raises(SessionError) as refused:
        agree(Open(asn, 90, PEER_ID, capabilities), anybody)
    assert refused.value.notification.subcode == OpenSubcode.BAD_PEER_AS


def test_a_two_octet_peer_gets_two_octet_as_numbers_and_ipv4() -> None:
    agreed = agree(Open(65002, 90, PEER_ID))
    assert (agreed.four_octet_as, agreed.families, agreed.route_refresh) == (False, ((1, 1),), False)


def test_long_messages_are_agreed_for_each_direction() -> None:
    # RFC 8654 4: who advertises takes them.
    silent = tuple(c for c in USUAL if not isinstance(c, ExtendedMessage))
    heard = agree(replace(OPEN, capabilities=silent))
    assert (heard.max_receive, heard.max_send) == (65535, 4096)
    kept = agree(OPEN, replace(A, extended_message=False))
    assert (kept.max_receive, kept.max_send) == (4096, 65535)


def test_ipv6_next_hops_of_ipv4_routes_are_agreed_where_both_offer_them() -> None:
    wanting = replace(A, extended_next_hop=True)
    theirs = ExtendedNextHop(((1, 1, 2), (1, 2, 2), (1, 128, 2)))
    both = replace(OPEN, capabilities=(*USUAL, theirs))
    assert ExtendedNextHop(((1, 1, 2),)) in offer(wanting)
    assert agree(both, wanting).extended_next_hop == ((1, 1),)
    assert agree(both).extended_next_hop == ()
    assert agree(OPEN, wanting).extended_next_hop == ()


SEVERAL = replace(
    A,
    families=(FamilyConfig(1, 1, add_path_send=255, add_path_receive=True), FamilyConfig(2, 1, add_path_receive=True)),
)
RECEIVE, SEND, BOTH = 1, 2, 3


@pytest.mark.parametrize(
    ("theirs", "received", "sent"),
    [
        ((AddPath(((1, 1, BOTH), (2, 1, BOTH))),), ((1, 1), (2, 1)), ((1, 1),)),
        ((AddPath(((1, 1, RECEIVE), (2, 1, RECEIVE))),), (), ((1, 1),)),
        ((AddPath(((1, 1, SEND),)), AddPath(((2, 1, SEND), (1, 4, BOTH)))), ((1, 1), (2, 1)), ()),
        ((), (), ()),
    ],
    ids=["both", "they receive", "they send, said in two capabilities", "neither"],
)
def test_several_paths_go_where_one_sends_and_the_other_receives(
    theirs: tuple[Capability, ...], received: tuple[object, ...], sent: tuple[object, ...]
) -> None:
    # RFC 7911 4
    assert AddPath(((1, 1, BOTH), (2, 1, RECEIVE))) in offer(SEVERAL)
    agreed = agree(replace(OPEN, capabilities=(*USUAL, *theirs)), SEVERAL)
    assert (agreed.add_path_receive, agreed.add_path_send) == (received, sent)
    assert agree(replace(OPEN, capabilities=(*USUAL, *theirs))).add_path_receive == ()


def test_the_as_number_is_taken_from_the_capability() -> None:
    config = replace(A, remote_asn=4200000000)
    assert agree(Open(23456, 90, PEER_ID, (FourOctetAs(4200000000),)), config).peer_asn == 4200000000


def test_only_common_families_are_agreed() -> None:
    assert agree(replace(OPEN, capabilities=(Multiprotocol(2, 1), Multiprotocol(25, 70)))).families == ((2, 1),)


def test_an_equal_identifier_in_another_as_is_no_error() -> None:
    assert agree(replace(OPEN, router_id=A.router_id)).peer_router_id == A.router_id


IBGP = replace(A, remote_asn=65001)
V6_ONLY = replace(A, families=(FamilyConfig(2, 1),))
REFUSED: dict[str, tuple[Open, PeerConfig, tuple[int, int, bytes], str]] = {
    "another AS": (Open(65003, 90, PEER_ID), A, (2, 2, b""), "AS 65003; AS 65002 is configured"),
    "another AS in the capability": (
        Open(23456, 90, PEER_ID, (FourOctetAs(4200000000),)), A, (2, 2, b""), "AS 4200000000; AS 65002"
    ),
    "AS_TRANS alone": (Open(23456, 90, PEER_ID), A, (2, 2, b""), "without the four-octet AS capability"),
    "AS 0": (Open(0, 90, PEER_ID), A, (2, 2, b""), "AS 0"),
    "AS 0 in the capability": (Open(65002, 90, PEER_ID, (FourOctetAs(0),)), A, (2, 2, b""), "AS 0"),
    "hold time 1": (replace(OPEN, hold_time=1), A, (2, 6, b""), "hold time of 1 s"),
    "hold time 2": (replace(OPEN, hold_time=2), A, (2, 6, b""), "hold time of 2 s"),
    "identifier 0": (replace(OPEN, router_id=bytes(4)), A, (2, 3, b""), "0.0.0.0"),
    "our identifier in our AS": (
        Open(65001, 90, A.router_id, (Multiprotocol(1, 1),)), IBGP, (2, 3, b""), "10.0.0.1; change router-id"
    ),
    "no common family": (
        Open(65002, 90, PEER_ID, (Multiprotocol(1, 1),)), V6_ONLY, (2, 7, bytes.fromhex("0104 0002 00 01")),
        "the peer has ipv4-unicast; we want ipv6-unicast",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("received", "config", "notification", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_acceptable_is_refused_with_its_subcode(
    received: Open, config: PeerConfig, notification: tuple[int, int, bytes], told: str
) -> None:
    with pytest.raises(SessionError) as raised:
        agree(received, config)
    answer = raised.value.notification
    assert (answer.code, answer.subcode, answer.data) == notification
    assert told in raised.value.reason


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Role.PROVIDER, Role.CUSTOMER), (Role.CUSTOMER, Role.PROVIDER), (Role.RS_SERVER, Role.RS_CLIENT),
        (Role.RS_CLIENT, Role.RS_SERVER), (Role.PEER, Role.PEER),
    ],
)  # fmt: skip
def test_roles_must_be_two_ends_of_one_relation(ours: Role, theirs: Role) -> None:
    """RFC 9234 4.2, table 2."""
    config = replace(A, role=ours)
    assert BgpRole(ours) in offer(config)
    assert agree(replace(OPEN, capabilities=(*USUAL, BgpRole(theirs))), config).role is ours
    for other in {*Role, 9} - {theirs}:
        with pytest.raises(SessionError) as raised:
            agree(replace(OPEN, capabilities=(*USUAL, BgpRole(other))), config)
        assert (raised.value.notification.code, raised.value.notification.subcode) == (2, 11)
    with pytest.raises(SessionError, match="the peer says it is"):
        agree(replace(OPEN, capabilities=(*USUAL, BgpRole(theirs), BgpRole(9))), config)


def test_a_peer_without_a_role_is_taken_unless_we_are_strict() -> None:
    assert agree(OPEN, replace(A, role=Role.PEER)).role is Role.PEER
    with pytest.raises(SessionError, match="no role; to our peer it must be peer"):
        agree(OPEN, replace(A, role=Role.PEER, role_strict=True))
    assert agree(replace(OPEN, capabilities=(*USUAL, BgpRole(Role.CUSTOMER)))).role is None


BAD_CONFIGS = {
    "hold time": ({"hold_time": 2}, "0 or 3 to 65535"),
    "AS 0": ({"remote_asn": 0}, "1 to 4294967295"),
    "router id": ({"router_id": bytes(4)}, "0.0.0.0"),
    "address": ({"address": b"\x01"}, "4 or 16"),
    "source family": ({"source": bytes(16)}, "address family"),
    "no families": ({"families": ()}, "at least one"),
    "twice": ({"families": (FamilyConfig(1, 1), FamilyConfig(1, 1))}, "twice"),
    "family": ({"families": (FamilyConfig(25, 70),)}, "l2vpn-evpn is not supported"),
    "role inside": ({"remote_asn": 65001, "role": Role.PEER}, "external sessions"),
    "connect retry": ({"connect_retry": 0}, "more than 0"),
}


@pytest.mark.parametrize(("change", "told"), BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_a_configuration_that_cannot_work_is_refused_in_words(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(A, **change)  # type: ignore[arg-type]


def test_ttls_follow_the_kind_of_peer() -> None:
    assert [c.send_ttl for c in (A, IBGP, replace(A, ttl=5), replace(A, ttl_security=True))] == [1, 64, 5, 255]
    assert [c.minimum_ttl for c in (A, replace(A, ttl_security=True))] == [0, 255]


def test_a_password_is_never_printed() -> None:
    assert "s3cret" not in repr(replace(A, password="s3cret"))
