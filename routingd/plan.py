"""From the checked configuration to what the controller works with. The only module that knows both."""

from __future__ import annotations

import random
from importlib import metadata
from pathlib import Path
from typing import Final

from protocols.bgp.config import ALL_PATHS, AoKey, Confederation, Demands, FamilyConfig, PeerConfig
from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST, Family
from protocols.bgp.graceful import Mode
from protocols.bgp.limits import OnLimit, PrefixLimit
from protocols.bgp.role import Role
from protocols.bgp.session import Session
from routingd.boxes import Box, Boxes, Kernel, Port
from routingd.config import effective
from routingd.config.bgp_schema import MaximumPrefixes
from routingd.config.load import Loaded
from routingd.config.schema import Config, Router
from routingd.controller import RouterPlan
from routingd.doors import TlsListen
from routingd.listening import Range
from routingd.peer import ACCEPT
from routingd.peers import Neighbor
from routingd.statics import RibPlan, StaticNextHop, StaticRoute

FAMILIES: Final[dict[str, Family]] = {"ipv4-unicast": IPV4_UNICAST, "ipv6-unicast": IPV6_UNICAST}


def plan(loaded: Loaded, rng: random.Random) -> RouterPlan:
    """``rng`` jitters the sessions' timers."""
    config = loaded.config
    boxes = [_box(box) for box in effective.boxes(config).values()]
    where = config.kernel
    kernel = Kernel(where.install, where.table, where.protocol, where.metric, where.weighted_backup)
    return RouterPlan(
        name=config.router.name,
        router_id=config.router.router_id.packed,
        asn=config.router.asn,
        boxes=Boxes(boxes, kernel),
        neighbors=tuple(_neighbor(neighbor, config.router, rng) for neighbor in effective.neighbors(config)),
        ranges=tuple(_range(each, config.router, rng) for each in effective.ranges(config)),
        rib=RibPlan(
            statics=tuple(_static(route) for route in effective.static_routes(config)),
            networks=tuple((network.network_address.packed, network.prefixlen) for network in config.bgp.networks),
            redistribute=config.bgp.redistribute,
            options=_options(config),
        ),
        listen=_listen(loaded),
        deferral=config.bgp.graceful_restart.deferral,
        grace=None if isinstance(config.without_controller.grace, str) else config.without_controller.grace,
        isolate=config.without_controller.then == "isolate",
    )


def _options(config: Config) -> dict[str, bool | int]:
    """The words of the file as ``Engine.set_options`` has them."""
    best, multipath = config.bgp.best_path, config.bgp.multipath
    return {
        "always_compare_med": best.always_compare_med,
        "missing_med_as_worst": best.missing_med_as_worst,
        "as_path_ignore": best.ignore_as_path_length,
        "compare_router_id": best.compare_router_id,
        "prefer_oldest": best.prefer_oldest,
        "default_local_pref": best.default_local_preference,
        "multipath_ebgp": multipath.ebgp,
        "multipath_ibgp": multipath.ibgp,
        "multipath_relax": multipath.relax_as_path,
        "weighted": multipath.weighted,
        "backup": config.bgp.backup_paths,
        "resolve_via_default": config.next_hops.resolve_via_default,
        "advertise_installed": config.advertise == "installed",
    }


def _box(box: effective.Box) -> Box:
    fabric = {address.version: str(address) for address in box.fabric_addresses}
    ports = {
        name: Port(tuple(str(address) for address in addresses), box.descriptions.get(name, ""))
        for name, addresses in box.interfaces.items()
    }
    return Box(
        box.name,
        box.embedded,
        box.certificate or "",
        ports,
        box.fabric_port or "",
        fabric.get(4, ""),
        fabric.get(6, ""),
        box.discover,
    )


def _neighbor(neighbor: effective.EffectiveNeighbor, router: Router, rng: random.Random) -> Neighbor:
    return Neighbor(Session(_peer(neighbor, router), rng), neighbor.group or "", neighbor.ncp, neighbor.on or "")


