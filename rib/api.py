"""``Rib``: a routing table to work with in a program or a notebook, over either engine, without any daemon.

What people type goes in as text (``rib/literals.py``); the questions are ``rib/asking.py``. Announcements are made into
UPDATE messages and read like those of a session, so a table here is what a router would make of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from rib.asking import Questions, pair
from rib.attributes import Origin, PathAttributes
from rib.engines import engine_of
from rib.literals import (
    AddressLike,
    PrefixLike,
    ViaLike,
    address_of,
    as_path_of,
    communities_of,
    families_of,
    next_hops_of,
    port_of,
    prefixes_of,
    rule_of,
)
from rib.ports import Network
from rib.prefix import AFI_IPV4, AFI_IPV6, SAFI_UNICAST, Prefix
from rib.reference_update import announcements, withdrawals
from rib.routes import Source
from rib.sources import SourceLike

if TYPE_CHECKING:
    import native
    from rib.engines import Engine
    from rib.mrt import Loaded, Report

LONGEST_MESSAGE: Final = 65535  # RFC 8654 4
FAMILIES: Final = ((AFI_IPV4, SAFI_UNICAST), (AFI_IPV6, SAFI_UNICAST))
STATIC_KINDS: Final = ("via", "blackhole", "unreachable")
Prefixes = PrefixLike | Iterable[PrefixLike]


class Rib(Questions):
    """A router's tables. ``engine``: "native" (fast), "reference" (plain Python, for small tables), or an engine that
    is there already.

    With ``assume_reachable`` a next hop that does not resolve is taken for a neighbour on the port "assumed": a
    connected host route of the source "assumed" leads to it. That is what a route collector's table needs."""

    def __init__(
        self,
        engine: str | Engine = "native",
        *,
        asn: int = 65000,
        router_id: AddressLike = "0.0.0.1",
        assume_reachable: bool = False,
    ) -> None:
        identifier = address_of(router_id)
        super().__init__(engine_of(engine, asn, identifier), assume_reachable=assume_reachable)
        self.asn = asn
        self.router_id = ipaddress.IPv4Address(identifier)
        self.loaded: Loaded | None = None
        self._terms: dict[int, native.SessionTerms] = {}

    @classmethod
    def from_mrt(
        cls,
        path: str | PathLike[str],
        *,
        engine: str | Engine = "native",
        asn: int | None = None,
        router_id: AddressLike = "0.0.0.1",
        assume_reachable: bool = True,
        progress: bool | Report = False,
    ) -> Rib:
        """The table of an MRT file: TABLE_DUMP_V2, or BGP4MP messages replayed; plain, .gz or .bz2. Each peer in it is
        a source. ``asn``: whose table it is, by default as recorded, or else an AS that is in nobody's path; a peer in
        this AS is internal. Next hops are taken for neighbours unless ``assume_reachable`` is False. ``progress``: True
        for a line on standard error, or a function that takes ``rib.Progress``."""
        from rib.mrt import load

        def make(local_asn: int) -> Rib:
            return cls(engine, asn=local_asn, router_id=router_id, assume_reachable=assume_reachable)

        return load(path, make, asn, progress)

    def __repr__(self) -> str:
        counts = self.counts()
        tables = (f"{counts[name]['prefixes']:,} IP{name[2:]} prefixes" for name in ("ipv4", "ipv6"))
        return f"<Rib of AS {self.asn}: {len(self._sources)} sources, {', '.join(tables)}>"

    # --- sources ----------------------------------------------------------------------------------------------------

    def add_peer(
        self,
        address: AddressLike,
        asn: int,
        *,
        name: str | None = None,
        router_id: AddressLike | None = None,
        distance: int | None = None,
        weight: int = 0,
        port: str | None = None,
        add_path: bool = False,
        instance: int = 0,
    ) -> Source:
        """A BGP peer; in our own AS it is internal. The router id is its (last four octets of the) address unless
        given. ``port``: where the peer is, for its link-local next hops."""
        packed = address_of(address)
        shown = ipaddress.ip_address(packed)
        name = self._sources.check_free(name or str(shown))
        ncp, port_name = port_of(port) if port else ("", "")
        number = self.engine.add_peer(
            address=packed,
            asn=asn,
            router_id=packed[-4:] if router_id is None else address_of(router_id),
            ebgp=asn != self.asn,
            distance=distance,
            weight=weight,
            instance=instance,
            ncp=ncp,
            port=port_name,
        )
        self._terms[number] = self.session_terms(asn, add_path=add_path)
        return self._sources.add(Source(number, "bgp", name, shown, asn, asn != self.asn, instance, add_path))

    def mark_stale(self, peer: SourceLike, family: int | None = None) -> None:
        """All that a peer gave so far is stale until it is given again, as when its session is lost and it restarts
        gracefully (RFC 4724). ``family``: 4 or 6, both unless given."""
        for afi in families_of(family):
            self.engine.mark_stale(self._peer(peer).number, afi=afi)

    def sweep_stale(self, peer: SourceLike, family: int | None = None) -> None:
        """What is still stale goes, as at End-of-RIB."""
        for afi in families_of(family):
            self.engine.sweep_stale(self._peer(peer).number, afi=afi)

    def set_long_lived(self, peer: SourceLike, family: int | None = None, *, on: bool = True) -> None:
        """What is stale now is used only where there is nothing else (RFC 9494), or like other routes again."""
        for afi in families_of(family):
            self.engine.set_long_lived(self._peer(peer).number, afi=afi, on=on)

    def connected(self, instance: int = 0) -> Source:
        """The source of an instance's connected routes."""
        return self._own_source("connected", "connected", instance)

    def static(self, instance: int = 0) -> Source:
        """The source of an instance's static routes."""
        return self._own_source("static", "static", instance)

    def remove(self, source: SourceLike) -> None:
        """A source goes with all it said, as a peer does when its session is lost."""
        found = self.source(source)
        self.engine.remove_source(found.number)
        self._sources.forget(found)
        self._ports.forget(found.number)

    # --- what sources say -------------------------------------------------------------------------------------------

    def add_connected(
        self, prefixes: Prefixes, port: str, *, local: bool = False, metric: int = 0, instance: int = 0
    ) -> None:
        """Networks on a port ("eth0", or "ncp1/eth0"); ``local``: addresses of our own there."""
        network = Network(port_of(port), local, metric)
        number = self.connected(instance).number
        for prefix in prefixes_of(prefixes):
            self._ports.put(number, prefix, network)

    def add_static(
        self,
        prefixes: Prefixes,
        via: ViaLike = (),
        *,
        kind: str = "via",
        distance: int = 1,
        metric: int = 0,
        tag: int = 0,
        instance: int = 0,
    ) -> None:
        """``via``: a next hop ("192.0.2.1", "192.0.2.1 at eth0", "at ppp0"), a list of them, or a mapping of next hop
        to weight. Without it ``kind`` is "blackhole" or "unreachable"."""
        hops = next_hops_of(via)
        if kind not in STATIC_KINDS or (kind == "via") != bool(hops):
            raise ValueError(
                'a static route has next hops (via="192.0.2.1"), or is of kind="blackhole" or "unreachable"'
            )
        number = self.static(instance).number
        self._new_next_hops = True
        for prefix in prefixes_of(prefixes):
            self.engine.put_static(number, pair(prefix), hops, kind=kind, distance=distance, metric=metric, tag=tag)

    def announce(
        self,
        peer: SourceLike,
        prefixes: Prefixes,
        *,
        as_path: str | Iterable[int] | None = None,
        next_hop: AddressLike | None = None,
        communities: str | Iterable[str] = (),
        origin: str = "igp",
        med: int | None = None,
        local_pref: int | None = None,
        path_id: int | None = None,
        **more: Any,
    ) -> None:
        """A peer announces prefixes. Unless given, the AS path is the peer's AS (empty from an internal one) and the
        next hop its address. ``communities``: standard, large and extended ones together. ``more``: link_local, aigp,
        atomic_aggregate, aggregator, originator_id, cluster_list, unknown, as ``rib.Attributes`` has them."""
        source = self._peer(peer)
        if local_pref is not None and source.ebgp:
            raise ValueError(
                f"LOCAL_PREF from {source} would be ignored, the peer is external (RFC 4271 5.1.5): prefer it with "
                f"add_peer(..., weight=...), or make it internal with asn={self.asn}"
            )
        if origin.upper() not in Origin.__members__:
            raise ValueError(f'no such ORIGIN: {origin!r} ("igp", "egp" or "incomplete")')
        if as_path is None:
            as_path = [source.asn] if source.ebgp and source.asn is not None else []
        row = {
            "origin": origin,
            "as_path": as_path_of(as_path),
            "next_hop": str(
                ipaddress.ip_address(address_of(next_hop if next_hop is not None else str(source.address)))
            ),
            "med": med,
            "local_pref": local_pref,
            **communities_of(communities),
            **more,
        }
        attributes = PathAttributes.from_row(row)
        number = _path_id(source, path_id)
        for afi, group in _by_family(prefixes_of(prefixes)):
            if afi == AFI_IPV6 and len(attributes.next_hop) == 4:
                raise ValueError(f"IPv6 prefixes need an IPv6 next hop: give next_hop= (it is {row['next_hop']})")
            messages = announcements(afi, attributes, group, LONGEST_MESSAGE, four_octet_as=True, path_id=number)
            changes = self._decode(source, b"".join(messages))
            self._check(changes, len(group))
            self._apply(source, changes)

    def withdraw(self, source: SourceLike, prefixes: Prefixes, *, path_id: int | None = None) -> None:
        """What a peer announced, or one of ``connected()`` and ``static()`` said."""
        found = self.source(source)
        wanted = prefixes_of(prefixes)
        if found.protocol != "bgp":
            for prefix in wanted:
                self._ports.delete(found.number, prefix)
            return
        number = _path_id(self._peer(found), path_id)
        for afi, group in _by_family(wanted):
            messages = withdrawals(afi, group, LONGEST_MESSAGE, path_id=number)
            self._apply(found, self._decode(found, b"".join(messages)))

    def receive(self, peer: SourceLike, data: bytes) -> native.Changes:
        """Whole UPDATE messages as they cross the wire (four-octet AS numbers). What is malformed is treated as in
        RFC 7606; the faults are in what is returned."""
        source = self._peer(peer)
        changes = self._decode(source, data)
        self._apply(source, changes)
        return changes

    def take(self, source: Source, terms: native.SessionTerms, updates: native.Updates) -> native.Changes:
        """UPDATEs as ``native.Framer`` or ``native.MrtReader`` cut them, to be read by these terms."""
        import native

        changes = native.decode(updates, terms)
        self._apply(source, changes)
        return changes

    # --- the rest of the router -------------------------------------------------------------------------------------

    def set_port(self, port: str, up: bool) -> None:
        """A port goes down, and with it its connected routes and the next hops on it; or it comes up again."""
        self._ports.set(port_of(port), up)

    def set_options(self, *, instance: int = 0, **options: bool | int) -> None:
        """How an instance chooses: the names and defaults are in ``rib.Options``."""
        self.engine.set_options(instance=instance, **options)

    def set_time(self, seconds: int) -> None:
        """The clock of ``since``; it starts at 0 and never goes back."""
        self.engine.set_time(seconds)

    def add_instance(self, *, fib: bool = True) -> int:
        """Another network instance; the number is the ``instance`` of everything else. 0 is there from the start."""
        number: int = self.engine.add_instance(fib=fib)
        return number

    def add_leak(
        self,
        source: int,
        target: int,
        *,
        protocols: str | Sequence[str] = (),
        prefixes: Sequence[PrefixLike | tuple[bytes, int, int, int]] = (),
    ) -> int:
        """Paths of instance ``source`` are also in instance ``target``: those of ``protocols`` and ``prefixes``, empty
        meaning all. A prefix may be a rule as in a prefix list: "10.0.0.0/8 ge 16 le 24"."""
        names = protocols.split() if isinstance(protocols, str) else protocols
        rules = [rule_of(prefix) for prefix in prefixes]
        number: int = self.engine.add_leak(source=source, target=target, protocols=names, prefixes=rules)
        return number

    def remove_leak(self, leak: int) -> None:
        self.engine.remove_leak(leak)

    # --- inside -----------------------------------------------------------------------------------------------------

    def session_terms(self, asn: int, *, add_path: bool = False, four_octet_as: bool = True) -> native.SessionTerms:
        import native

        return native.SessionTerms(
            peer_asn=asn,
            local_asn=self.asn,
            four_octet_as=four_octet_as,
            families=FAMILIES,
            add_path_receive=FAMILIES if add_path else (),
            max_message=LONGEST_MESSAGE,
            local_router_id=self.router_id.packed,
            aigp=True,
            extended_next_hop=FAMILIES[:1],
        )

    def _peer(self, wanted: SourceLike) -> Source:
        source = self.source(wanted)
        if source.number not in self._terms:
            raise ValueError(f"{source} is no BGP peer: its routes come by add_connected or add_static")
        return source

    def _decode(self, source: Source, data: bytes) -> native.Changes:
        import native

        framed = native.Framer(LONGEST_MESSAGE).feed(data)
        updates = [item for item in framed.items if isinstance(item, native.Updates)]
        if framed.error is not None or len(updates) != 1 or updates[0].nbytes != len(data):
            raise ValueError("not a run of whole UPDATE messages (RFC 4271 4.3)")
        return native.decode(updates[0], self._terms[source.number])

    def _check(self, changes: native.Changes, announced: int) -> None:
        """What a router would not take as it was meant is an error here."""
        if changes.announced + changes.withdrawn < announced:
            raise ValueError("multicast prefixes are no destinations of unicast routes (RFC 4271 6.3)")
        if changes.error is not None or changes.faults:
            what = [f"attribute {fault['code']} is malformed (RFC {fault['rfc']})" for fault in changes.faults]
            raise ValueError(f"a router would not take this: {', '.join(what) or 'it would reset the session'}")
        if changes.withdrawn:
            raise ValueError(
                f"a router of AS {self.asn} would drop this as a loop: its AS is in the AS path, or its router id "
                f"{self.router_id} in ORIGINATOR_ID or CLUSTER_LIST (RFC 4271 9.1.2, RFC 4456 8)"
            )

    def _apply(self, source: Source, changes: native.Changes) -> None:
        self._new_next_hops = True
        self.engine.apply(source.number, changes)


def _path_id(source: Source, path_id: int | None) -> int | None:
    """What goes before each prefix (RFC 7911 3): nothing, unless the peer was added with ``add_path``."""
    if source.add_path:
        return path_id or 0
    if path_id is not None:
        raise ValueError(f"{source} does not use path identifiers: add it with add_path=True")
    return None


def _by_family(prefixes: Sequence[Prefix]) -> Iterator[tuple[int, list[Prefix]]]:
    for afi in (AFI_IPV4, AFI_IPV6):
        group = [prefix for prefix in prefixes if prefix.afi == afi]
        if group:
            yield afi, group
