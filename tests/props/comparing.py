"""Holds the two engines of a pair to each other: everything that can be seen of them is equal once both are settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rib.prefix import Prefix
from tests.props import rows
from tests.props.pair import DIGEST_KEY, Consumer, ExportConsumer, Pair, WatchConsumer
from tests.props.peers import PrefixBytes


def compare_tables(pair: Pair, prefixes: Sequence[PrefixBytes], addresses: Sequence[bytes]) -> None:
    for instance in pair.instances:
        for where in prefixes:
            found = rows.route(pair.native.lookup(where, instance=instance))
            assert found == rows.route(pair.reference.lookup(where, instance=instance))
        for address in addresses:
            pair.call("longest_match", address, instance=instance)
        for afi in (1, 2):
            assert rows.pages(pair.native, afi, instance) == rows.pages(pair.reference, afi, instance)
    assert rows.groups(pair.native) == rows.groups(pair.reference)
    assert rows.next_hops(pair.native) == rows.next_hops(pair.reference)
    counts, wanted = pair.native.counts(), pair.reference.counts()
    for family in ("ipv4", "ipv6"):
        assert {key: counts[family][key] for key in wanted[family]} == wanted[family]
    assert counts["groups"] == wanted["groups"]
    assert counts["tracked_next_hops"] == wanted["tracked_next_hops"]


def compare(pair: Pair, consumer: Consumer) -> None:
    """Read to the end, both know the same."""
    for engine, number, told in pair.ends(consumer):
        told.read_all(engine, number, 3)
    if isinstance(consumer, ExportConsumer):
        compare_export(pair, consumer)
    elif isinstance(consumer, WatchConsumer):
        compare_watch(pair, consumer)
    else:
        compare_fib(pair, consumer)


def compare_fib(pair: Pair, consumer: Consumer) -> None:
    """Columns, groups and digest are equal, whatever ids and order were."""
    routes, groups = consumer.native_told.content()
    wanted_routes, wanted_groups = consumer.reference_told.content()
    assert named(routes) == named(wanted_routes)
    assert groups == wanted_groups
    state = pair.call_of(consumer, "fib_snapshot_state")
    assert state == (True, len(routes), consumer.native_told.digest(DIGEST_KEY))
    assert len(consumer.native_told.groups) == len(groups), "a group without routes outlived the end of the stream"


def named(routes: dict[tuple[int, PrefixBytes], bytes]) -> dict[tuple[int, str], str]:
    return {(table, str(Prefix(*where))): key.hex() for (table, where), key in routes.items()}


def compare_export(pair: Pair, consumer: ExportConsumer) -> None:
    for _, _, told in pair.ends(consumer):
        assert told.end_of_rib == 1
        assert told.longest <= consumer.terms.max_message
    assert pair.call_of(consumer, "export_count") == len(consumer.reference_told.routes)
    native, reference = (shown(engine, number) for engine, number, _ in pair.ends(consumer))
    assert nameless(native) == nameless(reference)
    assert [native.keys(), reference.keys()] == [told.routes.keys() for *_, told in pair.ends(consumer)]
    assert nameless(consumer.native_told.routes) == nameless(consumer.reference_told.routes)
    assert pair.native.export_backlog(consumer.native) == 0


def shown(engine: Any, consumer: int) -> dict[str, dict[str, Any]]:
    """As the peer has them."""
    rows = engine.adj_rib_out(consumer, 10_000)
    number = {row["path_id"]: f" #{row['path_id']}" if row["path_id"] is not None else "" for row in rows}
    return {row["prefix"] + number[row["path_id"]]: row["attributes"] for row in rows}


def nameless(routes: dict[str, dict[str, Any]]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """What is told of each prefix, whatever the identifiers of its paths."""
    rows = [(where.partition(" ")[0], sorted(row.items())) for where, row in routes.items()]
    return sorted(rows, key=repr)


def compare_watch(pair: Pair, consumer: WatchConsumer) -> None:
    """What was told is what a query finds now; who wanted no beginning knows at least what changed since."""
    now = watchable(pair, consumer.afi, consumer.criteria)
    for engine, _, told in pair.ends(consumer):
        keys = rows.group_keys(engine)
        routes = {prefix: rows.told(row, keys) for prefix, row in told.routes.items()}
        if consumer.initial:
            assert routes == now
            continue
        assert {prefix: now.get(prefix) for prefix in told.told} == {prefix: routes.get(prefix) for prefix in told.told}
        if consumer.before is not None:
            changed = {where for where in {*consumer.before, *now} if consumer.before.get(where) != now.get(where)}
            assert changed <= set(told.told)


def watchable(pair: Pair, afi: int, criteria: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found, after = pair.reference.query(afi, limit=10_000, **criteria)
    assert after is None
    keys = rows.group_keys(pair.reference)
    return {row["prefix"]: rows.told(row, keys) for row in found}
