"""Routes that are well-formed and yet not taken: what is asked of a neighbor's paths, against what it announces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.interop.matrix import against
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
ASN, PEER_ASN = 65001, 65040
FIRST_AS = "first AS enforced (RFC 4271 6.3)"
PLAIN, TRANSPARENT = "10.1.0.1", "10.2.0.1"
FINE, ONCE, TWICE, LONG = "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24", "198.18.4.0/24"
ANNOUNCED = (
    Announcement(FINE, path=(PEER_ASN,)),
    Announcement(ONCE, path=(ASN,)),
    Announcement(TWICE, path=(ASN, ASN)),
    Announcement(LONG, path=(65051, 65052, 65053, 65054, 65055)),
)


def started(lab: Lab, daemon: type[Peer], address: str, announced: Sequence[Announcement] = ANNOUNCED) -> Router:
    """The router and the daemon on one link; the session is up."""
    ours = f"{address[:-1]}2"
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{address}/24"])
    session = Neighbor(ours, ASN, address, families=(4,), transparent=address == TRANSPARENT)
    peer = daemon(there, PeerConfig(PEER_ASN, address, [session], announced))
    neighbor = {"asn": PEER_ASN, "allow-own-as": 1, "maximum-as-path": 5}
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {"eth0": {"addresses": [f"{ours}/24"]}},
        "bgp": {"neighbors": {address: {**neighbor, "families": {"ipv4-unicast": {"import": "accept"}}}}},
    }
    router = Router(lab, config, {"ncp1": box})
    peer.start()
    router.start()
    router.wait_established()
    peer.wait_established()
    return router


def must_become(router: Router, address: str, taken: dict[str, str], refused: dict[str, int]) -> None:
    """``taken``: AS_PATH by prefix."""

    def seen() -> tuple[dict[str, str], dict[str, int]]:
        told = router.ctl("show", "bgp", "neighbor", address)["neighbors"][0]
        paths = {row["prefix"]: row["attributes"]["as_path"] for row in router.rows(4, protocol="bgp")}
        return paths, told["refused"]

    wait_for("its routes, taken or refused", seen, lambda found: found == (taken, refused))


@pytest.mark.parametrize(
    "daemon", against("own AS allowed, AS_PATH bounded", bird=Bird, frr=Frr, gobgp=GoBgp, exabgp=ExaBgp)
)
def test_our_own_as_may_be_there_as_often_as_the_file_says_and_paths_may_be_as_long(
    lab: Lab, daemon: type[Peer]
) -> None:
    router = started(lab, daemon, PLAIN)
    taken = {FINE: f"{PEER_ASN} {PEER_ASN}", ONCE: f"{PEER_ASN} {ASN}"}
    must_become(router, PLAIN, taken, {"own-as": 1, "as-path-too-long": 1})


@pytest.mark.parametrize("daemon", against(FIRST_AS, openbgpd=OpenBgpd))
def test_a_path_without_any_as_is_not_believed_either(lab: Lab, daemon: type[Peer]) -> None:
    router = started(lab, daemon, TRANSPARENT, (Announcement(FINE, path=(PEER_ASN,)), Announcement(ONCE)))
    must_become(router, TRANSPARENT, {FINE: str(PEER_ASN)}, {"first-as": 1})


@pytest.mark.parametrize("daemon", against(FIRST_AS, bird=Bird, frr=Frr, exabgp=ExaBgp))
def test_a_neighbor_that_leaves_its_as_out_is_not_believed_without_a_word_in_the_file(
    lab: Lab, daemon: type[Peer]
) -> None:
    router = started(lab, daemon, TRANSPARENT)
    must_become(router, TRANSPARENT, {FINE: str(PEER_ASN)}, {"first-as": 2, "own-as": 1})
