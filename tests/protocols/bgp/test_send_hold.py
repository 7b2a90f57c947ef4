"""A peer that keeps talking and takes nothing: RFC 9687, on wired sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import Notification
from protocols.bgp.fsm import State
from protocols.bgp.messages import KEEPALIVE
from protocols.effects import Close, Down, Send
from tests.protocols.bgp.peers import A, B
from tests.protocols.bgp.wire_pair import World

STUCK = Notification(8, 0)


def stuck_world(a: PeerConfig, b: PeerConfig = B) -> World:
    """Established; from second 10 on the peer does not read."""
    world = World(a, replace(b, passive=True)).start().run(10)
    world.a.held = []
    world.perform(world.a, [Send(-1, KEEPALIVE)])
    return world


def downs(world: World) -> list[tuple[int, Notification | None]]:
    return [(round(at), e.sent) for at, e in world.a.effects if isinstance(e, Down)]


def hear_the_peer(world: World, until: float) -> None:
    """The peer's hold timer would end the session before; this peer has none to speak of."""
    while world.now < until:
        world.b.session.receive(world.b.session.connections[0].number, KEEPALIVE, world.now)
        world.run(min(until, world.now + 10))
        if world.a.session.state is not State.ESTABLISHED:
            return


def test_a_peer_that_takes_nothing_for_eight_minutes_is_told_and_cut_off() -> None:
    world = stuck_world(A)
    hear_the_peer(world, 600)
    assert downs(world) == [(490, STUCK)]
    (end,) = [e for e in world.a.seen(Close) if isinstance(e, Close) and e.reason.startswith("the peer took nothing")]
    assert end == Close(-1, "the peer took nothing for 480 s", reset=True)
    last = world.a.session.last_down
    assert last is not None
    assert last.sent == STUCK
    assert str(last.sent) == "send hold timer expired (8/0)"


def test_twice_the_agreed_hold_time_where_that_is_longer() -> None:
    world = stuck_world(replace(A, hold_time=300), replace(B, hold_time=600))
    hear_the_peer(world, 700)
    assert downs(world) == [(610, STUCK)]


def test_what_is_configured_goes_before_the_default() -> None:
    world = stuck_world(replace(A, send_hold_time=120))
    hear_the_peer(world, 600)
    assert downs(world) == [(130, STUCK)]


@pytest.mark.parametrize("a", [replace(A, send_hold_time=0), replace(A, hold_time=0)], ids=["off", "no hold time"])
def test_without_the_timer_a_peer_may_take_its_time(a: PeerConfig) -> None:
    world = stuck_world(a)
    hear_the_peer(world, 3000)
    assert downs(world) == []
    assert world.a.session.state is State.ESTABLISHED


def test_each_time_something_moves_the_timer_starts_again_and_stops_when_all_is_taken() -> None:
    world = stuck_world(A)
    hear_the_peer(world, 400)
    world.perform(world.a, [Send(-1, KEEPALIVE)])
    world.release(world.a, all_but=1)
    hear_the_peer(world, 800)
    assert downs(world) == []
    world.release(world.a)
    hear_the_peer(world, 3000)
    assert downs(world) == []


@pytest.mark.parametrize("seconds", [3, 90, 65536])
def test_a_send_hold_time_not_above_the_hold_time_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="send hold time must be 0 or more than the hold time"):
        replace(A, send_hold_time=seconds)
