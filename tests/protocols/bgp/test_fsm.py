"""Every event in every state has one defined result (RFC 4271 8.2.2), and no input whatever raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bgp.errors import Cease, Notification
from protocols.bgp.fsm import State
from protocols.bgp.messages import KEEPALIVE, MessageType, Open, encode_message, encode_notification
from protocols.bgp.session import Session
from protocols.effects import Close, Connect, Down, Effect, Established, Send
from tests.protocols.bgp.peers import A, B, Verdict

OPEN = Open(65002, 90, B.router_id).encode()
CONN = -1


def in_state(state: State) -> Session:
    session = Session(A, Random(1))
    if state is State.IDLE:
        return session
    session.start(0)
    if state is State.CONNECT:
        return session
    if state is State.ACTIVE:
        session.connect_failed(CONN, "refused", 0)
        return session
    session.connected(CONN, B.address, A.address, False, 0)
    if state is not State.OPEN_SENT:
        session.receive(CONN, OPEN, 0)
    if state is State.ESTABLISHED:
        session.receive(CONN, KEEPALIVE, 0)
    assert session.state is state
    return session


MESSAGES = {
    "OPEN": OPEN,
    "bad OPEN": encode_message(MessageType.OPEN, bytes.fromhex("04fde9005a0a00000200")),
    "UPDATE": encode_message(MessageType.UPDATE, bytes(4)),
    "NOTIFICATION": encode_notification(Notification(6, 4)),
    "KEEPALIVE": KEEPALIVE,
    "ROUTE-REFRESH": encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex("00010001")),
    "bad ROUTE-REFRESH": encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex("0001010100")),
    "unknown type": encode_message(MessageType.KEEPALIVE)[:18] + b"\x09",
    "no marker": bytes(19),
    "length 18": KEEPALIVE[:16] + b"\x00\x12\x04",
}
S, C, E = State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED
I = State.IDLE  # noqa: E741
# What each message leads to: the next state and the NOTIFICATION sent.
ANSWERS: dict[tuple[State, str], tuple[State, tuple[int, int, str] | None]] = {
    (S, "OPEN"): (C, None),
    (S, "bad OPEN"): (I, (2, 2, "")),
    (S, "UPDATE"): (I, (5, 1, "02")),
    (S, "NOTIFICATION"): (I, None),
    (S, "KEEPALIVE"): (I, (5, 1, "04")),
    (S, "ROUTE-REFRESH"): (I, (5, 1, "05")),
    (S, "bad ROUTE-REFRESH"): (I, (5, 1, "05")),
    (C, "OPEN"): (I, (5, 2, "01")),
    (C, "bad OPEN"): (I, (5, 2, "01")),
    (C, "UPDATE"): (I, (5, 2, "02")),
    (C, "NOTIFICATION"): (I, None),
    (C, "KEEPALIVE"): (E, None),
    (C, "ROUTE-REFRESH"): (I, (5, 2, "05")),
    (C, "bad ROUTE-REFRESH"): (I, (5, 2, "05")),
    (E, "OPEN"): (I, (5, 3, "01")),
    (E, "bad OPEN"): (I, (5, 3, "01")),
    (E, "UPDATE"): (E, None),
    (E, "NOTIFICATION"): (I, None),
    (E, "KEEPALIVE"): (E, None),
    (E, "ROUTE-REFRESH"): (E, None),
    (E, "bad ROUTE-REFRESH"): (I, (7, 1, MESSAGES["bad ROUTE-REFRESH"].hex())),
    **{(s, "unknown type"): (I, (1, 3, "09")) for s in (S, C, E)},
    **{(s, "no marker"): (I, (1, 1, "")) for s in (S, C, E)},
    **{(s, "length 18"): (I, (1, 2, "0012")) for s in (S, C, E)},
}


@pytest.mark.parametrize("state", [S, C, E])
@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("piece", [1, 1000])
def test_every_message_in_every_state_has_its_answer(state: State, name: str, piece: int) -> None:
    session = in_state(state)
    data = MESSAGES[name]
    out = [e for at in range(0, len(data), piece) for e in session.receive(CONN, data[at : at + piece], 1)]
    expected_state, answer = ANSWERS[(state, name)]
    assert session.state is expected_state
    sent = [e.data for e in out if isinstance(e, Send) and e.data[18] == MessageType.NOTIFICATION]
    asked = [] if answer is None else [Notification(answer[0], answer[1], bytes.fromhex(answer[2]))]
    assert sent == [encode_notification(n) for n in asked]
    assert any(isinstance(e, Close) for e in out) == (expected_state is I)
    assert any(isinstance(e, Down) for e in out) == (expected_state is I and state is E)


@pytest.mark.parametrize("state", [State.IDLE, State.CONNECT, State.ACTIVE])
@pytest.mark.parametrize("name", MESSAGES)
def test_bytes_of_no_connection_change_nothing(state: State, name: str) -> None:
    session = in_state(state)
    assert session.receive(CONN, MESSAGES[name], 1) == []
    assert session.state is state


EVENTS: dict[str, tuple[Callable[[Session], list[Effect]], dict[State, State]]] = {
    "start": (lambda s: s.start(1), {State.IDLE: State.CONNECT}),
    "stop": (lambda s: s.stop(Cease(), 1), dict.fromkeys(State, State.IDLE)),
    "inbound": (
        lambda s: s.connected(8, B.address, A.address, True, 1), {State.CONNECT: S, State.ACTIVE: S}
    ),
    "outgoing": (lambda s: s.connected(CONN, B.address, A.address, False, 1), {State.CONNECT: S}),
    "connect failed": (lambda s: s.connect_failed(CONN, "refused", 1), {State.CONNECT: State.ACTIVE}),
    "closed": (
        lambda s: s.closed(CONN, "reset", 1), {State.CONNECT: State.ACTIVE, S: State.ACTIVE, C: I, E: I}
    ),
    "bad routes": (
        lambda s: s.routes_processed(CONN, Verdict(error=(3, 1, b"")), 1), {S: I, C: I, E: I}  # type: ignore[arg-type]
    ),
    "hold timer": (
        lambda s: s.timer(1000), {State.CONNECT: State.ACTIVE, State.ACTIVE: State.CONNECT, S: I, C: I, E: I}
    ),
    "nothing due": (lambda s: s.timer(0), {}),
}  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", EVENTS)
def test_every_other_event_in_every_state_has_its_next_state(state: State, name: str) -> None:
    session = in_state(state)
    event, moves = EVENTS[name]
    event(session)
    assert session.state is moves.get(state, state)
    assert session.state == session.describe(1)["state"]


Step = Callable[[Session, float], list[Effect]]
conns = st.sampled_from([-3, -2, -1, 1, 3])
garbage = st.one_of(
    st.sampled_from(list(MESSAGES.values())),
    st.binary(max_size=60),
    st.builds(
        lambda kind, body: encode_message(MessageType.KEEPALIVE, body)[:18] + bytes([kind]) + body,
        st.integers(0, 7), st.binary(max_size=60),
    ),
)  # fmt: skip


def step_receive(conn: int, data: bytes) -> Step:
    return lambda s, now: s.receive(conn, data, now)


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(step_receive, conns, garbage),
    st.builds(step_receive, st.just(-1), st.sampled_from([OPEN, KEEPALIVE, OPEN + KEEPALIVE])),
    conns.map(lambda n: lambda s, now: s.connected(n, B.address, A.address, n > 0, now)),
    conns.map(lambda n: lambda s, now: s.closed(n, "reset", now)),
    conns.map(lambda n: lambda s, now: s.connect_failed(n, "refused", now)),
    conns.map(lambda n: lambda s, now: s.routes_processed(n, Verdict(error=(3, 1, b"")), now)),
    st.just(lambda s, now: s.timer(now)),
    st.just(lambda s, now: s.start(now)),
    st.just(lambda s, now: s.stop(Cease(), now)),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(State), st.booleans(),
    st.lists(st.tuples(steps, st.floats(0, 300)), max_size=40),
)  # fmt: skip
def test_no_input_in_any_state_raises_or_breaks_what_always_holds(
    state: State, passive: bool, script: list[tuple[Step, float]]
) -> None:
    session = in_state(state)
    session.config = replace(A, passive=passive)
    now, up = 0.0, state is E
    for step, after in script:
        now += after
        out = step(session, now)
        for effect in out:
            if isinstance(effect, Established | Down):
                # They alternate: the routes of a session never outlive it, nor is one lost twice.
                assert isinstance(effect, Established) is not up
                up = not up
        assert up == (session.state is E)
        assert sum(c.state is E for c in session.connections) <= 1
        assert len(session.connections) <= 2
        closed = {e.conn for e in out if isinstance(e, Close)} - {e.conn for e in out if isinstance(e, Connect)}
        assert not closed & {c.number for c in session.connections}
        # A session that runs is never stuck: it waits for the peer, for TCP or for a timer.
        if session.running and not passive and session.state is not E:
            assert session.next_deadline() is not None
        session.describe(now)
