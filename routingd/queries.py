"""Questions to agents on behalf of a person, and their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fibd.wire import Answer, Query
from routingd.agents import AgentConnection

PATIENCE: Final = 3.0
MAX_OPEN: Final = 64
"""Per agent: beyond it the person waits, not the agent."""


class AgentSilentError(Exception):
    """No answer: the agent is away, too slow, or says that it cannot tell."""


class Queries:
    def __init__(self, connection: Callable[[str], AgentConnection | None]) -> None:
        self._connection = connection
        self._open: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._next = 1

    async def ask(self, ncp: str, what: str, *args: Any, patience: float | None = None) -> Any:
        """Raises AgentSilentError with a text for a person. ``patience``: seconds, where it may take long."""
        patience = PATIENCE if patience is None else patience
        slots = self._slots.setdefault(ncp, asyncio.Semaphore(MAX_OPEN))
        async with slots:
            connection = self._connection(ncp)
            if connection is None:
                raise AgentSilentError(f"the agent of {ncp} is not connected")
            number, self._next = self._next, self._next % 0x7FFFFFFF + 1
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._open[(ncp, number)] = answer
            connection.send(Query(number, what, list(args)))
            try:
                async with asyncio.timeout(patience):
                    return await answer
            except TimeoutError:
                raise AgentSilentError(f"the agent of {ncp} did not answer within {patience:.0f} s") from None
            finally:
                del self._open[(ncp, number)]

    def answered(self, ncp: str, answer: Answer) -> None:
        """An answer nobody waits for any more is dropped."""
        waiting = self._open.get((ncp, answer.id))
        if waiting is None or waiting.done():
            return
        if answer.error:
            waiting.set_exception(AgentSilentError(f"{ncp}: {answer.error}"))
        else:
            waiting.set_result(answer.result)

    def agent_down(self, ncp: str) -> None:
        for (name, _), waiting in self._open.items():
            if name == ncp and not waiting.done():
                waiting.set_exception(AgentSilentError(f"the agent of {ncp} has gone"))
