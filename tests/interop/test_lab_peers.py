"""The lab against itself: each peer daemon faces the plain speaker, and both ends' readings of the tables must be
equal.

What a peer's reader gets wrong here would otherwise be blamed on the router under test.
"""

from __future__ import annotations

import pytest

from tests.lab import tables
from tests.lab.attributes import Route, assert_same
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
PEER, US = "10.9.0.1", "10.9.0.2"
PEER6, US6 = "2001:db8:9::1", "2001:db8:9::2"
ANNOUNCED = [
    Announcement("198.18.1.0/24"),
    Announcement("198.18.2.0/24", med=7, communities=("65010:1", "65010:3"), large=("65010:1:2",)),
    Announcement("198.18.3.0/24", path=(65040, 65040), origin="incomplete"),
    Announcement("2001:db8:77::/48", communities=("65010:2",)),
]


@pytest.mark.parametrize("ebgp", [True, False], ids=["ebgp", "ibgp"])
@pytest.mark.parametrize("daemon", [Bird, Frr, ExaBgp, GoBgp, OpenBgpd])
def test_a_peer_and_the_plain_speaker_see_the_same_tables(lab: Lab, daemon: type[Peer], ebgp: bool) -> None:
    box, us = lab.box("peer"), lab.box("us")
    lab.link(box, "eth0", us, "eth0", a_addresses=[f"{PEER}/24", f"{PEER6}/64"], b_addresses=[f"{US}/24", f"{US6}/64"])
    asn = 65040
    our_asn = 65010 if ebgp else asn
    neighbors = [
        Neighbor(US, our_asn, PEER, families=(4,), next_hop_self=True),
        Neighbor(US6, our_asn, PEER6, families=(6,), next_hop_self=True),
    ]
    announce = [a for a in ANNOUNCED if ebgp or not a.path]
    peer = daemon(box, PeerConfig(asn, "10.9.0.1", neighbors, announce))
    peer.start()
    preference = None if ebgp else 150
    table4 = tables.generate(300, first_asn=65010, next_hop=US, local_pref=preference)
    table6 = tables.generate(100, family=6, first_asn=65010, next_hop=US6, local_pref=preference)
    four = Feeder(
        us,
        "four",
        peer=PEER,
        local=US,
        asn=our_asn,
        router_id="10.9.0.2",
        families=(1,),
        blob=table4.encode(),
        listen=True,
    )
    six = Feeder(
        us,
        "six",
        peer=PEER6,
        local=US6,
        asn=our_asn,
        router_id="10.9.0.2",
        families=(2,),
        blob=table6.encode(),
        listen=True,
    )
    peer.wait_established()

    peer.wait_routes(US, 4, set(table4.truth()))
    peer.wait_routes(US6, 6, set(table6.truth()))
    must_arrive(four, peer.announced(US, 4, next_hop=PEER))
    must_arrive(six, peer.announced(US6, 6, next_hop=PEER6))

    four.process.kill()
    wait_for("the peer to notice", lambda: peer.session(US), lambda state: state != "established")
    wait_for("the peer to forget its routes", lambda: len(peer.routes(US, 4)), lambda n: n == 0)
    assert peer.session(US6) == "established"


def must_arrive(feeder: Feeder, expected: set[Route]) -> None:
    wait_for("routes at the speaker", lambda: len(feeder.table()), lambda n: n >= len(expected), timeout=15)
    assert_same(expected, feeder.routes(), "what the peer announced, at the speaker")
