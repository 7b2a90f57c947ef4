"""A peer with a limit never has more than one path too many, in either engine (RFC 4271 6.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import native
from native import Engine
from rib.reference import ReferenceEngine
from tests.props.peers import PeerConfig, prefix
from tests.props.update_bytes import announcement, packed, withdrawal
from tests.rib.building import attributes_row

PEER = PeerConfig("peer", "10.0.0.2", 65001, "1.1.1.1")


class Router:
    def __init__(self, make: Callable[..., Any], most: int | None) -> None:
        self.engine = make(router_id=packed("9.9.9.9"), asn=65000, digest_key=bytes(16))
        connected = self.engine.add_connected_source()
        self.engine.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
        self.peer = self.engine.add_peer(**PEER.source())
        self.engine.set_limit(self.peer, afi=1, paths=most)

    def hears(self, data: bytes) -> None:
        (updates,) = native.Framer(4096).feed(data).items
        assert isinstance(updates, native.Updates)
        self.engine.apply(self.peer, native.decode(updates, PEER.terms()))
        while self.engine.step():
            pass

    def announces(self, *names: str, path: str = "65001") -> None:
        self.hears(announcement([prefix(name) for name in names], attributes_row("10.0.0.2", path)))

    def held(self) -> set[str]:
        rows, _ = self.engine.query(1, protocols=("bgp",))
        return {row["prefix"] for row in rows}


@pytest.fixture(params=[Engine, ReferenceEngine], ids=["native", "reference"])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param  # type: ignore[no-any-return]


MANY = [f"203.0.{at}.0/24" for at in range(100)]


def test_what_is_beyond_the_first_too_many_is_not_taken(make: Callable[..., Any]) -> None:
    router = Router(make, 5)
    router.announces(*MANY)
    assert router.engine.source_counts(router.peer)["ipv4"] == 6
    router.announces("203.1.0.0/24")
    assert router.engine.source_counts(router.peer)["ipv4"] == 6


def test_up_to_the_limit_paths_may_change_as_they_like(make: Callable[..., Any]) -> None:
    router = Router(make, 5)
    router.announces(*MANY[:5])
    for again in range(3):
        router.announces(*MANY[:5], path=f"65001 {again + 1}")
    router.hears(withdrawal([prefix(MANY[0])]))
    router.announces(MANY[50])
    assert router.held() == {*MANY[1:5], MANY[50]}


def test_stale_paths_do_not_count(make: Callable[..., Any]) -> None:
    router = Router(make, 5)
    router.announces(*MANY[:5])
    router.engine.mark_stale(router.peer, afi=1)
    router.announces(*MANY[50:55])
    assert router.engine.source_counts(router.peer)["ipv4"] == 10
    router.announces(*MANY[60:65])
    assert router.engine.source_counts(router.peer)["ipv4"] == 11


def test_without_a_limit_there_is_none(make: Callable[..., Any]) -> None:
    router = Router(make, 0)
    router.engine.set_limit(router.peer, afi=1, paths=None)
    router.announces(*MANY)
    assert router.engine.source_counts(router.peer)["ipv4"] == 100
