"""What a ``Rib`` answers with: frozen values, made from the rows that either engine gives (native/_native.pyi)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

from rib.literals import IPAddress, IPNetwork

Row = Mapping[str, Any]
CACHED: Final = 16384  # distinct next hops; a full table has some thousands
_FATES: Final = {"drop": "blackhole", "unreachable": "unreachable"}
_ORIGIN_LETTERS: Final = {"igp": "i", "egp": "e", "incomplete": "?"}


@dataclass(frozen=True, slots=True)
class Source:
    """Who says something about prefixes: a BGP peer, or the connected or static routes of an instance."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("Source", "Name", "Protocol", "AS", "Address", "Instance")

    number: int
    protocol: str  # "connected", "static" or "bgp"
    name: str
    address: IPAddress | None = None
    asn: int | None = None
    ebgp: bool | None = None
    instance: int = 0
    add_path: bool = False

    def cells(self) -> tuple[str, ...]:
        about = (self.protocol if self.ebgp is None else "eBGP" if self.ebgp else "iBGP", text_or_dash(self.asn))
        return str(self.number), self.name, *about, text_or_dash(self.address), str(self.instance)

    def __str__(self) -> str:
        return self.name


SourceOf = Callable[[int, str], Source]
"""The source of a number; the protocol is for one that was added elsewhere."""


@dataclass(frozen=True, slots=True, repr=False)
class Adjacency:
    """Where packets go in the end: a neighbour on a port, a network on a port (no gateway), or nowhere."""

    kind: str  # "ip", "local", "drop" or "unreachable"
    gateway: IPAddress | None = None
    port: str | None = None
    ncp: str | None = None
    weight: int = 1
    backup: bool = False

    @classmethod
    def from_row(cls, row: Row) -> Adjacency:
        return _adjacency(row["kind"], row["gateway"], row["port"], row["ncp"], row["weight"], bool(row.get("role")))

    def __str__(self) -> str:
        if self.kind in _FATES:
            return _FATES[self.kind]
        first = "local" if self.kind == "local" else str(self.gateway) if self.gateway else ""
        return place_text(first, self.ncp, self.port)

    def __repr__(self) -> str:
        return f"<Adjacency {self}, weight {self.weight}{', backup' if self.backup else ''}>"


