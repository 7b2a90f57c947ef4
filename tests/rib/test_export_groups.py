"""What peers share of what they are told, and what each has for itself: the native engine's export groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

import native
from rib.prefix import Prefix
from tests.props.folding import FoldedExport
from tests.props.update_bytes import announcement, packed, withdrawal

ASN = 65000
FAMILIES = ((1, 1), (2, 1))
ROW: dict[str, Any] = {
    "origin": "egp", "as_path": "65001 65002", "next_hop": "10.0.0.2", "link_local": None, "med": None,
    "local_pref": None, "atomic_aggregate": False, "aggregator": None, "communities": [], "originator_id": None,
    "cluster_list": [], "extended_communities": [], "large_communities": [], "aigp": None, "unknown": [],
}  # fmt: skip


def prefix(text: str) -> tuple[bytes, int]:
    found = Prefix.parse(text)
    return found.address, found.length


@dataclass
class Told:
    """A peer that is told of one family."""

    consumer: int
    data: bytes = b""
    folded: FoldedExport = field(default_factory=FoldedExport)

    @property
    def routes(self) -> dict[str, dict[str, Any]]:
        return self.folded.routes


class Router:
    """An engine with one peer that gives routes, whose next hops are all reached over ``eth0``."""

    def __init__(self) -> None:
        self.engine = native.Engine(router_id=bytes((9, 9, 9, 9)), asn=ASN, digest_key=bytes(16))
        self.connected = self.engine.add_connected_source()
        for where in ("10.0.0.0/24", "2001:db8::/64"):
            self.engine.put_connected(self.connected, prefix(where), "ncp1", "eth0")
        self.giver = self.engine.add_peer(address=packed("10.0.0.2"), asn=65001, router_id=bytes(4), ebgp=True)
        self.terms = native.SessionTerms(
            peer_asn=65001, local_asn=ASN, four_octet_as=True, families=FAMILIES, aigp=True
        )

    def receive(self, data: bytes) -> None:
        (updates,) = native.Framer().feed(data).items
        assert isinstance(updates, native.Updates)
        assert self.engine.receive(self.giver, updates, self.terms).error is None
        while self.engine.step():
            pass

    def announce(self, *prefixes: str, **changes: Any) -> None:
        self.receive(announcement([prefix(p) for p in prefixes], ROW | changes))

    def withdraw(self, *prefixes: str) -> None:
        self.receive(withdrawal([prefix(p) for p in prefixes]))

    def tell(self, address: str, *, asn: int = 65100, afi: int = 1, link: str | None = None, **terms: Any) -> Told:
        peer = self.engine.add_peer(address=packed("10.9.9.9"), asn=asn, router_id=bytes(4), ebgp=asn != ASN)
        consumer = self.engine.export_open(
            peer_source=peer, afi=afi, safi=1, ebgp=asn != ASN, local_asn=ASN, peer_asn=asn,
            local_address=packed(address), local_link=packed(link) if link else None, four_octet_as=True,
            **({"next_hop_self": False} | terms),
        )  # fmt: skip
        return Told(consumer)

    def read(self, *peers: Told, max_routes: int = 8192) -> None:
        """To the end, one stretch of each in turn."""
        waiting = list(peers)
        while waiting:
            waiting = [peer for peer in waiting if self.read_one(peer, max_routes)]

    def read_one(self, peer: Told, max_routes: int = 8192) -> bool:
        part = self.engine.export_read(peer.consumer, max_routes)
        if part is None:
            return False
        peer.data += part[0]
        peer.folded.apply(*part)
        return True

    def group(self, peer: Told) -> dict[str, Any]:
        (row,) = (
            row for row in self.engine.export_groups() if peer.consumer in [m["consumer"] for m in row["members"]]
        )
        return row


def story(router: Router, peers: Sequence[Told]) -> None:
    """Routes of three attribute sets and both families come, change and go, read in stretches of two."""
    nets = [f"203.0.{n}.0/24" for n in range(6)]
    sixes = [f"2001:db8:{n}::/48" for n in range(1, 4)]
    router.announce(*nets[:4])
    router.announce(*sixes, next_hop="2001:db8::2")
    router.read(*peers, max_routes=2)
    router.announce(*nets[3:], med=7, communities=["65001:7"])
    router.announce(sixes[0], as_path="65001", next_hop="2001:db8::2")
    router.read(*peers, max_routes=2)
    router.withdraw(nets[0], nets[5])
    router.withdraw(sixes[1])
    router.read(*peers, max_routes=2)


SESSIONS: list[dict[str, Any]] = [
    {"address": "10.0.1.1"},
    {"address": "10.0.2.1"},
    {"address": "2001:db8:a::1", "afi": 2},
    {"address": "2001:db8:b::1", "afi": 2},
    {"address": "2001:db8:a::1", "afi": 2, "link": "fe80::a"},
    {"address": "2001:db8:b::1", "afi": 2, "link": "fe80::b"},
    {"address": "2001:db8:a::1", "link": "fe80::a", "extended_next_hop": True},
    {"address": "2001:db8:b::1", "link": "fe80::b", "extended_next_hop": True},
    {"address": "10.0.1.1", "asn": ASN},
    {"address": "10.0.2.1", "asn": ASN},
    {"address": "10.0.1.1", "asn": ASN, "next_hop_self": True},
    {"address": "10.0.2.1", "asn": ASN, "next_hop_self": True},
]


def test_each_peer_of_a_group_is_told_byte_by_byte_what_it_would_be_told_alone() -> None:
    together = Router()
    peers = [together.tell(**session) for session in SESSIONS]
    story(together, peers)
    assert len(together.engine.export_groups()) == len(SESSIONS) // 2
    for session, peer in zip(SESSIONS, peers, strict=True):
        alone = Router()
        only = alone.tell(**session)
        story(alone, [only])
        assert peer.data == only.data
        assert peer.routes
        ours = session["address"] if session.get("next_hop_self") or session.get("asn") != ASN else "10.0.0.2"
        assert {route["next_hop"] for route in peer.routes.values()} == {ours}
        assert {route["link_local"] for route in peer.routes.values()} == {session.get("link")}
        shown = {row["prefix"]: row["attributes"] for row in together.engine.adj_rib_out(peer.consumer, 100)}
        assert {where: row["next_hop"] for where, row in shown.items()} == dict.fromkeys(peer.routes, ours)


def test_peers_on_different_subnets_share_one_encoding() -> None:
    router = Router()
    router.announce("203.0.113.0/24")
    peers = [router.tell(f"10.0.{n}.1") for n in range(1, 21)]
    router.read(*peers)
    row = router.group(peers[0])
    assert (row["encoded"], row["shared"]) == (1, 19)
    assert (row["afi"], row["safi"], row["ebgp"], row["instance"]) == (1, 1, True, 0)
    assert [member["consumer"] for member in row["members"]] == [peer.consumer for peer in peers]
    assert {member["backlog"] for member in row["members"]} == {0}


def test_peers_of_which_one_has_a_link_local_address_are_two_groups() -> None:
    router = Router()
    one, other = router.tell("2001:db8:a::1", afi=2), router.tell("2001:db8:a::1", afi=2, link="fe80::a")
    assert router.group(one) != router.group(other)


def test_a_slow_peer_reads_for_itself_and_shares_again_once_it_has_caught_up() -> None:
    router = Router()
    fast, other, slow = (router.tell(f"10.0.{n}.1") for n in range(3))
    router.read(fast, other, slow)
    for n in range(8):
        router.announce(f"203.0.{n}.0/24")
        router.read(fast, other)
    before = router.group(slow)
    assert {m["consumer"]: m["backlog"] for m in before["members"]} == {
        fast.consumer: 0, other.consumer: 0, slow.consumer: 8,
    }  # fmt: skip
    router.read(slow)
    alone = router.group(slow)
    assert (alone["encoded"] - before["encoded"], alone["shared"] - before["shared"]) == (1, 0)
    assert slow.routes.keys() == fast.routes.keys()
    router.announce("203.0.113.0/24", med=9)
    router.withdraw("203.0.0.0/24")
    router.read(fast, other, slow)
    again = router.group(slow)
    assert (again["encoded"] - alone["encoded"], again["shared"] - alone["shared"]) == (1, 2)
    assert slow.routes.keys() == fast.routes.keys() == {f"203.0.{n}.0/24" for n in (*range(1, 8), 113)}


def test_peers_that_come_together_share_the_initial_table_although_routes_change_meanwhile() -> None:
    router = Router()
    router.announce(*(f"203.0.{n}.0/24" for n in range(8)))
    first = router.tell("10.0.1.1")
    second = router.tell("10.0.2.1")
    router.read_one(first, 4)
    router.announce("203.0.0.0/24", "203.0.7.0/24", "203.0.8.0/24", as_path="65001")
    router.withdraw("203.0.1.0/24")
    late = router.tell("10.0.3.1")
    router.read(first, second, late, max_routes=4)
    row = router.group(late)
    assert row["shared"] == 2 * row["encoded"]
    for peer in (second, late):
        assert {w: r["as_path"] for w, r in peer.routes.items()} == {w: r["as_path"] for w, r in first.routes.items()}
        assert peer.folded.end_of_rib == 1
    assert first.routes.keys() == {f"203.0.{n}.0/24" for n in (0, *range(2, 9))}
    assert first.routes["203.0.0.0/24"]["as_path"] == f"{ASN} 65001"


def test_a_peer_that_comes_when_the_log_has_moved_on_starts_at_its_end() -> None:
    router = Router()
    router.announce("203.0.0.0/24", "203.0.1.0/24")
    first, second = router.tell("10.0.1.1"), router.tell("10.0.2.1")
    router.read(first, second)
    router.withdraw("203.0.0.0/24")
    router.announce("203.0.1.0/24", as_path="65001")
    router.read(first, second)
    late = router.tell("10.0.3.1")
    router.read(late)
    assert {w: r["as_path"] for w, r in late.routes.items()} == {"203.0.1.0/24": f"{ASN} 65001"}


def test_what_no_message_of_a_session_has_room_for_is_neither_told_nor_counted_nor_shown() -> None:
    router = Router()
    router.announce("203.0.113.0/24")
    router.announce("192.0.2.0/24", communities=[f"65001:{n}" for n in range(20)])
    peer = router.tell("10.0.1.1", max_message=100)
    router.read(peer)
    assert list(peer.routes) == ["203.0.113.0/24"]
    assert router.engine.export_count(peer.consumer) == 1
    assert [row["prefix"] for row in router.engine.adj_rib_out(peer.consumer, 10)] == ["203.0.113.0/24"]


# --- what BGP originates --------------------------------------------------------------------------------------------


def told_origins(router: Router, peer: Told) -> dict[str, str]:
    while router.engine.step(1):
        pass
    router.read(peer)
    assert router.engine.export_count(peer.consumer) == len(peer.routes)
    return {where: row["origin"] for where, row in peer.routes.items()}


def test_best_routes_of_redistributed_protocols_are_originated_with_origin_incomplete() -> None:
    router = Router()
    engine = router.engine
    static = engine.add_static_source()
    engine.put_static(static, prefix("198.51.100.0/24"), [], kind="blackhole")
    engine.put_static(static, prefix("203.0.113.0/24"), [], kind="blackhole")
    engine.put_connected(router.connected, prefix("10.0.0.1/32"), "ncp1", "eth0", local=True)
    router.announce("203.0.113.0/24", "192.0.2.0/24")
    peer = router.tell("10.0.1.1")
    assert told_origins(router, peer) == {"192.0.2.0/24": "egp"}
    engine.set_redistribute(["static", "connected"])
    redistributed = ("198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/24")
    everything = {"192.0.2.0/24": "egp"} | dict.fromkeys(redistributed, "incomplete")
    assert told_origins(router, peer) == everything
    assert {row["med"] for row in peer.routes.values()} == {None}
    engine.set_networks(1, [prefix("198.51.100.0/24"), prefix("10.0.0.1/32")])
    named = {"198.51.100.0/24": "igp", "10.0.0.1/32": "igp"}
    assert told_origins(router, peer) == everything | named
    engine.set_redistribute(["connected"])
    assert told_origins(router, peer) == {"192.0.2.0/24": "egp", "10.0.0.0/24": "incomplete"} | named
    engine.set_networks(1, [])
    engine.set_redistribute([])
    assert told_origins(router, peer) == {"192.0.2.0/24": "egp"}


def test_only_protocols_that_are_not_bgp_are_redistributed() -> None:
    with pytest.raises(ValueError, match="not redistributed: bgp"):
        Router().engine.set_redistribute(["bgp"])


def test_each_instance_redistributes_for_itself() -> None:
    router = Router()
    engine = router.engine
    other = engine.add_instance()
    static = engine.add_static_source(instance=other)
    engine.put_static(static, prefix("198.51.100.0/24"), [], kind="blackhole")
    peer = engine.add_peer(address=packed("10.9.9.9"), asn=65100, router_id=bytes(4), ebgp=True, instance=other)
    there = Told(
        engine.export_open(
            peer_source=peer, afi=1, safi=1, ebgp=True, local_asn=ASN, peer_asn=65100, next_hop_self=False,
            local_address=packed("10.0.1.1"), local_link=None, four_octet_as=True,
        )
    )  # fmt: skip
    engine.set_redistribute(["static"])
    assert told_origins(router, there) == {}
    engine.set_redistribute(["static"], instance=other)
    assert told_origins(router, there) == {"198.51.100.0/24": "incomplete"}
    engine.set_redistribute([], instance=other)
    engine.set_networks(1, [prefix("198.51.100.0/24")], instance=other)
    assert told_origins(router, there) == {"198.51.100.0/24": "igp"}


# --- AIGP -----------------------------------------------------------------------------------------------------------


def seen_aigp(router: Router, peer: Told) -> int | None:
    """What the one route has that the peer is told of."""
    router.read(peer)
    (shown,) = router.engine.adj_rib_out(peer.consumer, 10)
    (route,) = peer.routes.values()
    assert route["aigp"] == shown["attributes"]["aigp"]
    aigp: int | None = route["aigp"]
    return aigp


def test_aigp_is_told_where_agreed_with_our_own_way_added_where_we_are_the_next_hop() -> None:
    router = Router()
    engine = router.engine
    static = engine.add_static_source()
    engine.put_static(static, prefix("172.16.0.0/24"), [{"address": packed("10.0.0.7")}], metric=30)
    router.announce("203.0.113.0/24", next_hop="172.16.0.1", aigp=1000)
    here: dict[str, Any] = {"asn": ASN, "next_hop_self": True}
    ours, theirs = router.tell("10.0.1.1", **here, aigp=True), router.tell("10.0.1.1", asn=ASN, aigp=True)
    plain = router.tell("10.0.1.1", **here)
    assert [seen_aigp(router, peer) for peer in (ours, theirs, plain)] == [1030, 1000, None]
    engine.put_static(static, prefix("172.16.0.0/24"), [{"address": packed("10.0.0.7")}], metric=50)
    while engine.step(1):
        pass
    assert [seen_aigp(router, peer) for peer in (ours, theirs, plain)] == [1050, 1000, None]
    router.announce("203.0.113.0/24", next_hop="172.16.0.1", aigp=2**64 - 20)
    assert [seen_aigp(router, peer) for peer in (ours, theirs, plain)] == [2**64 - 1, 2**64 - 20, None]


def test_a_link_local_next_hop_is_not_passed_on() -> None:
    router = Router()
    router.giver = router.engine.add_peer(
        address=packed("fe80::2"), asn=65001, router_id=bytes(4), ebgp=True, ncp="ncp1", port="eth0"
    )
    router.announce("2001:db8:1::/48", next_hop="fe80::2")
    peer = router.tell("2001:db8:a::1", asn=ASN, afi=2)
    router.read(peer)
    assert [route["next_hop"] for route in peer.routes.values()] == ["2001:db8:a::1"]


def test_a_shared_encoding_names_a_third_party_to_those_on_its_subnet_and_us_to_others() -> None:
    """RFC 4271 5.1.3."""
    router = Router()
    beside = router.tell("10.0.0.254", shared=[prefix("10.0.0.0/24")])
    beyond = router.tell("10.0.7.254", shared=[prefix("10.0.7.0/24")])
    router.announce("203.0.113.0/24")
    router.read(beside, beyond)
    assert router.group(beside) == router.group(beyond)
    assert router.group(beside)["shared"] == 1
    hops = [peer.routes["203.0.113.0/24"]["next_hop"] for peer in (beside, beyond)]
    assert hops == [ROW["next_hop"], "10.0.7.254"]


def test_peers_of_private_as_numbers_share_unless_theirs_must_be_looked_for() -> None:
    router = Router()
    public = [router.tell("10.0.1.1", asn=asn, private_as="remove") for asn in (3, 4)]
    private = [router.tell("10.0.1.1", asn=asn, private_as="remove") for asn in (65101, 65102)]
    plain = [router.tell("10.0.1.1", asn=asn) for asn in (65103, 65104)]
    assert router.group(public[0]) == router.group(public[1])
    assert router.group(plain[0]) == router.group(plain[1])
    assert router.group(private[0]) != router.group(private[1])
