"""A whole session fed with changed streams, its UPDATEs decoded as the engine would: no exception, no more than two
connections, answers that end; and afterwards the same session comes up with a peer that behaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest

import native
import protocols.bgp.connection
import protocols.bgp.messages
import protocols.bgp.negotiation
import protocols.bgp.session
from protocols.bgp.config import PeerConfig
from protocols.bgp.fsm import State
from protocols.bgp.role import Role
from protocols.bgp.session import Session
from protocols.effects import Close, Connect, Effect, Established, Routes, Send
from tests.fuzz.hunt import hunt
from tests.fuzz.messages import KEEPALIVE, NOTIFICATIONS, OPENS, REFRESHES, UPDATES, packed, unpacked
from tests.fuzz.test_messages import DEPTHS
from tests.protocols.bgp.peers import A

LOCAL, REMOTE = bytes([192, 0, 2, 1]), A.address
CONFIGS: tuple[PeerConfig, ...] = (
    A,
    replace(A, passive=True, hold_time=0),
    replace(A, role=Role.PEER, extended_next_hop=True, aigp=True),
    replace(A, extended_message=False, delay_open=5),
)
STEPS = (65535, 700, 64, 19, 1)
"""Octets that one read brings, by input."""
MOST = 50
"""Answers that one input can bring about, at each moment."""


class Driven:
    """A session whose sockets are always there, and an engine's decoder behind it."""

    def __init__(self, config: PeerConfig) -> None:
        self.session = Session(config, Random(1))
        self.now = 0.0
        self.conn: int | None = None
        self.terms: dict[int, native.SessionTerms] = {}
        self.inbound = 0
        self.perform(self.session.start(self.now))

    def perform(self, effects: Iterable[Effect]) -> None:
        waiting = list(effects)
        for done, effect in enumerate(waiting):
            assert done < MOST, waiting
            match effect:
                case Connect(conn):
                    self.conn = conn
                    waiting += self.session.connected(conn, LOCAL, REMOTE, False, self.now)
                case Close(conn) if conn == self.conn:
                    self.conn = None
                case Established(conn, terms):
                    self.terms[conn] = terms
                case Routes(conn, updates):
                    changes = native.decode(updates, self.terms[conn])
                    waiting += self.session.routes_processed(conn, changes, self.now)
                case Send(_, data):
                    assert data[:16] == b"\xff" * 16

    def accept(self) -> None:
        """The peer connects."""
        self.inbound += 1
        self.conn = self.inbound
        self.perform(self.session.connected(self.inbound, LOCAL, REMOTE, True, self.now))

    def feed(self, data: bytes) -> None:
        if self.conn is not None:
            self.perform(self.session.receive(self.conn, data, self.now))
        assert len(self.session.connections) <= 2

    def wait(self, until: float, *, for_connection: bool = False) -> None:
        """From one thing that is due to the next."""
        for _ in range(MOST):
            deadline = self.session.next_deadline()
            if deadline is None or deadline > until or (for_connection and self.conn is not None):
                self.now = max(self.now, until if not for_connection else self.now)
                return
            self.now = max(self.now, deadline)
            self.perform(self.session.timer(self.now))
        raise AssertionError("what is due stays due")


def session(data: bytes) -> None:
    kind, data = data[:1] or b"\0", data[1:]
    driven = Driven(CONFIGS[kind[0] % len(CONFIGS)])
    for at, message in enumerate(unpacked(data)):
        if driven.conn is None:
            driven.wait(driven.now + 1.0)
            driven.accept()
        step = STEPS[(kind[0] >> 2) % len(STEPS)]
        for start in range(0, len(message), step):
            driven.feed(message[start : start + step])
        assert driven.session.describe(driven.now)["state"]
        driven.wait(driven.now + (0.0, 0.1, 40.0)[(kind[0] + at) % 3])
    _comes_up(driven)


def _comes_up(driven: Driven) -> None:
    """Whatever was before: the pauses for a peer that misbehaved are finite, and then it is taken."""
    if driven.conn is not None:
        driven.perform(driven.session.closed(driven.conn, "reset", driven.now))
        driven.conn = None
    driven.wait(driven.now + 4 * 3600.0, for_connection=True)
    if driven.conn is None:
        driven.accept()
    behaved = OPENS[0] + KEEPALIVE
    driven.feed(behaved)
    assert driven.session.state is State.ESTABLISHED, driven.session.describe(driven.now)["last_down"]


SEEDS = tuple(
    bytes([kind]) + packed(opening, KEEPALIVE, *rest)
    for kind, opening in enumerate(OPENS)
    for rest in (UPDATES, (*REFRESHES, KEEPALIVE), *((notification,) for notification in NOTIFICATIONS))
)


@pytest.mark.parametrize(("inputs", "seconds"), DEPTHS)
def test_a_session_survives_any_stream_and_comes_up_again(inputs: int, seconds: float) -> None:
    modules = (protocols.bgp.session, protocols.bgp.connection, protocols.bgp.messages, protocols.bgp.negotiation)
    assert hunt(session, SEEDS, *modules, inputs=inputs // 5, seconds=seconds).kept > len(SEEDS)
