"""What it takes to hold routes: memory for ten full tables, and a processor while nothing happens."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench import kernel_tables
from bench.kernel_stage import KernelStage
from bench.kernel_watch import Arrival, verify, wait_all
from bench.measured import BIRD, FRR, ROUTINGD, ContentsDiffer, Context, Measured
from bench.sessions import Session
from tests.lab.commands import run

IDLE: Final = 30.0
AUDITS: Final = "routingd_fib_audits_total"


def ten_tables(daemon: str, context: Context) -> Measured:
    """The time is that until the peers have sent all and the kernel has all, and the daemon rests."""
    sessions = [Session(n, told=False) for n in range(10)]
    files = kernel_tables.everything(context, sessions, 1_000_000)
    table = kernel_tables.table(context, sessions[0], 1_000_000)
    with KernelStage(daemon, sessions) as stage:
        arrival = Arrival(stage.box, stage.process(stage.box), table)
        for session, file in files.items():
            stage.peers.load(session.name, file)
        stage.begin()
        begun = stage.peers.go(*(s.name for s in sessions)) / 1e9
        wait_all([arrival], stage.running)
        while any(row["sending"] for row in stage.peers.status().values()):
            stage.running()
            time.sleep(0.1)
        end = stage.rest()
        _all_held(stage, files, len(table))
        usage, notes = stage.usage(), stage.by_process()
        notes["rss_now_mb"] = stage.resident()
        verify(stage.box, {sessions[0].local: table})
    return Measured("10 tables", daemon, end - begun, usage.memory, usage.cpu, notes)


def _all_held(stage: KernelStage, files: Mapping[Session, Path], prefixes: int) -> None:
    """ContentsDiffer: a session was lost, or not all it had to say was read, or the daemon counts other paths."""
    status = stage.peers.status()
    for session, file in files.items():
        row = status[session.name]
        if row["state"] != "established" or row["sent"] != file.stat().st_size:
            raise ContentsDiffer(f"{stage.daemon} has not all of {session.name}: {row}")
    if (held := _paths(stage)) != len(files) * prefixes:
        raise ContentsDiffer(f"{stage.daemon} says it has {held} paths of {len(files)} peers with {prefixes} prefixes")


def _paths(stage: KernelStage) -> int:
    """From IPv4 peers, by the daemon's own count."""
    here = stage.box.directory
    if stage.daemon == BIRD:
        said = run(["birdc", "-r", "-s", str(here / "bird.ctl"), "show", "route", "count"])
        found = re.search(r"of (\d+) routes for \d+ networks in table master4", said)
        assert found is not None, said
        return int(found.group(1))
    if stage.daemon == FRR:
        said = run(["vtysh", "--vty_socket", str(here / "frr"), "-c", "show bgp ipv4 unicast summary json"])
        return sum(int(peer["pfxRcd"]) for peer in json.loads(said)["peers"].values())
    assert stage.router is not None
    neighbors = stage.router.ctl("show", "bgp", "summary")["neighbors"]
    return sum(int(row["families"]["ipv4-unicast"]["received"]) for row in neighbors)


def idle(daemon: str, context: Context) -> Measured:
    """The time is the processor's, in so many seconds in which nothing happens but KEEPALIVEs."""
    sessions = [Session(n, told=False) for n in range(50)]
    shares = kernel_tables.shares(context, sessions, 1_000_000)
    with KernelStage(daemon, sessions) as stage:
        arrivals = [Arrival(stage.box, stage.process(stage.box), kernel_tables.table(context, sessions[0], 1_000_000))]
        for session, (file, _) in shares.items():
            stage.peers.load(session.name, file)
        stage.peers.go(*(s.name for s in sessions))
        wait_all(arrivals, stage.running)
        stage.rest()
        while True:
            audits = _audits(stage)
            stage.begin()
            time.sleep(IDLE)
            usage, notes = stage.usage(), stage.by_process()
            if _audits(stage) == audits:
                break
        verify(stage.box, {session.local: table for session, (_, table) in shares.items()})
    notes["share_of_a_core"] = round(usage.cpu / IDLE, 5)
    return Measured("idle", daemon, usage.cpu, usage.memory, usage.cpu, notes)


def _audits(stage: KernelStage) -> float:
    """Comparisons of the kernel with the model so far: each is a dump of everything, every five minutes."""
    if stage.daemon != ROUTINGD:
        return 0.0
    return sum(sample.value for sample in stage.metrics() if sample.name == AUDITS)
