"""What the configuration says of the RIB itself, put into the engine at start: static routes, what BGP originates, how
routes are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from native import Engine

IPV4 = 1
IPV6 = 2


@dataclass(frozen=True, slots=True)
class StaticNextHop:
    address: bytes = b""
    """Empty: the port alone says where to."""
    ncp: str = ""
    port: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class StaticRoute:
    prefix: tuple[bytes, int]
    kind: Literal["via", "blackhole", "unreachable"] = "via"
    next_hops: tuple[StaticNextHop, ...] = ()
    distance: int = 1
    metric: int = 0
    tag: int = 0


@dataclass(frozen=True, slots=True)
class RibPlan:
    """Of the one network instance there is."""

    statics: tuple[StaticRoute, ...] = ()
    networks: tuple[tuple[bytes, int], ...] = ()
    redistribute: tuple[str, ...] = ()
    """Protocols whose best routes BGP originates."""
    options: Mapping[str, bool | int] = field(default_factory=dict)
    """As ``Engine.set_options`` names them."""

    def named_ports(self) -> set[tuple[str, str]]:
        """(NCP, port) of every next hop that has one."""
        return {(hop.ncp, hop.port) for route in self.statics for hop in route.next_hops if hop.port}


def prepare(engine: Engine, static_source: int, plan: RibPlan) -> None:
    """On the engine's thread."""
    engine.set_options(**plan.options)
    put_statics(engine, static_source, plan.statics)
    originate(engine, plan.networks)
    engine.set_redistribute(plan.redistribute)


def put_statics(engine: Engine, source: int, routes: Iterable[StaticRoute]) -> None:
    for route in routes:
        engine.put_static(
            source,
            route.prefix,
            [
                {"address": hop.address, "ncp": hop.ncp or None, "port": hop.port or None, "weight": hop.weight}
                for hop in route.next_hops
            ],
            kind=route.kind,
            distance=route.distance,
            metric=route.metric,
            tag=route.tag,
        )


def originate(engine: Engine, networks: Iterable[tuple[bytes, int]]) -> None:
    """``bgp: networks``: originated while the RIB holds a route for them that is not BGP's."""
    by_family: dict[int, list[tuple[bytes, int]]] = {}
    for prefix in networks:
        by_family.setdefault(IPV4 if len(prefix[0]) == 4 else IPV6, []).append(prefix)
    for afi, prefixes in by_family.items():
        engine.set_networks(afi, prefixes)
