"""Coming up: our own connections and the pauses between them: RFC 4271 8.1.1 (damping), 8.2.2 Connect, Active, Idle."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from protocols.bgp.config import PeerConfig
from protocols.bgp.connection import Rng, jittered
from protocols.effects import Close, Connect, Effect

CONNECT_TIMEOUT: Final = 30.0
"""An attempt to connect that was not answered by then is given up."""
FIRST_PAUSE: Final = 1.0
"""Before the second attempt; it doubles from there, up to the configured connect retry, after errors IDLE_HOLD_MAX."""
IDLE_HOLD_MAX: Final = 120.0
STABLE: Final = 120.0
"""A session that held this long owes nothing to the errors before it."""
OFFENDER_HOLD_MAX: Final = 900.0
"""Longest pause for a peer whose own bad messages ended session after session, however long they lasted."""
FORGIVEN_AFTER: Final = 3600.0
"""One such session is forgotten."""


def _doubled(failures: int) -> float:
    return FIRST_PAUSE * 2.0 ** min(failures - 1, 16)


class Attempts:
    """When to connect next, and the attempt under way. At most one of both at a time."""

    __slots__ = (
        "_barred", "_config", "_deadline", "_failures", "_idle_until", "_next_number", "_offended", "_retry_at", "_rng",
        "_tried", "pending",
    )  # fmt: skip

    def __init__(self, config: PeerConfig, rng: Rng) -> None:
        self.pending: int | None = None
        """The connection asked for and not answered yet."""
        self._config = config
        self._rng = rng
        self._next_number = -1
        self._deadline: float | None = None
        self._retry_at: float | None = None
        self._idle_until: float | None = None
        self._barred = False
        self._tried = 0
        """Attempts without an answer since the session was last up."""
        self._failures = 0
        """Errors that count for damping."""
        self._offended: deque[float] = deque(maxlen=16)
        """When the peer's bad messages ended a session."""

    def reset(self) -> None:
        """The operator's start forgives."""
        self._tried = self._failures = 0
        self._offended.clear()

    def begin(self, now: float) -> list[Effect]:
        """Out of Idle, or of Active at the ConnectRetryTimer."""
        self.rest()
        if self._config.passive:
            return []
        self.pending = self._next_number
        self._next_number -= 1
        self._deadline = now + CONNECT_TIMEOUT
        return [Connect(self.pending)]

    def answered(self) -> None:
        self.pending = self._deadline = None

    def rest(self) -> None:
        """Nothing is to be tried later."""
        self._retry_at = self._idle_until = None
        self._barred = False

    def cancel(self, reason: str) -> list[Effect]:
        if self.pending is None:
            return []
        number = self.pending
        self.answered()
        return [Close(number, reason, reset=True)]

    def retry(self, now: float) -> None:
        """Active until the ConnectRetryTimer."""
        self._tried += 1
        if not self._config.passive:
            # Errors count as well: a peer that holds us down takes connections only to close them.
            longest = min(self._config.connect_retry, _doubled(self._tried + self._failures))
            self._retry_at = now + jittered(longest, self._rng)

    def failed(self) -> None:
        self._failures += 1

    def offended(self, now: float) -> None:
        """What ended the session was a message of the peer that no speaker should send."""
        self._offended.append(now)

    def offences(self, now: float) -> int:
        """Not forgiven yet."""
        while self._offended and now - self._offended[0] >= FORGIVEN_AFTER:
            self._offended.popleft()
        return len(self._offended)

    def hold(self, now: float) -> None:
        """RFC 4271 8.1.1: DampPeerOscillations, Idle until the IdleHoldTimer."""
        damped = min(IDLE_HOLD_MAX, _doubled(self._failures))
        blamed = min(OFFENDER_HOLD_MAX, _doubled(self.offences(now)))
        self._idle_until = now + jittered(max(damped, blamed), self._rng)

    def bar(self, now: float, seconds: float) -> None:
        """Idle for so long, whoever connects; ``math.inf``: until the operator's start."""
        self._idle_until = now + seconds
        self._barred = True

    def up(self, reason: str) -> list[Effect]:
        """The session is Established: nothing is tried any more."""
        self._tried = 0
        self.rest()
        return self.cancel(reason)

    def lasted(self, seconds: float) -> None:
        """A session ended that had been up for so long."""
        if seconds >= STABLE:
            self._failures = 0

    @property
    def held(self) -> bool:
        return self._idle_until is not None

    @property
    def refusing(self) -> bool:
        """RFC 4271 8.2.2: Idle refuses. After a first error a peer that comes back is no oscillation, and is taken."""
        return self.held and (self._failures > 1 or len(self._offended) > 1)

    @property
    def refusal(self) -> str:
        """Why the peer's connections are not taken for now; empty: they are."""
        if self._barred:
            return "the session is held down after too many prefixes"
        return "the session is held down after repeated errors" if self.refusing else ""

    @property
    def barred(self) -> bool:
        return self._barred

    @property
    def next_at(self) -> float | None:
        pauses = (self._retry_at, self._idle_until)
        return min((at for at in pauses if at is not None and at < math.inf), default=None)

    def deadlines(self) -> dict[str, float]:
        timers = {"connect": self._deadline, "connect-retry": self._retry_at, "idle-hold": self._idle_until}
        return {name: at for name, at in timers.items() if at is not None and at < math.inf}

    def next_deadline(self) -> float | None:
        return min(self.deadlines().values(), default=None)

    def unanswered(self, now: float) -> bool:
        return self._deadline is not None and now >= self._deadline

    def due(self, now: float) -> bool:
        return self.next_at is not None and now >= self.next_at
