"""RFC 7911 with real daemons: several paths of a prefix cross a session, and each goes away alone.

received: two feeders ─── daemon (AS 65040) ─── router (AS 65001)
sent: daemon (AS 65040) ─── router (AS 65001) ─── two feeders
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab import updates
from tests.lab.attributes import Attributes, Route, assert_same, from_routingd, over_ebgp, prefix
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab, Namespace
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import LabTimeoutError, wait_for

pytestmark = pytest.mark.netns
RECEIVE, SEND = "several paths: received (RFC 7911)", "several paths: sent (RFC 7911)"
ASN, PEER_ASN = 65001, 65040
US, PEER = "10.9.0.2", "10.9.0.1"
BOTH, FIRST, SECOND = "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24"


class Feeders:
    """Two speakers in one box on the subnet 10.NET.0.0/24, where the one that they feed is .2: one prefix from both,
    one from each."""

    def __init__(self, net: int, asn: int, to: int) -> None:
        self.to, self.to_asn = f"10.{net}.0.2", to
        self.ends = {f"10.{net}.0.1": asn, f"10.{net}.0.3": asn + 1}
        self.speakers: dict[str, Feeder] = {}
        self.told: dict[str, dict[str, Attributes]] = {address: {} for address in self.ends}

    def start(self, box: Namespace) -> None:
        for index, (address, asn) in enumerate(self.ends.items()):
            self.speakers[address] = Feeder(
                box, f"feeder{index}", peer=self.to, local=address, asn=asn, router_id=address, families=(1,),
                record=False,
            )  # fmt: skip
        for address, own in zip(self.ends, (FIRST, SECOND), strict=True):
            self.speakers[address].wait_established()
            self.tell(address, BOTH, communities=(f"{self.ends[address]}:1",))
            self.tell(address, own)

    def tell(self, address: str, where: str, **more: Any) -> None:
        asn = self.ends[address]
        attributes = Attributes(as_path=f"{asn} 64999", next_hop=address, **more)
        self.told[address][where] = attributes
        self.speakers[address].send(b"".join(updates.announcements([updates.parse_prefix(where)], attributes)))

    def take_back(self, address: str, where: str) -> None:
        del self.told[address][where]
        self.speakers[address].send(b"".join(updates.withdrawals([updates.parse_prefix(where)])))

    def passed_on(self, by: int, next_hop: str) -> set[Route]:
        """What who takes them tells an external peer of them, all paths."""
        every = [(where, told) for of in self.told.values() for where, told in of.items()]
        return {(where, over_ebgp(told, asn=by, next_hop=next_hop)) for where, told in every}


def held(router: Router, of: str = PEER) -> set[Route]:
    """Every path from a neighbor."""
    rows = router.ctl("show", "route", "neighbor", of, "all")["routes"]
    return {(prefix(row["prefix"]), from_routingd(row["attributes"])) for row in rows}


def must_hold(router: Router, expected: set[Route]) -> None:
    try:
        wait_for("the paths", lambda: held(router), lambda found: found == expected, every=0.2)
    except LabTimeoutError:
        assert_same(expected, held(router), "paths")


def configuration(**add_path: Any) -> dict[str, Any]:
    family = {"import": "accept", "export": "accept", "add-path": add_path}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}},
        "bgp": {"neighbors": {PEER: {"asn": PEER_ASN, "families": {"ipv4-unicast": family}}}},
    }


@pytest.mark.parametrize("daemon", against(RECEIVE, bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd))
def test_every_path_of_a_prefix_comes_and_goes_alone(lab: Lab, daemon: type[Peer]) -> None:
    boxes = {name: lab.box(name) for name in ("r1", "peer", "feeders")}
    lab.link(boxes["r1"], "eth0", boxes["peer"], "eth0", b_addresses=[f"{PEER}/24"])
    feeders = Feeders(7, 65018, PEER_ASN)
    ends = [f"{address}/24" for address in feeders.ends]
    lab.link(boxes["peer"], "eth1", boxes["feeders"], "eth0", a_addresses=[f"{feeders.to}/24"], b_addresses=ends)
    router = Router(lab, configuration(receive=True), {"ncp1": boxes["r1"]})
    ours = Neighbor(US, ASN, PEER, families=(4,), transit=True, add_path="send")
    theirs = [
        Neighbor(address, asn, feeders.to, families=(4,), passive=True, export=False)
        for address, asn in feeders.ends.items()
    ]
    peer = daemon(boxes["peer"], PeerConfig(PEER_ASN, PEER, [ours, *theirs]))
    router.start()
    peer.start()
    try:
        feeders.start(boxes["feeders"])
        router.wait_established()
        for address in feeders.ends:
            peer.wait_routes(address, 4, {(p, a) for p, a in feeders.told[address].items()})
        must_hold(router, feeders.passed_on(PEER_ASN, PEER))
        assert len(held(router)) == 4
        first, second = feeders.ends
        feeders.tell(second, BOTH, communities=("65018:7",))
        must_hold(router, feeders.passed_on(PEER_ASN, PEER))
        feeders.take_back(first, BOTH)
        must_hold(router, feeders.passed_on(PEER_ASN, PEER))
        feeders.take_back(second, BOTH)
        must_hold(router, feeders.passed_on(PEER_ASN, PEER))
        assert {where for where, _ in held(router)} == {FIRST, SECOND}
    finally:
        peer.stop()


@pytest.mark.matrix(RECEIVE, "exabgp")
def test_exabgps_own_identifiers_tell_its_paths_apart(lab: Lab) -> None:
    boxes = {name: lab.box(name) for name in ("r1", "peer")}
    lab.link(boxes["r1"], "eth0", boxes["peer"], "eth0", b_addresses=[f"{PEER}/24"])
    announced = [
        Announcement(BOTH, path=(65010,), path_id=1),
        Announcement(BOTH, path=(65011, 65012), communities=("65040:2",), path_id=4_000_000_000),
        Announcement(SECOND, path=(65010,), path_id=1),
    ]
    router = Router(lab, configuration(receive=True), {"ncp1": boxes["r1"]})
    ours = Neighbor(US, ASN, PEER, families=(4,), add_path="send")
    peer = ExaBgp(boxes["peer"], PeerConfig(PEER_ASN, PEER, [ours], announced))
    router.start()
    peer.start()
    try:
        router.wait_established()
        must_hold(router, peer.announced(US, next_hop=PEER))
        rows = router.ctl("show", "route", "neighbor", PEER, "all")["routes"]
        assert sorted((row["prefix"], row["path_id"]) for row in rows) == [
            (BOTH, 1), (BOTH, 4_000_000_000), (SECOND, 1),
        ]  # fmt: skip
    finally:
        peer.stop()


@pytest.mark.parametrize("daemon", against(SEND, bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd, exabgp=ExaBgp))
def test_every_path_of_a_prefix_is_told_and_taken_back_alone(lab: Lab, daemon: type[Peer]) -> None:
    boxes = {name: lab.box(name) for name in ("r1", "peer", "feeders")}
    lab.link(boxes["r1"], "eth0", boxes["peer"], "eth0", b_addresses=[f"{PEER}/24"])
    feeders = Feeders(8, 65008, ASN)
    ends = [f"{address}/24" for address in feeders.ends]
    lab.link(boxes["r1"], "eth1", boxes["feeders"], "eth0", b_addresses=ends)
    config = configuration(send="all")
    config["interfaces"]["eth1"] = {"addresses": [f"{feeders.to}/24"]}
    config["bgp"]["neighbors"] |= {
        address: {"asn": asn, "passive": True, "families": {"ipv4-unicast": {"import": "accept"}}}
        for address, asn in feeders.ends.items()
    }
    router = Router(lab, config, {"ncp1": boxes["r1"]})
    ours = Neighbor(US, ASN, PEER, families=(4,), add_path="receive")
    peer = daemon(boxes["peer"], PeerConfig(PEER_ASN, PEER, [ours]))
    router.start()
    peer.start()
    try:
        feeders.start(boxes["feeders"])
        router.wait_established()
        peer.wait_routes(US, 4, feeders.passed_on(ASN, US))
        before = advertised(router)
        assert len(before) == 4
        first, second = feeders.ends
        feeders.tell(second, BOTH, communities=("65009:7",))
        peer.wait_routes(US, 4, feeders.passed_on(ASN, US))
        assert advertised(router).keys() == before.keys()
        feeders.take_back(first, BOTH)
        peer.wait_routes(US, 4, feeders.passed_on(ASN, US))
        (left,) = (key for key in advertised(router) if key[0] == BOTH)
        assert before[left].startswith("65001 65009")  # the other path keeps its identifier
        feeders.tell(first, BOTH, communities=("65008:8",))
        peer.wait_routes(US, 4, feeders.passed_on(ASN, US))
        for address in feeders.ends:
            feeders.take_back(address, BOTH)
        peer.wait_routes(US, 4, feeders.passed_on(ASN, US))
        assert {where for where, _ in peer.routes(US)} == {FIRST, SECOND}
    finally:
        peer.stop()


def advertised(router: Router) -> dict[tuple[str, int], str]:
    """(prefix, path identifier) to AS path, as the router says that the peer knows it."""
    rows = router.ctl("show", "bgp", "advertised", PEER)["routes"]
    return {(row["prefix"], row["path_id"]): row["attributes"]["as_path"] for row in rows}
