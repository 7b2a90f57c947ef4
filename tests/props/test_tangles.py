"""Next hops that depend on each other in every way: few prefixes inside each other, every one a static route through
addresses in the others. The native engine settles in slices and goes through rounds only where it must; the reference
runs all rounds every time (docs/adr/0002)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.props import rows
from tests.props.pair import Pair
from tests.props.peers import prefix
from tests.props.update_bytes import packed

PREFIXES = [
    prefix(text)
    for text in (
        "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.1.2.1/32", "10.2.0.0/16",
        "10.2.2.0/24", "10.2.2.2/32", "10.2.1.1/32", "10.3.0.0/16", "10.3.0.1/32",
    )
]  # fmt: skip
ADDRESSES = [packed(text) for text in ("10.1.1.1", "10.1.2.1", "10.2.2.2", "10.2.1.1", "10.3.0.1", "10.9.9.9")]
HOP = st.fixed_dictionaries(
    {"address": st.sampled_from(ADDRESSES), "weight": st.integers(1, 3)},
    optional={"port": st.sampled_from(("eth0", "eth1"))},
)
WHERE = st.sampled_from(PREFIXES)
CHANGE = st.one_of(
    st.tuples(st.just("via"), st.integers(0, 2), WHERE, st.lists(HOP, min_size=1, max_size=3), st.integers(1, 2)),
    st.tuples(st.just("via"), st.integers(0, 2), WHERE, st.lists(HOP, min_size=1, max_size=1), st.just(1)),
    st.tuples(st.just("gone"), st.integers(0, 3), WHERE),
    st.tuples(st.just("connected"), WHERE, st.sampled_from((False, False, True)), st.sampled_from((0, 3))),
    st.tuples(st.just("port"), st.sampled_from(("eth0", "eth1")), st.booleans()),
)
# A change, in how many slices of which size it is worked on before the next one, and whether it is worked off and
# both compared.
CHANGES = st.lists(
    st.tuples(CHANGE, st.integers(0, 3), st.integers(1, 40), st.sampled_from((False, False, True))), max_size=50
)


def change(pair: Pair, sources: list[int], what: str, *of: Any) -> None:
    if what == "via":
        source, where, hops, distance = of
        pair.call("put_static", sources[source], where, hops, distance=distance)
    elif what == "gone":
        pair.call("delete", sources[of[0]], of[1])
    elif what == "connected":
        where, local, metric = of
        pair.call("put_connected", sources[3], where, "", "eth0", local=local, metric=metric)
    else:
        pair.call("set_port", "", *of)


def compare(pair: Pair) -> None:
    pair.settle()
    assert rows.next_hops(pair.native) == rows.next_hops(pair.reference)
    assert rows.groups(pair.native) == rows.groups(pair.reference)


def run(changes: list[tuple[tuple[Any, ...], int, int, bool]], via_default: bool) -> None:
    pair = Pair()
    pair.call("set_options", resolve_via_default=via_default)
    sources = [pair.call("add_static_source") for _ in range(3)] + [pair.call("add_connected_source")]
    for step, slices, budget, settle in changes:
        change(pair, sources, *step)
        for _ in range(slices):
            pair.native.step(budget)
        if settle:
            compare(pair)
    compare(pair)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, st.booleans())
def test_whatever_slices_it_settles_in_the_native_engine_comes_to_what_the_rounds_do(
    changes: list[tuple[tuple[Any, ...], int, int, bool]], via_default: bool
) -> None:
    run(changes, via_default)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, st.booleans())
def test_whatever_slices_it_settles_in_the_native_engine_comes_to_what_the_rounds_do_for_long(
    changes: list[tuple[tuple[Any, ...], int, int, bool]], via_default: bool
) -> None:
    run(changes, via_default)
