"""Where a packet goes in the end, and how several next hops share what is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import gcd
from typing import Final

UNIT: Final = 65536  # what a next hop of weight 1 has to share out among its adjacencies
GREATEST_WEIGHT: Final = 256  # the kernel keeps weight - 1 in a byte (struct nexthop_grp)


class AdjacencyKind(IntEnum):
    IP = 0
    DROP = 1
    LOCAL = 2
    UNREACHABLE = 3


@dataclass(frozen=True, slots=True, order=True)
class Adjacency:
    """A neighbour (``gateway``, b"" on-link) on a port of an NCP, or one of the special ends."""

    ncp: str
    port: str
    gateway: bytes
    kind: AdjacencyKind


DROP: Final = Adjacency("", "", b"", AdjacencyKind.DROP)
UNREACHABLE: Final = Adjacency("", "", b"", AdjacencyKind.UNREACHABLE)
Weighted = tuple[Adjacency, int]


def blend(hops: Iterable[tuple[int, Sequence[Weighted]]]) -> tuple[Weighted, ...]:
    """The adjacencies behind several next hops, given as (weight of the hop, its own adjacencies with their weights).

    Each hop shares its weight out in proportion to the weights of its adjacencies; what several hops send to one
    adjacency adds up. The result keeps the order of first appearance and has the smallest whole numbers that say the
    same, or nearly, where the largest would exceed ``GREATEST_WEIGHT``."""
    shares: dict[Adjacency, int] = {}
    for weight, adjacencies in hops:
        whole = sum(part for _, part in adjacencies)
        for adjacency, part in adjacencies:
            share = max(1, weight * part * UNIT // whole)
            shares[adjacency] = shares.get(adjacency, 0) + share
    divisor = gcd(*shares.values())
    reduced = {adjacency: share // divisor for adjacency, share in shares.items()}
    largest = max(reduced.values(), default=0)
    if largest > GREATEST_WEIGHT:
        reduced = {adjacency: max(1, share * GREATEST_WEIGHT // largest) for adjacency, share in reduced.items()}
    return tuple(reduced.items())
