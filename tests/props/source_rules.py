"""Rules: peers come, tell, and go; static and connected routes appear under the next hops."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.props.machine import Machine, settle_or_not
from tests.props.peers import PeerConfig, PrefixBytes
from tests.props.pools import (
    fitting,
    near_attributes,
    of_pool,
    some_attributes,
    some_port,
    some_prefix,
    some_prefixes,
    static_hop,
)

MOST_PEERS = 9
which_one = st.integers(0, 11)
path_ids = st.integers(0, 2)


class PeerRules(Machine):
    @precondition(lambda self: len(self.peers) < MOST_PEERS)
    @rule(config=of_pool("peers"), where=which_one)
    def peer_up(self, config: PeerConfig, where: int) -> None:
        self.establish(config, self.instance(where))

    @precondition(lambda self: self.peers)
    @rule(which=which_one, settle=settle_or_not, slices=st.integers(0, 3))
    def peer_lost(self, which: int, settle: bool, slices: int) -> None:
        peer = self.peers.pop(which % len(self.peers))
        for consumer in peer.eager + peer.lazy:
            self.pair.close(consumer)
        self.pair.call("remove_source", peer.number)
        for _ in range(slices):
            self.pair.native.step(2)
        self.done(settle)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, where=some_prefixes, row=some_attributes, path_id=path_ids, settle=settle_or_not)
    def announce(self, which: int, where: list[PrefixBytes], row: dict[str, Any], path_id: int, settle: bool) -> None:
        peer = self.peer(which)
        family = [one for one in where if len(one[0]) == len(where[0][0])]
        self.pair.announce(peer.number, peer.config, family, fitting(row, where[0], peer.config), path_id)
        peer.said.append((family, row, path_id))
        self.done(settle)

    @rule(
        where=of_pool("contested"),
        rows=st.lists(near_attributes, min_size=MOST_PEERS, max_size=MOST_PEERS),
        path_id=path_ids,
        settle=settle_or_not,
    )
    def all_announce(self, where: PrefixBytes, rows: list[dict[str, Any]], path_id: int, settle: bool) -> None:
        """One prefix with as many paths as there are peers."""
        for peer, row in zip(self.peers, rows, strict=False):
            self.pair.announce(peer.number, peer.config, [where], fitting(row, where, peer.config), path_id)
            peer.said.append(([where], row, path_id))
        self.done(settle)

    @precondition(lambda self: self.peers)
    @rule(which=which_one, where=some_prefixes, path_id=path_ids, settle=settle_or_not)
    def withdraw(self, which: int, where: list[PrefixBytes], path_id: int, settle: bool) -> None:
        peer = self.peer(which)
        family = [one for one in where if len(one[0]) == len(where[0][0])]
        self.pair.withdraw(peer.number, peer.config, family, path_id)
        self.done(settle)

    @rule(budget=st.integers(1, 9))
    def step_a_little(self, budget: int) -> None:
        self.pair.native.step(budget)
        self.settled = False


class LocalRules(Machine):
    @rule(
        which=which_one, where=some_prefix, port=some_port, local=st.booleans(), metric=st.sampled_from((0, 0, 10)),
        settle=settle_or_not,
    )  # fmt: skip
    def put_connected(
        self, which: int, where: PrefixBytes, port: tuple[str, str], local: bool, metric: int, settle: bool
    ) -> None:
        source = self.local_of(which).connected
        self.pair.call("put_connected", source, where, *port, local=local, metric=metric)
        self.done(settle)

    @rule(
        which=which_one, where=some_prefix, hops=st.lists(static_hop, min_size=1, max_size=3),
        kind=st.sampled_from(("via", "via", "via", "blackhole", "unreachable")),
        distance=st.sampled_from((1, 1, 20, 250)), metric=st.sampled_from((0, 0, 10)), settle=settle_or_not,
    )  # fmt: skip
    def put_static(
        self, which: int, where: PrefixBytes, hops: list[dict[str, Any]], kind: str, distance: int, metric: int,
        settle: bool,
    ) -> None:  # fmt: skip
        source, hops = self.local_of(which).static, hops if kind == "via" else []
        self.pair.call("put_static", source, where, hops, kind=kind, distance=distance, metric=metric, tag=7)
        self.done(settle)

    @rule(which=which_one, static=st.booleans(), where=some_prefix, settle=settle_or_not)
    def delete(self, which: int, static: bool, where: PrefixBytes, settle: bool) -> None:
        source = self.local_of(which)
        self.pair.call("delete", source.static if static else source.connected, where)
        self.done(settle)

    @rule(which=which_one, settle=settle_or_not)
    def local_sources_lost(self, which: int, settle: bool) -> None:
        """The instance gets new ones."""
        lost = self.local.pop(which % len(self.local))
        self.pair.call("remove_source", lost.connected)
        self.pair.call("remove_source", lost.static)
        self.add_local_sources(lost.instance)
        self.done(settle)

    @rule(port=some_port, up=st.booleans(), settle=settle_or_not)
    def set_port(self, port: tuple[str, str], up: bool, settle: bool) -> None:
        self.pair.call("set_port", *port, up)
        self.done(settle)
