"""What a source says about a prefix: Path, NextHop, and who said it. Values only; deciding is ``rib/selection.py``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from rib.attributes import LLGR_STALE, PathAttributes
from rib.prefix import Prefix, address_text, is_link_local

MAIN: Final = 0  # the instance that is there from the start
# A prefix in the tables of one instance.
Place = tuple[int, Prefix]
# A next hop that is looked up: its instance and address.
Tracked = tuple[int, bytes]


class Protocol(IntEnum):
    """Kinds of source; the lower one wins between equal distances."""

    CONNECTED = 0
    STATIC = 1
    BGP = 2

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def named(cls, label: str) -> Protocol:
        for protocol in cls:
            if protocol.label == label:
                return protocol
        raise ValueError(f"no protocol {label!r}")


class Forward(IntEnum):
    """What a route does with packets."""

    VIA = 0
    BLACKHOLE = 1
    CONNECTED = 2
    UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class NextHop:
    """``address`` is b"" for a connected network. With a port it is a neighbour on that port; without one it is looked
    up in the tables of ``instance``: that of the source that gave it, whichever tables the path was leaked to."""

    address: bytes
    ncp: str = ""
    port: str = ""
    weight: int = 1
    instance: int = MAIN

    @property
    def tracked(self) -> Tracked | None:
        """As what it is looked up; None where that is not needed."""
        return (self.instance, self.address) if self.address and not self.port else None

    @property
    def identity(self) -> tuple[int, bytes, str, str]:
        """What makes two next hops the same one, however much each path would send there."""
        return self.instance, self.address, self.ncp, self.port

    def __str__(self) -> str:
        return address_text(self.address) if self.address else self.port


@dataclass(frozen=True, slots=True)
class Source:
    """One number in the engine: a connected or static source, or one Established session of a BGP peer. ``ncp`` and
    ``port`` say where a peer is."""

    number: int
    protocol: Protocol
    distance: int = 0
    address: bytes = b""
    asn: int = 0
    router_id: bytes = b"\0\0\0\0"
    ebgp: bool = False
    member: bool = False  # of another Member-AS of our confederation (RFC 5065), and not ``ebgp``
    client: bool = False  # internal, and what it tells goes to internal peers too (RFC 4456 5)
    import_accept: bool = True
    weight: int = 0
    instance: int = MAIN
    ncp: str = ""
    port: str = ""

    def next_hop(self, attributes: PathAttributes) -> NextHop:
        """Where an announcement of this peer leads. RFC 2545 3, RFC 8950 3: a link-local address is a next hop on the
        link to the peer; one that stands beside the unspecified address is all the peer has."""
        address = attributes.next_hop
        if address == bytes(16) and attributes.link_local and is_link_local(attributes.link_local):
            address = attributes.link_local
        if is_link_local(address):
            return NextHop(address, self.ncp if self.port else "", self.port, instance=self.instance)
        return NextHop(address, instance=self.instance)


@dataclass(frozen=True, slots=True)
class Path:
    """One source's way to a prefix. (source, path id) tells the paths of one prefix apart. ``since``: when the source
    began to say this, by the engine's clock in seconds."""

    source: Source
    path_id: int
    distance: int
    forward: Forward
    next_hops: tuple[NextHop, ...] = ()
    metric: int = 0
    tag: int = 0
    local: bool = False
    attributes: PathAttributes = field(default_factory=PathAttributes)
    since: int = 0
    stale: bool = False  # told in an earlier session (RFC 4724 4.2)
    long_lived: bool = False  # and kept for long (RFC 9494 4.2)

    def says(self, other: Path) -> bool:
        """The same but for when, and in which session."""
        return replace(self, since=other.since, stale=other.stale, long_lived=other.long_lived) == other

    @property
    def least_preferred(self) -> bool:
        """RFC 9494 4.3: long-lived stale, here or at whoever tagged it."""
        return self.long_lived or LLGR_STALE in self.attributes.communities

    @property
    def key(self) -> tuple[int, int]:
        return self.source.number, self.path_id

    @property
    def protocol(self) -> Protocol:
        return self.source.protocol