def _range(each: effective.EffectiveRange, router: Router, rng: random.Random) -> Range:
    prefix = (each.prefix.network_address.packed, each.prefix.prefixlen)
    return Range(prefix, each.limit, each.ncps, _peer(each.terms, router), each.terms.group or "", rng)


def _peer(neighbor: effective.EffectiveNeighbor, router: Router) -> PeerConfig:
    return PeerConfig(
        address=neighbor.address.packed,
        remote_asn=neighbor.asn,
        local_asn=neighbor.local_asn,
        router_id=router.router_id.packed,
        families=tuple(
            FamilyConfig(
                *FAMILIES[name],
                _policy(terms.accept_import),
                _policy(terms.accept_export),
                add_path_send=_sent_paths(terms.add_path_send),
                add_path_receive=terms.add_path_receive,
                maximum=_limit(terms.maximum_prefixes),
            )
            for name, terms in neighbor.families.items()
        ),
        hold_time=neighbor.hold_time,
        send_hold_time=neighbor.send_hold_time,
        passive=neighbor.passive,
        delay_open=neighbor.delay_open,
        host_name=router.name if neighbor.host_name else "",
        software_version=f"routingd/{metadata.version('routingd')}" if neighbor.software_version else "",
        port=neighbor.port,
        source=neighbor.source.packed if neighbor.source is not None else b"",
        device=neighbor.shown,
        unnumbered=neighbor.address == effective.UNKNOWN,
        ttl=neighbor.multihop or 0,
        ttl_security=neighbor.ttl_security,
        password=neighbor.password or "",
        ao_keys=tuple(AoKey(k.send_id, k.receive_id, k.algorithm, k.key.encode()) for k in neighbor.tcp_ao),
        role=None if neighbor.role is None else Role[neighbor.role.upper().replace("-", "_")],
        role_strict=neighbor.role_strict,
        demands=Demands(
            first_as=neighbor.enforce_first_as,
            own_as=neighbor.allow_own_as,
            as_path=neighbor.maximum_as_path,
            attributes=neighbor.maximum_attributes,
        ),
        next_hop_self=neighbor.next_hop_self,
        next_hop_unchanged=neighbor.next_hop_unchanged,
        private_as=neighbor.private_as,
        as_override=neighbor.as_override,
        route_reflector_client=neighbor.route_reflector_client,
        cluster_id=neighbor.cluster_id.packed if neighbor.cluster_id is not None else b"",
        graceful_restart=Mode(neighbor.graceful_restart),
        restart_time=neighbor.restart_time,
        long_lived_stale_time=neighbor.long_lived_stale_time,
        stale_time=neighbor.stale_time,
        confederation=_confederation(neighbor.confederation),
        weight=neighbor.weight,
        distance=neighbor.distance,
        aigp=neighbor.aigp,
        extended_next_hop=neighbor.extended_next_hop,
        description=neighbor.description,
    )


def _limit(given: MaximumPrefixes | None) -> PrefixLimit | None:
    return PrefixLimit(given.limit, given.warn, OnLimit(given.action), given.restart_after) if given else None


def _sent_paths(most: int | str | None) -> int:
    return ALL_PATHS if most == "all" else int(most or 0)


def _confederation(given: effective.EffectiveConfederation | None) -> Confederation | None:
    return Confederation(given.identifier, given.member, given.others) if given else None


def _policy(accept: bool) -> str | None:
    return ACCEPT if accept else None


def _static(route: effective.EffectiveStatic) -> StaticRoute:
    return StaticRoute(
        (route.prefix.network_address.packed, route.prefix.prefixlen),
        "blackhole" if route.kind == "blackhole" else "unreachable" if route.kind == "unreachable" else "via",
        tuple(StaticNextHop(hop.address.packed, hop.ncp or "", hop.port or "", hop.weight) for hop in route.next_hops),
        route.distance,
        route.metric,
        route.tag,
    )


def _listen(loaded: Loaded) -> TlsListen | None:
    listen = loaded.config.listen
    if listen is None:
        return None
    certificate, key, ca = (Path(loaded.directory, name) for name in (listen.certificate, listen.key, listen.ca))
    return TlsListen(str(listen.address.host), listen.address.port, certificate, key, ca)
