"""Routes that a box could not install, each until another attempt has come off or it is no route any more. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Final

from sortedcontainers import SortedList

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
        self._waiting: SortedList[tuple[float, FailureKey]] = SortedList()
        """When each is due that is not being tried."""
        self._tried: deque[tuple[int, FailureKey]] = deque()
        """Attempts in the order of their transactions, of which later ones may have taken the place."""
        self._news: list[tuple[FailureKey, bool]] = []

    @property
    def all(self) -> dict[FailureKey, Failure]:
        return self._by_key

    def clear(self) -> None:
        self._by_key.clear()
        self._waiting.clear()
        self._tried.clear()
        self._news.clear()

    def note(self, key: FailureKey, errno: int, text: str, now: float) -> bool:
        """False where there is no room for one more: news it is all the same, until the stream begins anew."""
        known = self._by_key.get(key)
        if known is None:
            self._news.append((key, True))
            if len(self._by_key) >= MAX_FAILURES:
                return False
        else:
            self._stop_waiting(key, known)
        attempts = known.attempts + 1 if known is not None else 1
        due = now + min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempts - 1, 16))
        self._by_key[key] = Failure(errno, text[:200], attempts, due)
        self._waiting.add((due, key))
        return True

    def due(self, now: float) -> tuple[FailureKey, ...]:
        """What is to be tried again, so much at once."""
        first = islice(self._waiting, RETRY_ROUTES)
        return tuple(key for _, key in takewhile(lambda waiting: waiting[0] <= now, first))

    def next_due(self) -> float | None:
        return self._waiting[0][0] if self._waiting else None

    def retried(self, keys: Sequence[FailureKey], sequence: int) -> None:
        """This transaction, the latest so far, tries them again, or ends them."""
        for key in keys:
            known = self._by_key[key]
            self._stop_waiting(key, known)
            self._by_key[key] = replace(known, retried_in=sequence)
            self._tried.append((sequence, key))

    def _stop_waiting(self, key: FailureKey, known: Failure) -> None:
        if not known.retried_in:
            self._waiting.remove((known.due, key))

    def installed(self, sequence: int) -> None:
        """Attempts up to this transaction have come off, or were noted anew."""
        while self._tried and self._tried[0][0] <= sequence:
            tried_in, key = self._tried.popleft()
            known = self._by_key.get(key)
            if known is not None and known.retried_in == tried_in:
                self.forget(key)

    def forget(self, key: FailureKey) -> None:
        self._stop_waiting(key, self._by_key.pop(key))
        self._news.append((key, False))

    def news(self) -> list[tuple[FailureKey, bool]]:
        """Prefixes that failed (True), or are in the box now or no longer wanted (False), since this was asked."""
        news, self._news = self._news, []
        return news
