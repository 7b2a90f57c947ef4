"""The configuration as models: its only definition. The file, its messages, the JSON Schema and docs/configuration.md
follow from it.

Keys are the field names in kebab-case. These are the words of the file; what the daemon works with is
`routingd.config.effective`. References between parts (a port of an NCP that is not there) are `routingd.config.check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from routingd.config.values import (
    Accept,
    Address,
    Asn,
    DeviceName,
    Distance,
    Family,
    FileName,
    Flag,
    HoldTime,
    Hops,
    InterfaceAddress,
    KernelMetric,
    KernelProtocol,
    KernelTable,
    Line,
    ListenAddress,
    LogFormat,
    LogLevel,
    Name,
    Password,
    PortName,
    Prefix,
    RouterId,
    SocketName,
    TcpPort,
    Uint32,
    Weight,
)

NOT_YET: Final[dict[tuple[str, ...], frozenset[str]]] = {
    (): frozenset({"ospf", "isis", "policy"}),
    ("management",): frozenset({"metrics"}),
}
"""Keys of the design that this version does not have: refused by name, so that nobody believes they are in force."""


def _empty_is_mapping(value: object) -> object:
    """`bgp:` with nothing after it is an empty section."""
    return {} if value is None else value


EMPTY_IS_MAPPING: Final = BeforeValidator(_empty_is_mapping)


def _one_or_many(value: object) -> object:
    return value if isinstance(value, (list, tuple)) else [value]


def _next_hops(value: object) -> object:
    """`next-hop: A`, `next-hop: [A, B]` and `next-hop: [{address: A, weight: 2}]` are one form inside."""
    if value is None:
        return ()
    return [item if isinstance(item, (dict, StaticNextHop)) else {"address": item} for item in _items(value)]


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.rstrip("_").replace("_", "-"),
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return _empty_is_mapping(value)


class Router(Model):
    """Who this router is."""

    name: Name
    """Name of the router, in logs and tables."""
    router_id: RouterId
    """Identifier in every protocol (RFC 6286); by custom the loopback's IPv4 address."""
    asn: Asn
    """The router's own AS number."""


class Ncp(Model):
    """A forwarding box. Exactly one of the two keys."""

    embedded: Flag = False
    """Its agent runs on routingd's host and is started by routingd; at most one NCP."""
    certificate: Name | None = None
    """Its agent dials in over mutual TLS and shows a certificate with this name."""


class Listen(Model):
    """Where agents of other hosts dial in (mutual TLS 1.3). Needed once an NCP has a `certificate`."""

    address: ListenAddress
    """Address and port to listen on."""
    certificate: FileName
    """routingd's own certificate chain, PEM."""
    key: FileName
    """The certificate's private key, PEM."""
    ca: FileName
    """The authority that signs agents' certificates, PEM."""


class FabricPort(Model):
    """How one NCP reaches the others."""

    port: DeviceName
    """The NCP's interface on the fabric."""
    address: Annotated[tuple[Address, ...], BeforeValidator(_one_or_many)]
    """Its address there; a list of an IPv4 and an IPv6 address where IPv6 routes cross the fabric."""


class Interface(Model):
    """A port, or `lo`, the router's loopback."""

    addresses: tuple[InterfaceAddress, ...] = ()
    """Addresses with their lengths."""
    description: Line = ""
    """For people."""
    home: Name | None = None
    """Only for `lo`: the NCP that holds the loopback's addresses and sockets; by default the first NCP."""


class StaticNextHop(Model):
    """A next hop in a list."""

    address: Address
    """Where to send; of either family for an IPv4 prefix (RFC 8950), IPv6 for an IPv6 prefix."""
    port: PortName | None = None
    """The port it is on; without one the next hop is looked up in the RIB."""
    weight: Weight = 1
    """Share of the traffic, relative to the other next hops."""


class StaticRoute(Model):
    """A static route: exactly one of `next-hop`, `blackhole`, `unreachable`."""

    next_hop: Annotated[tuple[StaticNextHop, ...], BeforeValidator(_next_hops)] = ()
    """An address, a list of addresses, or a list of mappings of `address`, `port`, `weight`."""
    port: PortName | None = None
    """The port of all next hops that name none."""
    blackhole: Flag = False
    """Drop silently."""
    unreachable: Flag = False
    """Drop and answer with ICMP unreachable."""
    distance: Distance = 1
    """Administrative distance: the lowest wins between protocols (connected 0, eBGP 20, iBGP 200)."""
    metric: Uint32 = 0
    """The lowest wins between static routes of one distance."""
    tag: Uint32 = 0
    """A number that stays with the route."""


