"""The boxes of this router as routingd needs them: what each NCP shall have, and where an address of ours lives.

Built once from the configuration; internal, so that the schema may change its spelling freely.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

LOOPBACK = "lo"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Port:
    addresses: tuple[str, ...] = ()
    """As "a/len"."""
    description: str = ""

    @property
    def subnets(self) -> list[Network]:
        return [ipaddress.ip_interface(text).network for text in self.addresses]


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    embedded: bool = False
    certificate: str = ""
    """Name its certificate must carry; empty: it may not dial in over TLS."""
    ports: dict[str, Port] = field(default_factory=dict)
    fabric_port: str = ""
    fabric_ipv4: str = ""
    fabric_ipv6: str = ""
    """Empty: the other boxes use the link-local address of its fabric port."""
    discover: tuple[str, ...] = ()
    """Ports whose neighbor is found by router advertisements."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer is reached from."""

    ncp: str
    port: str
    local: bytes
    """Our address there; empty: the system chooses."""
    on_link: bool = False
    """By link-local address, which is one only together with the port."""
    subnets: tuple[tuple[bytes, int], ...] = ()
    """Of the port, where the peer is on it."""

    @property
    def device(self) -> str:
        """What its sockets are bound to; "": any port."""
        return self.port if self.on_link else ""


def parse_address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def packed(networks: list[Network]) -> tuple[tuple[bytes, int], ...]:
    return tuple((network.network_address.packed, network.prefixlen) for network in networks)


def parse_prefix(text: str) -> tuple[bytes, int]:
    network = ipaddress.ip_network(text)
    return network.network_address.packed, network.prefixlen


def show_prefix(prefix: tuple[bytes, int]) -> str:
    return f"{ipaddress.ip_address(prefix[0])}/{prefix[1]}"


INSTALL_OFF = "kernel install is off"
"""Why nothing of ours is in any kernel, as views say it."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Whether, where and how every box puts routes in its kernel."""

    install: bool = True
    table: int = 254
    protocol: int = 201
    metric: int = 50
    weighted_backup: bool = False


class Boxes:
    def __init__(self, boxes: list[Box], kernel: Kernel = Kernel()) -> None:
        self.all = {box.name: box for box in boxes}
        self.kernel = kernel

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.all)

    def place(self, ncp: str, peer: bytes, source: bytes = b"") -> Place:
        """Where on this box a session with ``peer`` runs: from ``source``, else from our address in the peer's
        subnet."""
        address = ipaddress.ip_address(peer)
        for name, port in self.all[ncp].ports.items():
            for text in port.addresses:
                interface = ipaddress.ip_interface(text)
                if interface.ip.packed == source or (not source and name != LOOPBACK and address in interface.network):
                    here = port.subnets
                    near = name != LOOPBACK and any(address in subnet for subnet in here)
                    return Place(ncp, name, interface.ip.packed, subnets=packed(here) if near else ())
        return Place(ncp, "", source)

    def on_port(self, ncp: str, name: str) -> Place:
        """Where a session with a link-local peer on this port runs: from the link-local address that the port is given,
        else from the one it has by itself."""
        port = self.all[ncp].ports.get(name, Port())
        mine = (ipaddress.ip_interface(text).ip for text in port.addresses)
        local = next((a.packed for a in mine if a.version == 6 and a.is_link_local), b"")
        return Place(ncp, name, local, on_link=True, subnets=packed(port.subnets))

    def own_address(self, place: Place, width: int) -> bytes:
        """Our address of ``width`` bytes at a place: the next hop of what is announced there in that family. b"":
        none."""
        port = self.all[place.ncp].ports.get(place.port)
        for text in port.addresses if port is not None else ():
            address = ipaddress.ip_interface(text).ip
            if len(address.packed) == width and not address.is_link_local:
                return address.packed
        return b""
