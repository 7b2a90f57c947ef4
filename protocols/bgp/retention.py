"""Routes of the peer that stay although nobody vouches for them: after a session was lost (RFC 4724 4.2, RFC 8538 4.1,
RFC 9494 4.2), and while the peer tells everything again (RFC 7313 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from protocols.bgp.family import Family, family_name
from protocols.bgp.graceful import Graceful
from protocols.effects import Down, Effect, Forget, LongLived, MarkStale, SweepStale


class Phase(StrEnum):
    """What is waited for."""

    RESTART = "restart"
    """The peer, within its Restart Time."""
    LONG_LIVED = "long-lived"
    """The peer, within its Long-Lived Stale Time."""
    END_OF_RIB = "end-of-rib"
    """The peer is back."""
    REFRESH = "refresh"
    """The end of a refresh."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The stale routes of one family."""

    phase: Phase
    until: float
    limit: float
    """For so long they outlive further restarts: it stands until the peer has told everything."""
    then: int = 0
    """Long-Lived Stale Time that follows, in seconds; 0: none."""
    long_lived: bool = False
    """That time has begun."""
    ours: bool = False
    """The session ended at our side."""


class Retention:
    """By family. Every method gives what to do about the routes."""

    __slots__ = ("_kept", "_longest")

    def __init__(self, longest: float) -> None:
        """``longest``: seconds for which End-of-RIB, or the end of a refresh, is waited for."""
        self._longest = longest
        self._kept: dict[Family, Kept] = {}

    # --- the session --------------------------------------------------------------------------------------------------

    def ended(
        self, down: Down, families: Iterable[Family], graceful: Graceful | None, now: float, *, ours: bool = False
    ) -> list[Effect]:
        """``down`` and what comes with it; ``families`` are those whose routes were taken. ``ours``: the peer goes on
        as it was, and when it is back its Forwarding State bit tells of no restart."""
        out: list[Effect] = []
        before, self._kept = self._kept, {}
        if graceful is not None and graceful.survives(down.sent, down.received):
            for family in sorted(families):
                out += self._keep(family, before.get(family), graceful, now, ours=ours)
        last_resorts = [LongLived(*f) for f, kept in self._kept.items() if kept.phase is Phase.LONG_LIVED]
        return [*out, replace(down, keep=frozenset(self._kept)), *last_resorts]

    def _keep(self, family: Family, old: Kept | None, graceful: Graceful, now: float, *, ours: bool) -> list[Effect]:
        out: list[Effect] = []
        again = old if old is not None and old.phase is Phase.END_OF_RIB else None
        if again is not None and again.long_lived and now < again.limit:
            # RFC 9494 4.2: consecutive restarts delete nothing before the time is over, and do not prolong it.
            self._kept[family] = replace(again, phase=Phase.LONG_LIVED, until=again.limit)
            return out
        if again is not None and (not (graceful.notification or ours) or now >= again.limit):
            # RFC 4724 4.2: what was stale before this restart goes. RFC 8538 4.1: only after a bound; so where
            # the peer has not restarted.
            out.append(SweepStale(*family))
            again = None
        # RFC 9494 4.2: a family that the peer does not list has a Restart Time of zero.
        lasts, then = graceful.restart_time if family in graceful.families else 0, graceful.long_lived_time(family)
        if lasts:
            limit = again.limit if again is not None else now + lasts + self._longest
            self._kept[family] = Kept(Phase.RESTART, now + lasts, limit, then, ours=ours)
        elif then:
            self._kept[family] = self._last_resort(now + then)
        return out

    def established(self, families: Iterable[Family], graceful: Graceful | None, now: float) -> list[Effect]:
        """The session is back. RFC 4724 4.2, RFC 9494 4.2: where the peer has not kept up its forwarding, or says
        nothing of a family any more, its routes go at once."""
        out: list[Effect] = []
        spoken = set(families)
        for family, kept in list(self._kept.items()):
            forwarding: frozenset[Family] = frozenset()
            if graceful is not None:
                forwarding = graceful.long_lived_forwarding if kept.long_lived else graceful.forwarding
                if kept.ours and not graceful.restarting:
                    forwarding |= graceful.families
            if family in forwarding and family in spoken:
                self._kept[family] = replace(kept, phase=Phase.END_OF_RIB, until=now + self._longest)
            else:
                out += self._sweep(family)
        return out

    def stopped(self) -> list[Effect]:
        """By the operator: nothing stays."""
        return self._forget() if self._kept else []

    # --- the peer's markers -------------------------------------------------------------------------------------------

    def end_of_rib(self, family: Family) -> list[Effect]:
        kept = self._kept.get(family)
        return self._sweep(family) if kept is not None and kept.phase is Phase.END_OF_RIB else []

    def refresh_begins(self, family: Family, now: float) -> list[Effect]:
        kept = self._kept.get(family)
        if kept is not None and kept.phase is Phase.END_OF_RIB:
            return []  # RFC 7313 4: none counts before End-of-RIB
        self._kept[family] = Kept(Phase.REFRESH, now + self._longest, limit=now)
        return [MarkStale(*family)]

    def refresh_ends(self, family: Family) -> list[Effect]:
        """RFC 7313 4: without a beginning it says nothing."""
        kept = self._kept.get(family)
        return self._sweep(family) if kept is not None and kept.phase is Phase.REFRESH else []

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return min((kept.until for kept in self._kept.values()), default=None)

    def timer(self, now: float) -> list[Effect]:
        out: list[Effect] = []
        for family, kept in list(self._kept.items()):
            if now < kept.until:
                continue
            if kept.phase is Phase.RESTART and kept.then:
                self._kept[family] = self._last_resort(now + kept.then)
                out.append(LongLived(*family))
                continue
            out += self._sweep(family)
            if not self._kept and kept.phase in (Phase.RESTART, Phase.LONG_LIVED):
                out += self._forget()
        return out

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def keeps(self) -> frozenset[Family]:
        return frozenset(self._kept)

    def describe(self, now: float) -> list[dict[str, Any]]:
        return [
            {"family": family_name(*family), "waits_for": str(kept.phase), "remaining": max(0.0, kept.until - now)}
            for family, kept in sorted(self._kept.items())
        ]

    # --- within -------------------------------------------------------------------------------------------------------

    @staticmethod
    def _last_resort(until: float) -> Kept:
        return Kept(Phase.LONG_LIVED, until, until, long_lived=True)

    def _sweep(self, family: Family) -> list[Effect]:
        del self._kept[family]
        return [SweepStale(*family)]

    def _forget(self) -> list[Effect]:
        self._kept.clear()
        return [Forget()]