class FamilyPolicy(Model):
    """What passes, by RFC 8212: nothing without a word for it."""

    import_: Accept = None
    """`accept` lets routes of the neighbor in; without it none of them is used."""
    export: Accept = None
    """`accept` sends our best routes; without it none is sent."""


class NeighborOptions(Model):
    """What a group and a neighbor may both say; the neighbor's word wins."""

    asn: Asn | None = None
    """The neighbor's AS; our own makes the session internal (iBGP). Needed, here or in the group."""
    source: Address | None = None
    """Our end's address. By default the port's address towards the neighbor."""
    port: TcpPort = 179
    """TCP port to connect to, and to listen on for it."""
    hold_time: HoldTime = 90
    """Offered hold time (RFC 4271 4.2); the lower of both sides' counts, a third of it is the keepalive interval."""
    passive: Flag = False
    """Never connect, wait for the neighbor to do so."""
    password: Password | None = Field(default=None, repr=False)
    """TCP MD5 key (RFC 2385)."""
    ttl_security: Flag = False
    """GTSM (RFC 5082): send with TTL 255, accept only that. Not with `multihop`."""
    multihop: Hops | None = None
    """TTL of an external session that is not on a connected subnet."""
    next_hop_self: Flag = False
    """Send routes to an internal neighbor with our own address as next hop."""
    description: Line = ""
    """For people."""
    ncp: Name | None = None
    """The NCP that opens the socket; by default the one that has `source`, or a port in the neighbor's subnet."""
    families: Annotated[dict[Family, FamilyPolicy], EMPTY_IS_MAPPING] = {}
    """Address families to offer. With none: the family of the neighbor's address, with nothing let through."""


class Group(NeighborOptions):
    """Options for the neighbors that name it."""


class Neighbor(NeighborOptions):
    """A BGP neighbor."""

    group: Name | None = None
    """Group whose options hold where the neighbor says nothing."""


class Bgp(Model):
    """BGP-4 (RFC 4271)."""

    networks: tuple[Prefix, ...] = ()
    """Prefixes to originate while the RIB holds a connected or static route for them."""
    groups: Annotated[dict[Name, Group], EMPTY_IS_MAPPING] = {}
    """Named sets of neighbor options."""
    neighbors: Annotated[dict[Address, Neighbor], EMPTY_IS_MAPPING] = {}
    """Neighbors by address."""


class Control(Model):
    """The control socket, for routingctl."""

    socket: SocketName = "control.sock"
    """The unix socket."""
    group: Name | None = None
    """Unix group that may use it, besides the user that routingd runs as."""


class Log(Model):
    """What is logged, to standard error."""

    level: LogLevel = "info"
    """Least level that is written."""
    format: LogFormat = "text"
    """Lines for people, or one JSON object a line."""
    subsystems: Annotated[dict[Name, LogLevel], EMPTY_IS_MAPPING] = {}
    """Levels of single subsystems, like `bgp: debug`."""


class Management(Model):
    """How the router is watched and asked."""

    control: Control = Control()
    """The control socket."""
    log: Log = Log()
    """Logging."""


class Kernel(Model):
    """Where routes are put in each NCP's kernel."""

    table: KernelTable = 254
    """Routing table; 254 is the main one."""
    protocol: KernelProtocol = 201
    """Route protocol number (`ip route show proto 201`): marks the routes as ours."""
    metric: KernelMetric = 50
    """Metric of all our routes: routes of others with another metric are not touched."""


class Config(Model):
    """The whole file. The top level is the network instance "default"."""

    router: Router
    """Who this router is."""
    ncps: Annotated[dict[Name, Ncp], EMPTY_IS_MAPPING] = {"ncp1": Ncp(embedded=True)}
    """The forwarding boxes, by name. By default one, embedded, named `ncp1`."""
    listen: Listen | None = None
    """Where agents of other hosts dial in."""
    fabric: Annotated[dict[Name, FabricPort], EMPTY_IS_MAPPING] = {}
    """How NCPs reach each other, by NCP; not needed with one."""
    interfaces: Annotated[dict[PortName, Interface], EMPTY_IS_MAPPING] = {}
    """Ports by `NCP/NAME` (`NAME` where there is one NCP), and `lo`, the router's loopback."""
    static: Annotated[dict[Prefix, StaticRoute], EMPTY_IS_MAPPING] = {}
    """Static routes by prefix."""
    bgp: Bgp = Bgp()
    """BGP."""
    management: Management = Management()
    """Control socket and logs."""
    kernel: Kernel = Kernel()
    """Kernel tables."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routingd configuration",
        **{k: v for k, v in Config.model_json_schema(by_alias=True).items() if k != "title"},
    }
