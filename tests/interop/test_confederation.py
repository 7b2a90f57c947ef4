"""RFC 5065 with real daemons: confederation 65000 of us (65001) and a member (65002), seen from inside and outside.

    outside (65010) ─┐
                     r1 (65001) ─── member (65002) ─── beyond (65020)
    internal (65001) ┘

What everybody holds is compared as sets of (prefix, attributes).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab.attributes import Attributes, Route
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router

pytestmark = pytest.mark.netns
CONFEDERATION, OURS = 65000, 65001
BOTH = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
OUTSIDE, MEMBER, INTERNAL, BEYOND = "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"
NAME = {OUTSIDE: "outside", MEMBER: "member", INTERNAL: "internal", BEYOND: "beyond"}
ASN = {OUTSIDE: 65010, MEMBER: 65002, INTERNAL: OURS, BEYOND: 65020}
ROUTE = {OUTSIDE: "198.18.1.0/24", MEMBER: "198.18.2.0/24", INTERNAL: "198.18.3.0/24", BEYOND: "198.18.4.0/24"}
NETWORK = "203.0.113.0/24"
NO_EXPORT, NO_EXPORT_SUBCONFED = "65535:65281", "65535:65283"
WITHIN, HERE = "198.18.31.0/24", "198.18.32.0/24"
"""Of the internal peer: for the confederation alone, and for its Member-AS alone (RFC 1997)."""


def ours(address: str) -> str:
    """The other end of a cable."""
    return f"{address[:-1]}2"


class Members:
    """Router ids are the daemons' addresses. ``member`` False: without the other member and what is behind it."""

    def __init__(self, lab: Lab, daemon: type[Peer], *, member: bool = True) -> None:
        self.box = lab.box("r1")
        self.peers: dict[str, Peer] = {}
        for at, address in enumerate((OUTSIDE, INTERNAL, MEMBER) if member else (OUTSIDE, INTERNAL)):
            there = lab.box(NAME[address])
            lab.link(self.box, f"eth{at}", there, "eth0", b_addresses=[f"{address}/24"])
            there.route("10.0.0.0/8", "via", ours(address))
            neighbors = [self._to(ours(address), CONFEDERATION if address == OUTSIDE else OURS, address)]
            if address == MEMBER:
                neighbors.append(self._to(BEYOND, ASN[BEYOND], ours(BEYOND)))
            self._peer(daemon, there, address, neighbors)
        if member:
            beyond = lab.box(NAME[BEYOND])
            near = self.peers[MEMBER].box
            lab.link(near, "eth1", beyond, "eth0", a_addresses=[f"{ours(BEYOND)}/24"], b_addresses=[f"{BEYOND}/24"])
            self._peer(daemon, beyond, BEYOND, [self._to(ours(BEYOND), CONFEDERATION, BEYOND)])
        self.router = Router(lab, configuration(), {"ncp1": self.box})
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(each.start) for each in (self.router, *self.peers.values())]:
                started.result()
        self.router.wait_established(*(address for address in self.peers if address != BEYOND))

    def _to(self, there: str, asn: int, here: str) -> Neighbor:
        through = here in (MEMBER, ours(BEYOND))
        return Neighbor(there, asn, here, families=(4,), next_hop_self=False, transit=through)

    def _peer(self, daemon: type[Peer], box: Any, address: str, neighbors: list[Neighbor]) -> None:
        announced = [Announcement(ROUTE[address])]
        if address == INTERNAL:
            announced.append(Announcement(WITHIN, communities=(NO_EXPORT,)))
            announced.append(Announcement(HERE, communities=(NO_EXPORT_SUBCONFED,)))
        inside = {"confederation": CONFEDERATION} if address in (MEMBER, INTERNAL) else {}
        members = {"members": (OURS,) if address == MEMBER else (ASN[MEMBER],)} if inside else {}
        config = PeerConfig(ASN[address], address, neighbors, announced, **inside, **members)
        self.peers[address] = daemon(box, config)

    def route(
        self, of: str, path: str, next_hop: str, prefix: str = "", *, inside: bool, first_hand: bool = False
    ) -> Route:
        """What one of them announces, as it is told with this path and next hop; ``inside``: with LOCAL_PREF, and with
        its MED not by itself alone (RFC 5065 5.2)."""
        if of == NETWORK:
            return of, Attributes(as_path=path, next_hop=next_hop, local_pref=100 if inside else None)
        (neighbor, *_) = self.peers[of].config.neighbors
        announced = dict(self.peers[of].announced(neighbor.address, next_hop=next_hop))
        told = announced[prefix or ROUTE[of]]._replace(as_path=path, local_pref=100 if inside else None)
        return prefix or ROUTE[of], told if inside or first_hand else told._replace(med=None)

    @property
    def way_beyond(self) -> str:
        """GoBGP is the next hop of what it tells another Member-AS, which it need not be."""
        return MEMBER if isinstance(self.peers[MEMBER], GoBgp) else BEYOND

    @property
    def escaped(self) -> set[Route]:
        """GoBGP tells outside what has NO_EXPORT, if another member told it."""
        told = self.route(INTERNAL, "65000", ours(BEYOND), WITHIN, inside=False)
        return {told} if isinstance(self.peers[MEMBER], GoBgp) else set()

    def of_member(self, route: Route) -> Route:
        """GoBGP tells another Member-AS no LOCAL_PREF, which it may but need not do."""
        prefix, told = route
        return prefix, told._replace(local_pref=None) if isinstance(self.peers[MEMBER], GoBgp) else told

    def must_hold(self, of: str, *routes: Route) -> None:
        peer = self.peers[of]
        peer.wait_routes(peer.config.neighbors[0].address, 4, set(routes))


