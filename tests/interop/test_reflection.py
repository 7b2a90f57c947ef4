"""RFC 4456 with real daemons on every side of us: our client, our peer of another kind, and a reflector whose client we
are, with another client of its own behind it.

    client ─┐
            r1 ─── reflector ─── far        all of AS 65001
    plain ──┘

What everybody holds is compared as sets of (prefix, attributes) with ORIGINATOR_ID and CLUSTER_LIST.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab.attributes import Attributes, Route
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
ASN = 65001
ROUTER_ID, CLUSTER = "10.255.0.1", "10.255.0.100"
THEIR_CLUSTER = "10.255.0.200"
BOTH = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
NETWORK = "203.0.113.0/24"
CLIENT, PLAIN, REFLECTOR, FAR = "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"
PREFIX = {CLIENT: "198.18.1.0/24", PLAIN: "198.18.2.0/24", REFLECTOR: "198.18.3.0/24", FAR: "198.18.4.0/24"}


def ours(address: str) -> str:
    """The other end of a cable."""
    return f"{address[:-1]}2"


class Reflection:
    """Router ids are the daemons' addresses."""

    def __init__(
        self, lab: Lab, daemon: type[Peer], their_cluster: str = THEIR_CLUSTER, *, edges_only: bool = False
    ) -> None:
        """``edges_only``: without the reflector and what is behind it."""
        self.box = lab.box("r1")
        self.their_cluster = their_cluster
        self.peers: dict[str, Peer] = {}
        near_us = ((CLIENT, "client"), (PLAIN, "plain"), (REFLECTOR, "reflector"))
        for at, (address, name) in enumerate(near_us[:2] if edges_only else near_us):
            there = lab.box(name)
            lab.link(self.box, f"eth{at}", there, "eth0", b_addresses=[f"{address}/24"])
            there.route("10.0.0.0/8", "via", ours(address))
            neighbors = [self._to(ours(address), address, client=address == REFLECTOR)]
            if address == REFLECTOR:
                # Two GoBGPs that call at once may not hear each other for a minute.
                neighbors.append(replace(self._to(FAR, ours(FAR), client=True), passive=True))
            self._peer(daemon, there, address, neighbors)
        if not edges_only:
            far = lab.box("far")
            near = self.peers[REFLECTOR].box
            lab.link(near, "eth1", far, "eth0", a_addresses=[f"{ours(FAR)}/24"], b_addresses=[f"{FAR}/24"])
            far.route("10.0.0.0/8", "via", ours(FAR))
            self._peer(daemon, far, FAR, [self._to(ours(FAR), FAR)])
        self.router = Router(lab, configuration(), {"ncp1": self.box})
        with ThreadPoolExecutor() as pool:
            others = [peer for address, peer in self.peers.items() if address != FAR]
            for started in [pool.submit(each.start) for each in (self.router, *others)]:
                started.result()
        self.router.wait_established(*(address for address in self.peers if address != FAR))
        if not edges_only:
            # Last: a route that comes while OpenBGPD reads its configuration is told to nobody.
            self.peers[FAR].start()
            self.peers[FAR].wait_established()

    def _to(self, there: str, here: str, *, client: bool = False) -> Neighbor:
        return Neighbor(there, ASN, here, families=(4,), next_hop_self=False, transit=client, client=client)

    def _peer(self, daemon: type[Peer], box: Any, address: str, neighbors: list[Neighbor]) -> None:
        cluster = self.their_cluster if address == REFLECTOR else ""
        config = PeerConfig(ASN, address, neighbors, [Announcement(PREFIX[address])], cluster)
        self.peers[address] = daemon(box, config)

    def route(self, of: str, *clusters: str, next_hop: str = "") -> Route:
        """What one of them announces, reflected by these, the last one first."""
        (neighbor, *_) = self.peers[of].config.neighbors
        ((prefix, attributes),) = self.peers[of].announced(neighbor.address, next_hop=next_hop or of)
        return prefix, attributes._replace(originator=of if clusters else None, clusters=clusters)

    def own(self, to: str, *clusters: str) -> Route:
        """What we announce ourselves, as it left us on that cable."""
        attributes = Attributes(next_hop=ours(to), local_pref=100)
        if clusters:
            # FRR gives what it reflects a MED of 0.
            med = 0 if isinstance(self.peers[REFLECTOR], Frr) else None
            attributes = attributes._replace(med=med, originator=ROUTER_ID, clusters=clusters)
        return NETWORK, attributes

    def theirs(self, *clusters: str, next_hop: str = "") -> Route:
        """Of the reflector itself. GoBGP reflects even that."""
        even_that = (self.their_cluster,) if isinstance(self.peers[REFLECTOR], GoBgp) else ()
        return self.route(REFLECTOR, *clusters, *even_that, next_hop=next_hop)

    def shown(self, route: Route) -> Route:
        """What we told the reflector, as its tool has it: OpenBGPD reflects where a route comes in."""
        if not isinstance(self.peers[REFLECTOR], OpenBgpd):
            return route
        prefix, told = route
        clusters = (self.their_cluster, *told.clusters)
        return prefix, told._replace(originator=told.originator or ROUTER_ID, clusters=clusters)

    def must_hold(self, held: dict[str, set[Route]]) -> None:
        for address, routes in held.items():
            peer = self.peers[address]
            peer.wait_routes(peer.config.neighbors[0].address, 4, routes)

    def table_must_be(self, *known: Route) -> None:
        self.router.wait_loc_rib(set(known))


