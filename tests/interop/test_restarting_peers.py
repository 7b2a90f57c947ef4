"""Daemons that restart, and routingd as their helper: what they told is used on, under probes, until they are back or
their time is over."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.interop import exchange
from tests.interop.exchange import FEEDER, PEER, TO_FEEDER, US, Exchange
from tests.interop.matrix import against
from tests.lab.bird import Bird
from tests.lab.exabgp import ExaBgp
from tests.lab.frr import Frr
from tests.lab.gobgp import GoBgp
from tests.lab.kernel import kernel_routes
from tests.lab.lab import Lab
from tests.lab.peer import Peer, Restarts
from tests.lab.probes import PingStream, ping
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

HELPER = "graceful restart: helper (RFC 4724)"
NOTIFICATIONS = "graceful restart: notifications (RFC 8538)"
TARGET = {4: "198.18.1.1", 6: "2001:db8:77::1"}
"""Behind the peer, in prefixes that it announces."""
NETWORKS = {4: "10.8.0.0/24", 6: "2001:db8:8::/64"}
"""Where probes come from."""


def start(lab: Lab, daemon: type[Peer], restarts: Restarts, hold_time: int = 30, *, passive: bool = False) -> Exchange:
    """Tables compared at both ends, and a way back for probes in the peer's box, whose kernel goes on without it."""
    # FRR tells no End-of-RIB (tests/lab/frr.py), so there it is this time that ends the wait for it.
    deferral = 10 if daemon is Frr else 360
    made = exchange.start(
        lab, daemon, ebgp=True, prefixes=40, restarts=restarts, deferral=deferral, hold_time=hold_time,
        passive=passive,
    )  # fmt: skip
    box = made.peer.box
    box.address("lo", f"{TARGET[4]}/32", f"{TARGET[6]}/128")
    for of in (4, 6):
        box.route(NETWORKS[of], "via", US[of])
    feeder = lab.namespaces["feeder"]
    for of in (4, 6):
        feeder.route("default", "via", TO_FEEDER[of])
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)
        wait_for("probes to pass", lambda of=of: ping(feeder, TARGET[of], count=2), lambda loss: not loss.lost)  # type: ignore[misc]
    return made


def neighbor(made: Exchange, of: int) -> dict[str, Any]:
    (row,) = made.router.ctl("show", "bgp", "neighbor", PEER[of])["neighbors"]
    return dict(row)


def waits(made: Exchange, of: int) -> list[str]:
    return [kept["waits_for"] for kept in neighbor(made, of)["retained"]]


def stale(made: Exchange, of: int) -> int:
    return int(neighbor(made, of)["families"][f"ipv{of}-unicast"]["stale"])


def wait_down(made: Exchange) -> None:
    """Both sessions are gone and their routes are kept."""
    for of in (4, 6):
        wait_for("routes of a lost session", lambda of=of: waits(made, of), lambda seen: seen == ["restart"])  # type: ignore[misc]


def wait_fresh(made: Exchange, of: int) -> None:
    wait_for("nothing stale", lambda: (stale(made, of), waits(made, of)), lambda seen: seen == (0, []))


def kernel(made: Exchange) -> dict[int, Any]:
    return {of: kernel_routes(made.router.home, families=(of,)) for of in (4, 6)}


@pytest.mark.parametrize("daemon", against(HELPER, bird=Bird, frr=Frr, gobgp=GoBgp, exabgp=ExaBgp))
def test_a_killed_daemon_that_comes_back_loses_no_packet_and_what_it_tells_no_more_goes_at_end_of_rib(
    lab: Lab, daemon: type[Peer]
) -> None:
    made = start(lab, daemon, Restarts(60))
    before, announced = kernel(made), made.peer.config.announce
    probes = [PingStream(lab.namespaces["feeder"], TARGET[of], interval=0.002) for of in (4, 6)]
    made.peer.kill()
    wait_down(made)
    for of in (4, 6):
        assert stale(made, of) == len(made.peer.announced(US[of], of, next_hop=PEER[of]))
        made.loc_rib_must_be(of)
        assert made.router.session(FEEDER[of]) == "established"
    assert kernel(made) == before
    made.peer.recovers = True
    made.peer.config.announce = [a for a in announced if a.prefix not in ("198.18.3.0/24", "2001:db8:78::1/128")]
    made.peer.start()
    made.peer.wait_established()
    for of in (4, 6):
        made.loc_rib_must_be(of)
        wait_fresh(made, of)
        made.peer_must_hold(of)
        assert neighbor(made, of)["established_count"] == 2
    gone = {p for of in (4, 6) for p in before[of]} - {p for of in (4, 6) for p in kernel(made)[of]}
    assert gone == {"198.18.3.0/24", "2001:db8:78::1/128"}
    for stream in probes:
        loss = stream.finish()
        assert (loss.sent > 100, loss.lost) == (True, 0)


@pytest.mark.parametrize("daemon", against(HELPER, bird=Bird, frr=Frr, gobgp=GoBgp))
def test_routes_of_a_daemon_that_does_not_come_back_go_when_its_restart_time_is_over(
    lab: Lab, daemon: type[Peer]
) -> None:
    made = start(lab, daemon, Restarts(3))
    made.peer.kill()
    wait_down(made)
    for of in (4, 6):
        made.loc_rib_must_be(of, with_peer=False)
        assert (waits(made, of), stale(made, of)) == ([], 0)
        assert ping(lab.namespaces["feeder"], TARGET[of], count=1, deadline=1).received == 0


