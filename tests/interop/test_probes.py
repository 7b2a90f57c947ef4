"""What a stream of probes counts as lost."""

from __future__ import annotations

from tests.lab.probes import Loss, whole


def _output(answered: list[int], sent: int) -> str:
    lines = [f"64 bytes from 10.0.0.1: icmp_seq={n} ttl=64 time=0.05 ms" for n in answered]
    return "\n".join([*lines, "", f"{sent} packets transmitted, {len(answered)} received, x% packet loss, time 9ms"])


def test_only_what_was_asked_a_moment_before_the_end_may_be_on_the_way() -> None:
    assert whole(_output([1, 2, 4, 5], 6), 0.01) == Loss(5, 4)
    assert whole(_output([1, 2], 50), 0.01) == Loss(50, 2)
    assert whole(_output([], 3), 0.01) == Loss(3, 0)


def test_sequence_numbers_start_again_after_65535() -> None:
    assert whole(_output([65535, 0, 1], 65538), 0.001) == Loss(65537, 3)
