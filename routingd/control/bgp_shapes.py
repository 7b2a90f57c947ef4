"""The JSON of the commands about BGP sessions, part of ``routingd.control.shapes``."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from routingd.control.peer_kind import PeerKind

# --- show bgp summary (no arguments) --------------------------------------------------------------------------------


class BgpLimit(TypedDict):
    limit: int
    """Paths that it may have here."""
    warn: int
    """Per cent."""
    action: Literal["warn", "restart", "idle"]
    restart_after: float


class BgpFamily(TypedDict):
    agreed: bool
    """Both OPENs offered it (RFC 4760 8); false while the session is down."""
    received: int
    """Paths in the Adj-RIB-In."""
    advertised: int
    accept_import: bool
    accept_export: bool
    """RFC 8212: false means nothing passes."""
    maximum_prefixes: BgpLimit | None
    end_of_rib_received: bool
    end_of_rib_sent: bool
    stale: int
    """Of the paths in the Adj-RIB-In, those that nobody vouches for at the moment (RFC 4724 4.2, RFC 7313 4)."""


class BgpSummaryRow(TypedDict):
    address: str
    description: str
    listen: str | None
    """The prefix of `bgp: listen` it came by; None: it is configured itself."""
    asn: int | None
    """None: any but ours is configured, and it has not said its own yet."""
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


class BgpListen(TypedDict):
    prefix: str
    group: str
    limit: int
    neighbors: int
    """That are there now."""
    refused: int
    """Connections beyond the limit."""


class BgpSummary(TypedDict):
    router: str
    router_id: str
    asn: int
    routes: dict[str, int]
    """Prefixes in the Loc-RIB, by FamilyName."""
    neighbors: list[BgpSummaryRow]
    listen: list[BgpListen]
    """`bgp: listen`: where neighbors may connect from that are not configured themselves."""


# --- show bgp neighbor (args: address, absent for all) --------------------------------------------------------------


class BgpCapability(TypedDict):
    name: str
    value: str
    sent: bool
    received: bool
    agreed: bool | None
    """Holds on the session; None while there is none, or where there is nothing to agree on (names, versions)."""


class BgpNotification(TypedDict):
    direction: Literal["sent", "received"]
    code: int
    subcode: int
    text: str
    """Decoded: "Cease: Administrative Shutdown (bye)"."""
    ago: float


class BgpSaid(TypedDict):
    """A NOTIFICATION decoded."""

    code: int
    subcode: int
    name: str
    text: str
    """Of its data; "" where that tells nothing."""


class BgpEnd(TypedDict):
    """Why a session ended."""

    reason: str
    state: str
    """How far it had come."""
    ago: float
    lasted: float | None
    """Seconds in Established."""
    sent: BgpSaid | None
    received: BgpSaid | None


class BgpEndpoint(TypedDict):
    ncp: str
    local: str
    remote: str
    inbound: bool


class BgpFault(TypedDict):
    """One kind of malformed UPDATEs, by RFC 7606, with the bytes of one of the latest (6)."""

    attribute: int
    """0: the message itself."""
    name: str
    disposition: str
    """prefix ignored, attribute discard, treat as withdraw, session reset."""
    subcode: int
    """That the NOTIFICATION has, or would have had before RFC 7606."""
    rfc: str
    count: int
    ago: float
    """Of the latest."""
    bytes: str
    """The attribute with its header, at most 256 octets, in hexadecimal; where it is missing, the whole list."""
    message: str
    """The UPDATE, at most 4096 octets, in hexadecimal."""


class BgpRetained(TypedDict):
    """Stale routes of one family that stay for a time."""

    family: str
    waits_for: Literal["restart", "long-lived", "end-of-rib", "refresh"]
    """The neighbor, within its Restart Time or its Long-Lived Stale Time; or, from it, the end of its routes."""
    remaining: float
    """Seconds until they go."""


class BgpReturn(TypedDict):
    """How a session went on after routingd, or the agent's way to it, had been away."""

    adopted: bool
    """It stayed up, and both sides told everything again (RFC 7313); else it came back by a restart."""
    reason: str | None
    """Why it was not adopted."""


class BgpNeighbor(BgpSummaryRow):
    group: str | None
    learned: str | None
    """Address of an unnumbered neighbor, from its router advertisements; None: none heard yet, or not unnumbered."""
    local_asn: int
    kind: PeerKind
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
    tcp_ao: bool
    """Whether it is to be signed by TCP-AO (RFC 5925)."""
    password: bool
    """Whether one is set; the key itself is never told."""
    ttl_security: bool
    multihop: int | None
    role: str | None
    """Ours towards it (RFC 9234)."""
    next_hop_self: bool
    route_reflector_client: bool
    graceful_restart: str
    """off, helper, on."""
    restart_time: int
    """Ours, offered where graceful restart is on."""
    long_lived_stale_time: int
    came_back: BgpReturn | None
    """None: it began with this routingd."""
    retained: list[BgpRetained]
    weight: int
    distance: int | None
    """None: the default of its kind."""
    aigp: bool
    capabilities: list[BgpCapability]
    established_count: int
    last_notification: BgpNotification | None
    last_session: BgpEnd | None
    """The last one that was Established and is not any more."""
    timers: dict[str, float]
    """Seconds until those that run fire: connect, connect-retry, idle-hold, hold, keepalive, send-hold, refresh."""
    offences: int
    """Sessions that its bad messages ended within the last hour; the pause grows with each."""
    connections_refused: dict[str, int]
    """Those that it opened here, by reason. Strangers are counted in `show ncp`."""
    faults: list[BgpFault]
    other_faults: int
    """Of further kinds, whose bytes are not kept."""
    refused: dict[str, int]
    """Well-formed announcements not taken: "own-as", "own-originator", "otc-leak", "cluster-loop"."""
    counters: dict[str, int]
    """Messages by kind and direction: "update_received", "keepalive_sent" …"""


class BgpNeighbors(TypedDict):
    neighbors: list[BgpNeighbor]


# --- bgp start, bgp stop, bgp reset (args: address; message, but for start) -----------------------------------------


class BgpOrdered(TypedDict):
    address: str
    state: str
    """Right behind the order."""


# --- monitor bgp (args: address, absent for all): pages without end -------------------------------------------------


class BgpEvent(TypedDict):
    time: str
    """Local time, ISO 8601."""
    neighbor: str
    event: str
    """state, established, down, notification, refused, malformed, limit, refresh, stale."""
    text: str
    """For people."""
    details: dict[str, Any]
    """For programs; by the kind of event."""


class BgpEvents(TypedDict):
    events: list[BgpEvent]
    lost: int
    """Events before these that were dropped, as the client did not read."""
