"""The JSON of commands about routes: show route, monitor route, show fib, explain.

Types only; a part of `routingd.control.shapes`, which offers them all.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from routingd.control.peer_kind import PeerKind

FamilyName = Literal["ipv4-unicast", "ipv6-unicast"]
ProtocolName = Literal["connected", "static", "bgp"]
AdjacencyKind = Literal["ip", "drop", "local", "unreachable"]
Role = Literal["best", "multipath", "backup", ""]
"""Of a path in its prefix: what the selection made of it."""
KernelState = Literal[
    "installed", "local", "pending", "failed", "unresolved", "stale", "absent", "not-installed", "unreachable"
]
"""Of one route at one NCP. The first six are the agent's words (`AgentFib.route`), local: it is an address of that box,
which its kernel delivers by itself; absent: the agent's model has no such route; not-installed: nor shall it, as kernel
install is off; unreachable: the agent did not answer."""

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
    aigp: int | None
    otc: int | None
    """Only to Customer (RFC 9234)."""
    """Accumulated IGP metric (RFC 7311)."""
    unknown: list[list[Any]]


class Adjacency(TypedDict):
    id: int
    ncp: str | None
    """None for drop and unreachable, which are everywhere."""
    port: str | None
    gateway: str | None
    kind: AdjacencyKind
    weight: NotRequired[int]
    """Share of it where there are several."""


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


class GroupHop(TypedDict):
    """A next hop as the paths give it; members are what the hops resolve to."""

    address: str | None
    instance: int
    ncp: str | None
    port: str | None
    weight: int
    role: int
    givers: list[str]
    """Peers that gave it, where the group has several hops: it stops counting when all of them are lost."""


class Group(TypedDict):
    id: int
    key: str
    kind: int
    """As `fibd.wire.AdjacencyKind`."""
    members: list[GroupMember]
    hops: list[GroupHop]
    routes: NotRequired[int]
    """That use it."""


class Path(TypedDict):
    source: int
    protocol: str
    path_id: int
    distance: int
    metric: int
    tag: int
    age: int
    """Seconds since it was first heard or its content last changed."""
    weight: int
    """Of its source: the highest wins before everything else."""
    best: bool
    role: Role
    leaked: bool
    """From another network instance."""
    stale: bool
    """Told in a session that was lost, and not yet again (RFC 4724 4.2)."""
    usable: bool
    reason: str
    """The step at which it lost (of the best path: at which it won), or why it is not usable."""
    next_hops: list[NextHop]
    attributes: Attributes | None


class Lookup(TypedDict):
    """`Engine.lookup`, with ages instead of times."""

    prefix: str
    instance: int
    table: int
    step: str
    waits: bool
    """A neighbor that would send us packets for it is not told of it until the boxes have it."""
    paths: list[Path]
    group: Group | None


class RouteMember(Adjacency):
    """A member of a route's group."""

    role: int
    """0 primary, 1 backup."""


class RouteRow(TypedDict):
    """A path: a row of `Engine.query`, with its age, and where it came from in words."""

    prefix: str
    instance: int
    protocol: str
    source: int
    source_name: str
    """Peer address, or the protocol's name."""
    path_id: int
    distance: int
    metric: int
    tag: int
    age: int
    """Seconds since it was first heard or its content last changed."""
    best: bool
    role: Role
    leaked: bool
    stale: bool
    step: str
    """Of the best path: the step that decided; of another: the step at which it lost, or why it cannot be used."""
    next_hops: list[RouteMember]
    """Members of the prefix's group; none where the path is not the best."""
    group: int | None
    attributes: Attributes | None


class SourceInfo(TypedDict):
    source: int
    protocol: str
    name: str
    """Peer address; "static"; "connected"."""
    asn: int | None
    kind: PeerKind | None
    ncp: str | None
    router_id: str | None


class RoutesPage(TypedDict):
    """show route, in the order of the prefixes. args, each may be absent: family, limit; all (every path, not only the
    best); what must hold for the path: protocol, neighbor (an address), community (several, with commas), as,
    origin_as, neighbor_as, within (a prefix). covering (a prefix or address: the routes that cover it, longest first)
    goes with none of them."""

    routes: list[RouteRow]
    truncated: bool
    """The limit was reached and there is more."""


class Change(TypedDict):
    """The new best route of a prefix: all keys of RouteRow; or, with op "delete", prefix alone."""

    op: Literal["put", "delete"]
    prefix: str


class Changes(TypedDict):
    """monitor route (args: family, protocol, within, each may be absent; initial: begin with the routes there are).
    Pages without end."""

    time: str
    """When it was read: local time, ISO 8601."""
    changes: list[dict[str, Any]]
    """`Change`s."""


class RouteDetail(TypedDict):
    """show route PREFIX|ADDRESS (args: prefix). An address is looked up by longest match, a prefix
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
    asn: int | None
    """None: any but ours may be it, and it is not up."""
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
    awaited: bool
    """Neighbors wait for it to have the route (`route.waits`), and it has not said so yet."""
    errno: NotRequired[int]
    reason: NotRequired[str]
    installed_at: NotRequired[float]
    """Seconds ago."""


class ResolvedHop(NextHop):
    """A next hop and what it rests on."""

    protocol: str | None
    """Of the route `via` that resolves it."""
    reason: str
    """Why it does not resolve."""
    next_hops: list[ResolvedHop]
    """Of the route `via`, unless that is connected."""


class ExplainResolution(TypedDict):
    source: int
    path_id: int
    role: Role
    next_hops: list[ResolvedHop]


class Explain(TypedDict):
    asked: str
    family: FamilyName
    match: Literal["exact", "longest", "none"]
    """A prefix is looked up exactly, an address by longest match."""
    route: Lookup | None
    resolution: list[ExplainResolution]
    """Of the best path, its multipaths and its backup; where no path is usable, of every path."""
    covering: str | None
    """Where there is no route for the prefix asked: the longest one that covers it."""
    sources: list[SourceInfo]
    peers: list[ExplainPeer]
    ncps: list[ExplainNcp]
