"""The configuration's `bgp` section as models.

Keys are the field names in kebab-case; see `routingd.config.schema`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from routingd.config.model import EMPTY_IS_MAPPING, Model
from routingd.config.values import (
    Accept,
    Address,
    AoAlgorithm,
    AoKeyId,
    AoSecret,
    Asn,
    BgpRole,
    Deferral,
    DelayOpen,
    Distance,
    Family,
    Flag,
    GracefulRestart,
    HoldTime,
    Hops,
    Line,
    LongLivedTime,
    Name,
    NeighborAddress,
    NeighborCount,
    Octets,
    OnLimit,
    OwnAs,
    Password,
    PathLength,
    Paths,
    PathWeight,
    Pause,
    PeerAsn,
    Percent,
    PortName,
    Prefix,
    Prefixes,
    PrivateAs,
    Redistributed,
    RestartTime,
    RouterId,
    SendHoldTime,
    SentPaths,
    TcpPort,
    Uint32,
)


class AddPath(Model):
    """Several paths of one prefix on a session (RFC 7911), in the directions that the neighbor agrees to."""

    send: SentPaths | None = None
    """Tell up to so many of the best usable BGP paths of a prefix, or `all` of them. By default the best one alone."""
    receive: Flag = False
    """Take several."""


class MaximumPrefixes(Model):
    """How many paths a neighbor may have in the RIB, before any policy (RFC 4271 6.7)."""

    limit: Prefixes
    """One more is too many."""
    warn: Percent = 75
    """Per cent of the limit at which it is told in the log and by `monitor bgp`."""
    action: OnLimit = "restart"
    """`warn` only tells it. `restart` and `idle` end the session with a Cease (RFC 4486); `idle` until
    `routingctl bgp start`."""
    restart_after: Pause = 60
    """Seconds after which `restart` lets the session come back."""


class FamilyPolicy(Model):
    """What passes, by RFC 8212: nothing without a word for it."""

    import_: Accept = None
    """`accept` lets routes of the neighbor in; without it none of them is used."""
    export: Accept = None
    """`accept` sends our best routes; without it none is sent."""
    add_path: AddPath = AddPath()
    """Several paths of one prefix."""
    maximum_prefixes: MaximumPrefixes | None = None
    """How many paths it may give; by default any number."""


class AoKey(Model):
    """A TCP-AO key (RFC 5925 3.1)."""

    send_id: AoKeyId
    """Number that our segments carry; the neighbor's `receive-id`."""
    receive_id: AoKeyId
    """Number that the neighbor's segments carry."""
    key: AoSecret = Field(repr=False)
    """The master key, the same at both ends."""
    algorithm: AoAlgorithm = "hmac-sha-1-96"
    """How segments are signed (RFC 5926)."""


