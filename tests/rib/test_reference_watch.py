"""Watching the reference engine: what is told once, in its last state, and taken back only where it was told."""

from __future__ import annotations

from typing import Any

import pytest

from rib.reference import ReferenceEngine
from tests.rib.building import announce, engine, ip, peer, prefix, withdraw

WHERE = "203.0.113.0/24"


@pytest.fixture
def rib() -> ReferenceEngine:
    """A connected network of source 1, and the peer 2."""
    made = engine()
    made.put_connected(made.add_connected_source(), prefix("10.0.0.0/24"), "ncp1", "eth0")
    peer(made, "10.0.0.1")
    return made


def told(rib: ReferenceEngine, watcher: int) -> list[tuple[str, str]]:
    return [(row["op"], row["prefix"]) for row in rib.watch_read(watcher) or []]


def test_a_watcher_is_told_what_is_there_and_then_what_changes(rib: ReferenceEngine) -> None:
    watcher = rib.watch_open(1)
    assert told(rib, watcher) == [("put", "10.0.0.0/24")]
    assert rib.watch_read(watcher) is None
    rib.apply(2, [announce(WHERE, "10.0.0.1", med=1)])
    rib.apply(2, [announce(WHERE, "10.0.0.1", med=2)])
    rows = rib.watch_read(watcher)
    assert rows is not None
    row = rib.query(1, source=2)[0][0]
    assert rows == [{"op": "put", **row}]
    assert row["attributes"]["med"] == 2
    rib.apply(2, [withdraw(WHERE)])
    assert rib.watch_read(watcher) == [{"op": "delete", "prefix": WHERE}]
    rib.watch_close(watcher)


def test_what_came_and_went_between_two_reads_is_not_told(rib: ReferenceEngine) -> None:
    watcher = rib.watch_open(1, initial=False)
    rib.apply(2, [announce(WHERE, "10.0.0.1"), withdraw(WHERE)])
    assert rib.watch_read(watcher) is None
    rib.delete(1, prefix("10.0.0.0/24"))  # it was there before the watcher was
    assert told(rib, watcher) == [("delete", "10.0.0.0/24")]


def test_a_watcher_reads_in_parts(rib: ReferenceEngine) -> None:
    rib.apply(2, [announce(f"20.{second}.0.0/16", "10.0.0.1") for second in range(4)])
    watcher = rib.watch_open(1, protocols=["bgp"])
    parts = []
    while (part := rib.watch_read(watcher, 3)) is not None:
        parts.append([row["prefix"] for row in part])
    assert parts == [["20.0.0.0/16", "20.1.0.0/16", "20.2.0.0/16"], ["20.3.0.0/16"]]


def test_a_watcher_of_some_protocols_is_told_when_another_one_takes_over(rib: ReferenceEngine) -> None:
    watcher = rib.watch_open(1, protocols=["bgp"])
    rib.apply(2, [announce(WHERE, "10.0.0.1")])
    assert told(rib, watcher) == [("put", WHERE)]
    static = rib.add_static_source()
    rib.put_static(static, prefix(WHERE), [{"address": ip("10.0.0.2")}])
    assert told(rib, watcher) == [("delete", WHERE)]


def test_a_watcher_may_look_at_a_part_of_one_instance(rib: ReferenceEngine) -> None:
    inside = rib.add_instance()
    watchers = [rib.watch_open(1, within=prefix("203.0.0.0/16")), rib.watch_open(1, instance=inside)]
    rib.add_leak(source=0, target=inside)
    rib.apply(2, [announce(WHERE, "10.0.0.1"), announce("198.51.100.0/24", "10.0.0.1")])
    assert told(rib, watchers[0]) == [("put", WHERE)]
    assert told(rib, watchers[1]) == [("put", "10.0.0.0/24"), ("put", "198.51.100.0/24"), ("put", WHERE)]


def test_a_next_hop_that_goes_takes_its_routes_from_the_watcher(rib: ReferenceEngine) -> None:
    rib.apply(2, [announce(WHERE, "10.0.0.1")])
    watcher = rib.watch_open(1, protocols=["bgp"])
    assert told(rib, watcher) == [("put", WHERE)]
    rib.put_connected(1, prefix("10.0.0.0/24"), "ncp1", "eth9")  # the group's content alone
    assert rib.watch_read(watcher) is None
    rib.delete(1, prefix("10.0.0.0/24"))
    assert told(rib, watcher) == [("delete", WHERE)]


def test_a_new_group_under_the_same_path_is_told(rib: ReferenceEngine) -> None:
    rib.apply(2, [announce(WHERE, "10.0.0.1")])
    watcher = rib.watch_open(1, protocols=["bgp"])
    rib.watch_read(watcher)
    rib.set_options(multipath_ebgp=2)
    rib.apply(peer(rib, "10.0.0.2"), [announce(WHERE, "10.0.0.2")])
    rows: list[dict[str, Any]] = rib.watch_read(watcher) or []
    assert [(row["source"], len(row["next_hops"])) for row in rows] == [(2, 2)]
