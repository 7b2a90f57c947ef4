"""Next-hop groups: what routes share, so that losing a link replaces groups and not routes.

A group is named by a key over what its owner *asked for* (protocol, next hops, who gave them); its content is what
these resolve to at the moment. Both engines, and a restarted controller, therefore give one group the same key.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rib.adjacency import DROP, UNREACHABLE, Adjacency, AdjacencyKind, Weighted, blend
from rib.digest import siphash
from rib.options import Options
from rib.path import Forward, NextHop, Path, Protocol
from rib.resolution import Resolutions
from rib.selection import Selection, address_order

PRIMARY: Final = 0
BACKUP: Final = 1
GREATEST_BANDWIDTH_WEIGHT: Final = 256
GREATEST_HOP_WEIGHT: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class GroupHop:
    """A next hop that a group asks for. ``givers``: the peers that told of it, so that their loss moves the group
    before any route is looked at. Empty in a group of one hop, which is nothing without it and shared by whoever gives
    it."""

    hop: NextHop
    role: int
    givers: tuple[bytes, ...] = ()


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
    hops: tuple[GroupHop, ...]


def group_of(selection: Selection, known: Resolutions, options: Options) -> Group:
    """The group of a prefix that has a best path, with its present content."""
    best = selection.best
    assert best is not None
    hops = hops_of(selection, options)
    members = members_of(best, hops, known)
    kinds = {member.adjacency.kind for member in members}
    # As its members are; where they differ, the group as a whole forwards.
    kind = kinds.pop() if len(kinds) == 1 else AdjacencyKind.IP
    return Group(group_key(best.protocol, best.forward, hops), kind, members, hops)


# --- what is asked for ------------------------------------------------------------------------------------------------


def hops_of(selection: Selection, options: Options) -> tuple[GroupHop, ...]:
    best = selection.best
    assert best is not None
    if best.protocol is not Protocol.BGP:
        # A local address and the network around it may name the same port: the role tells them apart.
        return tuple(GroupHop(hop, int(best.local)) for hop in best.next_hops)
    hops = merged(selection.members, bandwidth_weights(selection.members, options), PRIMARY)
    if selection.backup is not None:
        hops += merged([selection.backup], [1], BACKUP)
    if len(hops) == 1:
        return (GroupHop(replace(hops[0].hop, weight=1), PRIMARY),)
    return tuple(hops)


def bandwidth_weights(members: Sequence[Path], options: Options) -> list[int]:
    """Of 256 for the member with the most bandwidth; equal where one of them does not tell his."""
    told = [member.attributes.link_bandwidth for member in members]
    bandwidths = [bandwidth for bandwidth in told if bandwidth is not None]
    if not options.weighted or len(bandwidths) < len(members):
        return [1] * len(members)
    most = max(bandwidths)
    return [max(1, int(bandwidth * float(GREATEST_BANDWIDTH_WEIGHT) / most)) for bandwidth in bandwidths]


def merged(paths: Sequence[Path], weights: Iterable[int], role: int) -> list[GroupHop]:
    """One hop for each next hop that the paths name; the order is that of the next hops, whoever gave them."""
    weight_of: dict[tuple[int, bytes, str, str], int] = {}
    givers_of: dict[tuple[int, bytes, str, str], set[bytes]] = {}
    for path, weight in zip(paths, weights, strict=True):
        for hop in path.next_hops:
            weight_of[hop.identity] = weight_of.get(hop.identity, 0) + weight
            givers_of.setdefault(hop.identity, set()).add(path.source.address)
    hops = []
    for identity in sorted(weight_of, key=identity_order):
        instance, address, ncp, port = identity
        hop = NextHop(address, ncp, port, min(weight_of[identity], GREATEST_HOP_WEIGHT), instance)
        hops.append(GroupHop(hop, role, tuple(sorted(givers_of[identity], key=address_order))))
    return hops


def identity_order(identity: tuple[int, bytes, str, str]) -> tuple[int, tuple[int, bytes], bytes, bytes]:
    instance, address, ncp, port = identity
    return instance, address_order(address), ncp.encode(), port.encode()


def group_key(owner: Protocol, forward: Forward, hops: Sequence[GroupHop]) -> bytes:
    """Two SipHash-2-4 of the description, under keys of zeros and of ones: 16 bytes."""
    description = struct.pack("<BB", owner, forward)
    for one in hops:
        hop = one.hop
        description += struct.pack("<H", hop.instance)
        description += b"".join(counted(text) for text in (hop.address, hop.ncp.encode(), hop.port.encode()))
        description += struct.pack("<HBB", hop.weight, one.role, len(one.givers))
        description += b"".join(counted(giver) for giver in one.givers)
    return b"".join(struct.pack("<Q", siphash(bytes((fill,)) * 16, description)) for fill in (0, 1))


def counted(text: bytes) -> bytes:
    return bytes((len(text),)) + text


# --- what it comes to -------------------------------------------------------------------------------------------------


def members_of(best: Path, hops: Sequence[GroupHop], known: Resolutions) -> tuple[Member, ...]:
    match best.forward:
        case Forward.BLACKHOLE:
            return (Member(DROP, 1),)
        case Forward.UNREACHABLE:
            return (Member(UNREACHABLE, 1),)
        case Forward.CONNECTED:
            port = best.next_hops[0]
            kind = AdjacencyKind.LOCAL if best.local else AdjacencyKind.IP
            return (Member(Adjacency(port.ncp, port.port, b"", kind), 1),)
        case Forward.VIA:
            primaries = blended(hops, PRIMARY, known)
            in_use = {adjacency for adjacency, _ in primaries}
            backups = [one for one in blended(hops, BACKUP, known) if one[0] not in in_use]
            members = [Member(adjacency, weight) for adjacency, weight in primaries]
            role = BACKUP if members else PRIMARY
            return tuple(members + [Member(adjacency, weight, role) for adjacency, weight in backups])


def blended(hops: Sequence[GroupHop], role: int, known: Resolutions) -> tuple[Weighted, ...]:
    return blend((one.hop.weight, known.of(one.hop).adjacencies) for one in hops if one.role == role)
