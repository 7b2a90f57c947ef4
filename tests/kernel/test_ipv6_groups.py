"""Groups under IPv6 routes in a real kernel: changed by one message to a singleton wherever that says it all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.box_under_test import PORT_A, PORT_B, BoxUnderTest, Table, box_under_test
from tests.lab.kernel import Hop, Hops

pytestmark = pytest.mark.netns

SIX = [[f"2001:db8:{group:x}{n:02x}::/48" for n in range(1, 40)] for group in (1, 2)]
A, B, C = Hop("2001:db8:a::2", PORT_A), Hop("2001:db8:b::2", PORT_B), Hop("2001:db8:b::3", PORT_B)


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        yield under


class Groups:
    """Groups 1 and 2 of next hops 1 (A), 2 (B) and 3 (C), with routes on each."""

    def __init__(self, under_test: BoxUnderTest, first: list[int], second: list[int]) -> None:
        under_test.start()
        under_test.ready()
        self.under_test = under_test
        self.table = Table(under_test.controller)
        self.table.begin()
        self.table.send(
            adjacencies=[self.table.adjacency(n, hop.device, hop.gateway) for n, hop in enumerate((A, B, C), 1)],
            groups=[self.table.group(1, *first), self.table.group(2, *second)],
            routes=[*self.table.routes(1, *SIX[0]), *self.table.routes(2, *SIX[1])],
        )
        assert self.table.end().agree
        self.table.wait_installed()
        self._questions = 0

    def change(self, first: list[int], second: list[int]) -> int:
        """How many messages the kernel was sent for it."""
        before = self.messages()
        self.table.send(groups=[self.table.group(1, *first), self.table.group(2, *second)])
        self.table.wait_installed()
        return self.messages() - before

    def messages(self) -> int:
        self._questions += 1
        found: int = self.under_test.controller.ask(self._questions, "counts")["netlink_messages"]
        return found

    def hops(self) -> tuple[Hops, Hops]:
        """Of all routes on each group."""
        routes = self.under_test.routes()
        (first,), (second,) = ({routes[prefix] for prefix in prefixes} for prefixes in SIX)
        return first, second


def one(*hops: Hop) -> Hops:
    return frozenset((hop, 1) for hop in hops)


def test_a_next_hop_that_fails_leaves_every_group_with_one_message(under_test: BoxUnderTest) -> None:
    groups = Groups(under_test, [1, 2], [1, 3])
    assert groups.hops() == (one(A, B), one(A, C))
    assert groups.change([2], [3]) == 1
    assert groups.hops() == (one(B), one(C))


def test_a_next_hop_that_moves_moves_every_group_with_one_message(under_test: BoxUnderTest) -> None:
    groups = Groups(under_test, [1], [1, 2])
    assert groups.change([3], [3, 2]) == 1
    assert groups.hops() == (one(C), one(C, B))


def test_what_no_singleton_can_say_replaces_the_groups(under_test: BoxUnderTest) -> None:
    groups = Groups(under_test, [1, 2], [1])
    assert groups.change([1, 2, 3], [1, 2]) == 3
    assert groups.hops() == (one(A, B, C), one(A, B))
