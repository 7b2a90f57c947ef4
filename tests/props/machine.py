"""The machine that drives a pair of engines: what every one of the state machines stands on.

The rules are in ``*_rules``; a machine is made of those it mixes.

``settle`` False leaves deferred work waiting, so that the next change meets it half done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.props.comparing import compare, compare_tables
from tests.props.pair import MAIN, Consumer, Pair
from tests.props.peers import ALL_PATHS, IPV4, IPV6, PeerConfig, PrefixBytes, prefix
from tests.props.pools import CONNECTED, Pools, any_prefixes, of_pool, some_options
from tests.props.update_bytes import packed

settle_or_not = st.sampled_from((True, True, False))


@dataclass
class Peer:
    """An Established session, and the consumers that read for it."""

    number: int
    config: PeerConfig
    instance: int
    eager: list[Consumer]
    lazy: list[Consumer] = field(default_factory=list)
    said: list[tuple[list[PrefixBytes], dict[str, Any], int]] = field(default_factory=list)


@dataclass
class Local:
    """The numbers of a connected and a static source."""

    instance: int
    connected: int
    static: int


class Machine(RuleBasedStateMachine):
    pools: ClassVar[Pools] = Pools()
    more_instances: ClassVar[st.SearchStrategy[list[bool]]] = st.just([])  # of each whether it has a FIB

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.peers: list[Peer] = []
        self.local: list[Local] = []
        self.seconds = 0
        self.fib = self.pair.open_fib()
        self.watches: list[Consumer] = []
        self.settled = True

    def done(self, settle: bool) -> None:
        self.settled = settle
        if settle:
            self.pair.settle()

    @initialize(
        configs=st.runner().flatmap(
            lambda machine: st.lists(of_pool("peers"), min_size=1, max_size=len(machine.pools.peers), unique=True)
        ),
        fibs=st.runner().flatmap(lambda machine: machine.more_instances),
        networks=any_prefixes,
        options=some_options,
    )
    def start(
        self, configs: list[PeerConfig], fibs: list[bool], networks: list[PrefixBytes], options: dict[str, Any]
    ) -> None:
        for fib in fibs:
            self.pair.add_instance(fib=fib)
        for instance in (MAIN, *self.pair.instances):  # the main one twice: two sources of each kind
            self.add_local_sources(instance)
        for instance in self.pair.instances:
            self.pair.call("set_options", instance=instance, **options)
        self.originate(networks, MAIN)
        for where, metric in CONNECTED:
            self.pair.call("put_connected", self.local[0].connected, prefix(where), "ncp1", "eth0", metric=metric)
        for index, config in enumerate(configs):
            self.establish(config, self.pair.instances[index % len(self.pair.instances)])

    def add_local_sources(self, instance: int) -> None:
        connected = self.pair.call("add_connected_source", instance=instance)
        self.local.append(Local(instance, connected, self.pair.call("add_static_source", instance=instance)))

    def originate(self, networks: list[PrefixBytes], instance: int) -> None:
        for afi, width in ((1, 4), (2, 16)):
            of_family = [where for where in networks if len(where[0]) == width]
            self.pair.call("set_networks", afi, of_family, instance=instance)

    def establish(self, config: PeerConfig, instance: int) -> None:
        number = self.pair.add_peer(config, instance)
        told = (IPV4, IPV6, ALL_PATHS) if config.add_path else (IPV4, IPV6)
        eager: list[Consumer] = [self.pair.open_export(number, config, terms) for terms in told]
        self.peers.append(Peer(number, config, instance, eager))

    def peer(self, which: int) -> Peer:
        return self.peers[which % len(self.peers)]

    def local_of(self, which: int) -> Local:
        return self.local[which % len(self.local)]

    def instance(self, which: int) -> int:
        return self.pair.instances[which % len(self.pair.instances)]

    @invariant()
    def engines_agree(self) -> None:
        if not self.settled:
            return
        compare_tables(self.pair, self.pools.prefixes, [packed(address) for address in self.pools.addresses])
        for peer in self.peers:
            self.pair.call("source_counts", peer.number)
            for consumer in peer.eager:
                compare(self.pair, consumer)
        for consumer in [self.fib, *self.watches]:
            compare(self.pair, consumer)
        assert self.pair.native.healthy
