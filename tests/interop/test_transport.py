"""Sessions that TCP guards (RFC 2385, RFC 5082) or that cross a router, with every daemon at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.attributes import Attributes, Route, over_ebgp
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
OWN = {4: "203.0.113.0/24", 6: "2001:db8:113::/48"}
BOTH = {"import": "accept", "export": "accept"}
DAEMONS: tuple[type[Peer], ...] = (Bird, Frr, GoBgp, OpenBgpd, ExaBgp)


def cells(feature: str) -> Callable[[Any], Any]:
    def mark(test: Any) -> Any:
        for daemon in DAEMONS:
            test = pytest.mark.matrix(feature, daemon.kind)(test)
        return test

    return mark


def announcements(number: int) -> list[Announcement]:
    return [Announcement(f"198.18.{number}.0/24", med=number), Announcement(f"2001:db8:{number}::/48", med=number)]


def configuration(interfaces: dict[str, Any], neighbors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": interfaces,
        "static": {prefix: {"blackhole": True} for prefix in OWN.values()} | more,
        "bgp": {"networks": list(OWN.values()), "neighbors": neighbors},
    }


def everything_crosses(router: Router, peers: dict[int, Peer], ours: Callable[[int, int], str], *of: int) -> None:
    """Each peer's routes are in the Loc-RIB, and each peer holds ours and the others'."""
    router.wait_established()
    for family in of:
        told: dict[int, set[Route]] = {
            number: peer.announced(ours(number, family), family, next_hop=peer.neighbor(ours(number, family)).local)
            for number, peer in peers.items()
        }
        every = {route for routes in told.values() for route in routes}
        wait_for("the Loc-RIB", lambda f=family: router.loc_rib(f), every.__eq__)
        for number, peer in peers.items():
            us = ours(number, family)
            others = {(p, over_ebgp(a, asn=65001, next_hop=us)) for p, a in every - told[number]}
            peer.wait_routes(us, family, {(OWN[family], Attributes(as_path="65001", next_hop=us))} | others)


@cells("TCP MD5 (RFC 2385)")
@cells("GTSM (RFC 5082)")
def test_signed_ipv4_sessions_and_ipv6_sessions_that_only_a_neighbor_on_the_link_can_have(lab: Lab) -> None:
    box = lab.box("r1")
    interfaces: dict[str, Any] = {}
    neighbors: dict[str, Any] = {}
    peers: dict[int, Peer] = {}
    for number, daemon in enumerate(DAEMONS, start=1):
        home, asn = lab.box(daemon.kind), 65040 + number
        us, them = (f"10.9.{number}.1", f"2001:db8:9:{number}::1"), (f"10.9.{number}.2", f"2001:db8:9:{number}::2")
        lab.link(box, f"eth{number}", home, "eth0", b_addresses=(f"{them[0]}/24", f"{them[1]}/64"))
        interfaces[f"eth{number}"] = {"addresses": [f"{us[0]}/24", f"{us[1]}/64"]}
        neighbors[them[0]] = {"asn": asn, "password": f"key{number}", "families": {"ipv4-unicast": BOTH}}
        neighbors[them[1]] = {"asn": asn, "ttl-security": True, "families": {"ipv6-unicast": BOTH}}
        sessions = [
            Neighbor(us[0], 65001, them[0], families=(4,), password=f"key{number}"),
            Neighbor(us[1], 65001, them[1], families=(6,), ttl_security=True),
        ]
        peers[number] = daemon(home, PeerConfig(asn, them[0], sessions, announcements(number)))
    router = Router(lab, configuration(interfaces, neighbors), {"ncp1": box})
    router.start()
    for peer in peers.values():
        peer.start()
    everything_crosses(router, peers, lambda n, of: f"10.9.{n}.1" if of == 4 else f"2001:db8:9:{n}::1", 4, 6)


@cells("external, several hops away")
def test_external_sessions_cross_a_router(lab: Lab) -> None:
    box, middle = lab.box("r1"), lab.box("middle")
    lab.link(box, "eth0", middle, "eth0", b_addresses=("10.0.0.2/24",))
    neighbors: dict[str, Any] = {}
    peers: dict[int, Peer] = {}
    for number, daemon in enumerate(DAEMONS, start=1):
        home, asn, them = lab.box(daemon.kind), 65040 + number, f"10.9.{number}.2"
        lab.link(
            middle, f"eth{number}", home, "eth0", a_addresses=(f"10.9.{number}.1/24",), b_addresses=(f"{them}/24",)
        )
        home.route("10.0.0.0/24", "via", f"10.9.{number}.1")
        neighbors[them] = {
            "asn": asn, "multihop": 2, "source": "10.0.0.1", "families": {"ipv4-unicast": BOTH},
        }  # fmt: skip
        session = Neighbor("10.0.0.1", 65001, them, families=(4,), multihop=True)
        peers[number] = daemon(home, PeerConfig(asn, them, [session], announcements(number)[:1]))
    config = configuration(
        {"eth0": {"addresses": ["10.0.0.1/24"]}}, neighbors, **{"10.9.0.0/16": {"next-hop": "10.0.0.2"}}
    )
    router = Router(lab, config, {"ncp1": box})
    router.start()
    for peer in peers.values():
        peer.start()
    everything_crosses(router, peers, lambda n, of: "10.0.0.1", 4)
