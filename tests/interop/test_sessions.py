"""What two ends may agree on below the routes, with every daemon: keys, hops, who connects, AS numbers, timers, sizes.

router (AS of four octets) ─── daemon: an IPv4 and an IPv6 session, each with something of its own
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop.exchange import PEER, US
from tests.interop.matrix import against
from tests.lab.attributes import Attributes, communities
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.raw_peer import RawPeer
from tests.lab.router import FAMILIES, Router
from tests.lab.updates import announcements, parse_prefix
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
ASN, FAR_ASN, SHORT_ASN = 4200000001, 4200000040, 65040
THIRD, THIRD_PATH = "203.0.113.0/24", Attributes(as_path=f"65009 {ASN}", next_hop="10.8.0.1")
NETWORKS = {4: "198.19.0.0/24", 6: "2001:db8:19::/48"}
ANNOUNCED = (
    Announcement("198.18.1.0/24"),
    Announcement("198.18.2.0/24", med=7, communities=("65010:1", "65010:3"), large=("65010:1:2",)),
    Announcement("2001:db8:77::/48", communities=("65010:2",)),
)


@dataclass(slots=True)
class Pair:
    router: Router
    peer: Peer
    addresses: dict[int, tuple[str, str]]
    """By family of the session: the peer's and ours."""
    asn: int
    third: RawPeer | None

    def row(self, of: int) -> dict[str, Any]:
        return dict(self.router.ctl("show", "bgp", "neighbor", self.addresses[of][0])["neighbors"][0])

    def both_hold_the_routes_of_the_other(self, *families: int) -> None:
        for of in families or tuple(self.addresses):
            theirs, ours = self.addresses[of]
            told = self.peer.announced(ours, of, next_hop=theirs)
            wait_for("the peer's routes", lambda of=of: self.router.loc_rib(of), lambda found, told=told: found == told)  # type: ignore[misc]
            self.peer.wait_routes(ours, of, {(NETWORKS[of], Attributes(as_path=str(self.asn), next_hop=ours))})


def pair(
    lab: Lab, daemon: type[Peer], *, asn: int, ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]],
    local_asn: int = ASN, announce: Sequence[Announcement] = ANNOUNCED, third: Attributes | None = None,
) -> Pair:  # fmt: skip
    """``ours``: options of our neighbor by family of the session; ``theirs``: those of the peer's. ``third``: what
    another neighbor beside it gives a route with."""
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{PEER[4]}/24", f"{PEER[6]}/64"])
    addresses = {of: (PEER[of], US[of]) for of in ours}
    static: dict[str, Any] = {prefix: {"blackhole": True} for prefix in NETWORKS.values()}
    interfaces: dict[str, Any] = {"eth0": {"addresses": [f"{US[4]}/24", f"{US[6]}/64"]}}
    both = {"import": "accept", "export": "accept"}
    neighbors = {
        addresses[of][0]: {"asn": asn, "families": {FAMILIES[of]: both}, **options} for of, options in ours.items()
    }
    beside = lab.box("third")
    if third is not None:
        lab.link(box, "eth1", beside, "eth0", b_addresses=["10.8.0.1/24"])
        interfaces["eth1"] = {"addresses": ["10.8.0.2/24"]}
        neighbors["10.8.0.1"] = {"asn": 65009, "passive": True, "families": {FAMILIES[4]: {"import": "accept"}}}
    config = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": local_asn},
        "interfaces": interfaces,
        "static": static,
        "bgp": {"networks": list(NETWORKS.values()), "neighbors": neighbors},
    }
    router = Router(lab, config, {"ncp1": box})
    sessions = [Neighbor(addresses[of][1], local_asn, addresses[of][0], (of,), **theirs[of]) for of in ours]
    peer = daemon(there, PeerConfig(asn, PEER[4], sessions, announce))
    router.start()
    peer.start()
    beyond = None
    if third is not None:
        beyond = RawPeer(beside, local="10.8.0.1", remote="10.8.0.2", asn=65009, extended_messages=True)
        beyond.send(b"".join(announcements([parse_prefix(THIRD)], third, max_message=65535)))
    router.wait_established()
    peer.wait_established()
    return Pair(router, peer, addresses, local_asn, beyond)


