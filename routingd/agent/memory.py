"""What the model's next life must know beside the kernel, written down a moment after it changes.

The file may be older than the kernel: what it does not know is told again by the stream, and an id in it never stands
for anything else (``native/core/src/agent/memory.rs``).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from routingd.agent.state import Store

log = structlog.get_logger("ncpd")

PAUSE: Final = 0.2
"""Seconds in which changes are written together."""


class Remembering(Protocol):
    """``native.AgentFib`` as far as it is written down."""

    @property
    def unsaved(self) -> bool: ...
    def memory(self) -> bytes: ...


class Memory:
    def __init__(self, store: Store, model: Callable[[], Remembering]) -> None:
        self._store = store
        self._model = model
        self._writing: asyncio.Task[None] | None = None
        self._file = threading.Lock()

    def look(self) -> None:
        """The model may have changed."""
        if (self._writing is None or self._writing.done()) and self._model().unsaved:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(PAUSE)
        while self._model().unsaved:
            await asyncio.to_thread(self.save)
            await asyncio.sleep(PAUSE)

    def save(self) -> bytes:
        """On any thread. What was written."""
        with self._file:
            memory = self._model().memory()
            try:
                self._store.save_memory(memory)
            except OSError as error:  # then the stream tells again what it would have known
                log.error("memory.not-saved", error=str(error))
        return memory

    async def stop(self) -> None:
        """The last state, as the agent ends."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await asyncio.to_thread(self.save)
