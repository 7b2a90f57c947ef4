"""Next-hop groups: what routes share, so that losing a link replaces groups and not routes.

A group is named by a key over what its owner *asked for* (protocol, ordered next hops); its content is what these
resolve to at the
moment. Both engines, and a restarted controller, therefore give one group the same key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from rib.digest import siphash
from rib.path import Forward, Path
from rib.resolution import DROP, UNREACHABLE, Adjacency, AdjacencyKind, Resolutions, resolve_next_hop

INSTANCE: Final = 0
PRIMARY: Final = 0


@dataclass(frozen=True, slots=True)
class Member:
    adjacency: Adjacency
    weight: int
    role: int = PRIMARY


@dataclass(frozen=True, slots=True)
class Group:
    key: bytes
    kind: AdjacencyKind
    members: tuple[Member, ...]


def group_key(path: Path) -> bytes:
    """Two SipHash-2-4 of the description, under keys of zeros and of ones: 16 bytes."""
    description = struct.pack("<HBB", INSTANCE, path.protocol, path.forward)
    for hop in path.next_hops:
        for text in (hop.address, hop.ncp.encode(), hop.port.encode()):
            description += bytes((len(text),)) + text
        # A local address and the network around it may name the same port: the role tells them apart.
        description += struct.pack("<HB", hop.weight, int(path.local))
    return b"".join(struct.pack("<Q", siphash(bytes((fill,)) * 16, description)) for fill in (0, 1))


def group_of(path: Path, known: Resolutions) -> Group:
    """The group of a usable path with its present content."""
    members = group_members(path, known)
    kinds = {member.adjacency.kind for member in members}
    # As its members are; where they differ, the group as a whole forwards.
    kind = kinds.pop() if len(kinds) == 1 else AdjacencyKind.IP
    return Group(group_key(path), kind, members)


def group_members(path: Path, known: Resolutions) -> tuple[Member, ...]:
    match path.forward:
        case Forward.BLACKHOLE:
            return (Member(DROP, 1),)
        case Forward.UNREACHABLE:
            return (Member(UNREACHABLE, 1),)
        case Forward.CONNECTED:
            port = path.next_hops[0]
            kind = AdjacencyKind.LOCAL if path.local else AdjacencyKind.IP
            return (Member(Adjacency(port.ncp, port.port, b"", kind), 1),)
        case Forward.VIA:
            members: dict[Adjacency, Member] = {}
            for hop in path.next_hops:
                for adjacency in resolve_next_hop(hop, known).adjacencies:
                    members.setdefault(adjacency, Member(adjacency, hop.weight))
            return tuple(members.values())
