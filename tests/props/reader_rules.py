"""Rules: consumers that read at their own pace, and questions about the tables."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.props import rows
from tests.props.comparing import compare, watchable
from tests.props.machine import Machine
from tests.props.pair import Consumer
from tests.props.peers import OTHER_TERMS, PrefixBytes, Terms
from tests.props.pools import some_criteria, some_prefix, some_protocols
from tests.props.source_rules import which_one

MOST_OF_A_KIND = 3
which_family = st.sampled_from((1, 1, 2))


def fits_family(value: Any, afi: int) -> bool:
    """Whatever is not a prefix fits."""
    return not isinstance(value, tuple) or len(value[0]) == (4 if afi == 1 else 16)


class ConsumerRules(Machine):
    """Some consumers read a little now and then, so that they stand at different positions of the same logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lazy_fibs: list[Consumer] = [self.pair.open_fib()]
        self.lazy_watches: list[Consumer] = []

    def _opened(self, consumers: list[Consumer], one: Consumer) -> None:
        consumers.append(one)
        if len(consumers) > MOST_OF_A_KIND:
            self.pair.close(consumers.pop(0))

    @rule()
    def open_lazy_fib(self) -> None:
        self._opened(self.lazy_fibs, self.pair.open_fib())

    @precondition(lambda self: self.lazy_fibs)
    @rule(which=which_one)
    def resume_lazy_fib(self, which: int) -> None:
        """Whatever part it had read by then."""
        self.done(True)
        at = which % len(self.lazy_fibs)
        self.lazy_fibs[at] = self.pair.resume_fib(self.lazy_fibs[at])

    @precondition(lambda self: self.peers)
    @rule(which=which_one, terms=st.sampled_from(OTHER_TERMS))
    def open_lazy_export(self, which: int, terms: Terms) -> None:
        peer = self.peer(which)
        self._opened(peer.lazy, self.pair.open_export(peer.number, peer.config, terms))

    @rule(
        which=which_one, afi=which_family, protocols=some_protocols, within=st.one_of(st.none(), some_prefix),
        initial=st.booleans(), lazy=st.booleans(),
    )  # fmt: skip
    def open_watch(
        self, which: int, afi: int, protocols: list[str], within: PrefixBytes | None, initial: bool, lazy: bool
    ) -> None:
        if not fits_family(within, afi):
            within = None
        criteria = {"instance": self.instance(which), "protocols": protocols, "within": within}
        before = watchable(self.pair, afi, criteria) if self.settled else None
        opened = self.pair.open_watch(afi, initial=initial, before=before, **criteria)
        self._opened(self.lazy_watches if lazy else self.watches, opened)

    @rule(at_most=st.integers(1, 4))
    def read_lazily(self, at_most: int) -> None:
        for consumer in self.lazy_fibs + self.lazy_watches:
            self.pair.read(consumer, at_most)
        for peer in self.peers:
            for consumer in peer.lazy[:2]:
                self.pair.read(consumer, at_most)

    @rule()
    def catch_up(self) -> None:
        self.done(True)
        for consumer in self.lazy_fibs + self.lazy_watches + [one for peer in self.peers for one in peer.lazy]:
            compare(self.pair, consumer)


class QuestionRules(Machine):
    @rule(
        which=which_one,
        afi=which_family,
        limit=st.integers(1, 5),
        criteria=st.lists(some_criteria(), min_size=1, max_size=4),
    )
    def query(self, which: int, afi: int, limit: int, criteria: list[dict[str, Any]]) -> None:
        self.done(True)
        for one in criteria:
            asked = {name: value for name, value in one.items() if fits_family(value, afi)}
            asked["instance"] = self.instance(which)
            found = rows.query_pages(self.pair.native, afi, limit, **asked)
            assert found == rows.query_pages(self.pair.reference, afi, 1000, **asked)

    @rule(which=which_one, afi=which_family, where=some_prefix)
    def look_while_it_works(self, which: int, afi: int, where: PrefixBytes) -> None:
        """Whatever the native engine has still to do, it answers."""
        engine, instance = self.pair.native, self.instance(which)
        engine.lookup(where, instance=instance)
        engine.covering(where, instance=instance)
        rows.pages(engine, afi, instance)
        rows.query_pages(engine, afi, 2, instance=instance, best_only=False)
        rows.next_hops(engine)
        for peer in self.peers:
            for consumer in peer.eager:
                engine.adj_rib_out(consumer.native, 5)
        assert engine.memory()["total"] > 0
        assert engine.export_groups() or not self.peers

    @rule(which=which_one, where=st.lists(some_prefix, min_size=1, max_size=4))
    def covering(self, which: int, where: list[PrefixBytes]) -> None:
        self.done(True)
        keys, wanted_keys = rows.group_keys(self.pair.native), rows.group_keys(self.pair.reference)
        for one in where:
            found = self.pair.native.covering(one, instance=self.instance(which))
            wanted = self.pair.reference.covering(one, instance=self.instance(which))
            assert [rows.listed(row, keys) for row in found] == [rows.listed(row, wanted_keys) for row in wanted]