class NeighborOptions(Model):
    """What a group and a neighbor may both say; the neighbor's word wins."""

    asn: PeerAsn | None = None
    """The neighbor's AS; our own makes the session internal (iBGP). `external` takes any but our own, `internal` is our
    own. Needed, here or in the group."""
    source: Address | None = None
    """Our end's address. By default the port's address towards the neighbor."""
    port: TcpPort = 179
    """TCP port to connect to, and to listen on for it."""
    hold_time: HoldTime = 90
    """Offered hold time (RFC 4271 4.2); the lower of both sides' counts, a third of it is the keepalive interval."""
    send_hold_time: SendHoldTime | None = None
    """Seconds for which it may take nothing of what we send; then the session is reset (RFC 9687). 0: never. By default
    the greater of 480 and twice the agreed hold time."""
    passive: Flag = False
    """Never connect, wait for the neighbor to do so."""
    delay_open: DelayOpen = 0
    """Seconds for which a new connection waits for the neighbor's OPEN before ours is sent (RFC 4271 8.1.1)."""
    host_name: Flag = True
    """Tell it the router's name (FQDN capability, draft-walton-bgp-hostname-capability)."""
    software_version: Flag | None = None
    """Tell it which routingd this is (draft-abraitis-bgp-version-capability). By default `true` for internal neighbors,
    `false` for external ones."""
    password: Password | None = Field(default=None, repr=False)
    """TCP MD5 key (RFC 2385)."""
    tcp_ao: tuple[AoKey, ...] = Field(default=(), repr=False)
    """TCP-AO keys (RFC 5925) instead of a `password`; the first one signs, the neighbor may use any. The NCP needs
    Linux 6.7 with CONFIG_TCP_AO: without it there is no session."""
    ttl_security: Flag = False
    """GTSM (RFC 5082): send with TTL 255, accept only that. Not with `multihop`."""
    multihop: Hops | None = None
    """TTL of an external session that is not on a connected subnet."""
    role: BgpRole | None = None
    """What we are to it (RFC 9234): `provider`, `customer`, `peer`, `rs-server` or `rs-client`. It must agree; routes
    that would leak are neither taken nor sent."""
    role_strict: Flag = False
    """With `role`: no session with a neighbor that does not tell its own."""
    enforce_first_as: Flag | None = None
    """Take from an external neighbor only routes whose AS_PATH begins with its AS (RFC 4271 6.3). By default `true`,
    with `role: rs-client` `false`: a route server leaves itself out (RFC 7947 2.2.2.1)."""
    allow_own_as: OwnAs = 0
    """How often our own AS may be in the AS_PATH of its routes: not at all by RFC 4271 9.1.2. More is for sites of one
    AS on both sides of a provider."""
    maximum_as_path: PathLength | None = None
    """Longest AS_PATH of its routes, a set counting one. By default any."""
    maximum_attributes: Octets | None = None
    """Octets that the attributes of a route may take together. By default what fits into a message."""
    next_hop_self: Flag = False
    """Send routes to an internal neighbor with our own address as next hop; not those that another internal neighbor
    gave (RFC 4456 10). To an external neighbor also those whose next hop is on a subnet that it shares with us, which
    else it is told itself (RFC 4271 5.1.3)."""
    next_hop_unchanged: Flag = False
    """Send routes to an external neighbor with the next hop that they have, as route servers do (RFC 7947 2.2.1)."""
    private_as: PrivateAs | None = None
    """What becomes of private AS numbers (RFC 6996) in paths for an external neighbor: `remove`, or `replace` by ours.
    The neighbor's own stays."""
    as_override: Flag = False
    """In paths for an external neighbor our AS stands in the place of its own, which it would take for a loop: for
    sites of one AS."""
    route_reflector_client: Flag = False
    """Reflect (RFC 4456): what this internal neighbor tells goes to all internal neighbors, and what they tell goes to
    it."""
    graceful_restart: GracefulRestart = "on"
    """`on`: its routes stay while it restarts, and it is asked to keep ours while we do (RFC 4724, RFC 8538). `helper`:
    only the first. `off`: neither."""
    restart_time: RestartTime = 120
    """Seconds in which we promise to be back after a restart of ours; it says for itself how long its restarts take."""
    long_lived_stale_time: LongLivedTime = 0
    """Seconds for which routes may stay as a last resort after the restart time (RFC 9494): ours there, and its own
    here at most. 0: not agreed with it."""
    weight: PathWeight = 0
    """Preference of all its paths on this router, before everything that BGP carries: the highest wins. Never sent."""
    distance: Distance | None = None
    """Administrative distance of its routes; by default `bgp.distance`."""
    aigp: Flag | None = None
    """Take the AIGP attribute from it and send it there (RFC 7311). By default `true` for internal neighbors, `false`
    for external ones (3.1)."""
    extended_next_hop: Flag | None = None
    """Agree with it that IPv4 routes may have IPv6 next hops (RFC 8950); on an IPv6 session ours then have. By default
    `true` where the session is IPv6 and carries ipv4-unicast."""
    description: Line = ""
    """For people."""
    ncp: Name | None = None
    """The NCP that opens the socket; by default the one that has `source`, or a port in the neighbor's subnet."""
    families: Annotated[dict[Family, FamilyPolicy], EMPTY_IS_MAPPING] = Field(default={})
    """Address families to offer. With none: the family of the neighbor's address, with nothing let through."""


class Group(NeighborOptions):
    """Options for the neighbors that name it."""


class Neighbor(NeighborOptions):
    """A BGP neighbor."""

    group: Name | None = None
    """Group whose options hold where the neighbor says nothing."""


class ListenRange(Model):
    """Neighbors that come up by connecting to us from a prefix."""

    group: Name
    """Group whose options they have."""
    limit: NeighborCount = 100
    """Most neighbors there may be at a time; a connection beyond is counted and refused, or takes the place of the
    oldest one that has not come up."""


