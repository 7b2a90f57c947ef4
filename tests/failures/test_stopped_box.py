"""Row 9 with a whole table: one of three boxes stands still while a million routes change, and change back.

feeder ─── ncp1 ═══ switch ═══ ncp2
                       ╚══════ ncp3
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.kernel_watch import trie_prefixes
from tests.failures.recording import Row
from tests.lab import tables
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab
from tests.lab.router import Router
from tests.lab.updates import announcements
from tests.lab.waiting import wait_for

pytestmark = [pytest.mark.netns, pytest.mark.long]
ROUTES, BURST = 1_000_000, 20_000
PAUSE = 0.15
"""Seconds between two bursts: the load, some 100,000 changes a second, is one that all boxes keep up with."""
BOXES = ("ncp1", "ncp2", "ncp3")
OURS, PEER, OTHER_HOP = "10.9.0.1", "10.9.0.2", "10.9.0.3"
PEER_ASN = 65100
SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9342/metrics').read().decode())"
MEGA = 1 << 20
ROOM = 150 * MEGA
"""Far below what a queue for the stopped box would take: two million changes of 10 bytes, and what holds them."""


def configuration() -> dict[str, Any]:
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "ncps": {"ncp1": {"embedded": True}, **{name: {"certificate": name} for name in BOXES[1:]}},
        "fabric": {name: {"port": "fab0", "address": f"169.254.100.{n}"} for n, name in enumerate(BOXES, 1)},
        "interfaces": {"ncp1/eth0": {"addresses": [f"{OURS}/24"]}},
        "bgp": {"neighbors": {PEER: {"asn": PEER_ASN, "families": {"ipv4-unicast": {"import": "accept"}}}}},
        "management": {"metrics": "127.0.0.1:9342"},
    }


@dataclass(slots=True)
class Running:
    router: Router
    feeder: Feeder
    bursts: dict[str, list[bytes]]
    """The table over either next hop, in parts."""

    def churn(self, hop: str) -> None:
        for burst in self.bursts[hop]:
            self.feeder.send(burst)
            self.feeder.wait_sent()
            time.sleep(PAUSE)

    def latencies(self, box: str) -> dict[float, float]:
        """How many stretches took at most so many seconds from the RIB to this box's kernel, since the beginning."""
        text = self.router.home.run(sys.executable, "-c", SCRAPE)
        return {
            float(sample.labels["le"]): sample.value
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
            if sample.name == "routingd_rib_to_installed_seconds_bucket" and sample.labels["ncp"] == box
        }

    def memory(self) -> int:
        """Bytes of routingd now."""
        assert self.router.process is not None
        fields = Path(f"/proc/{self.router.process.pid}/statm").read_text().split()
        return int(fields[1]) * 4096

    def installed(self, *boxes: str) -> None:
        """Until these have everything."""
        wait_for(
            f"{boxes} to have everything",
            lambda: [self.router.ncps()[box]["caught_up"] for box in boxes],
            all,
            timeout=120,
        )


@pytest.fixture
def running(lab: Lab) -> Iterator[Running]:
    box = {name: lab.box(name) for name in (*BOXES, "switch", "feed")}
    box["switch"].ip("link", "add", "br0", "type", "bridge")
    box["switch"].ip("link", "add", "br1", "type", "bridge")
    for bridge in ("br0", "br1"):
        box["switch"].ip("link", "set", bridge, "up")
    for number, name in enumerate(BOXES, 1):
        for bridge, port, addresses in (("br0", "fab0", []), ("br1", "mgmt0", [f"172.31.0.{number}/24"])):
            lab.link(box[name], port, box["switch"], f"{port}-{number}", a_addresses=addresses)
            box["switch"].ip("link", "set", f"{port}-{number}", "master", bridge)
    lab.link(box["ncp1"], "eth0", box["feed"], "eth0", b_addresses=[f"{PEER}/24"])
    table = tables.generate(ROUTES, first_asn=PEER_ASN, next_hop=PEER)
    bursts: dict[str, list[bytes]] = {}
    for hop in (PEER, OTHER_HOP):
        messages: list[bytes] = []
        bursts[hop] = []
        for attributes, start, end in table.runs():
            messages += announcements(table.prefixes(start, end), attributes._replace(next_hop=hop))
            if end // BURST != start // BURST or end == len(table):
                bursts[hop].append(b"".join(messages))
                messages = []
    router = Router(lab, configuration(), {name: box[name] for name in BOXES}, management="172.31.0.1")
    router.start()
    feeder = Feeder(
        box["feed"], "feeder", peer=OURS, local=PEER, asn=PEER_ASN, router_id=PEER, families=(1,), record=False,
        listen=True,
    )  # fmt: skip
    feeder.wait_established(60)
    yield Running(router, feeder, bursts)
    router.stop()


def window(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Seconds within which this share of the stretches between the two were installed: the bound of a bucket."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    total = counts[float("inf")]
    assert total > 0
    return min(bound for bound, count in sorted(counts.items()) if count >= share * total)


@pytest.mark.row(9)
@pytest.mark.timeout(1800)
def test_two_boxes_keep_their_pace_while_the_third_stands_still_under_a_million_changes(
    running: Running, row: Row
) -> None:
    router = running.router
    agent = router.agents["ncp3"]
    assert agent.process is not None
    running.churn(PEER)
    running.installed(*BOXES)
    seen = [running.latencies("ncp2")]
    running.churn(OTHER_HOP)
    running.installed(*BOXES)
    seen.append(running.latencies("ncp2"))
    memory = running.memory()
    agent.process.signal(signal.SIGSTOP)
    running.churn(PEER)
    running.churn(OTHER_HOP)
    running.installed("ncp1", "ncp2")
    seen.append(running.latencies("ncp2"))
    grown = running.memory() - memory
    assert grown < ROOM, f"{grown >> 20} MiB for a box that stands still"
    agent.process.signal(signal.SIGCONT)
    begun = time.monotonic()
    running.installed(*BOXES)
    whole = time.monotonic() - begun
    answer = wait_for(
        "every FIB to be what the RIB wants",
        lambda: router.ctl("show", "fib", "consistency", check=False),
        lambda told: {row["state"] for row in told["ncps"]} == {"equal"},
        timeout=60,
    )
    assert answer["controller"]["ipv4"] > ROUTES
    assert all(trie_prefixes(router.agent_pid(name)) >= ROUTES for name in BOXES)
    row(
        9, whole=whole, changes_while_stopped=2 * ROUTES,
        median_before=window(seen[0], seen[1], 0.5), median_while_stopped=window(seen[1], seen[2], 0.5),
        of_99_percent_before=window(seen[0], seen[1], 0.99), of_99_percent_while_stopped=window(seen[1], seen[2], 0.99),
        mebibytes_grown=grown // MEGA,
    )  # fmt: skip
