"""A table from one peer, until the kernels have all of it: S2 with one box and with two, S5F in IPv6; bare writers.

Time runs from the feeder's first byte until the last kernel holds every prefix, seen by ``kernel_watch``; then every
route is compared. Daemons run with the defaults of production, as they install.
"""

from __future__ import annotations

from bench import blobs, kernel_tables, netlink_limit
from bench.kernel_stage import FABRIC, KernelStage
from bench.kernel_watch import Arrival, verify, wait_all
from bench.measured import LIMIT, Context, Measured
from bench.sessions import Session


def one_box(daemon: str, context: Context) -> Measured:
    return _load("S2", daemon, context, Session(0, told=False), 1_000_000)


def two_boxes(daemon: str, context: Context) -> Measured:
    return _load("S2, two NCPs", daemon, context, Session(0, told=False), 1_000_000, boxes=2)


def one_box_ipv6(daemon: str, context: Context) -> Measured:
    return _load("S5F", daemon, context, Session(0, 6, told=False), 200_000)


def _load(name: str, daemon: str, context: Context, peer: Session, prefixes: int, boxes: int = 1) -> Measured:
    file = blobs.table(context, peer, prefixes)
    table = kernel_tables.table(context, peer, prefixes)
    if daemon == LIMIT:
        return netlink_limit.load(name, context, peer, table, boxes)
    with KernelStage(daemon, [peer], boxes=boxes) as stage:
        arrivals = [Arrival(box, stage.process(box), table) for box in stage.boxes]
        stage.peers.load(peer.name, file)
        stage.begin()
        stage.peers.go(peer.name)
        end = wait_all(arrivals, stage.running)
        usage, notes = stage.usage(), stage.by_process()
        begun = stage.peers.status()[peer.name]["first_sent"] / 1e9
        verify(stage.boxes[0], {peer.local: table})
        for box in stage.boxes[1:]:
            verify(box, {f"{FABRIC}.1": table})
        notes["counting_s"] = round(sum(arrival.counting for arrival in arrivals), 3)
    return Measured(name, daemon, end - begun, usage.memory, usage.cpu, notes)
