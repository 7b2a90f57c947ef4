"""What a configuration means: group options resolved into neighbors, short port names made full, the loopback put on
its home NCP.

Plain frozen values for the daemon. Everything here expects a configuration that `check` has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final

from routingd.config.bgp_schema import AddPath, AoKey, Group, MaximumPrefixes, Neighbor, NeighborOptions
from routingd.config.scalars import LinkLocal
from routingd.config.schema import Config

LOOPBACK = "lo"
IPV4_UNICAST = "ipv4-unicast"
UNKNOWN: Final = IPv6Address("::")
"""Address of a neighbor that is to be learned."""


@dataclass(frozen=True, slots=True)
class Box:
    """One NCP: its ports and its place on the fabric."""

    name: str
    embedded: bool
    certificate: str | None
    interfaces: dict[str, tuple[IPv4Interface | IPv6Interface, ...]]
    """By port name; `lo` only on the loopback's home."""
    descriptions: dict[str, str]
    fabric_port: str | None
    fabric_addresses: tuple[IPv4Address | IPv6Address, ...]
    discover: tuple[str, ...]
    """Ports with an unnumbered neighbor."""


@dataclass(frozen=True, slots=True)
class FamilyTerms:
    accept_import: bool
    accept_export: bool
    add_path_send: int | str | None = None
    """Most paths of a prefix, or "all"."""
    add_path_receive: bool = False
    maximum_prefixes: MaximumPrefixes | None = None


@dataclass(frozen=True, slots=True)
class EffectiveConfederation:
    """The one that the router is in, and its own Member-AS."""

    identifier: int
    member: int
    others: frozenset[int]


@dataclass(frozen=True, slots=True)
class EffectiveNeighbor:
    """A neighbor with its group's options and the defaults filled in."""

    address: IPv4Address | IPv6Address
    """Unspecified where it is to be learned from router advertisements."""
    on: str | None
    """Name of the port it is on, at `ncp`, where the address is link-local."""
    shown: str
    """That port for people: with the NCP where there are several."""
    asn: int | None
    """None: any but ours."""
    local_asn: int
    group: str | None
    ncp: str
    source: IPv4Address | IPv6Address | None
    port: int
    hold_time: int
    send_hold_time: int | None
    passive: bool
    delay_open: int
    host_name: bool
    software_version: bool
    password: str | None
    tcp_ao: tuple[AoKey, ...]
    ttl_security: bool
    multihop: int | None
    role: str | None
    role_strict: bool
    enforce_first_as: bool
    allow_own_as: int
    maximum_as_path: int | None
    maximum_attributes: int | None
    next_hop_self: bool
    next_hop_unchanged: bool
    private_as: str | None
    as_override: bool
    route_reflector_client: bool
    cluster_id: IPv4Address | None
    graceful_restart: str
    restart_time: int
    long_lived_stale_time: int
    stale_time: int
    confederation: EffectiveConfederation | None
    weight: int
    distance: int
    aigp: bool
    extended_next_hop: bool
    description: str
    families: dict[str, FamilyTerms]

    @property
    def ebgp(self) -> bool:
        return self.asn != self.local_asn

    def __repr__(self) -> str:
        """Without the password: this ends in logs."""
        return f"EffectiveNeighbor({self.address}, asn={self.asn}, ncp={self.ncp!r}, families={self.families})"


_SAID: Final = [each.name for each in fields(EffectiveNeighbor) if each.name in NeighborOptions.model_fields]
"""What is as the neighbor or its group says it, or has a default of its own."""


@dataclass(frozen=True, slots=True)
class EffectiveRange:
    """A prefix from which neighbors may connect that nobody configured one by one."""

    prefix: IPv4Network | IPv6Network
    limit: int
    ncps: tuple[str, ...]
    """Where they may connect."""
    terms: EffectiveNeighbor
    """Of each of them, but for the address."""


