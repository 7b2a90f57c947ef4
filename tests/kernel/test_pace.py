"""Buckets of tokens per address."""

from __future__ import annotations

from kernel.pace import BURST, PER_SECOND, Pace

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


def test_who_is_no_peer_any_more_is_forgotten() -> None:
    pace = Pace()
    assert [pace.allows(A, 0.0) for _ in range(BURST + 1)][-1] is False
    pace.keep({A})
    assert not pace.allows(A, 0.0)
    pace.keep({B})
    assert pace.allows(A, 0.0)
