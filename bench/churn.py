"""Churn: a million routes are held; a second peer changes 5,000 of them each second.

It announces prefixes over a shorter path, one to an UPDATE, and withdraws each a second later, so that every update
changes a route of the kernel: to this peer's next hop, and back to the other's. Each tenth prefix is one that nobody
else has: a new route, and later none. Seen from outside, an update takes from just before the write to the
peer's socket until the kernel has told of the route; all of them are counted. What routingd says of itself is read
before and after.
"""

from __future__ import annotations

import gc
import math
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.samples import Sample

from bench import blobs, kernel_tables
from bench.kernel_stage import KernelStage
from bench.kernel_watch import Arrival, verify, wait_all
from bench.measured import ROUTINGD, Context, Measured
from bench.route_monitor import RouteMonitor
from bench.sessions import Session
from tests.kernel.fake_controller import in_namespace
from tests.lab.attributes import Attributes
from tests.lab.lab import Namespace
from tests.lab.speaker import KEEPALIVE_MESSAGE, open_message
from tests.lab.tables import Table
from tests.lab.updates import Prefix, announcements, withdrawals

RATE: Final = 5000
PERIOD: Final = 0.004
"""Seconds between two writes of the peer."""
KEPT: Final = 1.0
"""Seconds from an announcement to its withdrawal."""
ALONE: Final = 10
"""One in so many prefixes is nobody else's, and in this block."""
ALONE_IN: Final = 10
PATIENCE: Final = 10.0
HOLDER, CHANGER = Session(0, told=False), Session(1, told=False)
SLICES, LATENCIES = "routingd_event_loop_slice_seconds", "routingd_rib_to_installed_seconds"
LONGEST: Final = {
    "longest_loop_slice_s": "routingd_event_loop_longest_slice_seconds",
    "longest_engine_job_s": "routingd_engine_longest_job_seconds",
}


def churn(name: str, daemon: str, context: Context, seconds: float) -> Measured:
    """The time of the row is the 99th percentile of what an update took."""
    file, table = blobs.table(context, HOLDER, 1_000_000), kernel_tables.table(context, HOLDER, 1_000_000)
    with KernelStage(daemon, [HOLDER], others=[CHANGER]) as stage:
        arrival = Arrival(stage.box, stage.process(stage.box), table)
        stage.peers.load(HOLDER.name, file)
        stage.peers.go(HOLDER.name)
        wait_all([arrival], stage.running)
        peer = connected(stage.far, CHANGER)
        stage.rest()
        before = stage.metrics() if daemon == ROUTINGD else []
        stage.begin()
        run = Run(stage.box, peer, table)
        run.go(seconds)
        usage, notes = stage.usage(), stage.by_process()
        if daemon == ROUTINGD:
            notes |= told(before, stage.metrics())
        peer.close()
        verify(stage.box, {HOLDER.local: table})
    took = sorted(run.updates.took)
    notes |= {f"p{share}_s": _percentile(took, share) for share in (50, 90, 99)}
    notes |= {"longest_s": took[-1], "updates": len(took), "overtaken": run.updates.overtaken}
    notes |= {"observer_cpu_s": run.cpu, "late_s": run.late}
    return Measured(name, daemon, _percentile(took, 99), usage.memory, usage.cpu, notes)


def connected(box: Namespace, session: Session) -> socket.socket:
    """A session without KEEPALIVEs, up; whatever comes later is for the reader to drop."""

    def connect() -> socket.socket:
        return socket.create_connection((session.ours, 179), 20, (session.local, 0))

    stream: socket.socket = in_namespace(box, connect)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(open_message(session.asn, 0, session.local, [1]) + KEEPALIVE_MESSAGE)
    heard = b""
    while KEEPALIVE_MESSAGE not in heard:
        more = stream.recv(65536)
        if not more:
            raise ConnectionError(f"no session with {session.ours}: {heard.hex()}")
        heard += more
    return stream


Update = tuple[bool, Prefix]
"""(there, or gone; prefix)"""


@dataclass(slots=True)
class Updates:
    """From the peer's write of each to the kernel's word."""

    took: list[float] = field(default_factory=list)
    overtaken: int = 0
    """How many were not in the kernel when the next one of the prefix was written: theirs are times at least."""
    waiting: dict[Update, float] = field(default_factory=dict)
    """When it was written."""

    def written(self, updates: Sequence[Update], now: float) -> None:
        for update in updates:
            if (earlier := self.waiting.get(update)) is not None:
                self.took.append(now - earlier)
                self.overtaken += 1
            self.waiting[update] = now

    def told(self, update: Update, now: float) -> None:
        if (written := self.waiting.pop(update, None)) is not None:
            self.took.append(now - written)