EVERY: dict[str, type[Peer]] = {"bird": Bird, "frr": Frr, "gobgp": GoBgp, "openbgpd": OpenBgpd, "exabgp": ExaBgp}


@pytest.mark.parametrize(
    "daemon", against("AS numbers of four octets (RFC 6793)", "we alone connect", "they alone connect", **EVERY)
)
def test_either_end_connects_and_as_numbers_have_four_octets(lab: Lab, daemon: type[Peer]) -> None:
    made = pair(lab, daemon, asn=FAR_ASN, ours={4: {"passive": True}, 6: {}}, theirs={4: {}, 6: {"passive": True}})
    made.both_hold_the_routes_of_the_other()
    assert {of: made.row(of)["endpoint"]["inbound"] for of in (4, 6)} == {4: True, 6: False}


@pytest.mark.parametrize(
    "daemon", against("AS_TRANS, AS4_PATH with two octets (RFC 6793)", bird=Bird, openbgpd=OpenBgpd, exabgp=ExaBgp)
)
def test_as_numbers_of_four_octets_pass_neighbors_of_two(lab: Lab, daemon: type[Peer]) -> None:
    """A third neighbor's path has such a number, and the daemon's own."""
    told = [Announcement("198.18.1.0/24", path=() if daemon is OpenBgpd else (ASN,))]
    made = pair(
        lab, daemon, asn=SHORT_ASN, ours={4: {}}, local_asn=65001, announce=told,
        theirs={4: {"two_octet": True}}, third=THIRD_PATH,
    )  # fmt: skip
    theirs = made.peer.announced(US[4], 4, next_hop=PEER[4])
    mine = (THIRD, THIRD_PATH)
    wait_for("both paths", lambda: made.router.loc_rib(4), lambda found: found == theirs | {mine})
    own = (NETWORKS[4], Attributes(as_path="65001", next_hop=US[4]))
    passed = (THIRD, Attributes(as_path=f"65001 65009 {ASN}", next_hop=US[4]))
    made.peer.wait_routes(US[4], 4, {own, passed})


@pytest.mark.parametrize("daemon", against("extended messages (RFC 8654)", bird=Bird, frr=Frr, exabgp=ExaBgp))
def test_attributes_too_long_for_a_plain_message_cross_both_ways(lab: Lab, daemon: type[Peer]) -> None:
    """1,200 communities, 4,800 octets: from a third neighbor through us, and from the daemon (BIRD and ExaBGP)."""
    large = communities(f"65010:{number}" for number in range(1, 1201))
    told = [Announcement("198.18.1.0/24", communities=() if daemon is Frr else large)]
    theirs = THIRD_PATH._replace(communities=large)
    made = pair(
        lab, daemon, asn=SHORT_ASN, ours={4: {}}, theirs={4: {"extended_messages": True}}, announce=told,
        local_asn=65001, third=theirs,
    )  # fmt: skip
    expected = made.peer.announced(US[4], 4, next_hop=PEER[4])
    wait_for("the long paths", lambda: made.router.loc_rib(4), lambda found: found == expected | {(THIRD, theirs)})
    if isinstance(made.peer, Bird):  # its tool does not show so many
        bird, count = made.peer, f"show route {THIRD} where bgp_community.len = {len(large)}"
        wait_for("the long path", lambda: bird.ask(count), lambda shown: THIRD in shown)
        return
    own = (NETWORKS[4], Attributes(as_path="65001", next_hop=US[4]))
    passed = theirs._replace(as_path=f"65001 65009 {ASN}", next_hop=US[4])
    made.peer.wait_routes(US[4], 4, {own, (THIRD, passed)})
