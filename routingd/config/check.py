"""What no single value shows: references between parts, contradictions, and things that are allowed but probably not
meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from routingd.config.bgp_schema import Group, Neighbor
from routingd.config.effective import (
    IPV4_UNICAST,
    LOOPBACK,
    confederation,
    family_terms,
    option,
    peer_asn,
    socket_ncp,
    split_port,
)
from routingd.config.scalars import LinkLocal, parse_neighbor, parse_prefix
from routingd.config.schema import Config

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    path: Path
    message: str


@dataclass(slots=True)
class Findings:
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def error(self, message: str, *path: object) -> None:
        self.errors.append(Finding(tuple(str(part) for part in path), message))

    def warn(self, message: str, *path: object) -> None:
        self.warnings.append(Finding(tuple(str(part) for part in path), message))


def check(config: Config) -> Findings:
    findings = Findings()
    _ncps(config, findings)
    _fabric(config, findings)
    _interfaces(config, findings)
    _static(config, findings)
    _bgp(config, findings)
    return findings


def repeated(root: Mapping[str, Any]) -> list[Finding]:
    """Keys that are one value written in two ways (2001:db8::1 and 2001:DB8:0::1): in the models the later one would
    win silently."""
    bgp = root.get("bgp")
    maps: list[tuple[Path, Any, Callable[[object], Any]]] = [(("static",), root.get("static"), parse_prefix)]
    for key, parse in (("neighbors", parse_neighbor), ("listen", parse_prefix)):
        maps.append((("bgp", key), bgp.get(key) if isinstance(bgp, dict) else None, parse))
    found: list[Finding] = []
    for path, section, value_of in maps:
        seen: dict[Any, str] = {}
        for key in section or {}:
            first = seen.setdefault(value_of(key), key)
            if first != key:
                found.append(Finding((*path, key), f"is there twice: it is the same as '{first}'"))
    return found


def _ncps(config: Config, findings: Findings) -> None:
    if not config.ncps:
        findings.error(
            "needs at least one NCP, like `ncp1: { embedded: true }`; without the section there is one of that name",
            "ncps",
        )
    embedded = [name for name, ncp in config.ncps.items() if ncp.embedded]
    certificates: dict[str, str] = {}
    for name, ncp in config.ncps.items():
        if ncp.embedded == (ncp.certificate is not None):
            findings.error("needs exactly one of `embedded: true` and `certificate: NAME`", "ncps", name)
        if ncp.certificate is not None and certificates.setdefault(ncp.certificate, name) != name:
            findings.error(f"has the same certificate as {certificates[ncp.certificate]}", "ncps", name, "certificate")
    for name in embedded[1:]:
        findings.error(f"only one NCP can be embedded, and {embedded[0]} is", "ncps", name, "embedded")
    if certificates and config.listen is None:
        first = next(iter(certificates.values()))
        findings.error("dials in, so `listen` (address, certificate, key, ca) is needed", "ncps", first, "certificate")
    if config.listen is not None and not certificates:
        findings.warn("is not used: no NCP has a `certificate`", "listen")


def _unknown_ncp(config: Config, name: str) -> str:
    return f"there is no NCP '{name}': ncps are {', '.join(config.ncps)}"


def _fabric(config: Config, findings: Findings) -> None:
    addresses: dict[IPv4Address | IPv6Address, str] = {}
    for name, fabric in config.fabric.items():
        if name not in config.ncps:
            findings.error(_unknown_ncp(config, name), "fabric", name)
        families = [address.version for address in fabric.address]
        if not families or len(families) != len(set(families)):
            findings.error("should be one address, or one IPv4 and one IPv6 address", "fabric", name, "address")
        for address in fabric.address:
            if addresses.setdefault(address, name) != name:
                findings.error(f"{address} is {addresses[address]}'s already", "fabric", name, "address")
    if len(config.ncps) > 1:
        missing = [name for name in config.ncps if name not in config.fabric]
        if missing:
            where = ("fabric",) if config.fabric else ("ncps", missing[0])
            findings.error(
                f"no `fabric` entry for {', '.join(missing)}: with several NCPs each needs one (port, address)", *where
            )
    sets = {frozenset(a.version for a in fabric.address) for fabric in config.fabric.values()}
    if len(sets) > 1:
        findings.error("all NCPs need fabric addresses of the same families", "fabric")


def _port(config: Config, findings: Findings, port: str, *path: object) -> None:
    place = split_port(config, port)
    if place is None:
        findings.error(
            f"'{port}': with several NCPs a port is written NCP/NAME, like {next(iter(config.ncps))}/{port}", *path
        )
    elif place[0] not in config.ncps:
        findings.error(_unknown_ncp(config, place[0]), *path)


def _interfaces(config: Config, findings: Findings) -> None:
    owners: dict[IPv4Address | IPv6Address, str] = {}
    ports: dict[tuple[str, str], str] = {}
    for key, interface in config.interfaces.items():
        if key == LOOPBACK:
            if interface.home is not None and interface.home not in config.ncps:
                findings.error(_unknown_ncp(config, interface.home), "interfaces", key, "home")
        else:
            _port(config, findings, key, "interfaces", key)
            if interface.home is not None:
                findings.error("only `lo` has a home; a port is where it is", "interfaces", key, "home")
            place = split_port(config, key)
            if place is not None and place[1] == LOOPBACK:
                findings.error(
                    "the loopback belongs to the router: write `lo` (and `home` for the NCP that holds it)",
                    "interfaces",
                    key,
                )
            if place is not None and ports.setdefault(place, key) != key:
                findings.error(f"is the same port as {ports[place]}", "interfaces", key)
        for index, address in enumerate(interface.addresses):
            # A link-local address is one together with its port.
            owner = key if address.ip.is_link_local else owners.setdefault(address.ip, key)
            if owner != key:
                findings.error(f"{address.ip} is on {owner} already", "interfaces", key, "addresses", index)


def _static(config: Config, findings: Findings) -> None:
    for prefix, route in config.static.items():
        ways = [bool(route.next_hop), route.blackhole, route.unreachable]
        if sum(ways) != 1:
            findings.error("needs exactly one of `next-hop`, `blackhole: true`, `unreachable: true`", "static", prefix)
        if route.port is not None:
            if not route.next_hop:
                findings.error("needs a `next-hop` on that port", "static", prefix, "port")
            _port(config, findings, route.port, "static", prefix, "port")
        for index, hop in enumerate(route.next_hop):
            if hop.port is not None:
                _port(config, findings, hop.port, "static", prefix, "next-hop", index, "port")
            if prefix.version == 6 and hop.address.version == 4:
                findings.error("an IPv6 prefix needs an IPv6 next hop", "static", prefix, "next-hop", index)
            if hop.address.is_link_local and hop.address.version == 6 and (hop.port or route.port) is None:
                findings.error("a link-local next hop needs its `port`", "static", prefix, "next-hop", index)
            if any(own.ip == hop.address for interface in config.interfaces.values() for own in interface.addresses):
                findings.error(f"{hop.address} is one of our own addresses", "static", prefix, "next-hop", index)


def _bgp(config: Config, findings: Findings) -> None:
    own = {a.ip for interface in config.interfaces.values() for a in interface.addresses}
    subnets = [
        a.network for key, interface in config.interfaces.items() if key != LOOPBACK for a in interface.addresses
    ]
    for address, neighbor in config.bgp.neighbors.items():
        where = ("bgp", "neighbors", str(address))
        if address in own:
            findings.error("is one of our own addresses", *where)
        if not _group(config, findings, neighbor.group, where):
            continue
        group = config.bgp.groups[neighbor.group] if neighbor.group is not None else None
        if isinstance(address, LinkLocal):
            _on_port(config, findings, address.port, neighbor, group, where)
            continue
        _neighbor(config, findings, address, neighbor, group, where)
        if not _connected(address, subnets) and option(neighbor, group, "multihop") is None:
            asn = peer_asn(config, neighbor, group)
            if asn is not None and asn != config.router.asn:
                findings.warn(
                    "is in no port's subnet: an external session over more than one hop needs `multihop`", *where
                )
    for port, neighbor in config.bgp.interfaces.items():
        where = ("bgp", "interfaces", port)
        if _group(config, findings, neighbor.group, where):
            group = config.bgp.groups[neighbor.group] if neighbor.group is not None else None
            _on_port(config, findings, port, neighbor, group, where)
    for prefix, listen in config.bgp.listen.items():
        where = ("bgp", "listen", str(prefix))
        if prefix.is_link_local:
            findings.error("is link-local, which says nothing without a port", *where)
        elif _group(config, findings, listen.group, where):
            _keyless(config, findings, prefix, config.bgp.groups[listen.group])
            _options(config, findings, prefix.version, Neighbor(), config.bgp.groups[listen.group], where)
    within = confederation(config)
    if within is not None and within.identifier in (within.member, *within.others):
        findings.error(
            f"{within.identifier} is one of its Member-ASes: it needs a number of its own", "bgp", "confederation", "id"
        )
    for network in config.bgp.networks:
        if network.is_multicast:
            index = config.bgp.networks.index(network)
            findings.error(f"{network} is multicast and cannot be a unicast route", "bgp", "networks", index)


def _keyless(config: Config, findings: Findings, prefix: IPv4Network | IPv6Network, range_group: Group) -> None:
    """Linux asks for a prefix's key of everybody in it."""
    for address, neighbor in config.bgp.neighbors.items():
        group = config.bgp.groups.get(neighbor.group or "")
        inside = not isinstance(address, LinkLocal) and address in prefix
        if inside and range_group.password is not None and option(neighbor, group, "password") is None:
            findings.warn(
                f"has no `password`, and the one for {prefix} in `listen` holds for it too: it cannot connect to us",
                "bgp", "neighbors", str(address),
            )  # fmt: skip


