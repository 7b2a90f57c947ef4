"""``show fib consistency``: is what the RIB wants what each agent's model holds, and what is in each kernel?

A table that changes is never of one moment on both sides. So a box is judged where its stream stood still while it was
asked: the controller's sum before and after is the same, and the agent has applied all that was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from routingd.control.shapes import FibConsistency, FibStanding, FibSum
from routingd.controller import Controller
from routingd.fib_sums import audited, held, wanted
from routingd.queries import AgentSilentError
from routingd.views import boxes

ATTEMPTS: Final = 5
PAUSE: Final = 0.1
"""Seconds between two."""
AUDIT: Final = 25.0
"""Seconds that an audit may take: a million IPv6 routes are read in two."""
AWAY: Final = "`routingctl show ncp` says why; a box without an agent forwards by what its kernel has"
RESEND: Final = (
    "this must not happen: report it, and restart ncpd on that box, which goes on forwarding; what differs is sent "
    "again when its agent connects"
)
CONTESTED: Final = "`ip monitor route` there shows which; or give us a table of our own (`kernel: table`)"


@dataclass(frozen=True, slots=True)
class _Told:
    """By one box, and by the controller right before and after."""

    counts: Mapping[str, Any]
    wanted: FibSum
    still: bool
    """The stream stood still meanwhile, and the agent had applied all of it."""


class ConsistencyView:
    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    async def consistency(self, ncp: str | None, *, audit: bool) -> FibConsistency:
        """``audit``: each agent compares its kernel with its model now."""
        rows = await asyncio.gather(*(self._box(box.name, audit) for box in boxes(self._controller.plan, ncp)))
        install = self._controller.plan.boxes.kernel.install
        fib = await self._controller.engine.call(wanted)
        return {"install": install, "controller": fib, "ncps": rows}

    async def _box(self, name: str, audit: bool) -> FibStanding:
        try:
            if audit:
                await self._controller.queries.ask(name, "audit", patience=AUDIT)
            told = await self._compared(name)
        except AgentSilentError as error:
            return self._row(name, {}, "unknown", str(error), AWAY)
        model = held(told.counts)
        if self._controller.feeds[name].held:
            reason = "it keeps what an earlier routingd told it until neighbors have told this one everything"
            return self._row(name, told.counts, "moving", reason, "wait until it forwards by this one: `show ncp`")
        if not told.still:
            return self._row(name, told.counts, "moving", "changes are on their way", "ask again")
        if model != told.wanted:
            return self._row(name, told.counts, "differs", "its model is not what it was sent", RESEND)
        last = audited(told.counts)
        if last is not None and last["contested"]:
            reason = f"another program changes {last['contested']} of our routes in its kernel again and again"
            return self._row(name, told.counts, "differs", reason, CONTESTED)
        return self._row(name, told.counts, "equal", "", "")

    async def _compared(self, name: str) -> _Told:
        """At a moment at which both sides stood still, if there is one. Raises AgentSilentError."""
        controller = self._controller
        feed = controller.feeds[name].feed
        for attempt in range(ATTEMPTS):
            before = await controller.engine.call(wanted)
            counts = await controller.queries.ask(name, "counts")
            sent = feed.describe(controller.clock())
            after = await controller.engine.call(wanted)
            still = before == after and sent["caught_up"] and sent["sent"] == counts.get("applied")
            told = _Told(counts, after, still)
            if still and held(counts) == after:
                break
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(PAUSE)
        return told

    def _row(self, name: str, counts: Mapping[str, Any], state: Any, reason: str, advice: str) -> FibStanding:
        sent = self._controller.feeds[name].describe()
        return {
            "ncp": name,
            "state": state,
            "reason": reason,
            "advice": advice,
            "model": held(counts),
            "installed": counts.get("installed", 0),
            "pending": counts.get("pending", 0),
            "failed": sent["failed"],
            "outstanding": sent["outstanding_transactions"],
            "lag": sent["lag"],
            "audit": audited(counts),
        }
