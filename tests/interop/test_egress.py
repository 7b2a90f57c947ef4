"""What an external neighbor is told of others' next hops, of private AS numbers and of its own, and what passes through
the router as it came: seen by the neighbor's own tool, and by a listener behind it.

    feeder ─── router (AS 65001) ═══ peer (AS 65040) ─── listener

The router has three sessions with the peer: IPv4 with both edits of AS_PATH, IPv4 as a route server, IPv6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab.attributes import Attributes, Route
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for
from tests.props.update_bytes import Replay, announcement
from tests.rib.building import attributes_row, ip

pytestmark = pytest.mark.netns
ASN, PEER_ASN, FEEDER_ASN = 65001, 65040, 65009
EDITED, SERVED, SIX = "10.1.0.2", "10.2.0.2", "2001:db8:1::2"
"""Ours, by session; the peer is .1 of each."""
NEAR, FAR, NEAR6, FAR6 = "10.1.0.9", "10.9.0.7", "2001:db8:1::9", "2001:db8:9::7"
FEEDER, TO_FEEDER = "10.9.0.1", "10.9.0.2"
PATH, PLAIN_PATH = f"{FEEDER_ASN} 64700 {PEER_ASN} 3", f"{FEEDER_ASN} 3"
PASSED: dict[str, Any] = {
    "communities": ["65010:1", "3:7"],
    "extended_communities": ["0002fde800000001"],
    "large_communities": ["65010:1:2"],
    "unknown": [[0xE0, 99, "0102"]],
}
GIVEN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("198.18.1.0/24", attributes_row(NEAR, PATH)),
    ("198.18.2.0/24", attributes_row(FAR, PLAIN_PATH, **PASSED)),
    ("2001:db8:71::/48", attributes_row(NEAR6, PLAIN_PATH)),
    ("2001:db8:72::/48", attributes_row(NEAR6, PLAIN_PATH, link_local="fe80::9")),
    ("2001:db8:73::/48", attributes_row(FAR6, PLAIN_PATH)),
)
ALL = (
    "third-party and unchanged next hops",
    "private AS numbers, AS override",
    "communities of three kinds, unknown attributes",
)

LINK_LOCAL = "link-local next hops (RFC 2545)"


def theirs(ours: str) -> str:
    return f"{ours[:-1]}1"


def configuration() -> dict[str, Any]:
    v4 = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    v6 = {"ipv6-unicast": {"import": "accept", "export": "accept"}}
    both = {name: {"import": "accept"} for name in (*v4, *v6)}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {
            "eth0": {"addresses": [f"{EDITED}/24", f"{SIX}/64"]},
            "eth1": {"addresses": [f"{SERVED}/24"]},
            "eth2": {"addresses": [f"{TO_FEEDER}/24", "2001:db8:9::2/64"]},
        },
        "bgp": {
            "neighbors": {
                theirs(EDITED): {"asn": PEER_ASN, "as-override": True, "private-as": "remove", "families": v4},
                theirs(SERVED): {"asn": PEER_ASN, "next-hop-unchanged": True, "as-override": True, "families": v4},
                theirs(SIX): {"asn": PEER_ASN, "families": v6},
                FEEDER: {"asn": FEEDER_ASN, "families": both},
            }
        },
    }


@dataclass(slots=True)
class Made:
    peer: Peer
    listener: Feeder
    ours: str
    """The router's link-local address on the link of the IPv6 session."""


def made(lab: Lab, daemon: type[Peer]) -> Made:
    box, there, behind, feeding = (lab.box(name) for name in ("r1", "peer", "listener", "feeder"))
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{theirs(EDITED)}/24", f"{theirs(SIX)}/64"])
    lab.link(box, "eth1", there, "eth1", b_addresses=[f"{theirs(SERVED)}/24"])
    lab.link(box, "eth2", feeding, "eth0", b_addresses=[f"{FEEDER}/24"])
    lab.link(there, "eth2", behind, "eth0", a_addresses=["10.3.0.1/24"], b_addresses=["10.3.0.2/24"])
    sessions = [
        # Next hops beyond the link are looked up, which BIRD does on multihop sessions only.
        Neighbor(ours, ASN, theirs(ours), families=(6 if ":" in ours else 4,), multihop=ours == SERVED)
        for ours in (EDITED, SERVED, SIX)
    ]
    sessions.append(Neighbor("10.3.0.2", 65050, "10.3.0.1", families=(4,), transit=True, passive=True))
    router = Router(lab, configuration(), {"ncp1": box})
    peer = daemon(there, PeerConfig(PEER_ASN, "10.0.0.40", sessions))
    peer.start()
    router.start()
    listener = Feeder(
        behind, "listener", peer="10.3.0.1", local="10.3.0.2", asn=65050, router_id="10.3.0.2", families=(1,)
    )
    blob = b"".join(announcement([(ip(p.split("/")[0]), int(p.split("/")[1]))], row) for p, row in GIVEN)
    Feeder(feeding, "feeder", peer=TO_FEEDER, local=FEEDER, asn=FEEDER_ASN, router_id=FEEDER, blob=blob, record=False)
    router.wait_established()
    (ours,) = re.findall(r"inet6 (fe80:\S+)/", box.run("ip", "-6", "address", "show", "dev", "eth0"))
    return Made(peer, listener, ours)


def told(path: str, next_hop: str, **more: Any) -> Attributes:
    return Attributes(as_path=f"{ASN} {path}".strip(), next_hop=next_hop, **more)


CARRIED: dict[str, Any] = {"communities": ("3:7", "65010:1"), "large": ("65010:1:2",)}
HEARD: dict[str, set[Route]] = {
    EDITED: {
        ("198.18.1.0/24", told(f"{ASN} 3", NEAR)),
        ("198.18.2.0/24", told("3", EDITED, **CARRIED)),
    },
    SERVED: {
        ("198.18.1.0/24", told(f"{FEEDER_ASN} 64700 {ASN} 3", NEAR)),
        ("198.18.2.0/24", told(PLAIN_PATH, FAR, **CARRIED)),
    },
    SIX: {
        # a third party whose link-local address nobody knows is not told beside ours (RFC 2545 3)
        ("2001:db8:71::/48", told(PLAIN_PATH, SIX)),
        ("2001:db8:72::/48", told(PLAIN_PATH, NEAR6)),
        ("2001:db8:73::/48", told(PLAIN_PATH, SIX)),
    },
}


@pytest.mark.parametrize(
    "daemon",
    against(*ALL, LINK_LOCAL, bird=Bird, frr=Frr)
    + against(*ALL, gobgp=GoBgp, openbgpd=OpenBgpd)
    + against(*ALL[:2], LINK_LOCAL, exabgp=ExaBgp),
)
def test_next_hops_and_paths_are_told_as_the_file_says_and_what_nobody_knows_passes(
    lab: Lab, daemon: type[Peer]
) -> None:
    one = made(lab, daemon)
    for ours, routes in HEARD.items():
        one.peer.wait_routes(ours, 6 if ":" in ours else 4, routes)
    assert one.peer.link_local("2001:db8:73::/48") in (one.ours, None)
    assert one.peer.link_local("2001:db8:72::/48") in ("fe80::9", None)
    if isinstance(one.peer, ExaBgp):
        return  # it passes nothing on
    passed = wait_for(
        "the route behind the peer",
        lambda: Replay().feed(one.listener.recorded()).routes.get("198.18.2.0/24"),
        lambda found: found is not None,
    )
    assert {key: sorted(passed[key]) for key in PASSED} == {key: sorted(PASSED[key]) for key in PASSED}
