"""One agent whose kernel holds a table, what it counts of the kernel's truth, and probes through it."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import Any

from fibd import wire
from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, Table
from tests.kernel.fake_controller import FakeController
from tests.lab.kernel import count
from tests.lab.probes import PingStream
from tests.lab.waiting import wait_for

BEHIND = "10.255.0.1/32"
"""A host behind peer A, to which probes go."""


@dataclass
class Truth:
    """An agent whose kernel holds a table of ``routes`` IPv4 routes by one port and some IPv6 routes by the other."""

    box: BoxUnderTest
    routes: int
    queries: int = 100
    table: Table = field(init=False)

    def fill(self) -> None:
        table = self.table = Table(self.box.controller)
        table.begin()
        table.send(
            adjacencies=[
                table.adjacency(1, PORT_A, PEER_A),
                table.adjacency(2, PORT_B, PEER_B),
                table.adjacency(3, PORT_A, "2001:db8:a::2"),
            ],
            groups=[table.group(1, 1, 2), table.group(2, 3), table.group(3, 1)],
            routes=[*table.routes(3, BEHIND), *table.routes(2, *(f"2001:db8:{n:x}::/48" for n in range(256, 356)))],
        )
        for start in range(0, self.routes, 20_000):
            numbers = range(start, min(start + 20_000, self.routes))
            dst = b"".join(struct.pack("!I", (20 << 24) + (n << 8)) for n in numbers)
            size = len(numbers)
            table.send(routes=[[1, dst, b"\x18" * size, struct.pack("<I", 1) * size, b"\1" * size]])
        assert table.end().agree
        table.wait_installed()
        assert self.settled()["foreign_changes"] == 0, "its own writes must not come back as another's"

    @property
    def total(self) -> int:
        return self.routes + 101

    def ask(self, what: str) -> Any:
        self.queries += 1
        return self.box.controller.ask(self.queries, what)

    def counts(self) -> Any:
        return self.ask("counts")

    def settled(self) -> dict[str, Any]:
        """Once the writer has nothing to do."""
        counts: dict[str, Any] = wait_for(
            "the writer to have written all", self.counts, lambda c: c["pending"] == 0, every=0.005
        )
        return counts

    def nearly_whole(self) -> bool:
        """The last route of each family is there: a question that costs the box nothing."""
        number = (20 << 16) + self.routes - 1
        last = (f"{number >> 16}.{number >> 8 & 255}.{number & 255}.1", "2001:db8:163::1")
        return all("nhid" in self.box.box.ip("route", "get", "fibmatch", each, check=False) for each in last)

    def whole_at(self) -> float | None:
        """The time (monotonic) at which all routes were seen to be there."""
        at = time.monotonic()
        return at if self.whole() else None

    def whole(self) -> bool:
        return count(self.box.box) == self.total

    def conditions(self) -> dict[str, list[Any]]:
        told = self.box.controller.all(wire.Conditions)
        return {row[0]: row for row in told[-1].rows} if told else {}

    def reconnect(self) -> None:
        """A controller again, which has nothing to say."""
        self.box.controller = FakeController.unix(self.box.socket)
        self.box.controller.wait_connected()


def probed(under_test: BoxUnderTest) -> PingStream:
    """A thousand packets a second from behind peer B through the box to a host behind peer A."""
    under_test.peer_a.ip("address", "add", BEHIND, "dev", "lo")
    under_test.peer_a.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.1")
    under_test.peer_b.ip("route", "add", BEHIND, "via", "198.51.100.1")
    return PingStream(under_test.peer_b, BEHIND.split("/", maxsplit=1)[0], interval=0.001)