def configuration() -> dict[str, Any]:
    ends = (CLIENT, PLAIN, REFLECTOR)
    return {
        "router": {"name": "r1", "router-id": ROUTER_ID, "asn": ASN},
        "interfaces": {f"eth{at}": {"addresses": [f"{ours(end)}/24"]} for at, end in enumerate(ends)},
        "static": {"10.4.0.0/24": {"next-hop": REFLECTOR}, NETWORK: {"blackhole": True}},
        "bgp": {
            "cluster-id": CLUSTER,
            "networks": [NETWORK],
            "neighbors": {end: {"asn": ASN, "route-reflector-client": end == CLIENT, "families": BOTH} for end in ends},
        },
    }


@pytest.mark.parametrize(
    "daemon",
    against(
        "reflection: our client, and not (RFC 4456)",
        "reflection: their client (RFC 4456)",
        bird=Bird,
        frr=Frr,
        gobgp=GoBgp,
        openbgpd=OpenBgpd,
    ),
)
def test_a_route_goes_through_two_clusters_and_tells_so(lab: Lab, daemon: type[Peer]) -> None:
    made = Reflection(lab, daemon)
    # What the reflector tells came from its other client, so it goes to our client alone; what our client tells goes
    # to everybody.
    made.must_hold(
        {
            CLIENT: {
                made.route(PLAIN, CLUSTER), made.theirs(CLUSTER), made.route(FAR, CLUSTER, THEIR_CLUSTER),
                made.own(CLIENT),
            },
            PLAIN: {made.route(CLIENT, CLUSTER), made.own(PLAIN)},
            REFLECTOR: {made.shown(made.route(CLIENT, CLUSTER)), made.shown(made.own(REFLECTOR))},
            FAR: {
                made.theirs(next_hop=ours(FAR)), made.route(CLIENT, THEIR_CLUSTER, CLUSTER),
                made.own(REFLECTOR, THEIR_CLUSTER),
            },
        }
    )  # fmt: skip
    made.table_must_be(made.route(CLIENT), made.route(PLAIN), made.theirs(), made.route(FAR, THEIR_CLUSTER))


@pytest.mark.parametrize(
    "daemon",
    against("reflection: loops refused (RFC 4456 8)", bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd),
)
def test_two_reflectors_of_one_cluster_do_not_take_what_the_other_reflected(lab: Lab, daemon: type[Peer]) -> None:
    made = Reflection(lab, daemon, CLUSTER)

    def refused() -> dict[str, int]:
        return dict(made.router.ctl("show", "bgp", "neighbor", REFLECTOR)["neighbors"][0]["refused"])

    wait_for("what their other client told to come and be refused", refused, lambda found: "cluster-loop" in found)
    taken = not made.theirs()[1].clusters
    made.must_hold(
        {
            CLIENT: {made.route(PLAIN, CLUSTER), made.own(CLIENT), *({made.theirs(CLUSTER)} if taken else ())},
            FAR: {made.theirs(next_hop=ours(FAR)), made.own(REFLECTOR, CLUSTER)},
        }
    )
    made.table_must_be(made.route(CLIENT), made.route(PLAIN), *({made.theirs()} if taken else ()))


@pytest.mark.matrix("reflection: our client, and not (RFC 4456)", "exabgp")
def test_a_client_and_another_that_only_inject_routes_hear_of_each_other(lab: Lab) -> None:
    made = Reflection(lab, ExaBgp, edges_only=True)
    made.must_hold(
        {
            CLIENT: {made.route(PLAIN, CLUSTER), made.own(CLIENT)},
            PLAIN: {made.route(CLIENT, CLUSTER), made.own(PLAIN)},
        }
    )
    made.table_must_be(made.route(CLIENT), made.route(PLAIN))
