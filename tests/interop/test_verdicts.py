"""Malformed UPDATEs of a real TCP peer, through a box, as a third router sees what became of them (RFC 7606).

senders (eBGP, eBGP of two octets, iBGP) ─── router (AS 65001) ─── BIRD, a client (RFC 4456)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop import verdict_cases
from tests.interop.verdict_attributes import KNOWN
from tests.interop.verdict_resets import resets
from tests.interop.verdict_rows import (
    ASN,
    CLASSIC,
    EXTERNAL,
    INTERNAL,
    MULTIPROTOCOL,
    OLD,
    PEER_ASN,
    SENDER6,
    Row,
    Slot,
    Verdict,
    update,
)
from tests.lab.attributes import assert_same
from tests.lab.bird import Bird
from tests.lab.lab import Lab
from tests.lab.peer import Neighbor, PeerConfig
from tests.lab.raw_peer import RawPeer
from tests.lab.router import Router
from tests.lab.updates import attribute
from tests.lab.waiting import LabTimeoutError, wait_for

pytestmark = pytest.mark.netns
US, US6 = "10.9.0.2", "2001:db8:9::2"
OBSERVER, OBSERVER6 = "10.9.0.1", "2001:db8:9::1"
LISTENER, LISTENER_ASN = "10.8.2.1", 65020
"""Another neighbor, that keeps the bytes."""
ROWS = (*(row for known in KNOWN for row in known.rows()), *verdict_cases.rows(), *resets())
PER_SESSION = 20
"""Rows: a neighbor's findings are kept for 64 kinds."""
Seen = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Sender:
    """One session and the rows it sends, each in its forms."""

    address: str
    kind: str
    rows: list[tuple[Row, str, Slot]]

    @property
    def asn(self) -> int:
        return ASN if self.kind == INTERNAL else PEER_ASN


def senders() -> list[Sender]:
    """A session for every reset, few for all else."""
    made: list[Sender] = []
    number = 0
    groups: list[tuple[str, list[Row]]] = [(row.kind, [row]) for row in ROWS if row.verdict is Verdict.RESET]
    for kind in (EXTERNAL, INTERNAL, OLD):
        rest = [row for row in ROWS if row.kind == kind and row.verdict is not Verdict.RESET]
        groups += [(kind, rest[at : at + PER_SESSION]) for at in range(0, len(rest), PER_SESSION)]
    for at, (kind, rows) in enumerate(groups):
        sender = Sender(f"10.8.1.{at + 1}", kind, [])
        for row in rows:
            for form in row.forms:
                number += 1
                sender.rows.append((row, form, Slot(kind, number, sender.address)))
        made.append(sender)
    return made


def configuration(made: list[Sender]) -> dict[str, Any]:
    both = {"import": "accept", "export": "accept"}
    client: dict[str, Any] = {"asn": ASN, "route-reflector-client": True, "next-hop-self": True}
    neighbors: dict[str, Any] = {
        OBSERVER: client | {"families": {"ipv4-unicast": both}},
        OBSERVER6: client | {"families": {"ipv6-unicast": both}},
    }
    neighbors[LISTENER] = {"asn": LISTENER_ASN, "passive": True, "families": {"ipv4-unicast": {"export": "accept"}}}
    for sender in made:
        taken = {"ipv4-unicast": {"import": "accept"}, "ipv6-unicast": {"import": "accept"}}
        neighbors[sender.address] = {"asn": sender.asn, "passive": True, "families": taken}
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "interfaces": {
            "eth0": {"addresses": ["10.8.0.2/16", "2001:db8:8::2/64"]},
            "eth1": {"addresses": [f"{US}/24", f"{US6}/64"]},
        },
        "bgp": {"neighbors": neighbors},
    }


def seen_by(bird: Bird) -> Seen:
    """Prefix to attributes, in BIRD's own words."""
    found: Seen = {}
    for of in (4, 6):
        current: dict[str, str] = {}
        for line in bird.ask(f"show route all table master{of}").splitlines():
            if start := re.match(r"(\S+/\d+) ", line):
                current = found[start.group(1)] = {}
            elif told := re.match(r"\tBGP\.([^:]+): ?(.*)", line):
                name, value = told.group(1), told.group(2).strip()
                # A link-local address beside the global one (RFC 2545 3) is not what is judged here.
                current[name] = value.split()[0] if name == "next_hop" else value
    return found


def usual(slot: Slot, form: str) -> dict[str, str]:
    """What a route has that brings nothing of its own."""
    if slot.kind != INTERNAL:
        path = {"as_path": f"{PEER_ASN} 64999", "next_hop": US if form == CLASSIC else US6}
        return {"origin": "IGP", "local_pref": "100"} | path
    hop = slot.sender if form == CLASSIC else SENDER6
    reflected = {"originator_id": slot.sender, "cluster_list": "10.255.0.1"}
    return {"origin": "IGP", "as_path": "64999", "next_hop": hop, "local_pref": "100"} | reflected


