"""Two providers and an IPv6-only one: what the knobs of the file make of real peers' routes, down to the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab import kernel
from tests.lab.attributes import Attributes
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import Hop
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
NET = "198.18.0.0/16"
PROVIDERS = {"192.0.2.2": ("eth0", 65002), "198.51.100.2": ("eth1", 65003)}
ACCEPT = {"import": "accept", "export": "accept"}


class TwoProviders:
    """Both announce one prefix, with AS paths of one length; eth0's has the lower router id."""

    def __init__(self, lab: Lab, bgp: dict[str, Any], **more: Any) -> None:
        """``more``: other sections of the file."""
        self.box = lab.box("box")
        self.birds: dict[str, Bird] = {}
        neighbors, interfaces = {}, {}
        for address, (port, asn) in PROVIDERS.items():
            ours = address[:-1] + "1"
            peer = lab.box(f"isp{asn}")
            lab.link(self.box, port, peer, "eth0", b_addresses=(f"{address}/24",))
            session = Neighbor(ours, 65001, address, families=(4,))
            self.birds[address] = Bird(peer, PeerConfig(asn, address, [session], [Announcement(NET, path=(65010,))]))
            interfaces[port] = {"addresses": [f"{ours}/24"]}
            neighbors[address] = {"asn": asn, "families": {"ipv4-unicast": ACCEPT}}
        config: dict[str, Any] = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "interfaces": interfaces,
            "bgp": {"neighbors": neighbors, **bgp},
            **more,
        }
        self.router = Router(lab, config, {"ncp1": self.box})
        for bird in self.birds.values():
            bird.start()
        self.router.start()
        self.router.wait_established(*PROVIDERS)

    def ways(self) -> set[Hop]:
        return {hop for hop, _ in kernel.kernel_routes(self.box).get(NET, ())}

    def goes(self, *addresses: str) -> None:
        wanted = {Hop(address, PROVIDERS[address][0]) for address in addresses}
        wait_for(f"{NET} by {addresses}", self.ways, lambda seen: seen == wanted)

    def weights(self) -> dict[str, int]:
        return {hop.gateway: weight for hop, weight in kernel.kernel_routes(self.box).get(NET, ())}

    def roles(self, *wanted: str) -> None:
        """Of every path, by peer."""

        def seen() -> list[str]:
            rows = self.router.ctl("show", "route", "within", NET, "all")["routes"]
            return sorted(f"{row['source_name']} {row['role']}" for row in rows)

        wait_for(f"paths to be {wanted}", seen, lambda roles: roles == sorted(wanted))

    def stop(self) -> None:
        for bird in self.birds.values():
            bird.stop()


@pytest.fixture
def two(lab: Lab, request: pytest.FixtureRequest) -> Iterator[TwoProviders]:
    made = TwoProviders(lab, request.param)
    yield made
    made.stop()


@pytest.mark.parametrize("two", [{}], indirect=True)
def test_the_other_provider_stands_by_and_takes_over_when_the_best_is_lost(two: TwoProviders) -> None:
    first, second = PROVIDERS
    two.roles(f"{first} best", f"{second} backup")
    two.goes(first)
    told = two.router.ctl("explain", NET)
    assert [(hop["address"], hop["role"]) for hop in told["route"]["group"]["hops"]] == [(first, 0), (second, 1)]
    assert told["stage"] == "installed"
    two.birds[first].kill()
    two.goes(second)
    two.roles(f"{second} best")


def test_a_weighted_backup_is_in_the_kernel_beside_the_best(lab: Lab) -> None:
    two = TwoProviders(lab, {}, kernel={"weighted-backup": True})
    first, second = PROVIDERS
    # of a weight of 16 bits ip 6.1 shows the lower 8: the same 255
    wait_for("both in one group", two.weights, lambda seen: seen in ({first: w, second: 1} for w in (255, 65535)))
    (row,) = two.router.ctl("show", "fib", NET)["routes"]
    (facts,) = (each["kernel_facts"] for each in two.router.ctl("show", "ncp", "ncp1", "detail")["ncps"])
    wide = {fact["code"]: fact["holds"] for fact in facts}["weights-of-16-bits"]
    assert [member["weight"] for member in row["members"]] == [65535 if wide else 255, 1]
    two.birds[first].kill()
    wait_for("the other alone", two.weights, lambda seen: set(seen) == {second})
    two.stop()


@pytest.mark.parametrize("two", [{"multipath": {"ebgp": 2, "relax-as-path": True}}], indirect=True)
def test_equal_paths_share_the_traffic_where_the_file_allows_it(two: TwoProviders) -> None:
    first, second = PROVIDERS
    two.roles(f"{first} best", f"{second} multipath")
    two.goes(first, second)
    two.birds[first].kill()
    two.goes(second)


@pytest.mark.parametrize(
    "daemon", against("IPv4 over IPv6 next hops (RFC 8950)", bird=Bird, frr=Frr, gobgp=GoBgp, exabgp=ExaBgp)
)
def test_ipv4_routes_cross_a_link_that_has_no_ipv4_address(lab: Lab, daemon: type[Peer]) -> None:
    """RFC 8950, which an IPv6 session for IPv4 routes offers without a word in the file."""
    ours, theirs = "2001:db8:1::1", "2001:db8:1::2"
    box, peer = lab.box("box"), lab.box("peer")
    lab.link(box, "eth0", peer, "eth0", b_addresses=(f"{theirs}/64",))
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{ours}/64"]}},
        "static": {"203.0.113.0/24": {"blackhole": True}},
        "bgp": {
            "networks": ["203.0.113.0/24"],
            "neighbors": {theirs: {"asn": 65003, "families": {"ipv4-unicast": ACCEPT}}},
        },
    }
    session = Neighbor(ours, 65001, theirs, families=(4,), extended_next_hop=True)
    far = daemon(peer, PeerConfig(65003, "10.0.0.3", [session], [Announcement(NET)]))
    router = Router(lab, config, {"ncp1": box})
    far.start()
    try:
        router.start()
        router.wait_established(theirs)
        wanted = {Hop(theirs, "eth0")}
        ways = lambda: {hop for hop, _ in kernel.kernel_routes(box).get(NET, ())}  # noqa: E731
        wait_for(f"{NET} by {theirs}", ways, lambda seen: seen == wanted)
        far.wait_routes(ours, 4, {("203.0.113.0/24", Attributes(as_path="65001", next_hop=ours))})
    finally:
        far.stop()
