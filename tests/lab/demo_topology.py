"""The demo's boxes, cables, addresses and configurations.

    host-a ─── ncp1 ═══ fabric ═══ ncp2 ─── frr ─── host-b
                │                   │ └──── exabgp
    internet ─ bird1              bird2 ─ elsewhere
                └────── server ─────┘

ncp1 and ncp2 are one router, AS 65001: routingd runs in ncp1's box, ncp2's agent dials in over the management cable.
``internet`` feeds bird1 the whole table, ``elsewhere`` feeds bird2 a tenth of it over a longer path. The server is
reached through either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.lab import Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router

ASN, BIRD1_ASN, BIRD2_ASN, FRR_ASN, EXABGP_ASN, FEED_ASN = 65001, 65010, 65020, 65030, 65040, 65100
LOOPBACK = "10.255.0.1"
BIRD1, BIRD1_SIX, BIRD2, FRR, FRR_SIX, EXABGP = (
    "192.0.2.2",
    "2001:db8:1::2",
    "198.51.100.2",
    "10.2.1.2",
    "2001:db8:21::2",
    "10.2.2.2",
)
TO_BIRD1, TO_BIRD1_SIX, TO_BIRD2, TO_FRR, TO_FRR_SIX, TO_EXABGP = (
    "192.0.2.1", "2001:db8:1::1", "198.51.100.1", "10.2.1.1", "2001:db8:21::1", "10.2.2.1",
)  # fmt: skip
HOST_A, HOST_A_SIX, HOST_B, HOST_B_SIX, SERVER = (
    "10.1.0.10",
    "2001:db8:a::10",
    "10.20.0.10",
    "2001:db8:b::10",
    "203.0.113.10",
)
FEED1_SIX, FEED1_TO_SIX = "2001:db8:8::2", "2001:db8:8::1"
FEED1, FEED1_TO, FEED2, FEED2_TO = "10.8.1.2", "10.8.1.1", "10.8.2.2", "10.8.2.1"
SERVER_NET = "203.0.113.0/24"
NETWORKS = ("10.1.0.0/24", "198.19.0.0/24")
"""IPv4 networks that the router originates: a connected and a static one."""
EXABGP_ROUTES = tuple(
    Announcement(f"198.18.{n}.0/24", path=(65041,) * (n % 3), communities=(f"{EXABGP_ASN}:{n}",), med=n)
    for n in range(1, 21)
)


def router_config() -> dict[str, Any]:
    both = {"import": "accept", "export": "accept"}
    return {
        "router": {"name": "demo", "router-id": LOOPBACK, "asn": ASN},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {
            "ncp1": {"port": "fab0", "address": "169.254.100.1"},
            "ncp2": {"port": "fab0", "address": "169.254.100.2"},
        },
        "interfaces": {
            "lo": {"addresses": [f"{LOOPBACK}/32", "2001:db8:ffff::1/128"]},
            "ncp1/up0": {"addresses": [f"{TO_BIRD1}/24", f"{TO_BIRD1_SIX}/64"], "description": "transit: bird1"},
            "ncp1/host0": {"addresses": ["10.1.0.1/24", "2001:db8:a::1/64"], "description": "host-a"},
            "ncp2/up0": {"addresses": [f"{TO_BIRD2}/24"], "description": "transit: bird2"},
            "ncp2/frr0": {
                "addresses": [f"{TO_FRR}/24", f"{TO_FRR_SIX}/64"],
                "description": "frr, and host-b behind it",
            },
            "ncp2/exa0": {"addresses": [f"{TO_EXABGP}/24"], "description": "exabgp"},
        },
        "static": {
            "198.19.0.0/24": {"blackhole": True},
            "10.30.0.0/24": {"next-hop": FRR},
        },
        "bgp": {
            "networks": [*NETWORKS, "2001:db8:a::/64"],
            "neighbors": {
                BIRD1: {"asn": BIRD1_ASN, "families": {"ipv4-unicast": both}},
                BIRD1_SIX: {"asn": BIRD1_ASN, "families": {"ipv6-unicast": both}},
                BIRD2: {"asn": BIRD2_ASN, "families": {"ipv4-unicast": both}},
                FRR: {"asn": FRR_ASN, "families": {"ipv4-unicast": both}},
                FRR_SIX: {"asn": FRR_ASN, "families": {"ipv6-unicast": both}},
                # Nothing is exported to ExaBGP: it is Python, and would still be reading the table when the demo is
                # over.
                EXABGP: {"asn": EXABGP_ASN, "families": {"ipv4-unicast": {"import": "accept"}}},
            },
        },
    }


@dataclass(slots=True)
class Demo:
    lab: Lab
    router: Router
    bird1: Bird
    bird2: Bird
    frr: Frr
    exabgp: ExaBgp
    hosts: dict[str, Namespace]
    feeders: list[Feeder]

    def feed(self, box: str, *, local: str, peer: str, asn: int, blob: bytes) -> Feeder:
        feeder = Feeder(
            self.hosts[box],
            "feeder",
            peer=peer,
            local=local,
            asn=asn,
            router_id=local,
            families=(1, 2),
            blob=blob,
            record=False,
        )
        self.feeders.append(feeder)
        return feeder


def build(lab: Lab, *, feed_asn: int = FEED_ASN) -> Demo:
    """Boxes, cables, and what runs in them, nothing started. ncp1 and ncp2 get no addresses but the management ones:
    that is routingd's job."""
    names = ("ncp1", "ncp2", "bird1", "bird2", "frr", "exabgp", "host-a", "host-b", "server", "internet", "elsewhere")
    box = {name: lab.box(name) for name in names}
    lab.link(box["ncp1"], "mgmt0", box["ncp2"], "mgmt0", a_addresses=["172.31.0.1/24"], b_addresses=["172.31.0.2/24"])
    lab.link(box["ncp1"], "fab0", box["ncp2"], "fab0", mtu=9000)
    lab.link(box["ncp1"], "up0", box["bird1"], "eth0", b_addresses=[f"{BIRD1}/24", f"{BIRD1_SIX}/64"])
    lab.link(box["ncp1"], "host0", box["host-a"], "eth0", b_addresses=[f"{HOST_A}/24", f"{HOST_A_SIX}/64"])
    lab.link(box["ncp2"], "up0", box["bird2"], "eth0", b_addresses=[f"{BIRD2}/24"])
    lab.link(box["ncp2"], "frr0", box["frr"], "eth0", b_addresses=[f"{FRR}/24", f"{FRR_SIX}/64"])
    lab.link(box["ncp2"], "exa0", box["exabgp"], "eth0", b_addresses=[f"{EXABGP}/24"])
    lab.link(
        box["frr"], "eth1", box["host-b"], "eth0",
        a_addresses=["10.20.0.1/24", "2001:db8:b::1/64"], b_addresses=[f"{HOST_B}/24", f"{HOST_B_SIX}/64"],
    )  # fmt: skip
    lab.link(
        box["internet"], "eth0", box["bird1"], "feed0",
        a_addresses=[f"{FEED1}/24", f"{FEED1_SIX}/64"], b_addresses=[f"{FEED1_TO}/24", f"{FEED1_TO_SIX}/64"],
    )  # fmt: skip
    lab.link(
        box["elsewhere"], "eth0", box["bird2"], "feed0", a_addresses=[f"{FEED2}/24"], b_addresses=[f"{FEED2_TO}/24"]
    )
    lab.link(box["bird1"], "srv0", box["server"], "eth1", a_addresses=["10.7.1.1/24"], b_addresses=["10.7.1.2/24"])
    lab.link(box["bird2"], "srv0", box["server"], "eth2", a_addresses=["10.7.2.1/24"], b_addresses=["10.7.2.2/24"])
    box["server"].address("lo", f"{SERVER}/32")
    for name, gateways in {
        "host-a": ("10.1.0.1", "2001:db8:a::1"), "host-b": ("10.20.0.1", "2001:db8:b::1"), "frr": (TO_FRR, TO_FRR_SIX),
        "bird1": (TO_BIRD1, TO_BIRD1_SIX), "bird2": (TO_BIRD2,), "exabgp": (TO_EXABGP,), "server": ("10.7.2.1",),
    }.items():  # fmt: skip
        for gateway in gateways:
            box[name].route("default", "via", gateway)
    box["bird1"].route(SERVER_NET, "via", "10.7.1.2")
    box["bird2"].route(SERVER_NET, "via", "10.7.2.2")

    bird1 = Bird(
        box["bird1"],
        PeerConfig(
            BIRD1_ASN, "10.8.1.1",
            [
                Neighbor(TO_BIRD1, ASN, BIRD1, families=(4,), transit=True),
                Neighbor(TO_BIRD1_SIX, ASN, BIRD1_SIX, families=(6,), transit=True),
                Neighbor(FEED1, feed_asn, FEED1_TO, passive=True, export=False),
            ],
            [Announcement(SERVER_NET)],
        ),
    )  # fmt: skip
    bird2 = Bird(
        box["bird2"],
        PeerConfig(
            BIRD2_ASN, "10.8.2.1",
            [
                Neighbor(TO_BIRD2, ASN, BIRD2, families=(4,), transit=True),
                Neighbor(FEED2, FEED_ASN, FEED2_TO, families=(4,), passive=True, export=False),
            ],
            [Announcement(SERVER_NET, path=(BIRD2_ASN, BIRD2_ASN))],
        ),
    )  # fmt: skip
    frr = Frr(
        box["frr"],
        PeerConfig(
            FRR_ASN, "10.20.0.1",
            [Neighbor(TO_FRR, ASN, FRR, families=(4,)), Neighbor(TO_FRR_SIX, ASN, FRR_SIX, families=(6,))],
            [Announcement("10.20.0.0/24"), Announcement("2001:db8:b::/64")],
        ),
    )  # fmt: skip
    exabgp = ExaBgp(
        box["exabgp"], PeerConfig(EXABGP_ASN, EXABGP, [Neighbor(TO_EXABGP, ASN, EXABGP, families=(4,))], EXABGP_ROUTES)
    )
    router = Router(lab, router_config(), {"ncp1": box["ncp1"], "ncp2": box["ncp2"]}, management="172.31.0.1")
    return Demo(lab, router, bird1, bird2, frr, exabgp, box, [])
