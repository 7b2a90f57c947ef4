"""A session goes on with another routingd: what its capsule must say, what the peer must do, what follows if not."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bgp.capabilities import Capability, EnhancedRouteRefresh, GracefulRestart, RouteRefresh
from protocols.bgp.capsule import (
    MAX_CAPSULE,
    NotAdoptableError,
    SessionCapsule,
    digest_of_configuration,
    examine,
    opened,
)
from protocols.bgp.config import PeerConfig
from protocols.bgp.connection import BEGUN_WITHIN
from protocols.bgp.fsm import State
from protocols.bgp.graceful import Mode
from protocols.bgp.messages import KEEPALIVE, Open, RouteRefreshMessage, decode_open
from protocols.bgp.session import Session
from protocols.effects import Close, Connect, Down, Effect, Established, Lease, MarkStale, Notified, Send, SweepStale
from tests.protocols.bgp.peers import A, Verdict
from tests.protocols.bgp.test_graceful import BOTH, IPV4, IPV6, PEER, US, Scene, restart

ALL = (RouteRefresh(), EnhancedRouteRefresh(), restart())
PASSIVE = replace(A, passive=True)


def capsule(*capabilities: Capability, config: PeerConfig = A, told: bool = True, election: int = 7) -> bytes:
    """Of a session with such a peer."""
    scene = Scene(*(capabilities or ALL), config=config)
    assert scene.session.state is State.ESTABLISHED
    return scene.session.connections[0].capsule(election=election, told=told)


def why_not(blob: bytes, config: PeerConfig = PASSIVE, election: int = 8, waits: bool = True) -> str:
    try:
        examine(blob, config, election, waits)
    except NotAdoptableError as error:
        return str(error)
    return ""


class Adopted:
    """Another routingd's session that took one over at 1000 s: it had been up for 600 s, heard 5 s before."""

    def __init__(self, config: PeerConfig = PASSIVE) -> None:
        self.now = 1000.0
        self.session = Session(config, Random(1))
        found = examine(capsule(), PASSIVE, 8, True)
        self.first = self.session.adopt(0, US, PEER, False, found, 600.0, 5.0, self.now, BOTH)

    def says(self, family: tuple[int, int], subtype: int) -> list[Effect]:
        return self.session.receive(0, RouteRefreshMessage(*family, subtype).encode(), self.now)

    def waits(self, seconds: float) -> list[Effect]:
        self.now += seconds
        return self.session.timer(self.now)

    @property
    def end_of_rib(self) -> set[tuple[int, int]]:
        return self.session.connections[0].end_of_rib


def test_it_is_established_at_once_with_its_uptime_and_asks_for_everything_again() -> None:
    made = Adopted()
    assert made.session.state is State.ESTABLISHED
    described = made.session.describe(made.now)
    assert (described["uptime"], described["came_back"]) == (600.0, {"adopted": True, "reason": None})
    assert (described["inbound"], described["remote_address"]) == (False, "192.0.2.2")
    assert described["timers"]["hold"] == 85.0
    assert described["counters"]["established"] == 1
    (up,) = [e for e in made.first if isinstance(e, Established)]
    assert up.adopted
    assert (up.agreed.hold_time, set(up.agreed.families)) == (90, BOTH)
    assert [e for e in made.first if isinstance(e, Lease)]
    sent = [e.data for e in made.first if isinstance(e, Send)]
    assert sent == [RouteRefreshMessage(*f).encode() for f in (IPV4, IPV6)], "neither OPEN nor KEEPALIVE"
    assert (made.session.forwarding.restarting, made.session.forwarding.families) == (True, BOTH)


def test_what_was_adopted_can_be_adopted_again() -> None:
    again = Adopted().session.connections[0].capsule(election=8, told=True)
    assert why_not(again, election=9) == ""


def test_the_end_of_each_refresh_counts_as_the_end_of_its_routes() -> None:
    made = Adopted()
    assert made.says(IPV4, 1) == [MarkStale(*IPV4)]
    assert made.end_of_rib == set()
    assert made.says(IPV4, 2) == [SweepStale(*IPV4)]
    assert made.end_of_rib == {IPV4}
    assert made.says(IPV6, 1) == [MarkStale(*IPV6)]
    made.waits(BEGUN_WITHIN + 1)
    assert made.says(IPV6, 2) == [SweepStale(*IPV6)]
    assert made.end_of_rib == {IPV4, IPV6}
    assert "refresh" not in made.session.deadlines()
    assert made.session.receive(0, KEEPALIVE, made.now) == []
    made.waits(60)
    assert made.session.state is State.ESTABLISHED


def test_an_end_of_rib_whose_routes_another_routingd_has_had_says_nothing() -> None:
    made = Adopted()
    late = Verdict(end_of_rib=[IPV4, IPV6])
    assert made.session.routes_processed(0, late, made.now) == []
    assert made.end_of_rib == set()
    made.says(IPV4, 1)
    made.says(IPV4, 2)
    assert made.end_of_rib == {IPV4}