@dataclass(frozen=True, slots=True)
class StaticHop:
    address: IPv4Address | IPv6Address
    ncp: str | None
    port: str | None
    weight: int


@dataclass(frozen=True, slots=True)
class EffectiveStatic:
    prefix: IPv4Network | IPv6Network
    kind: str
    """"via", "blackhole" or "unreachable"."""
    next_hops: tuple[StaticHop, ...]
    distance: int
    metric: int
    tag: int


def split_port(config: Config, port: str) -> tuple[str, str] | None:
    """(NCP, name) of a port as written; None where the NCP is left out and there is more than one."""
    ncp, slash, name = port.rpartition("/")
    if slash:
        return ncp, name
    names = list(config.ncps)
    return (names[0], name) if len(names) == 1 else None


def loopback_home(config: Config) -> str:
    loopback = config.interfaces.get(LOOPBACK)
    return loopback.home if loopback is not None and loopback.home is not None else next(iter(config.ncps))


def boxes(config: Config) -> dict[str, Box]:
    """Every NCP, in the order of the file."""
    result: dict[str, Box] = {}
    for name, ncp in config.ncps.items():
        fabric = config.fabric.get(name)
        mine = {
            port: interface
            for key, interface in config.interfaces.items()
            for at, port in [_place(config, key)]
            if at == name
        }
        result[name] = Box(
            name=name,
            embedded=ncp.embedded,
            certificate=ncp.certificate,
            interfaces={port: interface.addresses for port, interface in mine.items()},
            descriptions={port: interface.description for port, interface in mine.items() if interface.description},
            fabric_port=fabric.port if fabric is not None else None,
            fabric_addresses=fabric.address if fabric is not None else (),
            discover=tuple(port for at, port in (_place(config, key) for key in config.bgp.interfaces) if at == name),
        )
    return result


def _place(config: Config, key: str) -> tuple[str, str]:
    if key == LOOPBACK:
        return loopback_home(config), LOOPBACK
    return split_port(config, key) or ("", key)


def option(neighbor: Neighbor, group: Group | None, name: str) -> Any:
    """The neighbor's word where it said one, else the group's, else the default."""
    if name in neighbor.model_fields_set or group is None:
        return getattr(neighbor, name)
    return getattr(group, name)


def family_terms(neighbor: Neighbor, group: Group | None, version: int) -> dict[str, FamilyTerms]:
    """Families of both; within one, each key that the neighbor gives wins for itself."""
    names = list(dict.fromkeys([*(group.families if group is not None else ()), *neighbor.families]))
    if not names:
        return {f"ipv{version}-unicast": FamilyTerms(accept_import=False, accept_export=False)}
    result: dict[str, FamilyTerms] = {}
    for name in names:
        words: dict[str, Any] = {"import_": None, "export": None, "add_path": AddPath(), "maximum_prefixes": None}
        for policy in ((group.families.get(name) if group is not None else None), neighbor.families.get(name)):
            if policy is not None:
                words.update({field: getattr(policy, field) for field in policy.model_fields_set})
        add_path = words["add_path"]
        result[name] = FamilyTerms(
            words["import_"] == "accept",
            words["export"] == "accept",
            add_path.send,
            add_path.receive,
            words["maximum_prefixes"],
        )
    return result


def socket_ncp(
    config: Config, address: IPv4Address | IPv6Address, source: IPv4Address | IPv6Address | None
) -> str | None:
    """Which NCP reaches this neighbor: the one that has `source`, else the one with a port in its subnet, else the
    only one."""
    for key, interface in config.interfaces.items():
        for own in interface.addresses:
            if (source is not None and own.ip == source) or (
                source is None and key != LOOPBACK and address in own.network
            ):
                return _place(config, key)[0]
    names = list(config.ncps)
    return names[0] if len(names) == 1 else None


