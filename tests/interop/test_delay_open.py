"""DelayOpen (RFC 4271 8.1.1) at both ends: each waits for the other to speak first, and the session comes up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.matrix import against
from tests.lab.frr import Frr
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
THEM, US = "10.1.0.1", "10.1.0.2"


@pytest.mark.parametrize(("ours", "theirs"), [(3, 6), (6, 3)], ids=["we speak first", "they speak first"])
@pytest.mark.parametrize("daemon", against("DelayOpen", frr=Frr))
def test_two_that_wait_for_each_other_come_up(lab: Lab, daemon: type[Frr], ours: int, theirs: int) -> None:
    box, there = lab.box("r1"), lab.box("peer")
    lab.link(box, "eth0", there, "eth0", b_addresses=[f"{THEM}/24"])
    session = Neighbor(US, 65001, THEM, families=(4,), delay_open=theirs, passive=True)
    peer = daemon(there, PeerConfig(65010, THEM, [session], [Announcement("198.18.1.0/24")]))
    peer.start()
    both = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{US}/24"]}},
        "bgp": {"neighbors": {THEM: {"asn": 65010, "delay-open": ours, "families": both}}},
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    timers = wait_for(
        "TCP to be up without a word",
        lambda: router.ctl("show", "bgp", "neighbor", THEM)["neighbors"][0]["timers"],
        lambda timers: "delay-open" in timers,
        every=0.02,
    )
    assert timers["delay-open"] <= ours
    router.wait_established(THEM)
    peer.wait_established(US)
    wait_for("its route", lambda: {p for p, _ in router.loc_rib(4)}, lambda held: held == {"198.18.1.0/24"})
