"""Rules: options, the clock, instances, leaks between them, and what BGP originates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.props.machine import Machine, settle_or_not
from tests.props.peers import PrefixBytes
from tests.props.pools import any_prefixes, leak_prefixes, some_options, some_protocols
from tests.props.source_rules import which_one

MOST_LEAKS = 6
MOST_INSTANCES = 3


class OptionRules(Machine):
    @rule(which=which_one, options=some_options, settle=settle_or_not)
    def set_options(self, which: int, options: dict[str, Any], settle: bool) -> None:
        self.pair.call("set_options", instance=self.instance(which), **options)
        self.done(settle)

    @rule(more=st.sampled_from((1, 1, 5, -1)))
    def time_passes(self, more: int) -> None:
        """Or seems to go back, which changes nothing."""
        self.pair.call("set_time", max(0, self.seconds + more))
        self.seconds += max(0, more)


@dataclass
class Leak:
    native: int
    reference: int


class InstanceRules(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[Leak] = []

    @precondition(lambda self: len(self.leaks) < MOST_LEAKS and len(self.pair.instances) > 1)
    @rule(
        ends=st.lists(st.integers(0, 2), min_size=2, max_size=2, unique=True),
        protocols=some_protocols,
        prefixes=leak_prefixes,
        settle=settle_or_not,
    )
    def add_leak(
        self, ends: list[int], protocols: list[str], prefixes: list[tuple[bytes, int, int, int]], settle: bool
    ) -> None:
        source, target = (self.instance(end) for end in ends)
        if source == target:
            return

        def add_to(engine: Any) -> int:
            number: int = engine.add_leak(source=source, target=target, protocols=protocols, prefixes=prefixes)
            return number

        self.leaks.append(Leak(add_to(self.pair.native), add_to(self.pair.reference)))
        self.done(settle)

    @precondition(lambda self: self.leaks)
    @rule(which=which_one, settle=settle_or_not)
    def remove_leak(self, which: int, settle: bool) -> None:
        leak = self.leaks.pop(which % len(self.leaks))
        self.pair.native.remove_leak(leak.native)
        self.pair.reference.remove_leak(leak.reference)
        self.done(settle)

    @precondition(lambda self: len(self.pair.instances) < MOST_INSTANCES)
    @rule(fib=st.booleans())
    def add_instance(self, fib: bool) -> None:
        self.add_local_sources(self.pair.add_instance(fib=fib))

    @rule(which=which_one, networks=any_prefixes, settle=settle_or_not)
    def set_networks(self, which: int, networks: list[PrefixBytes], settle: bool) -> None:
        self.originate(networks, self.instance(which))
        self.done(settle)

    @rule(
        which=which_one,
        protocols=st.lists(st.sampled_from(("connected", "static")), max_size=2, unique=True),
        settle=settle_or_not,
    )
    def set_redistribute(self, which: int, protocols: list[str], settle: bool) -> None:
        self.pair.call("set_redistribute", protocols, instance=self.instance(which))
        self.done(settle)
