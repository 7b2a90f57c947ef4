"""The JSON of every command: what the daemon builds and what `routingctl` prints. Types only, nothing runs here.

A command is its words (`show bgp summary`) and a map of arguments; its answer is one of these shapes, or a stream of
pages of one (a page is the same shape with a part of the rows; `Reply.more` says that another follows). Addresses and
prefixes are text, durations are seconds, keys are snake_case. Keys are only ever added: readers ignore what they do
not know.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired, TypedDict

from routingd.control.bgp_shapes import (
    BgpCapability,
    BgpEndpoint,
    BgpEvent,
    BgpEvents,
    BgpFamily,
    BgpFault,
    BgpLimit,
    BgpListen,
    BgpNeighbor,
    BgpNeighbors,
    BgpNotification,
    BgpOrdered,
    BgpSummary,
    BgpSummaryRow,
)
from routingd.control.fib_shapes import (
    ErrnoCount,
    FibAudit,
    FibConsistency,
    FibStanding,
    FibSum,
    NcpBeat,
    NcpLatency,
    NcpSession,
    RouteAtNcps,
)
from routingd.control.rib_shapes import (
    AdvertisedPage,
    AdvertisedRow,
    ExportGroup,
    ExportGroups,
    ExportMember,
    GroupsPage,
    Memory,
    NextHopRow,
    NextHopsPage,
)
from routingd.control.route_shapes import (
    Adjacency,
    AdjacencyKind,
    Attributes,
    Change,
    Changes,
    Explain,
    ExplainNcp,
    ExplainPeer,
    ExplainResolution,
    FamilyName,
    FibPage,
    FibRow,
    Group,
    GroupHop,
    GroupMember,
    KernelMember,
    KernelState,
    Lookup,
    NextHop,
    Path,
    ProtocolName,
    ResolvedHop,
    Role,
    RouteDetail,
    RouteMember,
    RouteRow,
    RoutesPage,
    SourceInfo,
)

__all__ = [
    "COMMANDS",
    "Adjacency",
    "AdjacencyKind",
    "AdvertisedPage",
    "AdvertisedRow",
    "Attributes",
    "BgpCapability",
    "BgpEndpoint",
    "BgpEvent",
    "BgpEvents",
    "BgpFamily",
    "BgpFault",
    "BgpLimit",
    "BgpListen",
    "BgpNeighbor",
    "BgpNeighbors",
    "BgpNotification",
    "BgpOrdered",
    "BgpSummary",
    "BgpSummaryRow",
    "Change",
    "Changes",
    "Condition",
    "ErrnoCount",
    "Explain",
    "ExplainNcp",
    "ExplainPeer",
    "ExplainResolution",
    "ExportGroup",
    "ExportGroups",
    "ExportMember",
    "Failure",
    "FamilyName",
    "FibAudit",
    "FibConsistency",
    "FibFailure",
    "FibPage",
    "FibRow",
    "FibStanding",
    "FibSum",
    "Group",
    "GroupHop",
    "GroupMember",
    "GroupsPage",
    "InterfaceAddress",
    "InterfaceRow",
    "Interfaces",
    "KernelMember",
    "KernelState",
    "Lookup",
    "Memory",
    "NcpBeat",
    "NcpDetail",
    "NcpDetails",
    "NcpLatency",
    "NcpRow",
    "NcpSession",
    "Ncps",
    "NextHop",
    "NextHopRow",
    "NextHopsPage",
    "Path",
    "ProtocolName",
    "Reply",
    "Request",
    "ResolvedHop",
    "Role",
    "RouteAtNcps",
    "RouteDetail",
    "RouteMember",
    "RouteRow",
    "RoutesPage",
    "Shutdown",
    "SourceInfo",
    "Version",
]

# --- requests and replies -------------------------------------------------------------------------------------------


class Request(TypedDict):
    id: int
    command: list[str]
    args: dict[str, Any]


class Failure(TypedDict):
    code: Literal["not-found", "usage", "unknown-command", "not-supported", "busy", "protocol", "internal"]
    message: str
    hint: NotRequired[str]


class Reply(TypedDict):
    id: int
    ok: bool
    result: NotRequired[Any]
    error: NotRequired[Failure]
    more: bool


# --- show ncp (args: name, absent for all) --------------------------------------------------------------------------


class FibFailure(TypedDict):
    prefix: str
    errno: int
    text: str


class Condition(TypedDict):
    """Something that is wrong with a box until it is cleared."""

    code: str
    severity: str
    """info, warning, alarm."""
    text: str
    count: int
    """How often it was seen since it began."""
    since: float
    """Seconds since it began."""


class NcpRow(TypedDict):
    name: str
    embedded: bool
    state: str
    """absent, connecting, restarting, snapshot, forwarding, not-installing, lagging, isolated. Restarting: it forwards
    by what an earlier routingd told it, until neighbors have told this one everything. Not-installing: in place of
    forwarding where kernel install is off."""
    reason: str
    """Why it is not forwarding; "" when it is."""
    hostname: str
    address: str | None
    """Where it dialled from; None for the unix socket."""
    connected: float | None
    """Seconds since its last connection came up."""
    connections: dict[str, bool]
    """control, streams, fib."""
    fabric: str | None
    """PORT ADDRESS."""
    sequence_sent: int
    sequence_received: int
    sequence_installed: int
    routes: int
    """In the agent's model."""
    installed: int
    pending: int
    failed: int
    groups: int
    streams: int
    """BGP connections it carries."""
    strangers: int
    """BGP connections reset there, as no neighbor has their address."""
    too_often: int
    """BGP connections reset there, as their neighbor had just made too many."""
    heartbeat: float | None
    """Seconds since the last one."""
    snapshot_agrees: bool | None
    """The agent's verdict on the last snapshot: count and digest equal."""
    failures: list[FibFailure]
    """The latest, at most 16."""
    conditions: list[Condition]
    """The worst first."""
    lag: float
    """Seconds: age of the oldest transaction that is sent and not installed."""
    caught_up: bool
    """It has installed all that there is."""
    credit_bytes: int
    """Of transactions that may be sent and not installed, in all."""
    outstanding_bytes: int
    outstanding_transactions: int
    agent: dict[str, Any]
    """Its own counters, by the names it gives them; empty where it does not answer."""


