"""What a box's kernel should hold, computed from the whole FIB at once and without thought of speed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.props.folding import Adjacency, Group
from tests.sim.kernel import V6, Hops, Prefix, Single

ONLINK = 4
IP, DROP, LOCAL, UNREACHABLE = range(4)
EIGHT_BITS = 255


@dataclass(frozen=True)
class Weights:
    most: int = EIGHT_BITS
    backup: bool = False
    """Backups of this box stand beside its primaries, at weight 1."""


@dataclass
class Ports:
    """What this box knows of itself and of the fabric."""

    ncp: str
    indexes: Mapping[str, int]
    up: dict[str, bool]
    weights: Weights = Weights()
    fabric: str = ""
    peers: dict[str, tuple[bytes | None, bytes | None]] = field(default_factory=dict)


def lowered(ports: Ports, group: Group, v6: bool) -> tuple[bool, Hops | None]:
    """(whether the box writes a route at all, its hops: None for unreachable)."""
    kind, members = group
    kinds = [adjacency[3] for adjacency, _, _ in members]
    if kind == IP and kinds and all(each in (DROP, UNREACHABLE) for each in kinds):
        kind = kinds[0]
    if kind == DROP:
        return True, frozenset({(Single(V6 if v6 else 2, b"", 0, 0), 1)})
    if kind == UNREACHABLE:
        return True, None
    if kind == LOCAL and any(adjacency[0] == ports.ncp for adjacency, _, _ in members):
        return False, None
    primaries = [(adjacency, weight) for adjacency, weight, role in members if not role]
    backups = [(adjacency, weight) for adjacency, weight, role in members if role]
    if _mine(ports, primaries):
        # What went over the fabric would come straight back.
        backups = _mine(ports, backups)
    for rank in (primaries, backups):
        hops = _hops(ports, rank, v6)
        beside = rank is primaries and ports.weights.backup
        spare = _hops(ports, _mine(ports, backups), v6).keys() - hops.keys() if beside else set()
        largest = max(hops.values(), default=0)
        if largest > ports.weights.most or spare:
            hops = {hop: max(1, weight * ports.weights.most // largest) for hop, weight in hops.items() if largest}
        if hops:
            return True, proportions(hops | dict.fromkeys(spare, 1))
    return False, None


def proportions(hops: Mapping[Single, int]) -> Hops:
    """Only the ratio of weights counts."""
    divisor = math.gcd(*hops.values())
    return frozenset((hop, weight // divisor) for hop, weight in hops.items())


Members = list[tuple[Adjacency, int]]


def _mine(ports: Ports, members: Members) -> Members:
    return [member for member in members if member[0][0] == ports.ncp]


def _hops(ports: Ports, members: Members, v6: bool) -> dict[Single, int]:
    mine = bool(_mine(ports, members))
    hops: dict[Single, int] = {}
    for adjacency, weight in members:
        hop = _hop(ports, adjacency, mine, v6)
        if hop is not None:
            hops[hop] = hops.get(hop, 0) + max(1, weight)
    return hops


def _hop(ports: Ports, adjacency: Adjacency, mine: bool, v6: bool) -> Single | None:
    owner, port, gateway, kind = adjacency
    if owner == ports.ncp:
        if kind != IP or not ports.up.get(port) or (v6 and len(gateway) == 4):
            return None
        family = {0: V6 if v6 else 2, 4: 2, 16: V6}[len(gateway)]
        return Single(family, gateway, ports.indexes[port], ONLINK if gateway else 0)
    if mine or kind not in (IP, LOCAL) or not ports.up.get(ports.fabric):
        return None
    v4_address, v6_address = ports.peers.get(owner, (None, None))
    index = ports.indexes[ports.fabric]
    if v4_address and not v6:
        return Single(2, v4_address, index, ONLINK)
    return Single(V6, v6_address, index, ONLINK) if v6_address else None


def expected(ports: Ports, routes: Mapping[Prefix, Group]) -> dict[Prefix, Hops | None]:
    out = {}
    for prefix, group in routes.items():
        written, hops = lowered(ports, group, len(prefix[0]) == 16)
        if written:
            out[prefix] = hops
    return out
