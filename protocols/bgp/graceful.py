"""What both sides say about restarts, and what follows for the peer's routes: RFC 4724 3, RFC 8538 2, RFC 9494 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from protocols.bgp.capabilities import Capability, GracefulRestart, LongLivedGracefulRestart
from protocols.bgp.errors import CeaseSubcode, ErrorCode, Notification
from protocols.bgp.family import Family, family_name

C = TypeVar("C", GracefulRestart, LongLivedGracefulRestart)

_MEANT: Final = frozenset(
    {
        CeaseSubcode.MAXIMUM_NUMBER_OF_PREFIXES_REACHED,
        CeaseSubcode.ADMINISTRATIVE_SHUTDOWN,
        CeaseSubcode.PEER_DECONFIGURED,
        CeaseSubcode.ADMINISTRATIVE_RESET,
        CeaseSubcode.OUT_OF_RESOURCES,
    }
)


class Mode(StrEnum):
    OFF = "off"
    HELPER = "helper"
    """A restarting peer's routes stay; of restarts of our own nothing is said."""
    ON = "on"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What our OPENs say of the boxes (RFC 4724 4.1)."""

    restarting: bool = False
    """The R bit: we have lost our routes, and End-of-RIB is not to be waited for from us."""
    families: frozenset[Family] = frozenset()
    """The F bit: the boxes still forward by what was told before."""


NOTHING_KEPT: Final = Forwarding()


@dataclass(frozen=True, slots=True)
class Graceful:
    """Both sides offered the capability: what the peer's said."""

    restarting: bool
    notification: bool
    """Both said that a NOTIFICATION may be survived as well (RFC 8538 2)."""
    restart_time: int
    families: frozenset[Family]
    """Whose forwarding the peer keeps up when it restarts."""
    forwarding: frozenset[Family]
    """And has kept up, if it had restarted."""
    long_lived: tuple[tuple[Family, int], ...] = ()
    """Seconds for which routes may stay after that as a last resort, at most what we allow; none unless both offered
    RFC 9494."""
    long_lived_forwarding: frozenset[Family] = frozenset()
    takes_long_lived: bool = False
    """The peer may be told of long-lived stale routes (RFC 9494 4.5)."""

    def survives(self, sent: Notification | None, received: Notification | None) -> bool:
        """RFC 8538 4: whether routes outlive a session that ended like this. A lost TCP connection has neither."""
        told = [n for n in (sent, received) if n is not None]
        hard = any((n.code, n.subcode) == (ErrorCode.CEASE, CeaseSubcode.HARD_RESET) for n in told)
        return not told or (self.notification and not hard)

    def said(self, notification: Notification) -> Notification:
        """RFC 8538 5.1: an end that is meant leaves no routes behind, neither here nor there."""
        meant = notification.code == ErrorCode.CEASE and notification.subcode in _MEANT
        return notification.hard_reset() if self.notification and meant else notification

    def long_lived_time(self, family: Family) -> int:
        return dict(self.long_lived).get(family, 0)

    def describe(self) -> dict[str, Any]:
        return {
            "restarting": self.restarting,
            "notification": self.notification,
            "restart_time": self.restart_time,
            "families": {family_name(*f): {"forwarding": f in self.forwarding} for f in sorted(self.families)},
            "long_lived": {family_name(*f): seconds for f, seconds in self.long_lived},
        }


def offer_graceful(
    families: Sequence[Family], mode: Mode, restart_time: int, long_lived: int, forwarding: Forwarding
) -> list[Capability]:
    """``long_lived``: seconds, 0: not offered."""
    if mode is Mode.OFF:
        return []
    own = families if mode is Mode.ON else ()
    entries = tuple((*f, f in forwarding.families) for f in own)
    restart = (forwarding.restarting, True, restart_time) if mode is Mode.ON else (False, True, 0)
    offered: list[Capability] = [GracefulRestart(*restart, entries)]
    if long_lived:
        offered.append(LongLivedGracefulRestart(tuple((*entry, long_lived) for entry in entries)))
    return offered


def agree_graceful(
    offered: Sequence[Capability], received: Sequence[Capability], spoken: Sequence[Family], longest: int
) -> Graceful | None:
    """``spoken``: the families of the session; ``longest``: bound of what the peer asks by RFC 9494, in seconds."""
    ours, theirs = _last(offered, GracefulRestart), _last(received, GracefulRestart)
    if ours is None or theirs is None:
        return None
    kept = {(afi, safi): forwards for afi, safi, forwards in theirs.families if (afi, safi) in spoken}
    # RFC 9494 3.1: without the other capability this one says nothing.
    long_lived = _last(received, LongLivedGracefulRestart)
    both = long_lived is not None and _last(offered, LongLivedGracefulRestart) is not None
    entries = [e for e in long_lived.entries if e[:2] in spoken] if long_lived is not None and both else []
    return Graceful(
        restarting=theirs.restarting,
        notification=ours.notification and theirs.notification,
        restart_time=theirs.restart_time,
        families=frozenset(kept),
        forwarding=frozenset(f for f, forwards in kept.items() if forwards),
        # RFC 9494 4.2: our configuration may bound the peer's time.
        long_lived=tuple(((afi, safi), min(seconds, longest)) for afi, safi, _, seconds in entries if seconds),
        long_lived_forwarding=frozenset((afi, safi) for afi, safi, forwards, _ in entries if forwards),
        takes_long_lived=long_lived is not None,
    )


def _last(capabilities: Sequence[Capability], kind: type[C]) -> C | None:
    return next((c for c in reversed(capabilities) if isinstance(c, kind)), None)
