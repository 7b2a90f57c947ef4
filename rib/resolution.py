"""Recursive next-hop resolution (RFC 4271 9.1.2.1), in rounds and always from scratch.

Round 0 knows no next hop. Round k looks every next hop up in the table as it would be selected with what round k-1
knew. It ends when a round changes nothing; next hops that are still changing after the last round depend on themselves,
and so are unresolved. Starting from nothing makes the answer depend on the table alone, never on the order in which it
came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from rib.adjacency import DROP, UNREACHABLE, Adjacency, AdjacencyKind, Weighted, blend
from rib.options import Options
from rib.path import Forward, NextHop, Path, Place, Protocol, Tracked
from rib.prefix import Prefix, covering, is_link_local

ROUNDS: Final = 16
Port = tuple[str, str]  # NCP and name


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is known of one next hop. No adjacency: unresolved, and ``reason`` says why. The prefix it was found
    through, that route's protocol and the reason are for people only."""

    adjacencies: tuple[Weighted, ...] = ()
    metric: int = 0
    via: Prefix | None = field(default=None, compare=False)
    protocol: Protocol | None = field(default=None, compare=False)
    reason: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        return bool(self.adjacencies)


NO_ROUTE: Final = Resolution(reason="no route")
OWN_ADDRESS: Final = Resolution(reason="own address")  # RFC 4271 5.1.3
LOOP: Final = Resolution(reason="loop")
NO_PORT: Final = Resolution(reason="link-local next hop without a port")
ONLY_DEFAULT: Final = Resolution(reason="only the default route")


@dataclass(frozen=True, slots=True)
class Resolutions:
    """What is known of all next hops at one moment."""

    tracked: Mapping[Tracked, Resolution] = field(default_factory=lambda: MappingProxyType({}))
    ports_down: Set[Port] = frozenset()

    def of(self, hop: NextHop) -> Resolution:
        """A next hop with a port is its own adjacency while that port is up; any other is what the rounds found."""
        if hop.tracked is not None:
            return self.tracked.get(hop.tracked, NO_ROUTE)
        if (hop.ncp, hop.port) in self.ports_down:
            return Resolution(reason=f"port {hop.port} down")
        return Resolution(((Adjacency(hop.ncp, hop.port, hop.address, AdjacencyKind.IP), 1),))


# The best path of each prefix of each instance that has one under given resolutions.
BestPaths = Callable[[Resolutions], Mapping[Place, Path]]


def usable(path: Path, known: Resolutions) -> bool:
    """RFC 4271 9.1.2: a route whose next hop cannot be resolved is left out. One resolved next hop of several is
    enough."""
    if path.forward is not Forward.VIA:
        return True
    return any(known.of(hop) for hop in path.next_hops)


def igp_metric(path: Path, known: Resolutions) -> int:
    """The interior cost of RFC 4271 9.1.2.2 e: the least over the next hops that resolve."""
    found = [known.of(hop) for hop in path.next_hops]
    return min((resolution.metric for resolution in found if resolution), default=0)


def resolve(
    hops: Iterable[NextHop], best_paths: BestPaths, options: Mapping[int, Options], ports_down: Set[Port]
) -> Resolutions:
    """The resolution of every next hop among ``hops`` that has to be looked up."""
    tracked = sorted({hop.tracked for hop in hops if hop.tracked is not None})
    known = Resolutions(dict.fromkeys(tracked, NO_ROUTE), ports_down)
    changed: set[Tracked] = set()
    for _ in range(ROUNDS):
        best = best_paths(known)
        found = {one: _look_up(one, best, known, options[one[0]]) for one in tracked}
        changed = {one for one in tracked if found[one] != known.tracked[one]}
        known = Resolutions(found, ports_down)
        if not changed:
            break
    settled = {one: LOOP if one in changed else resolution for one, resolution in known.tracked.items()}
    return Resolutions(settled, ports_down)


def _look_up(tracked: Tracked, best: Mapping[Place, Path], known: Resolutions, options: Options) -> Resolution:
    """Longest covering prefix first; one that leads through this very next hop is passed over."""
    instance, address = tracked
    if is_link_local(address):
        return NO_PORT
    for prefix in covering(address):
        path = best.get((instance, prefix))
        if path is None or any(hop.tracked == tracked for hop in path.next_hops):
            continue
        found = _through(path, prefix, address, known)
        if prefix.length == 0 and not options.resolve_via_default:
            return ONLY_DEFAULT if found else NO_ROUTE
        return found
    return NO_ROUTE


def _through(path: Path, prefix: Prefix, address: bytes, known: Resolutions) -> Resolution:
    match path.forward:
        case Forward.CONNECTED if path.local:
            return OWN_ADDRESS
        case Forward.CONNECTED:
            port = path.next_hops[0]
            ends: tuple[Weighted, ...] = ((Adjacency(port.ncp, port.port, address, AdjacencyKind.IP), 1),)
        case Forward.BLACKHOLE:
            ends = ((DROP, 1),)
        case Forward.UNREACHABLE:
            ends = ((UNREACHABLE, 1),)
        case Forward.VIA:
            ends = blend((hop.weight, known.of(hop).adjacencies) for hop in path.next_hops)
    return Resolution(ends, path.metric, prefix, path.protocol)
