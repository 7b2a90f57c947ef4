"""What the reference engine sends to one peer: the Adj-RIB-Out as a pure function of the table, and the UPDATEs that
keep a peer at it.

RFC 4271 5.1, 9.1.3 and 9.2; RFC 7911 (several paths of a prefix); RFC 1997 (well-known communities); RFC 4456
(reflection); RFC 5065 (confederations).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from rib.attributes import (
    LLGR_STALE,
    NO_ADVERTISE,
    NO_EXPORT,
    NO_EXPORT_SUBCONFED,
    AsPath,
    Origin,
    PathAttributes,
    SegmentType,
    is_private,
    outside,
    prepended,
    renumbered,
)
from rib.path import Path, Protocol
from rib.prefix import AFI_IPV4, Prefix, covering, is_link_local
from rib.reference_installed import Installed
from rib.reference_said import Instance
from rib.reference_update import announcements, end_of_rib, room, withdrawals
from rib.resolution import Resolutions, usable
from rib.selection import Selection, aigp_cost, select_bgp

PROVIDER, ROUTE_SERVER, RS_CLIENT, CUSTOMER, PEER = range(5)  # RFC 9234 4.1
NON_TRANSITIVE: Final = 0x40  # RFC 4360 2: of an extended community's type


@dataclass(frozen=True, slots=True)
class ExportTerms:
    """As the arguments of ``Engine.export_open``."""

    peer_source: int
    afi: int
    safi: int
    ebgp: bool
    local_asn: int
    peer_asn: int
    next_hop_self: bool
    local_address: bytes
    local_link: bytes | None
    four_octet_as: bool
    max_message: int = 4096
    extended_next_hop: bool = False
    aigp: bool = False
    role: int | None = None  # ours, RFC 9234 4.1
    llgr: bool = False  # long-lived stale routes may be told, RFC 9494 4.5
    add_path: int = 0  # RFC 7911: so many paths of a prefix at most, ALL_PATHS for all; 0: the best one, no identifiers
    default_local_pref: int = 100  # the instance's, at the time the session came up
    member: bool = False  # of another Member-AS of our confederation
    client: bool = False  # of ours, as a route reflector
    cluster_id: bytes = b""  # ours
    next_hop_unchanged: bool = False
    private_as: str | None = None  # "remove" or "replace"
    as_override: bool = False
    shared: tuple[Prefix, ...] = ()  # subnets that the peer is on with us
    peer_address: bytes = b""

    @property
    def own_link(self) -> bytes | None:
        """Our link-local address where it is told (RFC 2545 3)."""
        return self.local_link if len(self.local_address) == 16 else None


ALL_PATHS: Final = 255
Key = tuple[Prefix, tuple[int, int] | None]
"""What is told: a prefix, and the (source, path id) of the path where the peer takes several of one prefix."""


def adj_rib_out(
    choices: Iterable[tuple[Prefix, Selection, Sequence[Path]]],
    instance: Instance,
    known: Resolutions,
    terms: ExportTerms,
    new: Set[Prefix] = frozenset(),
) -> dict[Key, PathAttributes]:
    """Everything that this peer is to know. ``choices``: prefixes that have a best path, and all their paths; ``new``:
    those that the boxes do not all have yet."""
    out = {}
    for prefix, selection, paths in choices:
        for path in paths_told(prefix, selection, paths, instance, known, terms, new):
            if path.source.number == terms.peer_source:
                continue
            attributes = exported(prefix, path, instance, known, terms, new)
            largest = 1 + len(prefix.address) + (4 if terms.add_path else 0)
            if attributes is not None and space(attributes, terms) >= largest:
                # RFC 4271 9.2: what does not fit into one message is not advertised
                out[prefix, path.key if terms.add_path else None] = attributes
    return out


def paths_told(
    prefix: Prefix,
    selection: Selection,
    paths: Sequence[Path],
    instance: Instance,
    known: Resolutions,
    terms: ExportTerms,
    new: Set[Prefix] = frozenset(),
) -> list[Path]:
    """RFC 7911: where BGP has the best path, the best of its usable ones that may be told, also of those that the peer
    gave."""
    best = selection.best
    if best is None:
        return []
    if not terms.add_path or best.protocol is not Protocol.BGP:
        return [best]
    found = [
        path
        for path in paths
        if path.protocol is Protocol.BGP
        and usable(path, known)
        and exported(prefix, path, instance, known, terms, new) is not None
    ]
    if terms.add_path == ALL_PATHS:
        return found
    ranked: list[Path] = []
    while found and len(ranked) < terms.add_path:
        ranked.append(select_bgp(found, known, instance.options, {})[0])
        found.remove(ranked[-1])
    return ranked


def space(attributes: PathAttributes, terms: ExportTerms) -> int:
    return room(terms.afi, attributes, terms.max_message, four_octet_as=terms.four_octet_as)


def exported(
    prefix: Prefix,
    path: Path,
    instance: Instance,
    known: Resolutions,
    terms: ExportTerms,
    new: Set[Prefix] = frozenset(),
) -> PathAttributes | None:
    """The attributes under which peers with these terms are told of a path; None where they are not."""
    originated = path.protocol is not Protocol.BGP
    if originated:
        origin = origination(prefix, path, instance)
        if origin is None:
            return None
        attributes = PathAttributes(origin=origin)
    else:
        attributes = path.attributes
        if not may_be_told(path, attributes, terms):
            return None
        if path.long_lived and LLGR_STALE not in attributes.communities:
            attributes = replace(attributes, communities=(*attributes.communities, LLGR_STALE))  # RFC 9494 4.3
    reflected = not originated and within_as(path, terms)
    # RFC 2545 3: a link-local next hop is told only of ourselves, on the link that we share with the peer.
    # RFC 4456 10: a reflector leaves next hops as they are.
    self_wanted = terms.next_hop_self and not reflected
    # RFC 7947 2.2.1: a route server leaves them too.
    external = terms.ebgp and not terms.next_hop_unchanged
    own_next_hop = external or originated or self_wanted or is_link_local(path.next_hops[0].address)
    if own_next_hop and prefix in new and path.protocol is not Protocol.CONNECTED:
        return None  # RFC 4271 9.1.3: only what can be forwarded; a connected subnet the kernel has by itself
    third = own_next_hop and not originated and third_party(path, terms)
    link_local = attributes.link_local if third and terms.own_link else None
    aigp = told_aigp(path, known, terms, own_next_hop=own_next_hop)
    attributes = replace(attributes, link_local=link_local, aigp=aigp)
    if own_next_hop and not third:
        attributes = replace(attributes, next_hop=terms.local_address, link_local=terms.own_link)
    if terms.ebgp:
        attributes = over_ebgp(attributes, terms, originated=originated)
    else:
        attributes = over_ibgp(attributes, path, terms, reflected=reflected)
    return attributes if next_hop_fits(attributes.next_hop, terms) else None


def third_party(path: Path, terms: ExportTerms) -> bool:
    """RFC 4271 5.1.3: whether an external peer is told of a router on its own subnet, where it could tell it of us.

    Not of itself; not where we tell our link-local address and do not know the other's, which has to be there too (RFC
    2545 3); and not with AIGP, as the costs of the way would be another's."""
    attributes = path.attributes
    link_local = attributes.link_local
    return (
        terms.ebgp
        and not terms.next_hop_self
        and len(attributes.next_hop) == len(terms.local_address)
        and attributes.next_hop == path.next_hops[0].address
        and attributes.next_hop != terms.peer_address
        and not is_link_local(attributes.next_hop)
        and not set(covering(attributes.next_hop)).isdisjoint(terms.shared)
        and (terms.own_link is None or (link_local is not None and is_link_local(link_local)))
        and not (terms.aigp and attributes.aigp is not None)
    )