def _group(config: Config, findings: Findings, name: str | None, where: Path) -> bool:
    if name is None or name in config.bgp.groups:
        return True
    known = ", ".join(config.bgp.groups) or "none"
    findings.error(f"there is no group '{name}': groups are {known}", *where, "group")
    return False


def _connected(address: IPv4Address | IPv6Address, subnets: list[Any]) -> bool:
    return any(address in subnet for subnet in subnets)


def _neighbor(
    config: Config,
    findings: Findings,
    address: IPv4Address | IPv6Address,
    neighbor: Neighbor,
    group: Group | None,
    where: Path,
) -> None:
    source = option(neighbor, group, "source")
    if option(neighbor, group, "ncp") is None and config.ncps and socket_ncp(config, address, source) is None:
        findings.error(
            "is in no port's subnet, so it is not clear which NCP opens the socket: give `source` or `ncp`",
            *where,
        )
    _options(config, findings, address.version, neighbor, group, where)


def _on_port(
    config: Config, findings: Findings, port: str, neighbor: Neighbor, group: Group | None, where: Path
) -> None:
    """A neighbor that is known with the port it is on."""
    ports = {split_port(config, key) for key in config.interfaces if key != LOOPBACK}
    _port(config, findings, port, *where)
    if split_port(config, port) not in ports:
        findings.error(f"'{port}' is not in `interfaces`, where a port belongs even without addresses", *where)
    for name in ("source", "multihop", "ncp"):
        if option(neighbor, group, name) is not None:
            findings.error(f"`{name}` has no meaning for a neighbor on a port, by link-local address", *where)
            return
    _options(config, findings, 6, neighbor, group, where)


