"""A neighbor that sends damaged UPDATEs without end: nobody else notices, and nothing grows.

feeder (a table) ──┐
attacker ──────────┤ router ─── BIRD (what it holds is judged)
(and 200 others)   ┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import native
from tests.interop.test_verdicts import ROWS
from tests.interop.verdict_rows import EXTERNAL, Slot, Verdict
from tests.lab import tables
from tests.lab.attributes import Attributes, over_ebgp
from tests.lab.bird import Bird
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab, Namespace
from tests.lab.mutations import mutated
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.raw_peer import RawPeer
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
ASN, FEEDER_ASN, BIRD_ASN, ATTACKER_ASN = 65001, 65009, 65040, 65010
US, FEEDER, ATTACKER = "10.8.0.2", "10.8.0.1", "10.8.1.1"
BIRD, TO_BIRD = "10.9.0.1", "10.9.0.2"
HELPERS = "10.8.2.0/24"
HOLD = 9
"""Seconds: a healthy session that is not served ends within the test."""
TABLE = 5000
FATAL = 200
BATCH = 5000
LEFT = (TABLE + 1 + 4, 2)
"""Routes of the router, of both families, when the attacker's are gone: its ports are connected and local ones."""
ROOM = 4 << 20
"""Octets: what a process may grow between two equal attacks."""


def configuration() -> dict[str, Any]:
    both = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    taken = {"ipv4-unicast": {"import": "accept"}, "ipv6-unicast": {"import": "accept"}}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {
            "eth0": {"addresses": [f"{US}/16", "2001:db8:8::2/64"]},
            "eth1": {"addresses": [f"{TO_BIRD}/24"]},
        },
        "bgp": {
            "groups": {"helpers": {"asn": ATTACKER_ASN, "families": taken}},
            "listen": {HELPERS: {"group": "helpers", "limit": 256}},
            "neighbors": {
                # whatever prefixes come out of the damage, the table's own are better
                FEEDER: {"asn": FEEDER_ASN, "hold-time": HOLD, "weight": 100, "families": both},
                BIRD: {"asn": BIRD_ASN, "hold-time": HOLD, "weight": 100, "families": both},
                ATTACKER: {"asn": ATTACKER_ASN, "passive": True, "families": taken},
            },
        },
    }


@dataclass(slots=True)
class Attack:
    """Damaged messages, parted by whether they end the session: such end the sending, too."""

    seed: int
    fatal: list[bytes]

    def harmless(self, count: int) -> Iterator[bytes]:
        slots = (Slot(EXTERNAL, at, ATTACKER) for at in range(1, 1 << 16))
        bases = [
            row.build(slot, form)
            for row in ROWS
            if row.kind == EXTERNAL and row.verdict is Verdict.KEPT
            for form, slot in zip(row.forms, slots, strict=False)
        ]
        terms = native.SessionTerms(peer_asn=ATTACKER_ASN, local_asn=ASN, four_octet_as=True, families=[(1, 1), (2, 1)])
        sent = 0
        for message in mutated(bases, 100 * count, self.seed):
            (updates,) = native.Framer().feed(message).items
            assert isinstance(updates, native.Updates)
            if native.decode(updates, terms).error is None:
                yield message
                sent += 1
                if sent == count:
                    return
            elif len(self.fatal) < FATAL:
                self.fatal.append(message)


