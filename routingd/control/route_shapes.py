"""The JSON of commands about routes: show route, show fib, explain.

Types only; a part of `routingd.control.shapes`, which offers them all.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

FamilyName = Literal["ipv4-unicast", "ipv6-unicast"]
ProtocolName = Literal["connected", "static", "bgp"]
AdjacencyKind = Literal["ip", "drop", "local", "unreachable"]
KernelState = Literal["installed", "local", "pending", "failed", "unresolved", "stale", "absent", "unreachable"]
"""Of one route at one NCP. The first six are the agent's words (`AgentFib.route`), local: it is an address of that box,
which its kernel delivers by itself; absent: the agent's model has no such route; unreachable: the agent did not
answer."""

# --- routes ---------------------------------------------------------------------------------------------------------


class Attributes(TypedDict):
    origin: str
    as_path: str
    next_hop: str
    link_local: str | None
    med: int | None
    local_pref: int | None
    atomic_aggregate: bool
    aggregator: str | None
    communities: list[str]
    originator_id: str | None
    cluster_list: list[str]
    extended_communities: list[str]
    large_communities: list[str]
    unknown: list[list[Any]]


class Adjacency(TypedDict):
    id: int
    ncp: str | None
    """None for drop and unreachable, which are everywhere."""
    port: str | None
    gateway: str | None
    kind: AdjacencyKind


class NextHop(TypedDict):
    address: str | None
    ncp: str | None
    port: str | None
    weight: int
    resolved: bool
    via: str | None
    """The prefix it was resolved by."""
    metric: int
    adjacencies: list[Adjacency]


class GroupMember(TypedDict):
    adjacency: int
    ncp: str | None
    port: str | None
    gateway: str | None
    kind: AdjacencyKind
    weight: int
    role: int
    """0 primary, 1 backup."""


class Group(TypedDict):
    id: int
    key: str
    kind: int
    """As `fibd.wire.AdjacencyKind`."""
    members: list[GroupMember]


class Path(TypedDict):
    source: int
    protocol: str
    path_id: int
    distance: int
    metric: int
    tag: int
    best: bool
    usable: bool
    reason: str
    """The step at which it lost (of the best path: at which it won), or why it is not usable."""
    next_hops: list[NextHop]
    attributes: Attributes | None


class Lookup(TypedDict):
    """`Engine.lookup` as it is."""

    prefix: str
    table: int
    step: str
    paths: list[Path]
    group: Group | None


class RouteRow(TypedDict):
    """A row of `Engine.page` or `Engine.query`, and where it came from in words."""

    prefix: str
    protocol: str
    source: int
    source_name: NotRequired[str]
    """Peer address, or the protocol's name."""
    distance: int
    metric: int
    step: str
    next_hops: list[Adjacency]
    """What its next hops resolve to."""
    group: int | None
    attributes: Attributes | None


class SourceInfo(TypedDict):
    source: int
    protocol: str
    name: str
    """Peer address; "static"; "connected"."""
    asn: int | None
    kind: Literal["ebgp", "ibgp"] | None
    ncp: str | None
    router_id: str | None


class RoutesPage(TypedDict):
    """show route (args: family, protocol, limit; each may be absent) and show route PREFIX longer (args: prefix,
    longer true, …)."""

    routes: list[RouteRow]
    truncated: bool
    """The limit was reached and there is more."""


class RouteDetail(TypedDict):
    """show route PREFIX|ADDRESS without longer (args: prefix). An address is looked up by longest match, a prefix
    exactly. No route: the error "not-found"."""

    asked: str
    route: Lookup
    sources: list[SourceInfo]
    """Of every path in it."""


# --- show fib (args: prefix, ncp, family, limit; each may be absent) ------------------------------------------------


class KernelMember(TypedDict):
    port: str
    gateway: str | None
    weight: int
    fabric: NotRequired[str | None]
    """The other NCP this goes to over the fabric."""


class FibRow(TypedDict):
    ncp: str
    prefix: str
    nhg: int | None
    kernel_group: int | None
    state: KernelState
    errno: int
    reason: NotRequired[str]
    members: list[KernelMember]


class FibPage(TypedDict):
    routes: list[FibRow]
    truncated: bool


# --- explain (args: prefix) -----------------------------------------------------------------------------------------


class ExplainPeer(TypedDict):
    """Every configured BGP neighbor, as far as it matters to this prefix's family."""

    address: str
    asn: int
    state: str
    configured: bool
    """It has this family in its configuration."""
    agreed: bool
    accept_import: bool
    received: int
    """Paths of this family heard from it and kept."""


class ExplainNcp(TypedDict):
    ncp: str
    state: KernelState
    kernel_group: int | None
    members: list[KernelMember]
    errno: NotRequired[int]
    reason: NotRequired[str]
    installed_at: NotRequired[float]
    """Seconds ago."""


class Explain(TypedDict):
    asked: str
    family: FamilyName
    match: Literal["exact", "longest", "none"]
    """A prefix is looked up exactly, an address by longest match."""
    route: Lookup | None
    covering: str | None
    """Where there is no route for the prefix asked: the longest one that covers it."""
    sources: list[SourceInfo]
    peers: list[ExplainPeer]
    ncps: list[ExplainNcp]
