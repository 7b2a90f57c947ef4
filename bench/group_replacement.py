"""``python -m bench.group_replacement [ROUTES] [GROUPS]``: how long an IGP change takes to have moved the kernel: from
the call that tells the engine to the last nexthop object that netlink tells of, through a real ncpd.
"""

from __future__ import annotations

import statistics
import sys
import time

from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B
from tests.kernel.test_group_replacement import Loaded, Monitor, Written, loaded

ROUNDS = 7


def change(box: Loaded, round_: int) -> tuple[float, Written]:
    """Milliseconds from the call to the last object, and what was written."""
    monitor = Monitor(box.under_test, f"round-{round_}")
    begun = time.time()
    box.igp((PORT_B, PEER_B) if round_ % 2 else (PORT_A, PEER_A))
    box.feed.run()
    written = monitor.stop()
    return (written.last - begun) * 1000, written


def main() -> int:
    routes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with loaded(routes, groups) as box:
        found = [change(box, n) for n in range(1, ROUNDS + 1)]
    times = sorted(milliseconds for milliseconds, _ in found)
    written = found[-1][1]
    print(f"{routes} routes behind {groups} groups, an IGP change below all of them, {ROUNDS} rounds")
    print(f"the kernel has moved after {statistics.median(times):.1f} ms ({times[0]:.1f} to {times[-1]:.1f})")
    print(f"netlink told of {written.groups} groups, {written.nexthops} nexthops, {written.routes} routes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
