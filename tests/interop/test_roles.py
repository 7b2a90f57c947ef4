"""RFC 9234 with BIRD, FRR and OpenBGPD: what a provider told reaches customers only, marked by whoever saw it first."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for
from tests.props.update_bytes import announcement

pytestmark = pytest.mark.netns
BOTH = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
# link: address of the far end, its AS, its role, ours, what it announces
FAR: dict[str, tuple[str, int, str, str, str]] = {
    "up": ("10.1.0.1", 65010, "provider", "customer", "198.18.1.0/24"),
    "down": ("10.2.0.1", 65020, "customer", "provider", "198.18.2.0/24"),
    "side": ("10.3.0.1", 65030, "peer", "peer", "198.18.3.0/24"),
}
LEAKER = "10.4.0.1"


def configuration(**more: Any) -> dict[str, Any]:
    ends = [address for address, *_ in FAR.values()] + [LEAKER]
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {f"eth{at}": {"addresses": [f"{end[:-1]}2/24"]} for at, end in enumerate(ends)},
        "bgp": {
            "neighbors": {
                **{
                    address: {"asn": asn, "role": ours, "role-strict": True, "families": BOTH, **more}
                    for address, asn, _, ours, _ in FAR.values()
                },
                LEAKER: {"asn": 65044, "role": "provider", "families": BOTH},
            }
        },
    }


@pytest.mark.parametrize("daemon", against("roles and OTC (RFC 9234)", bird=Bird, frr=Frr, openbgpd=OpenBgpd))
def test_what_came_from_above_or_aside_goes_to_customers_only(lab: Lab, daemon: type[Bird | Frr | OpenBgpd]) -> None:
    box = lab.box("r1")
    peers: dict[str, Bird | Frr | OpenBgpd] = {}
    for at, (name, (address, asn, role, _, prefix)) in enumerate(FAR.items()):
        there = lab.box(name)
        ours = f"{address[:-1]}2"
        lab.link(box, f"eth{at}", there, "eth0", b_addresses=[f"{address}/24"])
        session = Neighbor(ours, 65001, address, families=(4,), role=role, role_strict=True)
        peers[name] = daemon(there, PeerConfig(asn, address, [session], [Announcement(prefix)]))
        peers[name].start()
    leaker = lab.box("leaker")
    lab.link(box, "eth3", leaker, "eth0", b_addresses=[f"{LEAKER}/24"])
    router = Router(lab, configuration(), {"ncp1": box})
    router.start()
    router.wait_established(*(address for address, *_ in FAR.values()))

    def told(name: str, of: str) -> int | None:
        return peers[name].only_to_customer(FAR[of][4])

    # (who holds it, whose route) -> OTC: the provider marked its own for us, so did the peer; the customer did not,
    # and what we tell of it to the peer has our mark
    wanted = {
        ("down", "up"): 65010, ("down", "side"): 65030,
        ("up", "down"): None, ("side", "down"): 65001,
        ("side", "up"): -1, ("up", "side"): -1,
    }  # fmt: skip
    wait_for("everybody's routes", lambda: {key: told(*key) for key in wanted}, lambda found: found == wanted)
    row = {"origin": "igp", "as_path": "65044 65045", "next_hop": LEAKER, "link_local": None, "med": None}
    empty = ("local_pref", "atomic_aggregate", "aggregator", "originator_id")
    lists = ("communities", "cluster_list", "extended_communities", "large_communities", "unknown")
    row |= dict.fromkeys(empty) | {key: [] for key in lists}
    leak = announcement([(bytes([198, 18, 4, 0]), 24)], row | {"otc": 65045})
    fine = announcement([(bytes([198, 18, 5, 0]), 24)], row)
    Feeder(
        leaker, "leaker", peer=f"{LEAKER[:-1]}2", local=LEAKER, asn=65044, router_id=LEAKER, families=(1,),
        blob=leak + fine, record=False,
    )  # fmt: skip
    wait_for("the customer's own route", lambda: peers["up"].only_to_customer("198.18.5.0/24"), lambda otc: otc is None)
    assert router.ctl("show", "bgp", "neighbor", LEAKER)["neighbors"][0]["refused"] == {"otc-leak": 1}
    assert not [row for row in router.rows(4) if row["prefix"] == "198.18.4.0/24"]


@pytest.mark.parametrize("daemon", [Bird, Frr], ids=["bird", "frr"])
def test_two_providers_of_each_other_get_no_session_and_are_told_why(lab: Lab, daemon: type[Bird | Frr]) -> None:
    box, there = lab.box("r1"), lab.box("up")
    address = FAR["up"][0]
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{address}/24"])
    session = Neighbor("10.1.0.2", 65001, address, families=(4,), role="provider")
    peer = daemon(there, PeerConfig(65010, address, [session]))
    peer.start()
    config = configuration()
    config["interfaces"] = {"eth0": {"addresses": ["10.1.0.2/24"]}}
    config["bgp"]["neighbors"] = {address: {"asn": 65010, "role": "provider", "families": BOTH}}
    router = Router(lab, config, {"ncp1": box})
    router.start()

    def last() -> tuple[int, int]:
        told = router.ctl("show", "bgp", "neighbor", address)["neighbors"][0]["last_notification"] or {}
        return told.get("code", 0), told.get("subcode", 0)

    wait_for("Role Mismatch", last, lambda found: found == (2, 11))
    assert router.session(address) != "established"
    assert peer.session("10.1.0.2") != "established"
