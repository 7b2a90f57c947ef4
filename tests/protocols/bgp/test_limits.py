"""Maximum prefixes (RFC 4271 6.7, RFC 4486 4): told near the limit, ended beyond it, and back as configured."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from protocols.bgp.capabilities import GracefulRestart
from protocols.bgp.config import FamilyConfig, PeerConfig
from protocols.bgp.errors import Cease, Notification
from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST
from protocols.bgp.fsm import State
from protocols.bgp.limits import Limits, OnLimit, PrefixLimit
from protocols.bgp.messages import KEEPALIVE, Open, encode_notification
from protocols.bgp.session import Session
from protocols.effects import Close, Down, Effect, LimitReached, Refused, Send
from tests.protocols.bgp.peers import A, B, Verdict


def limited(**more: object) -> PeerConfig:
    maximum = PrefixLimit(**{"limit": 100, **more})  # type: ignore[arg-type]
    v4 = FamilyConfig(*IPV4_UNICAST, "accept", "accept", maximum=maximum)
    return replace(A, passive=True, families=(v4, FamilyConfig(*IPV6_UNICAST, "accept", "accept")))


def established(config: PeerConfig) -> Session:
    session = Session(config, Random(1))
    session.start(0)
    session.connected(1, B.address, A.address, True, 0)
    session.receive(1, Open(65002, 90, B.router_id).encode() + KEEPALIVE, 0)
    assert session.state is State.ESTABLISHED
    return session


def gives(session: Session, paths: int, now: float = 1) -> list[Effect]:
    verdict: object = Verdict()
    return session.routes_processed(1, verdict, now, {IPV4_UNICAST: paths, IPV6_UNICAST: 10**6})  # type: ignore[arg-type]


def test_a_connection_beside_a_session_that_is_held_down_ends_with_it() -> None:
    session = Session(limited(action=OnLimit.IDLE), Random(1))
    session.start(0)
    session.connected(1, B.address, A.address, True, 0)
    restarts = GracefulRestart(False, True, 120, ((*IPV4_UNICAST, True),))
    session.receive(1, Open(65002, 90, B.router_id, (restarts,)).encode() + KEEPALIVE, 0)
    session.connected(3, B.address, A.address, True, 60)
    assert [c.number for c in session.connections] == [1, 3]
    gives(session, 101, 61)
    assert session.state is State.IDLE
    session.receive(3, Open(65002, 90, B.router_id, (restarts,)).encode() + KEEPALIVE, 62)
    assert session.state is State.IDLE
    assert session.kept_down


def test_the_limit_itself_may_be_reached_and_is_told_once_near_it() -> None:
    session = established(limited())
    told = [(paths, e.mark.over) for paths in (74, 75, 80, 100, 74, 99) for e in gives(session, paths)
            if isinstance(e, LimitReached)]  # fmt: skip
    assert told == [(75, False), (99, False)]
    assert session.state is State.ESTABLISHED


def test_one_path_more_ends_the_session_with_the_cease_of_rfc_4486() -> None:
    session = established(limited())
    out = gives(session, 101)
    sent = next(e.data for e in out if isinstance(e, Send))
    # AFI 1, SAFI 1, upper bound 100
    assert sent == encode_notification(Notification(6, 1, bytes.fromhex("0001 01 00000064")))
    assert [type(e) for e in out if isinstance(e, Close | Down)] == [Close, Down]
    assert session.last_session is not None
    assert session.last_session.reason == "101 paths of ipv4-unicast, over the limit of 100; again in 60 s"
    marks = [e.mark for e in out if isinstance(e, LimitReached)]
    assert [mark.over for mark in marks] == [True]


def test_restart_refuses_the_peer_until_its_time_and_then_takes_it() -> None:
    session = established(limited(restart_after=20.0))
    gives(session, 101, 1)
    assert session.describe(6)["next_attempt"] == 15
    assert any(isinstance(e, Refused) for e in session.connected(3, B.address, A.address, True, 20))
    session.timer(21)
    assert session.state is State.ACTIVE
    session.connected(5, B.address, A.address, True, 22)
    assert session.state is State.OPEN_SENT


def test_idle_lasts_until_the_operators_start() -> None:
    session = established(limited(action=OnLimit.IDLE))
    gives(session, 101, 1)
    assert session.next_deadline() is None
    assert session.kept_down
    session.timer(10**6)
    assert session.state is State.IDLE
    assert any(isinstance(e, Refused) for e in session.connected(3, B.address, A.address, True, 10**6))
    session.start(10**6)
    assert session.state is State.ACTIVE
    session.connected(5, B.address, A.address, True, 10**6)
    assert session.state is State.OPEN_SENT


def test_idle_ends_with_a_reset_by_the_operator_too() -> None:
    session = established(limited(action=OnLimit.IDLE))
    gives(session, 101, 1)
    session.stop(Cease(), 2)
    session.start(2)
    assert session.state is State.ACTIVE


def test_warn_only_tells_it() -> None:
    session = established(limited(action=OnLimit.WARN))
    told = [e.mark.text for paths in (101, 102, 150) for e in gives(session, paths) if isinstance(e, LimitReached)]
    assert told == ["101 paths of ipv4-unicast, over the limit of 100"]
    assert session.state is State.ESTABLISHED


@pytest.mark.parametrize(("paths", "told"), [(2, []), (3, [True])])
def test_a_small_limit_is_exact(paths: int, told: list[bool]) -> None:
    limits = Limits([FamilyConfig(*IPV4_UNICAST, maximum=PrefixLimit(2, warn=100))])
    assert [mark.over for mark in limits.reached({IPV4_UNICAST: paths}) if mark.over] == told


def test_a_new_session_is_told_of_anew() -> None:
    session = established(limited(action=OnLimit.WARN))
    gives(session, 101)
    session.closed(1, "reset", 2)
    session.timer(5)
    session.connected(7, B.address, A.address, True, 5)
    session.receive(7, Open(65002, 90, B.router_id).encode() + KEEPALIVE, 5)
    verdict: object = Verdict()
    out = session.routes_processed(7, verdict, 6, {IPV4_UNICAST: 101})  # type: ignore[arg-type]
    assert any(isinstance(e, LimitReached) for e in out)
