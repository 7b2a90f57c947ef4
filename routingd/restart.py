"""A restart of routingd as its neighbors and boxes see it (RFC 4724 4.1).

The boxes have gone on forwarding by what an earlier routingd told them, and neighbors with graceful restart have kept
our routes. So nothing is taken back before the RIB is whole again: until the neighbors that were there have told
everything, or are given up, boxes get no FIB and neighbors no routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from routingd.peer import ACCEPT, Peer

DEFERRAL: Final = 360.0
AWAY: Final = 120.0
"""Seconds in which a neighbor that was there is back, or is given up: by then it has dropped our routes too."""

CALM: Final = 2.0
"""Seconds after the last End-of-RIB: FRR's may overtake its routes by most of a second."""

log = structlog.get_logger("routingd.restart")


class Restart:
    """Begins with the first box that has kept forwarding, ends once."""

    def __init__(
        self, expected: frozenset[str], deferral: float, peers: Callable[[], Iterable[Peer]], over: Callable[[], None]
    ) -> None:
        """``expected``: names of the neighbors that had a session with graceful restart; ``deferral``: seconds for
        which they are waited for at most."""
        self.waits_for = expected
        self._deferral = deferral
        self._peers = peers
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        self._calm: asyncio.TimerHandle | None = None
        self._may_come = True
        self._heard: set[str] = set()
        self._keeping: set[str] = set()
        self._ended = False

    def box(self, ncp: str, keeps: bool) -> None:
        """An agent has come. What its box keeps is of an earlier routingd at the first word only, later it is ours."""
        first = ncp not in self._heard
        self._heard.add(ncp)
        late = self._loop.time() >= self._started + self._deferral
        if not keeps or not first or late or self._ended:
            return
        self._keeping.add(ncp)
        if len(self._keeping) > 1:
            return
        log.info("restart.begun", neighbors=sorted(self.waits_for))
        if not self.waits_for:
            self._end("no neighbor had graceful restart")
            return
        self._at(self._started + AWAY, self._away)
        self._at(self._started + self._deferral, lambda: self._end("the deferral timer expired"))
        self.look()

    def kept(self, ncp: str) -> bool:
        """Whether sessions of this box come back by graceful restart."""
        return self.deferring and ncp in self._keeping

    @property
    def deferring(self) -> bool:
        """Neither boxes nor neighbors are told routes yet."""
        return bool(self._keeping) and not self._ended

    def expect(self, name: str) -> None:
        """An adopted session: its neighbor tells everything again."""
        if self.deferring:
            self.waits_for |= {name}
            if self._calm is not None:
                self._calm.cancel()

    def look(self) -> None:
        """Something about a neighbor may have changed."""
        if not self.deferring or not self.waits_for:
            return
        there = {peer.name: peer for peer in self._peers()}
        self.waits_for = frozenset(name for name in self.waits_for if tells_more(there.get(name), self._may_come))
        if not self.waits_for:
            self._calm = self._at(self._loop.time() + CALM, lambda: self._end("all neighbors have told everything"))

    def _away(self) -> None:
        self._may_come = False
        self.look()

    def _at(self, when: float, what: Callable[[], None]) -> asyncio.TimerHandle:
        self._timers.append(self._loop.call_at(when, what))
        return self._timers[-1]

    def _end(self, reason: str) -> None:
        seconds = round(self._loop.time() - self._started, 1)
        log.info("restart.over", reason=reason, missing=sorted(self.waits_for), seconds=seconds)
        self._ended = True
        for timer in self._timers:
            timer.cancel()
        self._over()


def tells_more(peer: Peer | None, may_come: bool) -> bool:
    """Whether a neighbor's routes are to be waited for: not of one without graceful restart, nor of one that has
    restarted itself and may be waiting for ours (RFC 4724 4.1)."""
    if peer is None or peer.up is None:
        return may_come
    graceful = peer.up.agreed.graceful
    if graceful is None or graceful.restarting:
        return False
    taken = {f.family for f in peer.session.config.families if f.import_policy == ACCEPT}
    return not taken & set(peer.up.agreed.families) <= peer.end_of_rib