def first(slot: Slot, form: str) -> bytes:
    """Both prefixes, with a community that shows what is old."""
    told, gone = slot.octets(form)
    community = attribute(0xC0, 8, b"\0\7\0\7")
    if form == CLASSIC:
        return update(b"", b"".join(slot.mandatory(form).values()) + community, told + gone)
    own = slot.mandatory(form) | {14: attribute(0x80, 14, b"\0\2\1\x10" + _hop(slot) + b"\0" + told + gone)}
    return update(b"", b"".join(own[code] for code in (14, 1, 2)) + community, b"")


def _hop(slot: Slot) -> bytes:
    return slot.mandatory(MULTIPROTOCOL)[14][7:23]


def cases(made: list[Sender]) -> Iterator[tuple[Sender, Row, str, Slot]]:
    for sender in made:
        for row, form, slot in sender.rows:
            yield sender, row, form, slot


@dataclass(slots=True)
class Wired:
    router: Router
    bird: Bird
    senders: list[Sender]
    peers: dict[str, RawPeer]
    """By address, the listener among them."""


@pytest.fixture
def wired(lab: Lab) -> Iterator[Wired]:
    made = senders()
    box, far, near = lab.box("r1"), lab.box("senders"), lab.box("observer")
    addresses = [f"{sender.address}/16" for sender in made] + [f"{SENDER6}/64", f"{LISTENER}/16"]
    lab.link(box, "eth0", far, "eth0", b_addresses=addresses)
    lab.link(box, "eth1", near, "eth0", b_addresses=[f"{OBSERVER}/24", f"{OBSERVER6}/64"])
    router = Router(lab, configuration(made), {"ncp1": box})
    sessions = [Neighbor(US, ASN, OBSERVER, families=(4,)), Neighbor(US6, ASN, OBSERVER6, families=(6,))]
    bird = Bird(near, PeerConfig(ASN, OBSERVER, sessions))
    bird.start()
    router.start()
    peers = {LISTENER: RawPeer(far, local=LISTENER, remote="10.8.0.2", asn=LISTENER_ASN, families=(1,))}
    for sender in made:
        four_octet = sender.kind != OLD
        peers[sender.address] = RawPeer(
            far, local=sender.address, remote="10.8.0.2", asn=sender.asn, four_octet=four_octet
        )
    router.wait_established()
    yield Wired(router, bird, made, peers)
    for peer in peers.values():
        peer.close()


def test_every_fault_has_the_verdict_of_its_rfc_and_no_withdrawal_is_lost(wired: Wired) -> None:
    bird, made, peers = wired.bird, wired.senders, wired.peers
    before: Seen = {}
    for sender, _, form, slot in cases(made):
        peers[sender.address].send(first(slot, form))
        before |= dict.fromkeys(slot.prefixes(form), usual(slot, form) | {"community": "(7,7)"})
    must_be(bird, before, "before")

    wanted: Seen = {}
    counted: dict[str, Counter[tuple[int, str]]] = {sender.address: Counter() for sender in made}
    for sender, row, form, slot in cases(made):
        peers[sender.address].send(row.build(slot, form))
        counted[sender.address].update(row.findings)
        told, _ = slot.prefixes(form)
        if row.verdict is Verdict.KEPT:
            kept = usual(slot, form) if row.tells else before[told]
            wanted[told] = kept | row.shown
    must_be(bird, wanted, "after", {slot.prefixes(form)[0]: row.name for _, row, form, slot in cases(made)})

    for sender, row, _, _ in cases(made):
        peer = peers[sender.address]
        if row.verdict is Verdict.RESET:
            assert peer.closed.wait(10), row.name
            assert peer.notification is not None, row.name
            assert (row.name, peer.notification[:2]) == (row.name, row.notification)
        else:
            assert peer.notification is None
    rows = {row["address"]: row for row in wired.router.ctl("show", "bgp", "neighbor")["neighbors"]}
    for sender in made:
        found: Counter[tuple[int, str]] = Counter()
        for fault in rows[sender.address]["faults"]:
            found[fault["attribute"], fault["rfc"]] += fault["count"]
        names = {row.name for row, _, _ in sender.rows}
        assert (names, found) == (names, counted[sender.address])
    # RFC 4271 5: whoever does not know an attribute passes it on with Partial
    heard = b"".join(peers[LISTENER].updates)
    assert b"\xe0\x63\x03hey" in heard
    assert b"\xc0\x63" not in heard


def must_be(bird: Bird, wanted: Seen, what: str, names: dict[str, str] | None = None) -> None:
    try:
        wait_for(what, lambda: seen_by(bird), lambda found: found == wanted, timeout=15, every=0.2)
    except LabTimeoutError:
        named = names or {}
        assert_same(
            *({(p, named.get(p), str(sorted(a.items()))) for p, a in of.items()} for of in (wanted, seen_by(bird))),
            what,
        )