@dataclass(slots=True)
class Run:
    """The peer that changes routes and the observer of the kernel, on one thread and one clock."""

    box: Namespace
    peer: socket.socket
    table: Table
    updates: Updates = field(default_factory=Updates)
    late: float = 0.0
    """By how much a write was late at most: what the machine did with us."""
    cpu: float = 0.0

    def go(self, seconds: float) -> None:
        """TimeoutError: the kernel has not been told of everything."""
        chunks = self._chunks(round(seconds / PERIOD))
        monitor = RouteMonitor(self.box)
        gc.collect()
        gc.disable()
        cpu, begun = time.thread_time(), time.monotonic()
        try:
            for n, (octets, expected) in enumerate(chunks):
                self._listen(monitor, begun + n * PERIOD)
                now = time.monotonic()
                self.late = max(self.late, now - begun - n * PERIOD)
                self.updates.written(expected, now)
                self.peer.sendall(octets)
            self.cpu = time.thread_time() - cpu
            deadline = time.monotonic() + PATIENCE
            while self.updates.waiting and time.monotonic() < deadline:
                self._listen(monitor, time.monotonic() + PERIOD)
        finally:
            gc.enable()
            monitor.close()
        if waiting := self.updates.waiting:
            raise TimeoutError(f"{len(waiting)} updates never came to the kernel: {list(waiting)[:3]}")

    def _listen(self, monitor: RouteMonitor, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([monitor.socket, self.peer], [], [], left)
            if monitor.socket in ready:
                for now, update in monitor.read():
                    self.updates.told(update, now)
            if self.peer in ready and not self.peer.recv(1 << 20):
                raise ConnectionError("the router closed the session that churns")

    def _chunks(self, count: int) -> list[tuple[bytes, list[Update]]]:
        """Octets, and what the kernel will tell of them; all made before, so that only writes are left."""
        each, kept = round(RATE * PERIOD / 2), round(KEPT / PERIOD)
        fresh = [[self._prefix(n * each + i) for i in range(each)] for n in range(count)]
        out = []
        for n in range(count + kept):
            gone = fresh[n - kept] if n >= kept else []
            come = fresh[n] if n < count else []
            octets = [octet for prefix in gone for octet in withdrawals([prefix])]
            octets += [octet for n, prefix in enumerate(come) for octet in announcements([prefix], _attributes(n))]
            expected = [(prefix[0][0] != ALONE_IN, prefix) for prefix in gone] + [(True, prefix) for prefix in come]
            out.append((b"".join(octets), expected))
        return out

    def _prefix(self, n: int) -> Prefix:
        if n % ALONE:
            at = n % len(self.table)  # those of a second ago are long gone when it begins anew
            return self.table.prefixes(at, at + 1)[0]
        number = n // ALONE
        return bytes((ALONE_IN, 128 + (number >> 8), number & 255, 0)), 24


def _attributes(n: int) -> Attributes:
    return Attributes(as_path=str(CHANGER.asn), next_hop=CHANGER.local, communities=(f"{CHANGER.asn}:{n}",))


def told(before: Sequence[Sample], after: Sequence[Sample]) -> dict[str, object]:
    """What routingd's metrics say of the time between: percentiles are upper bounds, of a bucket."""
    latencies, slices = (_buckets(after, name) - _buckets(before, name) for name in (LATENCIES, SLICES))
    notes: dict[str, object] = {f"rib_to_installed_p{n}_s": _bound(latencies, n) for n in (50, 99)}
    notes["loop_slices"] = slices[math.inf]
    notes["loop_slices_over_5ms"] = slices[math.inf] - slices[0.005]
    for key, name in LONGEST.items():
        notes[key], earlier = (next(s.value for s in samples if s.name == name) for samples in (after, before))
        notes[f"{key}_before"] = earlier
    return notes


def _buckets(samples: Sequence[Sample], name: str) -> Counter[float]:
    """How many were at most so long, summed over what the labels tell apart."""
    found: Counter[float] = Counter()
    for sample in samples:
        if sample.name == f"{name}_bucket":
            found[float(sample.labels["le"])] += round(sample.value)
    return found


def _bound(buckets: Counter[float], percent: float) -> float:
    due = buckets[math.inf] * percent / 100
    return min(bound for bound, count in buckets.items() if count >= due)


def _percentile(ascending: Sequence[float], percent: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * percent / 100))]
