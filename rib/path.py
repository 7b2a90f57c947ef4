"""What a source says about a prefix: Path, NextHop, and who said it. Values only; deciding is ``rib/selection.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from rib.attributes import PathAttributes


class Protocol(IntEnum):
    """Kinds of source; the lower one wins between equal distances."""

    CONNECTED = 0
    STATIC = 1
    BGP = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class Forward(IntEnum):
    """What a route does with packets."""

    VIA = 0
    BLACKHOLE = 1
    CONNECTED = 2
    UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class NextHop:
    """``address`` is b"" for a connected network. With a port it is a neighbour on that port; without one it is
    looked up in the RIB."""

    address: bytes
    ncp: str = ""
    port: str = ""
    weight: int = 1

    @property
    def recursive(self) -> bool:
        return bool(self.address) and not self.port


@dataclass(frozen=True, slots=True)
class Source:
    """One number in the engine: a connected or static source, or one Established session of a BGP peer."""

    number: int
    protocol: Protocol
    distance: int = 0
    address: bytes = b""
    asn: int = 0
    router_id: bytes = b"\0\0\0\0"
    ebgp: bool = False
    import_accept: bool = True


@dataclass(frozen=True, slots=True)
class Path:
    """One source's way to a prefix. (source, path id) tells the paths of one prefix apart."""

    source: Source
    path_id: int
    distance: int
    forward: Forward
    next_hops: tuple[NextHop, ...] = ()
    metric: int = 0
    tag: int = 0
    local: bool = False
    attributes: PathAttributes = field(default_factory=PathAttributes)

    @property
    def key(self) -> tuple[int, int]:
        return self.source.number, self.path_id

    @property
    def protocol(self) -> Protocol:
        return self.source.protocol
