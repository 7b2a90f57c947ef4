"""`bgp: listen`: every daemon becomes a neighbor by connecting from the prefix, and is none when it has gone."""

from __future__ import annotations

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
OWN = "203.0.113.0/24"
DAEMONS: tuple[type[Peer], ...] = (Bird, Frr, GoBgp, OpenBgpd, ExaBgp)


@pytest.mark.matrix("dynamic neighbors", "bird")
@pytest.mark.matrix("dynamic neighbors", "frr")
@pytest.mark.matrix("dynamic neighbors", "gobgp")
@pytest.mark.matrix("dynamic neighbors", "openbgpd")
@pytest.mark.matrix("dynamic neighbors", "exabgp")
def test_who_connects_from_the_prefix_is_a_neighbor_of_whatever_as_until_it_goes(lab: Lab) -> None:
    box = lab.box("r1")
    interfaces, peers, told = {}, {}, {}
    for number, daemon in enumerate(DAEMONS, start=1):
        home = lab.box(daemon.kind)
        ours, theirs = f"10.9.{number}.1", f"10.9.{number}.2"
        lab.link(box, f"eth{number}", home, "eth0", b_addresses=(f"{theirs}/24",))
        interfaces[f"eth{number}"] = {"addresses": [f"{ours}/24"]}
        announced = Announcement(f"198.18.{number}.0/24", med=number, communities=(f"65010:{number}",))
        session = Neighbor(ours, 65001, theirs, families=(4,))
        peers[ours] = daemon(home, PeerConfig(65040 + number, theirs, [session], [announced]))
        told[ours] = peers[ours].announced(ours, 4, next_hop=theirs)
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": interfaces,
        "static": {OWN: {"blackhole": True}},
        "bgp": {
            "networks": [OWN],
            "groups": {
                "anybody": {
                    "asn": "external",
                    "families": {"ipv4-unicast": {"import": "accept", "export": "accept"}},
                },
            },
            "listen": {"10.9.0.0/16": {"group": "anybody", "limit": len(DAEMONS)}},
        },
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    assert router.summary()["neighbors"] == []
    for peer in peers.values():
        peer.start()
    try:
        wait_for("all neighbors", lambda: router.summary()["listen"][0]["neighbors"], lambda n: n == len(DAEMONS))
        router.wait_established()
        every: set[Route] = {route for routes in told.values() for route in routes}
        wait_for("the Loc-RIB", router.loc_rib, lambda routes: routes == every)
        for ours, peer in peers.items():
            mine = {(OWN, Attributes(as_path="65001", next_hop=ours))}
            others = {(p, over_ebgp(a, asn=65001, next_hop=ours)) for p, a in every - told[ours]}
            peer.wait_routes(ours, 4, mine | others)
        rows = router.summary()["neighbors"]
        assert {(row["listen"], row["asn"]) for row in rows} == {("10.9.0.0/16", 65040 + n) for n in range(1, 6)}
        assert "Listening for 10.9.0.0/16 (group anybody): 5 of 5 neighbors\n" in router.text("show", "bgp", "summary")
    finally:
        for peer in peers.values():
            peer.kill()
    wait_for("no neighbor to be left", router.summary, lambda summary: summary["neighbors"] == [], timeout=60)
    wait_for("no route to be left", router.loc_rib, lambda routes: not routes)
