"""What was said to the reference engine: by sources about prefixes, by the configuration about instances. It is stored
as it was said, and nothing else is stored; what follows from it is ``rib/reference_outcome.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from typing import Protocol as Interface

from rib.attributes import NO_LLGR, PathAttributes
from rib.leak import Leak, PrefixRange
from rib.options import Options
from rib.path import MAIN, Forward, NextHop, Path, Place, Protocol, Source
from rib.prefix import AFI_IPV4, AFI_IPV6, Prefix
from rib.resolution import Port

EBGP_DISTANCE: Final = 20
IBGP_DISTANCE: Final = 200
MOST_PATHS: Final = 255
"""Of one prefix, from one source."""
STATIC_KINDS: Final = {"via": Forward.VIA, "blackhole": Forward.BLACKHOLE, "unreachable": Forward.UNREACHABLE}
PathKey = tuple[int, int]


class Changes(Interface):
    """``native.Changes``, or anything else that tells its rows."""

    def rows(self) -> list[dict[str, Any]]: ...


@dataclass(slots=True)
class Instance:
    """One network instance. ``fib``: whether its routes are for the boxes, or only to be looked at and leaked."""

    fib: bool = True
    options: Options = field(default_factory=Options)
    # What BGP originates: routes of these prefixes, and all routes of these protocols.
    networks: dict[int, frozenset[Prefix]] = field(
        default_factory=lambda: {AFI_IPV4: frozenset(), AFI_IPV6: frozenset()}
    )
    redistribute: frozenset[Protocol] = frozenset()


class Said:
    """The half of the engine that takes things in. ``native.Engine`` documents each method."""

    def __init__(self, *, fib: bool = True) -> None:
        self._now = 0
        self._instances: dict[int, Instance] = {MAIN: Instance(fib)}
        self._sources: dict[int, Source] = {}
        self._next_source = 1
        self._most: dict[tuple[int, int], float] = {}
        """How many paths a peer may have, by source and family."""
        self._leaks: dict[int, Leak] = {}
        self._next_leak = 1
        self._ports_down: set[Port] = set()
        # Of the source's own instance; copies made by leaks are not stored.
        self._paths: dict[Place, dict[PathKey, Path]] = {}

    def _changed(self) -> None:
        """Something that routes depend on is not as it was."""

    # --- instances --------------------------------------------------------------------------------------------------

    def add_instance(self, *, fib: bool = True) -> int:
        number = len(self._instances)
        self._instances[number] = Instance(fib)
        return number

    def _instance(self, number: int) -> Instance:
        if number not in self._instances:
            raise ValueError(f"no instance {number}")
        return self._instances[number]

    def set_options(self, *, instance: int = MAIN, **options: bool | int) -> None:
        place = self._instance(instance)
        place.options = place.options.changed(options)
        self._changed()

    def set_time(self, seconds: int) -> None:
        self._now = max(self._now, seconds)

    def set_port(self, ncp: str, port: str, up: bool) -> None:
        if up:
            self._ports_down.discard((ncp, port))
        else:
            self._ports_down.add((ncp, port))
        self._changed()

    def add_leak(
        self,
        *,
        source: int,
        target: int,
        protocols: Sequence[str] = (),
        prefixes: Sequence[tuple[bytes, int, int, int]] = (),
    ) -> int:
        self._instance(source), self._instance(target)
        if source == target:
            raise ValueError("a leak joins two instances")
        ranges = tuple(PrefixRange(Prefix.of(address, length), ge, le) for address, length, ge, le in prefixes)
        leak = Leak(source, target, frozenset(map(Protocol.named, protocols)), ranges)
        number = self._next_leak
        self._next_leak += 1
        self._leaks[number] = leak
        self._changed()
        return number

    def remove_leak(self, leak: int) -> None:
        if leak not in self._leaks:
            raise ValueError(f"no leak {leak}")
        del self._leaks[leak]
        self._changed()

    def set_networks(self, afi: int, prefixes: Sequence[tuple[bytes, int]], *, instance: int = MAIN) -> None:
        self._instance(instance).networks[afi] = frozenset(Prefix.of(*prefix) for prefix in prefixes)

    def set_redistribute(self, protocols: Sequence[str], *, instance: int = MAIN) -> None:
        wanted = frozenset(map(Protocol.named, protocols))
        if Protocol.BGP in wanted:
            raise ValueError("BGP tells its own routes anyway")
        self._instance(instance).redistribute = wanted

    # --- sources ----------------------------------------------------------------------------------------------------

    def add_connected_source(self, *, instance: int = MAIN) -> int:
        return self._add_source(instance, lambda number: Source(number, Protocol.CONNECTED, instance=instance))

    def add_static_source(self, *, instance: int = MAIN) -> int:
        return self._add_source(instance, lambda number: Source(number, Protocol.STATIC, instance=instance))

    def add_peer(
        self,
        *,
        address: bytes,
        asn: int,
        router_id: bytes,
        ebgp: bool,
        member: bool = False,
        client: bool = False,
        import_accept: bool = True,
        distance: int | None = None,
        weight: int = 0,
        instance: int = MAIN,
        ncp: str = "",
        port: str = "",
    ) -> int:
        if distance is None:
            distance = EBGP_DISTANCE if ebgp else IBGP_DISTANCE
        return self._add_source(
            instance,
            lambda number: Source(
                number,
                Protocol.BGP,
                distance,
                address,
                asn,
                router_id,
                ebgp,
                member,
                client,
                import_accept,
                weight,
                instance,
                ncp,
                port,
            ),
        )

    def renew_peer(
        self,
        source: int,
        *,
        address: bytes,
        asn: int,
        router_id: bytes,
        ebgp: bool,
        member: bool = False,
        client: bool = False,
        import_accept: bool = True,
        distance: int | None = None,
        weight: int = 0,
        ncp: str = "",
        port: str = "",
    ) -> None:
        if distance is None:
            distance = EBGP_DISTANCE if ebgp else IBGP_DISTANCE
        old = self._peer(source)
        if (old.ebgp, old.member) != (ebgp, member):
            raise ValueError("a peer of another AS does not come back as one of ours, nor the other way")
        peer = replace(
            old,
            address=address,
            asn=asn,
            router_id=router_id,
            ebgp=ebgp,
            client=client,
            import_accept=import_accept,
            distance=distance,
            weight=weight,
            ncp=ncp,
            port=port,
        )
        self._sources[source] = peer
        self._change(source, lambda prefix, path: replace(path, source=peer, distance=distance))

    def set_limit(self, source: int, *, afi: int, paths: int | None) -> None:
        self._peer(source)
        self._most[source, afi] = math.inf if paths is None else paths

    def _over(self, source: int, afi: int) -> bool:
        """It has more paths of the family than it may, stale ones aside."""
        if (most := self._most.get((source, afi), math.inf)) == math.inf:
            return False
        fresh = (prefix for (_, prefix), path in self._said() if path.source.number == source and not path.stale)
        return sum(prefix.afi == afi for prefix in fresh) > most

    def mark_stale(self, source: int, *, afi: int) -> None:
        self._peer(source)
        self._change(source, lambda prefix, path: replace(path, stale=True) if prefix.afi == afi else path)

    def sweep_stale(self, source: int, *, afi: int) -> None:
        self._peer(source)
        self._change(source, lambda prefix, path: None if prefix.afi == afi and path.stale else path)

    def set_long_lived(self, source: int, *, afi: int, on: bool) -> None:
        """RFC 9494 4.2: NO_LLGR routes are not kept."""
        self._peer(source)

        def change(prefix: Prefix, path: Path) -> Path | None:
            if prefix.afi != afi or not path.stale:
                return path
            return None if on and NO_LLGR in path.attributes.communities else replace(path, long_lived=on)

        self._change(source, change)

    def _peer(self, number: int) -> Source:
        source = self._source(number)
        if source.protocol is not Protocol.BGP:
            raise ValueError(f"source {number} is no peer")
        return source

    def _change(self, source: int, change: Callable[[Prefix, Path], Path | None]) -> None:
        """Of every path of a source, None taking it away."""
        for (instance, prefix), path in list(self._said()):
            if path.source.number == source:
                changed = change(prefix, path)
                if changed is None:
                    self._remove(source, prefix, path.path_id)
                else:
                    self._paths[instance, prefix][path.key] = changed
        self._changed()

    def _add_source(self, instance: int, make: Callable[[int], Source]) -> int:
        self._instance(instance)
        number = self._next_source
        self._next_source += 1
        self._sources[number] = make(number)
        return number

    def _source(self, number: int) -> Source:
        if number not in self._sources:
            raise ValueError(f"no source {number}")
        return self._sources[number]

    def remove_source(self, source: int) -> None:
        """Everything at once: here is no table so large that it must be done in slices."""
        for (_, prefix), path in list(self._said()):
            if path.source.number == source:
                self._remove(source, prefix, path.path_id)
        self._sources.pop(source, None)

    # --- what sources say -------------------------------------------------------------------------------------------

    def apply(self, source: int, changes: Changes | Sequence[dict[str, Any]]) -> None:
        """Announcements and withdrawals of a BGP peer, in their order."""
        peer = self._source(source)
        if not peer.import_accept:
            return  # RFC 8212 2: without an import policy nothing is taken in
        rows = changes if isinstance(changes, Sequence) else changes.rows()
        for row in rows:
            prefix = Prefix.of(*row["prefix"])
            if row["op"] == "withdraw":
                self._remove(source, prefix, row["path_id"])
                continue
            if self._over(source, prefix.afi):
                continue  # RFC 4271 6.7
            if row["path_id"] and self._crowded(peer, prefix, row["path_id"]):
                continue
            attributes = PathAttributes.from_row(row["attributes"])
            hop = peer.next_hop(attributes)
            self._put(prefix, Path(peer, row["path_id"], peer.distance, Forward.VIA, (hop,), attributes=attributes))

    def _crowded(self, peer: Source, prefix: Prefix, path_id: int) -> bool:
        """It gives as many paths of the prefix as are taken, and this would be another one."""
        held = self._paths.get((peer.instance, prefix), {})
        given = [number for number, _ in held if number == peer.number]
        return (peer.number, path_id) not in held and len(given) >= MOST_PATHS

    def put_connected(
        self, source: int, prefix: tuple[bytes, int], ncp: str, port: str, *, local: bool = False, metric: int = 0
    ) -> None:
        giver = self._source(source)
        hops = (NextHop(b"", ncp, port, instance=giver.instance),)
        self._put(Prefix.of(*prefix), Path(giver, 0, 0, Forward.CONNECTED, hops, metric=metric, local=local))

    def put_static(
        self,
        source: int,
        prefix: tuple[bytes, int],
        next_hops: Sequence[dict[str, Any]],
        *,
        kind: str = "via",
        distance: int = 1,
        metric: int = 0,
        tag: int = 0,
    ) -> None:
        """``next_hops`` for "via" only: "blackhole" and "unreachable" have one end and no choice."""
        if (kind == "via") != bool(next_hops):
            raise ValueError('"via" has next hops, the other kinds have none')
        giver = self._source(source)
        hops = tuple(static_next_hop(giver.instance, **hop) for hop in next_hops)
        path = Path(
            giver,
            0,
            distance,
            STATIC_KINDS[kind],
            hops or (NextHop(b"", instance=giver.instance),),
            metric=metric,
            tag=tag,
        )
        self._put(Prefix.of(*prefix), path)

    def delete(self, source: int, prefix: tuple[bytes, int]) -> None:
        if source in self._sources:
            self._remove(source, Prefix.of(*prefix), 0)

    def _put(self, prefix: Prefix, path: Path) -> None:
        """To say again what was said changes nothing, not even since when it holds."""
        paths = self._paths.setdefault((path.source.instance, prefix), {})
        old = paths.get(path.key)
        fresh = replace(path, since=self._now if old is None or not old.says(path) else old.since)
        if fresh != old:
            paths[path.key] = fresh
            self._changed()

    def _remove(self, source: int, prefix: Prefix, path_id: int) -> None:
        place = self._sources[source].instance, prefix
        paths = self._paths.get(place, {})
        if paths.pop((source, path_id), None) is not None:
            self._changed()
            if not paths:
                del self._paths[place]

    def _said(self) -> Iterator[tuple[Place, Path]]:
        for place, paths in self._paths.items():
            for path in paths.values():
                yield place, path


def static_next_hop(
    instance: int, address: bytes = b"", ncp: str | None = None, port: str | None = None, weight: int = 1
) -> NextHop:
    """An NCP without a port says nothing: such a next hop is looked up like any other."""
    if not address and not port:
        raise ValueError("a next hop has an address or a port")
    return NextHop(address, (ncp or "") if port else "", port or "", weight, instance)