def origination(prefix: Prefix, path: Path, instance: Instance) -> Origin | None:
    """Under which ORIGIN BGP tells of a route that is not its own (RFC 4271 5.1.1); None where it does not."""
    if prefix in instance.networks[prefix.afi]:
        return Origin.IGP
    if path.protocol in instance.redistribute and not path.local:
        return Origin.INCOMPLETE
    return None


def told_aigp(path: Path, known: Resolutions, terms: ExportTerms, *, own_next_hop: bool) -> int | None:
    """RFC 7311 3.4.3: whoever sets himself as next hop adds his own way to the next hop that he was told."""
    if path.attributes.aigp is None or not terms.aigp:
        return None
    return aigp_cost(path, known) if own_next_hop else path.attributes.aigp


def may_be_told(path: Path, attributes: PathAttributes, terms: ExportTerms) -> bool:
    if within_as(path, terms) and not (path.source.client or terms.client):
        # RFC 4271 9.2: what an internal peer told is not told to another, unless one is our client (RFC 4456 6).
        return False
    if path.least_preferred and not terms.llgr:
        return False  # RFC 9494 4.5
    if NO_ADVERTISE in attributes.communities:
        return False
    if terms.ebgp and terms.role in (CUSTOMER, RS_CLIENT, PEER) and attributes.otc is not None:
        return False  # RFC 9234 5, egress 2: what came from above or aside goes to customers alone
    if (terms.ebgp or terms.member) and NO_EXPORT_SUBCONFED in attributes.communities:
        return False
    return not (terms.ebgp and NO_EXPORT in attributes.communities)


def within_as(path: Path, terms: ExportTerms) -> bool:
    """From an internal peer to an internal peer."""
    return not (path.source.ebgp or path.source.member or terms.ebgp or terms.member)


