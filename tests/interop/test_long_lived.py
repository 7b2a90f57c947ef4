"""Long-lived graceful restart (RFC 9494): routes of a daemon that stays away are a last resort, told with LLGR_STALE to
a neighbor that has the capability and to nobody else.

    restarter ─── r1 (AS 65001) ─┬─ BIRD, which has the capability and a longer way to one of the prefixes
                                 └─ OpenBGPD, which has not
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.interop.matrix import against
from tests.lab.attributes import Attributes, Route
from tests.lab.bird import Bird
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import kernel_routes
from tests.lab.lab import Lab
from tests.lab.openbgpd import OpenBgpd
from tests.lab.peer import Announcement, Neighbor, Peer, PeerConfig, Restarts
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

FEATURE = "long-lived graceful restart: helper (RFC 9494)"
ASN, RESTARTER, KNOWS, KNOWS_NOT = 65001, 65040, 65020, 65030
LLGR_STALE, NO_LLGR = "65535:6", "65535:7"
ALONE, BOTH, BARRED = "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24"


@dataclass(slots=True)
class Three:
    router: Router
    restarter: Peer
    knows: Peer
    knows_not: Peer

    def best(self) -> set[Route]:
        return self.router.loc_rib(4)

    def waits(self) -> list[str]:
        (row,) = self.router.ctl("show", "bgp", "neighbor", "10.1.0.1")["neighbors"]
        return [kept["waits_for"] for kept in row["retained"]]


def start(lab: Lab, daemon: type[Peer], restarts: Restarts) -> Three:
    r1 = lab.box("r1")
    peers: list[Peer] = []
    accept = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    neighbors = {}
    announced = {
        RESTARTER: [Announcement(ALONE), Announcement(BOTH), Announcement(BARRED, communities=(NO_LLGR,))],
        KNOWS: [Announcement(BOTH, path=(65021, 65022))],
        KNOWS_NOT: [],
    }
    for number, (kind, asn) in enumerate(((daemon, RESTARTER), (Bird, KNOWS), (OpenBgpd, KNOWS_NOT)), start=1):
        here, there = f"10.{number}.0.2", f"10.{number}.0.1"
        box = lab.box(f"as{asn}")
        lab.link(r1, f"eth{number}", box, "eth0", b_addresses=[f"{there}/24"])
        said = restarts if asn == RESTARTER else None
        neighbor = Neighbor(here, ASN, there, families=(4,), restarts=said)
        peers.append(kind(box, PeerConfig(asn, there, [neighbor], announced[asn])))
        neighbors[there] = {"asn": asn, "long-lived-stale-time": 600, "families": accept}
    config = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "ncps": {"ncp1": {"embedded": True}},
        "interfaces": {f"ncp1/eth{n}": {"addresses": [f"10.{n}.0.2/24"]} for n in (1, 2, 3)},
        # FRR tells no End-of-RIB (tests/lab/frr.py).
        "bgp": {"graceful-restart": {"deferral": 10 if daemon is Frr else 360}, "neighbors": neighbors},
    }
    router = Router(lab, config, {"ncp1": r1})
    router.start()
    for peer in peers:
        peer.start()
    router.wait_established()
    return Three(router, *peers)


def given(prefix: str, *communities: str) -> Route:
    """By the restarter."""
    return prefix, Attributes(as_path=str(RESTARTER), next_hop="10.1.0.1", communities=communities)


def told(number: int, *routes: Route) -> set[Route]:
    """The same as r1 tells it on a link."""
    here = f"10.{number}.0.2"
    return {(p, a._replace(as_path=f"{ASN} {a.as_path}", next_hop=here, med=None)) for p, a in routes}


LONGER = (BOTH, Attributes(as_path=f"{KNOWS} 65021 65022", next_hop="10.2.0.1"))


def plain(routes: set[Route]) -> set[Route]:
    """Without MED: FRR gives its own routes one."""
    return {(p, a._replace(med=None)) for p, a in routes}


def everything_as_in_the_beginning(three: Three) -> None:
    all_of_it = {given(ALONE), given(BOTH), given(BARRED, NO_LLGR)}
    wait_for("the Loc-RIB", lambda: plain(three.best()), lambda found: found == all_of_it, timeout=60)
    three.knows.wait_routes("10.2.0.2", 4, told(2, *all_of_it))
    three.knows_not.wait_routes("10.3.0.2", 4, told(3, *all_of_it))


@pytest.mark.parametrize("daemon", against(FEATURE, bird=Bird, frr=Frr, gobgp=GoBgp))
def test_routes_of_a_daemon_that_stays_away_are_a_last_resort_until_it_is_back(lab: Lab, daemon: type[Peer]) -> None:
    three = start(lab, daemon, Restarts(3, long_lived=300))
    everything_as_in_the_beginning(three)
    before = kernel_routes(three.router.home, families=(4,))
    three.restarter.kill()
    wait_for("the long-lived time", three.waits, lambda seen: seen == ["long-lived"])
    three.knows.wait_routes("10.2.0.2", 4, told(2, given(ALONE, LLGR_STALE)))
    three.knows_not.wait_routes("10.3.0.2", 4, told(3, LONGER))
    assert plain(three.best()) == {given(ALONE), LONGER}
    after = kernel_routes(three.router.home, families=(4,))
    assert after[ALONE] == before[ALONE]
    assert after[BOTH] != before[BOTH]
    assert BARRED not in after
    three.restarter.recovers = True
    three.restarter.start()
    three.restarter.wait_established()
    everything_as_in_the_beginning(three)
    wait_for("nothing to be waited for", three.waits, lambda seen: not seen)
    wait_for("the kernel", lambda: kernel_routes(three.router.home, families=(4,)), lambda found: found == before)


def test_the_last_resort_ends_with_its_time(lab: Lab) -> None:
    three = start(lab, Bird, Restarts(2, long_lived=2))
    everything_as_in_the_beginning(three)
    three.restarter.kill()
    wait_for("the Loc-RIB", three.best, lambda found: found == {LONGER})
    three.knows.wait_routes("10.2.0.2", 4, set())
    three.knows_not.wait_routes("10.3.0.2", 4, told(3, LONGER))
    assert three.waits() == []