@dataclass(frozen=True, slots=True)
class Attributes:
    """BGP path attributes as text and numbers; ``None`` is absence. ``unknown``: (flags, code, value) passed on."""

    origin: str
    as_path: str
    next_hop: IPAddress | None
    link_local: IPAddress | None
    med: int | None
    local_pref: int | None
    aigp: int | None
    otc: int | None
    atomic_aggregate: bool
    aggregator: str | None
    communities: tuple[str, ...]
    large_communities: tuple[str, ...]
    extended_communities: tuple[str, ...]
    originator_id: str | None
    cluster_list: tuple[str, ...]
    unknown: tuple[tuple[int, int, str], ...]

    @classmethod
    def from_row(cls, row: Row) -> Attributes:
        return cls(
            row["origin"],
            row["as_path"],
            address_or_none(row["next_hop"]),
            address_or_none(row["link_local"]),
            row["med"],
            row["local_pref"],
            row["aigp"],
            row["otc"],
            row["atomic_aggregate"],
            row["aggregator"],
            tuple(row["communities"]),
            tuple(row["large_communities"]),
            tuple(row["extended_communities"]),
            row["originator_id"],
            tuple(row["cluster_list"]),
            tuple((flags, code, value) for flags, code, value in row["unknown"]),
        )

    @property
    def asns(self) -> tuple[int, ...]:
        """Every AS number of the path as it is written, those of sets and confederations included."""
        return tuple(int(number) for number in re.findall(r"\d+", self.as_path))

    @property
    def origin_as(self) -> int | None:
        """The AS that a path ends with; ``None`` where it is empty or ends in a set (RFC 6811 2)."""
        last = self.as_path.rpartition(" ")[2]
        return int(last) if last.isdecimal() else None

    def summary(self) -> str:
        """One line, as ``show`` commands have it."""
        path = f"{self.as_path} {_ORIGIN_LETTERS[self.origin]}".lstrip()
        parts = [f"AS path {path}", f"next hop {self.next_hop}"]
        named = (("LOCAL_PREF", self.local_pref), ("MED", self.med), ("AIGP", self.aigp), ("OTC", self.otc))
        parts += [f"{label} {value}" for label, value in named if value is not None]
        every = (*self.communities, *self.large_communities, *self.extended_communities)
        if every:
            parts.append(f"communities {' '.join(every)}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, repr=False)
class Route:
    """One path of a prefix: the best one unless a question asked for all. ``step`` is the step of selection that
    decided for it, the one at which it lost, or why it is not usable. ``next_hops`` and ``group`` are the best's."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "Prefix",
        "Protocol",
        "From",
        "Dist/Metric",
        "Next hops",
        "Role",
        "Decided at",
        "AS path",
    )

    prefix: IPNetwork
    instance: int
    protocol: str
    source: Source
    path_id: int
    distance: int
    metric: int
    tag: int
    since: int
    best: bool
    role: str  # "best", "multipath", "backup" or ""
    leaked: bool
    stale: bool
    step: str
    next_hops: tuple[Adjacency, ...]
    group: int | None
    attributes: Attributes | None

    @classmethod
    def from_row(cls, row: Row, source_of: SourceOf) -> Route:
        return cls(
            network(row["prefix"]),
            row["instance"],
            row["protocol"],
            source_of(row["source"], row["protocol"]),
            row["path_id"],
            row["distance"],
            row["metric"],
            row["tag"],
            row["since"],
            row["best"],
            row["role"],
            row["leaked"],
            row["stale"],
            row["step"],
            tuple(Adjacency.from_row(hop) for hop in row["next_hops"]),
            row["group"],
            Attributes.from_row(row["attributes"]) if row["attributes"] is not None else None,
        )

    @property
    def as_path(self) -> str:
        return self.attributes.as_path if self.attributes else ""

    @property
    def origin_as(self) -> int | None:
        return self.attributes.origin_as if self.attributes else None

    @property
    def communities(self) -> tuple[str, ...]:
        return self.attributes.communities if self.attributes else ()

    def cells(self) -> tuple[str, ...]:
        return (
            str(self.prefix),
            self.protocol,
            str(self.source),
            f"{self.distance}/{self.metric}",
            next_hops_text(self.next_hops) or "-",
            self.role or "-",
            self.step,
            self.as_path or "-",
        )

    def __repr__(self) -> str:
        way = f" via {next_hops_text(self.next_hops)}" if self.next_hops else ""
        best = "" if self.best else ", not best"
        return f"<Route {self.prefix} {self.protocol} from {self.source}{way}, {self.step}{best}>"


@dataclass(frozen=True, slots=True)
class GroupHop:
    """What a group was made from: a next hop, before resolution. ``givers``: peers whose loss takes it away at once."""

    address: IPAddress | None
    instance: int
    port: str | None
    ncp: str | None
    weight: int
    backup: bool
    givers: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Row) -> GroupHop:
        place = (row["port"] or None, row["ncp"] or None)
        address = address_or_none(row["address"])
        return cls(address, row["instance"], *place, row["weight"], bool(row["role"]), tuple(row["givers"]))


@dataclass(frozen=True, slots=True)
class Group:
    """A next-hop group: what ``routes`` routes share. The id is stable while its content changes, the key for ever."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("Group", "Routes", "Members", "Key")

    id: int
    key: str
    routes: int
    members: tuple[Adjacency, ...]
    hops: tuple[GroupHop, ...]

    @classmethod
    def from_row(cls, row: Row) -> Group:
        members = tuple(Adjacency.from_row(member) for member in row["members"])
        hops = tuple(GroupHop.from_row(hop) for hop in row["hops"])
        return cls(row["id"], row["key"], row["routes"], members, hops)

    def cells(self) -> tuple[str, ...]:
        return str(self.id), str(self.routes), next_hops_text(self.members) or "-", self.key


@dataclass(frozen=True, slots=True)
class TrackedNextHop:
    """A next hop that the engine keeps resolved; ``reason`` says why one does not resolve, ``change`` what last
    happened to it and ``changed`` when (the seconds of ``Rib.set_time``)."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("Next hop", "Instance", "Via", "Metric", "Adjacencies", "Sets", "Last change")

    address: IPAddress
    instance: int
    resolved: bool
    via: IPNetwork | None
    protocol: str | None
    metric: int
    adjacencies: tuple[Adjacency, ...]
    reason: str
    sets: int
    changed: int
    change: str

    @classmethod
    def from_row(cls, row: Row) -> TrackedNextHop:
        return cls(
            ipaddress.ip_address(row["address"]),
            row["instance"],
            row["resolved"],
            network(row["via"]) if row["via"] else None,
            row["protocol"],
            row["metric"],
            tuple(Adjacency.from_row(adjacency) for adjacency in row["adjacencies"]),
            row["reason"],
            row["sets"],
            row["changed"],
            row["change"],
        )

    def cells(self) -> tuple[str, ...]:
        way = next_hops_text(self.adjacencies) if self.resolved else f"unresolved: {self.reason}"
        via = f"{self.via} ({self.protocol})" if self.via else "-"
        return str(self.address), str(self.instance), via, str(self.metric), way, str(self.sets), self.change or "-"


def network(text: str) -> IPNetwork:
    """Of a prefix with no host bits set. The text of IPv4 is read here: ``ipaddress`` takes thrice as long over it, and
    a list may have a million."""
    if ":" in text:
        return ipaddress.IPv6Network(text)
    address, length = text.split("/")
    return ipaddress.IPv4Network((bytes(map(int, address.split("."))), int(length)))


@lru_cache(CACHED)
def _adjacency(
    kind: str, gateway: str | None, port: str | None, ncp: str | None, weight: int, backup: bool
) -> Adjacency:
    return Adjacency(kind, address_or_none(gateway), port, ncp, weight, backup)


@lru_cache(CACHED)
def address_or_none(text: str | None) -> IPAddress | None:
    return ipaddress.ip_address(text) if text else None


def text_or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def place_text(address: str, ncp: str | None, port: str | None) -> str:
    """As ``rib.literals.next_hop_of`` reads it, but for a port alone, which stands without its "at"."""
    place = "/".join(part for part in (ncp, port) if part)
    return " at ".join(part for part in (address, place) if part)


def next_hops_text(adjacencies: tuple[Adjacency, ...]) -> str:
    """Weights where they differ, backups last in brackets."""
    primaries = [adjacency for adjacency in adjacencies if not adjacency.backup]
    weighted = len({adjacency.weight for adjacency in primaries}) > 1
    parts = [f"{adjacency}{f' (weight {adjacency.weight})' if weighted else ''}" for adjacency in primaries]
    parts += [f"[backup {adjacency}]" for adjacency in adjacencies if adjacency.backup]
    return ", ".join(parts)
