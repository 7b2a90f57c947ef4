"""Bare netlink writers in namespaces: what the kernel alone takes for a table, one of them or several at once."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench import netlink_writer
from bench.kernel_stage import cleared
from bench.kernel_watch import verify
from bench.measured import LIMIT, Context, Measured
from bench.sessions import Session
from tests.kernel.fake_controller import in_namespace
from tests.lab.lab import Lab, Namespace
from tests.lab.process import peak_memory
from tests.lab.tables import Table

PROGRAM: Final = Path(netlink_writer.__file__)
OTHER: Final = 3
"""Id of the nexthop that a group moves to."""


def load(name: str, context: Context, session: Session, table: Table, boxes: int = 1) -> Measured:
    """Seconds from the first send of any to the last acknowledgement of the last one."""
    file = _batches(context, table)
    with Lab() as lab, cleared(lab):
        held = [_box(lab, n, session) for n in range(boxes)]
        writers = [_Writer(box, file) for box in held]
        for writer in writers:
            writer.ready()
        for writer in writers:
            writer.go()
        reports = [writer.report() for writer in writers]
        memory = {f"writer {n}": peak_memory(writer.child.pid) for n, writer in enumerate(writers)}
        for box in held:
            verify(box, {session.local: table})
        for writer in writers:
            writer.end()
    seconds = max(r["last"] for r in reports) - min(r["first"] for r in reports)
    return Measured(name, LIMIT, seconds, memory, sum(r["cpu"] for r in reports))


def move(name: str, context: Context, best: Session, second: Session, table: Table) -> Measured:
    """Of a group that all routes use the member is replaced: one message and its acknowledgement."""
    file = _batches(context, table)
    with Lab() as lab, cleared(lab):
        box = _box(lab, 0, best)
        lab.link(box, second.port, lab.box("other"), second.port, a_addresses=[f"{second.ours}/{second.length}"])
        box.ip("nexthop", "add", "id", str(OTHER), "via", second.local, "dev", second.port)
        writer = _Writer(box, file)
        writer.ready()
        writer.go()
        writer.report()
        writer.end()
        to = in_namespace(box, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        cpu, begun = time.thread_time(), time.monotonic()
        netlink_writer.write(to, [netlink_writer.member(OTHER)])
        seconds, cpu = time.monotonic() - begun, time.thread_time() - cpu
        to.close()
        verify(box, {second.local: table})
    return Measured(name, LIMIT, seconds, {}, cpu)


def _batches(context: Context, table: Table) -> Path:
    """The table as the writer reads it, made once."""
    file = context.directory / f"netlink-{table.family}-{len(table)}"
    if not file.exists():
        addresses = (address for address, _ in table.prefixes(0, len(table)))
        batches = netlink_writer.batches(addresses, bytes(table.lengths))
        with file.open("wb") as to:
            for batch in batches:
                to.write(struct.pack("=I", len(batch)) + batch)
    return file


def _box(lab: Lab, n: int, session: Session) -> Namespace:
    """A box with one neighbor, as group of one."""
    box, far = lab.box(f"box{n}"), lab.box(f"far{n}")
    lab.link(
        box, session.port, far, session.port,
        a_addresses=[f"{session.ours}/{session.length}"], b_addresses=[f"{session.local}/{session.length}"],
    )  # fmt: skip
    box.run("sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0")
    single, group = str(netlink_writer.SINGLETON), str(netlink_writer.GROUP)
    box.ip("nexthop", "add", "id", single, "via", session.local, "dev", session.port)
    box.ip("nexthop", "add", "id", group, "group", single)
    return box


class _Writer:
    def __init__(self, box: Namespace, file: Path) -> None:
        argv = ["ip", "netns", "exec", box.kernel_name, sys.executable, str(PROGRAM), str(file)]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _line(self) -> str:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"the netlink writer ended with status {self.child.wait()}")
        return line

    def ready(self) -> None:
        self._line()

    def go(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def report(self) -> dict[str, Any]:
        return dict(json.loads(self._line()))

    def end(self) -> None:
        self.go()
        self.child.wait(10)
