"""One ncpd in a namespace of its own with two cables, and the fake controller it dials."""

from __future__ import annotations

import signal
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import native
from fibd import wire
from tests.kernel.fake_controller import FakeController, in_namespace
from tests.lab.kernel import Hops, kernel_routes
from tests.lab.lab import Lab, Namespace
from tests.lab.process import Process
from tests.lab.waiting import wait_for

PORT_A, PORT_B = "port-a", "port-b"
PEER_A, PEER_B = "192.0.2.2", "198.51.100.2"
CONFIG = wire.BoxConfig(
    1,
    {
        PORT_A: ["192.0.2.1/24", "2001:db8:a::1/64"],
        PORT_B: ["198.51.100.1/24", "2001:db8:b::1/64"],
        "lo": ["203.0.113.1/32"],
    },
)


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


class Table:
    """Routes of one stream: what was sent, and the digest an agent must come to."""

    def __init__(self, controller: FakeController) -> None:
        self.controller = controller
        self.sequence = 0
        self.shadow: Any = native.AgentFib(ncp="nowhere")
        self.shadow.set_digest_key(controller.digest_key)

    def adjacency(self, number: int, port: str, gateway: str) -> list[Any]:
        return [number, "ncp1", port, packed(gateway), 0]

    def group(self, number: int, *members: int) -> list[Any]:
        rows = b"".join(struct.pack("<IHBB", member, 1, 0, 0) for member in members)
        return [number, struct.pack("<16s", b"group %d" % number), 0, rows]

    def routes(self, group: int, *prefixes: str, put: bool = True) -> list[list[Any]]:
        rows = []
        for afi, of in ((1, 4), (2, 16)):
            mine = [
                (packed(p.split("/")[0]), int(p.split("/")[1])) for p in prefixes if len(packed(p.split("/")[0])) == of
            ]
            if mine:
                columns = [b"".join(a for a, _ in mine), bytes(n for _, n in mine)]
                rows.append([afi, *columns, struct.pack("<I", group) * len(mine), bytes([put]) * len(mine)])
        return rows

    def begin(self) -> None:
        self.sequence += 1
        self.shadow.snapshot_begin()
        self.controller.send(wire.Role.FIB, wire.SnapshotBegin(self.controller.election_id, self.sequence))

    def send(self, **fields: Any) -> None:
        self.sequence += 1
        self.shadow.put_adjacencies([tuple(row) for row in fields.get("adjacencies", [])])
        self.shadow.put_groups([tuple(row) for row in fields.get("groups", [])])
        for row in fields.get("routes", []):
            self.shadow.put_routes(*row)
        message = wire.Transaction(self.controller.election_id, self.sequence, **fields)
        self.controller.send(wire.Role.FIB, message)

    def end(self) -> wire.SnapshotVerdict:
        self.sequence += 1
        count, digest = self.shadow.digest()
        seen = len(self.controller.all(wire.SnapshotVerdict))
        self.controller.send(wire.Role.FIB, wire.SnapshotEnd(self.controller.election_id, self.sequence, count, digest))
        self.shadow.snapshot_end(count, digest)
        wait_for("a verdict", lambda: len(self.controller.all(wire.SnapshotVerdict)) > seen, every=0.01)
        return self.controller.all(wire.SnapshotVerdict)[-1]

    def wait_installed(self) -> wire.Ack:
        return wait_for(
            f"everything up to {self.sequence} installed",
            lambda: self.controller.all(wire.Ack)[-1],
            lambda ack: ack.installed == self.sequence,
            every=0.01,
        )


class BoxUnderTest:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.box = lab.box("box")
        self.peer_a, self.peer_b = lab.box("peer-a"), lab.box("peer-b")
        for port, peer, address, address6 in (
            (PORT_A, self.peer_a, PEER_A, "2001:db8:a::2"),
            (PORT_B, self.peer_b, PEER_B, "2001:db8:b::2"),
        ):
            lab.link(self.box, port, peer, "eth0", b_addresses=[f"{address}/24", f"{address6}/64"])
        self.run_dir, self.state_dir = self.box.directory / "run", self.box.directory / "state"
        self.socket = self.box.directory / "agent.sock"
        self.controller = FakeController.unix(self.socket)
        self.process: Process

    def start(self, *extra: str, controller: str = "", module: Sequence[str] = ("routingd.agent_main",)) -> Process:
        """``module`` with its own arguments: another program that is an ncpd in the end."""
        argv = [
            sys.executable, "-m", *module,
            "--ncp", "ncp1", "--controller", controller or f"unix:{self.socket}",
            "--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir), *extra,
        ]  # fmt: skip
        self.process = self.box.start("ncpd", argv, cwd=Path(__file__).parents[2])
        return self.process

    def ready(self, controller: FakeController | None = None) -> None:
        """Connected, configured, with the addresses that the tests' gateways need."""
        controller = controller or self.controller
        controller.wait_connected()
        controller.send(wire.Role.CONTROL, CONFIG)
        wanted = {(port, packed(text.split("/")[0])) for port, texts in CONFIG.interfaces.items() for text in texts}
        wait_for("addresses", lambda: self.addresses(controller), lambda seen: wanted <= seen, every=0.02)

    def addresses(self, controller: FakeController) -> set[tuple[str, bytes]]:
        rows = [row for message in controller.all(wire.Addresses) for row in message.present]
        return {(row[0], row[1]) for row in rows if row[3]}

    def routes(self) -> dict[str, Hops]:
        return kernel_routes(self.box)

    def wait_routes(self, prefixes: Sequence[str]) -> dict[str, Hops]:
        return wait_for("kernel routes", self.routes, lambda found: set(found) == set(prefixes), every=0.05)

    def dial(self, peer: Namespace, address: str, port: int = 179) -> socket.socket:
        def make() -> socket.socket:
            sock: socket.socket = socket.create_connection((address, port), timeout=10)
            return sock

        made: socket.socket = in_namespace(peer, make)
        return made

    def lose_controller(self) -> None:
        """Its end has been seen by the agent when this returns."""
        self.controller.close()
        wait_for("the agent to notice", lambda: self.process.output().count("controller.away") >= 3, every=0.02)

    def kill(self, process: Process) -> None:
        process.signal(signal.SIGKILL)
        process.wait(10)


@contextmanager
def box_under_test() -> Iterator[BoxUnderTest]:
    with Lab() as lab:
        under_test = BoxUnderTest(lab)
        try:
            yield under_test
        finally:
            under_test.controller.close()
