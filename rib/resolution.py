"""Recursive next-hop resolution (RFC 4271 9.1.2.1), in rounds and always from scratch.

Round 0 knows no next hop. Round k looks every next hop up in the table as it would be selected with what round k-1
knew. It ends when a
round changes nothing; next hops that are still changing after the last round depend on themselves, and so are
unresolved.
Starting from nothing makes the answer depend on the table alone, never on the order in which it came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from rib.path import Forward, NextHop, Path
from rib.prefix import Prefix, covering

ROUNDS: Final = 16


class AdjacencyKind(IntEnum):
    IP = 0
    DROP = 1
    LOCAL = 2
    UNREACHABLE = 3


@dataclass(frozen=True, slots=True, order=True)
class Adjacency:
    """Where a packet goes in the end: a neighbour (``gateway``, b"" on-link) on a port of an NCP, or one of the
    special ends."""

    ncp: str
    port: str
    gateway: bytes
    kind: AdjacencyKind


DROP: Final = Adjacency("", "", b"", AdjacencyKind.DROP)
UNREACHABLE: Final = Adjacency("", "", b"", AdjacencyKind.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is known of one next hop. No adjacency: unresolved. ``via``, the prefix it was found through, is for
    people only."""

    adjacencies: tuple[Adjacency, ...] = ()
    metric: int = 0
    via: Prefix | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.adjacencies)


UNRESOLVED: Final = Resolution()
Resolutions = Mapping[bytes, Resolution]
# The best path of a prefix under given resolutions; None where there is no usable one or no such prefix.
BestPath = Callable[[Prefix, Resolutions], Path | None]


def resolve_next_hop(next_hop: NextHop, known: Resolutions) -> Resolution:
    """A next hop with a port is its own adjacency; any other is what the rounds found for its address."""
    if next_hop.recursive:
        return known.get(next_hop.address, UNRESOLVED)
    return Resolution((Adjacency(next_hop.ncp, next_hop.port, next_hop.address, AdjacencyKind.IP),))


def usable(path: Path, known: Resolutions) -> bool:
    """RFC 4271 9.1.2: a route whose next hop cannot be resolved is left out. One resolved next hop of several is
    enough."""
    if path.forward is not Forward.VIA:
        return True
    return any(resolve_next_hop(next_hop, known) for next_hop in path.next_hops)


def igp_metric(path: Path, known: Resolutions) -> int:
    """The interior cost of RFC 4271 9.1.2.2 e: the least over the next hops that resolve."""
    found = [resolve_next_hop(next_hop, known) for next_hop in path.next_hops]
    return min((resolution.metric for resolution in found if resolution), default=0)


def resolve(addresses: Iterable[bytes], best_path: BestPath) -> dict[bytes, Resolution]:
    """The resolution of every address that some path uses as a recursive next hop."""
    known = dict.fromkeys(sorted(set(addresses)), UNRESOLVED)
    changed: set[bytes] = set()
    for _ in range(ROUNDS):
        found = {address: _look_up(address, known, best_path) for address in known}
        changed = {address for address in known if found[address] != known[address]}
        known = found
        if not changed:
            break
    return {address: UNRESOLVED if address in changed else resolution for address, resolution in known.items()}


def _look_up(address: bytes, known: Resolutions, best_path: BestPath) -> Resolution:
    """Longest covering prefix first; one that leads through this very next hop is passed over."""
    for prefix in covering(address):
        path = best_path(prefix, known)
        if path is None or any(hop.recursive and hop.address == address for hop in path.next_hops):
            continue
        return _through(path, prefix, address, known)
    return UNRESOLVED


def _through(path: Path, prefix: Prefix, address: bytes, known: Resolutions) -> Resolution:
    match path.forward:
        case Forward.CONNECTED if path.local:
            return UNRESOLVED  # one of our own addresses (RFC 4271 5.1.3)
        case Forward.CONNECTED:
            port = path.next_hops[0]
            return Resolution((Adjacency(port.ncp, port.port, address, AdjacencyKind.IP),), path.metric, prefix)
        case Forward.BLACKHOLE:
            return Resolution((DROP,), path.metric, prefix)
        case Forward.UNREACHABLE:
            return Resolution((UNREACHABLE,), path.metric, prefix)
        case Forward.VIA:
            found = [adjacency for hop in path.next_hops for adjacency in resolve_next_hop(hop, known).adjacencies]
            return Resolution(tuple(dict.fromkeys(found)), path.metric, prefix)
