"""The session with one configured peer, without I/O: RFC 4271 8 (events) and 6.8 (collision).

It survives reconnects. When to connect is ``attempts``'. One connection we opened and one the peer opened may live at a
time; each is a ``connection.Connection`` with the states from OpenSent on. ``state`` is that of the furthest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from protocols.bgp.attempts import CONNECT_TIMEOUT, Attempts
from protocols.bgp.capsule import Adoptable
from protocols.bgp.collision import gives_way, loser
from protocols.bgp.config import PeerConfig
from protocols.bgp.connection import BEGUN_WITHIN, Connection, Rng
from protocols.bgp.counters import Counters
from protocols.bgp.describe import LastDown, describe
from protocols.bgp.errors import Cease, CeaseSubcode, ErrorCode, Notification, OpenSubcode, SessionError
from protocols.bgp.family import Family
from protocols.bgp.fsm import RANK, State, check_expected
from protocols.bgp.graceful import NOTHING_KEPT, Forwarding
from protocols.bgp.limits import OnLimit
from protocols.bgp.messages import MessageType, decode_notification
from protocols.bgp.negotiation import offer
from protocols.bgp.retention import Retention
from protocols.effects import Close, Down, Effect, Found, LimitReached, Notified, Refused, StateChanged

if TYPE_CHECKING:
    from native import Changes, Updates

_COLLISION: Final = Notification(ErrorCode.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
_REJECTED: Final = Notification(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
_OPTIONAL_PARAMETER_REFUSED: Final = (ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER)


class Session:
    def __init__(self, config: PeerConfig, rng: Rng) -> None:
        self.config = config
        self.counters = Counters()
        self.state = State.IDLE
        """As last told by StateChanged."""
        self.running = False
        self.last_down: LastDown | None = None
        self.last_session: LastDown | None = None
        """Of those that were Established."""
        self.last_connect_error = ""
        self.rng = rng
        self._connections: dict[int, Connection] = {}
        self.retention = Retention(config.stale_time)
        self.forwarding = NOTHING_KEPT
        """What our next OPENs say about restarts of our own."""
        self.came_back: tuple[bool, str] | None = None
        """After the latest absence of a controller: adopted or not, and why not."""
        self._attempts = Attempts(config, rng)
        self._bare_open = False

    # --- the operator -----------------------------------------------------------------------------------------

    def start(self, now: float, restarting: frozenset[Family] | None = None) -> list[Effect]:
        """RFC 4271 8.1.2 events 1 and 4: ManualStart, passive or not. It lifts the bar of a limit. ``restarting``: we
        come back after a restart, and the boxes have kept forwarding for these families."""
        if self.running and not self._attempts.barred:
            return []
        self.running = True
        if restarting is not None:
            self.forwarding = Forwarding(True, restarting)
        self._attempts.reset()
        self._bare_open = False
        out = self._attempts.begin(now)
        self._moved(out, "started")
        return out

    def stop(self, cease: Cease, now: float) -> list[Effect]:
        """Event 2: ManualStop. A Cease on every connection, then Idle until ``start``."""
        self.running = False
        notification = cease.notification()
        reason = f"stopped: {notification}"
        out = self._attempts.cancel(reason)
        for connection in self.connections:
            out += self._lost(connection, now, reason, sent=notification)
        out += self.retention.stopped()
        self._attempts.rest()
        self._moved(out, reason)
        return out

    def refresh(self) -> list[Effect]:
        """Ask the peer for everything again (RFC 2918); nothing where it is not there or does not take requests."""
        return [effect for connection in self.connections for effect in connection.ask_again()]

    def recovered(self) -> None:
        """Our own restart is over: the R bit goes (RFC 4724 3)."""
        self.forwarding = replace(self.forwarding, restarting=False)

    # --- TCP --------------------------------------------------------------------------------------------------

    def connected(self, conn: int, local: bytes, remote: bytes, inbound: bool, now: float) -> list[Effect]:
        """Events 16 and 17. An outgoing connection has the number of its ``Connect``, an inbound one is >= 0."""
        if conn in self._connections:
            return []
        if not inbound and conn != self._attempts.pending:
            return [Close(conn, "no longer wanted", reset=True)]
        offered = () if self._bare_open else offer(self.config, self.forwarding)
        connection = Connection(conn, inbound, local, remote, offered, self)
        out: list[Effect] = []
        if inbound:
            refusal = self._refuse(connection, now)
            if refusal:
                return refusal
            for older in [c for c in self.connections if c.inbound and c.state is not State.ESTABLISHED]:
                # A peer that connects again has given up the first connection, whatever TCP knows about it.
                out += self._discard(older, "the peer connected again")
        else:
            self._attempts.answered()
        self._attempts.rest()
        self._connections[conn] = connection
        out += connection.begin(now)
        self._moved(out, "TCP connection accepted" if inbound else "TCP connection opened")
        return out

    def adopt(
        self, conn: int, local: bytes, remote: bytes, inbound: bool, kept: Adoptable, up_for: float, silent_for: float,
        now: float, restarting: frozenset[Family] | None = None,
    ) -> list[Effect]:  # fmt: skip
        """Go on with a session of an earlier routingd, or of ours before the box was away; ``restarting`` as for
        ``start``."""
        self.running = True
        if restarting is not None:
            self.forwarding = Forwarding(True, restarting)
        out = self._attempts.up("the session is adopted")
        connection = self._connections[conn] = Connection(conn, inbound, local, remote, kept.offered, self)
        out += connection.adopt(kept, up_for, silent_for, now)
        out += self._up(connection, now)
        self.came_back = (True, "")
        self._moved(out, "adopted")
        return out

    def connect_failed(self, conn: int, reason: str, now: float) -> list[Effect]:
        """Event 18 before a connection was there. RFC 4271 8.2.2 would go to Idle, as the DelayOpen timer does not run;
        we stay in Active, so that the peer may connect, and pause longer each time."""
        if conn != self._attempts.pending:
            return []
        self._attempts.answered()
        self.counters.connect_failures += 1
        self.last_connect_error = reason
        if not self._connections:
            self._attempts.retry(now)
        out: list[Effect] = []
        self._moved(out, f"connect failed: {reason}")
        return out

    def closed(self, conn: int, reason: str, now: float, *, ours: bool = False) -> list[Effect]:
        """Event 18: TCP ended, by the peer or the network; ``ours``: with our box's end of it."""
        if conn == self._attempts.pending:
            return self.connect_failed(conn, reason, now)
        connection = self._connections.get(conn)
        if connection is None:
            return []
        reason = f"TCP connection closed: {reason}"
        # RFC 4271 8.2.2: from OpenSent, and Connect with DelayOpen, a lost connection leads to Active, else to Idle.
        damp = not ours and connection.state not in (State.CONNECT, State.OPEN_SENT)
        return self._lost(connection, now, reason, gone=True, damp=damp, ours=ours)

    # --- messages ---------------------------------------------------------------------------------------------

    def receive(self, conn: int, data: bytes, now: float) -> list[Effect]:
        """Bytes of the stream, which arrived at ``now``, in pieces of any size."""
        connection = self._connections.get(conn)
        if connection is None:
            return []  # it ended a moment ago; what was still on its way is of no interest
        out: list[Effect] = []
        try:
            for kind, body in connection.messages(data):
                out += self._message(connection, kind, body, now)
                self._moved(out, f"{kind.label} received")
                if connection.closed:
                    break
        except SessionError as error:
            out += self._fail(connection, error, now)
        return out

    def routes_processed(
        self, conn: int, changes: Changes, now: float, paths: Mapping[Family, int] | None = None
    ) -> list[Effect]:
        """The engine's verdict on UPDATEs handed out with ``Routes``; ``paths``: of this peer in the RIB now."""
        connection = self._connections.get(conn)
        if connection is None:
            return []
        out: list[Effect] = [Found(conn, finding) for finding in self.counters.processed(changes, now)]
        for family in connection.told_all(changes.end_of_rib):
            out += self.retention.end_of_rib(family)
        if changes.error is None:
            return out + self._limited(connection, paths or {}, now)
        notification = Notification(*changes.error)
        return out + self._lost(connection, now, f"the peer sent a bad UPDATE: {notification}", sent=notification)

    def _limited(self, connection: Connection, paths: Mapping[Family, int], now: float) -> list[Effect]:
        marks = connection.limits.reached(paths)
        out: list[Effect] = [LimitReached(connection.number, mark) for mark in marks]
        for mark in marks:
            if mark.ends:
                # The peer may be coming back already (RFC 4724 5).
                out += [e for c in self.connections if c is not connection for e in self._discard(c, mark.text)]
                out += self._lost(connection, now, mark.text, sent=mark.notification)
                self._attempts.bar(now, mark.set.restart_after if mark.set.action is OnLimit.RESTART else math.inf)
                break
        return out

    def _message(self, connection: Connection, kind: MessageType, body: bytes | Updates, now: float) -> list[Effect]:
        if kind is MessageType.NOTIFICATION and isinstance(body, bytes):
            return self._notified(connection, decode_notification(body), now)
        if kind is MessageType.OPEN and isinstance(body, bytes):
            check_expected(connection.state, kind)
            connection.accept_open(body)
            out = self._resolve_collision(connection, now)
            return out if connection.closed else out + connection.confirm(now)
        before = connection.state
        out = connection.handle(kind, body, now)
        if connection.state is not before:
            # Only one connection may be Established (RFC 4271 6.8), so the others end.
            ended = self._attempts.up("the session is Established")
            reason = "the session is Established on another connection"
            ended += [e for c in self.connections if c is not connection for e in self._discard(c, reason)]
            out = ended + out + self._up(connection, now)
        return out

    def _notified(self, connection: Connection, notification: Notification | None, now: float) -> list[Effect]:
        if notification is None:
            return self._lost(connection, now, "the peer sent a NOTIFICATION too short to read")
        self.counters.last_received = notification
        told = Notified(connection.number, notification, sent=False)
        if notification == _COLLISION and connection.state is not State.ESTABLISHED and len(self._connections) > 1:
            self.counters.collisions += 1
            self._forget(connection)
            return [told, Close(connection.number, "the peer kept the other connection")]
        return [told, *self._lost(connection, now, f"the peer sent {notification}", received=notification)]

    def _up(self, connection: Connection, now: float) -> list[Effect]:
        assert connection.agreed is not None
        # From now on the boxes forward by what the peer has been told.
        families = frozenset(f.family for f in self.config.families)
        self.forwarding = replace(self.forwarding, families=families)
        return self.retention.established(connection.agreed.families, connection.agreed.graceful, now)

    def _resolve_collision(self, newer: Connection, now: float) -> list[Effect]:
        out: list[Effect] = []
        for other in self.connections:
            if other is newer or other.state not in (State.OPEN_CONFIRM, State.ESTABLISHED):
                continue
            if gives_way(other, now):
                out += self._lost(other, now, "the peer connected again", reset=True, damp=False)
            else:
                out += self._discard(loser(newer, other), "connection collision")
        return out

    # --- time -------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        own = (self._attempts.next_deadline(), self.retention.next_deadline())
        deadlines = (*own, *(c.next_deadline() for c in self.connections))
        return min((d for d in deadlines if d is not None), default=None)

    def timer(self, now: float) -> list[Effect]:
        """Do what is due at ``now``."""
        out = self.retention.timer(now)
        for connection in self.connections:
            try:
                out += connection.timer(now)
            except SessionError as error:
                out += self._fail(connection, error, now)
            if not connection.closed and connection.mute(now):
                # RFC 4724 4.1: without a NOTIFICATION, so that it keeps our routes until we are back.
                self.came_back = (False, reason := f"no BoRR within {BEGUN_WITHIN:g} s")
                out += self._lost(connection, now, f"adopted, but {reason}", ours=True, damp=False)
        self._moved(out, "OPEN sent")
        if (pending := self._attempts.pending) is not None and self._attempts.unanswered(now):
            out.append(Close(pending, "no answer to the attempt to connect", reset=True))
            out += self.connect_failed(pending, f"no answer within {CONNECT_TIMEOUT:.0f} s", now)
        if self._attempts.due(now):
            out += self._attempts.begin(now)
            self._moved(out, "trying again")
        return out

    # --- asking -----------------------------------------------------------------------------------------------

    @property
    def connections(self) -> tuple[Connection, ...]:
        return tuple(self._connections.values())

    def connection(self, conn: int) -> Connection | None:
        return self._connections.get(conn)

    @property
    def kept_down(self) -> bool:
        """By the operator, or by a limit until its time or the operator's start."""
        return not self.running or self._attempts.barred

    @property
    def idle_for_good(self) -> bool:
        """By a limit, until the operator's start."""
        return self._attempts.barred and self._attempts.next_at is None

    def deadlines(self) -> dict[str, float]:
        """Timers that run, by name, and when they fire; of the connection that has come furthest."""
        furthest = max(self.connections, key=lambda c: RANK[c.state], default=None)
        return self._attempts.deadlines() | (furthest.deadlines() if furthest is not None else {})

    def offences(self, now: float) -> int:
        """Sessions that its bad messages ended lately: the next pauses are the longer for each."""
        return self._attempts.offences(now)

    def describe(self, now: float) -> dict[str, Any]:
        """All there is to show about this peer, ready for JSON."""
        waiting = self._attempts.next_at
        return describe(self, None if waiting is None else max(0.0, waiting - now), now)

    # --- within -----------------------------------------------------------------------------------------------

    def _refuse(self, inbound: Connection, now: float) -> list[Effect]:
        said: list[Effect] = []
        if not self.running:
            # RFC 4486 4.
            reason, said = "the session is stopped", inbound.notify(_REJECTED)
        elif self.state is State.ESTABLISHED and not any(gives_way(c, now) for c in self.connections):
            # RFC 4271 6.8: an Established session is not given up for a newcomer; it ends by its own hold timer.
            reason, said = "the session is Established", inbound.notify(_COLLISION)
        elif not (reason := self._attempts.refusal):
            return []
        self.counters.rejected[reason] += 1
        return [*said, Refused(inbound.number, reason), Close(inbound.number, reason, reset=not said)]

    def _forget(self, connection: Connection) -> None:
        connection.closed = True
        del self._connections[connection.number]

    def _discard(self, connection: Connection, reason: str) -> list[Effect]:
        """End one connection for another: no error, nothing to damp."""
        self.counters.collisions += 1
        self._forget(connection)
        return [*connection.notify(_COLLISION), Close(connection.number, reason)]

    def _fail(self, connection: Connection, error: SessionError, now: float) -> list[Effect]:
        return self._lost(connection, now, error.reason, sent=error.notification)

    def _lost(
        self, connection: Connection, now: float, reason: str, *, sent: Notification | None = None, gone: bool = False,
        received: Notification | None = None, ours: bool = False, reset: bool = False, damp: bool = True,
    ) -> list[Effect]:  # fmt: skip
        """One connection ends for a reason worth telling; with the last one the session falls back."""
        self._forget(connection)
        out: list[Effect] = []
        up = connection.established_at
        graceful = connection.agreed.graceful if up is not None and connection.agreed is not None else None
        if sent is not None:
            sent = graceful.said(sent) if graceful is not None else sent
            out += connection.notify(sent)
        if not gone:
            # RFC 9687 3.2: a peer that takes nothing is not waited for.
            stuck = sent is not None and sent.code == ErrorCode.SEND_HOLD_TIMER_EXPIRED
            out.append(Close(connection.number, reason, reset=reset or stuck))
        if gone and connection.agreed is None:
            # Not worth the place of an error that was told: a peer that holds us down closes like this.
            self.last_connect_error = reason
        else:
            lasted = None if up is None else now - up
            self.last_down = LastDown(reason, now, connection.state.value, lasted, sent, received)
            self.last_session = self.last_session if up is None else self.last_down
        # RFC 5492 3: a peer that refuses our optional parameters is tried once without.
        refused = received is not None and (received.code, received.subcode) == _OPTIONAL_PARAMETER_REFUSED
        self._bare_open = refused and not self._bare_open
        if up is not None and connection.agreed is not None:
            down = Down(connection.number, reason, sent, received)
            taken = {f.family for f in self.config.families if f.import_policy is not None}
            out += self.retention.ended(down, taken.intersection(connection.agreed.families), graceful, now, ours=ours)
            self._attempts.lasted(now - up)
        if self.running and damp:
            self._attempts.failed()
        if sent is not None and sent.blames:
            self._attempts.offended(now)
        if self.running and not self._connections:
            if damp:
                out += self._attempts.cancel(reason)
                self._attempts.hold(now)
            elif self._attempts.pending is None:
                self._attempts.retry(now)
        self._moved(out, reason)
        return out

    def _moved(self, out: list[Effect], reason: str) -> None:
        """Tell a change of state where there was one."""
        old, new = self.state, self._furthest()
        if new is not old:
            self.state = new
            self.counters.transitions[(old.value, new.value)] += 1
            out.append(StateChanged(old.value, new.value, reason))

    def _furthest(self) -> State:
        if self._connections:
            return max((c.state for c in self.connections), key=RANK.__getitem__)
        if self._attempts.pending is not None:
            return State.CONNECT
        return State.ACTIVE if self.running and not self._attempts.held else State.IDLE
