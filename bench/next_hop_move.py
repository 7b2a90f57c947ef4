"""S4F: two peers give the same prefixes, the better one dies; until packets to all of them take the other one.

Time runs from the close of its connection. The observer asks the kernel where packets to drawn prefixes would go: it
sees a nexthop group that moves, of which there is no notification, as it sees a route that is replaced. What a daemon
does afterwards, until it rests, is told beside it; then every route is compared.
"""

from __future__ import annotations

import time
from ipaddress import ip_address

from bench import blobs, kernel_tables, netlink_limit
from bench.kernel_stage import KernelStage
from bench.kernel_watch import PATIENCE, Arrival, Lookups, samples, verify, wait_all
from bench.measured import LIMIT, Context, Measured
from bench.sessions import Session
from tests.lab.lab import Namespace
from tests.lab.tables import Table

PAUSE = 0.0002
BEST, SECOND = Session(0, told=False), Session(1, told=False)


def best_dies(name: str, daemon: str, context: Context, prefixes: int) -> Measured:
    table = kernel_tables.table(context, BEST, prefixes)
    if daemon == LIMIT:
        return netlink_limit.move(name, context, BEST, SECOND, table)
    tell = {BEST: blobs.table(context, BEST, prefixes), SECOND: blobs.second_best(context, SECOND, prefixes)}
    with KernelStage(daemon, [BEST, SECOND]) as stage:
        arrival = Arrival(stage.box, stage.process(stage.box), table)
        for peer, file in tell.items():
            stage.peers.load(peer.name, file)
        stage.peers.go(*(peer.name for peer in tell))
        wait_all([arrival], stage.running)
        stage.rest()
        verify(stage.box, {BEST.local: table})
        watch = Moved(stage.box, table, SECOND)
        stage.begin()
        closed = stage.peers.close(BEST.name) / 1e9
        moved = watch.wait()
        usage, notes = stage.usage(), stage.by_process()
        notes["rest_after_s"] = round(max(0.0, stage.rest() - moved), 3)
        notes["cpu_until_rest_s"] = round(stage.usage().cpu, 3)
        verify(stage.box, {SECOND.local: table})
    return Measured(name, daemon, moved - closed, usage.memory, usage.cpu, notes)


class Moved:
    """Drawn prefixes that shall go to a peer and do not yet."""

    def __init__(self, box: Namespace, table: Table, to: Session) -> None:
        self._lookups = Lookups(box)
        self._gateway = ip_address(to.local).packed
        self._waiting = [address for address, _ in samples(table)[::4]]
        self._at = 0.0

    def wait(self) -> float:
        """When the last of them had moved, on the monotonic clock."""
        deadline = time.monotonic() + PATIENCE
        while self._waiting:
            _, (first,) = self._lookups.gateways(self._waiting[:1])
            if first == self._gateway:
                self._at, found = self._lookups.gateways(self._waiting)
                pairs = zip(self._waiting, found, strict=True)
                self._waiting = [address for address, gateway in pairs if gateway != self._gateway]
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._waiting)} of the drawn prefixes have not moved")
            else:
                time.sleep(PAUSE)
        self._lookups.close()
        return self._at
