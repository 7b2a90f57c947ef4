"""Sessions without a hold timer, ended by hand at either end with a message for the other's operator (RFC 9003)."""

from __future__ import annotations

import json
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
HOLD_ZERO = "hold time 0"
OURS, THEIRS = "shutdown with a message: ours (RFC 9003)", "shutdown with a message: theirs (RFC 9003)"
THEM, US = "10.1.0.1", "10.1.0.2"
MESSAGE = "maintenance of line 4"
TIMED = (GoBgp, OpenBgpd)
"""They have no hold time of 0."""


def lab_of(lab: Lab, daemon: type[Peer]) -> tuple[Router, Peer]:
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{THEM}/24"])
    session = Neighbor(US, 65001, THEM, families=(4,), hold_time=30 if daemon in TIMED else 0)
    peer = daemon(there, PeerConfig(65010, THEM, [session], [Announcement("198.18.1.0/24")]))
    peer.start()
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}},
        "static": {"203.0.113.0/24": {"blackhole": True}},
        "bgp": {
            "networks": ["203.0.113.0/24"],
            "neighbors": {THEM: {"asn": 65010, "families": {"ipv4-unicast": {"import": "accept", "export": "accept"}}}},
        },
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    router.wait_established(THEM)
    peer.wait_established(US)
    return router, peer


def row(router: Router) -> dict[str, Any]:
    return dict(router.ctl("show", "bgp", "neighbor", THEM)["neighbors"][0])


@pytest.mark.parametrize(
    "daemon",
    against(HOLD_ZERO, OURS, bird=Bird, frr=Frr, exabgp=ExaBgp) + against(OURS, gobgp=GoBgp, openbgpd=OpenBgpd),
)
def test_a_session_without_a_hold_timer_ends_with_our_message_and_comes_back(lab: Lab, daemon: type[Peer]) -> None:
    router, peer = lab_of(lab, daemon)
    watch = router.home.start("monitor", router.ctl_argv("monitor", "bgp", THEM))
    up = row(router)
    if daemon not in TIMED:
        assert (up["hold_time"], up["keepalive_interval"], up["timers"]) == (0, 0, {})
    wait_for("our route", lambda: {p for p, _ in peer.routes(US)}, lambda held: held == {"203.0.113.0/24"})
    wait_for("its route", lambda: {p for p, _ in router.loc_rib(4)}, lambda held: held == {"198.18.1.0/24"})
    assert router.ctl("bgp", "stop", THEM, "--message", MESSAGE)["state"] == "Idle"
    # ExaBGP shows the code only.
    words = "(6,2)" if daemon is ExaBgp else MESSAGE
    wait_for("the message", lambda: peer.last_error(US), lambda said: words in said)
    assert MESSAGE in row(router)["last_session"]["sent"]["text"]
    router.ctl("bgp", "start", THEM)
    router.wait_established(THEM)
    wait_for("its route", lambda: {p for p, _ in router.loc_rib(4)}, lambda held: held == {"198.18.1.0/24"})
    seen = wait_for("the whole story", lambda: story(watch.output()), lambda seen: seen[-1:] == ["established"])
    assert seen[:3] == ["sent", "down", "Idle"]


def story(told: str) -> list[str]:
    """What ``monitor bgp`` has said: NOTIFICATIONs by their way, states by their name, the rest by kind; up to the
    last word "established"."""
    events = [json.loads(line) for line in told.splitlines()]
    keys = {"notification": "direction", "state": "new"}
    words = [e["details"][keys[e["event"]]] if e["event"] in keys else e["event"] for e in events]
    return words[: words.index("established") + 1] if "established" in words else words


@pytest.mark.parametrize("daemon", against(THEIRS, bird=Bird, frr=Frr, gobgp=GoBgp, openbgpd=OpenBgpd))
def test_we_show_the_message_with_which_they_shut_the_session(lab: Lab, daemon: type[Peer]) -> None:
    router, peer = lab_of(lab, daemon)
    peer.shut(US, MESSAGE)
    last = wait_for("the end", lambda: row(router)["last_session"], lambda last: last is not None)
    # Where both follow RFC 8538 it is the hard reset that it should be, around the other.
    assert (last["received"]["code"], last["received"]["subcode"]) in ((6, 2), (6, 9))
    assert MESSAGE in last["received"]["text"]
    assert MESSAGE in router.text("show", "bgp", "neighbor", THEM)
    assert peer.session(US) != "established"
