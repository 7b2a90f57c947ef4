"""Routes that a box could not install, each until another attempt has come off or it is no route any more. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

MAX_FAILURES: Final = 4096
"""Failed prefixes remembered one by one; beyond it a whole snapshot is cheaper than more bookkeeping."""
RETRY_ROUTES: Final = 256
FIRST_BACKOFF: Final = 1.0
LAST_BACKOFF: Final = 60.0

FailureKey = tuple[int, bytes, int]
"""(table, address, length)"""


@dataclass(frozen=True, slots=True)
class Failure:
    errno: int
    text: str
    attempts: int
    due: float
    retried_in: int = 0
    """The transaction that tries it again; 0 while it waits for ``due``."""


class Failures:
    def __init__(self) -> None:
        self._by_key: dict[FailureKey, Failure] = {}
        self._news: list[tuple[FailureKey, bool]] = []

    @property
    def all(self) -> Mapping[FailureKey, Failure]:
        return self._by_key

    def clear(self) -> None:
        self._by_key.clear()
        self._news.clear()

    def note(self, key: FailureKey, errno: int, text: str, now: float) -> bool:
        """False where there is no room for one more: news it is all the same, until the stream begins anew."""
        known = self._by_key.get(key)
        if known is None:
            self._news.append((key, True))
            if len(self._by_key) >= MAX_FAILURES:
                return False
        attempts = known.attempts + 1 if known is not None else 1
        due = now + min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempts - 1, 16))
        self._by_key[key] = Failure(errno, text[:200], attempts, due)
        return True

    def due(self, now: float) -> tuple[FailureKey, ...]:
        """What is to be tried again, so much at once."""
        due = [key for key, failure in self._by_key.items() if not failure.retried_in and failure.due <= now]
        return tuple(due[:RETRY_ROUTES])

    def next_due(self) -> float | None:
        return min((failure.due for failure in self._by_key.values() if not failure.retried_in), default=None)

    def retried(self, keys: Sequence[FailureKey], sequence: int) -> None:
        for key in keys:
            self._by_key[key] = replace(self._by_key[key], retried_in=sequence)

    def installed(self, sequence: int) -> None:
        """Attempts up to this transaction have come off, or were noted anew."""
        for key in [k for k, f in self._by_key.items() if f.retried_in and f.retried_in <= sequence]:
            self.forget(key)

    def forget(self, key: FailureKey) -> None:
        del self._by_key[key]
        self._news.append((key, False))

    def news(self) -> list[tuple[FailureKey, bool]]:
        """Prefixes that failed (True), or are in the box now or no longer wanted (False), since this was asked."""
        news, self._news = self._news, []
        return news
