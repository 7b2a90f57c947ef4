"""The configuration as models: its only definition. The file, its messages, the JSON Schema and docs/configuration.md
follow from it.

Keys are the field names in kebab-case; the section `bgp` is `routingd.config.bgp_schema`. These are the words of the
file; what the daemon works with is `routingd.config.effective`. References between parts (a port of an NCP that is not
there) are `routingd.config.check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from routingd.config.bgp_schema import Bgp
from routingd.config.model import EMPTY_IS_MAPPING, Model
from routingd.config.values import (
    Address,
    Advertise,
    Asn,
    DeviceName,
    Distance,
    EngineName,
    FileName,
    Flag,
    Grace,
    InterfaceAddress,
    KernelMetric,
    KernelProtocol,
    KernelTable,
    Line,
    ListenAddress,
    LogFormat,
    LogLevel,
    Name,
    PortName,
    Prefix,
    RouterId,
    SocketName,
    Uint32,
    Weight,
    WithoutControllerThen,
)

NOT_YET: Final[dict[tuple[str, ...], frozenset[str]]] = {
    (): frozenset({"ospf", "isis", "policy"}),
}
"""Keys of the design that this version does not have: refused by name, so that nobody believes they are in force."""


def _one_or_many(value: object) -> object:
    return value if isinstance(value, (list, tuple)) else [value]


def _next_hops(value: object) -> object:
    """`next-hop: A`, `next-hop: [A, B]` and `next-hop: [{address: A, weight: 2}]` are one form inside."""
    if value is None:
        return ()
    return [item if isinstance(item, (dict, StaticNextHop)) else {"address": item} for item in _items(value)]


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class Router(Model):
    """Who this router is."""

    name: Name
    """Name of the router, in logs and tables."""
    router_id: RouterId
    """Identifier in every protocol (RFC 6286); by custom the loopback's IPv4 address."""
    asn: Asn
    """The router's own AS number."""
    engine: EngineName = "native"
    """The RIB: `native`, or `reference`, the same in plain Python, which computes everything anew after each change:
    for teaching, debugging and comparing, with hundreds of routes."""


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


class NextHops(Model):
    """How next hops that are not on a connected subnet are looked up in the RIB."""

    resolve_via_default: Flag = True
    """A default route may resolve them; without it they then count as unreachable."""


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
    subsystems: Annotated[dict[Name, LogLevel], EMPTY_IS_MAPPING] = Field(default={})
    """Levels of single subsystems, like `bgp: debug`."""


class Management(Model):
    """How the router is watched and asked."""

    control: Control = Control()
    """The control socket."""
    log: Log = Log()
    """Logging."""
    metrics: ListenAddress | None = None
    """Where Prometheus finds the metrics, by HTTP at `/metrics` ([metrics.md](metrics.md)); without it there is no such
    endpoint. Whoever reaches it may read: an address of the management network, or `127.0.0.1`."""


class Kernel(Model):
    """Whether, where and how routes are put in each NCP's kernel."""

    install: Flag = True
    """`false`: this router forwards nothing, as a route reflector, route server or collector does. Boxes have their
    ports, addresses and sockets, and no route of ours; `advertise` is `immediately`, as there is nothing to wait
    for."""
    table: KernelTable = 254
    """Routing table; 254 is the main one."""
    protocol: KernelProtocol = 201
    """Route protocol number (`ip route show proto 201`): marks the routes as ours."""
    metric: KernelMetric = 50
    """Metric of all our routes: routes of others with another metric are not touched."""
    weighted_backup: Flag = False
    """Backups of a box stand beside the primaries in its kernel, at the least weight there is: when the primaries' port
    loses carrier, the kernel forwards by them at once. The price: 1 flow in 65,536 always takes the backup (1 in 256
    before Linux 6.12)."""


class WithoutController(Model):
    """What a box does while no routingd speaks to it. In any case it goes on forwarding at first."""

    grace: Grace = 600
    """For how long."""
    then: WithoutControllerThen = "remove-routes"
    """Afterwards: `remove-routes` removes ours from its kernel; `isolate` also takes its ports down, so that those who
    send to it notice, except fabric ports and the one by which routingd is reached, until a routingd is back."""


class Config(Model):
    """The whole file. The top level is the network instance "default"."""

    router: Router
    """Who this router is."""
    ncps: Annotated[dict[Name, Ncp], EMPTY_IS_MAPPING] = Field(default={"ncp1": Ncp(embedded=True)})
    """The forwarding boxes, by name. By default one, embedded, named `ncp1`."""
    listen: Listen | None = None
    """Where agents of other hosts dial in."""
    fabric: Annotated[dict[Name, FabricPort], EMPTY_IS_MAPPING] = Field(default={})
    """How NCPs reach each other, by NCP; not needed with one."""
    interfaces: Annotated[dict[PortName, Interface], EMPTY_IS_MAPPING] = Field(default={})
    """Ports by `NCP/NAME` (`NAME` where there is one NCP), and `lo`, the router's loopback."""
    static: Annotated[dict[Prefix, StaticRoute], EMPTY_IS_MAPPING] = Field(default={})
    """Static routes by prefix."""
    next_hops: NextHops = NextHops()
    """Resolution of next hops."""
    advertise: Advertise = "installed"
    """When neighbors are told of a new prefix with us as next hop: once every NCP has `installed` it (one that makes no
    progress for 3 seconds is not waited for), or `immediately`. Changes of known prefixes, withdrawals, connected
    subnets, and routes whose next hop is another router never wait; a route that an NCP fails to install is
    withdrawn."""
    bgp: Bgp = Bgp()
    """BGP."""
    management: Management = Management()
    """Control socket and logs."""
    kernel: Kernel = Kernel()
    """Kernel tables."""
    without_controller: WithoutController = WithoutController()
    """Boxes that no routingd speaks to."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routingd configuration",
        **{k: v for k, v in Config.model_json_schema(by_alias=True).items() if k != "title"},
    }
