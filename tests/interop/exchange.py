"""One router of one box between a feeder and a peer daemon: what every daemon is put through, eBGP and iBGP alike.

    feeder ─── router (AS 65001) ─── peer

The feeder (eBGP, AS 65009) gives the router a table that the router must pass on; the peer gives routes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab import tables
from tests.lab.attributes import Attributes, Route, assert_same, over_ebgp, over_ibgp
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig, Restarts
from tests.lab.router import Router
from tests.lab.waiting import LabTimeoutError, wait_for

ASN, PEER_ASN, FEEDER_ASN = 65001, 65040, 65009
PEER = {4: "10.9.0.1", 6: "2001:db8:9::1"}
US = {4: "10.9.0.2", 6: "2001:db8:9::2"}
FEEDER = {4: "10.8.0.1", 6: "2001:db8:8::1"}
TO_FEEDER = {4: "10.8.0.2", 6: "2001:db8:8::2"}
NETWORKS = {4: "198.19.0.0/24", 6: "2001:db8:19::/48"}
ANNOUNCED = (
    Announcement("198.18.1.0/24"),
    Announcement("198.18.2.0/24", med=7, communities=("65010:1", "65010:3"), large=("65010:1:2",)),
    Announcement("198.18.3.0/24", path=(65040, 65040), origin="incomplete"),
    Announcement("0.0.0.0/0", communities=("65010:9",)),
    Announcement("2001:db8:77::/48", communities=("65010:2",)),
    Announcement("2001:db8:78::1/128", med=9),
)


@dataclass(slots=True)
class Exchange:
    router: Router
    peer: Peer
    feeder: Feeder
    table: dict[int, tables.Table]
    ebgp: bool

    def loc_rib_must_be(self, of: int, *, with_peer: bool = True, timeout: float = 30.0) -> None:
        """What the feeder and the peer announced, each as it was announced."""
        expected = set(self.table[of].truth())
        if with_peer:
            expected |= self.peer.announced(US[of], of, next_hop=PEER[of])
        try:
            wait_for(
                "the Loc-RIB",
                lambda: self.router.loc_rib(of),
                lambda found: found == expected,
                timeout=timeout,
                every=0.3,
            )
        except LabTimeoutError:
            assert_same(expected, self.router.loc_rib(of), f"IPv{of} Loc-RIB")

    def peer_must_hold(self, of: int, timeout: float = 30.0) -> None:
        """The feeder's table and the router's own network, as the session's kind demands."""
        self.peer.wait_routes(US[of], of, self.exported(of), timeout)

    def exported(self, of: int) -> set[Route]:
        if self.ebgp:
            passed = {(p, over_ebgp(a, asn=ASN, next_hop=US[of])) for p, a in self.table[of].truth()}
            own = Attributes(as_path=str(ASN), next_hop=US[of])
        else:
            passed = {(p, over_ibgp(a, next_hop=US[of])) for p, a in self.table[of].truth()}
            own = Attributes(next_hop=US[of], local_pref=100)
        return passed | {(NETWORKS[of], own)}


def configuration(*, peer_asn: int, engine: str = "native", deferral: int = 360) -> dict[str, Any]:
    both = {"import": "accept", "export": "accept"}
    neighbors: dict[str, Any] = {}
    for of, name in ((4, "ipv4-unicast"), (6, "ipv6-unicast")):
        neighbors[PEER[of]] = {"asn": peer_asn, "next-hop-self": True, "families": {name: both}}
        neighbors[FEEDER[of]] = {"asn": FEEDER_ASN, "families": {name: {"import": "accept"}}}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN, "engine": engine},
        "ncps": {"ncp1": {"embedded": True}},
        "interfaces": {
            "ncp1/eth0": {"addresses": [f"{US[4]}/24", f"{US[6]}/64"]},
            "ncp1/eth1": {"addresses": [f"{TO_FEEDER[4]}/24", f"{TO_FEEDER[6]}/64"]},
        },
        "static": {prefix: {"blackhole": True} for prefix in NETWORKS.values()},
        "bgp": {
            "networks": list(NETWORKS.values()),
            "graceful-restart": {"deferral": deferral},
            "neighbors": neighbors,
        },
    }


