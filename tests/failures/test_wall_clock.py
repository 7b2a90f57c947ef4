"""Row 12: the wall clock of routingd and its agent jumps by years, to and fro. Timers are of monotonic clocks."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.failures.recording import Row
from tests.lab.bird import Bird
from tests.lab.commands import run
from tests.lab.lab import PROJECT, Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.probes import PingStream, ping
from tests.lab.router import Router
from tests.lab.waiting import wait_for

OURS, THEIRS, BEHIND, TARGET = "10.3.0.1", "10.3.0.2", "198.51.100.0/24", "198.51.100.1"
YEARS = 10 * 365 * 86400
PRODUCT = ("routingd", "protocols", "rib", "fibd", "kernel")
MAY_ASK = {
    "routingd/identity.py": "election ids grow across machines",
    "routingd/monitor.py": "events are shown with their time",
    "routingd/session_events.py": "so are these",
}
"""Who asks what time it is, and why that moves no timer."""
WALL = {("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "strftime"),
        ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}  # fmt: skip


def asks(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in WALL:
                yield node.lineno
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and {n.name for n in node.names} & {"time", "time_ns"}
        ):
            yield node.lineno


@pytest.mark.row(12)
def test_nothing_that_decides_asks_the_wall_clock() -> None:
    asking = {
        str(path.relative_to(PROJECT))
        for folder in PRODUCT
        for path in (PROJECT / folder).rglob("*.py")
        if any(asks(path))
    }
    assert asking == set(MAY_ASK)
    rust = [path for path in (PROJECT / "native").rglob("*.rs") if "target" not in path.parts]
    assert rust
    assert [path for path in rust if "SystemTime" in path.read_text()] == []


@pytest.mark.netns
@pytest.mark.row(12)
def test_sessions_and_boxes_do_not_notice_that_the_wall_clock_jumps(lab: Lab, row: Row, tmp_path: Path) -> None:
    shim, shift = tmp_path / "clock.so", tmp_path / "shift"
    run(["cc", "-shared", "-fPIC", "-O2", "-o", str(shim), str(PROJECT / "tests/lab/clock.c")])
    shift.write_text("0")
    box, client, peer = lab.box("box"), lab.box("client"), lab.box("peer")
    lab.link(box, "eth0", peer, "eth0", b_addresses=[f"{THEIRS}/24"])
    lab.link(box, "eth1", client, "eth0", b_addresses=["10.4.0.2/24"])
    peer.address("lo", f"{TARGET}/32")
    peer.route("default", "via", OURS)
    client.route("default", "via", "10.4.0.1")
    both = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    config = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": [f"{OURS}/24"]}, "eth1": {"addresses": ["10.4.0.1/24"]}},
        "bgp": {"neighbors": {THEIRS: {"asn": 65003, "hold-time": 3, "families": both}}},
    }
    router = Router(lab, config, {"ncp1": box})
    neighbor = Neighbor(OURS, 65001, THEIRS, families=(4,), hold_time=3)
    Bird(peer, PeerConfig(65003, "10.0.0.3", [neighbor], [Announcement(BEHIND)])).start()
    shifted = ("env", f"LD_PRELOAD={shim}", f"CLOCK_SHIFT={shift}")
    router.start_controller(prefix=shifted)
    router.wait_ncps()
    router.wait_established(THEIRS)
    wait_for("probes to pass", lambda: ping(client, TARGET, count=2), lambda loss: not loss.lost)

    def session() -> dict[str, Any]:
        return dict(router.ctl("show", "bgp", "neighbor", THEIRS)["neighbors"][0])

    def jump(seconds: int) -> None:
        """And three KEEPALIVEs later nothing has happened: a hold timer of 3 s would have expired."""
        shift.write_text(str(seconds))
        heard = session()["messages_received"]
        wait_for("KEEPALIVEs", lambda: session()["messages_received"], lambda count: count >= heard + 3, timeout=30)

    first, started = session(), time.monotonic()
    probes = PingStream(client, TARGET, interval=0.001)
    jumps = (YEARS, -YEARS, 0, 3600, -3600)
    for seconds in jumps:
        jump(seconds)
    for at in range(20):
        shift.write_text(str(YEARS if at % 2 else -YEARS))
        router.ctl("show", "version")
    last, elapsed = session(), time.monotonic() - started
    assert (last["established_count"], last["last_down"]) == (first["established_count"], first["last_down"])
    assert abs(last["uptime"] - first["uptime"] - elapsed) < 60, "not by years"
    assert router.ncps()["ncp1"]["state"] == "forwarding"

    # Also the next routingd, which starts in the past, is the later one to its box.
    shift.write_text(str(-YEARS))
    router.kill_controller()
    router.start_controller(prefix=shifted)
    router.wait_ncps()
    router.wait_established(THEIRS)
    assert router.process is not None
    stamp = time.strftime("%Y", time.gmtime(time.time() - YEARS))
    assert f"{stamp}-" in router.process.output(), "the clock it has is the one that was put back"
    loss = probes.finish()
    row(12, lost=loss, jumps=len(jumps) + 20, sessions_lost=0)
    assert loss.lost == 0
