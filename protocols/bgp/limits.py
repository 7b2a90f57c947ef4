"""How many paths a peer may have with us (RFC 4271 6.7, RFC 4486 4), before any policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from protocols.bgp.errors import CeaseSubcode, ErrorCode, Notification
from protocols.bgp.family import Family, family_name

if TYPE_CHECKING:
    from protocols.bgp.config import FamilyConfig


class OnLimit(StrEnum):
    """What follows when a peer gives more."""

    WARN = "warn"
    RESTART = "restart"
    """The session ends, and begins again after a while."""
    IDLE = "idle"
    """The session ends, and begins again when the operator says so."""


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    limit: int
    """Paths of a family; the one beyond is too many."""
    warn: int = 75
    """Per cent of the limit at which it is told."""
    action: OnLimit = OnLimit.RESTART
    restart_after: float = 60.0
    """Seconds."""

    @property
    def ends(self) -> bool:
        """The session, where it is exceeded."""
        return self.action is not OnLimit.WARN


@dataclass(frozen=True, slots=True)
class Reached:
    """A mark that was passed: ``over`` the limit, or only near it."""

    family: Family
    paths: int
    set: PrefixLimit
    over: bool

    @property
    def ends(self) -> bool:
        return self.over and self.set.ends

    @property
    def text(self) -> str:
        name = family_name(*self.family)
        if not self.over:
            return f"{self.paths} paths of {name}, {self.set.warn} % of the limit of {self.set.limit}"
        then = {
            OnLimit.WARN: "",
            OnLimit.RESTART: f"; again in {self.set.restart_after:g} s",
            OnLimit.IDLE: "; idle until it is started again",
        }
        return f"{self.paths} paths of {name}, over the limit of {self.set.limit}{then[self.set.action]}"

    @property
    def notification(self) -> Notification:
        afi, safi = self.family
        data = afi.to_bytes(2, "big") + bytes([safi]) + self.set.limit.to_bytes(4, "big")
        return Notification(ErrorCode.CEASE, CeaseSubcode.MAXIMUM_NUMBER_OF_PREFIXES_REACHED, data)


class Limits:
    """Of one session: each mark is told once, and again when the peer has been below it in between."""

    __slots__ = ("_limits", "_told")

    def __init__(self, families: Iterable[FamilyConfig]) -> None:
        self._limits = {f.family: f.maximum for f in families if f.maximum is not None}
        self._told: set[tuple[Family, bool]] = set()

    def reached(self, paths: Mapping[Family, int]) -> list[Reached]:
        """``paths``: what it has with us now, by family."""
        passed = []
        for family, limit in self._limits.items():
            count = paths.get(family, 0)
            for over, is_past in ((False, count * 100 >= limit.limit * limit.warn), (True, count > limit.limit)):
                if not is_past:
                    self._told.discard((family, over))
                elif (family, over) not in self._told:
                    self._told.add((family, over))
                    passed.append(Reached(family, count, limit, over))
        # Past both at once, the nearer mark says nothing.
        exceeded = {mark.family for mark in passed if mark.over}
        return [mark for mark in passed if mark.over or mark.family not in exceeded]
