"""One TCP connection of a session, from OpenSent on: RFC 4271 8.2.2 OpenSent, OpenConfirm, Established, and its timers.

The session (``session``) owns Idle, Connect and Active, decides between two connections, and ends one at SessionError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import native
from protocols.bgp.capabilities import Capability
from protocols.bgp.capsule import Adoptable, seal
from protocols.bgp.config import PeerConfig
from protocols.bgp.counters import Counters
from protocols.bgp.errors import ErrorCode, HeaderSubcode, Notification, SessionError, header_error
from protocols.bgp.family import Family
from protocols.bgp.fsm import State, check_expected
from protocols.bgp.limits import Limits
from protocols.bgp.messages import (
    HEADER_LENGTH,
    KEEPALIVE,
    MAX_MESSAGE,
    MessageType,
    Open,
    RefreshSubtype,
    RouteRefreshMessage,
    decode_open,
    decode_route_refresh,
    encode_notification,
    encode_open,
)
from protocols.bgp.negotiation import Agreed, negotiate
from protocols.bgp.retention import Retention
from protocols.effects import Effect, Established, Lease, Notified, RefreshRequested, Routes, Send

BEGUN_WITHIN: Final = 10.0
"""Seconds in which a peer that is asked for everything again begins, or goes on with the next family."""
LARGE_HOLD_TIME: Final = 240.0
"""RFC 4271 8.2.2: how long a peer may take to send its OPEN."""


class Rng(Protocol):
    """Where jitter comes from."""

    def random(self) -> float: ...


def jittered(interval: float, rng: Rng) -> float:
    """RFC 4271 10: 75 to 100 % of the interval."""
    return interval * (0.75 + 0.25 * rng.random())


def _asks(item: tuple[int, bytes]) -> bool:
    """A request for a refresh (RFC 2918 3), no marker of RFC 7313."""
    return item[0] == MessageType.ROUTE_REFRESH and item[1][2:3] == b"\0"


class Owner(Protocol):
    """The session, as far as its connections share it."""

    config: PeerConfig
    counters: Counters
    retention: Retention
    rng: Rng


Inbound = tuple[MessageType, "bytes | native.Updates"]
"""A message and its body; UPDATEs come as a run."""


class Connection:
    """Mutable state of one connection; every method takes what happened and gives what to do."""

    __slots__ = (
        "_again", "_again_deadline", "_bodies", "_config", "_counters", "_framer", "_hold_deadline",
        "_keepalive_deadline", "_open_deadline", "_retention", "_rng", "_send_deadline", "adopted", "agreed", "closed",
        "end_of_rib", "established_at", "inbound", "limits", "local", "number", "offered", "received", "remote",
        "state",
    )  # fmt: skip

    def __init__(
        self, number: int, inbound: bool, local: bytes, remote: bytes, offered: Sequence[Capability], session: Owner
    ) -> None:
        self.number = number
        self.inbound = inbound
        self.local = local
        self.remote = remote
        self.offered = tuple(offered)
        self.state = State.ACTIVE if inbound else State.CONNECT
        self.closed = False
        self.received: Open | None = None
        self.agreed: Agreed | None = None
        self.end_of_rib: set[Family] = set()
        self.limits = Limits(session.config.families)
        self.established_at: float | None = None
        self.adopted = False
        """It was Established by another routingd."""
        self._bodies = (b"", b"")
        """Of both OPENs, ours first."""
        self._again: dict[Family, bool] = {}
        """Families that an adopted session's peer has not told again yet, and whether it has begun."""
        self._again_deadline: float | None = None
        self._config = session.config
        self._counters = session.counters
        self._retention = session.retention
        self._rng = session.rng
        self._framer = native.Framer(MAX_MESSAGE)
        self._hold_deadline: float | None = None
        self._keepalive_deadline: float | None = None
        self._send_deadline: float | None = None
        self._open_deadline: float | None = None

    # --- out --------------------------------------------------------------------------------------------------

    def begin(self, now: float) -> list[Effect]:
        """TCP is up. With DelayOpen the peer has some time to speak first (RFC 4271 8.2.2, events 16 and 17)."""
        if not self._config.delay_open:
            return [self._open(now)]
        self._open_deadline = now + self._config.delay_open
        return []

    def _open(self, now: float) -> Send:
        """-> OpenSent."""
        config = self._config
        self.state = State.OPEN_SENT
        self._open_deadline = None
        data = encode_open(
            local_asn=config.local_asn,
            hold_time=config.hold_time,
            router_id=config.router_id,
            capabilities=self.offered,
        )
        self._hold_deadline = now + LARGE_HOLD_TIME
        self._bodies = (data[HEADER_LENGTH:], self._bodies[1])
        return self._send(MessageType.OPEN, data)

    def notify(self, notification: Notification) -> list[Effect]:
        self._counters.last_sent = notification
        message = self._send(MessageType.NOTIFICATION, encode_notification(notification))
        return [message, Notified(self.number, notification, sent=True)]

    def _send(self, kind: MessageType, data: bytes) -> Send:
        self._counters.sent(kind, len(data))
        return Send(self.number, data)

    # --- in ---------------------------------------------------------------------------------------------------

    def messages(self, data: bytes) -> Iterator[Inbound]:
        """Cut what arrived into messages, lazily, as the state may change with each. A broken header is a SessionError.

        The caller stops asking once the connection is closed."""
        self._counters.bytes_in += len(data)
        # To ask twice in one read is to ask once: a flood of requests must not cost a flood of work.
        asked: set[tuple[int, bytes]] = set()
        at = 0
        while at < len(data):
            # The framer counts KEEPALIVEs apart from its items. Before Established their place among the other messages
            # matters, and steps no longer than the shortest message complete at most one each.
            step = len(data) if self.state is State.ESTABLISHED else HEADER_LENGTH
            framed = self._framer.feed(data[at : at + step])
            at += step
            self._counters.messages_in[MessageType.UPDATE] += framed.updates
            self._counters.messages_in[MessageType.KEEPALIVE] += framed.keepalives
            if framed.keepalives:
                yield (MessageType.KEEPALIVE, b"")
            for item in framed.items:
                if isinstance(item, tuple) and _asks(item):
                    if item in asked:
                        self._counters.messages_in[MessageType.ROUTE_REFRESH] += 1
                        continue
                    asked.add(item)
                yield self._classify(item)
            if framed.error is not None:
                notification = Notification(*framed.error)
                raise SessionError(notification, f"the peer sent a broken message: {notification.name}")

    def _classify(self, item: native.Updates | tuple[int, bytes]) -> Inbound:
        if isinstance(item, native.Updates):
            return (MessageType.UPDATE, item)
        number, body = item
        try:
            kind = MessageType(number)
        except ValueError:
            reason = f"message type {number} is not known"
            raise header_error(HeaderSubcode.BAD_MESSAGE_TYPE, bytes([number]), reason) from None
        self._counters.messages_in[kind] += 1
        return (kind, body)

    def accept_open(self, body: bytes) -> None:
        """The peer's OPEN, checked and agreed upon. ``confirm`` follows unless a collision ends this connection."""
        check_expected(self.state, MessageType.OPEN)
        self.received = decode_open(body)
        self._bodies = (self._bodies[0], body)
        self.agreed = negotiate(self._config, self.offered, self.received)

    def confirm(self, now: float) -> list[Effect]:
        """OpenSent -> OpenConfirm, or from where ours was delayed (event 20)."""
        assert self.agreed is not None
        ours = [self._open(now)] if self._open_deadline is not None else []
        self.state = State.OPEN_CONFIRM
        self._hold_deadline = None
        self._restart_hold(now)
        return [*ours, self._keepalive(now)]

    def handle(self, kind: MessageType, body: bytes | native.Updates, now: float) -> list[Effect]:
        """Any message but OPEN and NOTIFICATION."""
        check_expected(self.state, kind)
        if isinstance(body, native.Updates):
            self._restart_hold(now)
            return [Routes(self.number, body)]
        if kind is MessageType.ROUTE_REFRESH:
            return self._refresh(body, now)
        self._restart_hold(now)
        return self._establish(now) if self.state is State.OPEN_CONFIRM else []

    def _establish(self, now: float) -> list[Effect]:
        """OpenConfirm -> Established. KEEPALIVEs are the agent's from here on."""
        assert self.agreed is not None
        self.state = State.ESTABLISHED
        self.established_at = now
        self._keepalive_deadline = None
        self._framer.max_message = self.agreed.max_receive
        self._counters.established += 1
        return self._begun(self.agreed)

    def _begun(self, agreed: Agreed) -> list[Effect]:
        terms = agreed.terms()
        out: list[Effect] = [Established(self.number, terms, agreed, self.local, self.remote, self.adopted)]
        if agreed.hold_time:
            farewell = encode_notification(Notification(ErrorCode.HOLD_TIMER_EXPIRED, 0))
            out.append(Lease(self.number, agreed.keepalive_interval, KEEPALIVE, agreed.hold_time, farewell))
        return out

    # --- from one routingd to the next --------------------------------------------------------------------------------

    def capsule(self, *, election: int, told: bool) -> bytes:
        """For the one that goes on with this session. ``told``: our End-of-RIB has gone out."""
        assert self.agreed is not None
        return seal(self._config, *self._bodies, self.agreed, election=election, told=told)

    def adopt(self, kept: Adoptable, up_for: float, silent_for: float, now: float) -> list[Effect]:
        """Established at once, ``up_for`` seconds ago; the peer was heard ``silent_for`` seconds ago. What it has told
        is lost, so it is asked for everything again."""
        self.received, self.agreed, self._bodies = kept.received, kept.agreed, kept.bodies
        self.state = State.ESTABLISHED
        self.adopted = True
        self.established_at = now - up_for
        self._counters.established += 1
        self._framer.max_message = self.agreed.max_receive
        self._restart_hold(now - silent_for)
        self._again = dict.fromkeys(self.agreed.families, False)
        self._again_deadline = now + BEGUN_WITHIN
        return [*self._begun(self.agreed), *self.ask_again()]

    def mute(self, now: float) -> bool:
        """Adopted, but the peer does not tell everything again: nothing may be inferred from that."""
        return self._again_deadline is not None and now >= self._again_deadline

    def _tells_again(self, family: Family, now: float, *, ends: bool) -> None:
        if family not in self._again:
            return
        self._again[family] = True
        if ends:
            del self._again[family]
            self.end_of_rib.add(family)
        waits = self._again and not any(self._again.values())
        self._again_deadline = now + BEGUN_WITHIN if waits else None

    def told_all(self, families: Sequence[Family]) -> list[Family]:
        """End-of-RIB of these; it says nothing where another routingd has had the routes before it."""
        whole = [family for family in families if family not in self._again]
        self.end_of_rib.update(whole)
        return whole

    def ask_again(self) -> list[Effect]:
        if self.state is not State.ESTABLISHED or self.agreed is None or not self.agreed.route_refresh:
            return []
        requests = [RouteRefreshMessage(*family).encode() for family in self.agreed.families]
        return [self._send(MessageType.ROUTE_REFRESH, request) for request in requests]

    def _refresh(self, body: bytes, now: float) -> list[Effect]:
        assert self.agreed is not None
        message = decode_route_refresh(body)
        family = (message.afi, message.safi)
        # RFC 2918 4: a family that was not agreed is ignored; so are (RFC 7313 5) unknown subtypes.
        if family not in self.agreed.families:
            return []
        match message.subtype:
            case RefreshSubtype.REQUEST:
                return [RefreshRequested(self.number, *family)]
            case RefreshSubtype.BEGIN:
                self._tells_again(family, now, ends=False)
                return self._retention.refresh_begins(family, now)
            case RefreshSubtype.END:
                return self._refreshed(family, now)
        return []

    def _refreshed(self, family: Family, now: float) -> list[Effect]:
        if not self._again.get(family):
            return self._retention.refresh_ends(family)
        # Of an adopted session: it stands for End-of-RIB, which the peer has sent long ago.
        self._tells_again(family, now, ends=True)
        return self._retention.end_of_rib(family) or self._retention.refresh_ends(family)

    # --- time -------------------------------------------------------------------------------------------------

    def _restart_hold(self, now: float) -> None:
        """RFC 4271 6.5; hold time 0 means no timer. Arrivals may be told late, so the deadline never moves back."""
        if self.agreed is not None and self.agreed.hold_time:
            self._hold_deadline = max(now + self.agreed.hold_time, self._hold_deadline or 0.0)

    def _keepalive(self, now: float) -> Send:
        assert self.agreed is not None
        if self.agreed.hold_time:
            self._keepalive_deadline = now + jittered(self.agreed.keepalive_interval, self._rng)
        return self._send(MessageType.KEEPALIVE, KEEPALIVE)

    def waiting(self, now: float) -> None:
        """RFC 9687 3: the send hold timer runs from the first octet that TCP has not taken. Before both OPENs there is
        none."""
        if self._send_deadline is None and self.agreed is not None:
            lasts = self._config.send_hold(self.agreed.hold_time)
            self._send_deadline = now + lasts if lasts else None

    def moved(self, now: float, *, waits: bool) -> None:
        """TCP took something; ``waits``: not all."""
        self._send_deadline = None
        if waits:
            self.waiting(now)

    def late(self, now: float) -> None:
        """What the peer sent may wait unread, by our own fault: silence for so long says nothing."""
        if self._hold_deadline is not None and now >= self._hold_deadline:
            self._restart_hold(now)
        if self.mute(now):
            self._again_deadline = now + BEGUN_WITHIN

    def deadlines(self) -> dict[str, float]:
        """Of the timers that run, by name. The keepalive timer of an Established session is the agent's."""
        timers = {
            "hold": self._hold_deadline,
            "keepalive": self._keepalive_deadline,
            "send-hold": self._send_deadline,
            "delay-open": self._open_deadline,
            "refresh": self._again_deadline,
        }
        return {name: at for name, at in timers.items() if at is not None}

    def next_deadline(self) -> float | None:
        return min(self.deadlines().values(), default=None)

    def timer(self, now: float) -> list[Effect]:
        """Raises SessionError when the hold timer or the send hold timer has expired."""
        if self._send_deadline is not None and now >= self._send_deadline:
            assert self.agreed is not None
            stuck = Notification(ErrorCode.SEND_HOLD_TIMER_EXPIRED, 0)
            raise SessionError(stuck, f"the peer took nothing for {self._config.send_hold(self.agreed.hold_time)} s")
        if self._hold_deadline is not None and now >= self._hold_deadline:
            waited = self.agreed.hold_time if self.agreed is not None else int(LARGE_HOLD_TIME)
            expired = Notification(ErrorCode.HOLD_TIMER_EXPIRED, 0)
            raise SessionError(expired, f"nothing heard from the peer for {waited} s")
        if self._open_deadline is not None and now >= self._open_deadline:
            return [self._open(now)]
        if self._keepalive_deadline is not None and now >= self._keepalive_deadline:
            return [self._keepalive(now)]
        return []
