"""Who may connect to the router's boxes: what each box listens on, and neighbors by prefix (``bgp: listen``)."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from fibd.wire import StreamListen
from protocols.bgp.config import PeerConfig
from protocols.bgp.session import Session
from routingd.boxes import LOOPBACK, Boxes, show_prefix

if TYPE_CHECKING:
    from routingd.peer import Peer

LINK_LOCAL: Final = (b"\xfe\x80".ljust(16, b"\0"), 10)

log = structlog.get_logger("routingd.bgp")


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbors that are there while they are connected."""

    prefix: tuple[bytes, int]
    limit: int
    ncps: tuple[str, ...]
    """Boxes they may connect to."""
    config: PeerConfig
    """Of each of them, but for the address."""
    group: str
    rng: random.Random

    def session(self, address: bytes) -> Session:
        # The box has their connection only; where they listen is not known.
        return Session(replace(self.config, address=address, passive=True), self.rng)

    def has(self, address: bytes) -> bool:
        free = 8 * len(self.prefix[0]) - self.prefix[1]
        network, other = (int.from_bytes(octets) >> free for octets in (self.prefix[0], address))
        return len(address) == len(self.prefix[0]) and network == other

    def locals(self, boxes: Boxes, ncp: str) -> set[bytes]:
        """Our addresses on a box that they may connect to: ``source``, else those in subnets that meet the prefix, else
        any (zeros)."""
        if self.config.source:
            return {self.config.source}
        network = ipaddress.ip_network(show_prefix(self.prefix))
        found = {
            interface.ip.packed
            for name, port in boxes.all[ncp].ports.items()
            for interface in map(ipaddress.ip_interface, port.addresses)
            if name != LOOPBACK and interface.version == network.version and interface.network.overlaps(network)
        }
        return found or {bytes(len(self.prefix[0]))}


class Ranges:
    """All of them, and what became of those who came."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.all = tuple(ranges)
        self.members = dict.fromkeys((one.prefix for one in self.all), 0)
        """Neighbors that are there."""
        self.refused = dict.fromkeys((one.prefix for one in self.all), 0)
        """Connections beyond the limit."""

    def of(self, ncp: str, address: bytes) -> Range | None:
        """The longest prefix."""
        there = (one for one in self.all if ncp in one.ncps and one.has(address))
        return max(there, key=lambda one: one.prefix[1], default=None)

    def take(self, one: Range) -> bool:
        """A place for one more; False: there is none."""
        if self.members[one.prefix] >= one.limit:
            if not self.refused[one.prefix]:
                log.warning("bgp.range-full", prefix=show_prefix(one.prefix), limit=one.limit)
            self.refused[one.prefix] += 1
            return False
        self.members[one.prefix] += 1
        return True

    def leave(self, one: Range) -> None:
        self.members[one.prefix] -= 1


@dataclass(slots=True)
class _Allowed:
    peers: list[list[Any]] = field(default_factory=list)
    ranges: list[list[Any]] = field(default_factory=list)
    keys: list[list[Any]] = field(default_factory=list)

    def add(self, other: _Allowed) -> None:
        self.peers += other.peers
        self.ranges += [row for row in other.ranges if row not in self.ranges]
        self.keys += [row for row in other.keys if row not in self.keys]


def _keys(config: PeerConfig, address: bytes, length: int) -> list[list[Any]]:
    return [[address, length, key.send_id, key.receive_id, key.algorithm, key.key] for key in config.ao_keys]


def listeners(ncp: str, peers: Iterable[Peer], ranges: Iterable[Range], boxes: Boxes) -> list[StreamListen]:
    """One per local address and TCP port of this box, for all neighbors that may connect there, and one for the
    link-local ones on each port. Where some may connect to any address of ours there is one listener for all
    addresses."""
    allowed: dict[tuple[bytes, int, str], _Allowed] = {}
    for peer in peers:
        config, place = peer.session.config, peer.place
        if place.ncp == ncp:
            here = allowed.setdefault(
                (place.local or bytes(len(config.address)), config.port, place.device), _Allowed()
            )
            terms = [config.password, config.send_ttl, config.minimum_ttl]
            if config.unnumbered:
                here.ranges.append([*LINK_LOCAL, *terms])
                here.keys += _keys(config, *LINK_LOCAL)
            else:
                here.peers.append([config.address, *terms])
                here.keys += _keys(config, config.address, 8 * len(config.address))
    mine = [one for one in ranges if ncp in one.ncps]
    for one in mine:
        for local in one.locals(boxes, ncp):
            config = one.config
            row = [*one.prefix, config.password, config.send_ttl, config.minimum_ttl]
            here = allowed.setdefault((local, config.port, ""), _Allowed())
            here.ranges.append(row)
            here.keys += _keys(config, *one.prefix)
    for any_address in [key for key in allowed if not any(key[0]) and not key[2]]:
        _, port, _ = any_address
        same = [key for key in allowed if key[1] == port and len(key[0]) == len(any_address[0])]
        for key in same:
            if any(key[0]) and not key[2]:
                allowed[any_address].add(allowed.pop(key))
        for key in same:
            if key[2]:  # what comes in by that port is its listener's
                allowed[key].add(allowed[any_address])
    return [
        StreamListen(number, *key, rows.peers, rows.ranges, rows.keys)
        for number, (key, rows) in enumerate(sorted(allowed.items(), key=lambda item: item[0]), start=1)
    ]
