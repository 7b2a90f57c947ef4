"""Peers are told of new prefixes once every box has them: the native engine against the reference, under any order of
changes, reads, answers, refusals and absences; and both against a router that waits for nobody."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.props.comparing import nameless, shown
from tests.props.pair import Consumer, ExportConsumer, Pair
from tests.props.peers import ALL_PATHS, IPV4, LOCAL_ASN, PeerConfig, Terms, prefix
from tests.rib.test_export_groups import ROW

PREFIXES = [prefix(text) for text in ("9.0.0.0/8", "9.1.0.0/16", "10.7.0.0/24", "8.0.0.0/8", "7.0.0.0/8")]
TABLE = 1  # of the main instance's IPv4 routes
MOST_BOXES = 3

GIVERS = (
    PeerConfig("external", "10.0.0.2", 65001, "1.1.1.1"),
    PeerConfig("internal", "10.0.0.3", LOCAL_ASN, "2.2.2.2"),
)
READERS: tuple[tuple[PeerConfig, Terms], ...] = (
    (PeerConfig("customer", "10.9.0.2", 65100, "3.3.3.3"), IPV4),
    (PeerConfig("route server client", "10.9.0.3", 65101, "4.4.4.4"), replace(IPV4, next_hop_unchanged=True)),
    (PeerConfig("reflection client", "10.9.0.4", LOCAL_ASN, "5.5.5.5", client=True), IPV4),
    (PeerConfig("self", "10.9.0.5", LOCAL_ASN, "6.6.6.6", next_hop_self=True), IPV4),
    (PeerConfig("several", "10.9.0.6", 65102, "7.7.7.7"), ALL_PATHS),
    (PeerConfig("on the subnet", "10.0.0.9", 65103, "8.8.8.8"), replace(IPV4, shared=("10.0.0.0/24",))),
)

Act = tuple[str, int, int, int]
which, where = st.integers(0, 2), st.integers(0, len(PREFIXES) - 1)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.integers(0, 1), where, st.integers(1, 2)),
        st.tuples(st.just("take"), st.integers(0, 1), where, st.just(0)),
        st.tuples(st.just("drop"), st.just(0), where, st.booleans()),
        st.tuples(st.just("connect"), st.just(0), where, st.booleans()),
        st.tuples(st.just("answer"), which, st.integers(0, 2), st.just(0)),
        st.tuples(st.just("answer"), which, st.just(0), st.just(0)),
        st.tuples(st.just("wait"), which, st.just(0), st.booleans()),
        st.tuples(st.just("fail"), which, where, st.booleans()),
        st.tuples(st.just("box"), which, st.just(0), st.booleans()),
        st.tuples(st.just("peer"), st.integers(0, len(READERS) - 1), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@dataclass
class Router:
    """Both engines, whose boxes read at once and answer when told to."""

    waits: bool
    pair: Pair = field(default_factory=Pair)
    boxes: list[Consumer] = field(default_factory=list)
    reads: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of each box, the numbers of its reads that it has not answered, at both engines."""
    answered: list[tuple[int, int]] = field(default_factory=list)
    """The last that it has."""
    failed: list[set[int]] = field(default_factory=list)
    peers: list[ExportConsumer] = field(default_factory=list)

    def __post_init__(self) -> None:
        pair = self.pair
        pair.call("set_options", advertise_installed=self.waits)
        self.connected = pair.call("add_connected_source")
        self.static = pair.call("add_static_source")
        pair.call("put_connected", self.connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
        pair.call("set_networks", 1, PREFIXES[:3])
        self.givers = [(config, pair.add_peer(config)) for config in GIVERS]
        for number in range(len(READERS)):
            self.peer(number, 0, 0)
        self.box(0, 0, True)

    def do(self, what: str, which: int, where: int, more: int) -> None:
        getattr(self, what)(which, where, more)
        self.pair.settle()
        self.read()

    def read(self) -> None:
        for box, unanswered in zip(self.boxes, self.reads, strict=True):
            for engine, number, told in self.pair.ends(box):
                told.read_all(engine, number)
            last = (self.pair.native.fib_reads(box.native), self.pair.reference.fib_reads(box.reference))
            if not unanswered or unanswered[-1] != last:
                unanswered.append(last)
        for peer in self.peers:
            for engine, number, told in self.pair.ends(peer):
                told.read_all(engine, number)

    # --- what may happen ----------------------------------------------------------------------------------------------

    def give(self, which: int, where: int, more: int) -> None:
        config, source = self.givers[which]
        row: dict[str, Any] = ROW | {"next_hop": f"10.0.0.{more + 1}", "as_path": str(config.asn)}
        self.pair.announce(source, config, [PREFIXES[where]], row)

    def take(self, which: int, where: int, more: int) -> None:
        config, source = self.givers[which]
        self.pair.withdraw(source, config, [PREFIXES[where]])

    def drop(self, which: int, where: int, more: bool) -> None:
        """A static route that discards."""
        if more:
            self.pair.call("put_static", self.static, PREFIXES[where], [], kind="blackhole")
        else:
            self.pair.call("delete", self.static, PREFIXES[where])

    def connect(self, which: int, where: int, more: bool) -> None:
        if more:
            self.pair.call("put_connected", self.connected, PREFIXES[where], "ncp1", "eth0")
        else:
            self.pair.call("delete", self.connected, PREFIXES[where])

    def peer(self, which: int, where: int, more: int) -> None:
        """Another session of the same kind."""
        config, terms = READERS[which]
        self.peers.append(self.pair.open_export(self.pair.add_peer(config), config, terms))

    def box(self, which: int, where: int, more: bool) -> None:
        """One comes, or goes."""
        if more and len(self.boxes) < MOST_BOXES:
            self.boxes.append(self.pair.open_fib())
            self.reads.append([])
            self.answered.append((0, 0))
            self.failed.append(set())
        elif not more and which < len(self.boxes):
            self.pair.close(self.boxes.pop(which))
            del self.reads[which], self.answered[which], self.failed[which]

    def wait(self, which: int, where: int, more: bool) -> None:
        if which < len(self.boxes):
            self.pair.call_of(self.boxes[which], "fib_wait", more)

    def fail(self, which: int, where: int, more: bool) -> None:
        if which < len(self.boxes):
            self.pair.call_of(self.boxes[which], "fib_failed", TABLE, PREFIXES[where], more)
            (self.failed[which].add if more else self.failed[which].discard)(where)

    def answer(self, which: int, where: int, more: int) -> None:
        """All but the newest ``where`` reads."""
        if which < len(self.boxes) and len(self.reads[which]) > where:
            box, reads = self.boxes[which], self.reads[which]
            self.answered[which] = native, reference = reads[len(reads) - 1 - where]
            del reads[: len(reads) - where]
            self.pair.native.fib_installed(box.native, native)
            self.pair.reference.fib_installed(box.reference, reference)

    def all_answer(self) -> None:
        """Nothing is missing, and nobody is away."""
        for which, failed in enumerate(self.failed):
            for where in list(failed):
                self.do("fail", which, where, False)
            self.do("wait", which, 0, True)
        for _ in range(2):  # what failed is asked for again
            for which in range(len(self.boxes)):
                self.do("answer", which, 0, 0)

    def ends(self) -> None:
        """End-of-RIB follows the last answer. The native engine also awaits those to changes of what boxes have."""
        answered = bool(self.boxes) and all(
            (self.pair.native.fib_reads(box.native), self.pair.reference.fib_reads(box.reference)) == last
            for box, last in zip(self.boxes, self.answered, strict=True)
        )
        for peer in self.peers:
            native, reference = (told.end_of_rib for *_, told in self.pair.ends(peer))
            assert native == reference if answered else native <= reference

    def told(self) -> list[list[Any]]:
        """What each peer has been told, which is the same whichever engine told it."""
        out = []
        for peer in self.peers:
            native, reference = (nameless(shown(engine, number)) for engine, number, _ in self.pair.ends(peer))
            assert native == reference
            assert nameless(peer.native_told.routes) == nameless(peer.reference_told.routes) == native
            out.append(native)
        for where in PREFIXES:
            found = [engine.lookup(where) for engine in (self.pair.native, self.pair.reference)]
            assert len({row is not None and row["waits"] for row in found}) == 1
        return out


@settings(max_examples=150, deadline=None)
@given(acts=acts)
def test_new_prefixes_are_told_once_every_box_has_them_by_both_engines_alike(acts: list[Act]) -> None:
    check(acts)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=5000, deadline=None)
