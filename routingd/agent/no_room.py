"""A kernel that has no room for routes: an alarm for as long as some are missing for that reason."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Final, Protocol

from kernel.routes import Failure
from routingd.conditions import ConditionBook

CODE: Final = "kernel-no-room"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.ENOMEM, errno.ENOBUFS})
"""What Linux answers where a table is full, or memory for it."""


class Model(Protocol):
    """``native.AgentFib`` as far as this asks it."""

    def failed_by_errno(self) -> dict[int, int]: ...


class NoRoom:
    def __init__(self, conditions: ConditionBook) -> None:
        self._conditions = conditions
        self._known = False

    def written(self, model: Model, failures: Iterable[Failure], drained: bool) -> None:
        """What the writer did; ``drained``: nothing that could find room now is left to write."""
        self._known = self._known or any(code in _NO_ROOM for _, _, _, code, _ in failures)
        if not self._known or not drained:
            return
        missing = {code: count for code, count in model.failed_by_errno().items() if code in _NO_ROOM}
        if not missing:
            self._known = False
            self._conditions.clear(CODE)
            return
        reasons = ", ".join(os.strerror(code) for code in sorted(missing))
        self._conditions.set(CODE, "alarm", f"the kernel has no room for {sum(missing.values())} routes ({reasons})")