def configuration() -> dict[str, Any]:
    ends = (OUTSIDE, INTERNAL, MEMBER)
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": OURS},
        "interfaces": {f"eth{at}": {"addresses": [f"{ours(end)}/24"]} for at, end in enumerate(ends)},
        "static": {"10.4.0.0/24": {"next-hop": MEMBER}, NETWORK: {"blackhole": True}},
        "bgp": {
            "confederation": {"id": CONFEDERATION, "members": [ASN[MEMBER]]},
            "networks": [NETWORK],
            "neighbors": {end: {"asn": ASN[end], "families": BOTH} for end in ends},
        },
    }


@pytest.mark.parametrize(
    "daemon",
    against(
        "confederation: from outside (RFC 5065)",
        "confederation: as its members (RFC 5065)",
        bird=Bird,
        frr=Frr,
        gobgp=GoBgp,
    ),
)
def test_members_know_of_each_other_and_those_outside_of_one_as(lab: Lab, daemon: type[Peer]) -> None:
    made = Members(lab, daemon)
    told = made.route
    made.must_hold(
        OUTSIDE,
        told(NETWORK, "65000", ours(OUTSIDE), inside=False), told(MEMBER, "65000", ours(OUTSIDE), inside=False),
        told(INTERNAL, "65000", ours(OUTSIDE), inside=False), told(BEYOND, "65000 65020", ours(OUTSIDE), inside=False),
    )  # fmt: skip
    made.must_hold(
        MEMBER,
        told(NETWORK, "(65001)", ours(MEMBER), inside=True), told(OUTSIDE, "(65001) 65010", OUTSIDE, inside=True),
        told(INTERNAL, "(65001)", INTERNAL, inside=True), told(INTERNAL, "(65001)", INTERNAL, WITHIN, inside=True),
    )  # fmt: skip
    made.must_hold(
        INTERNAL,
        told(NETWORK, "", ours(INTERNAL), inside=True), told(OUTSIDE, "65010", OUTSIDE, inside=True),
        told(MEMBER, "(65002)", MEMBER, inside=True), told(BEYOND, "(65002) 65020", made.way_beyond, inside=True),
    )  # fmt: skip
    made.must_hold(
        BEYOND,
        told(NETWORK, "65000", ours(BEYOND), inside=False), told(OUTSIDE, "65000 65010", ours(BEYOND), inside=False),
        told(MEMBER, "65000", ours(BEYOND), inside=False, first_hand=True),
        told(INTERNAL, "65000", ours(BEYOND), inside=False), *made.escaped,
    )  # fmt: skip
    known = {
        told(OUTSIDE, "65010", OUTSIDE, inside=False, first_hand=True), told(INTERNAL, "", INTERNAL, inside=True),
        made.of_member(told(MEMBER, "(65002)", MEMBER, inside=True)),
        made.of_member(told(BEYOND, "(65002) 65020", made.way_beyond, inside=True)),
        told(INTERNAL, "", INTERNAL, WITHIN, inside=True), told(INTERNAL, "", INTERNAL, HERE, inside=True),
    }  # fmt: skip
    made.router.wait_loc_rib(known)
    kinds = {
        end: made.router.ctl("show", "bgp", "neighbor", end)["neighbors"][0]["kind"] for end in ASN if end != BEYOND
    }
    assert kinds == {OUTSIDE: "ebgp", MEMBER: "confederation", INTERNAL: "ibgp"}


@pytest.mark.parametrize("daemon", against("confederation: from outside (RFC 5065)", openbgpd=OpenBgpd, exabgp=ExaBgp))
def test_those_that_know_no_confederations_take_ours_for_one_as(lab: Lab, daemon: type[Peer]) -> None:
    made = Members(lab, daemon, member=False)
    told = made.route
    made.must_hold(
        OUTSIDE,
        told(NETWORK, "65000", ours(OUTSIDE), inside=False),
        told(INTERNAL, "65000", ours(OUTSIDE), inside=False),
    )
    made.must_hold(
        INTERNAL, told(NETWORK, "", ours(INTERNAL), inside=True), told(OUTSIDE, "65010", OUTSIDE, inside=True)
    )
    known = {
        told(OUTSIDE, "65010", OUTSIDE, inside=False), told(INTERNAL, "", INTERNAL, inside=True),
        told(INTERNAL, "", INTERNAL, WITHIN, inside=True), told(INTERNAL, "", INTERNAL, HERE, inside=True),
    }  # fmt: skip
    made.router.wait_loc_rib(known)
