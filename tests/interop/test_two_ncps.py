"""Two boxes are one router: connected, static and BGP routes of either are forwarded by both, over the fabric.

host-a ─── ncp1 ═══ fabric ═══ ncp2 ─── bird ─── (198.51.100.0/24 behind it)
                                  └──── host-b
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import kernel
from tests.lab.attributes import assert_same
from tests.lab.bird import Bird
from tests.lab.forwarding import expected_ways, fabric_port, kernel_ways
from tests.lab.lab import Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.probes import PingStream, ping, traceroute
from tests.lab.router import Router
from tests.lab.waiting import LabTimeoutError, wait_for

pytestmark = pytest.mark.netns
LOOPBACK, LOOPBACK_SIX = "10.255.0.1", "2001:db8:ffff::1"
BIRD, BIRD_SIX = "10.3.0.2", "2001:db8:3::2"
BEHIND, BEHIND_SIX, STATIC = "198.51.100.1", "2001:db8:51::1", "198.51.101.1"


@dataclass(slots=True)
class Cluster:
    router: Router
    bird: Bird
    box: dict[str, Namespace]

    def reaches(self, name: str, destination: str) -> None:
        wait_for(
            f"{name} to reach {destination}", lambda: ping(self.box[name], destination, count=2),
            lambda loss: loss.received == 2, timeout=20,
        )  # fmt: skip

    def kernels_equal_the_rib(self) -> None:
        fabric = {name: fabric_port(self.box[name], "fab0") for name in ("ncp1", "ncp2")}

        def compare(name: str) -> tuple[set[Any], set[Any]]:
            rows = self.router.forwarding_rows()
            expected = expected_ways(rows, name, fabric)
            wanted = {net for net, _ in expected}
            own = {r["prefix"] for r in rows if r["protocol"] == "connected"} - wanted
            return expected, {e for e in kernel_ways(kernel.kernel_routes(self.box[name])) if e[0] not in own}

        for name in ("ncp1", "ncp2"):
            try:
                wait_for(f"kernel of {name}", lambda n=name: compare(n), lambda pair: pair[0] == pair[1], timeout=10)  # type: ignore[misc]
            except LabTimeoutError:
                expected, found = compare(name)
                assert_same(expected, found, f"kernel of {name}")
            assert compare(name)[0]


def configuration() -> dict[str, Any]:
    both = {"import": "accept", "export": "accept"}
    return {
        "router": {"name": "r1", "router-id": LOOPBACK, "asn": 65001},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {
            "ncp1": {"port": "fab0", "address": "169.254.100.1"},
            "ncp2": {"port": "fab0", "address": "169.254.100.2"},
        },
        "interfaces": {
            "lo": {"addresses": [f"{LOOPBACK}/32", f"{LOOPBACK_SIX}/128"]},
            "ncp1/host0": {"addresses": ["10.1.0.1/24", "2001:db8:a::1/64"]},
            "ncp2/host0": {"addresses": ["10.2.0.1/24", "2001:db8:b::1/64"]},
            "ncp2/bird0": {"addresses": ["10.3.0.1/24", "2001:db8:3::1/64"]},
        },
        "static": {"198.51.101.0/24": {"next-hop": BIRD}, "198.19.0.0/24": {"blackhole": True}},
        "bgp": {
            "networks": ["10.1.0.0/24", "2001:db8:a::/64"],
            "neighbors": {
                BIRD: {"asn": 65040, "families": {"ipv4-unicast": both}},
                BIRD_SIX: {"asn": 65040, "families": {"ipv6-unicast": both}},
            },
        },
    }


@pytest.fixture
def cluster(lab: Lab) -> Iterator[Cluster]:
    box = {name: lab.box(name) for name in ("ncp1", "ncp2", "host-a", "host-b", "bird")}
    lab.link(box["ncp1"], "mgmt0", box["ncp2"], "mgmt0", a_addresses=["172.31.0.1/24"], b_addresses=["172.31.0.2/24"])
    lab.link(box["ncp1"], "fab0", box["ncp2"], "fab0", mtu=9000)
    lab.link(box["ncp1"], "host0", box["host-a"], "eth0", b_addresses=["10.1.0.10/24", "2001:db8:a::10/64"])
    lab.link(box["ncp2"], "host0", box["host-b"], "eth0", b_addresses=["10.2.0.10/24", "2001:db8:b::10/64"])
    lab.link(box["ncp2"], "bird0", box["bird"], "eth0", b_addresses=[f"{BIRD}/24", f"{BIRD_SIX}/64"])
    for name, gateways in {
        "host-a": ("10.1.0.1", "2001:db8:a::1"),
        "host-b": ("10.2.0.1", "2001:db8:b::1"),
        "bird": ("10.3.0.1", "2001:db8:3::1"),
    }.items():
        for gateway in gateways:
            box[name].route("default", "via", gateway)
    box["bird"].address("lo", f"{BEHIND}/32", f"{BEHIND_SIX}/128", f"{STATIC}/32")
    neighbors = [
        Neighbor("10.3.0.1", 65001, BIRD, families=(4,)),
        Neighbor("2001:db8:3::1", 65001, BIRD_SIX, families=(6,)),
    ]
    bird = Bird(
        box["bird"],
        PeerConfig(65040, BIRD, neighbors, [Announcement("198.51.100.0/24"), Announcement("2001:db8:51::/48")]),
    )
    router = Router(lab, configuration(), {"ncp1": box["ncp1"], "ncp2": box["ncp2"]}, management="172.31.0.1")
    router.start()
    bird.start()
    router.wait_established()
    made = Cluster(router, bird, box)
    made.reaches("host-a", BEHIND)
    yield made
    router.stop()


def test_what_enters_at_one_box_leaves_at_the_other(cluster: Cluster) -> None:
    cluster.reaches("host-a", "10.2.0.10")  # connected at the other box
    cluster.reaches("host-a", "2001:db8:b::10")
    cluster.reaches("host-b", "10.1.0.10")
    cluster.reaches("host-a", STATIC)  # a static route whose next hop is at the other box
    cluster.reaches("host-a", BEHIND)  # a BGP route learned at the other box
    cluster.reaches("host-a", BEHIND_SIX)
    assert ping(cluster.box["host-a"], "198.19.0.1", count=2, deadline=1).received == 0
    path = traceroute(cluster.box["host-a"], BEHIND)
    assert path[0] == "10.1.0.1"
    assert path[-1] == BEHIND
    assert len(path) == 3


def test_both_kernels_hold_the_rib(cluster: Cluster) -> None:
    cluster.kernels_equal_the_rib()


def test_a_loopback_has_a_home_and_answers_from_everywhere(cluster: Cluster) -> None:
    for name in ("host-a", "host-b", "bird"):
        cluster.reaches(name, LOOPBACK)
        cluster.reaches(name, LOOPBACK_SIX)
    homes = {name for name in ("ncp1", "ncp2") if LOOPBACK in cluster.box[name].ip("address", "show", "dev", "lo")}
    assert homes == {"ncp1"}


def test_a_peer_that_dies_at_one_box_is_withdrawn_from_both(cluster: Cluster) -> None:
    cluster.bird.kill()
    for name in ("ncp1", "ncp2"):
        wait_for(
            f"{name} to lose the routes",
            lambda n=name: set(kernel.kernel_routes(cluster.box[n])),  # type: ignore[misc]
            lambda table: not table & {"198.51.100.0/24", "2001:db8:51::/48"},
        )
    cluster.reaches("host-a", STATIC)  # what BGP did not bring stays
    cluster.kernels_equal_the_rib()


def test_a_cable_that_is_pulled_takes_its_routes_from_both_boxes(cluster: Cluster) -> None:
    cluster.box["bird"].link_down("eth0")
    gone = {"198.51.100.0/24", "198.51.101.0/24", "10.3.0.0/24"}
    wait_for(
        "ncp1 to lose the routes",
        lambda: set(kernel.kernel_routes(cluster.box["ncp1"])),
        lambda table: not table & gone,
        timeout=40,
    )
    cluster.kernels_equal_the_rib()
    cluster.reaches("host-a", "10.2.0.10")
    cluster.box["bird"].link_up("eth0")
    # Taking a link down removes its IPv6 addresses and the routes by it; the other box's are the router's to bring
    # back.
    cluster.box["bird"].route("default", "via", "10.3.0.1")
    cluster.router.wait_established(BIRD, timeout=60)
    cluster.reaches("host-a", BEHIND)
    cluster.kernels_equal_the_rib()


def test_an_agent_that_dials_in_late_gets_the_whole_table(cluster: Cluster) -> None:
    agent = cluster.router.agents["ncp2"]
    agent.kill()
    wait_for("ncp2 to be missed", lambda: cluster.router.ncps()["ncp2"]["state"], lambda state: state != "forwarding")
    agent.start()
    cluster.router.wait_ncps()
    cluster.router.wait_established(timeout=60)
    cluster.reaches("host-a", BEHIND)
    cluster.kernels_equal_the_rib()


def test_routingd_killed_or_stopped_loses_no_packet_on_the_way_over_both_boxes(cluster: Cluster) -> None:
    """RFC 4724 4.1. One box's agent ends with routingd, the other's never."""
    hosts = {"host-a": (BEHIND, BEHIND_SIX, "10.2.0.10"), "bird": ("10.1.0.10", "2001:db8:a::10")}
    ways = [(name, target) for name, targets in hosts.items() for target in targets]
    for name, target in ways:
        cluster.reaches(name, target)
    probes = {way: PingStream(cluster.box[way[0]], way[1]) for way in ways}
    for end in (cluster.router.kill_controller, lambda: cluster.router.process and cluster.router.process.stop(20)):
        end()
        cluster.router.start_controller()
        cluster.router.wait_established()
        cluster.router.wait_ncps()
        cluster.kernels_equal_the_rib()
    losses = {way: stream.finish() for way, stream in probes.items()}
    assert {way: loss.lost for way, loss in losses.items() if loss.lost} == {}
    assert min(loss.sent for loss in losses.values()) > 100
