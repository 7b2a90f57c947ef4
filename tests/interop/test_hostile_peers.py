"""Slow, silent, half-open, deaf and flooding peers and 200 strangers, all at once, while two healthy daemons hold
sessions with a hold time of 3 s and a table: those notice nothing, and memory stays where it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.lab import tables
from tests.lab.attributes import over_ebgp
from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.frr import Frr
from tests.lab.lab import PROJECT, Lab, Namespace
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
BOTH: Final = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
BIRD, FRR, FEEDER = "10.1.0.1", "10.2.0.1", "10.3.0.1"
US = "10.66.0.2"
SEND_HOLD = 10
TABLE = 20_000
# mode: its address on the hostile link
HOSTILE: Final = {
    "silent": "10.66.0.11", "trickle_open": "10.66.0.12", "trickle": "10.66.0.13", "idle": "10.66.0.14",
    "deaf": "10.66.0.15", "updates": "10.66.0.16", "refreshes": "10.66.0.17", "keepalives": "10.66.0.18",
    "garbage": "10.66.0.19", "opens": "10.66.0.20", "connections": "10.66.0.21",
    "crumbs": "10.66.0.22",
}  # fmt: skip
STRANGERS: Final = [f"10.66.1.{at}" for at in range(1, 201)]
MOST_MEMORY: Final = 96 << 20
"""Beyond what the table took. 18 streams with a megabyte of credit each are in it."""


class Hostile:
    def __init__(self, box: Namespace, mode: str, local: str) -> None:
        self._report = box.directory / f"{mode}.json"
        argv = [sys.executable, "-m", "tests.lab.hostile", mode, "--peer", US, "--local", local]
        self.process = box.start(mode, [*argv, "--report", str(self._report)], cwd=PROJECT)

    def done(self) -> dict[str, int]:
        return dict(json.loads(self._report.read_text()))


def configuration() -> dict[str, Any]:
    hostile = {"asn": 65066, "passive": True, "hold-time": 9, "send-hold-time": SEND_HOLD, "families": BOTH}
    healthy = {"hold-time": 3, "families": BOTH}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {
            **{f"eth{at}": {"addresses": [f"10.{at + 1}.0.2/24"]} for at in range(3)},
            "eth3": {"addresses": [f"{US}/16"]},
        },
        "bgp": {
            "neighbors": {
                BIRD: {"asn": 65010, **healthy},
                FRR: {"asn": 65020, **healthy},
                FEEDER: {"asn": 65030, **healthy},
                **dict.fromkeys(HOSTILE.values(), hostile),
            }
        },
    }


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def test_healthy_sessions_hold_whatever_the_others_do(lab: Lab) -> None:
    box, bird_box, frr_box, feeder_box, evil = (lab.box(name) for name in ("r1", "bird", "frr", "feeder", "evil"))
    for at, (there, address) in enumerate(((bird_box, BIRD), (frr_box, FRR), (feeder_box, FEEDER))):
        lab.link(box, f"eth{at}", there, "eth0", b_addresses=[f"{address}/24"])
    lab.link(box, "eth3", evil, "eth0", b_addresses=[f"{a}/16" for a in (*HOSTILE.values(), *STRANGERS)])

    def session(us: str, local: str) -> Neighbor:
        return Neighbor(us, 65001, local, families=(4,), hold_time=3)

    bird = Bird(bird_box, PeerConfig(65010, BIRD, [session("10.1.0.2", BIRD)], [Announcement("198.18.1.0/24")]))
    frr = Frr(frr_box, PeerConfig(65020, FRR, [session("10.2.0.2", FRR)], [Announcement("198.18.2.0/24")]))
    bird.start()
    frr.start()
    router = Router(lab, configuration(), {"ncp1": box})
    router.start()
    router.wait_established(BIRD, FRR)
    table = tables.generate(TABLE, family=4, first_asn=65030, next_hop=FEEDER)
    feeder = Feeder(
        feeder_box, "feeder", peer="10.3.0.2", local=FEEDER, asn=65030, router_id=FEEDER, families=(1,), hold=3,
        blob=table.encode(),
    )  # fmt: skip
    feeder.wait_sent()
    wait_for("the table at BIRD", bird.count, lambda count: count >= TABLE)
    wait_for("the table at FRR", frr.count, lambda count: count >= TABLE)

    def row(address: str) -> dict[str, Any]:
        return dict(router.ctl("show", "bgp", "neighbor", address)["neighbors"][0])

    def healthy() -> list[Any]:
        """What would show a session that was lost, at both ends."""
        told = frr._json("show bgp neighbors 10.2.0.2 json")["10.2.0.2"]
        since = bird.ask(f"show protocols {bird.neighbor('10.1.0.2').name}").split()
        ours = [(n["established_count"], n["last_down"]) for n in map(row, (BIRD, FRR, FEEDER))]
        lost = told.get("lastResetDueTo"), frr.last_error("10.2.0.2")
        return [since[-3:], told["connectionsEstablished"], told["connectionsDropped"], lost, ours]

    before = healthy()
    assert router.process is not None
    pids = {"routingd": router.process.pid, "ncpd": router.agent_pid("ncp1")}
    memory = {name: resident(pid) for name, pid in pids.items()}
    enemies = {mode: Hostile(evil, mode, address) for mode, address in HOSTILE.items()}
    enemies["strangers"] = Hostile(evil, "strangers", STRANGERS[0])

    def until(what: str, probe: Callable[[], Any], accept: Callable[[Any], object]) -> None:
        wait_for(what, probe, accept, timeout=60, every=0.5)

    # The cable of one is pulled: nothing of it ends, it is only gone.
    wait_for("a session to cut", lambda: row(HOSTILE["idle"])["state"], lambda state: state == "Established")
    evil.ip("addr", "del", f"{HOSTILE['idle']}/16", "dev", "eth0")

    def ended(mode: str) -> Callable[[], tuple[int, int] | None]:
        def last() -> tuple[int, int] | None:
            told = (row(HOSTILE[mode])["last_session"] or {}).get("sent")
            return (told["code"], told["subcode"]) if told is not None else None

        return last

    until("the half-open one to expire", ended("idle"), lambda said: said == (4, 0))
    until("octets a second to expire", ended("trickle"), lambda said: said == (4, 0))
    until("the deaf one to be reset", ended("deaf"), lambda said: said == (8, 0))
    until("noise to be answered", ended("garbage"), lambda said: said is not None and said[0] == 1)
    until("strangers", lambda: router.ncps()["ncp1"]["strangers"], lambda count: count >= 5 * len(STRANGERS))
    until("who connects too often", lambda: router.ncps()["ncp1"]["too_often"], lambda count: count > 0)
    for mode, octets in (("updates", 4 << 20), ("keepalives", 4 << 20), ("refreshes", 1 << 18), ("crumbs", 1 << 12)):
        until(f"a flood of {mode}", lambda mode=mode: enemies[mode].done()["sent"], lambda sent: sent > octets)  # type: ignore[misc]  # noqa: B023
    assert row(HOSTILE["silent"])["state"] == row(HOSTILE["trickle_open"])["state"] == "OpenSent"

    # In the midst of it a new route reaches everybody.
    fresh = tables.generate(1, family=4, first_asn=65030, next_hop=FEEDER, seed=77)
    feeder.send(fresh.encode())
    for peer, us in ((bird, "10.1.0.2"), (frr, "10.2.0.2")):
        wanted = {(p, over_ebgp(a, asn=65001, next_hop=us)) for p, a in fresh.truth()}
        until("the new route", lambda peer=peer, us=us: peer.routes(us), lambda held: wanted <= held)  # type: ignore[misc]  # noqa: B023

    assert healthy() == before
    grown = {name: resident(pid) - memory[name] for name, pid in pids.items()}
    assert max(grown.values()) < MOST_MEMORY, grown
    for enemy in enemies.values():
        enemy.process.kill()
    # Nothing of theirs stays.
    until("their routes to go", router.route_count, lambda count: count <= TABLE + 3 + 8)
    assert healthy() == before
