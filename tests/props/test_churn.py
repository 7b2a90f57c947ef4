"""Tables too large for a state machine.

Thousands of changes, which the native engine takes in while it is still at work, and then one comparison.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.props.comparing import compare, compare_tables
from tests.props.pair import Consumer, Pair
from tests.props.peers import IPV4, IPV6, OTHER_TERMS, PeerConfig, PrefixBytes, prefix
from tests.props.pools import PEERS, PORTS, TYING_PEERS, fitting
from tests.props.update_bytes import packed
from tests.rib.building import attributes_row

PREFIXES = [
    *(prefix(f"10.{i}.{j * 32}.0/{length}") for i in range(4) for j in range(8) for length in (16, 19, 24, 32)),
    *(prefix(f"2001:db8:{i}:{j}::/{length}") for i in range(4) for j in range(8) for length in (48, 64, 128)),
    prefix("0.0.0.0/0"),
    prefix("::/0"),
]
ADDRESSES = [f"10.{i}.{j * 32}.{k}" for i in range(4) for j in range(8) for k in (0, 1)] + [
    f"2001:db8:{i}:{j}::{k}" for i in range(4) for j in range(8) for k in (0, 1)
]
CHANGES = 3000
ROUNDS = 5


class Churn:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pair = Pair()
        self.pair.add_instance()
        self.pair.add_instance(fib=False)
        self.static = [self.pair.call("add_static_source", instance=instance) for instance in self.pair.instances]
        self.connected = [self.pair.call("add_connected_source", instance=instance) for instance in self.pair.instances]
        self.peers: list[tuple[int, PeerConfig]] = []
        self.consumers: dict[int, list[Consumer]] = {}
        self.others: list[Consumer] = [self.pair.open_fib()]
        for instance in self.pair.instances:
            for afi in (1, 2):
                self.others.append(self.pair.open_watch(afi, initial=True, before=None, instance=instance))
        self.leaks: list[tuple[int, int]] = []
        for _ in range(6):
            self.peer_up()

    def options(self) -> None:
        named = {
            name: self.random.random() < 0.5 for name in ("multipath_relax", "backup", "prefer_oldest", "weighted")
        }
        named["resolve_via_default"] = self.random.random() < 0.8
        many = {name: self.random.choice((1, 2, 8)) for name in ("multipath_ebgp", "multipath_ibgp")}
        self.pair.call("set_options", instance=self.random.choice(self.pair.instances), **named, **many)

    def peer_up(self) -> None:
        if len(self.peers) > 11:
            return
        config = self.random.choice(PEERS + TYING_PEERS)
        number = self.pair.add_peer(config, self.random.choice(self.pair.instances))
        self.peers.append((number, config))
        terms = (IPV4, IPV6, self.random.choice(OTHER_TERMS))
        self.consumers[number] = [self.pair.open_export(number, config, one) for one in terms]

    def peer_lost(self) -> None:
        if len(self.peers) > 3:
            number, _ = self.peers.pop(self.random.randrange(len(self.peers)))
            for consumer in self.consumers.pop(number):
                self.pair.close(consumer)
            self.pair.call("remove_source", number)

    def some(self) -> list[PrefixBytes]:
        """Of one family."""
        found = self.random.sample(PREFIXES, self.random.choice((1, 3, 20)))
        return [where for where in found if len(where[0]) == len(found[0][0])]

    def announce(self) -> None:
        number, config = self.random.choice(self.peers)
        where, choose = self.some(), self.random.choice
        row = attributes_row(
            choice_of_family(self.random, where[0]),
            choose(("65001", "65001", "65002", "65001 65002")),
            med=choose((None, None, 5)),
            local_pref=choose((None, None, None, 90)),
            aigp=choose((None, None, 3)),
            communities=choose(([], ["65001:1"], ["65535:65281"])),
        )
        self.pair.announce(number, config, where, fitting(row, where[0], config), choose((0, 1)))

    def withdraw(self) -> None:
        number, config = self.random.choice(self.peers)
        self.pair.withdraw(number, config, self.some(), self.random.choice((0, 1)))

    def put_static(self) -> None:
        where = self.random.choice(PREFIXES)
        hops: list[dict[str, Any]] = [
            {"address": packed(choice_of_family(self.random, where)), "weight": self.random.choice((1, 1, 3))}
            for _ in range(self.random.choice((1, 1, 2)))
        ]
        distance = self.random.choice((1, 30, 250))
        self.pair.call("put_static", self.random.choice(self.static), where, hops, distance=distance)

    def put_connected(self) -> None:
        port = self.random.choice(PORTS)
        local = self.random.random() < 0.1
        source = self.random.choice(self.connected)
        self.pair.call("put_connected", source, self.random.choice(PREFIXES), *port, local=local)

    def delete(self) -> None:
        for where in self.some():
            self.pair.call("delete", self.random.choice(self.static + self.connected), where)

    def leak(self) -> None:
        if len(self.leaks) > 3:
            leak = self.leaks.pop(self.random.randrange(len(self.leaks)))
            self.pair.native.remove_leak(leak[0])
            self.pair.reference.remove_leak(leak[1])
            return
        source, target = self.random.sample(self.pair.instances, 2)
        address, length = self.random.choice(PREFIXES)
        named: dict[str, Any] = {
            "source": source,
            "target": target,
            "protocols": self.random.choice(((), ("static", "connected"), ("bgp",))),
            "prefixes": self.random.choice(((), ((address, length, length, 8 * len(address)),))),
        }
        self.leaks.append((self.pair.native.add_leak(**named), self.pair.reference.add_leak(**named)))

    def set_port(self) -> None:
        self.pair.call("set_port", *self.random.choice(PORTS), self.random.random() < 0.7)

    def originate(self) -> None:
        instance = self.random.choice(self.pair.instances)
        self.pair.call("set_redistribute", self.random.choice(((), ("static",))), instance=instance)
        networks = [where for where in self.random.sample(PREFIXES, 5) if len(where[0]) == 4]
        self.pair.call("set_networks", 1, networks, instance=instance)

    def read(self) -> None:
        """Somebody reads a part; of the reference at the end only, which would start from scratch each time."""
        consumers = self.others + [one for opened in self.consumers.values() for one in opened]
        self.pair.read(self.random.choice(consumers), self.random.choice((1, 10, 100)), reference=False)

    def run(self, changes: int) -> None:
        usual = [self.announce] * 8 + [self.withdraw] * 2 + [self.put_static] * 3 + [self.delete, self.put_connected]
        usual += [self.read] * 4
        seldom = [self.options, self.peer_up, self.peer_lost, self.leak, self.set_port, self.originate]
        for second in range(changes):
            self.random.choice(seldom if self.random.random() < 0.05 else usual)()
            if self.random.random() < 0.5:
                self.pair.native.step(self.random.choice((1, 5, 50, 500)))
            if second % 100 == 0:
                self.pair.call("set_time", second)

    def agree(self) -> None:
        self.pair.settle()
        compare_tables(self.pair, PREFIXES, [packed(address) for address in ADDRESSES])
        for consumer in self.others + [one for opened in self.consumers.values() for one in opened]:
            compare(self.pair, consumer)
        for number, _ in self.peers:
            self.pair.call("source_counts", number)


def choice_of_family(source: random.Random, where: PrefixBytes) -> str:
    return source.choice([address for address in ADDRESSES if (":" in address) == (len(where[0]) == 16)])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_engines_agree_after_a_churn(seed: int) -> None:
    churn = Churn(seed)
    churn.run(1000)
    churn.agree()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_the_engines_agree_time_and_again_in_a_long_churn(seed: int) -> None:
    churn = Churn(seed)
    for _ in range(ROUNDS):
        churn.run(CHANGES)
        churn.agree()
