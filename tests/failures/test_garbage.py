"""Row 13: garbage on every listening socket at once, while sessions with a hold time of 3 s live on two boxes.

BIRD, AS 65011 ── ncp1 (routingd) ── ncp2 ── BIRD, AS 65012
                    └── evil
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.lab.bird import Bird
from tests.lab.lab import PROJECT, Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import TLS_PORT, Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
MANAGEMENT, METRICS_PORT = "172.31.0.1", 9179
NEIGHBOR, STRANGER = "10.66.0.11", "10.66.0.12"
"""Of the evil box: one that BGP knows, one that nobody does."""
ENOUGH = 250
"""Connections that each of them makes."""
MOST_MEMORY = 128 << 20
"""More than before, whatever comes: one frame of 16 MiB, in and out, and what the allocator keeps of it."""
SCRAPE = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
BOTH = {"ipv4-unicast": {"import": "accept", "export": "accept"}}


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


class Two:
    def __init__(self, lab: Lab) -> None:
        self.one, self.two, self.evil = lab.box("ncp1"), lab.box("ncp2"), lab.box("evil")
        lab.link(self.one, "m0", self.two, "m0", a_addresses=[f"{MANAGEMENT}/24"], b_addresses=["172.31.0.2/24"])
        lab.link(self.one, "fab0", self.two, "fab0")
        lab.link(self.one, "e0", self.evil, "eth0", b_addresses=[f"{NEIGHBOR}/24", f"{STRANGER}/24"])
        self.evil.route("172.31.0.0/24", "via", "10.66.0.1")
        self.birds = []
        for number, box in ((1, self.one), (2, self.two)):
            there, us, them = lab.box(f"bird{number}"), f"10.{number}.0.1", f"10.{number}.0.2"
            lab.link(box, "eth0", there, "eth0", b_addresses=[f"{them}/24"])
            neighbor = Neighbor(us, 65001, them, families=(4,), hold_time=3)
            self.birds.append(
                Bird(there, PeerConfig(65010 + number, them, [neighbor], [Announcement(f"198.51.{number}.0/24")]))
            )
        config: dict[str, Any] = {
            "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
            "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}, "ncp3": {"certificate": "ncp3"}},
            "fabric": {f"ncp{n}": {"port": "fab0", "address": f"169.254.100.{n}"} for n in (1, 2, 3)},
            "interfaces": {
                "ncp1/eth0": {"addresses": ["10.1.0.1/24"]}, "ncp2/eth0": {"addresses": ["10.2.0.1/24"]},
                "ncp1/e0": {"addresses": ["10.66.0.1/24"]},
            },
            "management": {"metrics": f"0.0.0.0:{METRICS_PORT}"},
            "bgp": {"neighbors": {
                "10.1.0.2": {"asn": 65011, "hold-time": 3, "families": BOTH},
                "10.2.0.2": {"asn": 65012, "hold-time": 3, "families": BOTH},
                NEIGHBOR: {"asn": 65066, "passive": True, "families": BOTH},
            }},
        }  # fmt: skip
        self.router = Router(lab, config, {"ncp1": self.one, "ncp2": self.two}, management=MANAGEMENT)

    def start(self) -> None:
        for bird in self.birds:
            bird.start()
        self.router.start_controller()
        self.router.agents["ncp2"].start()
        self.router.wait_established("10.1.0.2", "10.2.0.2")
        wait_for("both boxes", self.states, lambda states: states == ["forwarding"] * 2)

    def states(self) -> list[str]:
        rows = self.router.ncps()
        return [rows[name]["state"] for name in ("ncp1", "ncp2")]

    def healthy(self) -> list[Any]:
        """What would show that anything was lost, at both ends."""
        rows = self.router.ctl("show", "bgp", "neighbor")["neighbors"]
        ours = {row["address"]: (row["established_count"], row["last_down"]) for row in rows}
        since = [
            bird.ask(f"show protocols {bird.neighbor(f'10.{number}.0.1').name}").split()[-3:]
            for number, bird in enumerate(self.birds, start=1)
        ]
        boxes = self.router.ncps()
        connected = [boxes[name]["agent"]["snapshots"] for name in ("ncp1", "ncp2")]
        return [ours["10.1.0.2"], ours["10.2.0.2"], since, connected]

    def counters(self) -> dict[str, float]:
        """Of metrics, by name and reason."""
        url = f"http://127.0.0.1:{METRICS_PORT}/metrics"
        text = self.one.run(sys.executable, "-c", SCRAPE, url)
        rows = (line.rpartition(" ") for line in text.splitlines() if "refused_total{" in line)
        return {name: float(value) for name, _, value in rows}


def enemy(box: Namespace, name: str, *words: str) -> Path:
    report = box.directory / f"{name}.json"
    box.start(name, [sys.executable, "-m", "tests.lab.garbage", *words, "--report", str(report)], cwd=PROJECT)
    return report


@pytest.mark.row(13)
def test_garbage_on_every_socket_is_bounded_and_counted_and_nobody_notices(lab: Lab, row: Row) -> None:
    two = Two(lab)
    two.start()
    assert two.router.process is not None
    pids = {"routingd": two.router.process.pid, **{name: two.router.agent_pid(name) for name in ("ncp1", "ncp2")}}
    before, memory = two.healthy(), {name: resident(pid) for name, pid in pids.items()}
    authority = two.router.authority
    assert authority is not None
    inside, tls = authority.issue("ncp3"), f"{MANAGEMENT}:{TLS_PORT}"
    reports = {
        "unix": enemy(two.one, "unix", "stream", str(two.router.run_dir / "ncc.sock")),
        "control": enemy(two.one, "control", "stream", str(two.router.run_dir / "control.sock")),
        "port": enemy(two.evil, "port", "stream", tls),
        "tls": enemy(two.evil, "tls", "tls", tls),
        "insider": enemy(two.evil, "insider", "insider", tls, "--certificate", str(inside.certificate), "--key",
            str(inside.key), "--ncp", "ncp3"),
        "metrics": enemy(two.evil, "metrics", "stream", f"10.66.0.1:{METRICS_PORT}"),
        "bgp": enemy(two.evil, "bgp", "stream", "10.66.0.1:179", "--local", STRANGER),
        "neighbor": enemy(two.evil, "neighbor", "stream", "10.66.0.1:179", "--local", NEIGHBOR),
    }  # fmt: skip

    def made() -> dict[str, int]:
        told = {name: json.loads(path.read_text()) for name, path in reports.items() if path.exists()}
        return {name: done["connections"] + done["refused"] for name, done in told.items()}

    few = {"insider": 20}
    wait_for(
        "garbage of every kind", made,
        lambda done: all(done.get(name, 0) >= few.get(name, ENOUGH) for name in reports), timeout=60, every=0.5,
    )  # fmt: skip
    assert two.router.ctl("show", "version"), "the control socket answers in the midst of it"
    counted = two.counters()
    grown = {name: resident(pid) - memory[name] for name, pid in pids.items()}
    assert two.healthy() == before
    assert two.states() == ["forwarding"] * 2
    assert max(grown.values()) < MOST_MEMORY, grown

    for server in ("agents", "control", "metrics"):
        assert sum(count for name, count in counted.items() if f"_{server}_" in name) > ENOUGH / 10, counted
    box = two.router.ncps()["ncp1"]
    assert box["strangers"] > 10
    row(
        13, connections=sum(made().values()), turned_away=int(sum(counted.values()) + box["strangers"]),
        most_memory_mib=max(grown.values()) >> 20, sessions_lost=0,
    )  # fmt: skip
