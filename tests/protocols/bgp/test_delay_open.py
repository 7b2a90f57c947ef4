"""DelayOpen (RFC 4271 8.1.1): our OPEN waits for the peer's, and goes out alone when that does not come."""

from __future__ import annotations

from dataclasses import replace

from protocols.bgp.fsm import State
from protocols.bgp.messages import MessageType
from protocols.effects import Send
from tests.protocols.bgp.peers import A, B
from tests.protocols.bgp.wire_pair import Side, World

DELAYED, PASSIVE_B = replace(A, delay_open=5.0), replace(B, passive=True)


def first_open(side: Side) -> float:
    return next(at for at, e in side.effects if isinstance(e, Send) and e.data[18] == MessageType.OPEN)


def test_a_peer_that_speaks_at_once_is_answered_at_once() -> None:
    world = World(DELAYED, PASSIVE_B).start().run(1)
    assert world.a.session.state is world.b.session.state is State.ESTABLISHED
    assert first_open(world.a) < 0.1
    kinds = [data[18] for data in world.a.sent]
    assert kinds[:2] == [MessageType.OPEN, MessageType.KEEPALIVE]


def test_two_that_wait_for_each_other_come_up_when_the_first_timer_ends() -> None:
    world = World(DELAYED, replace(PASSIVE_B, delay_open=9.0)).start().run(4.9)
    assert world.a.session.state is State.CONNECT
    assert world.b.session.state is State.ACTIVE
    world.run(6)
    assert world.a.session.state is world.b.session.state is State.ESTABLISHED
    assert 5 <= first_open(world.a) < first_open(world.b) < 5.1


def test_a_silent_peer_gets_our_open_and_then_the_time_the_rfc_gives_it() -> None:
    world = World(DELAYED, PASSIVE_B).start()
    world.b.held = []  # it takes the connection and says nothing
    world.run(4.9)
    assert world.a.sent == []
    world.run(5.1)
    assert world.a.session.state is State.OPEN_SENT
    assert world.a.session.describe(5.1)["timers"]["hold"] > 230


def test_both_sides_delaying_and_connecting_at_once_end_with_one_connection() -> None:
    world = World(replace(DELAYED, delay_open=2.0), replace(B, delay_open=2.0)).start().run(30)
    assert world.a.session.state is world.b.session.state is State.ESTABLISHED
    assert len(world.a.session.connections) == len(world.b.session.connections) == 1