def _options(
    config: Config, findings: Findings, version: int, neighbor: Neighbor, group: Group | None, where: Path
) -> None:
    """What a neighbor of this IP version and its group say together."""
    asn = peer_asn(config, neighbor, group)
    if asn is None:
        findings.error("`asn` is missing, here and in the group" if group is not None else "`asn` is missing", *where)
    source = option(neighbor, group, "source")
    if source is not None and source.version != version:
        findings.error(f"{source} is not of the neighbor's address family", *where, "source")
    elif source is not None and not any(a.ip == source for i in config.interfaces.values() for a in i.addresses):
        findings.error(f"{source} is on none of our interfaces", *where, "source")
    ncp = option(neighbor, group, "ncp")
    if ncp is not None and ncp not in config.ncps:
        findings.error(_unknown_ncp(config, ncp), *where, "ncp")
    keys = option(neighbor, group, "tcp_ao")
    if keys and option(neighbor, group, "password") is not None:
        findings.error("`tcp-ao` and `password` exclude each other", *where, "tcp-ao")
    for name in ("send_id", "receive_id"):
        if len({getattr(key, name) for key in keys}) < len(keys):
            findings.error(f"two keys have one `{name.replace('_', '-')}`", *where, "tcp-ao")
    if option(neighbor, group, "ttl_security") and option(neighbor, group, "multihop") is not None:
        findings.error("`ttl-security` and `multihop` exclude each other", *where, "ttl-security")
    multihop = option(neighbor, group, "multihop")
    if multihop is not None and asn == config.router.asn:
        findings.warn(
            "`multihop` has no effect on an internal session: those always may cross hops", *where, "multihop"
        )
    terms = family_terms(neighbor, group, version)
    send_hold_time, hold_time = (option(neighbor, group, name) for name in ("send_hold_time", "hold_time"))
    if send_hold_time and send_hold_time <= hold_time:
        findings.error(f"`send-hold-time` must be more than the hold time, {hold_time} (RFC 9687)", *where)
    role = option(neighbor, group, "role")
    within = confederation(config)
    if within is not None and asn == within.identifier:
        findings.error(f"AS {asn} is our confederation: a neighbor in it has the number of its Member-AS", *where)
    if role is not None and (asn == config.router.asn or (within is not None and asn in within.others)):
        findings.error("`role` is for external sessions (RFC 9234)", *where)
    if option(neighbor, group, "route_reflector_client") and asn != config.router.asn:
        findings.error("`route-reflector-client` is for internal sessions (RFC 4456)", *where)
    for key in ("next_hop_unchanged", "private_as", "as_override"):
        if option(neighbor, group, key) and asn == config.router.asn:
            findings.error(f"`{key.replace('_', '-')}` is for external sessions", *where)
    if option(neighbor, group, "next_hop_unchanged") and option(neighbor, group, "next_hop_self"):
        findings.error("`next-hop-unchanged` and `next-hop-self` exclude each other", *where)
    if role is None and option(neighbor, group, "role_strict"):
        findings.error("`role-strict` needs a `role`", *where)
    if option(neighbor, group, "graceful_restart") == "off" and option(neighbor, group, "long_lived_stale_time"):
        findings.error("`long-lived-stale-time` needs `graceful-restart` (RFC 9494)", *where)
    if option(neighbor, group, "extended_next_hop") and IPV4_UNICAST not in terms:
        findings.error("`extended-next-hop` is about the family ipv4-unicast, which is not there", *where)
    if not any(t.accept_import or t.accept_export for t in terms.values()):
        findings.warn(
            "lets no route in or out: `import: accept` or `export: accept` is said in no family (RFC 8212)", *where
        )
