"""``monitor bgp``: what happens to sessions, told to whoever watches as it happens.

A watcher that does not read keeps the latest events; how many it missed it is told.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

from protocols import effects
from protocols.bgp.family import family_name
from routingd.control.bgp_shapes import BgpEvent, BgpEvents

KEPT: Final = 1024
"""Events that wait for one watcher."""


class Watcher:
    """One client's place."""

    __slots__ = ("_arrived", "_lost", "_neighbor", "_waiting")

    def __init__(self, neighbor: str | None) -> None:
        self._neighbor = neighbor
        self._waiting: deque[BgpEvent] = deque(maxlen=KEPT)
        self._lost = 0
        self._arrived = asyncio.Event()

    def tell(self, event: BgpEvent) -> None:
        if self._neighbor not in (None, event["neighbor"]):
            return
        self._lost += len(self._waiting) == KEPT
        self._waiting.append(event)
        self._arrived.set()

    async def read(self) -> BgpEvents:
        """At least one event."""
        await self._arrived.wait()
        self._arrived.clear()
        page: BgpEvents = {"events": list(self._waiting), "lost": self._lost}
        self._waiting.clear()
        self._lost = 0
        return page


class SessionEvents:
    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    def tell(self, neighbor: str, effect: effects.Effect) -> None:
        """Of an effect that tells something; without watchers nothing is made."""
        if not self._watchers or (told := described(effect)) is None:
            return
        kind, text, details = told
        now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        event: BgpEvent = {"time": now, "neighbor": neighbor, "event": kind, "text": text, "details": details}
        for watcher in self._watchers:
            watcher.tell(event)

    async def follow(self, neighbor: str | None) -> AsyncGenerator[BgpEvents, None]:
        """Without end; closing the generator ends it. ``neighbor``: of this one only."""
        watcher = Watcher(neighbor)
        self._watchers.add(watcher)
        try:
            while True:
                yield await watcher.read()
        finally:
            self._watchers.discard(watcher)


def _stale(what: str, afi: int, safi: int) -> tuple[str, str, dict[str, Any]]:
    name = family_name(afi, safi)
    return "stale", f"{name} {what}", {"family": name}


def described(effect: effects.Effect) -> tuple[str, str, dict[str, Any]] | None:
    """(kind, for people, for programs)."""
    match effect:
        case effects.StateChanged(old, new, reason):
            return "state", f"{old} -> {new}: {reason}", {"old": old, "new": new, "reason": reason}
        case effects.Established(agreed=agreed, adopted=adopted):
            families = [family_name(*f) for f in agreed.families]
            text = f"AS {agreed.peer_asn}, {', '.join(families)}, hold time {agreed.hold_time} s"
            return "established", f"adopted: {text}" if adopted else text, agreed.describe()
        case effects.Down(_, reason, keep=keep):
            kept = sorted(family_name(*f) for f in keep)
            stays = f"; {', '.join(kept)} stays for now" if kept else ""
            return "down", reason + stays, {"reason": reason, "kept": kept}
        case effects.MarkStale(afi, safi):
            return _stale("is stale until it is told again", afi, safi)
        case effects.SweepStale(afi, safi):
            return _stale("that is still stale goes", afi, safi)
        case effects.LongLived(afi, safi):
            return _stale("that is stale stays as a last resort", afi, safi)
        case effects.Forget():
            return "stale", "what was kept goes", {}
        case effects.Notified(_, notification, sent):
            way = "sent" if sent else "received"
            return "notification", f"{way} {notification}", {"direction": way, **notification.describe()}
        case effects.Refused(_, reason):
            return "refused", f"a connection, as {reason}", {"reason": reason}
        case effects.Found(_, finding):
            shown = finding.attribute.hex() or finding.message.hex()
            text = f"{finding.name}: {finding.verdict} (RFC {finding.key[3]}), {finding.count} so far: {shown}"
            return "malformed", text, finding.describe(finding.at)
        case effects.LimitReached(_, mark):
            name = family_name(*mark.family)
            return "limit", mark.text, {"family": name, "paths": mark.paths, "limit": mark.set.limit, "over": mark.over}
        case effects.RefreshRequested(_, afi, safi):
            name = family_name(afi, safi)
            return "refresh", f"it asks for {name} again", {"family": name}
        case _:
            return None
