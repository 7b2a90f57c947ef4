"""Two sessions wired to each other: how they come up, collide, fail and come back."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import native
from protocols.bgp.config import FamilyConfig, PeerConfig
from protocols.bgp.errors import Cease, CeaseSubcode, Notification
from protocols.bgp.fsm import State
from protocols.bgp.messages import KEEPALIVE, MessageType, Open, encode_message, encode_notification
from protocols.effects import (
    Close,
    Connect,
    Down,
    Effect,
    Established,
    Found,
    Lease,
    MarkStale,
    Notified,
    RefreshRequested,
    Refused,
    Routes,
    Send,
    StateChanged,
)
from tests.protocols.bgp.peers import A, B, Verdict
from tests.protocols.bgp.wire_pair import Side, World

PASSIVE_B = replace(B, passive=True)


def done(out: list[Effect]) -> list[Effect]:
    """Without what is only told."""
    return [effect for effect in out if not isinstance(effect, Notified | Refused | Found)]


def states(world: World) -> tuple[State, State]:
    return world.a.session.state, world.b.session.state


UP = (State.ESTABLISHED, State.ESTABLISHED)


def live(side: Side) -> list[int]:
    return [c.number for c in side.session.connections]


def path(side: Side) -> list[str]:
    changes = [e for e in side.seen(StateChanged) if isinstance(e, StateChanged)]
    return ["Idle", *(e.new for e in changes)]


def down(side: Side) -> Down:
    last = side.seen(Down)[-1]
    assert isinstance(last, Down)
    return last


def code(notification: Notification | None) -> tuple[int, int] | None:
    return None if notification is None else (notification.code, notification.subcode)


# --- coming up ------------------------------------------------------------------------------------------------------


def test_a_session_comes_up_through_the_states_of_the_rfc() -> None:
    world = World(A, PASSIVE_B).start().run(1)
    assert path(world.a) == ["Idle", "Connect", "OpenSent", "OpenConfirm", "Established"]
    assert path(world.b) == ["Idle", "Active", "OpenSent", "OpenConfirm", "Established"]


@pytest.mark.parametrize("piece", [1, 7, 18, 19, 20])
def test_it_comes_up_when_bytes_arrive_in_small_pieces(piece: int) -> None:
    assert states(World(A, PASSIVE_B, piece=piece).start().run(5)) == UP


def test_established_hands_out_what_was_agreed_and_the_lease() -> None:
    world = World(A, replace(PASSIVE_B, hold_time=30)).start().run(1)
    (up,), (lease,) = world.a.seen(Established), world.a.seen(Lease)
    assert isinstance(up, Established)
    assert (up.conn, up.local, up.remote) == (-1, B.address, A.address)
    assert (up.agreed.peer_asn, up.agreed.peer_router_id, up.agreed.hold_time) == (65002, B.router_id, 30)
    expired = encode_notification(Notification(4, 0))
    assert lease == Lease(-1, 10.0, KEEPALIVE, hold=30, farewell=expired)


def test_open_and_keepalives_in_one_read_are_enough() -> None:
    world = World(A, PASSIVE_B)
    session = world.a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    opened = Open(65002, 90, B.router_id).encode()
    out = session.receive(-1, opened + KEEPALIVE + KEEPALIVE, 1)
    assert [type(e) for e in out] == [Send, StateChanged, Established, Lease, StateChanged]
    assert session.counters.messages_in[MessageType.KEEPALIVE] == 2


def test_hold_time_zero_needs_neither_lease_nor_timer() -> None:
    world = World(replace(A, hold_time=0), PASSIVE_B).start().run(1)
    assert states(world) == UP
    assert not world.a.seen(Lease)
    assert world.a.session.next_deadline() is None
    assert states(world.run(100_000)) == UP


def test_a_session_stays_up_on_keepalives() -> None:
    assert states(World(A, PASSIVE_B).start().run(3600)) == UP


def test_until_established_the_session_sends_its_own_keepalives() -> None:
    session = World(A, PASSIVE_B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    session.receive(-1, Open(65002, 30, B.router_id).encode(), 0)
    due = session.next_deadline()
    assert due is not None
    assert 7.5 <= due <= 10.0
    assert session.timer(due) == [Send(-1, KEEPALIVE)]


# --- collision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a_id", "b_id"), [(1, 2), (2, 1), (1, 1)])
def test_of_two_connections_the_one_from_the_higher_identifier_stays(a_id: int, b_id: int) -> None:
    a, b = replace(A, router_id=bytes([10, 0, 0, a_id])), replace(B, router_id=bytes([10, 0, 0, b_id]))
    world = World(a, b).start().run(1)
    assert states(world) == UP
    # With equal identifiers the AS numbers decide (RFC 6286 2.3); 65002 is B's.
    winner, loser = (world.a, world.b) if a_id > b_id else (world.b, world.a)
    assert [n < 0 for n in live(winner)] == [True]
    assert [n < 0 for n in live(loser)] == [False]
    assert code(winner.session.counters.last_sent) in (None, (6, 7))
    assert not winner.seen(Down)
    assert not loser.seen(Down)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.floats(0.001, 0.5), st.floats(0, 1.2), st.integers(0, 30),
    st.integers(0, 99),
)  # fmt: skip
def test_whoever_starts_when_the_session_is_up_within_a_minute_on_one_connection(
    a_id: int, b_id: int, delay: float, offset: float, piece: int, seed: int
) -> None:
    a, b = replace(A, router_id=bytes([10, 0, 0, a_id])), replace(B, router_id=bytes([10, 0, 0, b_id]))
    world = World(a, b, delay=delay, piece=piece, seed=seed)
    world.perform(world.a, world.a.session.start(0))
    world.run(offset)
    world.perform(world.b, world.b.session.start(offset))
    world.run(60)
    assert states(world) == UP
    (ours,), (theirs,) = live(world.a), live(world.b)
    assert world.a.links == {ours: theirs}


def test_a_newcomer_is_refused_while_the_session_is_established() -> None:
    world = World(A, PASSIVE_B).start().run(1)
    session = world.a.session
    out = session.connected(40, B.address, A.address, True, 2)
    collision = encode_notification(Notification(6, 7))
    assert done(out) == [Send(40, collision), Close(40, "the session is Established")]
    assert Refused(40, "the session is Established") in out
    assert session.state is State.ESTABLISHED
    assert session.receive(40, KEEPALIVE, 2) == []


def test_a_peer_that_connects_again_replaces_its_first_connection() -> None:
    session = World(replace(A, passive=True), B).a.session
    session.start(0)
    session.connected(1, B.address, A.address, True, 0)
    out = session.connected(3, B.address, A.address, True, 1)
    assert done(out)[:2] == [Send(1, encode_notification(Notification(6, 7))), Close(1, "the peer connected again")]
    assert [c.number for c in session.connections] == [3]


# --- refusals -------------------------------------------------------------------------------------------------------

MISMATCHES: dict[str, tuple[PeerConfig, PeerConfig, tuple[int, int]]] = {
    "wrong AS": (replace(A, remote_asn=65003), PASSIVE_B, (2, 2)),
    "same identifier within an AS": (
        replace(A, remote_asn=65001), replace(PASSIVE_B, local_asn=65001, router_id=A.router_id), (2, 3)
    ),
    "no common family": (
        replace(A, families=(FamilyConfig(1, 1),)), replace(PASSIVE_B, families=(FamilyConfig(2, 1),)), (2, 7)
    ),
}  # fmt: skip


@pytest.mark.parametrize(("a", "b", "expected"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_a_mismatch_is_told_and_retried_more_and_more_slowly(
    a: PeerConfig, b: PeerConfig, expected: tuple[int, int]
) -> None:
    world = World(a, b).start().run(600)
    told = sorted(
        t
        for side in (world.a, world.b)
        for t, e in side.effects
        if isinstance(e, Send) and e.data[18:21] == bytes([3, *expected])
    )
    assert not world.a.seen(Established)
    assert 4 <= len(told) <= 30
    assert max(later - earlier for earlier, later in pairwise(told)) > 60


def test_wrong_message_version_is_answered_with_ours() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    out = session.receive(-1, encode_message(MessageType.OPEN, bytes.fromhex("03fdea005a0a00000200")), 0)
    assert out[0] == Send(-1, encode_notification(Notification(2, 1, b"\x00\x04")))
    assert isinstance(out[-1], StateChanged)
    assert (out[-1].new, out[-1].reason) == ("Idle", "the peer speaks BGP version 3, not 4")


def test_a_peer_that_refuses_optional_parameters_is_tried_without_them() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    session.receive(-1, encode_notification(Notification(2, 4)), 0)
    due = session.next_deadline()
    assert due is not None
    assert Connect(-2) in session.timer(due)
    (opened, _) = session.connected(-2, B.address, A.address, False, due)
    assert opened == Send(-2, Open(65001, 90, A.router_id).encode())
    out = session.receive(-2, Open(65002, 90, B.router_id).encode() + KEEPALIVE, due)
    up = next(e for e in out if isinstance(e, Established))
    assert (up.agreed.families, up.agreed.four_octet_as) == (((1, 1),), False)


def test_a_two_octet_peer_of_a_four_octet_speaker_comes_up() -> None:
    session = World(replace(A, local_asn=4200000000), B).a.session
    session.start(0)
    (opened, _) = session.connected(-1, B.address, A.address, False, 0)
    assert isinstance(opened, Send)
    assert opened.data[20:22] == (23456).to_bytes(2, "big")
    out = session.receive(-1, Open(65002, 90, B.router_id).encode() + KEEPALIVE, 0)
    up = next(e for e in out if isinstance(e, Established))
    assert up.agreed.four_octet_as is False


# --- going down -----------------------------------------------------------------------------------------------------


def test_silence_ends_the_session_after_the_hold_time() -> None:
    world = World(replace(A, hold_time=9), PASSIVE_B).start().run(1)
    world.b.mute = True
    world.run(9.5)
    assert code(down(world.a).sent) == (4, 0)
    assert code(down(world.b).received) == (4, 0)
    assert down(world.a).reason == "nothing heard from the peer for 9 s"


def test_a_peer_that_never_sends_its_open_is_given_four_minutes() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    assert session.next_deadline() == 240
    assert session.timer(239.9) == []
    assert session.timer(240)[0] == Send(-1, encode_notification(Notification(4, 0)))


def test_an_arrival_told_late_never_shortens_the_hold_time() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    session.receive(-1, Open(65002, 90, B.router_id).encode() + KEEPALIVE, 50)
    session.receive(-1, KEEPALIVE, 20)
    assert session.next_deadline() == 140


def test_a_shutdown_reaches_the_peers_operator() -> None:
    world = World(A, PASSIVE_B).start().run(1)
    world.perform(world.a, world.a.session.stop(Cease(message="maintenance until 04:00"), 1))
    world.run(2)
    assert world.a.session.state is State.IDLE
    assert world.a.session.next_deadline() is None
    # RFC 8538 5.1: a shutdown leaves no routes behind.
    told = "cease: hard reset (6/9): cease: administrative shutdown (maintenance until 04:00)"
    assert down(world.b).reason == f"the peer sent {told}"
    assert down(world.b).keep == frozenset()


def test_a_long_shutdown_message_is_cut_between_characters() -> None:
    notification = Cease(message="ü" * 200).notification()
    assert notification.data[0] == 254
    assert notification.text == "ü" * 127


def test_a_stopped_session_rejects_connections() -> None:
    session = World(A, B).a.session
    assert done(session.connected(1, B.address, A.address, True, 0)) == [
        Send(1, encode_notification(Notification(6, 5))),
        Close(1, "the session is stopped"),
    ]
    assert session.counters.rejected == {"the session is stopped": 1}


def test_a_lost_session_comes_back_by_itself() -> None:
    world = World(A, PASSIVE_B).start().run(10)
    world.cut()
    assert states(world) == (State.IDLE, State.IDLE)
    assert (down(world.a).sent, down(world.a).received) == (None, None)
    assert states(world.run(13)) == UP
    assert world.a.session.counters.established == 2


def test_a_peer_that_restarts_is_taken_back_at_once_but_not_one_that_keeps_failing() -> None:
    session = World(replace(A, passive=True), B).a.session
    session.start(0)
    for attempt, taken in ((1, True), (3, True), (5, False)):
        out = session.connected(attempt, B.address, A.address, True, 0)
        assert isinstance(done(out)[0], Send if taken else Close)
        session.receive(attempt, KEEPALIVE, 0)
    due = session.next_deadline()
    assert due is not None
    session.timer(due)
    assert session.state is State.ACTIVE
    assert isinstance(session.connected(7, B.address, A.address, True, due)[0], Send)


def test_pauses_start_over_after_a_session_that_held() -> None:
    world = World(A, PASSIVE_B).start()
    for _ in range(6):
        world.run(world.now + 70)
        assert states(world) == UP
        world.cut()
    short = world.a.session.describe(world.now)["next_attempt"]
    world.run(world.now + 300)
    assert states(world) == UP
    world.cut()
    assert world.a.session.describe(world.now)["next_attempt"] <= 1.0 < short


def test_a_refused_connection_is_tried_again_with_growing_pauses_up_to_the_connect_retry() -> None:
    world = World(A, PASSIVE_B)
    world.b.refuses = True
    world.start().run(60)
    attempts = [t for t, e in world.a.effects if isinstance(e, Connect)]
    pauses = [later - earlier - world.delay for earlier, later in pairwise(attempts)]
    assert all(0.75 * full <= p <= full + 0.01 for p, full in zip(pauses, (1, 2, 4, 8, 10, 10, 10), strict=False))
    assert world.a.session.state in (State.ACTIVE, State.CONNECT)
    assert world.a.session.last_connect_error == "connection refused"
    world.b.refuses = False
    assert states(world.run(75)) == UP


def test_an_attempt_nobody_answers_is_given_up() -> None:
    session = World(A, B).a.session
    session.start(0)
    assert session.next_deadline() == 30
    out = session.timer(30)
    assert out[0] == Close(-1, "no answer to the attempt to connect", reset=True)
    assert session.state is State.ACTIVE
    assert session.connected(-1, B.address, A.address, False, 31) == [Close(-1, "no longer wanted", reset=True)]


def test_a_connection_lost_before_the_peers_open_leads_to_active() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    assert session.closed(-1, "reset", 1) == [StateChanged("OpenSent", "Active", "TCP connection closed: reset")]


# --- established ----------------------------------------------------------------------------------------------------


def established() -> tuple[Any, int]:
    world = World(A, PASSIVE_B).start().run(1)
    return world.a.session, -1


def test_a_refresh_is_asked_for_only_in_families_that_were_agreed() -> None:
    session, conn = established()
    asked = [bytes.fromhex(m) for m in ("00010001", "00020001", "00190046", "00010101", "00010901")]
    out = [e for m in asked for e in session.receive(conn, encode_message(MessageType.ROUTE_REFRESH, m), 2)]
    # The fourth marks the beginning of one of the peer's own (RFC 7313 4).
    assert out == [RefreshRequested(conn, 1, 1), RefreshRequested(conn, 2, 1), MarkStale(1, 1)]


def test_the_engines_verdict_ends_the_session_with_its_notification() -> None:
    session, conn = established()
    out = done(session.routes_processed(conn, Verdict(announced=3, error=(3, 1, b"\x01\x02")), 2))
    assert out[:2] == [
        Send(conn, encode_notification(Notification(3, 1, b"\x01\x02"))),
        Close(conn, "the peer sent a bad UPDATE: update message error: malformed attribute list (3/1): data 0102"),
    ]
    assert isinstance(out[2], Down)
    assert session.counters.announced == 3
    assert session.routes_processed(conn, Verdict(announced=5), 3) == []


def test_what_the_engine_finds_in_an_update_reaches_the_peer() -> None:
    session, conn = established()
    # RFC 7606 4: an UPDATE whose attribute lengths do not add up cannot be treated as a withdrawal.
    broken = encode_message(MessageType.UPDATE, bytes.fromhex("0000 00ff 400101"))
    (routes,) = session.receive(conn, broken, 2)
    assert isinstance(routes, Routes)
    (connection,) = session.connections
    out = done(session.routes_processed(conn, native.decode(routes.updates, connection.agreed.terms()), 2))
    assert isinstance(out[0], Send)
    assert out[0].data[18:21] == bytes([3, 3, 1])
    assert session.state is State.IDLE


def test_an_end_of_rib_from_the_engine_is_noted() -> None:
    session, conn = established()
    (routes,) = session.receive(conn, encode_message(MessageType.UPDATE, bytes(4)), 2)
    (connection,) = session.connections
    assert session.routes_processed(conn, native.decode(routes.updates, connection.agreed.terms()), 2) == []
    assert connection.end_of_rib == {(1, 1)}


@pytest.mark.parametrize("piece", [19, 10_000])
def test_a_long_update_is_taken_right_after_the_keepalive_where_we_offered_that(piece: int) -> None:
    long = encode_message(MessageType.UPDATE, bytes(5000))
    for offered in (True, False):
        session = World(replace(A, extended_message=offered), B).a.session
        session.start(0)
        session.connected(-1, B.address, A.address, False, 0)
        data = Open(65002, 90, B.router_id).encode() + KEEPALIVE + long
        out = [e for at in range(0, len(data), piece) for e in session.receive(-1, data[at : at + piece], 0)]
        assert any(isinstance(e, Routes) for e in out) is offered
        bad_length = Send(-1, encode_notification(Notification(1, 2, (5019).to_bytes(2, "big"))))
        assert (bad_length in out) is not offered


def test_a_peer_that_holds_us_down_does_not_hide_what_it_told_before() -> None:
    session = World(A, B).a.session
    session.start(0)
    session.connected(-1, B.address, A.address, False, 0)
    session.receive(-1, encode_notification(Notification(2, 2)), 0)
    session.timer(5)
    session.connected(-2, B.address, A.address, False, 5)
    session.closed(-2, "reset", 5)
    shown = session.describe(5)
    assert shown["last_down"]["reason"] == "the peer sent open message error: bad peer as (2/2)"
    assert shown["last_connect_error"] == "TCP connection closed: reset"


def test_the_engines_verdict_is_counted_and_shown() -> None:
    session, conn = established()
    fault = {
        "code": 4, "disposition": 2, "subcode": 5, "rfc": "7606 7.4", "count": 2, "bytes": b"\x80\x04", "message": b"",
    }  # fmt: skip
    for told in ("MULTI_EXIT_DISC", None):
        verdict = Verdict(announced=7, withdrawn=1, end_of_rib=[(1, 1)], faults=[fault])
        out = session.routes_processed(conn, verdict, 2)
        assert [e.finding.name for e in out if isinstance(e, Found)] == [told] * (told is not None)
        assert all(isinstance(e, Found) for e in out)
    shown = session.describe(2)
    assert [f["end_of_rib"] for f in shown["families"]] == [True, False]
    assert (shown["counters"]["announced"], shown["counters"]["withdrawn"]) == (14, 2)
    (found,) = shown["counters"]["findings"]
    assert (found["name"], found["verdict"], found["count"]) == ("MULTI_EXIT_DISC", "treat as withdraw", 4)


def test_everything_about_a_session_can_be_shown_as_json_in_every_state() -> None:
    world = World(replace(A, host_name="r1.example.net", software_version="routingd"), PASSIVE_B)
    shown = [world.a.session.describe(0)]
    world.start()
    shown.append(world.a.session.describe(0))
    shown.append(world.run(61).a.session.describe(61))
    cease = Cease(CeaseSubcode.ADMINISTRATIVE_RESET, "again")
    world.perform(world.b, world.b.session.stop(cease, 61))
    shown.append(world.run(61.1).a.session.describe(61.1))
    assert json.loads(json.dumps(shown)) == shown
    assert [s["state"] for s in shown] == ["Idle", "Connect", "Established", "Idle"]
    up, ended = shown[2], shown[3]
    assert 60 < up["uptime"] < 61
    assert (up["router_id"], up["peer_asn"], up["negotiated_hold_time"]) == ("10.0.0.2", 65002, 90)
    assert [c["name"] for c in up["capabilities"]["received"]] == [
        "multiprotocol", "multiprotocol", "route-refresh", "extended-message", "graceful-restart", "four-octet-as",
        "enhanced-route-refresh",
    ]  # fmt: skip
    assert up["counters"]["messages_in"]["KEEPALIVE"] >= 2
    assert up["last_down"] is None
    assert ended["last_down"]["received"] == {
        "code": 6, "subcode": 9, "name": "cease: hard reset", "text": "cease: administrative reset (again)"
    }  # fmt: skip
    assert ended["last_down"]["sent"] is None
    assert ended["next_attempt"] <= 1.0


def test_a_hold_timer_that_fires_while_we_are_late_starts_over_and_else_goes_on() -> None:
    session, conn = established()
    due = session.deadlines()["hold"]
    connection = session.connection(conn)
    assert connection is not None
    connection.late(due - 1)
    assert session.deadlines()["hold"] == due
    connection.late(due)
    assert session.timer(due) == []
    assert session.deadlines()["hold"] == due + 90
    assert any(isinstance(e, Down) for e in session.timer(due + 90))
    assert session.connection(conn) is None


def test_a_flood_of_requests_in_one_read_is_one_request_of_each_family() -> None:
    session, conn = established()
    asks = [encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex(f"0001 {subtype} 01")) for subtype in ("00", "09")]
    out = session.receive(conn, asks[0] * 1000 + asks[1] * 10, 2)
    assert out == [RefreshRequested(conn, 1, 1)]
    assert session.counters.messages_in[MessageType.ROUTE_REFRESH] == 1010
    assert session.receive(conn, asks[0], 3) == [RefreshRequested(conn, 1, 1)]
