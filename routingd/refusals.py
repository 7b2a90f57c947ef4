"""Agents that are turned away, and agents that turn from us: what is wrong then, for as long as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from fibd.wire import Error
from routingd.conditions import ConditionBook, Severity

CALM: Final = 15.0
"""Seconds without another attempt after which a refusal is history: agents try again every two."""
_CONDITIONS: Final[Mapping[str, tuple[str, Severity]]] = {
    "duplicate": ("duplicate-agent", "alarm"),
    "election": ("overtaken", "alarm"),
    "version": ("version", "alarm"),
    "name": ("certificate", "alarm"),
}
"""By code of ``Error``: the condition of the box that the agent says it is."""

log = structlog.get_logger("routingd.agents")


class Refusals:
    def __init__(self, conditions: Mapping[str, ConditionBook], overtaken: Callable[[int], None]) -> None:
        """``overtaken`` is told the election id of a controller that a box prefers to this one."""
        self._conditions = conditions
        self._overtaken = overtaken
        self._loop = asyncio.get_running_loop()
        self._calm: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def refused(self, ncp: str, error: Error, origin: str, election_id: int) -> None:
        """We do not serve it. ``election_id``: the highest it knows."""
        if error.code == "election":
            self._overtaken(election_id)
        log.warning("agent.refused", ncp=ncp, origin=origin, code=error.code, reason=error.text)
        self._set(ncp, error, f"{error.text} (it dials from {origin})")

    def left(self, ncp: str, error: Error) -> None:
        """It does not want us any more."""
        log.warning("agent.left", ncp=ncp, code=error.code, reason=error.text)
        self._set(ncp, error, error.text)

    def _set(self, ncp: str, error: Error, text: str) -> None:
        book, known = self._conditions.get(ncp), _CONDITIONS.get(error.code)
        if book is None or known is None:
            return
        code, severity = known
        book.set(code, severity, text)
        if (timer := self._calm.pop((ncp, code), None)) is not None:
            timer.cancel()
        if error.code != "election":  # that is over only when the box is ours again
            self._calm[ncp, code] = self._loop.call_later(CALM, book.clear, code)

    def welcomed(self, ncp: str) -> None:
        """It is served by us."""
        for code in ("overtaken", "version", "certificate"):
            self._conditions[ncp].clear(code)
