"""Unnumbered neighbors: nobody configures an address; both ends learn each other from router advertisements."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop import matrix
from tests.lab import kernel
from tests.lab.attributes import Attributes
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import Hop
from tests.lab.lab import Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
OWN = {4: "203.0.113.0/24", 6: "2001:db8:113::/48"}
THEIRS = (Announcement("198.18.1.0/24", med=3), Announcement("2001:db8:1::/48", med=4))
BOTH = {"import": "accept", "export": "accept"}


def configuration(name: str, number: int, own: dict[int, str], **port: Any) -> dict[str, Any]:
    return {
        "router": {"name": name, "router-id": f"10.255.0.{number}", "asn": 65000 + number},
        "interfaces": {"eth0": {}},
        "static": {prefix: {"blackhole": True} for prefix in own.values()},
        "bgp": {
            "networks": list(own.values()),
            "groups": {"fabric": {"asn": "external", "families": {"ipv4-unicast": BOTH, "ipv6-unicast": BOTH}}},
            "interfaces": {"eth0": {"group": "fabric", **port}},
        },
    }


def link_local(box: Namespace) -> str:
    (row,) = box.ip_json("-6", "address", "show", "dev", "eth0", "scope", "link")
    return str(row["addr_info"][0]["local"])


@pytest.mark.parametrize(
    "daemon", matrix.against("unnumbered neighbors (RFC 4861, RFC 8950)", bird=Bird, frr=Frr, gobgp=GoBgp)
)
def test_both_ends_find_each_other_and_ipv4_routes_have_link_local_next_hops(lab: Lab, daemon: type[Peer]) -> None:
    """BIRD advertises and waits for us; GoBGP asks its kernel who is there, and we learn where it is as it connects."""
    box, home = lab.box("r1"), lab.box(daemon.kind)
    lab.link(box, "eth0", home, "eth0")
    ours, theirs = link_local(box), link_local(home)
    router = Router(lab, configuration("r1", 1, OWN), {"ncp1": box})
    router.start()
    (row,) = router.summary()["neighbors"]
    assert (row["address"], row["asn"], row["state"]) == ("eth0", None, "Idle")
    assert row["last_down"] == "no router advertisement heard on eth0"
    asn = 65001 if daemon is GoBgp else "external"
    session = Neighbor("eth0", asn, ours, unnumbered=True, extended_next_hop=True)  # type: ignore[arg-type]
    home.run("ping", "-6", "-c1", "ff02::1%eth0", check=False)
    peer = daemon(home, PeerConfig(65040, "10.0.0.40", [session], THEIRS))
    peer.start()
    router.wait_established("eth0")
    peer.wait_established()
    for of, announced in ((4, THEIRS[0]), (6, THEIRS[1])):
        sent = announced.as_sent(asn=65040, ebgp=True, next_hop=theirs)
        wait_for("the Loc-RIB", lambda of=of: router.loc_rib(of), {sent}.__eq__)
        peer.wait_routes("eth0", of, {(OWN[of], Attributes(as_path="65001", next_hop=ours))})
        assert kernel.kernel_routes(box, families=(of,))[announced.prefix] == frozenset({(Hop(theirs, "eth0"), 1)})
    (told,) = router.ctl("show", "bgp", "neighbor", "ncp1/eth0")["neighbors"]
    assert (told["learned"], told["asn"], told["endpoint"]["remote"]) == (theirs, 65040, theirs)
    peer.stop()
    wait_for("no route to be left", lambda: kernel.kernel_routes(box).keys() <= set(OWN.values()))
    peer.start()
    router.wait_established("eth0")


def test_two_of_us_find_each_other_also_with_a_key_and_another_link_local_address_later(lab: Lab) -> None:
    a, b = lab.box("r1"), lab.box("r2")
    lab.link(a, "eth0", b, "eth0")
    options = {"password": "s3cret", "ttl-security": True, "hold-time": 3}
    other = {4: "198.51.100.0/24", 6: "2001:db8:51::/48"}
    one = Router(lab, configuration("r1", 1, OWN, **options), {"ncp1": a})
    two = Router(lab, configuration("r2", 2, other, **options), {"ncp1": b})
    for router in (one, two):
        router.start()
    for router, theirs, far in ((one, other, link_local(b)), (two, OWN, link_local(a))):
        router.wait_established("eth0")
        for of in (4, 6):
            wait_for("its route", lambda r=router, of=of: {p for p, _ in r.loc_rib(of)}, {theirs[of]}.__eq__)
            ways = kernel.kernel_routes(router.home, families=(of,))[theirs[of]]
            assert ways == frozenset({(Hop(far, "eth0"), 1)})
    b.link_down("eth0")
    b.ip("link", "set", "eth0", "address", "02:00:00:00:00:99")
    b.link_up("eth0")
    moved = "fe80::ff:fe00:99"
    wait_for("the new address", lambda: kernel.kernel_routes(a, families=(4,)).get(other[4]),
             lambda ways: ways == frozenset({(Hop(moved, "eth0"), 1)}), timeout=60)  # fmt: skip


def test_a_neighbor_of_one_box_is_reached_from_the_other_over_the_fabric(lab: Lab) -> None:
    one, two, home = lab.box("ncp1"), lab.box("ncp2"), lab.box("bird")
    lab.link(one, "mgmt", two, "mgmt", a_addresses=("192.168.0.1/24",), b_addresses=("192.168.0.2/24",))
    lab.link(one, "fab0", two, "fab0")
    lab.link(two, "eth0", home, "eth0")
    config = configuration("r1", 1, OWN)
    config |= {
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {f"ncp{n}": {"port": "fab0", "address": f"169.254.100.{n}"} for n in (1, 2)},
        "interfaces": {"ncp2/eth0": {}},
    }
    config["bgp"]["interfaces"] = {"ncp2/eth0": {"group": "fabric"}}
    router = Router(lab, config, {"ncp1": one, "ncp2": two}, management="192.168.0.1")
    session = Neighbor("eth0", "external", "", unnumbered=True, extended_next_hop=True)  # type: ignore[arg-type]
    bird = Bird(home, PeerConfig(65040, "10.0.0.40", [session], THEIRS))
    bird.start()
    router.start()
    router.wait_established("ncp2/eth0")
    theirs, fabric = link_local(home), two.ip_json("-6", "address", "show", "dev", "fab0", "scope", "link")
    over = {4: "169.254.100.2", 6: str(fabric[0]["addr_info"][0]["local"])}
    for of, announced in ((4, THEIRS[0]), (6, THEIRS[1])):
        for box, way in ((two, Hop(theirs, "eth0")), (one, Hop(over[of], "fab0"))):
            wait_for(
                f"{announced.prefix} in {box.name}",
                lambda b=box, of=of, p=announced.prefix: kernel.kernel_routes(b, families=(of,)).get(p),
                {frozenset({(way, 1)})}.__contains__,
            )  # fmt: skip