def test_what_was_kept_stays_when_an_end_of_rib_comes_before_the_refresh() -> None:
    scene = Scene(*ALL)
    blob = scene.session.connections[0].capsule(election=8, told=True)
    scene.ends()
    found = examine(blob, scene.session.config, 8, waits=False)
    scene.session.adopt(5, US, PEER, True, found, 20.0, 0.5, 3.0)
    assert scene.session.routes_processed(5, Verdict(end_of_rib=[IPV4]), 4.0) == []
    begins, ends = (RouteRefreshMessage(*IPV4, subtype).encode() for subtype in (1, 2))
    assert scene.session.receive(5, begins, 4.0) == []
    assert scene.session.receive(5, ends, 4.0) == [SweepStale(*IPV4)]


def test_an_end_of_a_refresh_that_did_not_begin_says_nothing() -> None:
    made = Adopted()
    assert made.says(IPV4, 2) == []
    assert made.end_of_rib == set()


def test_a_peer_that_does_not_begin_is_left_without_a_word_and_comes_back_by_a_restart() -> None:
    made = Adopted(A)
    assert made.waits(BEGUN_WITHIN - 0.1) == []
    out = made.waits(0.2)
    assert [(e.conn, e.reset) for e in out if isinstance(e, Close)] == [(0, False)]
    assert not [e for e in out if isinstance(e, Send | Notified)]
    (down,) = [e for e in out if isinstance(e, Down)]
    assert down.keep == BOTH, "nothing is inferred from silence"
    assert made.session.came_back == (False, "no BoRR within 10 s")
    assert made.session.describe(made.now)["last_down"]["reason"] == "adopted, but no BoRR within 10 s"
    again = made.waits(2)
    assert [e for e in again if isinstance(e, Connect)]
    (attempt,) = [e.conn for e in again if isinstance(e, Connect)]
    (said,) = [e.data for e in made.session.connected(attempt, US, PEER, False, made.now) if isinstance(e, Send)]
    (offered,) = [c for c in decode_open(said[19:]).capabilities if isinstance(c, GracefulRestart)]
    assert (offered.restarting, {f[:2] for f in offered.families if f[2]}) == (True, BOTH)


def test_a_peer_may_take_its_time_between_a_beginning_and_its_end_but_not_between_families() -> None:
    made = Adopted()
    made.says(IPV4, 1)
    assert made.waits(60) == []
    made.session.receive(0, KEEPALIVE, made.now)
    made.says(IPV4, 2)
    assert made.waits(BEGUN_WITHIN - 1) == []
    assert [e for e in made.waits(2) if isinstance(e, Close)]


def test_while_we_are_late_no_silence_is_the_peers() -> None:
    made = Adopted()
    made.now += BEGUN_WITHIN + 5
    made.session.connections[0].late(made.now)
    assert made.waits(1) == []
    assert made.session.state is State.ESTABLISHED


def test_a_peer_that_is_silent_and_mute_when_we_look_again_is_lost_once() -> None:
    made = Adopted()
    out = made.waits(1000)
    assert [e.conn for e in out if isinstance(e, Close)] == [0]
    assert made.session.connections == ()
    assert made.session.last_down is not None
    assert made.session.last_down.reason == "nothing heard from the peer for 90 s"


def test_a_peer_that_connects_again_ends_what_was_adopted() -> None:
    made = Adopted()
    made.session.connected(1, US, PEER, True, made.now)
    spoken = decode_open(opened(capsule()).received)
    out = made.session.receive(1, spoken.encode(), made.now)
    assert [e.conn for e in out if isinstance(e, Close)] == [0], "it has restarted (RFC 4724 5)"


def test_a_session_of_ours_goes_on_after_its_agent_was_away_and_what_was_kept_stays_until_it_is_told_again() -> None:
    scene = Scene(*ALL)
    blob = scene.session.connections[0].capsule(election=8, told=True)

    (down,) = [e for e in scene.ends() if isinstance(e, Down)]
    assert down.keep == BOTH
    found = examine(blob, scene.session.config, 8, waits=False)
    out = scene.session.adopt(5, US, PEER, True, found, 20.0, 0.5, 3.0)
    assert not [e for e in out if isinstance(e, SweepStale)]
    assert scene.session.state is State.ESTABLISHED
    assert not scene.session.forwarding.restarting
    for family in (IPV4, IPV6):
        begins, ends = (RouteRefreshMessage(*family, subtype).encode() for subtype in (1, 2))
        assert scene.session.receive(5, begins, 4.0) == []
        assert scene.session.receive(5, ends, 4.0) == [SweepStale(*family)]


