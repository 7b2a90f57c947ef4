"""A FIB consumer whose agent holds routes already: what is equal by shards is not told again."""

from __future__ import annotations

from typing import Any

import pytest

import native
from rib.digest import SHARDS, shard, shard_sums
from rib.prefix import Prefix
from rib.reference import ReferenceEngine
from tests.props.folding import FoldedFib
from tests.rib.building import prefix

KEY = bytes(range(16))
HELD = [f"10.{n}.0.0/16" for n in range(40)] + [f"2001:db8:{n:x}::/48" for n in range(40)]


def settle(engine: Any) -> None:
    while engine.step(1000):
        pass


def filled(kind: Any) -> tuple[Any, int, FoldedFib]:
    engine = kind(router_id=bytes(4), asn=65000, digest_key=KEY)
    source = engine.add_connected_source()
    for where in HELD:
        engine.put_connected(source, prefix(where), "ncp1", "eth0")
    settle(engine)
    told = FoldedFib()
    told.read_all(engine, engine.fib_open())
    assert len(told.routes) == len(HELD)
    return engine, source, told


both = pytest.mark.parametrize("kind", [native.Engine, ReferenceEngine])


@both
def test_an_agent_that_holds_everything_is_told_of_groups_alone(kind: Any) -> None:
    engine, source, told = filled(kind)
    consumer, equal = engine.fib_resume(told.shard_sums(KEY))
    assert sorted(equal) == [(1, b"\xff" * 128), (2, b"\xff" * 128)]
    again = told.resumed(KEY, equal)
    again.read_all(engine, consumer)
    assert (again.routes, len(again.groups)) == ({}, 1)
    assert engine.fib_snapshot_state(consumer) == (True, len(HELD), again.digest(KEY))
    engine.delete(source, prefix(HELD[0]))
    settle(engine)
    again.read_all(engine, consumer)
    assert engine.fib_snapshot_state(consumer) == (True, len(HELD) - 1, again.digest(KEY))


@both
def test_only_shards_that_differ_are_told(kind: Any) -> None:
    engine, source, told = filled(kind)
    engine.put_connected(source, prefix("10.99.0.0/16"), "ncp1", "eth0")
    settle(engine)
    consumer, equal = engine.fib_resume([*told.shard_sums(KEY), (77, bytes(8 * SHARDS))])
    at = shard(KEY, Prefix(*prefix("10.99.0.0/16")))
    bits = bytearray(b"\xff" * 128)
    bits[at >> 3] ^= 1 << (at & 7)
    assert sorted(equal) == [(1, bytes(bits)), (2, b"\xff" * 128)]
    again = told.resumed(KEY, equal)
    again.read_all(engine, consumer)
    mates = {where for where in HELD[:40] if shard(KEY, Prefix(*prefix(where))) == at}
    assert set(again.routes) == {(1, prefix(where)) for where in {"10.99.0.0/16", *mates}}
    assert engine.fib_snapshot_state(consumer) == (True, len(HELD) + 1, again.digest(KEY))


@both
def test_sums_that_make_no_sense_are_of_no_use_and_do_no_harm(kind: Any) -> None:
    engine, _, _ = filled(kind)
    consumer, equal = engine.fib_resume([(1, b"short"), (2, bytes(8 * SHARDS))])
    assert dict(equal)[1] == bytes(128)
    again = FoldedFib()
    again.read_all(engine, consumer)
    assert len(again.routes) == len(HELD)


def test_the_sums_of_a_table_add_up_to_its_digest() -> None:
    _, _, told = filled(native.Engine)
    rows = [(table, Prefix(*where), key) for (table, where), key in told.content()[0].items()]
    total = sum(
        int.from_bytes(sums[8 * n : 8 * n + 8], "little")
        for sums in shard_sums(KEY, rows).values()
        for n in range(SHARDS)
    )
    assert total % (1 << 64) == told.digest(KEY)
