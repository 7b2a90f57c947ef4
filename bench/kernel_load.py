"""One peer, one table, until the kernel has all of it: routingd with two NCPs, and BIRD.

Time runs from the feeder's first byte to the moment when the last of the kernels holds every prefix, seen in
``/proc/<pid>/net/fib_triestat`` of a process in that namespace, so that watching costs neither a dump nor a process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab, Namespace
from tests.lab.peer import Neighbor, PeerConfig
from tests.lab.process import Process, peak_memory
from tests.lab.router import Router
from tests.lab.waiting import wait_for

PEER_ASN, OUR_ASN = 65100, 65001
LOCAL, OURS = "10.9.0.2", "10.9.0.1"


@dataclass(frozen=True, slots=True)
class Result:
    seconds: float
    cpu: float
    memory: dict[str, int]
    """Peak resident bytes of each process."""


def trie_prefixes(pid: int) -> int:
    """Prefixes in the main IPv4 table of a process's namespace, by the kernel's own statistics. Without policy rules
    the tables main and local are one trie, and the file shows it twice."""
    text = Path(f"/proc/{pid}/net/fib_triestat").read_text()
    return max(int(line.split()[-1]) for line in text.splitlines() if line.strip().startswith("Prefixes:"))


def _cpu(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / 100


def _load(
    feeder_box: Namespace, blob: bytes, prefixes: int, watch: list[int], established: Callable[[], object]
) -> float:
    """Feed, and wait until each watched namespace has the prefixes; seconds since the first byte."""
    before = [trie_prefixes(pid) for pid in watch]
    feeder = Feeder(
        feeder_box,
        "feeder",
        peer=OURS,
        local=LOCAL,
        asn=PEER_ASN,
        router_id=LOCAL,
        families=(1,),
        record=False,
        listen=True,
    )
    established()
    feeder.wait_established(60)
    feeder.send(blob)
    done: dict[int, float] = {}
    deadline = time.monotonic() + 300
    while len(done) < len(watch):
        for pid, start in zip(watch, before, strict=True):
            if pid not in done and trie_prefixes(pid) - start >= prefixes:
                done[pid] = time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"kernels have {[trie_prefixes(pid) - n for pid, n in zip(watch, before, strict=True)]} of {prefixes}"
            )
        time.sleep(0.05)
    report = feeder.wait_sent()
    feeder.process.kill()
    return float(max(done.values()) - report["first_sent"])


def run_routingd(blob: bytes, prefixes: int, prefix: tuple[str, ...] = ()) -> Result:
    with Lab() as lab:
        one, two, feed = lab.box("ncp1"), lab.box("ncp2"), lab.box("feed")
        lab.link(one, "mgmt", two, "mgmt", a_addresses=["192.168.250.1/24"], b_addresses=["192.168.250.2/24"])
        lab.link(one, "fab0", two, "fab0")
        lab.link(one, "eth0", feed, "eth0", b_addresses=[f"{LOCAL}/24"])
        config = {
            "router": {"name": "bench", "router-id": "10.255.0.1", "asn": OUR_ASN},
            "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
            "fabric": {
                "ncp1": {"port": "fab0", "address": "169.254.100.1"},
                "ncp2": {"port": "fab0", "address": "169.254.100.2"},
            },
            "interfaces": {"ncp1/eth0": {"addresses": [f"{OURS}/24"]}},
            "bgp": {"neighbors": {LOCAL: {"asn": PEER_ASN, "families": {"ipv4-unicast": {"import": "accept"}}}}},
        }
        router = Router(lab, config, {"ncp1": one, "ncp2": two}, management="192.168.250.1")
        router.start()
        pids = {
            "routingd": router.process.pid if router.process else 0,
            **{ncp: router.agent_pid(ncp) for ncp in ("ncp1", "ncp2")},
        }
        watch = [pids["ncp1"], pids["ncp2"]]
        start = _cpu(list(pids.values()))
        seconds = _load(feed, blob, prefixes, watch, lambda: None)
        return Result(
            seconds, _cpu(list(pids.values())) - start, {name: peak_memory(pid) for name, pid in pids.items()}
        )


def run_bird(blob: bytes, prefixes: int) -> Result:
    with Lab() as lab:
        box, feed = lab.box("bird"), lab.box("feed")
        lab.link(box, "eth0", feed, "eth0", a_addresses=[f"{OURS}/24"], b_addresses=[f"{LOCAL}/24"])
        neighbor = Neighbor(LOCAL, PEER_ASN, OURS, families=(4,), export=False)
        bird = Bird(box, PeerConfig(OUR_ASN, "10.255.0.1", [neighbor]), kernel=True)
        bird.start()
        process: Process = bird.processes[0]
        start = _cpu([process.pid])
        seconds = _load(feed, blob, prefixes, [process.pid], lambda: wait_for("bird", process.running))
        return Result(seconds, _cpu([process.pid]) - start, {"bird": process.peak_memory()})
