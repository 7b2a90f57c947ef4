"""What a box does without a controller: it forwards by what it was told last, for a grace that the controller set, kept
durably as the agent may be started anew meanwhile; then its routes go, and where wanted its ports too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fibd.wire import Welcome
from routingd.agent.state import Store
from routingd.conditions import ConditionBook

CODE: Final = "no-controller"


@dataclass(frozen=True, slots=True)
class Terms:
    """``grace`` in seconds, negative: forever; ``way``: our address towards the controller, b"": on this host."""

    grace: float = -1.0
    isolate: bool = False
    way: bytes = b""

    def text(self) -> str:
        return f"{self.grace:g} {'isolate' if self.isolate else 'remove'} {self.way.hex()}"

    @classmethod
    def parse(cls, text: str) -> Terms:
        """What cannot be read is what no controller ever said: forward for ever."""
        try:
            grace, then, *way = text.split()
            return cls(float(grace), then == "isolate", bytes.fromhex("".join(way)))
        except ValueError:
            return cls()


class Absence:
    def __init__(self, store: Store, conditions: ConditionBook, over: Callable[[Terms], None]) -> None:
        """``over``: the grace has passed without a controller."""
        self.terms = Terms.parse(store.absence())
        self._store = store
        self._conditions = conditions
        self._over = over
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def begin(self) -> None:
        self.stop()
        if self.terms.grace >= 0 and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self.terms.grace, self._expired)

    def end(self, welcome: Welcome, way: bytes) -> None:
        """A controller is there; what it says holds for the next time."""
        self.stop()
        self._conditions.clear(CODE)
        self.terms = Terms(welcome.grace, welcome.isolate, way)
        self._store.save_absence(self.terms.text())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """The agent ends: its connections end with it, and that is no absence."""
        self._closed = True
        self.stop()

    def _expired(self) -> None:
        self._timer = None
        done = "its routes were removed and its ports taken down" if self.terms.isolate else "its routes were removed"
        self._conditions.set(CODE, "alarm", f"without a controller for {self.terms.grace:g} s: {done}")
        self._over(self.terms)
