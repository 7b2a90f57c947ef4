"""A peer whose bad messages end session after session waits longer each time, however long the sessions last."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from protocols.bgp.attempts import FORGIVEN_AFTER, OFFENDER_HOLD_MAX, STABLE
from protocols.bgp.errors import Cease
from protocols.bgp.fsm import State
from protocols.bgp.messages import KEEPALIVE, MessageType, Open, encode_message
from protocols.bgp.session import Session
from protocols.effects import Refused
from tests.protocols.bgp.peers import A, B, Verdict

BAD_REFRESH = encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex("0001010100"))


class Peer:
    """It connects whenever it may; its sessions last ``lasts`` seconds, until it says ``last_word``."""

    def __init__(self, lasts: float, last_word: bytes = BAD_REFRESH) -> None:
        self.session = Session(replace(A, passive=True), Random(1))
        self.session.start(0)
        self.lasts = lasts
        self.last_word = last_word
        self.now = 0.0
        self._conn = 1

    def comes(self) -> float:
        """One session; how long it is held down after it."""
        self._conn += 2
        out = self.session.connected(self._conn, B.address, A.address, True, self.now)
        assert not any(isinstance(e, Refused) for e in out)
        self.session.receive(self._conn, Open(65002, 0, B.router_id).encode() + KEEPALIVE, self.now)
        assert self.session.state is State.ESTABLISHED
        self.now += self.lasts
        if self.last_word:
            self.session.receive(self._conn, self.last_word, self.now)
        else:
            self.session.closed(self._conn, "reset", self.now)
        assert self.session.state is State.IDLE
        held = self.session.describe(self.now)["next_attempt"]
        self.session.timer(self.now + held)
        self.now += held
        return float(held)


def test_sessions_that_last_do_not_make_bad_messages_good() -> None:
    peer = Peer(lasts=STABLE + 1)
    pauses = [peer.comes() for _ in range(8)]
    # 75 to 100 % of 1, 2, 4 ... 128
    assert all(0.75 * 2**at <= pause <= 2**at for at, pause in enumerate(pauses))


def test_the_pause_has_an_end() -> None:
    peer = Peer(lasts=1)
    pauses = [peer.comes() for _ in range(14)]
    assert max(pauses) <= OFFENDER_HOLD_MAX
    assert max(pauses[-2:]) > 0.7 * OFFENDER_HOLD_MAX


def test_a_peer_that_only_goes_away_after_long_sessions_is_taken_back_at_once() -> None:
    peer = Peer(lasts=STABLE + 1, last_word=b"")
    assert max(peer.comes() for _ in range(8)) <= 1.0


def test_an_hour_forgives_a_session_and_the_operator_all() -> None:
    peer = Peer(lasts=10)
    for _ in range(4):
        peer.comes()
    assert peer.session.offences(peer.now) == 4
    assert peer.session.offences(peer.now + FORGIVEN_AFTER) == 0
    peer.comes()
    peer.session.stop(Cease(), peer.now)
    peer.session.start(peer.now)
    assert peer.session.offences(peer.now) == 0


def test_while_it_is_held_its_connections_are_refused() -> None:
    peer = Peer(lasts=STABLE + 1)
    for _ in range(2):
        peer.comes()
    peer.session.connected(99, B.address, A.address, True, peer.now)
    peer.session.receive(99, Open(65002, 0, B.router_id).encode() + KEEPALIVE, peer.now)
    verdict: object = Verdict(error=(3, 1, b""))
    peer.session.routes_processed(99, verdict, peer.now + 1)  # type: ignore[arg-type]
    out = peer.session.connected(101, B.address, A.address, True, peer.now + 2)
    assert any(isinstance(e, Refused) for e in out)
    shown = peer.session.describe(peer.now + 2)
    assert shown["offences"] == 3
    assert shown["counters"]["rejected"] == {"the session is held down after repeated errors": 1}


def test_an_open_that_does_not_fit_is_nobodys_bad_message() -> None:
    session = Session(replace(A, passive=True), Random(1))
    session.start(0)
    session.connected(1, B.address, A.address, True, 0)
    session.receive(1, Open(65003, 90, B.router_id).encode(), 0)
    assert session.state is State.IDLE
    assert session.offences(0) == 0
