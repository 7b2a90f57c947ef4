"""``kernel: install: false`` with real daemons: what BIRD tells reaches FRR, and no kernel of ours.

bird ─── r1 ─── frr        AS 65002, 65001, 65003
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import kernel
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
BIRD, FRR = "10.1.0.1", "10.2.0.1"
LEARNED, LOOPBACK = "198.51.100.0/24", "10.255.0.1/32"
OFF = "kernel install is off"


class Three:
    def __init__(self, lab: Lab) -> None:
        self.box = lab.box("r1")
        accept = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
        config: dict[str, Any] = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "interfaces": {
                "lo": {"addresses": [LOOPBACK]},
                "eth0": {"addresses": ["10.1.0.2/24"]},
                "eth1": {"addresses": ["10.2.0.2/24"]},
            },
            "static": {"203.0.113.0/24": {"blackhole": True}},
            "bgp": {
                "neighbors": {BIRD: {"asn": 65002, "families": accept}, FRR: {"asn": 65003, "families": accept}},
            },
        }
        bird, frr = lab.box("bird"), lab.box("frr")
        lab.link(self.box, "eth0", bird, "eth0", b_addresses=(f"{BIRD}/24",))
        lab.link(self.box, "eth1", frr, "eth0", b_addresses=(f"{FRR}/24",))
        near, far = Neighbor("10.1.0.2", 65001, BIRD, families=(4,)), Neighbor("10.2.0.2", 65001, FRR, families=(4,))
        self.router = Router(lab, config, {"ncp1": self.box})
        self.bird = Bird(bird, PeerConfig(65002, BIRD, [near], [Announcement(LEARNED)]))
        self.frr = Frr(frr, PeerConfig(65003, FRR, [far]))

    def start(self, *, install: bool) -> None:
        self.router.config["kernel"] = {"install": install}
        self.router.start()
        self.router.wait_established(BIRD, FRR)

    def told(self) -> dict[str, str]:
        return {prefix: attributes.as_path for prefix, attributes in self.frr.routes("10.2.0.2")}

    def prefixes(self) -> set[str]:
        return set(kernel.kernel_routes(self.box))


def test_routes_pass_from_neighbor_to_neighbor_and_go_to_no_kernel(lab: Lab) -> None:
    three = Three(lab)
    three.bird.start()
    three.frr.start()
    three.start(install=True)
    wait_for("the kernel has both", three.prefixes, lambda seen: {LEARNED, "203.0.113.0/24"} <= seen)

    three.router.stop()
    three.start(install=False)
    router = three.router
    wait_for("FRR is told", three.told, lambda told: told.get(LEARNED) == "65001 65002")
    router.wait_ncps()
    wait_for("what an earlier life left is gone", three.prefixes, lambda seen: seen == set())
    assert kernel.nexthops(three.box) == {}
    assert LOOPBACK in {
        a["address"] for row in router.ctl("show", "interfaces")["interfaces"] for a in row["addresses"]
    }

    (ncp,) = router.ncps().values()
    assert (ncp["state"], ncp["reason"], ncp["routes"]) == ("not-installing", OFF, 0)
    assert f"ncp1: {OFF}" in router.text("show", "ncp")
    consistency = router.ctl("show", "fib", "consistency", "audit")
    assert (consistency["install"], consistency["ncps"][0]["state"]) == (False, "equal")
    (row,) = router.ctl("show", "route", LEARNED, "ncp", "all")["ncps"]
    assert (row["state"], row["reason"]) == ("not-installed", OFF)
    assert f"not-installed ({OFF})" in router.text("show", "route", LEARNED, "ncp", "all")
    explained = router.ctl("explain", LEARNED)
    assert (explained["stage"], explained["ncps"][0]["state"]) == ("selected", "not-installed")
    assert router.text("explain", LEARNED).endswith(f"{LEARNED} is selected. Not installed: {OFF}.\n")

    three.bird.withdraw(LEARNED)
    three.bird.reconfigure()
    wait_for("FRR hears of the end", three.told, lambda told: LEARNED not in told)
    router.stop()
    three.start(install=True)
    router.wait_ncps()
    wait_for("the kernel has what is there", three.prefixes, lambda seen: "203.0.113.0/24" in seen)