def came(made: Exchange, of: int) -> dict[str, float]:
    """When its routes came, by this clock, at most a second too late."""
    return {
        row["prefix"]: time.monotonic() - row["age"] for row in made.router.rows(of) if row["source_name"] == PEER[of]
    }


@pytest.mark.parametrize("daemon", against(HELPER, bird=Bird, gobgp=GoBgp))
def test_a_daemon_that_comes_back_without_its_forwarding_begins_anew(lab: Lab, daemon: type[Peer]) -> None:
    """Started plainly, neither says that it has kept anything (R and F bits); FRR says what it is configured to say."""
    made = start(lab, daemon, Restarts(60))
    wait_for("routes of some age", lambda: time.monotonic() - max(came(made, 4).values()), lambda age: age > 3)
    killed = time.monotonic()
    made.peer.kill()
    wait_down(made)
    made.peer.start()
    made.peer.wait_established()
    for of in (4, 6):
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)
        assert (waits(made, of), stale(made, of)) == ([], 0)
    assert min(came(made, 4).values()) > killed


def test_bird_that_is_shut_down_for_a_graceful_restart_loses_no_packet(lab: Lab) -> None:
    made = start(lab, Bird, Restarts(60))
    probes = [PingStream(lab.namespaces["feeder"], TARGET[of], interval=0.002) for of in (4, 6)]
    assert isinstance(made.peer, Bird)
    made.peer.shut_down_gracefully()
    wait_down(made)
    made.peer.recovers = True
    made.peer.start()
    made.peer.wait_established()
    for of in (4, 6):
        wait_fresh(made, of)
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)
    assert [stream.finish().lost for stream in probes] == [0, 0]


def test_a_daemon_whose_end_nobody_saw_is_taken_back_at_once(lab: Lab) -> None:
    """Its last words are lost on the way. Its new connection says that it has restarted (RFC 4724 5)."""
    made = start(lab, Bird, Restarts(60), hold_time=240)  # no KEEPALIVE of ours meets a kernel that has forgotten
    probes = PingStream(lab.namespaces["feeder"], TARGET[4])
    box = made.peer.box
    box.run("sysctl", "-qw", "net.ipv4.tcp_orphan_retries=1")
    wait_for("a session of some age", lambda: neighbor(made, 4)["uptime"], lambda uptime: uptime > 5)
    box.route(f"{US[4]}/32", "dev", "lo")
    made.peer.kill()
    left = ["ss", "-Htan", "exclude", "time-wait", "dst", US[4]]  # that of a collision stays for a minute
    wait_for("its kernel to give the connection up", lambda: box.run(*left), lambda found: not found)
    assert made.router.session(PEER[4]) == "established"
    box.ip("route", "delete", f"{US[4]}/32")
    made.peer.recovers = True
    made.peer.start()
    wait_for("the session to be back", lambda: neighbor(made, 4)["established_count"], lambda n: n == 2)
    wait_fresh(made, 4)
    assert neighbor(made, 4)["last_session"]["reason"] == "the peer connected again"
    made.loc_rib_must_be(4)
    made.peer_must_hold(4)
    assert probes.finish().lost == 0


@pytest.mark.parametrize("daemon", against(NOTIFICATIONS, frr=Frr, gobgp=GoBgp))
def test_sessions_that_notifications_end_come_back_without_a_lost_packet(lab: Lab, daemon: type[Peer]) -> None:
    # A second connection, where both called at once, would be one restart more (RFC 4724 5).
    made = start(lab, daemon, Restarts(120), passive=True)
    probes = [PingStream(lab.namespaces["feeder"], TARGET[of], interval=0.002) for of in (4, 6)]
    for of in (4, 6):
        made.peer.restart_session(US[of])
    for of in (4, 6):
        # GoBGP takes no connection for half a minute after its own reset.
        times = lambda of=of: neighbor(made, of)["established_count"]  # type: ignore[misc]  # noqa: E731
        wait_for("the session to come back", times, lambda n: n == 2, timeout=60)
        wait_fresh(made, of)
        assert neighbor(made, of)["last_session"]["received"]["code"] == 6
        made.loc_rib_must_be(of)
        made.peer_must_hold(of)
    losses = [stream.finish() for stream in probes]
    # GoBGP comes back without the F bit: routes go at that moment, to be told again in the next (RFC 4724 4.2).
    assert [keeps_forwarding(made, of) for of in (4, 6)] == [daemon is not GoBgp] * 2
    if daemon is GoBgp:
        assert max(loss.lost for loss in losses) * 0.002 < 1
    else:
        assert [loss.lost for loss in losses] == [0, 0]


def keeps_forwarding(made: Exchange, of: int) -> bool:
    """Whether it says that it has gone on forwarding while the session was down."""
    (value,) = [
        row["value"] for row in neighbor(made, of)["capabilities"]
        if row["name"] == "graceful-restart" and row["received"]
    ]  # fmt: skip
    return "forwarding True" in value


@pytest.mark.parametrize("daemon", against(NOTIFICATIONS, frr=Frr))
def test_what_we_stop_is_gone_at_both_ends(lab: Lab, daemon: type[Peer]) -> None:
    made = start(lab, daemon, Restarts(60))
    made.router.ctl("bgp", "stop", PEER[4], "--message", "for good")
    made.loc_rib_must_be(4, with_peer=False)
    assert waits(made, 4) == []
    made.peer.wait_routes(US[4], 4, set())
    assert neighbor(made, 4)["last_session"]["sent"]["subcode"] == 9
