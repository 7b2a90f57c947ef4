"""The session with one configured peer, without I/O: RFC 4271 8 (Idle, Connect, Active, damping) and 6.8 (collision).

It survives reconnects. One connection we opened and one the peer opened may live at a time; each is a
``connection.Connection`` with the rest of the states. ``state`` is that of the furthest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from protocols.bgp.config import PeerConfig
from protocols.bgp.connection import Connection, Rng, jittered
from protocols.bgp.counters import Counters
from protocols.bgp.describe import LastDown, describe
from protocols.bgp.errors import Cease, CeaseSubcode, ErrorCode, Notification, OpenSubcode, SessionError
from protocols.bgp.fsm import RANK, State, check_expected
from protocols.bgp.messages import MessageType, decode_notification
from protocols.bgp.negotiation import offer
from protocols.effects import Close, Connect, Down, Effect, StateChanged

if TYPE_CHECKING:
    from native import Changes, Updates

CONNECT_TIMEOUT: Final = 30.0
"""An attempt to connect that was not answered by then is given up."""
FIRST_PAUSE: Final = 1.0
"""Before the second attempt; it doubles from there, up to the configured connect retry, after errors IDLE_HOLD_MAX."""
IDLE_HOLD_MAX: Final = 120.0
STABLE: Final = 120.0
"""A session that held this long owes nothing to the errors before it."""
_COLLISION: Final = Notification(ErrorCode.CEASE, CeaseSubcode.CONNECTION_COLLISION_RESOLUTION)
_REJECTED: Final = Notification(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
_OPTIONAL_PARAMETER_REFUSED: Final = (ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER)


def pause(failures: int, ceiling: float, rng: Rng) -> float:
    return jittered(min(ceiling, FIRST_PAUSE * 2.0 ** min(failures - 1, 16)), rng)


class Session:
    def __init__(self, config: PeerConfig, rng: Rng) -> None:
        self.config = config
        self.counters = Counters()
        self.state = State.IDLE
        """As last told by StateChanged."""
        self.running = False
        self.last_down: LastDown | None = None
        self.last_connect_error = ""
        self._rng = rng
        self._connections: dict[int, Connection] = {}
        self._next_number = -1
        self._pending: int | None = None
        self._connect_deadline: float | None = None
        self._retry_at: float | None = None
        self._idle_until: float | None = None
        self._attempts = 0
        self._failures = 0
        self._bare_open = False

    # --- the operator -----------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """RFC 4271 8.1.2 events 1 and 4: ManualStart, passive or not."""
        if self.running:
            return []
        self.running = True
        self._attempts = self._failures = 0
        self._bare_open = False
        out = self._begin(now)
        self._moved(out, "started")
        return out

    def stop(self, cease: Cease, now: float) -> list[Effect]:
        """Event 2: ManualStop. A Cease on every connection, then Idle until ``start``."""
        self.running = False
        notification = cease.notification()
        reason = f"stopped: {notification}"
        out = self._cancel_pending(reason)
        for connection in self.connections:
            out += self._lost(connection, now, reason, sent=notification)
        self._retry_at = self._idle_until = None
        self._moved(out, reason)
        return out

    # --- TCP --------------------------------------------------------------------------------------------------

    def connected(self, conn: int, local: bytes, remote: bytes, inbound: bool, now: float) -> list[Effect]:
        """Events 16 and 17. An outgoing connection has the number of its ``Connect``, an inbound one is >= 0."""
        if conn in self._connections:
            return []
        if not inbound and conn != self._pending:
            return [Close(conn, "no longer wanted", reset=True)]
        connection = Connection(
            conn, inbound=inbound, local=local, remote=remote, config=self.config,
            offered=() if self._bare_open else offer(self.config), counters=self.counters, rng=self._rng,
        )  # fmt: skip
        out: list[Effect] = []
        if inbound:
            refusal = self._refuse(connection)
            if refusal:
                self.counters.rejected += 1
                return refusal
            for older in [c for c in self.connections if c.inbound]:
                # A peer that connects again has given up the first connection, whatever TCP knows about it.
                out += self._discard(older, "the peer connected again")
        else:
            self._pending = self._connect_deadline = None
        self._retry_at = self._idle_until = None
        self._connections[conn] = connection
        out.append(connection.open(now))
        self._moved(out, "TCP connection accepted" if inbound else "TCP connection opened")
        return out

    def connect_failed(self, conn: int, reason: str, now: float) -> list[Effect]:
        """Event 18 before a connection was there. RFC 4271 8.2.2 would go to Idle, as the DelayOpen timer does not run;
        we stay in Active, so that the peer may connect, and pause longer each time."""
        if conn != self._pending:
            return []
        self._pending = self._connect_deadline = None
        self.counters.connect_failures += 1
        self.last_connect_error = reason
        if not self._connections:
            self._schedule_retry(now)
        out: list[Effect] = []
        self._moved(out, f"connect failed: {reason}")
        return out

    def closed(self, conn: int, reason: str, now: float) -> list[Effect]:
        """Event 18: TCP ended, by the peer or the network."""
        if conn == self._pending:
            return self.connect_failed(conn, reason, now)
        connection = self._connections.get(conn)
        if connection is None:
            return []
        reason = f"TCP connection closed: {reason}"
        # RFC 4271 8.2.2: from OpenSent a lost connection leads to Active, from the states after it to Idle.
        return self._lost(connection, now, reason, gone=True, damp=connection.state is not State.OPEN_SENT)

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

    def routes_processed(self, conn: int, changes: Changes, now: float) -> list[Effect]:
        """The engine's verdict on UPDATEs handed out with ``Routes``."""
        connection = self._connections.get(conn)
        if connection is None:
            return []
        self.counters.processed(changes)
        connection.end_of_rib.update(changes.end_of_rib)
        if changes.error is None:
            return []
        notification = Notification(*changes.error)
        return self._lost(connection, now, f"the peer sent a bad UPDATE: {notification}", sent=notification)

    def waiting(self, conn: int, now: float) -> None:
        """Something to send on this connection waits for TCP, which the peer holds back."""
        if (connection := self._connections.get(conn)) is not None:
            connection.waiting(now)

    def moved(self, conn: int, now: float, *, waits: bool) -> None:
        """TCP took something of what waited; ``waits``: there is more."""
        if (connection := self._connections.get(conn)) is not None:
            connection.moved(now, waits=waits)

    def _message(self, connection: Connection, kind: MessageType, body: bytes | Updates, now: float) -> list[Effect]:
        if kind is MessageType.NOTIFICATION and isinstance(body, bytes):
            return self._notified(connection, decode_notification(body), now)
        if kind is MessageType.OPEN and isinstance(body, bytes):
            check_expected(connection.state, kind)
            connection.accept_open(body)
            out = self._resolve_collision(connection)
            return out if connection.closed else out + connection.confirm(now)
        before = connection.state
        out = connection.handle(kind, body, now)
        if connection.state is not before:
            # Only one connection may be Established (RFC 4271 6.8), so the others end.
            self._attempts = 0
            ended = self._cancel_pending("the session is Established")
            for other in self.connections:
                if other is not connection:
                    ended += self._discard(other, "the session is Established on another connection")
            out = ended + out
        return out

    def _notified(self, connection: Connection, notification: Notification | None, now: float) -> list[Effect]:
        if notification is None:
            return self._lost(connection, now, "the peer sent a NOTIFICATION too short to read")
        self.counters.last_received = notification
        if notification == _COLLISION and connection.state is not State.ESTABLISHED and len(self._connections) > 1:
            self.counters.collisions += 1
            self._forget(connection)
            return [Close(connection.number, "the peer kept the other connection")]
        return self._lost(connection, now, f"the peer sent {notification}", received=notification)

    def _resolve_collision(self, newer: Connection) -> list[Effect]:
        """RFC 4271 6.8, at the OPEN: the connection opened by the speaker with the higher identifier stays."""
        agreed = newer.agreed
        assert agreed is not None
        out: list[Effect] = []
        for other in self.connections:
            if other is newer or other.state not in (State.OPEN_CONFIRM, State.ESTABLISHED):
                continue
            # RFC 6286 2.3: with equal identifiers the higher AS number decides.
            ours, theirs = (agreed.local_router_id, agreed.local_asn), (agreed.peer_router_id, agreed.peer_asn)
            established = other.state is State.ESTABLISHED
            loser = newer if established or newer.inbound != (ours < theirs) else other
            out += self._discard(loser, "connection collision")
        return out

    # --- time -------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        own = (self._connect_deadline, self._retry_at, self._idle_until)
        return min((d for d in (*own, *(c.next_deadline() for c in self.connections)) if d is not None), default=None)

    def timer(self, now: float) -> list[Effect]:
        """Do what is due at ``now``."""
        out: list[Effect] = []
        for connection in self.connections:
            try:
                out += connection.timer(now)
            except SessionError as error:
                out += self._fail(connection, error, now)
        if self._pending is not None and self._connect_deadline is not None and now >= self._connect_deadline:
            out.append(Close(self._pending, "no answer to the attempt to connect", reset=True))
            out += self.connect_failed(self._pending, f"no answer within {CONNECT_TIMEOUT:.0f} s", now)
        if any(at is not None and now >= at for at in (self._retry_at, self._idle_until)):
            out += self._begin(now)
            self._moved(out, "trying again")
        return out

    # --- asking -----------------------------------------------------------------------------------------------

    @property
    def connections(self) -> tuple[Connection, ...]:
        return tuple(self._connections.values())

    def describe(self, now: float) -> dict[str, Any]:
        """All there is to show about this peer, ready for JSON."""
        waiting = min((at for at in (self._retry_at, self._idle_until) if at is not None), default=None)
        return describe(self, None if waiting is None else max(0.0, waiting - now), now)

    # --- within -----------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> list[Effect]:
        """Out of Idle, or of Active at the ConnectRetryTimer."""
        self._retry_at = self._idle_until = None
        if self.config.passive:
            return []
        self._pending = self._next_number
        self._next_number -= 1
        self._connect_deadline = now + CONNECT_TIMEOUT
        return [Connect(self._pending)]

    def _refuse(self, inbound: Connection) -> list[Effect]:
        if not self.running:
            # RFC 4486 4.
            return [inbound.notify(_REJECTED), Close(inbound.number, "the session is stopped")]
        if self.state is State.ESTABLISHED:
            # RFC 4271 6.8: an Established session is not given up for a newcomer; it ends by its own hold timer.
            return [inbound.notify(_COLLISION), Close(inbound.number, "the session is Established")]
        if self._idle_until is not None and self._failures > 1:
            # RFC 4271 8.2.2: Idle refuses. After a first error a peer that comes back is no oscillation, and is taken.
            return [Close(inbound.number, "the session is held down after repeated errors", reset=True)]
        return []

    def _schedule_retry(self, now: float) -> None:
        self._attempts += 1
        if not self.config.passive:
            # Errors count as well: a peer that holds us down takes connections only to close them.
            failures = self._attempts + self._failures
            self._retry_at = now + pause(failures, self.config.connect_retry, self._rng)

    def _cancel_pending(self, reason: str) -> list[Effect]:
        if self._pending is None:
            return []
        number, self._pending, self._connect_deadline = self._pending, None, None
        return [Close(number, reason, reset=True)]

    def _forget(self, connection: Connection) -> None:
        connection.closed = True
        del self._connections[connection.number]

    def _discard(self, connection: Connection, reason: str) -> list[Effect]:
        """End one connection for another: no error, nothing to damp."""
        self.counters.collisions += 1
        self._forget(connection)
        return [connection.notify(_COLLISION), Close(connection.number, reason)]

    def _fail(self, connection: Connection, error: SessionError, now: float) -> list[Effect]:
        return self._lost(connection, now, error.reason, sent=error.notification)

    def _lost(
        self, connection: Connection, now: float, reason: str, *, sent: Notification | None = None,
        received: Notification | None = None, gone: bool = False, damp: bool = True,
    ) -> list[Effect]:  # fmt: skip
        """One connection ends for a reason worth telling; with the last one the session falls back."""
        self._forget(connection)
        out: list[Effect] = []
        if sent is not None:
            out.append(connection.notify(sent))
        if not gone:
            # RFC 9687 3.2: a peer that takes nothing is not waited for.
            stuck = sent is not None and sent.code == ErrorCode.SEND_HOLD_TIMER_EXPIRED
            out.append(Close(connection.number, reason, reset=stuck))
        if gone and connection.state is State.OPEN_SENT:
            # Not worth the place of an error that was told: a peer that holds us down closes like this.
            self.last_connect_error = reason
        else:
            self.last_down = LastDown(reason, now, connection.state.value, sent, received)
        # RFC 5492 3: a peer that refuses our optional parameters is tried once without.
        refused = received is not None and (received.code, received.subcode) == _OPTIONAL_PARAMETER_REFUSED
        self._bare_open = refused and not self._bare_open
        if connection.established_at is not None:
            out.append(Down(connection.number, reason, sent, received))
            if now - connection.established_at >= STABLE:
                self._failures = 0
        if self.running and damp:
            self._failures += 1
        if self.running and not self._connections:
            if damp:
                # RFC 4271 8.1.1: DampPeerOscillations, by the IdleHoldTimer.
                out += self._cancel_pending(reason)
                self._idle_until = now + pause(self._failures, IDLE_HOLD_MAX, self._rng)
            elif self._pending is None:
                self._schedule_retry(now)
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
        if self._pending is not None:
            return State.CONNECT
        return State.ACTIVE if self.running and self._idle_until is None else State.IDLE
