"""Row 6: what is wrong in one message of a batch is said of that one, and costs the others nothing."""

from __future__ import annotations

import pytest

from fibd import wire
from tests.failures.recording import Row
from tests.kernel.box_under_test import PEER_A, PORT_A, Table, box_under_test, packed

pytestmark = [pytest.mark.netns, pytest.mark.row(6)]

FOUR = [f"10.{i}.0.0/16" for i in range(20)]
SIX = [f"2001:db8:{i:x}::/48" for i in range(0x100, 0x114)]


def test_each_route_that_is_refused_is_named_and_all_others_are_in_the_kernel(row: Row) -> None:
    with box_under_test() as under_test:
        under_test.start()
        under_test.ready()
        table = Table(under_test.controller)
        table.begin()
        assert table.end().agree
        before = under_test.controller.ask(1, "counts")["netlink_messages"]
        four, six, ourselves = 1, 2, 3
        table.send(
            adjacencies=[
                table.adjacency(1, PORT_A, PEER_A),
                table.adjacency(2, PORT_A, "2001:db8:a::2"),
                table.adjacency(3, PORT_A, "192.0.2.1"),
            ],
            groups=[table.group(four, 1), table.group(six, 2), table.group(ourselves, 3)],
            routes=[
                *table.routes(four, *FOUR[:10]),
                *table.routes(77, "10.77.0.0/16"),
                *table.routes(six, *SIX[:10]),
                *table.routes(four, "2001:db8:77::/48"),
                *table.routes(ourselves, "10.78.0.0/16"),
                *table.routes(four, *FOUR[10:]),
                *table.routes(six, *SIX[10:]),
            ],
        )
        table.wait_installed()
        refused = {(row[3], row[4]): row[6] for ack in under_test.controller.all(wire.Ack) for row in ack.failures}
        assert refused == {
            (packed("10.77.0.0"), 16): "unknown group",
            (packed("2001:db8:77::"), 48): "an IPv6 route cannot use an IPv4 next hop",
            (packed("10.78.0.0"), 16): "Nexthop has invalid gateway",
        }
        assert set(under_test.routes()) == {*FOUR, *SIX}
        after = under_test.controller.ask(2, "counts")["netlink_messages"]
        row(6, writes=after - before, refused=len(refused), applied=len(FOUR) + len(SIX))
