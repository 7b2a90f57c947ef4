"""The native engine and the reference driven together: every call goes to both, and ``compare`` holds one to the
other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import native
from native import Changes
from rib.prefix import Prefix
from rib.reference import ReferenceEngine
from tests.props.folding import FoldedExport, FoldedFib
from tests.props.update_bytes import announcement, packed, withdrawal

LOCAL_ASN = 65000
ROUTER_ID = packed("9.9.9.9")
DIGEST_KEY = bytes(range(16))
FAMILIES = ((1, 1), (2, 1))
PrefixBytes = tuple[bytes, int]


def prefix(text: str) -> PrefixBytes:
    found = Prefix.parse(text)
    return found.address, found.length


@dataclass(frozen=True)
class PeerConfig:
    name: str
    address: str
    asn: int
    router_id: str
    add_path: bool = False
    import_accept: bool = True
    next_hop_self: bool = False
    four_octet_as: bool = True

    @property
    def ebgp(self) -> bool:
        return self.asn != LOCAL_ASN

    def terms(self) -> native.SessionTerms:
        return native.SessionTerms(
            peer_asn=self.asn,
            local_asn=LOCAL_ASN,
            four_octet_as=True,
            families=FAMILIES,
            add_path_receive=FAMILIES if self.add_path else (),
            local_router_id=ROUTER_ID,
        )


@dataclass(frozen=True)
class Terms:
    """Of an export, beyond what the peer is."""

    afi: int
    local_address: str
    local_link: str | None = None
    max_message: int = 4096
    extended_next_hop: bool = False


IPV4, IPV6 = Terms(1, "10.0.0.254"), Terms(2, "2001:db8:1::fe")
OTHER_TERMS = (
    IPV4,
    IPV6,
    Terms(1, "10.0.1.254"),
    Terms(2, "2001:db8:1::fe", "fe80::fe"),
    Terms(1, "2001:db8:1::fe", "fe80::fe", extended_next_hop=True),
    Terms(1, "2001:db8:1::fe", "fe80::fe"),
    Terms(1, "10.0.0.254", max_message=70),
    Terms(2, "2001:db8:1::fe", max_message=95),
)


@dataclass
class Consumer:
    """One consumer at each engine, and what each was told."""

    native: int
    reference: int
    native_told: Any
    reference_told: Any
    max_message: int = 4096


@dataclass
class Pair:
    native: native.Engine = field(
        default_factory=lambda: native.Engine(router_id=ROUTER_ID, asn=LOCAL_ASN, digest_key=DIGEST_KEY)
    )
    reference: ReferenceEngine = field(
        default_factory=lambda: ReferenceEngine(router_id=ROUTER_ID, asn=LOCAL_ASN, digest_key=DIGEST_KEY)
    )

    received: int = 0

    def both(self, call: Callable[[Any], Any]) -> Any:
        """The one result of both."""
        first, second = call(self.native), call(self.reference)
        assert first == second
        return first

    def settle(self) -> None:
        for _ in range(1000):
            if not self.native.step(7) and not self.reference.step(7):
                return
        raise AssertionError("the deferred work does not end")

    # --- sources ----------------------------------------------------------------------------------------------------

    def add_peer(self, config: PeerConfig) -> int:
        number: int = self.both(
            lambda engine: engine.add_peer(
                address=packed(config.address),
                asn=config.asn,
                router_id=packed(config.router_id),
                ebgp=config.ebgp,
                import_accept=config.import_accept,
            )
        )
        return number

    def receive(self, source: int, config: PeerConfig, data: bytes) -> Changes:
        framed = native.Framer(4096).feed(data)
        assert framed.error is None
        (updates,) = framed.items
        assert isinstance(updates, native.Updates)
        changes = native.decode(updates, config.terms())
        assert changes.error is None
        self.received += 1
        if self.received % 2:
            self.native.apply(source, changes)
        else:  # the same in one call
            assert self.native.receive(source, updates, config.terms()).announced == changes.announced
        self.reference.apply(source, changes.rows())
        return changes

    def announce(
        self, source: int, config: PeerConfig, prefixes: Sequence[PrefixBytes], row: dict[str, Any], path_id: int = 0
    ) -> None:
        ids = [path_id] * len(prefixes) if config.add_path else None
        self.receive(source, config, announcement(prefixes, row, ids))

    def withdraw(self, source: int, config: PeerConfig, prefixes: Sequence[PrefixBytes], path_id: int = 0) -> None:
        ids = [path_id] * len(prefixes) if config.add_path else None
        self.receive(source, config, withdrawal(prefixes, ids))

    # --- consumers --------------------------------------------------------------------------------------------------

    def open_fib(self) -> Consumer:
        return Consumer(self.native.fib_open(), self.reference.fib_open(), FoldedFib(), FoldedFib())

    def close_fib(self, consumer: Consumer) -> None:
        self.native.fib_close(consumer.native)
        self.reference.fib_close(consumer.reference)

    def open_export(self, source: int, config: PeerConfig, terms: Terms) -> Consumer:
        def open_at(engine: Any) -> int:
            number: int = engine.export_open(
                peer_source=source,
                afi=terms.afi,
                safi=1,
                ebgp=config.ebgp,
                local_asn=LOCAL_ASN,
                peer_asn=config.asn,
                next_hop_self=config.next_hop_self,
                local_address=packed(terms.local_address),
                local_link=packed(terms.local_link) if terms.local_link else None,
                four_octet_as=config.four_octet_as,
                max_message=terms.max_message,
                extended_next_hop=terms.extended_next_hop,
            )
            return number

        told = (FoldedExport(four_octet_as=config.four_octet_as), FoldedExport(four_octet_as=config.four_octet_as))
        return Consumer(open_at(self.native), open_at(self.reference), *told, terms.max_message)

    def close_export(self, consumer: Consumer) -> None:
        self.native.export_close(consumer.native)
        self.reference.export_close(consumer.reference)

    def read_fib(self, consumer: Consumer, max_routes: int) -> None:
        """One part of each stream."""
        for engine, number, told in self.ends(consumer):
            delta = engine.fib_read(number, max_routes)
            if delta is not None:
                told.apply(delta)

    def read_export(self, consumer: Consumer, max_routes: int) -> None:
        for engine, number, told in self.ends(consumer):
            part = engine.export_read(number, max_routes)
            if part is not None:
                told.take(part)

    def ends(self, consumer: Consumer) -> list[tuple[Any, int, Any]]:
        return [
            (self.native, consumer.native, consumer.native_told),
            (self.reference, consumer.reference, consumer.reference_told),
        ]

    # --- comparing --------------------------------------------------------------------------------------------------

    def compare_fib(self, consumer: Consumer) -> None:
        """Read to the end: columns, groups and digest are equal, whatever ids and order were."""
        for engine, number, told in self.ends(consumer):
            told.read_all(engine, number, 3)
        routes, groups = consumer.native_told.content()
        wanted_routes, wanted_groups = consumer.reference_told.content()
        assert named(routes) == named(wanted_routes)
        assert groups == wanted_groups
        state = self.native.fib_snapshot_state(consumer.native)
        assert state == self.reference.fib_snapshot_state(consumer.reference)
        assert state == (True, len(routes), consumer.native_told.digest(DIGEST_KEY))
        assert len(consumer.native_told.groups) == len(groups), "a group without routes outlived the end of the stream"

    def compare_export(self, consumer: Consumer) -> None:
        for engine, number, told in self.ends(consumer):
            told.read_all(engine, number, 3)
            assert told.end_of_rib == 1
            assert told.longest <= consumer.max_message
        if consumer.native_told._width == 4 and consumer.max_message == 4096:
            wanted = {
                row["prefix"]: row["attributes"] for row in self.reference.adj_rib_out(consumer.reference, 10_000)
            }
            found = {row["prefix"]: row["attributes"] for row in self.native.adj_rib_out(consumer.native, 10_000)}
            assert found == wanted
        assert consumer.native_told.routes == consumer.reference_told.routes
        assert self.native.export_backlog(consumer.native) == 0

    def compare_routes(self, prefixes: Sequence[PrefixBytes], addresses: Sequence[bytes]) -> None:
        for where in prefixes:
            assert route(self.native.lookup(where)) == route(self.reference.lookup(where))
        for address in addresses:
            assert self.native.longest_match(address) == self.reference.longest_match(address)
        for afi in (1, 2):
            assert pages(self.native, afi) == pages(self.reference, afi)
        assert groups(self.native) == groups(self.reference)
        counts, wanted = self.native.counts(), self.reference.counts()
        for family in ("ipv4", "ipv6"):
            assert {key: counts[family][key] for key in wanted[family]} == wanted[family]
        assert counts["groups"] == wanted["groups"]
        assert counts["tracked_next_hops"] == wanted["tracked_next_hops"]


def named(routes: dict[tuple[int, PrefixBytes], bytes]) -> dict[tuple[int, str], str]:
    return {(table, str(Prefix(*where))): key.hex() for (table, where), key in routes.items()}


def without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def route(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A looked up route without the numbers that each engine hands out as it likes."""
    if row is None:
        return None
    paths = []
    for path in row["paths"]:
        hops = [
            without(hop, "adjacencies", "via", "metric")
            | {"adjacencies": [without(adjacency, "id") for adjacency in hop["adjacencies"]]}
            | ({"via": hop["via"], "metric": hop["metric"]} if hop["resolved"] else {})
            for hop in path["next_hops"]
        ]
        paths.append(without(path, "next_hops") | {"next_hops": hops})
    paths.sort(key=lambda path: (path["source"], path["path_id"]))
    return without(row, "paths", "group") | {"paths": paths, "group": group(row["group"]) if row["group"] else None}


def group(row: dict[str, Any]) -> dict[str, Any]:
    members = [without(member, "adjacency") for member in row["members"]]
    return without(row, "id", "members") | {"members": members}


def groups(engine: Any) -> list[dict[str, Any]]:
    return sorted((group(row) for row in engine.groups()), key=lambda row: str(row["key"]))


def pages(engine: Any, afi: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        part, cursor = engine.page(afi, cursor, 3)
        rows += part
    out = [
        without(row, "group", "next_hops") | {"next_hops": [without(hop, "id") for hop in row["next_hops"]]}
        for row in rows
    ]
    return sorted(out, key=lambda row: str(row["prefix"]))
