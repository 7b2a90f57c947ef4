"""Two sessions and the world between them: TCP with a delay, agents that keep leases, one virtual clock."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from random import Random

from protocols.bgp.config import PeerConfig
from protocols.bgp.session import Session
from protocols.effects import Close, Connect, Effect, Lease, Send


class Side:
    def __init__(self, config: PeerConfig, seed: int) -> None:
        self.session = Session(config, Random(seed))
        self.effects: list[tuple[float, Effect]] = []
        self.links: dict[int, int] = {}
        """Own connection number: the other side's."""
        self.refuses = False
        self.mute = False
        """Its agent sends no KEEPALIVEs."""
        self.sent: list[bytes] = []
        self.held: list[tuple[int, bytes]] | None = None
        """What waits for TCP, once the other side stops reading."""

    def seen(self, kind: type[Effect]) -> list[Effect]:
        return [e for _, e in self.effects if isinstance(e, kind)]


class World:
    def __init__(self, a: PeerConfig, b: PeerConfig, *, delay: float = 0.01, piece: int = 0, seed: int = 1) -> None:
        self.a, self.b = Side(a, seed), Side(b, seed + 1)
        self.delay = delay
        self.piece = piece
        """Bytes in one delivery; 0: as sent."""
        self.now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def other(self, side: Side) -> Side:
        return self.b if side is self.a else self.a

    def later(self, after: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + after, next(self._order), action))

    def perform(self, side: Side, effects: list[Effect]) -> None:
        for effect in effects:
            side.effects.append((self.now, effect))
            match effect:
                case Connect(conn):
                    self.later(self.delay, partial(self._accept, side, conn))
                case Send(conn, data):
                    side.sent.append(data)
                    if side.held is not None:
                        side.held.append((conn, data))
                        if (connection := side.session.connection(conn)) is not None:
                            connection.waiting(self.now)
                        continue
                    step = self.piece or len(data)
                    for at in range(0, len(data), step):
                        self.later(self.delay, partial(self._deliver, side, conn, data[at : at + step]))
                case Close(conn):
                    self.later(self.delay, partial(self._hang_up, side, conn))
                case Lease(conn, interval, packet):
                    self.later(interval, partial(self._keep, side, conn, interval, packet))

    def _accept(self, side: Side, conn: int) -> None:
        other = self.other(side)
        if other.refuses:
            self.perform(side, side.session.connect_failed(conn, "connection refused", self.now))
            return
        number = next(self._order)
        side.links[conn], other.links[number] = number, conn
        mine, theirs = other.session.config.address, side.session.config.address
        self.perform(other, other.session.connected(number, theirs, mine, True, self.now))
        self.perform(side, side.session.connected(conn, mine, theirs, False, self.now))

    def _deliver(self, side: Side, conn: int, data: bytes) -> None:
        other = self.other(side)
        if conn in side.links and side.links[conn] in other.links:
            self.perform(other, other.session.receive(side.links[conn], data, self.now))

    def _hang_up(self, side: Side, conn: int) -> None:
        other, number = self.other(side), side.links.pop(conn, None)
        if number is not None and other.links.pop(number, None) is not None:
            self.perform(other, other.session.closed(number, "closed by the peer", self.now))

    def _keep(self, side: Side, conn: int, interval: float, packet: bytes) -> None:
        if conn in side.links and not side.mute:
            self.perform(side, [Send(conn, packet), Lease(conn, interval, packet)])

    def release(self, side: Side, *, all_but: int = 0) -> None:
        """TCP takes what waits, except for the last ``all_but`` messages."""
        held = side.held or []
        at = len(held) - all_but
        side.held = held[at:] if all_but else None
        for conn, data in held[:at]:
            self.later(self.delay, partial(self._deliver, side, conn, data))
            if (connection := side.session.connection(conn)) is not None:
                connection.moved(self.now, waits=bool(all_but))

    def start(self) -> World:
        for side in (self.a, self.b):
            self.perform(side, side.session.start(self.now))
        return self

    def cut(self) -> None:
        """Every TCP connection ends now."""
        for conn in list(self.a.links):
            self.perform(self.a, self.a.session.closed(conn, "reset", self.now))
            self._hang_up(self.a, conn)

    def run(self, until: float) -> World:
        """Everything due up to ``until``, in order of time."""
        while True:
            due = [d for s in (self.a, self.b) if (d := s.session.next_deadline()) is not None]
            at = min([*due, *(q[0] for q in self._queue[:1])], default=until + 1)
            if at > until:
                self.now = until
                return self
            self.now = max(self.now, at)
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
                continue
            for side in (self.a, self.b):
                self.perform(side, side.session.timer(self.now))
