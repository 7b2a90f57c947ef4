"""Row 8: a controller that hangs is replaced by another with the same configuration on another machine, and comes back.

client ── box (ncpd) ── BIRD, AS 65003
           │    └────── controller B
           └─────────── controller A
"""

from __future__ import annotations

import copy
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.lab.bird import Bird
from tests.lab.kernel import kernel_routes
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig, Restarts
from tests.lab.probes import PingStream, ping
from tests.lab.relay import Relay
from tests.lab.router import TLS_PORT, Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
FRONT = "10.9.0.1"
"""Where the agent dials."""
OURS, THEIRS, BEHIND, TARGET = "10.3.0.1", "10.3.0.2", "198.51.100.0/24", "198.51.100.1"


class TwoControllers:
    def __init__(self, lab: Lab) -> None:
        self.box, self.client, peer = lab.box("box"), lab.box("client"), lab.box("peer")
        lab.link(self.box, "eth0", peer, "eth0", b_addresses=[f"{THEIRS}/24"])
        lab.link(self.box, "eth1", self.client, "eth0", b_addresses=["10.4.0.2/24"])
        peer.address("lo", f"{TARGET}/32")
        peer.route("default", "via", OURS)
        self.client.route("default", "via", "10.4.0.1")
        self.box.address("lo", f"{FRONT}/32")
        accept = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
        config: dict[str, Any] = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "ncps": {"ncp1": {"certificate": "ncp1"}},
            "interfaces": {"eth0": {"addresses": [f"{OURS}/24"]}, "eth1": {"addresses": ["10.4.0.1/24"]}},
            "bgp": {"neighbors": {THEIRS: {"asn": 65003, "families": accept}}},
        }
        self.routers: list[Router] = []
        self.places: list[tuple[str, int]] = []
        for number, name in ((1, "a"), (2, "b")):
            home = lab.box(name)
            lab.link(
                home,
                "m0",
                self.box,
                f"m-{name}",
                a_addresses=[f"10.9.{number}.1/24"],
                b_addresses=[f"10.9.{number}.2/24"],
            )
            self.routers.append(Router(lab, copy.deepcopy(config), {"home": home, "ncp1": self.box}, management=FRONT))
            self.places.append((f"10.9.{number}.1", TLS_PORT))
        self.first, self.second = self.routers
        self.first.config["listen"]["address"] = f"0.0.0.0:{TLS_PORT}"
        self.second.config["listen"] = self.first.config["listen"]
        neighbor = Neighbor(OURS, 65001, THEIRS, families=(4,), restarts=Restarts(60))
        self.bird = Bird(peer, PeerConfig(65003, "10.0.0.3", [neighbor], [Announcement(BEHIND)]))
        self.relay = Relay(self.box, (FRONT, TLS_PORT), self.places[0])
        self.agent = self.first.agents["ncp1"]

    def start(self) -> None:
        self.bird.start()
        self.first.start_controller()
        self.agent.start()
        self.whole(self.first)

    def whole(self, router: Router) -> None:
        """This one has the box, the session and the kernel's routes."""
        wait_for(
            "the box",
            lambda: router.ncps()["ncp1"],
            lambda row: row["state"] == "forwarding" and row["caught_up"],
            timeout=60,
        )
        router.wait_established(THEIRS)
        wait_for(
            "the route", lambda: router.loc_rib(), lambda routes: {str(prefix) for prefix, _ in routes} == {BEHIND}
        )
        wait_for("the kernel", lambda: BEHIND in kernel_routes(self.box))

    def overtaken(self, router: Router) -> dict[str, Any] | None:
        return next((c for c in router.ncps()["ncp1"]["conditions"] if c["code"] == "overtaken"), None)

    def writes(self) -> int:
        return int(self.second.ncps()["ncp1"]["agent"]["netlink_messages"])


@pytest.fixture
def two(lab: Lab) -> Iterator[TwoControllers]:
    made = TwoControllers(lab)
    yield made
    made.relay.close()


@pytest.mark.row(8)
def test_of_two_controllers_the_later_one_writes_and_the_other_says_so(two: TwoControllers, row: Row) -> None:
    two.start()
    wait_for("probes to pass", lambda: ping(two.client, TARGET, count=2), lambda loss: not loss.lost)
    probes = PingStream(two.client, TARGET, interval=0.001)
    first = two.first.process
    assert first is not None
    os.kill(first.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    two.relay.target = two.places[1]
    two.second.start_controller()
    wait_for(
        "the box to be the second's",
        lambda: two.second.ncps()["ncp1"]["state"],
        lambda state: state == "forwarding",
        timeout=60,
    )
    taken = time.monotonic() - stopped
    two.whole(two.second)
    before = two.writes()

    os.kill(first.pid, signal.SIGCONT)
    condition = wait_for("the first to know", lambda: two.overtaken(two.first), lambda seen: seen is not None)
    assert condition is not None
    assert condition["severity"] == "alarm"
    assert "another controller has taken over" in condition["text"]
    assert "another controller has taken over" in first.output()
    assert "another controller has taken over" in two.first.text("show", "ncp", "ncp1", "detail")
    wait_for("the first to lose its session", lambda: two.first.session(THEIRS), lambda state: state != "established")
    assert BEHIND in kernel_routes(two.box)

    loss, writes = probes.finish(), two.writes() - before
    row(8, lost=loss, writes=writes, whole=taken)
    assert (loss.lost, writes) == (0, 0)

    two.agent.kill()
    two.relay.target = two.places[0]
    two.agent.start()
    wait_for("a new agent to be refused", lambda: "agent.refused" in first.output())
    assert BEHIND in kernel_routes(two.box), "what it refuses keeps forwarding"
    ids = [int((router.state_dir / "election").read_text()) for router in two.routers]
    assert ids[0] == ids[1], "its next start will be above"
    assert [int(found) for found in re.findall(r"election_id=(\d+)", two.second.process.output())] == [ids[1]]  # type: ignore[union-attr]
    two.relay.target = two.places[1]
    two.whole(two.second)
    assert two.overtaken(two.second) is None
