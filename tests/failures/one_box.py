"""A router of one box, whose controller is elsewhere:

home (routingd) ── box (ncpd) ── feeder (AS 65020)
                    └─────────── BIRD (AS 65041)
"""

from __future__ import annotations

from typing import Any

from tests.lab import kernel
from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab
from tests.lab.peer import Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

ASN, FEEDER_ASN, BIRD_ASN = 65001, 65020, 65041
FEEDER, BIRD = "10.1.0.2", "10.2.0.2"
HOME = "10.9.1.1"


class OneBox:
    """``management``: where the agent dials, if not at home."""

    def __init__(self, lab: Lab, management: str = HOME) -> None:
        self.home, self.box, feeder, bird = (lab.box(name) for name in ("home", "box", "feeder", "bird"))
        lab.link(self.home, "m0", self.box, "m0", a_addresses=[f"{HOME}/24"], b_addresses=["10.9.1.2/24"])
        lab.link(self.box, "feed0", feeder, "eth0", b_addresses=[f"{FEEDER}/24"])
        lab.link(self.box, "bird0", bird, "eth0", b_addresses=[f"{BIRD}/24"])
        both: dict[str, Any] = {"families": {"ipv4-unicast": {"import": "accept", "export": "accept"}}}
        config = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
            "ncps": {"ncp1": {"certificate": "ncp1"}},
            "interfaces": {"feed0": {"addresses": ["10.1.0.1/24"]}, "bird0": {"addresses": ["10.2.0.1/24"]}},
            "bgp": {"neighbors": {FEEDER: {"asn": FEEDER_ASN, **both}, BIRD: {"asn": BIRD_ASN, **both}}},
        }
        self.router = Router(lab, config, {"home": self.home, "ncp1": self.box}, management=management)
        self.router.config["listen"]["address"] = self.router.config["listen"]["address"].replace(management, HOME)
        neighbor = Neighbor("10.2.0.1", ASN, BIRD, families=(4,))
        self.bird = Bird(bird, PeerConfig(BIRD_ASN, BIRD, [neighbor]))
        self._feeder_box = feeder

    def start(self) -> None:
        self.router.start_controller()
        self.router.agents["ncp1"].start()
        wait_for("the box", self.ncp, lambda row: row["state"] == "forwarding")

    def feed(self, blob: bytes) -> Feeder:
        return Feeder(
            self._feeder_box, "feeder", peer="10.1.0.1", local=FEEDER, asn=FEEDER_ASN, router_id=FEEDER, families=(1,),
            blob=blob, record=False,
        )  # fmt: skip

    def ncp(self) -> dict[str, Any]:
        return dict(self.router.ctl("show", "ncp", "ncp1", "detail")["ncps"][0])

    def told(self) -> set[str]:
        """Prefixes that BIRD has of us."""
        return {prefix for prefix, _ in self.bird.routes("10.2.0.1")}

    def advertised(self) -> set[str]:
        """Prefixes that we have told BIRD, as we see it."""
        return {row["prefix"] for row in self.router.ctl("show", "bgp", "advertised", BIRD)["routes"]}

    def kernel(self) -> set[str]:
        return set(kernel.kernel_routes(self.box))

    def audited(self) -> dict[str, Any]:
        """What the kernel was found to hold, once it was compared."""
        return dict(self.router.ctl("show", "fib", "consistency", "audit", check=False)["ncps"][0])
