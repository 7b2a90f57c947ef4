"""What is wrong and for how long, until it is right again: kept by an agent of its box, and by the controller of each.

A condition is a state, not an event: whoever sees it sets it, whoever sees that it is over clears it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

log = structlog.get_logger("conditions")

Severity = Literal["info", "warning", "alarm"]
"""A fact worth knowing; something works less well than it could; somebody has to look."""
Row = list[Any]
"""[code, severity, text, count, seconds since it began]"""
_RANK: Final = {"alarm": 0, "warning": 1, "info": 2}


@dataclass(slots=True)
class Condition:
    severity: str
    text: str
    count: int
    """How often it was set since it began."""
    since: float


class ConditionBook:
    """``changed`` is called whenever the rows became others."""

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None] = lambda: None, **about: str) -> None:
        """``about``: what each line of the log names beside the condition."""
        self._clock = clock
        self._changed = changed
        self._log = log.bind(**about)
        self._own: dict[str, Condition] = {}
        self._told: dict[str, Condition] = {}

    def set(self, code: str, severity: Severity, text: str) -> None:
        """Again is counted. ``code`` is the same for the same trouble, words with dashes."""
        known = self._own.get(code)
        if known is None:
            self._own[code] = Condition(severity, text, 1, self._clock())
            tell = {"info": self._log.info, "warning": self._log.warning, "alarm": self._log.error}[severity]
            tell("condition", code=code, text=text)
        else:
            known.severity, known.text, known.count = severity, text, known.count + 1
        self._changed()

    def clear(self, code: str) -> None:
        if self._own.pop(code, None) is not None:
            self._log.info("condition.over", code=code)
            self._changed()

    def told(self, rows: Iterable[Row]) -> None:
        """Everything that another process has set; replaces what it said before."""
        now = self._clock()
        self._told = {
            code: Condition(severity, text, count, now - since) for code, severity, text, count, since in rows
        }
        self._changed()

    def rows(self) -> list[Row]:
        """The worst first, of those the oldest."""
        now = self._clock()
        every = [*self._own.items(), *self._told.items()]
        every.sort(key=lambda item: (_RANK.get(item[1].severity, 0), item[1].since, item[0]))
        return [[code, c.severity, c.text, c.count, max(0.0, now - c.since)] for code, c in every]