class Restarts(Model):
    """Graceful restart (RFC 4724), of all sessions."""

    deferral: Deferral = 360
    """Seconds for which End-of-RIB, or the end of a refresh, is waited for at most: then the old routes of a neighbor
    that has restarted go, and after a restart of ours boxes and neighbors are told what there is."""


class BestPath(Model):
    """How the best of several BGP paths is chosen: departures from RFC 4271 9.1.2.2. The steps are in rib.md."""

    always_compare_med: Flag = False
    """Compare MULTI_EXIT_DISC between all paths, not only between those of one neighbouring AS."""
    missing_med_as_worst: Flag = False
    """A path without MULTI_EXIT_DISC counts as the worst, 4294967295; else as the best, 0 (RFC 4271 9.1.2.2 c)."""
    ignore_as_path_length: Flag = False
    """Leave out the comparison of AS_PATH lengths."""
    compare_router_id: Flag = True
    """Compare router ids between external paths; without it they go on to the next step (RFC 5004)."""
    prefer_oldest: Flag = False
    """Between external paths keep the one that has been there longest (RFC 5004): fewer changes, but the choice then
    depends on what happened."""
    default_local_preference: Uint32 = 100
    """LOCAL_PREF of paths that came without one."""


class Multipath(Model):
    """How many equally good BGP paths share the traffic: those that are still equal when their next hops' metrics have
    been compared. With 1 there is one."""

    ebgp: Paths = 1
    """Most paths where the best is external."""
    ibgp: Paths = 1
    """Most paths where the best is internal."""
    relax_as_path: Flag = False
    """Paths may have different AS_PATHs of one length; else they must be the same."""
    weighted: Flag = True
    """Share by the link bandwidth communities where every path has one; else equally."""


class Distances(Model):
    """Administrative distances of BGP routes: between protocols the lowest wins (connected 0, static 1)."""

    external: Distance = 20
    """Routes from neighbors of other ASes."""
    internal: Distance = 200
    """Routes from neighbors of our own AS."""


class Confederation(Model):
    """Several ASes that are one to those outside (RFC 5065). `router.asn` is then our Member-AS."""

    id: Asn
    """The AS number that neighbors outside know, and that we are to them."""
    members: tuple[Asn, ...] = ()
    """The other Member-ASes. Neighbors there are told LOCAL_PREF, MED and next hops as internal ones are, and their
    routes count as internal."""


class Bgp(Model):
    """BGP-4 (RFC 4271)."""

    networks: tuple[Prefix, ...] = ()
    """Prefixes to originate while the RIB holds a connected or static route for them."""
    redistribute: tuple[Redistributed, ...] = ()
    """Originate the best routes of these protocols too, with ORIGIN incomplete; never single addresses of our own."""
    cluster_id: RouterId | None = None
    """Of this route reflector and others with the same clients (RFC 4456 7); by default `router-id`. A route that came
    through it already is not taken."""
    graceful_restart: Restarts = Restarts()
    """Graceful restart of neighbors and of our own."""
    confederation: Confederation | None = None
    """The confederation that this router is in."""
    best_path: BestPath = BestPath()
    """How the best path is chosen."""
    multipath: Multipath = Multipath()
    """How many paths share the traffic."""
    backup_paths: Flag = True
    """Keep the best path with another next hop ready in the FIB beside the best one: when the best one's peer or link
    is lost, next-hop groups move first, whatever the number of routes."""
    distance: Distances = Distances()
    """Administrative distances."""
    groups: Annotated[dict[Name, Group], EMPTY_IS_MAPPING] = Field(default={})
    """Named sets of neighbor options."""
    neighbors: Annotated[dict[NeighborAddress, Neighbor], EMPTY_IS_MAPPING] = Field(default={})
    """Neighbors by address. A link-local one has its port behind it: `fe80::1%eth0`, with several NCPs
    `fe80::1%NCP/eth0`."""
    interfaces: Annotated[dict[PortName, Neighbor], EMPTY_IS_MAPPING] = Field(default={})
    """Unnumbered neighbors, by the port they are on: the NCP sends router advertisements there (RFC 4861) and learns
    the neighbor's link-local address from its own. IPv4 routes have IPv6 next hops (RFC 8950)."""
    listen: Annotated[dict[Prefix, ListenRange], EMPTY_IS_MAPPING] = Field(default={})
    """Dynamic neighbors by prefix: who connects from there, is not in `neighbors` and has the longest such prefix is a
    neighbor until its session ends. We never connect to them."""