def test_what_was_kept_stays_while_a_mute_peer_that_has_not_restarted_comes_back() -> None:
    scene = Scene(*ALL)
    blob = scene.session.connections[0].capsule(election=8, told=True)
    scene.session.closed(scene.conn, "the agent is gone", 2.0, ours=True)
    found = examine(blob, scene.session.config, 8, waits=False)
    scene.session.adopt(5, US, PEER, True, found, 20.0, 0.5, 3.0)
    out = scene.session.timer(3.0 + BEGUN_WITHIN)
    assert [e.conn for e in out if isinstance(e, Close)] == [5]
    assert not [e for e in out if isinstance(e, SweepStale)]
    scene.now, scene.conn = 15.0, 5
    assert scene.comes(*ALL[:2], restart(v4=False, v6=False)) == []
    assert scene.end_of_rib(IPV4, IPV6) == [SweepStale(*IPV4), SweepStale(*IPV6)]


# --- the capsule ----------------------------------------------------------------------------------------------------


def test_what_fits_is_adopted() -> None:
    assert why_not(capsule()) == ""
    assert why_not(capsule(election=8), waits=False) == ""


@pytest.mark.parametrize(
    ("capabilities", "reason"),
    [
        ((RouteRefresh(), EnhancedRouteRefresh()), "graceful restart is not agreed"),
        ((RouteRefresh(), restart()), "enhanced route refresh (RFC 7313) is not agreed"),
        ((EnhancedRouteRefresh(), restart()), "route refresh is not agreed"),
    ],
)
def test_only_a_peer_that_can_be_swept_and_restarts_gracefully_is_adopted(
    capabilities: tuple[Capability, ...], reason: str
) -> None:
    assert why_not(capsule(*capabilities)) == reason


def test_without_graceful_restart_of_ours_nothing_is_adopted() -> None:
    for mode in (Mode.OFF, Mode.HELPER):
        config = replace(PASSIVE, graceful_restart=mode)
        assert why_not(capsule(config=config), config) == "graceful restart is not agreed"


def test_what_another_time_another_neighbor_or_an_unfinished_session_has_left_is_not_adopted() -> None:
    assert why_not(capsule(), election=6) == "it was left by a later routingd"
    assert why_not(capsule(), waits=False) == "the neighbors of the earlier routingd are not waited for"
    assert why_not(capsule(told=False)) == "the neighbor had not been told everything yet"
    assert why_not(capsule(), replace(PASSIVE, address=bytes([192, 0, 2, 9]))) == "its capsule is another neighbor's"


OTHERWISE = {
    "hold_time": 30, "password": "other", "next_hop_self": True, "weight": 5, "families": A.families[:1],
    "graceful_restart": Mode.HELPER, "restart_time": 30, "router_id": bytes([10, 0, 0, 99]), "passive": False,
}  # fmt: skip


@pytest.mark.parametrize("key", OTHERWISE)
def test_another_configuration_of_the_session_restarts_it(key: str) -> None:
    changed = replace(PASSIVE, **{key: OTHERWISE[key]})  # type: ignore[arg-type]
    assert why_not(capsule(), changed) == "the neighbor is configured otherwise now"


def test_what_the_neighbor_is_called_here_and_our_version_change_nothing() -> None:
    changed = replace(PASSIVE, description="new", software_version="2", host_name="r2")
    assert digest_of_configuration(changed) == digest_of_configuration(PASSIVE)
    assert why_not(capsule(), changed) == ""


def test_a_capsule_that_agrees_upon_something_else_is_not_adopted() -> None:
    for name, value in (("agreed", bytes(16)), ("received", b"\x04"), ("sent", b""), ("received", bytes(5000))):
        changed = replace(opened(capsule()), **{name: value})
        assert why_not(changed.encode()) != ""


def test_a_peer_that_came_back_itself_is_waited_for_once_it_is_adopted() -> None:
    blob = capsule(RouteRefresh(), EnhancedRouteRefresh(), restart(restarting=True))
    found = examine(blob, PASSIVE, 8, True)
    assert found.agreed.graceful is not None
    assert not found.agreed.graceful.restarting


@settings(max_examples=300)
@given(st.data())
def test_no_bytes_break_the_reader(data: st.DataObject) -> None:
    blob = bytearray(capsule())
    for at in data.draw(st.lists(st.integers(0, len(blob) - 1), max_size=4)):
        blob[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(blob)))
    for hostile in (bytes(blob), bytes(blob[:cut]), data.draw(st.binary(max_size=60))):
        why_not(hostile)


def test_giant_nested_and_foreign_capsules_are_refused() -> None:
    nested: object = 1
    for _ in range(400):
        nested = [nested]
    assert why_not(bytes(MAX_CAPSULE + 1)) == "its capsule is too long"
    assert why_not(msgpack.packb([2, "later"])) == "its capsule is of another release"
    for row in ([1], [1, *([b""] * 7)], {1: 2}, nested, [1, *([True] * 7)]):
        assert why_not(msgpack.packb(row)).startswith("its capsule")
    assert [f.name for f in fields(SessionCapsule)] == [
        "peer", "sent", "received", "agreed", "configuration", "election", "told"
    ]  # fmt: skip


def test_the_peers_open_of_a_capsule_is_what_it_sent() -> None:
    received = decode_open(opened(capsule()).received)
    assert isinstance(received, Open)
    assert EnhancedRouteRefresh() in received.capabilities
