"""What peers are told of routes whose peer is away (RFC 4724 4.2, RFC 9494 4.3 and 4.5), by either engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import native
from native import Engine
from rib.reference import ReferenceEngine
from tests.props.folding import FoldedExport
from tests.props.peers import IPV4, PeerConfig, Terms, prefix
from tests.props.update_bytes import announcement, packed
from tests.rib.building import attributes_row

WHERE = "203.0.113.0/24"
AWAY = PeerConfig("away", "10.0.0.2", 65001, "1.1.1.1")
OTHER = PeerConfig("other", "10.0.0.3", 65002, "1.1.1.2")
STALE = "65535:6"


class Router:
    """One engine with the peer that goes away, and a reader for each of two others: of one that takes long-lived stale
    routes, and of one that does not."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.engine = make(router_id=packed("9.9.9.9"), asn=65000, digest_key=bytes(16))
        connected = self.engine.add_connected_source()
        self.engine.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
        self.away = self.engine.add_peer(**AWAY.source())
        self.tells = self.reader(Terms(1, IPV4.local_address, llgr=True))
        self.bars = self.reader(IPV4)

    def reader(self, terms: Terms) -> Callable[[], dict[str, Any]]:
        peer = self.engine.add_peer(**OTHER.source())
        consumer = self.engine.export_open(
            peer_source=peer, afi=1, safi=1, ebgp=True, local_asn=65000, peer_asn=OTHER.asn, next_hop_self=False,
            local_address=packed(terms.local_address), local_link=None, four_octet_as=True, llgr=terms.llgr,
        )  # fmt: skip
        folded = FoldedExport(four_octet_as=True)

        def read() -> dict[str, Any]:
            """Everything that is told now: {prefix: communities}."""
            while self.engine.step():
                pass
            folded.read_all(self.engine, consumer, 100)
            return {row["prefix"]: row["attributes"]["communities"] for row in self.engine.adj_rib_out(consumer, 9)}

        return read

    def announce(self, communities: list[str]) -> None:
        row = attributes_row("10.0.0.1", "65001", communities=communities)
        (updates,) = native.Framer(4096).feed(announcement([prefix(WHERE)], row)).items
        assert isinstance(updates, native.Updates)
        changes = native.decode(updates, AWAY.terms())
        self.engine.apply(self.away, changes)


@pytest.fixture(params=(Engine, ReferenceEngine))
def router(request: pytest.FixtureRequest) -> Router:
    return Router(request.param)


def test_stale_routes_are_told_as_before(router: Router) -> None:
    router.announce(["65001:1"])
    router.engine.mark_stale(router.away, afi=1)
    assert router.tells() == router.bars() == {WHERE: ["65001:1"]}


def test_long_lived_stale_routes_are_told_with_their_community_to_those_that_take_it(router: Router) -> None:
    router.announce(["65001:1"])
    router.engine.mark_stale(router.away, afi=1)
    router.engine.set_long_lived(router.away, afi=1, on=True)
    assert (router.tells(), router.bars()) == ({WHERE: ["65001:1", STALE]}, {})
    router.announce(["65001:1"])
    assert router.tells() == router.bars() == {WHERE: ["65001:1"]}


def test_a_route_that_is_long_lived_stale_elsewhere_keeps_its_one_community(router: Router) -> None:
    router.announce([STALE])
    assert (router.tells(), router.bars()) == ({WHERE: [STALE]}, {})
    router.engine.mark_stale(router.away, afi=1)
    router.engine.set_long_lived(router.away, afi=1, on=True)
    assert router.tells() == {WHERE: [STALE]}


def test_an_external_peer_does_not_come_back_as_an_internal_one(router: Router) -> None:
    internal = PeerConfig("away", "10.0.0.2", 65000, "1.1.1.1")
    with pytest.raises(ValueError, match="does not come back"):
        router.engine.renew_peer(router.away, **internal.source())
