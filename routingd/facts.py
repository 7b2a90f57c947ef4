"""What the boxes report of their ports and addresses, turned into connected routes, ports that next hops may use, and
each box's own configuration.

Facts of a box that is away stay as they were: its kernel still forwards. When it returns it tells everything anew, and
only at FactsComplete does the new picture replace the old one. A box that does not return is lost: all of it goes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from fibd.wire import Addresses, BoxConfig, FactsComplete, Ports
from routingd.boxes import LOOPBACK, Box, Boxes, parse_address, show_prefix

log = structlog.get_logger("routingd.facts")

LAGGING: Final = "it lags behind with what it is told to forward"
ISOLATED: Final = "its fabric port is down"
FULL_LENGTH: Final = {4: 32, 16: 128}
PrefixBytes = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class PortFact:
    name: str
    ifindex: int
    admin_up: bool
    carrier: bool
    mtu: int
    mac: bytes
    kind: str

    @property
    def up(self) -> bool:
        # A loopback has no carrier to lose.
        return self.admin_up and (self.carrier or self.name == LOOPBACK)


@dataclass(frozen=True, slots=True)
class Connected:
    """One connected route of one box."""

    port: str
    local: bool


@dataclass(slots=True)
class Picture:
    """One box as it reported itself."""

    ports: dict[str, PortFact] = field(default_factory=dict)
    addresses: dict[tuple[str, bytes, int], bool] = field(default_factory=dict)
    """(port, address, length): usable."""

    def apply(self, message: Ports | Addresses) -> None:
        if isinstance(message, Ports):
            for name in message.removed:
                self.ports.pop(name, None)
            for row in message.present:
                self.ports[row[0]] = PortFact(*row)
        else:
            for port, address, length in message.removed:
                self.addresses.pop((port, address, length), None)
            for port, address, length, usable in message.present:
                self.addresses[(port, address, length)] = usable

    def usable_addresses(self) -> frozenset[bytes]:
        return frozenset(address for (_, address, _), usable in self.addresses.items() if usable)

    def link_local(self, port: str) -> bytes:
        """The lowest usable IPv6 link-local address of a port that is up; b"" while there is none."""
        fact = self.ports.get(port)
        if fact is None or not fact.up:
            return b""
        found = (
            address for (name, address, _), usable in self.addresses.items()
            if usable and name == port and len(address) == 16 and ipaddress.IPv6Address(address).is_link_local
        )  # fmt: skip
        return min(found, default=b"")


def connected_routes(box: Box, picture: Picture) -> dict[PrefixBytes, Connected]:
    """Subnets of the configured ports that are up, and each own address as a host route. The lowest port name wins a
    tie."""
    subnets: dict[PrefixBytes, Connected] = {}
    own: dict[PrefixBytes, Connected] = {}
    for (port, address, length), usable in sorted(picture.addresses.items(), reverse=True):
        fact = picture.ports.get(port)
        if not usable or fact is None or not fact.up or port not in box.ports or port == box.fabric_port:
            continue
        interface = ipaddress.ip_interface((address, length))
        if interface.is_link_local or interface.is_loopback:
            continue  # they mean something on one link only, so they are no routes of the router's
        own[(address, FULL_LENGTH[len(address)])] = Connected(port, local=True)
        if length < FULL_LENGTH[len(address)] and port != LOOPBACK:
            subnets[(interface.network.network_address.packed, length)] = Connected(port, local=False)
    return subnets | own


class FactSink(Protocol):
    """The engine, seen from here; each call is one job of its thread."""

    def set_port(self, ncp: str, port: str, up: bool) -> None:
        """Whether next hops with this port may be used; they may until it is said that they may not."""

    def put_connected(self, ncp: str, prefix: PrefixBytes, port: str, local: bool) -> None: ...
    def delete_connected(self, ncp: str, prefix: PrefixBytes) -> None: ...
    def box_config(self, ncp: str, config: BoxConfig) -> None:
        """To be sent to that agent, if it is there."""

    def facts_used(self, ncp: str, sequence: int) -> None:
        """The RIB has been given everything up to this fact."""

    def left_out(self, ncp: str, reason: str) -> None:
        """Its ports have left routing; "" when they are back."""


class FactBook:
    """All boxes. One writer: the event loop."""

    def __init__(self, boxes: Boxes, sink: FactSink, named: Collection[tuple[str, str]] = ()) -> None:
        """``named``: (NCP, port) of every configured next hop with a port, whether the box has such a port or not."""
        self._boxes = boxes
        self._sink = sink
        self._ports = {name: dict.fromkeys(box.ports, True) for name, box in boxes.all.items()}
        for ncp, port in named:
            self._ports[ncp][port] = True
        self.pictures = {name: Picture() for name in boxes.names}
        self.complete: set[str] = set()
        """Boxes that have told everything at least once."""
        self._incoming: dict[str, Picture] = {}
        self._given: dict[str, dict[PrefixBytes, Connected]] = {name: {} for name in boxes.names}
        self._sent: dict[str, BoxConfig] = {}
        self._generation = 0
        self._troubles: dict[str, set[str]] = {name: set() for name in boxes.names}
        self.out: dict[str, str] = {}
        """Boxes whose ports are not in routing although they may be up, and why."""

    def link_local(self, ncp: str, port: str) -> bytes:
        return self.pictures[ncp].link_local(port)

    def agent_up(self, ncp: str) -> None:
        """Its control connection is new: it tells everything again, and must be told again what to be."""
        self._incoming[ncp] = Picture()
        self._sent.pop(ncp, None)
        self._configure(ncp)

    def apply(self, ncp: str, message: Ports | Addresses | FactsComplete) -> None:
        incoming = self._incoming.get(ncp)
        if isinstance(message, FactsComplete):
            if incoming is not None:
                self.pictures[ncp] = incoming
                del self._incoming[ncp]
            self.complete.add(ncp)
        else:
            (self.pictures[ncp] if incoming is None else incoming).apply(message)
            if incoming is not None:
                return
        self._trouble(ncp, ISOLATED, ncp in self.complete and self._without_fabric(ncp))
        if isinstance(message, FactsComplete):
            self._choose()  # others that are in trouble may be spared now
        self._reconcile(ncp)
        self._sink.facts_used(ncp, message.sequence)
        for other in self._boxes.names:
            # The IPv6 address of one box's fabric port is part of every other box's configuration.
            if other != ncp and other in self._sent:
                self._configure(other)

    def lost(self, ncp: str) -> None:
        """It has been away for longer than it goes on forwarding."""
        log.warning("box.lost", ncp=ncp)
        self._incoming.pop(ncp, None)
        self.pictures[ncp] = Picture()
        self.complete.discard(ncp)
        self._reconcile(ncp)
        self._choose()

    # --- boxes that are there and cannot do their part ----------------------------------------------------------------

    def lags(self, ncp: str, lagging: bool) -> None:
        """What it forwards by is not what the RIB has."""
        self._trouble(ncp, LAGGING, lagging)

    def _without_fabric(self, ncp: str) -> bool:
        port = self._boxes.all[ncp].fabric_port
        fact = self.pictures[ncp].ports.get(port)
        return len(self._boxes.all) > 1 and bool(port) and not (fact is not None and fact.up)

    def _trouble(self, ncp: str, what: str, on: bool) -> None:
        if on != (what in self._troubles[ncp]):
            (self._troubles[ncp].add if on else self._troubles[ncp].discard)(what)
            self._choose()

    def _choose(self) -> None:
        """The ports of boxes in trouble leave routing as if they were down, and the others go on. One box always stays,
        the soundest: without any there is no router."""
        there = [name for name in self._boxes.names if name in self.complete]
        troubled = {name: self._troubles[name] for name in there if self._troubles[name]}
        if troubled and len(troubled) == len(there):
            del troubled[min(there, key=lambda name: len(troubled[name]))]
        before, self.out = self.out, {name: max(troubles) for name, troubles in troubled.items()}
        for name in self._boxes.names:
            if before.get(name) != self.out.get(name):
                self._sink.left_out(name, self.out.get(name, ""))
                self._reconcile(name)

    def _reconcile(self, ncp: str) -> None:
        out = ncp in self.out
        up = {port: fact.up and not out for port, fact in self.pictures[ncp].ports.items()}
        for port, was in (self._ports[ncp] | dict.fromkeys(up.keys() - self._ports[ncp].keys(), True)).items():
            now = up.get(port, False)
            if now != was:
                self._sink.set_port(ncp, port, now)
                log.info("port.up" if now else "port.down", ncp=ncp, port=port)
            self._ports[ncp][port] = now
        wanted = {} if out else connected_routes(self._boxes.all[ncp], self.pictures[ncp])
        given = self._given[ncp]
        for prefix in given.keys() - wanted.keys():
            self._sink.delete_connected(ncp, prefix)
            log.info("connected.withdrawn", ncp=ncp, prefix=show_prefix(prefix), port=given[prefix].port)
        for prefix, route in wanted.items():
            if given.get(prefix) != route:
                self._sink.put_connected(ncp, prefix, route.port, route.local)
                log.info("connected.added", ncp=ncp, prefix=show_prefix(prefix), port=route.port, local=route.local)
        self._given[ncp] = wanted

    def fabric_peers(self, ncp: str) -> dict[str, list[bytes]]:
        """Every other box on the fabric of this one: [IPv4 address, IPv6 address], b"" where there is none."""
        peers: dict[str, list[bytes]] = {}
        for other in self._boxes.all.values() if self._boxes.all[ncp].fabric_port else ():
            if other.name != ncp and other.fabric_port:
                ipv6 = parse_address(other.fabric_ipv6) if other.fabric_ipv6 else b""
                ipv4 = parse_address(other.fabric_ipv4) if other.fabric_ipv4 else b""
                peers[other.name] = [ipv4, ipv6 or self.pictures[other.name].link_local(other.fabric_port)]
        return peers

    def _configure(self, ncp: str) -> None:
        box = self._boxes.all[ncp]
        interfaces = {name: list(port.addresses) for name, port in box.ports.items()}
        if box.fabric_port and box.fabric_ipv6:
            interfaces.setdefault(box.fabric_port, []).append(f"{box.fabric_ipv6}/128")
        kernel = self._boxes.kernel
        config = BoxConfig(
            generation=0,
            interfaces=interfaces,
            fabric_port=box.fabric_port,
            fabric_address=f"{box.fabric_ipv4}/32" if box.fabric_ipv4 else "",
            fabric_peers=self.fabric_peers(ncp),
            kernel_table=kernel.table,
            kernel_protocol=kernel.protocol,
            kernel_metric=kernel.metric,
            discover=list(box.discover),
            weighted_backup=kernel.weighted_backup,
        )
        if self._sent.get(ncp) == config:
            return
        self._sent[ncp] = config
        self._generation += 1
        self._sink.box_config(ncp, replace(config, generation=self._generation))
