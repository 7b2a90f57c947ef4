"""The table is a function of what the sources say, never of the order in which they said it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.props.comparing import compare, compare_tables
from tests.props.pair import Pair
from tests.props.peers import PrefixBytes, prefix
from tests.props.pools import (
    CONNECTED,
    SELECTION_POOLS,
    TYING_PEERS,
    attribute_rows,
    fitting,
    some_options,
    some_row,
    tying_rows,
)
from tests.props.update_bytes import packed

PREFIXES = SELECTION_POOLS.prefixes
ADDRESSES = SELECTION_POOLS.addresses
WHERE = prefix("203.0.113.0/24")


@dataclass(frozen=True)
class Said:
    """What one source says once: a peer's announcement if ``row`` is there, else a static route."""

    source: int
    where: PrefixBytes
    path_id: int
    row: dict[str, Any] | None
    via: str


said = st.lists(
    st.one_of(
        st.builds(
            Said,
            st.integers(0, len(TYING_PEERS) - 1),
            st.sampled_from(PREFIXES),
            st.integers(0, 1),
            some_row(st.sampled_from(ADDRESSES)),
            st.just(""),
        ),
        st.builds(
            Said,
            st.integers(0, 1),
            st.sampled_from(PREFIXES[:4]),
            st.just(0),
            st.none(),
            st.sampled_from(ADDRESSES[:4]),
        ),
    ),
    min_size=2,
    max_size=12,
    unique_by=lambda one: (one.row is None, one.source, one.where, one.path_id * TYING_PEERS[one.source].add_path),
)


def told(order: list[Said], options: dict[str, Any], slices: int) -> Pair:
    """A settled pair that was told all of it, in two instances that leak to each other."""
    pair = Pair()
    pair.add_instance()
    connected = pair.call("add_connected_source")
    static = [pair.call("add_static_source", instance=instance) for instance in pair.instances]
    peers = [pair.add_peer(config, index % 2) for index, config in enumerate(TYING_PEERS)]
    for instance in pair.instances:
        pair.call("set_options", instance=instance, **options)
        pair.call("add_leak", source=instance, target=1 - instance)
    for where, metric in CONNECTED:
        pair.call("put_connected", connected, prefix(where), "ncp1", "eth0", metric=metric)
    for one in order:
        if one.row is None:
            pair.call("put_static", static[one.source], one.where, [{"address": packed(one.via)}])
        else:
            config = TYING_PEERS[one.source]
            row = fitting(one.row, one.where, config)
            pair.announce(peers[one.source], config, [one.where], row, one.path_id)
        for _ in range(slices):
            pair.native.step(3)
    pair.settle()
    return pair


@settings(deadline=None, max_examples=60)
@given(
    orders=said.flatmap(lambda order: st.tuples(st.just(order), st.permutations(order))),
    options=some_options,
    slices=st.integers(0, 3),
)
def test_any_order_of_the_same_announcements_gives_the_same_table(
    orders: tuple[list[Said], list[Said]], options: dict[str, Any], slices: int
) -> None:
    options = options | {"prefer_oldest": False}
    one, other = told(orders[0], options, 0), told(orders[1], options, slices)
    for pair in (
        one,
        other,
        Pair(native=one.native, reference=other.reference, instances=one.instances),
    ):
        compare_tables(pair, PREFIXES, [packed(address) for address in ADDRESSES])
        compare(pair, pair.open_fib())


Rows = dict[int, dict[str, Any]]  # by peer


def best_peer(rows: Rows, options: dict[str, Any]) -> int:
    pair = Pair()
    pair.call("set_options", **options)
    connected = pair.call("add_connected_source")
    for where, metric in CONNECTED:
        pair.call("put_connected", connected, prefix(where), "ncp1", "eth0", metric=metric)
    peers = [pair.add_peer(config) for config in TYING_PEERS]
    for index, row in rows.items():
        pair.announce(peers[index], TYING_PEERS[index], [WHERE], fitting(row, WHERE, TYING_PEERS[index]))
    pair.settle()
    found = pair.native.lookup(WHERE)
    assert found is not None
    return next(peers.index(path["source"]) for path in found["paths"] if path["best"])


def neighbor(row: dict[str, Any]) -> str:
    """The neighbouring AS; none where the path is empty or starts with a set."""
    words = str(row["as_path"]).split()
    return words[0] if words and words[0].isdigit() else ""


near = st.sampled_from(("10.0.0.1", "10.0.1.1"))


def taken_in(row: dict[str, Any]) -> bool:
    """Whoever says it: no loop (RFC 4271 9.1.2, RFC 4456 8), nothing that is for a confederation's members (RFC 5065
    5) and, from a peer with a role, no leak (RFC 9234 5)."""
    ours = any(word in row["as_path"] for word in ("65000", "64999", "("))
    loop = ours or "9.9.9.9" in (row["originator_id"], *row["cluster_list"])
    return not loop and row["otc"] is None


@settings(deadline=None, max_examples=100)
@given(
    rows=st.dictionaries(
        st.integers(0, len(TYING_PEERS) - 1),
        near.flatmap(
            lambda hop: st.one_of(
                tying_rows(hop).flatmap(lambda row: st.sampled_from((0, 1, 2)).map(lambda med: row | {"med": med})),
                attribute_rows(hop),
            )
        ).filter(taken_in),
        min_size=2,
    ),
    options=some_options,
)
def test_elimination_gives_what_deterministic_med_gives(rows: Rows, options: dict[str, Any]) -> None:
    """Its way: first the best of each neighbouring AS, then the best of these. So there is no option for it."""
    options = options | {"always_compare_med": False}
    by_neighbor: dict[str, Rows] = defaultdict(dict)
    for peer, row in rows.items():
        by_neighbor[neighbor(row)][peer] = row
    winners = {best_peer(group, options) for group in by_neighbor.values()}
    assert best_peer(rows, options) == best_peer({peer: rows[peer] for peer in winners}, options)
