"""What a speaker asks of the world: plain frozen values, performed in order by one interpreter at the edge.

A connection is named by a number: negative where the speaker asked for it (``Connect``), else not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from native import SessionTerms, Updates
    from protocols.bgp.errors import Notification
    from protocols.bgp.family import Family
    from protocols.bgp.findings import Finding
    from protocols.bgp.limits import Reached
    from protocols.bgp.negotiation import Agreed


@dataclass(frozen=True, slots=True)
class Connect:
    """Open TCP to the configured peer. Answered by ``connected`` or ``connect_failed`` with the same number."""

    conn: int


@dataclass(frozen=True, slots=True)
class Send:
    """Whole messages, to be written in order."""

    conn: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Write what was sent before, then close; with ``reset`` drop it. Ends an unanswered ``Connect`` too."""

    conn: int
    reason: str
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """UPDATEs of an Established session, for the engine; its verdict comes back through ``routes_processed``."""

    conn: int
    updates: Updates


@dataclass(frozen=True, slots=True)
class Established:
    """The session is up on this connection. ``terms`` is for the engine's decoder, ``agreed`` for everybody else."""

    conn: int
    terms: SessionTerms
    agreed: Agreed
    local: bytes
    remote: bytes
    adopted: bool = False
    """It has been so before: the peer holds what another routingd has told it."""


@dataclass(frozen=True, slots=True)
class Down:
    """An Established session ended: its routes go, but for those of the families to ``keep``, which are stale now.
    Neither ``sent`` nor ``received`` is there when TCP just ended."""

    conn: int
    reason: str
    sent: Notification | None = None
    received: Notification | None = None
    keep: frozenset[Family] = frozenset()


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session's state by its RFC name, for logs and monitoring."""

    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notified:
    """A NOTIFICATION went either way, for logs and monitoring."""

    conn: int
    notification: Notification
    sent: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A connection that the peer opened was not taken."""

    conn: int
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """UPDATEs of the peer were malformed (RFC 7606 6); told now and then for each kind."""

    conn: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The peer has as many paths with us as is worth telling, or more than it may."""

    conn: int
    mark: Reached


@dataclass(frozen=True, slots=True)
class Lease:
    """Let the agent send ``packet`` every ``interval`` s while the connection lives; the edge renews the lease. While
    nobody renews it, a peer that is silent for ``hold`` s is told ``farewell``."""

    conn: int
    interval: float
    packet: bytes
    hold: int = 0
    farewell: bytes = b""


@dataclass(frozen=True, slots=True)
class RefreshRequested:
    """The peer asks for the whole Adj-RIB-Out of one family again (RFC 2918)."""

    conn: int
    afi: int
    safi: int


@dataclass(frozen=True, slots=True)
class MarkStale:
    """What the peer has told of this family so far is stale until it tells it again."""

    afi: int
    safi: int


@dataclass(frozen=True, slots=True)
class SweepStale:
    """What is stale of this family goes."""

    afi: int
    safi: int


@dataclass(frozen=True, slots=True)
class LongLived:
    """What is stale of this family stays as a last resort (RFC 9494 4.2)."""

    afi: int
    safi: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Of a session that is down nothing is kept any more."""


Effect = (
    Connect | Send | Close | Routes | Established | Down | StateChanged | Lease | RefreshRequested | Notified | Refused
    | Found | LimitReached | MarkStale | SweepStale | LongLived | Forget
)  # fmt: skip