def peer_asn(config: Config, neighbor: Neighbor, group: Group | None) -> int | str | None:
    """A number, "external" (any but ours), or None where nothing was said."""
    asn: int | str | None = option(neighbor, group, "asn")
    return config.router.asn if asn == "internal" else asn


def neighbors(config: Config) -> list[EffectiveNeighbor]:
    """Every configured BGP neighbor, in the order of the file."""
    result = []
    for key, neighbor in config.bgp.neighbors.items():
        address, port = (key.host, key.port) if isinstance(key, LinkLocal) else (key, None)
        result.append(_resolved(config, address, port, neighbor))
    return result + [_resolved(config, UNKNOWN, port, each) for port, each in config.bgp.interfaces.items()]


def ranges(config: Config) -> list[EffectiveRange]:
    """Where dynamic neighbors come from, in the order of the file."""
    result = []
    for prefix, listen in config.bgp.listen.items():
        terms = _resolved(config, prefix.network_address, None, Neighbor(group=listen.group))
        ncp = config.bgp.groups[listen.group].ncp or (terms.ncp if terms.source is not None else None)
        result.append(EffectiveRange(prefix, listen.limit, tuple(config.ncps) if ncp is None else (ncp,), terms))
    return result


def confederation(config: Config) -> EffectiveConfederation | None:
    said = config.bgp.confederation
    return None if said is None else EffectiveConfederation(said.id, config.router.asn, frozenset(said.members))


def _resolved(
    config: Config, address: IPv4Address | IPv6Address, port: str | None, neighbor: Neighbor
) -> EffectiveNeighbor:
    """Group and defaults filled in. ``port``: of a link-local neighbor."""
    at, on = split_port(config, port) or (None, None) if port is not None else (None, None)
    group = config.bgp.groups[neighbor.group] if neighbor.group is not None else None
    source = option(neighbor, group, "source")
    asn = peer_asn(config, neighbor, group)
    within = confederation(config)
    inside = asn == config.router.asn or (within is not None and asn in within.others)
    distance = option(neighbor, group, "distance")
    aigp = option(neighbor, group, "aigp")
    families = family_terms(neighbor, group, address.version)
    said: dict[str, Any] = {name: option(neighbor, group, name) for name in _SAID}
    said |= {
        "address": address,
        "on": on,
        "shown": "" if on is None else on if len(config.ncps) == 1 else f"{at}/{on}",
        "asn": asn if isinstance(asn, int) else None,
        "local_asn": config.router.asn if inside or within is None else within.identifier,
        "confederation": within,
        "cluster_id": config.bgp.cluster_id,
        "stale_time": config.bgp.graceful_restart.deferral,
        "group": neighbor.group,
        "ncp": at or said["ncp"] or socket_ncp(config, address, source) or next(iter(config.ncps)),
        "distance": distance or (config.bgp.distance.internal if inside else config.bgp.distance.external),
        "aigp": inside if aigp is None else aigp,
        "families": families,
    }
    if said["extended_next_hop"] is None:
        said["extended_next_hop"] = address.version == 6 and IPV4_UNICAST in families
    if said["software_version"] is None:
        said["software_version"] = inside
    if said["enforce_first_as"] is None:
        said["enforce_first_as"] = said["role"] != "rs-client"  # RFC 7947 2.2.2.1
    return EffectiveNeighbor(**said)


def static_routes(config: Config) -> list[EffectiveStatic]:
    result: list[EffectiveStatic] = []
    for prefix, route in config.static.items():
        hops: list[StaticHop] = []
        for hop in route.next_hop:
            port = hop.port or route.port
            ncp, name = (split_port(config, port) or (None, None)) if port is not None else (None, None)
            hops.append(StaticHop(hop.address, ncp, name, hop.weight))
        kind = "blackhole" if route.blackhole else "unreachable" if route.unreachable else "via"
        result.append(EffectiveStatic(prefix, kind, tuple(hops), route.distance, route.metric, route.tag))
    return result
