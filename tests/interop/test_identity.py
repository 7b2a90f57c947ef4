"""Names of routers (FQDN): each side shows that of the other; and nobody minds our version beside it."""

from __future__ import annotations

import socket

import pytest

from tests.interop.matrix import against
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.peer import Neighbor, Peer, PeerConfig
from tests.lab.router import Router

pytestmark = pytest.mark.netns
THEM, US = "10.1.0.1", "10.1.0.2"


@pytest.mark.parametrize("daemon", against("name of the router (FQDN)", bird=Bird, frr=Frr, gobgp=GoBgp, exabgp=ExaBgp))
def test_each_side_shows_the_name_of_the_other(lab: Lab, daemon: type[Peer]) -> None:
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{THEM}/24"])
    peer = daemon(there, PeerConfig(65001, THEM, [Neighbor(US, 65001, THEM, families=(4,), host_name=True)]))
    peer.start()
    config = {
        "router": {"name": "edge7", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}},
        "bgp": {"neighbors": {THEM: {"asn": 65001, "families": {"ipv4-unicast": {"import": "accept"}}}}},
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    router.wait_established(THEM)
    peer.wait_established(US)
    assert peer.told_name(US) == "edge7"
    rows = router.ctl("show", "bgp", "neighbor", THEM)["neighbors"][0]["capabilities"]
    said = {(row["name"], row["value"]): (row["sent"], row["received"]) for row in rows}
    assert said["fqdn", "edge7"] == (True, False)
    assert said["fqdn", socket.gethostname()] == (False, True)
    assert [both for (name, _), both in said.items() if name == "software-version"] == [(True, False)]