def start(
    lab: Lab, daemon: type[Peer], *, ebgp: bool, prefixes: int = 400, engine: str = "native",
    deferral: int = 360, restarts: Restarts | None = None, hold_time: int = 30, passive: bool = False,
) -> Exchange:  # fmt: skip
    """Everything up, sessions established, the tables on their way. ``passive``: the daemon waits for us to call."""
    boxes = {name: lab.box(name) for name in ("r1", "peer", "feeder")}
    lab.link(boxes["r1"], "eth0", boxes["peer"], "eth0", b_addresses=[f"{PEER[4]}/24", f"{PEER[6]}/64"])
    lab.link(boxes["r1"], "eth1", boxes["feeder"], "eth0", b_addresses=[f"{FEEDER[4]}/24", f"{FEEDER[6]}/64"])
    peer_asn = PEER_ASN if ebgp else ASN
    config = configuration(peer_asn=peer_asn, engine=engine, deferral=deferral)
    router = Router(lab, config, {"ncp1": boxes["r1"]})
    announce = [a for a in ANNOUNCED if ebgp or not a.path]
    neighbors = [
        Neighbor(US[of], ASN, PEER[of], families=(of,), restarts=restarts, hold_time=hold_time, passive=passive)
        for of in (4, 6)
    ]
    peer = daemon(boxes["peer"], PeerConfig(peer_asn, PEER[4], neighbors, announce))
    table = {
        of: tables.generate(count, family=of, first_asn=FEEDER_ASN, next_hop=FEEDER[of])
        for of, count in ((4, prefixes), (6, prefixes // 4))
    }
    router.start()
    peer.start()
    feeders = {
        of: Feeder(
            boxes["feeder"], f"feeder{of}", peer=TO_FEEDER[of], local=FEEDER[of], asn=FEEDER_ASN, router_id=FEEDER[4],
            families=(1 if of == 4 else 2,), blob=table[of].encode(),
        )
        for of in (4, 6)
    }  # fmt: skip
    router.wait_established()
    peer.wait_established()
    return Exchange(router, peer, feeders[4], table, ebgp)


def tables_cross_both_ways(
    lab: Lab, daemon: type[Peer], *, ebgp: bool, prefixes: int = 400, engine: str = "native"
) -> None:
    """Sets of (prefix, attributes) at both ends, both families."""
    made = start(lab, daemon, ebgp=ebgp, prefixes=prefixes, engine=engine)
    for of in (4, 6):
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)


def a_killed_peer_takes_only_its_routes(lab: Lab, daemon: type[Peer]) -> None:
    """kill -9, then the same daemon again."""
    made = start(lab, daemon, ebgp=True)
    for of in (4, 6):
        made.loc_rib_must_be(of)
    made.peer.kill()
    for of in (4, 6):
        made.loc_rib_must_be(of, with_peer=False)
        assert made.router.session(FEEDER[of]) == "established"
        assert made.router.session(PEER[of]) != "established"
    made.peer.start()
    made.peer.wait_established()
    for of in (4, 6):
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)


def a_restarted_session_has_the_same_tables(lab: Lab, daemon: type[Peer]) -> None:
    """The peer's own command ends the session with a NOTIFICATION; everything is there again afterwards, and the
    other stays up."""
    made = start(lab, daemon, ebgp=True)
    for of in (4, 6):
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)

    def times(address: str) -> int:
        neighbors = made.router.ctl("show", "bgp", "neighbor", address)["neighbors"]
        return int(neighbors[0]["established_count"])

    before = {of: times(PEER[of]) for of in (4, 6)}
    made.peer.restart_session(US[4])
    wait_for("the session to come back", lambda: times(PEER[4]), lambda n: n > before[4], timeout=40)
    made.peer.wait_established()
    made.router.wait_established()
    for of in (4, 6):
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)
    assert times(PEER[6]) == before[6]
