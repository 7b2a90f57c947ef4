"""The native engine against the reference: any sequence of announcements, withdrawals, peers coming and going, and
static and connected
routes appearing under the next hops gives both the same routes, groups, columns and UPDATEs.

The pools are small on purpose, so that prefixes cover next hops, next hops recurse and loop, and paths tie until late
steps.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.props.pair import IPV4, IPV6, OTHER_TERMS, Consumer, Pair, PeerConfig, Terms, prefix
from tests.props.update_bytes import packed

PREFIXES = [
    prefix(text)
    for text in (
        "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "10.0.1.0/24", "10.0.1.128/25", "192.0.2.0/24",
        "203.0.113.0/24", "203.0.113.0/25",
        "::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1/128", "2001:db8:2::/48",
    )
]  # fmt: skip
ADDRESSES = [
    "10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.129", "192.0.2.1", "203.0.113.1", "203.0.113.129", "172.16.0.1",
    "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
]  # fmt: skip
PEERS = [
    PeerConfig("a", "10.0.0.2", 65001, "1.1.1.1"),
    PeerConfig("b", "10.0.0.3", 65001, "1.1.1.2", add_path=True),
    PeerConfig("c", "10.0.1.3", 65002, "1.1.1.1"),
    PeerConfig("d", "2001:db8:1::3", 65002, "1.1.1.3", four_octet_as=False),
    PeerConfig("e", "10.0.1.4", 65000, "1.1.1.4"),
    PeerConfig("f", "10.0.1.5", 65000, "1.1.1.4", next_hop_self=True),
    PeerConfig("g", "10.0.1.6", 65003, "1.1.1.6", import_accept=False),
]
AS_PATHS = (
    "65001", "65001 65002", "65002", "65002 65001", "65002 {1,2,3}", "{7,8}", "", "(65010) 65001", "65001 65000",
)  # fmt: skip
INTERNAL = [config for config in PEERS if not config.ebgp]
CONTESTED = [prefix("203.0.113.0/24"), prefix("192.0.2.0/24"), prefix("0.0.0.0/0")]
NEAR = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1")  # connected at first, or contested
PORTS = [("ncp1", "eth0"), ("ncp1", "eth1"), ("ncp2", "eth0")]

some_prefix = st.sampled_from(PREFIXES)
some_prefixes = st.lists(some_prefix, min_size=1, max_size=4, unique=True)
some_address = st.sampled_from(ADDRESSES)


def attribute_rows(next_hop: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "origin": st.sampled_from(("igp", "igp", "egp", "incomplete")),
            "as_path": st.sampled_from(AS_PATHS),
            "next_hop": st.just(next_hop),
            "link_local": st.none(),
            "med": st.sampled_from((None, None, 0, 1, 5)),
            "local_pref": st.sampled_from((None, None, 100, 200)),
            "atomic_aggregate": st.booleans(),
            "aggregator": st.sampled_from((None, None, "4200000000 192.0.2.9", "65001 192.0.2.9")),
            "communities": st.sampled_from(([], [], ["65001:1"], ["65535:65281"], ["65001:7", "65535:65282"])),
            "originator_id": st.sampled_from((None, None, "1.1.1.1", "1.1.1.9", "9.9.9.9")),
            "cluster_list": st.sampled_from(([], [], ["1.0.0.1"], ["1.0.0.1", "1.0.0.2"])),
            "extended_communities": st.sampled_from(([], [], ["0002fde800000001", "4302fde800000001"])),
            "large_communities": st.sampled_from(([], [], ["4200000000:1:2"])),
            "unknown": st.sampled_from(([], [], [[0xE0, 99, "0102"]])),
        }
    )


def tying_rows(next_hop: str) -> st.SearchStrategy[dict[str, Any]]:
    """Attributes that seldom decide early, so that the late steps do."""
    fixed: dict[str, Any] = {
        "origin": "igp", "as_path": "65001", "link_local": None, "local_pref": None, "atomic_aggregate": False,
        "aggregator": None, "communities": [], "extended_communities": [], "large_communities": [], "unknown": [],
        "next_hop": next_hop,
    }  # fmt: skip
    varied = st.fixed_dictionaries(
        {
            "med": st.sampled_from((None, None, 1)),
            "originator_id": st.sampled_from((None, "1.1.1.1", "1.1.1.4")),
            "cluster_list": st.sampled_from(([], ["1.0.0.1"])),
        }
    )
    return varied.map(lambda more: fixed | more)


some_attributes = some_address.flatmap(lambda hop: st.one_of(tying_rows(hop), attribute_rows(hop)))
static_hop = st.one_of(
    st.fixed_dictionaries({"address": some_address.map(packed), "weight": st.sampled_from((1, 1, 3))}),
    st.builds(
        lambda address, port: {"address": address, "ncp": port[0], "port": port[1], "weight": 1},
        st.one_of(st.just(packed("fe80::1")), st.just(b""), some_address.map(packed)),
        st.sampled_from(PORTS),
    ),
)


class Engines(RuleBasedStateMachine):
    """``settle`` False leaves deferred work waiting, so that the next change meets it half done."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.connected = [self.pair.both(lambda engine: engine.add_connected_source()) for _ in range(2)]
        self.static = [self.pair.both(lambda engine: engine.add_static_source()) for _ in range(2)]
        self.up: dict[int, PeerConfig] = {}
        self.exports: dict[int, list[Consumer]] = {}
        self.eager_fib = self.pair.open_fib()
        self.lazy_fib = [self.pair.open_fib()]
        self.lazy_exports: dict[int, list[Consumer]] = {}
        self.settled = True

    def _done(self, settle: bool) -> None:
        self.settled = settle
        if settle:
            self.pair.settle()

    @initialize(
        target=peers,
        configs=st.one_of(st.lists(st.sampled_from(PEERS), min_size=1, unique=True), st.just(INTERNAL)),
        networks=st.lists(some_prefix, max_size=3),
    )
    def start(self, configs: list[PeerConfig], networks: list[tuple[bytes, int]]) -> Any:
        self._networks(networks)
        for engine in (self.pair.native, self.pair.reference):
            for where, metric in (("10.0.0.0/24", 0), ("10.0.1.0/24", 10), ("2001:db8:1::/48", 0)):
                engine.put_connected(self.connected[0], prefix(where), "ncp1", "eth0", metric=metric)
        return multiple(*[self._peer_up(config) for config in configs])

    def _networks(self, networks: list[tuple[bytes, int]]) -> None:
        for engine in (self.pair.native, self.pair.reference):
            engine.set_networks(1, [where for where in networks if len(where[0]) == 4])
            engine.set_networks(2, [where for where in networks if len(where[0]) == 16])

    def _peer_up(self, config: PeerConfig) -> int:
        number = self.pair.add_peer(config)
        self.up[number] = config
        self.exports[number] = [self.pair.open_export(number, config, terms) for terms in (IPV4, IPV6)]
        self.lazy_exports[number] = []
        return number

    @precondition(lambda self: len(self.up) < 9)
    @rule(target=peers, config=st.sampled_from(PEERS))
    def peer_up(self, config: PeerConfig) -> int:
        return self._peer_up(config)

    @rule(peer=consumes(peers), settle=st.booleans(), slices=st.integers(0, 3))
    def peer_lost(self, peer: int, settle: bool, slices: int) -> None:
        for consumer in self.exports.pop(peer) + self.lazy_exports.pop(peer):
            self.pair.close_export(consumer)
        del self.up[peer]
        self.pair.both(lambda engine: engine.remove_source(peer))
        for _ in range(slices):
            self.pair.native.step(2)
        self._done(settle)

    @rule(peer=peers, where=some_prefixes, row=some_attributes, path_id=st.integers(0, 2), settle=st.booleans())
    def announce(
        self, peer: int, where: list[tuple[bytes, int]], row: dict[str, Any], path_id: int, settle: bool
    ) -> None:
        # IPv6 prefixes do not travel with an IPv4 next hop.
        first = where[0]
        if len(first[0]) == 16 and "." in row["next_hop"]:
            row = row | {"next_hop": "2001:db8:1::1"}
        family = [one for one in where if len(one[0]) == len(first[0])]
        self.pair.announce(peer, self.up[peer], family, row, path_id)
        self._done(settle)

    @rule(
        where=st.sampled_from(CONTESTED),
        rows=st.lists(st.sampled_from(NEAR).flatmap(tying_rows), min_size=len(PEERS), max_size=len(PEERS)),
        settle=st.booleans(),
    )
    def all_announce(self, where: tuple[bytes, int], rows: list[dict[str, Any]], settle: bool) -> None:
        """One prefix with as many paths as there are peers."""
        for (peer, config), row in zip(self.up.items(), rows, strict=False):
            self.pair.announce(peer, config, [where], row, config.add_path)
        self._done(settle)

    @rule(peer=peers, where=some_prefixes, path_id=st.integers(0, 2), settle=st.booleans())
    def withdraw(self, peer: int, where: list[tuple[bytes, int]], path_id: int, settle: bool) -> None:
        family = [one for one in where if len(one[0]) == len(where[0][0])]
        self.pair.withdraw(peer, self.up[peer], family, path_id)
        self._done(settle)

    @rule(
        which=st.integers(0, 1), where=some_prefix, port=st.sampled_from(PORTS), local=st.booleans(),
        metric=st.sampled_from((0, 0, 10)), settle=st.booleans(),
    )  # fmt: skip
    def put_connected(
        self, which: int, where: tuple[bytes, int], port: tuple[str, str], local: bool, metric: int, settle: bool
    ) -> None:
        source = self.connected[which]
        self.pair.both(lambda engine: engine.put_connected(source, where, *port, local=local, metric=metric))
        self._done(settle)

    @rule(
        which=st.integers(0, 1), where=some_prefix, hops=st.lists(static_hop, min_size=1, max_size=3),
        kind=st.sampled_from(("via", "via", "via", "blackhole", "unreachable")), distance=st.sampled_from((1, 1, 20,
        250)),
        metric=st.sampled_from((0, 0, 10)), settle=st.booleans(),
    )  # fmt: skip
    def put_static(
        self, which: int, where: tuple[bytes, int], hops: list[dict[str, Any]], kind: str, distance: int, metric: int,
        settle: bool,
    ) -> None:  # fmt: skip
        source, hops = self.static[which], hops if kind == "via" else []
        self.pair.both(
            lambda engine: engine.put_static(source, where, hops, kind=kind, distance=distance, metric=metric, tag=7)
        )
        self._done(settle)

    @rule(which=st.integers(0, 3), where=some_prefix, settle=st.booleans())
    def delete(self, which: int, where: tuple[bytes, int], settle: bool) -> None:
        source = (self.connected + self.static)[which]
        self.pair.both(lambda engine: engine.delete(source, where))
        self._done(settle)

    @rule(networks=st.lists(some_prefix, max_size=4))
    def set_networks(self, networks: list[tuple[bytes, int]]) -> None:
        self._networks(networks)

    @rule(budget=st.integers(1, 5))
    def step_a_little(self, budget: int) -> None:
        self.pair.native.step(budget)
        self.settled = False

    @rule()
    def open_lazy_fib(self) -> None:
        if len(self.lazy_fib) == 3:
            self.pair.close_fib(self.lazy_fib.pop(0))
        self.lazy_fib.append(self.pair.open_fib())

    @rule(peer=peers, terms=st.sampled_from(OTHER_TERMS))
    def open_lazy_export(self, peer: int, terms: Terms) -> None:
        opened = self.lazy_exports[peer]
        if len(opened) == 3:
            self.pair.close_export(opened.pop(0))
        opened.append(self.pair.open_export(peer, self.up[peer], terms))

    @rule(max_routes=st.integers(1, 4))
    def read_lazily(self, max_routes: int) -> None:
        """Consumers at different positions of the same logs, met by changes half way through."""
        for consumer in self.lazy_fib:
            self.pair.read_fib(consumer, max_routes)
        for consumers in self.lazy_exports.values():
            for consumer in consumers[:2]:
                self.pair.read_export(consumer, max_routes)

    @rule()
    def catch_up(self) -> None:
        self._done(True)
        for consumer in self.lazy_fib:
            self.pair.compare_fib(consumer)
        for consumers in self.lazy_exports.values():
            for consumer in consumers:
                self.pair.compare_export(consumer)

    @invariant()
    def engines_agree(self) -> None:
        if not self.settled:
            return
        self.pair.compare_routes(PREFIXES, [packed(address) for address in ADDRESSES])
        for number in self.up:
            assert self.pair.native.source_counts(number) == self.pair.reference.source_counts(number)
        self.pair.compare_fib(self.eager_fib)
        for consumers in self.exports.values():
            for consumer in consumers:
                self.pair.compare_export(consumer)


HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def machine_settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=HEALTH, print_blob=True
    )


@pytest.mark.timeout(600)  # finding the smallest failing case takes its time
def test_native_and_reference_agree_after_any_changes() -> None:
    run_state_machine_as_test(Engines, settings=machine_settings(60, 40))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_native_and_reference_agree_after_any_changes_for_long() -> None:
    run_state_machine_as_test(Engines, settings=machine_settings(1500, 60))