@given(acts=acts)
def test_new_prefixes_are_told_once_every_box_has_them_by_both_engines_alike_for_long(acts: list[Act]) -> None:
    check(acts)


def check(acts: list[Act]) -> None:
    waiting, hasty = Router(waits=True), Router(waits=False)
    for act in acts:
        waiting.do(*act)
        hasty.do(*act)
        waiting.ends()
        early = hasty.told()
        assert all(
            {repr(row) for row in told} <= {repr(row) for row in all_told}
            for told, all_told in zip(waiting.told(), early, strict=True)
        )
    if not waiting.boxes:
        for router in (waiting, hasty):
            router.do("box", 0, 0, True)
    waiting.all_answer()
    assert waiting.told() == hasty.told()
    assert all(told.end_of_rib == 1 for peer in waiting.peers for *_, told in waiting.pair.ends(peer))
    assert all(waiting.pair.call_of(peer, "export_backlog") == 0 for peer in waiting.peers)


def test_the_end_of_the_initial_table_follows_a_prefix_of_it_that_changes_while_it_waits() -> None:
    router = Router(waits=True)
    router.do("answer", 0, 0, 0)
    router.do("give", 0, 0, 1)
    router.do("peer", 0, 0, 0)
    router.do("give", 0, 0, 2)
    router.do("answer", 0, 1, 0)
    peer = router.peers[-1]
    ends = [told for *_, told in router.pair.ends(peer)]
    assert [told.end_of_rib for told in ends] == [0, 0]
    router.do("answer", 0, 0, 0)
    assert [told.end_of_rib for told in ends] == [1, 1]
    assert all(len(told.routes) > 0 for told in ends)
