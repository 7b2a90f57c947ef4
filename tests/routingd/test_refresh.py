"""Route refresh towards a peer: the whole Adj-RIB-Out again, markers around it where the peer follows them."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import native
from fibd.wire import Role, StreamData
from native import Engine
from protocols.bgp.counters import Counters
from protocols.bgp.messages import MessageType, RouteRefreshMessage
from protocols.bgp.negotiation import Agreed
from routingd.adj_ribs_out import AdjRibsOut
from routingd.established import Exported, Membership, Up, read_export
from tests.props.update_bytes import Replay, announcement, withdrawal
from tests.routingd.fake_agent import FakeAgent, until
from tests.routingd.test_controller import controller, established, run

IPV4 = (1, 1)
ROW = {
    "origin": "igp", "as_path": "65002", "next_hop": "192.0.2.2", "link_local": None, "med": None, "local_pref": None,
    "atomic_aggregate": False, "aggregator": None, "communities": [], "originator_id": None, "cluster_list": [],
    "extended_communities": [], "large_communities": [], "unknown": [],
}  # fmt: skip
FIRST, SECOND = (bytes([198, 51, 100, 0]), 24), (bytes([203, 0, 113, 0]), 24)


class Told:
    """One Adj-RIB-Out of an engine with one BGP source, and what its peer holds by it."""

    def __init__(self) -> None:
        self.engine = Engine(router_id=bytes([10, 0, 0, 1]), asn=65001, digest_key=b"k" * 16)
        connected = self.engine.add_connected_source()
        self.engine.put_connected(connected, (bytes([192, 0, 2, 0]), 24), "ncp1", "eth0")
        self._source = self._peer(2)
        membership = Membership()
        membership.source = self._peer(3)
        agreed = Agreed(65001, 65003, bytes(4), bytes(4), 90, True, (IPV4,), True, 4096, 4096)
        self.terms = native.SessionTerms(peer_asn=65002, local_asn=65001, four_octet_as=True, families=(IPV4,))
        self.up = Up(1, agreed, membership, self.terms, self._open)
        self._open(self.engine, IPV4)
        self.replay = Replay()

    def _peer(self, last: int) -> int:
        address = bytes([192, 0, 2, last])
        return self.engine.add_peer(address=address, asn=65000 + last, router_id=address, ebgp=True, import_accept=True)

    def _open(self, engine: Engine, family: tuple[int, int]) -> None:
        self.up.membership.consumers[family] = engine.export_open(
            peer_source=self.up.membership.source, afi=1, safi=1, ebgp=True, local_asn=65001, peer_asn=65003,
            next_hop_self=False, local_address=bytes([192, 0, 2, 1]), local_link=None, four_octet_as=True,
        )  # fmt: skip

    def says(self, data: bytes) -> None:
        (updates,) = native.Framer(4096).feed(data).items
        assert isinstance(updates, native.Updates)
        self.engine.receive(self._source, updates, self.terms)
        while self.engine.step():
            pass

    def read(self) -> Exported | None:
        read = read_export(self.up, IPV4, self.engine)
        if read is not None:
            self.replay.feed(read.data)
        return read

    def read_all(self) -> None:
        while self.read() is not None:
            pass


def test_a_withdrawal_that_waits_is_told_before_everything_is_told_again() -> None:
    told = Told()
    told.says(announcement([FIRST, SECOND], ROW))
    told.read_all()
    assert set(told.replay.routes) == {"198.51.100.0/24", "203.0.113.0/24"}
    told.says(withdrawal([FIRST]))
    told.up.refresh_due.add(IPV4)
    first = told.read()
    assert first is not None
    assert not first.begun
    assert set(told.replay.routes) == {"203.0.113.0/24"}
    begun = told.read()
    assert begun is not None
    assert (begun.begun, begun.data) == (True, b"")
    updates = told.replay.updates
    told.read_all()
    assert told.replay.updates == updates + 2  # the route again, and End-of-RIB
    assert not told.up.refresh_due


def test_what_goes_while_everything_is_told_again_is_withdrawn() -> None:
    told = Told()
    told.says(announcement([FIRST, SECOND], ROW))
    told.read_all()
    told.up.refresh_due.add(IPV4)
    begun = told.read()
    assert begun is not None
    assert begun.begun
    told.says(withdrawal([FIRST]))
    told.read_all()
    assert set(told.replay.routes) == {"203.0.113.0/24"}


class Idle:
    """An engine's thread, without an engine, that has nothing to tell."""

    waiting = False

    def post(self, work: Any, done: Any) -> None:
        done(None)

    def consumer(self, deliver: Any) -> Idle:
        return self

    def request(self, read: Any) -> None:
        self.waiting = True


@pytest.mark.parametrize("adopted", [True, False])
def test_an_adopted_neighbor_sweeps_a_family_that_we_have_no_next_hop_for_any_more(*, adopted: bool) -> None:
    agreed = Agreed(65001, 65003, bytes(4), bytes(4), 90, True, (IPV4, (2, 1)), True, 4096, 4096, enhanced_refresh=True)
    up = Up(1, agreed, Membership(), cast(Any, None), lambda engine, family: None, adopted, withheld=[(2, 1)])
    sent: list[bytes] = []
    told = AdjRibsOut(up, Counters(), cast(Any, Idle()), sent.append, lambda: True, lambda: None)
    told.begin([IPV4])
    began, swept = [(*IPV4, 1)], [(2, 1, 1), (2, 1, 2)]
    expected = [RouteRefreshMessage(*each).encode() for each in began + swept]
    assert sent == (expected if adopted else [])


def markers(agent: FakeAgent) -> list[int]:
    """Subtypes of the ROUTE-REFRESH messages that the peer was sent."""
    data = b"".join(data for m in agent.of(Role.STREAMS, StreamData) for _, data in m.rows)
    found = []
    while data:
        (length,) = struct.unpack_from("!H", data, 16)
        found += [data[21]] if data[18] == MessageType.ROUTE_REFRESH else []
        data = data[length:]
    return found


def test_a_refresh_is_framed_for_a_peer_that_follows_markers_and_repeated_requests_count_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with controller(tmp_path) as one:
            agent = FakeAgent("ncp1")
            remote = await established(tmp_path, agent)
            peer = one.peers.all[0]
            await until(lambda: peer.up is not None and peer.up.end_of_rib_sent, "End-of-RIB sent")
            assert peer.up is not None
            peer.up.agreed = replace(peer.up.agreed, enhanced_refresh=True)
            before = remote.updates
            for _ in range(50):
                remote.send(RouteRefreshMessage(1, 1).encode())
            await until(lambda: markers(agent)[-1:] == [2], "EoRR")
            seen = markers(agent)
            assert seen == [1, 2] * (len(seen) // 2)
            assert len(seen) <= 2 * 50
            assert remote.updates > before

            peer.up.agreed = replace(peer.up.agreed, enhanced_refresh=False)
            before = remote.updates
            remote.send(RouteRefreshMessage(1, 1).encode())
            await until(lambda: remote.updates > before, "everything again")
            assert markers(agent) == seen

    run(test)
