"""Buckets of seconds."""

from __future__ import annotations

from fibd.latency import BOUNDS, Latencies


def test_a_bound_belongs_to_its_bucket_and_what_is_above_all_has_one() -> None:
    seen = Latencies()
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 1e-9, BOUNDS[-1], 1e6):
        seen.note(seconds)
    assert seen.counts[:2] == [2, 1]
    assert seen.counts[-2:] == [1, 1]
    assert (seen.count, seen.longest) == (5, 1e6)


def test_a_share_is_within_the_bound_of_its_bucket() -> None:
    seen = Latencies()
    assert seen.within(0.5) is None
    for seconds in [0.004] * 98 + [0.2, 700.0]:
        seen.note(seconds)
    assert (seen.within(0.5), seen.within(0.98), seen.within(0.99), seen.within(1.0)) == (0.005, 0.005, 0.25, 700.0)
    assert seen.total == 98 * 0.004 + 0.2 + 700.0


def test_no_share_takes_longer_than_the_longest() -> None:
    seen = Latencies()
    seen.note(0.0031)
    assert seen.within(0.99) == 0.0031
