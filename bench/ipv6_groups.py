"""``python -m bench.ipv6_groups [ROUTES] [GROUPS]``: what it costs to change every group under so many IPv6 routes: by
taking a member out of them, by pointing a singleton elsewhere, by replacing each. Model and kernel alone, in a
namespace of their own.
"""

from __future__ import annotations

import statistics
import struct
import sys
import threading
import time
from collections.abc import Sequence

import native
from kernel import scratch
from kernel.netlink import RouteSocket
from kernel.routes import BATCH

ROUNDS = 5
NEXT_HOPS = 4
CHUNK = 50_000
ORDER = ("a member is taken out of all groups", "a singleton is pointed elsewhere", "all groups are replaced")


class Box:
    def __init__(self, routes: int, groups: int) -> None:
        """In a thread that has entered a scratch namespace."""
        box = scratch.Scratch()
        box.sysctl("ipv6/conf/all/forwarding", "1")
        box.power("lo", True)
        port = box.pair("bench0", "bench1")
        self._groups = groups
        self._socket = RouteSocket()
        self._model = native.AgentFib(ncp="box")
        self._model.set_port("bench0", port, True)
        self._model.put_adjacencies(
            [(n, "box", "bench0", bytes([0xFE, 0x80, *bytes(13), n]), 0) for n in range(1, NEXT_HOPS + 1)]
        )
        self.change([(1, 1), (2, 1)])
        for start in range(0, routes, CHUNK):
            numbers = range(start, min(start + CHUNK, routes))
            dst = b"".join(bytes([0x20, 1]) + n.to_bytes(4, "big") + bytes(10) for n in numbers)
            nhg = b"".join(struct.pack("<I", n % groups + 1) for n in numbers)
            self._model.put_routes(2, dst, b"\x30" * len(numbers), nhg, b"\x01" * len(numbers))
            self._drain()

    def change(self, members: Sequence[tuple[int, int]]) -> tuple[float, int]:
        """Milliseconds until all groups have these next hops with these weights, and messages to the kernel."""
        packed = b"".join(struct.pack("<IHBB", number, weight, 0, 0) for number, weight in members)
        begun = time.perf_counter()
        self._model.put_groups([(n, n.to_bytes(16, "little"), 0, packed) for n in range(1, self._groups + 1)])
        messages = self._drain()
        return (time.perf_counter() - begun) * 1000, messages

    def _drain(self) -> int:
        messages = 0
        while (batch := self._model.next_batch(BATCH)) is not None:
            octets, first, last = batch
            assert not self._model.batch_done(self._socket.exchange(octets, last))
            messages += last - first + 1
        return messages


def run(routes: int, groups: int) -> None:
    scratch.enter()
    box = Box(routes, groups)
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in ORDER}
    for _ in range(ROUNDS):
        found[ORDER[0]].append(box.change([(2, 1)]))
        found[ORDER[1]].append(box.change([(3, 1)]))
        box.change([(3, 1), (2, 1)])
        found[ORDER[2]].append(box.change([(3, 2), (2, 1)]))
        box.change([(1, 1), (2, 1)])
    print(f"{routes} IPv6 routes on {groups} groups, {ROUNDS} rounds")
    for name, rows in found.items():
        times = sorted(milliseconds for milliseconds, _ in rows)
        print(
            f"{name}: {statistics.median(times):.1f} ms ({times[0]:.1f} to {times[-1]:.1f}), "
            f"{rows[0][1]} netlink messages"
        )


def main() -> int:
    routes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    thread = threading.Thread(target=run, args=(routes, groups))
    thread.start()
    thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
