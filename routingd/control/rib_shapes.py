"""The JSON of commands about the RIB's inside: show next-hop, show group, show export-group, show memory.

Types only; a part of `routingd.control.shapes`, which offers them all.
"""

from __future__ import annotations

from typing import TypedDict

from routingd.control.peer_kind import PeerKind
from routingd.control.route_shapes import Adjacency, Attributes, FamilyName, Group


class NextHopRow(TypedDict):
    """A tracked next hop: an address that follows the table."""

    address: str
    instance: int
    resolved: bool
    via: str | None
    """The prefix that resolves it."""
    protocol: str | None
    """Of the route to that prefix."""
    metric: int
    adjacencies: list[Adjacency]
    reason: str
    """Why it is not resolved; "" when it is."""
    sets: int
    """Next-hop sets that use it."""
    changed: int
    """Seconds since its last change."""
    change: str
    """What that was."""


class NextHopsPage(TypedDict):
    """show next-hop (args: address, absent for all)."""

    next_hops: list[NextHopRow]


class GroupsPage(TypedDict):
    """show group (args: id, absent for all)."""

    groups: list[Group]


class ExportMember(TypedDict):
    address: str
    """Of the peer."""
    backlog: int
    """Prefixes it has not been told of yet."""


class ExportGroup(TypedDict):
    """Peers that are told the same bytes."""

    family: FamilyName
    kind: PeerKind
    instance: int
    members: list[ExportMember]
    encoded: int
    """Stretches of the table that were encoded."""
    shared: int
    """Stretches that a member got from another's bytes."""


class ExportGroups(TypedDict):
    """show export-group (no arguments)."""

    groups: list[ExportGroup]


class AdvertisedRow(TypedDict):
    prefix: str
    path_id: int | None
    """Under which the path is told (RFC 7911); null where the session has no identifiers."""
    attributes: Attributes
    """As they are sent."""


class AdvertisedPage(TypedDict):
    """show bgp advertised (args: address; family, limit, each may be absent): the Adj-RIB-Out of a peer."""

    routes: list[AdvertisedRow]
    truncated: bool
    """The limit was reached; there may be more."""


class Memory(TypedDict):
    """show memory (no arguments). Bytes."""

    resident: int
    """Of the whole process, as the kernel counts."""
    kinds: dict[str, int]
    """Of the native engine, and their total; empty where the engine does not tell."""
    counts: dict[str, int]
    """Objects in the tables, by the names of `kinds`; both families, all instances."""
