"""The native engine and the reference driven together: every call goes to both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import native
from native import Changes
from rib.reference import ReferenceEngine
from tests.props.folding import FoldedExport, FoldedFib, FoldedWatch
from tests.props.peers import LOCAL_ASN, ROUTER_ID, PeerConfig, PrefixBytes, Terms, prefix
from tests.props.update_bytes import announcement, packed, withdrawal

DIGEST_KEY = bytes(range(16))
MAIN = 0
SLICES = 1_000_000


@dataclass
class Consumer:
    """One consumer at each engine, and what each was told."""

    native: int
    reference: int
    native_told: Any
    reference_told: Any


@dataclass
class ExportConsumer(Consumer):
    terms: Terms
    four_octet_as: bool


@dataclass
class WatchConsumer(Consumer):
    """``before`` is what the table held when it was opened, None if that cannot be said."""

    afi: int
    criteria: dict[str, Any]
    initial: bool
    before: dict[str, dict[str, Any]] | None


@dataclass
class Pair:
    native: native.Engine = field(
        default_factory=lambda: native.Engine(router_id=ROUTER_ID, asn=LOCAL_ASN, digest_key=DIGEST_KEY)
    )
    reference: ReferenceEngine = field(
        default_factory=lambda: ReferenceEngine(router_id=ROUTER_ID, asn=LOCAL_ASN, digest_key=DIGEST_KEY)
    )
    instances: list[int] = field(default_factory=lambda: [MAIN])
    received: int = 0

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """The one result of both."""
        result = getattr(self.native, method)(*arguments, **named)
        assert result == getattr(self.reference, method)(*arguments, **named)
        return result

    def call_of(self, consumer: Consumer, method: str, *arguments: Any) -> Any:
        result = getattr(self.native, method)(consumer.native, *arguments)
        assert result == getattr(self.reference, method)(consumer.reference, *arguments)
        return result

    def settle(self) -> None:
        for _ in range(SLICES):
            if not self.native.step(7) and not self.reference.step(7):
                return
        raise AssertionError("the deferred work does not end")

    # --- sources ----------------------------------------------------------------------------------------------------

    def add_instance(self, *, fib: bool = True) -> int:
        number: int = self.call("add_instance", fib=fib)
        self.instances.append(number)
        return number

    def add_peer(self, config: PeerConfig, instance: int = MAIN) -> int:
        number: int = self.call("add_peer", **config.source(), instance=instance)
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
        self.receive(source, config, withdrawal(prefixes, ids, multiprotocol=config.extended))

    # --- consumers --------------------------------------------------------------------------------------------------

    def open_fib(self) -> Consumer:
        return Consumer(self.native.fib_open(), self.reference.fib_open(), FoldedFib(), FoldedFib())

    def resume_fib(self, old: Consumer) -> Consumer:
        """Another consumer for the box that ``old`` has served so far, as the native engine told it."""
        self.close(old)
        number, equal = self.native.fib_resume(old.native_told.shard_sums(DIGEST_KEY))
        reference, wanted = self.reference.fib_resume(old.native_told.shard_sums(DIGEST_KEY))
        assert sorted(equal) == sorted(wanted)
        return Consumer(number, reference, *(old.native_told.resumed(DIGEST_KEY, equal) for _ in range(2)))

    def open_export(self, source: int, config: PeerConfig, terms: Terms) -> ExportConsumer:
        def open_at(engine: Any) -> int:
            number: int = engine.export_open(
                peer_source=source,
                afi=terms.afi,
                safi=1,
                ebgp=config.ebgp,
                member=config.member,
                local_asn=LOCAL_ASN,
                peer_asn=config.asn,
                next_hop_self=config.next_hop_self,
                local_address=packed(terms.local_address),
                local_link=packed(terms.local_link) if terms.local_link else None,
                four_octet_as=config.four_octet_as,
                max_message=terms.max_message,
                extended_next_hop=terms.extended_next_hop,
                aigp=terms.aigp,
                role=terms.role,
                client=config.client,
                cluster_id=packed(terms.cluster_id) if terms.cluster_id else None,
                llgr=terms.llgr,
                next_hop_unchanged=terms.next_hop_unchanged,
                private_as=terms.private_as,
                as_override=terms.as_override,
                shared=[prefix(subnet) for subnet in terms.shared],
                add_path=terms.add_path,
            )
            return number

        def folded() -> FoldedExport:
            return FoldedExport(four_octet_as=config.four_octet_as, path_ids=terms.add_path > 0)

        told = (folded(), folded())
        return ExportConsumer(open_at(self.native), open_at(self.reference), *told, terms, config.four_octet_as)

    def open_watch(
        self, afi: int, *, initial: bool, before: dict[str, dict[str, Any]] | None, **criteria: Any
    ) -> WatchConsumer:
        def open_at(engine: Any) -> int:
            number: int = engine.watch_open(afi, initial=initial, **criteria)
            return number

        told = (FoldedWatch(initial=initial), FoldedWatch(initial=initial))
        return WatchConsumer(open_at(self.native), open_at(self.reference), *told, afi, criteria, initial, before)

    def close(self, consumer: Consumer) -> None:
        for engine, number, _ in self.ends(consumer):
            if isinstance(consumer, ExportConsumer):
                engine.export_close(number)
            elif isinstance(consumer, WatchConsumer):
                engine.watch_close(number)
            else:
                engine.fib_close(number)

    def read(self, consumer: Consumer, at_most: int, *, reference: bool = True) -> None:
        """One part of each stream."""
        for engine, number, told in self.ends(consumer)[: 2 if reference else 1]:
            if isinstance(consumer, ExportConsumer):
                part = engine.export_read(number, at_most)
                if part is not None:
                    told.apply(*part)
            else:
                read = engine.watch_read if isinstance(consumer, WatchConsumer) else engine.fib_read
                part = read(number, at_most)
                if part is not None:
                    told.apply(part)

    def ends(self, consumer: Consumer) -> list[tuple[Any, int, Any]]:
        return [
            (self.native, consumer.native, consumer.native_told),
            (self.reference, consumer.reference, consumer.reference_told),
        ]