def over_ibgp(attributes: PathAttributes, path: Path, terms: ExportTerms, *, reflected: bool) -> PathAttributes:
    """And into another Member-AS: what else must not leave the AS may go there (RFC 5065 5.2)."""
    if attributes.local_pref is None:
        attributes = replace(attributes, local_pref=terms.default_local_pref)  # RFC 4271 5.1.5
    if terms.member:
        path_told = prepended(attributes.as_path, terms.local_asn, SegmentType.AS_CONFED_SEQUENCE)  # RFC 5065 4.1
        return replace(attributes, as_path=path_told, originator_id=None, cluster_list=())
    if not reflected:
        return replace(attributes, originator_id=None, cluster_list=())
    # RFC 4456 8: who brought the route into the AS, unless somebody said so before, and through which clusters it came.
    return replace(
        attributes,
        originator_id=attributes.originator_id or path.source.router_id,
        cluster_list=(terms.cluster_id, *attributes.cluster_list),
    )


def over_ebgp(attributes: PathAttributes, terms: ExportTerms, *, originated: bool) -> PathAttributes:
    marks = terms.role in (PROVIDER, ROUTE_SERVER, PEER) and attributes.otc is None
    return replace(
        attributes,
        otc=terms.local_asn if marks else attributes.otc,  # RFC 9234 5, egress 1
        # RFC 4271 5.1.2 b; RFC 5065 4.1.
        as_path=prepended(edited(outside(attributes.as_path), terms), terms.local_asn),
        local_pref=None,  # 5.1.5
        med=attributes.med if originated else None,  # 5.1.4
        originator_id=None,  # RFC 4456 8: non-transitive
        cluster_list=(),
        extended_communities=tuple(value for value in attributes.extended_communities if not value[0] & NON_TRANSITIVE),
    )


def edited(path: AsPath, terms: ExportTerms) -> AsPath:
    """The peer's AS becomes ours, or it would see a loop; private ones go, but not the peer's: it could see none."""

    def of(asn: int) -> int | None:
        if asn == terms.peer_asn:
            return terms.local_asn if terms.as_override else asn
        if terms.private_as is None or not is_private(asn):
            return asn
        return terms.local_asn if terms.private_as == "replace" else None

    return renumbered(path, of)


def next_hop_fits(next_hop: bytes, terms: ExportTerms) -> bool:
    """IPv4 over an IPv6 next hop needs the capability (RFC 8950 4); IPv6 over an IPv4 one is not expressible."""
    if terms.afi == AFI_IPV4:
        return len(next_hop) == 4 or terms.extended_next_hop
    return len(next_hop) == 16


@dataclass(slots=True)
class ExportConsumer:
    """What one peer was told, and under which path identifiers."""

    terms: ExportTerms
    instance: int
    told: dict[Key, PathAttributes] = field(default_factory=dict)
    ids: dict[Key, int] = field(default_factory=dict)
    again: set[Key] = field(default_factory=set)
    """To be told again, changed or not."""
    end_of_rib_sent: bool = False
    awaited: int | None = None
    """Once the initial table is over: for what was asked of the boxes up to this number, End-of-RIB waits."""

    def pending(self, wanted: dict[Key, PathAttributes]) -> list[Key]:
        changed = [key for key, said in wanted.items() if self.told.get(key) != said or key in self.again]
        return [key for key in self.told if key not in wanted] + changed

    def path_id(self, key: Key) -> int | None:
        """The lowest that no other path of the prefix has (RFC 7911 2)."""
        if not self.terms.add_path:
            return None
        if key not in self.ids:
            taken = {number for (prefix, _), number in self.ids.items() if prefix == key[0]}
            self.ids[key] = next(number for number in count(1) if number not in taken)
        return self.ids[key]

    def read(
        self, wanted: dict[Key, PathAttributes], max_routes: int, installed: Installed
    ) -> tuple[bytes, int] | None:
        """Whole UPDATEs for up to ``max_routes`` of the difference, and how many they are; the End-of-RIB marker after
        the initial table (RFC 4724 2) and what of it waits for boxes."""
        pending = self.pending(wanted)
        part = pending[:max_routes]
        over = len(part) == len(pending) and not self.end_of_rib_sent
        if over and self.awaited is None:
            self.awaited = installed.last_asked
        terms = self.terms
        ends = over and self.awaited is not None and installed.answered(self.instance, terms.afi, self.awaited)
        if not pending and not ends:
            return None
        gone: dict[int | None, list[Prefix]] = defaultdict(list)
        sets: dict[tuple[PathAttributes, int | None], list[Prefix]] = defaultdict(list)
        for key in part:
            if key in wanted:
                sets[wanted[key], self.path_id(key)].append(key[0])
                self.told[key] = wanted[key]
                self.again.discard(key)
            else:
                gone[self.path_id(key)].append(key[0])
                del self.told[key]
                self.ids.pop(key, None)
        messages = [
            message
            for number, prefixes in gone.items()
            for message in withdrawals(terms.afi, prefixes, terms.max_message, path_id=number)
        ]
        for (attributes, number), prefixes in sets.items():
            messages += announcements(
                terms.afi, attributes, prefixes, terms.max_message, four_octet_as=terms.four_octet_as, path_id=number
            )
        if ends:
            messages.append(end_of_rib(terms.afi))
            self.end_of_rib_sent = True
        return b"".join(messages), len(messages)
