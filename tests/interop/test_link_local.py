"""Neighbors by link-local address: all of them fe80::2, each on a port of its own, with routes of both families."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.lab import kernel
from tests.lab.attributes import Attributes, Route, over_ebgp
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import Hop
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
OURS, THEIRS = "fe80::1", "fe80::2"
OWN = {4: "203.0.113.0/24", 6: "2001:db8:113::/48"}
BOTH = {"import": "accept", "export": "accept"}
DAEMONS: tuple[type[Peer], ...] = (Bird, Frr, GoBgp, OpenBgpd, ExaBgp)


@pytest.mark.matrix("link-local neighbors", "bird")
@pytest.mark.matrix("link-local neighbors", "frr")
@pytest.mark.matrix("link-local neighbors", "gobgp")
@pytest.mark.matrix("link-local neighbors", "openbgpd")
@pytest.mark.matrix("link-local neighbors", "exabgp")
def test_neighbors_with_one_link_local_address_on_several_ports_are_several(lab: Lab) -> None:
    box = lab.box("r1")
    peers: dict[str, Peer] = {}
    interfaces: dict[str, Any] = {}
    neighbors: dict[str, Any] = {}
    for number, daemon in enumerate(DAEMONS, start=1):
        home = lab.box(daemon.kind)
        lab.link(box, f"eth{number}", home, "eth0")
        home.ip("address", "flush", "dev", "eth0", "scope", "link")
        home.address("eth0", f"{THEIRS}/64")
        interfaces[f"eth{number}"] = {"addresses": [f"{OURS}/64"]}
        families = (4, 6) if daemon in (Bird, Frr) else (6,)
        neighbors[f"{THEIRS}%eth{number}"] = {
            "asn": 65040 + number, "families": {f"ipv{of}-unicast": BOTH for of in families}
        }  # fmt: skip
        announced = [
            Announcement(f"198.18.{number}.0/24", med=number), Announcement(f"2001:db8:{number}::/48", med=number),
        ]  # fmt: skip
        local = f"{THEIRS}%eth0" if daemon in (OpenBgpd, GoBgp) else THEIRS
        session = Neighbor(f"{OURS}%eth0", 65001, local, families=families, extended_next_hop=True)
        config = PeerConfig(65040 + number, f"10.0.0.{number}", [session], announced)
        peers[f"eth{number}"] = daemon(home, config)
    router = Router(
        lab,
        {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "interfaces": interfaces,
            "static": {prefix: {"blackhole": True} for prefix in OWN.values()},
            "bgp": {"networks": list(OWN.values()), "neighbors": neighbors},
        },
        {"ncp1": box},
    )
    router.start()
    for peer in peers.values():
        peer.start()
    router.wait_established(*neighbors)
    for of in (4, 6):
        expected: dict[str, set[Route]] = {
            port: peer.announced(f"{OURS}%eth0", of, next_hop=THEIRS)
            for port, peer in peers.items()
            if of in peer.config.neighbors[0].families
        }
        every = {route for routes in expected.values() for route in routes}
        wait_for("the Loc-RIB", partial(router.loc_rib, of), every.__eq__)
        told = {(OWN[of], Attributes(as_path="65001", next_hop=OURS))}
        for port, mine in expected.items():
            others = {(p, over_ebgp(a, asn=65001, next_hop=OURS)) for p, a in every - mine}
            peers[port].wait_routes(f"{OURS}%eth0", of, told | others)
            forwarded = kernel.kernel_routes(box, families=(of,))
            assert {forwarded[p] for p, _ in mine} == {frozenset({(Hop(THEIRS, port), 1)})}
    (row,) = router.ctl("show", "bgp", "neighbor", "fe80:0::2%ncp1/eth2")["neighbors"]
    assert (row["address"], row["endpoint"]["local"], row["endpoint"]["remote"]) == (f"{THEIRS}%eth2", OURS, THEIRS)
    for peer in peers.values():
        peer.stop()
    wait_for("no route to be left", lambda: kernel.kernel_routes(box).keys() <= set(OWN.values()))
