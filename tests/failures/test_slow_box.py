"""A box of two stands still under churn, or loses the other: the router goes on without it, and all is right once it is
back. Rows 9 and 17.

    feeder (AS 65020) ─── ncp1 ═══ switch ═══ ncp2 ─── bird2 (AS 65042)
    bird1 (AS 65041)  ───┘
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.lab import kernel, tables
from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.forwarding import expected_ways, fabric_port, kernel_ways
from tests.lab.lab import Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.updates import announcements, parse_prefix
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

ASN, FEEDER_ASN = 65001, 65020
PREFIXES = 2000
NEW = "203.0.113.0/24"
"""What is announced while a box stands still."""
BEHIND_TWO = "198.51.100.0/24"


@dataclass(slots=True)
class Cluster:
    router: Router
    feeder: Feeder
    birds: dict[str, Bird]
    box: dict[str, Namespace]

    def told(self, bird: str) -> dict[str, str]:
        """Prefix to AS path."""
        here = self.birds[bird]
        return {prefix: attributes.as_path for prefix, attributes in here.routes(here.config.neighbors[0].address)}

    def state(self, ncp: str) -> str:
        state: str = self.router.ncps()[ncp]["state"]
        return state

    def kernel_of(self, ncp: str) -> tuple[set[Any], set[Any]]:
        fabric = {name: fabric_port(self.box[name], "fab0") for name in ("ncp1", "ncp2")}
        rows = self.router.forwarding_rows()
        expected = expected_ways(rows, ncp, fabric)
        own = {row["prefix"] for row in rows if row["protocol"] == "connected"} - {prefix for prefix, _ in expected}
        return expected, {way for way in kernel_ways(kernel.kernel_routes(self.box[ncp])) if way[0] not in own}

    def all_right(self) -> None:
        for ncp in ("ncp1", "ncp2"):
            wait_for(f"the kernel of {ncp}", lambda n=ncp: self.kernel_of(n), lambda ways: ways[0] == ways[1])  # type: ignore[misc]


def configuration() -> dict[str, Any]:
    both = {"families": {"ipv4-unicast": {"import": "accept", "export": "accept"}}}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {
            "ncp1": {"port": "fab0", "address": "169.254.100.1"},
            "ncp2": {"port": "fab0", "address": "169.254.100.2"},
        },
        "interfaces": {
            "ncp1/feed0": {"addresses": ["10.1.0.1/24"]},
            "ncp1/bird0": {"addresses": ["10.2.0.1/24"]},
            "ncp2/bird0": {"addresses": ["10.3.0.1/24"]},
        },
        "bgp": {
            "neighbors": {
                "10.1.0.2": {"asn": FEEDER_ASN, **both},
                "10.2.0.2": {"asn": 65041, **both},
                "10.3.0.2": {"asn": 65042, **both},
            }
        },
    }


@pytest.fixture
def cluster(lab: Lab) -> Iterator[Cluster]:
    box = {name: lab.box(name) for name in ("ncp1", "ncp2", "switch", "feeder", "bird1", "bird2")}
    lab.link(box["ncp1"], "mgmt0", box["ncp2"], "mgmt0", a_addresses=["172.31.0.1/24"], b_addresses=["172.31.0.2/24"])
    box["switch"].ip("link", "add", "br0", "type", "bridge")
    box["switch"].link_up("br0")
    for ncp in ("ncp1", "ncp2"):
        lab.link(box[ncp], "fab0", box["switch"], ncp, mtu=9000)
        box["switch"].ip("link", "set", ncp, "master", "br0")
    lab.link(box["ncp1"], "feed0", box["feeder"], "eth0", b_addresses=["10.1.0.2/24"])
    birds: dict[str, Bird] = {}
    for n in (1, 2):
        own, us = f"10.{n + 1}.0.2", f"10.{n + 1}.0.1"
        lab.link(box[f"ncp{n}"], "bird0", box[f"bird{n}"], "eth0", b_addresses=[f"{own}/24"])
        announce = [Announcement(BEHIND_TWO)] if n == 2 else []
        birds[f"bird{n}"] = Bird(
            box[f"bird{n}"], PeerConfig(65040 + n, own, [Neighbor(us, ASN, own, families=(4,))], announce)
        )
    router = Router(lab, configuration(), {"ncp1": box["ncp1"], "ncp2": box["ncp2"]}, management="172.31.0.1")
    router.start()
    for daemon in birds.values():
        daemon.start()
    feeder = Feeder(
        box["feeder"], "feeder", peer="10.1.0.1", local="10.1.0.2", asn=FEEDER_ASN, router_id="10.1.0.2", families=(1,),
        blob=TABLE.encode(), record=False,
    )  # fmt: skip
    router.wait_established()
    made = Cluster(router, feeder, birds, box)
    for bird, count in (("bird1", PREFIXES + 1), ("bird2", PREFIXES)):
        wait_for(f"{bird} to know everything", lambda b=bird: made.told(b), lambda told, n=count: len(told) >= n)  # type: ignore[misc]
    made.all_right()
    yield made
    os.kill(router.agent_pid("ncp2"), signal.SIGCONT)
    router.stop()


TABLE = tables.generate(PREFIXES, first_asn=FEEDER_ASN, next_hop="10.1.0.2")


def news() -> bytes:
    attributes = TABLE.sets[0]._replace(as_path=str(FEEDER_ASN))
    return b"".join(announcements([parse_prefix(NEW)], attributes))


@pytest.mark.row(9)
def test_a_box_that_stands_still_is_waited_for_for_a_moment_and_then_done_without(cluster: Cluster, row: Row) -> None:
    known = next(iter(TABLE.truth()))[0]
    os.kill(cluster.router.agent_pid("ncp2"), signal.SIGSTOP)
    begin = time.monotonic()
    for path in ((FEEDER_ASN, 4999), (FEEDER_ASN, 4998), (FEEDER_ASN, 4997)):
        cluster.feeder.send(TABLE.with_path(path, "10.1.0.2").encode())
    cluster.feeder.send(news())
    wait_for("the other kernel to have the new prefix", lambda: cluster.kernel_of("ncp1")[1], has_new, every=0.02)
    there = time.monotonic() - begin
    # A neighbor that knew of it now would send packets that the box standing still has no way for
    told, state = cluster.told("bird1"), cluster.state("ncp2")
    assert NEW not in told or state not in ("forwarding", "snapshot"), state
    wait_for("changes of what is known", lambda: cluster.told("bird1").get(known, ""), lambda path: " 4997 " in path)
    changed = time.monotonic() - begin
    wait_for("the new prefix", lambda: cluster.told("bird1"), lambda told: NEW in told, every=0.05)
    waited = time.monotonic() - begin
    assert cluster.state("ncp2") in ("lagging", "absent")
    os.kill(cluster.router.agent_pid("ncp2"), signal.SIGCONT)
    begin = time.monotonic()
    cluster.router.wait_ncps()
    cluster.all_right()
    wait_for(
        "bird2 to know everything", lambda: cluster.told("bird2"), lambda told: NEW in told and len(told) > PREFIXES
    )
    wait_for("what is behind the box", lambda: cluster.told("bird1"), lambda told: BEHIND_TWO in told)
    row(
        9, whole=time.monotonic() - begin, seconds_to_kernel=round(there, 2), seconds_to_changes=round(changed, 2),
        seconds_waited=round(waited, 2),
    )  # fmt: skip


def has_new(ways: set[Any]) -> bool:
    return any(prefix == NEW for prefix, _ in ways)


@pytest.mark.row(17)
def test_a_box_without_the_fabric_leaves_routing_with_its_ports_and_sessions(cluster: Cluster, row: Row) -> None:
    begin = time.monotonic()
    cluster.box["switch"].link_down("ncp2")
    wait_for("the neighbors of the other box to be told", lambda: cluster.told("bird1"), lambda t: BEHIND_TWO not in t)
    told = time.monotonic() - begin
    assert cluster.state("ncp2") == "isolated"
    assert cluster.state("ncp1") == "forwarding"
    wait_for("its sessions to end", lambda: cluster.router.session("10.3.0.2"), lambda state: state != "established")
    assert cluster.router.session("10.2.0.2") == "established"
    assert len(cluster.told("bird1")) >= PREFIXES
    rows = {row["prefix"] for row in cluster.router.rows()}
    assert not rows & {"10.3.0.0/24", "10.3.0.1/32", BEHIND_TWO}
    begin = time.monotonic()
    cluster.box["switch"].link_up("ncp2")
    wait_for("it to be back", lambda: cluster.told("bird1"), lambda told: BEHIND_TWO in told)
    wait_for("bird2 to know everything", lambda: cluster.told("bird2"), lambda told: len(told) >= PREFIXES)
    cluster.all_right()
    row(17, whole=time.monotonic() - begin, seconds_to_withdrawal=round(told, 2))