class Ncps(TypedDict):
    ncps: list[NcpRow]


# --- show ncp detail (args: name, absent for all) -------------------------------------------------------------------


class KernelFact(TypedDict):
    code: str
    holds: bool | None
    """None: not known."""
    measured: str
    means: str
    """Where it does not hold."""


class NcpDetail(NcpRow):
    sequence_applied: int
    """In the agent's model."""
    fact_sequence: int
    """The last fact of this box that the RIB has used."""
    resumed: str
    """How the latest fib connection took up what the box had: "position", "shards", "snapshot"; "" before the first."""
    resumes: dict[str, int]
    """How often in each way."""
    resent_routes: int
    """At the latest: routes sent until the box was as we are."""
    resent_shards: int
    """At the latest: shards of 1,024 a table that differed."""
    disagreements: int
    """Ends of snapshots at which count or digest differed."""
    latency: NcpLatency
    controller_fib: FibSum
    """What the RIB wants in every FIB."""
    model_fib: FibSum | None
    """What the agent's model holds."""
    audit: FibAudit | None
    errors: list[ErrnoCount]
    beat: NcpBeat | None
    sessions: list[NcpSession]
    kernel_facts: list[KernelFact]
    """What the agent tried out of its kernel at its start; empty where it does not say."""


class NcpDetails(TypedDict):
    ncps: list[NcpDetail]


# --- show interfaces (args: ncp, absent for all) --------------------------------------------------------------------


class InterfaceAddress(TypedDict):
    address: str
    """"a/len"."""
    usable: bool
    configured: bool


class InterfaceRow(TypedDict):
    ncp: str
    name: str
    ifindex: int
    admin_up: bool
    carrier: bool
    mtu: int
    mac: str
    kind: str
    description: str
    fabric: bool
    present: bool
    """False: configured, but the box has no such link."""
    addresses: list[InterfaceAddress]


class Interfaces(TypedDict):
    interfaces: list[InterfaceRow]


# --- show version, shutdown (args: flush) ---------------------------------------------------------------------------


class Version(TypedDict):
    version: str
    router: str
    router_id: str
    asn: int
    pid: int
    uptime: float
    python: str
    config: str


class Shutdown(TypedDict):
    flush: bool
    ncps: list[str]
    """The agents that were told."""


COMMANDS: Final[dict[tuple[str, ...], type]] = {
    ("show", "bgp", "summary"): BgpSummary,
    ("show", "bgp", "neighbor"): BgpNeighbors,
    ("show", "bgp", "advertised"): AdvertisedPage,
    ("bgp", "start"): BgpOrdered,
    ("bgp", "stop"): BgpOrdered,
    ("bgp", "reset"): BgpOrdered,
    ("bgp", "refresh"): BgpOrdered,
    ("show", "route"): RoutesPage,
    ("show", "route", "detail"): RouteDetail,
    ("show", "next-hop"): NextHopsPage,
    ("show", "group"): GroupsPage,
    ("show", "export-group"): ExportGroups,
    ("show", "memory"): Memory,
    ("show", "route", "ncp"): RouteAtNcps,
    ("show", "fib"): FibPage,
    ("show", "fib", "consistency"): FibConsistency,
    ("show", "ncp"): Ncps,
    ("show", "ncp", "detail"): NcpDetails,
    ("show", "interfaces"): Interfaces,
    ("show", "version"): Version,
    ("explain",): Explain,
    ("monitor", "route"): Changes,
    ("monitor", "bgp"): BgpEvents,
    ("shutdown",): Shutdown,
}
"""Words on the wire and the shape of the answer. `show route PREFIX` is sent as `show route detail`, `show route PREFIX
longer` as `show route` with `within`, `show route PREFIX ncp NAME` as `show route ncp`."""
