"""The boxes of this router as routingd needs them: what each NCP shall have, and where an address of ours lives.

Built once from the configuration; internal, so that the schema may change its spelling freely.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

LOOPBACK = "lo"


@dataclass(frozen=True, slots=True)
class Port:
    addresses: tuple[str, ...] = ()
    """As "a/len"."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    embedded: bool = False
    certificate: str = ""
    """Name its certificate must carry; empty: it may not dial in over TLS."""
    ports: dict[str, Port] = field(default_factory=dict)
    fabric_port: str = ""
    fabric_address: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer is reached from."""

    ncp: str
    port: str
    local: bytes
    """Our address there; empty: the system chooses."""


def parse_address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def parse_prefix(text: str) -> tuple[bytes, int]:
    network = ipaddress.ip_network(text)
    return network.network_address.packed, network.prefixlen


def show_prefix(prefix: tuple[bytes, int]) -> str:
    return f"{ipaddress.ip_address(prefix[0])}/{prefix[1]}"


class Boxes:
    def __init__(self, boxes: list[Box]) -> None:
        self.all = {box.name: box for box in boxes}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.all)

    @property
    def home(self) -> str:
        """The box of what names no other: the one that holds the loopback, else the first."""
        holders = (box.name for box in self.all.values() if LOOPBACK in box.ports)
        return next(holders, next(iter(self.all)))

    def place(self, peer: bytes, source: bytes = b"", device: str = "") -> Place:
        """The box a session with ``peer`` runs on: the one of its port, of its source address, or whose subnet covers
        it."""
        if device:
            ncp, _, port = device.rpartition("/")
            return Place(ncp or self.home, port, source)
        address = ipaddress.ip_address(peer)
        wanted = ipaddress.ip_address(source) if source else None
        for box in self.all.values():
            for name, port_config in box.ports.items():
                for text in port_config.addresses:
                    interface = ipaddress.ip_interface(text)
                    if wanted is not None and interface.ip == wanted:
                        return Place(box.name, name, source)
                    if wanted is None and address in interface.network and interface.ip != address:
                        return Place(box.name, name, interface.ip.packed)
        return Place(self.home, "", source)
