"""Buckets of tokens per address."""

from __future__ import annotations

from kernel.pace import BURST, MOST, PER_SECOND, Pace

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"


def test_a_burst_then_one_by_one_and_each_address_for_itself() -> None:
    pace = Pace()
    assert [pace.allows(A, 5.0) for _ in range(BURST + 3)] == [True] * BURST + [False] * 3
    assert pace.allows(B, 5.0)
    later = 5.0 + 2 / PER_SECOND
    assert [pace.allows(A, later) for _ in range(3)] == [True, True, False]


def test_a_quiet_hour_gives_one_burst_and_no_more() -> None:
    pace = Pace()
    assert pace.allows(A, 0.0)
    assert [pace.allows(A, 3600.0) for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_a_prefix_has_a_pace_of_its_own() -> None:
    pace = Pace(burst=3, per_second=2.0)
    assert [pace.allows(A, 5.0) for _ in range(4)] == [True, True, True, False]
    assert [pace.allows(A, 6.0) for _ in range(3)] == [True, True, False]


def test_a_prefix_full_of_addresses_takes_bounded_memory_and_holds_no_configured_neighbor_back() -> None:
    pace = Pace()
    crowd = [number.to_bytes(16) for number in range(MOST)]
    assert all(pace.allows(address, 0.0, known=False) for address in crowd)
    assert not pace.allows(B, 0.5, known=False)
    assert pace.allows(crowd[0], 0.5, known=False)
    assert pace.allows(A, 0.5)
    assert pace.allows(B, 0.5 + 2 / PER_SECOND, known=False)
    assert len(pace) < MOST