@dataclass(slots=True)
class Wired:
    router: Router
    bird: Bird
    far: Namespace
    table: set[tuple[str, Attributes]]

    def row(self, address: str) -> dict[str, Any]:
        return dict(self.router.ctl("show", "bgp", "neighbor", address)["neighbors"][0])

    def attacker(self, address: str = ATTACKER) -> RawPeer:
        """As soon as it is let in; a peer that was reset waits (RFC 4271 8.1.1)."""

        def come() -> RawPeer | None:
            peer = RawPeer(self.far, local=address, remote=US, asn=ATTACKER_ASN)
            if peer.up():
                return peer
            peer.close()
            return None

        peer = wait_for(f"{address} to be let in", come, timeout=30)
        assert peer is not None
        return peer

    def healthy(self) -> None:
        """Both sessions never went, and BIRD holds the table, route by route."""
        for address in (FEEDER, BIRD):
            row = self.row(address)
            assert (row["state"].lower(), row["established_count"]) == ("established", 1)
        prefixes = {prefix for prefix, _ in self.table}

        def mine(found: set[tuple[str, Attributes]]) -> bool:
            return {route for route in found if route[0] in prefixes} == self.table

        wait_for("BIRD to hold the table", lambda: self.bird.routes(TO_BIRD), mine)

    def resident(self) -> dict[str, int]:
        """Octets of both processes, nothing of the attacker's routes being left."""

        def counts() -> tuple[int, int]:
            return self.router.route_count(4), self.router.route_count(6)

        wait_for("no route but the table's", counts, lambda found: found == LEFT)
        assert self.router.process is not None
        pids = {"routingd": self.router.process.pid, "ncpd": self.router.agent_pid("ncp1")}
        return {name: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for name, pid in pids.items()}


@pytest.fixture
def wired(lab: Lab) -> Wired:
    box, far, near = lab.box("r1"), lab.box("far"), lab.box("near")
    lab.link(box, "eth0", far, "eth0", b_addresses=[f"{FEEDER}/16", f"{ATTACKER}/16", "2001:db8:8::1/64"])
    far.ip("route", "add", "local", HELPERS, "dev", "lo")
    lab.link(box, "eth1", near, "eth0", b_addresses=[f"{BIRD}/24"])
    router = Router(lab, configuration(), {"ncp1": box})
    session = Neighbor(TO_BIRD, ASN, BIRD, families=(4,), hold_time=HOLD, passive=True)
    bird = Bird(near, PeerConfig(BIRD_ASN, BIRD, [session], [Announcement("198.18.1.0/24")]))
    table = tables.generate(TABLE, family=4, first_asn=FEEDER_ASN, next_hop=FEEDER)
    bird.start()
    router.start()
    Feeder(
        far, "feeder", peer=US, local=FEEDER, asn=FEEDER_ASN, router_id=FEEDER, families=(1,), hold=HOLD,
        blob=table.encode(), record=False,
    )  # fmt: skip
    router.wait_established(FEEDER, BIRD)
    told = {(prefix, over_ebgp(a, asn=ASN, next_hop=TO_BIRD)) for prefix, a in table.truth()}
    return Wired(router, bird, far, told)


def attack(wired: Wired, count: int, seed: int) -> list[bytes]:
    """``count`` damaged messages on one session, ended by one more that resets it. Returns further ones that would."""
    plan = Attack(seed, [])
    before = wired.row(ATTACKER)["counters"]["update_received"]
    peer = wired.attacker()
    messages = plan.harmless(count)
    while batch := list(islice(messages, BATCH)):
        peer.send(b"".join(batch))
    wait_for(
        "all messages to be read",
        lambda: wired.row(ATTACKER)["counters"]["update_received"] - before,
        lambda seen: seen == count,
        timeout=120,
    )
    assert not peer.closed.is_set()
    wired.healthy()
    peer.send(plan.fatal[0])
    assert peer.closed.wait(10)
    assert peer.notification is not None
    assert peer.notification.code == 3
    peer.close()
    return plan.fatal[1:]


@pytest.mark.parametrize("count", [100_000])
def test_damaged_messages_hurt_nobody_but_their_sender_and_leave_nothing_behind(wired: Wired, count: int) -> None:
    wired.healthy()
    attack(wired, count // 2, seed=1)
    warm = wired.resident()
    fatal = attack(wired, count // 2, seed=2)
    for at, message in enumerate(fatal):
        peer = wired.attacker(f"10.8.2.{at + 1}")
        peer.send(message)
        assert peer.closed.wait(10)
        assert peer.notification is not None
        assert peer.notification.code == 3
        peer.close()
    wired.healthy()
    after = wired.resident()
    assert {name: after[name] - warm[name] < ROOM for name in warm} == dict.fromkeys(warm, True), (warm, after)
