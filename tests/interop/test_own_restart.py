"""routingd itself restarts, killed or told to, and the daemons around it are its helpers (RFC 4724 4.1): they keep its
routes, its box keeps forwarding, no probe through it is lost, and what changed meanwhile is right everywhere
afterwards.

    BIRD (AS 65021), FRR (AS 65022), GoBGP (AS 65023), each ─── router (AS 65001)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.interop.matrix import marked
from tests.lab.attributes import Route, over_ebgp
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import kernel_routes
from tests.lab.lab import Lab, Namespace
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig, Restarts
from tests.lab.probes import PingStream, ping
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

RESTARTER = "graceful restart: restarter (RFC 4724)"
ASN = 65001
FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}


@dataclass(frozen=True, slots=True)
class End:
    """A link of the router and who is there."""

    number: int
    daemon: type[Peer]

    @property
    def asn(self) -> int:
        return 65020 + self.number

    @property
    def us(self) -> dict[int, str]:
        return {4: f"10.{self.number}.0.2", 6: f"2001:db8:{self.number}::2"}

    @property
    def them(self) -> dict[int, str]:
        return {4: f"10.{self.number}.0.1", 6: f"2001:db8:{self.number}::1"}

    @property
    def target(self) -> dict[int, str]:
        """Behind the daemon, in what it announces."""
        return {4: f"198.18.{self.number}.1", 6: f"2001:db8:7{self.number}::1"}

    @property
    def networks(self) -> set[str]:
        return {f"10.{self.number}.0.0/24", f"2001:db8:{self.number}::/64"}

    @property
    def announced(self) -> tuple[Announcement, ...]:
        n = self.number
        return (
            Announcement(f"198.18.{n}.0/24", communities=(f"65020:{n}",)),
            Announcement(f"198.19.{n}.0/25", path=(self.asn, self.asn)),
            Announcement(f"198.19.{n}.128/25", med=7),
            Announcement(f"2001:db8:7{n}::/48"),
            Announcement(f"2001:db8:8{n}::/48"),
        )

    @property
    def changed(self) -> tuple[Announcement, ...]:
        """One route is different, one of each family went, one came."""
        kept, other, _, kept_ipv6, _ = self.announced
        new = Announcement(f"203.0.113.{self.number}/32")
        return kept, replace(other, path=(self.asn,), communities=("65020:9",)), new, kept_ipv6

    def peer(self, box: Namespace, hold: int) -> Peer:
        said = Restarts(60, end_of_rib=True)
        neighbors = [
            Neighbor(self.us[of], ASN, self.them[of], families=(of,), restarts=said, hold_time=hold) for of in FAMILIES
        ]
        return self.daemon(box, PeerConfig(self.asn, f"10.0.0.{self.number}", neighbors, self.announced))


ENDS = (End(1, Bird), End(2, Frr), End(3, GoBgp), End(4, OpenBgpd))


def configuration(ends: Sequence[End]) -> dict[str, Any]:
    both = {"import": "accept", "export": "accept"}
    neighbors = {e.them[of]: {"asn": e.asn, "families": {name: both}} for e in ends for of, name in FAMILIES.items()}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {f"eth{e.number}": {"addresses": [f"{e.us[4]}/24", f"{e.us[6]}/64"]} for e in ends},
        "bgp": {"neighbors": neighbors},
    }


class Restarting:
    def __init__(self, lab: Lab, hold: int = 30, ends: Sequence[End] = ENDS) -> None:
        """``hold``: seconds that the peers offer as hold time."""
        self.ends = ends
        box = lab.box("box")
        self.peers: dict[End, Peer] = {}
        for end in ends:
            there = lab.box(end.daemon.kind)
            addresses = (f"{end.them[4]}/24", f"{end.them[6]}/64")
            lab.link(box, f"eth{end.number}", there, "eth0", b_addresses=addresses)
            there.address("lo", f"{end.target[4]}/32", f"{end.target[6]}/128")
            for of in FAMILIES:
                there.route("default", "via", end.us[of])
            self.peers[end] = end.peer(there, hold)
        self.router = Router(lab, configuration(ends), {"ncp1": box})
        for peer in self.peers.values():
            peer.start()
        self.router.start()
        self.everything_is_right()
        for asking, target in self.ways():
            wait_for("probes to pass", lambda a=asking, t=target: ping(a, t, count=2), lambda loss: not loss.lost)  # type: ignore[misc]

    def ways(self) -> Iterator[tuple[Namespace, str]]:
        """Who sends probes, and to what."""
        for end, other in zip(self.ends, [*self.ends[1:], self.ends[0]], strict=True):
            for of in FAMILIES:
                yield self.peers[end].box, other.target[of]

    def told_by(self, end: End, of: int) -> set[Route]:
        return self.peers[end].announced(end.us[of], of, next_hop=end.them[of])

    def everything_is_right(self) -> None:
        """At both ends of every session, and in the kernel."""
        for of in FAMILIES:
            told = {end: self.told_by(end, of) for end in self.ends}
            every = set().union(*told.values())
            wait_for("the Loc-RIB", lambda of=of: self.router.loc_rib(of), lambda found, all=every: found == all)  # type: ignore[misc]
            for end, peer in self.peers.items():
                passed = {(p, over_ebgp(a, asn=ASN, next_hop=end.us[of])) for p, a in every - told[end]}
                peer.wait_routes(end.us[of], of, passed)
            links = set().union(*(end.networks for end in self.ends))
            wait_for(
                "the kernel",
                lambda of=of, links=links: set(kernel_routes(self.router.home, families=(of,))) - links,  # type: ignore[misc]
                lambda found, every=every: found == {p for p, _ in every},
            )

    def held(self) -> dict[tuple[End, int], set[Route]]:
        return {(end, of): peer.kept(end.us[of], of) for end, peer in self.peers.items() for of in FAMILIES}

    def sessions_are_down(self) -> None:
        for end, peer in self.peers.items():
            for of in FAMILIES:
                down = end.us[of]
                wait_for("it to notice", lambda p=peer, d=down: p.session(d), lambda state: state != "established")  # type: ignore[misc]

    def bird_tells(self, routes: tuple[Announcement, ...]) -> None:
        bird = self.peers[ENDS[0]]
        assert isinstance(bird, Bird)
        bird.config.announce = routes
        bird.reconfigure()

    def back(self) -> None:
        self.router.start_controller()
        self.router.wait_established()
        self.router.wait_ncps()
        self.everything_is_right()


@marked(RESTARTER, "bird", "frr", "gobgp", "openbgpd")
def test_routingd_killed_or_stopped_comes_back_without_a_packet_lost_and_with_what_changed_meanwhile(lab: Lab) -> None:
    made = Restarting(lab)
    probes = [PingStream(box, target) for box, target in made.ways()]

    made.router.kill_controller()
    made.bird_tells(ENDS[0].changed)
    made.back()

    before = made.held()
    agent = made.router.agent_pid("ncp1")
    made.router.stop()
    os.kill(agent, signal.SIGTERM)  # its agent too, as a service manager may
    made.sessions_are_down()
    assert made.held() == before, "all of them keep what they have of us"
    made.bird_tells(ENDS[0].announced)
    made.back()

    losses = {(box.name, target): stream.finish() for (box, target), stream in zip(made.ways(), probes, strict=True)}
    assert {way: loss.lost for way, loss in losses.items() if loss.lost} == {}
    assert min(loss.sent for loss in losses.values()) > 100
