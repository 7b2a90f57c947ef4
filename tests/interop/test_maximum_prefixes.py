"""Maximum prefixes (RFC 4486): the peer that gives too many is told so and comes back in time, and so are we."""

from __future__ import annotations

import re
from typing import Any

import pytest

import native
from tests.interop.matrix import against
from tests.lab import tables
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
LIMITING, LIMITED = "maximum prefixes: theirs (RFC 4486)", "maximum prefixes: ours (RFC 4486)"
# Its words for Cease, Maximum Number of Prefixes Reached: received, and sent.
TOLD = {
    "bird": ("Received: Maximum number of prefixes reached", "Route limit exceeded"),
    "frr": ("Cease/Maximum Number of Prefixes Reached", "Cease/Maximum Number of Prefixes Reached"),
    # Which of two lines its log has depends on who closes first.
    "gobgp": ("maximum number of prefixes", r'maximum number of prefixes|"Code":6,.*"Subcode":1,.*"sent notification"'),
    "openbgpd": ("Cease, received max-prefix exceeded", "Cease, received max-prefix exceeded"),
    "exabgp": (r"notification received \(6,1\)", ""),
}
THEM, US = "10.1.0.1", "10.1.0.2"


def lab_of(lab: Lab, daemon: type[Peer], *, ours: dict[str, Any], theirs: int | None) -> tuple[Router, Peer]:
    """One session, on which they tell 5 prefixes and we 6 (FRR looks before it counts: the second one too many ends
    its session)."""
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{THEM}/24"])
    routes = [Announcement(f"198.18.{at}.0/24") for at in range(5)]
    session = Neighbor(US, 65001, THEM, families=(4,), maximum=theirs)
    peer = daemon(there, PeerConfig(65010, THEM, [session], routes))
    peer.start()
    networks = [f"203.0.{at}.0/24" for at in range(6)]
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}},
        "static": {network: {"blackhole": True} for network in networks},
        "bgp": {
            "networks": networks,
            "neighbors": {
                THEM: {"asn": 65010, "families": {"ipv4-unicast": {"import": "accept", "export": "accept", **ours}}}
            },
        },
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    return router, peer


def row(router: Router) -> dict[str, Any]:
    return dict(router.ctl("show", "bgp", "neighbor", THEM)["neighbors"][0])


def ended(router: Router, way: str) -> dict[str, Any]:
    """The last session, once it was this limit that ended it: by its own Cease, or inside a hard reset (RFC 8538)."""

    def told(last: Any) -> bool:
        said = last[way] if last is not None else None
        return said is not None and "maximum number of prefixes reached" in f"{said['name']} {said['text']}"

    return dict(wait_for("the session to end", lambda: row(router)["last_session"], told, timeout=20))


def said(peer: Peer, words: str) -> None:
    wait_for("the peer's word", lambda: peer.last_error(US), lambda text: re.search(words, text, re.I), timeout=20)


@pytest.mark.parametrize("daemon", against(LIMITED, bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd, exabgp=ExaBgp))
def test_a_peer_that_gives_too_many_is_told_so_and_taken_again_after_the_pause(lab: Lab, daemon: type[Peer]) -> None:
    limit = {"limit": 4, "restart-after": 2}
    router, peer = lab_of(lab, daemon, ours={"maximum-prefixes": limit}, theirs=None)
    last = ended(router, "sent")
    assert last["reason"] == "5 paths of ipv4-unicast, over the limit of 4; again in 2 s"
    assert last["received"] is None
    said(peer, TOLD[peer.kind][0])
    count = row(router)["established_count"]
    wait_for("the next session", lambda: row(router)["established_count"], lambda now: now > count)
    ended(router, "sent")
    wait_for("no route of it", lambda: router.rows(4), lambda rows: not [r for r in rows if r["protocol"] == "bgp"])


@pytest.mark.parametrize("daemon", against(LIMITING, bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd))
def test_a_peer_that_takes_no_more_says_so_and_we_show_it(lab: Lab, daemon: type[Peer]) -> None:
    router, peer = lab_of(lab, daemon, ours={}, theirs=3)
    last = ended(router, "received")
    assert last["sent"] is None
    assert "maximum number of prefixes reached" in last["reason"]
    said(peer, TOLD[peer.kind][1])


def test_of_a_leaked_table_no_other_peer_hears_more_than_one_route_too_many(lab: Lab) -> None:
    box, leaking, listening = lab.box("r1"), lab.box("leaker"), lab.box("sink")
    lab.link(box, "eth0", leaking, "eth0", b_addresses=[f"{THEM}/24"])
    lab.link(box, "eth1", listening, "eth0", b_addresses=["10.2.0.1/24"])
    limit = {"maximum-prefixes": {"limit": 100, "action": "idle"}}
    both = {"import": "accept", "export": "accept"}
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}, "eth1": {"addresses": ["10.2.0.2/24"]}},
        "bgp": {
            "neighbors": {
                THEM: {"asn": 65010, "families": {"ipv4-unicast": {**both, **limit}}},
                "10.2.0.1": {"asn": 65020, "families": {"ipv4-unicast": both}},
            }
        },
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    sink = Feeder(
        listening, "sink", peer="10.2.0.2", local="10.2.0.1", asn=65020, router_id="10.2.0.1", families=(1,)
    )  # fmt: skip
    sink.wait_established()
    table = tables.generate(20_000, family=4, first_asn=65010, next_hop=THEM)
    Feeder(
        leaking, "leaker", peer=US, local=THEM, asn=65010, router_id=THEM, families=(1,), blob=table.encode(),
        record=False,
    )  # fmt: skip
    last = ended(router, "sent")
    assert last["reason"] == "101 paths of ipv4-unicast, over the limit of 100; idle until it is started again"
    wait_for("an empty table at the sink", sink.table, lambda held: not held)
    assert router.session(THEM) == "idle"
    terms = native.SessionTerms(peer_asn=65001, local_asn=65020, four_octet_as=True, families=[(1, 1)])
    framed = native.Framer(4096).feed(sink.recorded())
    told = [native.decode(item, terms).announced for item in framed.items if isinstance(item, native.Updates)]
    assert sum(told) <= 101
