"""Why a prefix is routed as it is: every path with the step at which it lost, how its next hops resolve, the group.

Values only, made from ``Engine.lookup``; the text is what ``print`` shows of them.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rib.literals import IPAddress, IPNetwork
from rib.prefix import Prefix
from rib.routes import (
    Adjacency,
    Attributes,
    Group,
    Row,
    Source,
    SourceOf,
    address_or_none,
    network,
    next_hops_text,
    place_text,
)

LookUp = Callable[[Prefix, int], Row | None]
"""The row of a prefix in an instance, as ``Engine.lookup`` gives it."""

LOST: Final = {
    "distance": "its distance is higher",
    "protocol": "the distances are equal and its protocol goes after the best one's",
    "metric": "its metric is higher",
    "stale": "it is long-lived stale (RFC 9494 4.3)",
    "weight": "the weight of its source is lower",
    "local-pref": "its LOCAL_PREF is lower (RFC 4271 9.1.1)",
    "aigp": "its AIGP metric is absent or higher (RFC 7311 4.1)",
    "as-path-length": "its AS_PATH is longer (RFC 4271 9.1.2.2 a)",
    "origin": "its ORIGIN is higher (RFC 4271 9.1.2.2 b)",
    "med": "its MULTI_EXIT_DISC is higher (RFC 4271 9.1.2.2 c)",
    "ebgp-over-ibgp": "it is from iBGP, another from eBGP (RFC 4271 9.1.2.2 d)",
    "igp-metric": "its next hop is farther (RFC 4271 9.1.2.2 e)",
    "oldest": "it is younger",
    "router-id": "its router's BGP identifier is higher (RFC 4271 9.1.2.2 f)",
    "cluster-list-length": "its CLUSTER_LIST is longer (RFC 4456 9)",
    "peer-address": "its peer's address is higher (RFC 4271 9.1.2.2 g)",
    "path-id": "its path identifier is higher",
    "source": "its source was added later",
}
"""What a path that lost at a step (``rib.step.Step.label``) had against it."""
DEEPEST: Final = 16


@dataclass(frozen=True, slots=True)
class NextHop:
    """A next hop of a path and what it resolves to. ``via`` is the route it was found through, ``through`` that
    route's own next hops: the tree of a recursive resolution."""

    address: IPAddress | None
    port: str | None
    ncp: str | None
    weight: int
    resolved: bool
    via: IPNetwork | None
    protocol: str | None  # of the route ``via``
    metric: int
    adjacencies: tuple[Adjacency, ...]
    through: tuple[NextHop, ...] = ()

    def __str__(self) -> str:
        return place_text(str(self.address or ""), self.ncp, self.port)


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """One path of the prefix with its standing. ``reason``: the deciding step for the best, the step at which it lost
    for another, or why the path is not usable."""

    source: Source
    protocol: str
    path_id: int
    distance: int
    metric: int
    tag: int
    since: int
    weight: int
    best: bool
    role: str
    usable: bool
    leaked: bool
    stale: bool
    reason: str
    next_hops: tuple[NextHop, ...]
    attributes: Attributes | None

    def __repr__(self) -> str:
        return f"<Candidate from {self.source}, {self.standing}>"

    @property
    def standing(self) -> str:
        """How it fared, in words."""
        if not self.usable:
            return f"not usable: {self.reason}"
        if self.best:
            return "best: the only usable path" if self.reason == "only" else f"best, decided at {self.reason}"
        role = f"{self.role}; " if self.role else ""
        return f"{role}lost at {self.reason}: {LOST[self.reason]}"

    def story(self) -> Iterator[str]:
        about = [self.protocol]
        if self.source.ebgp is not None:
            about = ["eBGP" if self.source.ebgp else "iBGP", f"AS {self.source.asn}"]
        about = [word for word in about if word != self.source.name]
        about += [f"path id {self.path_id}"] if self.source.add_path else []
        about += [f"distance {self.distance}", f"metric {self.metric}"]
        about += [f"weight {self.weight}"] if self.weight else []
        about += [f"tag {self.tag}"] if self.tag else []
        about += [f"leaked from instance {self.source.instance}"] if self.leaked else []
        about += ["stale"] if self.stale else []
        yield f"{'*' if self.best else ' ' if self.usable else '!'} from {self.source} ({', '.join(about)})"
        if self.attributes is not None:
            yield f"    {self.attributes.summary()}"
        yield f"    {self.standing}"


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """The story of one prefix. ``prefix`` is ``None`` where nothing covers what was asked; it differs from ``asked``
    where that is the longest match. Candidates come best first."""

    asked: IPNetwork
    prefix: IPNetwork | None
    instance: int
    step: str
    candidates: tuple[Candidate, ...]
    group: Group | None

    @property
    def best(self) -> Candidate | None:
        return next((candidate for candidate in self.candidates if candidate.best), None)

    def __str__(self) -> str:
        return "\n".join(self._story())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _story(self) -> Iterator[str]:
        if self.prefix is None:
            yield f"{self.asked}: no route, and none that covers it"
            return
        yield f"{self.prefix}" if self.prefix == self.asked else f"{self.prefix}, the longest match for {self.asked}"
        for candidate in self.candidates:
            yield from candidate.story()
        if self.best is None:
            yield "No path is usable, so the prefix is not forwarded."
            return
        yield "Next hops:"
        for hop in dict.fromkeys(hop for path in self.candidates if path.role for hop in path.next_hops):
            yield from _tree(hop, "  ")
        if self.group is not None:
            yield f"Group {self.group.id}, used by {self.group.routes:,} route{'s'[: self.group.routes != 1]}:"
            for member in self.group.members:
                yield f"  {member}, weight {member.weight}{', backup' if member.backup else ''}"


