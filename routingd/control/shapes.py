"""The JSON of every command: what the daemon builds and what `routingctl` prints. Types only, nothing runs here.

A command is its words (`show bgp summary`) and a map of arguments; its answer is one of these shapes, or a stream of
pages of one (a page is the same shape with a part of the rows; `Reply.more` says that another follows). Addresses and
prefixes are text, durations are seconds, keys are snake_case. Keys are only ever added: readers ignore what they do
not know.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired, TypedDict

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
    "BgpFamily",
    "BgpFault",
    "BgpNeighbor",
    "BgpNeighbors",
    "BgpNotification",
    "BgpSummary",
    "BgpSummaryRow",
    "Change",
    "Changes",
    "Explain",
    "ExplainNcp",
    "ExplainPeer",
    "ExplainResolution",
    "ExportGroup",
    "ExportGroups",
    "ExportMember",
    "Failure",
    "FamilyName",
    "FibFailure",
    "FibPage",
    "FibRow",
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
    "NcpRow",
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


# --- show bgp summary (no arguments) --------------------------------------------------------------------------------


class BgpFamily(TypedDict):
    agreed: bool
    """Both OPENs offered it (RFC 4760 8); false while the session is down."""
    received: int
    """Paths in the Adj-RIB-In."""
    advertised: int
    accept_import: bool
    accept_export: bool
    """RFC 8212: false means nothing passes."""
    end_of_rib_received: bool
    end_of_rib_sent: bool


class BgpSummaryRow(TypedDict):
    address: str
    description: str
    asn: int
    ncp: str | None
    """The box whose socket carries it."""
    state: str
    """RFC 4271 8.2.2: Idle, Connect, Active, OpenSent, OpenConfirm, Established."""
    uptime: float | None
    """In Established."""
    last_down: str | None
    messages_received: int
    messages_sent: int
    families: dict[str, BgpFamily]
    """By FamilyName."""


class BgpSummary(TypedDict):
    router: str
    router_id: str
    asn: int
    routes: dict[str, int]
    """Prefixes in the Loc-RIB, by FamilyName."""
    neighbors: list[BgpSummaryRow]


# --- show bgp neighbor (args: address, absent for all) --------------------------------------------------------------


class BgpCapability(TypedDict):
    name: str
    value: str
    sent: bool
    received: bool


class BgpNotification(TypedDict):
    direction: Literal["sent", "received"]
    code: int
    subcode: int
    text: str
    """Decoded: "Cease: Administrative Shutdown (bye)"."""
    ago: float


class BgpEndpoint(TypedDict):
    ncp: str
    local: str
    remote: str
    inbound: bool


class BgpFault(TypedDict):
    """Malformed attributes seen in UPDATEs, by RFC 7606."""

    attribute: int
    disposition: str
    rfc: str
    count: int


class BgpNeighbor(BgpSummaryRow):
    group: str | None
    local_asn: int
    kind: Literal["ebgp", "ibgp"]
    router_id: str | None
    hold_time: int | None
    """Agreed (RFC 4271 4.2); None while down."""
    configured_hold_time: int
    keepalive_interval: float | None
    send_hold_time: int | None
    """Seconds for which it may take nothing (RFC 9687), 0: any; None while down."""
    endpoint: BgpEndpoint | None
    port: int
    passive: bool
    password: bool
    """Whether one is set; the key itself is never told."""
    ttl_security: bool
    multihop: int | None
    role: str | None
    """Ours towards it (RFC 9234)."""
    next_hop_self: bool
    weight: int
    distance: int | None
    """None: the default of its kind."""
    aigp: bool
    capabilities: list[BgpCapability]
    established_count: int
    last_notification: BgpNotification | None
    faults: list[BgpFault]
    refused: dict[str, int]
    """Well-formed announcements not taken: "own-as", "own-originator", "otc-leak"."""
    counters: dict[str, int]
    """Messages by kind and direction: "update_received", "keepalive_sent" …"""


class BgpNeighbors(TypedDict):
    neighbors: list[BgpNeighbor]


# --- show ncp (args: name, absent for all) --------------------------------------------------------------------------


class FibFailure(TypedDict):
    prefix: str
    errno: int
    text: str


class NcpRow(TypedDict):
    name: str
    embedded: bool
    state: str
    """absent, connecting, snapshot, forwarding, stalled."""
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


class Ncps(TypedDict):
    ncps: list[NcpRow]


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
    ("show", "route"): RoutesPage,
    ("show", "route", "detail"): RouteDetail,
    ("show", "next-hop"): NextHopsPage,
    ("show", "group"): GroupsPage,
    ("show", "export-group"): ExportGroups,
    ("show", "memory"): Memory,
    ("show", "fib"): FibPage,
    ("show", "ncp"): Ncps,
    ("show", "interfaces"): Interfaces,
    ("show", "version"): Version,
    ("explain",): Explain,
    ("monitor", "route"): Changes,
    ("shutdown",): Shutdown,
}
"""Words on the wire and the shape of the answer. `show route PREFIX` is sent as `show route detail`, `show route PREFIX
longer` as `show route` with `within`."""
