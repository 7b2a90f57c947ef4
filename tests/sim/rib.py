"""What the simulated router is given to route by: static routes and two BGP peers, from pools so small that next hops
are shared, cover one another, move between boxes and vanish."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

import native
from routingd.boxes import Box, Boxes, Port
from tests.props.folding import FoldedExport
from tests.props.peers import LOCAL_ASN, PeerConfig, prefix
from tests.props.update_bytes import announcement, packed, withdrawal
from tests.sim.kernel import Prefix

Job = Callable[[native.Engine], Any]
NAMES = ("ncp1", "ncp2")
ADDRESSES = {
    "ncp1": {"p0": ["10.0.0.1/24", "2001:db8:1::1/64"], "p1": ["10.0.1.1/24"], "fabric": ["10.9.0.1/24"]},
    "ncp2": {"p0": ["10.0.2.1/24", "2001:db8:2::1/64"], "p1": ["10.0.1.2/24"], "fabric": ["10.9.0.2/24"]},
}
BOXES = Boxes(
    [
        Box(
            name,
            ports={port: Port(tuple(ADDRESSES[name][port])) for port in ("p0", "p1")},
            fabric_port="fabric",
            fabric_ipv4=f"10.9.0.{number}",
            fabric_ipv6=f"fd00::{number}",
        )
        for number, name in enumerate(NAMES, 1)
    ]
)
V4 = tuple(prefix(f"20.{number}.0.0/16") for number in range(10))
V6 = tuple(prefix(f"2001:db8:{number + 32:x}::/48") for number in range(5))
PREFIXES: tuple[Prefix, ...] = (*V4, prefix("0.0.0.0/0"), prefix("10.0.0.128/25"), *V6)
HOPS: tuple[dict[str, Any], ...] = tuple(
    {"address": packed(address) if address else b"", "ncp": ncp, "port": port, "weight": weight}
    for address, ncp, port, weight in (
        ("10.0.0.2", None, None, 1), ("10.0.0.3", None, None, 3), ("10.0.1.9", None, None, 1),
        ("10.0.2.2", None, None, 700), ("20.1.0.1", None, None, 1), ("10.0.0.130", None, None, 1),
        ("", "ncp1", "p1", 1), ("fe80::5", "ncp2", "p0", 1), ("2001:db8:1::9", None, None, 1),
        ("2001:db8:2::9", None, None, 2),
    )
)  # fmt: skip
PEERS = (
    PeerConfig("a", "10.0.0.20", 65001, "1.1.1.1"),
    PeerConfig("b", "10.0.2.20", 65001, "1.1.1.2"),
)
PEER_HOPS = {4: ("10.0.0.20", "10.0.2.20", "10.0.1.20", "10.0.0.21"), 16: ("2001:db8:1::20", "2001:db8:2::20")}
OPTIONS = {"backup": True, "multipath_ebgp": 4, "multipath_relax": True, "advertise_installed": True}
ROW: dict[str, Any] = {
    "origin": "igp", "as_path": "65001", "next_hop": "", "link_local": "", "med": None, "local_pref": None,
    "atomic_aggregate": False, "aggregator": "", "communities": [], "originator_id": "", "cluster_list": [],
    "extended_communities": [], "large_communities": [], "unknown": [],
}  # fmt: skip


def addresses_of(name: str) -> dict[str, list[Prefix]]:
    def split(text: str) -> Prefix:
        address, _, length = text.partition("/")
        return packed(address), int(length)

    return {port: [split(text) for text in texts] for port, texts in ADDRESSES[name].items()}


class Inputs:
    """Everything that was said and not taken back, in the form in which it can be said again to another engine."""

    def __init__(self) -> None:
        self._said: dict[tuple[Any, ...], Job] = {}

    def prepare(self, engine: native.Engine) -> None:
        """The first sources of an engine are its boxes', then the static one; these come behind."""
        engine.set_options(**OPTIONS)
        engine.set_redistribute(["static"])
        for peer in PEERS:
            engine.add_peer(**peer.source())

    def everything(self) -> list[Job]:
        return list(self._said.values())

    def static(self, number: int) -> Job:
        """What a number means is of no matter, but that it always means the same."""
        where = PREFIXES[number % len(PREFIXES)]
        number //= len(PREFIXES)
        kind = ("via", "via", "via", "via", "blackhole", "unreachable")[number % 6]
        number //= 6
        hops = [HOPS[number % len(HOPS)], HOPS[number // len(HOPS) % len(HOPS)]]
        chosen = hops[:1] if hops[0] == hops[1] or number // 100 % 2 else hops
        if len(where[0]) == 4:
            usable = [hop for hop in chosen if len(hop["address"]) != 16 or hop["port"]]
        else:
            usable = [hop for hop in chosen if len(hop["address"]) != 4]
        if kind == "via" and not usable:
            kind = "blackhole"
        source = STATIC

        def put(engine: native.Engine) -> None:
            engine.put_static(source, where, usable if kind == "via" else [], kind=kind)

        self._said["static", where] = put
        return put

    def no_static(self, number: int) -> Job:
        where = PREFIXES[number % len(PREFIXES)]
        self._said.pop(("static", where), None)
        return lambda engine: engine.delete(STATIC, where)

    def announce(self, number: int) -> list[Job]:
        """Several prefixes of one family by one of the peers, with one next hop."""
        peer, pool = number % len(PEERS), V6 if number // 2 % 4 == 0 else V4
        number //= 8
        hops = PEER_HOPS[len(pool[0][0])]
        row = ROW | {"next_hop": hops[number % len(hops)]}
        number //= len(hops)
        first, count = number % len(pool), number // len(pool) % len(pool) + 1
        jobs = []
        for where in pool[first : first + count]:
            jobs.append(_received(peer, announcement([where], row)))
            self._said["bgp", peer, where] = jobs[-1]
        return jobs

    def withdraw(self, number: int) -> list[Job]:
        peer, pool = number % len(PEERS), V6 if number // 2 % 4 == 0 else V4
        number //= 8
        first, count = number % len(pool), number // len(pool) % len(pool) + 1
        for where in pool[first : first + count]:
            self._said.pop(("bgp", peer, where), None)
        return [_received(peer, withdrawal([where])) for where in pool[first : first + count]]


class Told:
    """What the first peer is told of IPv4: only what all boxes have installed, and in the end all of it."""

    def __init__(self, engine: native.Engine) -> None:
        self._engine = engine
        self._folded = FoldedExport(four_octet_as=True, path_ids=False)
        self._consumer = engine.export_open(
            peer_source=FIRST_PEER, afi=1, safi=1, ebgp=True, local_asn=LOCAL_ASN, peer_asn=PEERS[0].asn,
            next_hop_self=True, local_address=packed("10.0.0.1"), local_link=None, four_octet_as=True,
        )  # fmt: skip

    def check(self, refused: Set[str] = frozenset()) -> None:
        self._folded.read_all(self._engine, self._consumer)
        rows, _ = self._engine.page(1, 0, 1000)
        due = {row["prefix"] for row in rows if row["protocol"] == "static" or row["source"] == FIRST_PEER + 1}
        told, due = set(self._folded.routes), due - refused
        assert told == due, f"{told ^ due} should be told, or not"


STATIC = len(NAMES) + 1
FIRST_PEER = STATIC + 1


def _received(peer: int, message: bytes) -> Job:
    def receive(engine: native.Engine) -> None:
        (updates,) = native.Framer(4096).feed(message).items
        assert isinstance(updates, native.Updates)
        config = PEERS[peer]
        terms = native.SessionTerms(
            peer_asn=config.asn, local_asn=LOCAL_ASN, four_octet_as=True, families=[(1, 1), (2, 1)]
        )
        changes = engine.receive(FIRST_PEER + peer, updates, terms)
        assert changes.error is None
        assert not changes.faults

    return receive