def _tree(hop: NextHop, indent: str) -> Iterator[str]:
    ways = next_hops_text(hop.adjacencies)
    if hop.address is None or (hop.resolved and hop.via is None):
        yield indent + (ways or str(hop))
    elif not hop.resolved:
        yield f"{indent}{hop}: does not resolve"
    else:
        yield f"{indent}{hop} by {hop.via} ({hop.protocol}, metric {hop.metric}) → {ways}"
        for below in hop.through:
            yield from _tree(below, indent + "  ")


def explain(look_up: LookUp, asked: Prefix, found: Prefix | None, instance: int, source_of: SourceOf) -> Explanation:
    """``found`` is the prefix to explain: ``asked`` itself, what covers it, or nothing."""
    row = look_up(found, instance) if found is not None else None
    if row is None:
        return Explanation(network(str(asked)), None, instance, "none", (), None)
    candidates = [_candidate(path, look_up, source_of) for path in row["paths"]]
    candidates.sort(key=lambda candidate: (not candidate.best, not candidate.usable, not candidate.role))
    group = Group.from_row(row["group"]) if row["group"] is not None else None
    return Explanation(
        network(str(asked)), network(row["prefix"]), row["instance"], row["step"], tuple(candidates), group
    )


def _candidate(path: Row, look_up: LookUp, source_of: SourceOf) -> Candidate:
    source = source_of(path["source"], path["protocol"])
    attributes = Attributes.from_row(path["attributes"]) if path["attributes"] is not None else None
    return Candidate(
        source,
        path["protocol"],
        path["path_id"],
        path["distance"],
        path["metric"],
        path["tag"],
        path["since"],
        path["weight"],
        path["best"],
        path["role"],
        path["usable"],
        path["leaked"],
        path["stale"],
        path["reason"],
        # A next hop resolves where its source is, also where its path was leaked.
        _next_hops(path, look_up, source.instance, DEEPEST),
        attributes,
    )


def _next_hops(path: Row, look_up: LookUp, instance: int, depth: int) -> tuple[NextHop, ...]:
    return tuple(_next_hop(hop, look_up, instance, depth) for hop in path["next_hops"])


def _next_hop(hop: Row, look_up: LookUp, instance: int, depth: int) -> NextHop:
    via = look_up(Prefix.parse(hop["via"]), instance) if hop["via"] and depth else None
    taken = [path for path in via["paths"] if path["role"] in ("best", "multipath")] if via is not None else []
    taken.sort(key=lambda path: not path["best"])
    # A connected route has no next hops of its own to look at.
    deeper = [path for path in taken if path["protocol"] != "connected"]
    return NextHop(
        address_or_none(hop["address"]),
        hop["port"],
        hop["ncp"],
        hop["weight"],
        hop["resolved"],
        network(hop["via"]) if hop["via"] else None,
        taken[0]["protocol"] if taken else None,
        hop["metric"],
        tuple(Adjacency.from_row(adjacency) for adjacency in hop["adjacencies"]),
        tuple(below for path in deeper for below in _next_hops(path, look_up, instance, depth - 1)),
    )
