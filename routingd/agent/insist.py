"""What must be done to the kernel however often it refuses: its answers may be lost, its tables change during every
dump."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger("ncpd")

PAUSE: Final = 1.0
"""Seconds between two attempts."""


async def insist(event: str, work: Callable[[], Awaitable[None]]) -> None:
    """``work`` from its start until it raises no OSError; ``event``: what the log calls a failure."""
    while True:
        try:
            return await work()
        except OSError as error:
            log.error(event, reason=str(error), retry=PAUSE)
            await asyncio.sleep(PAUSE)
