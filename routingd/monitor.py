"""``monitor route``: what changes in the RIB, told to one client as it happens.

The engine keeps each client's position, not a queue for it: while the client does not read, a prefix that changes again
is told once, in its last state, when it reads on.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator
from typing import Any

from native import Engine
from routingd.asked import PrefixBytes
from routingd.control.protocol import PAGE_ROWS
from routingd.control.shapes import Changes
from routingd.controller import Controller
from routingd.sources import known_sources, route_row

Rows = list[dict[str, Any]]


async def monitor(
    controller: Controller,
    families: tuple[int, ...],
    protocols: tuple[str, ...],
    within: PrefixBytes | None,
    initial: bool,
) -> AsyncGenerator[Changes, None]:
    """Changes without end; closing the generator ends it."""
    numbers: list[int] = []

    def begin(engine: Engine) -> None:
        numbers.extend(engine.watch_open(afi, protocols=protocols, within=within, initial=initial) for afi in families)

    def read(engine: Engine) -> Rows | None:
        # Some of each family, so that churn in one does not silence the other.
        share = PAGE_ROWS // len(families)
        return [row for number in numbers for row in engine.watch_read(number, share) or ()] or None

    def end(engine: Engine) -> None:
        for number in numbers:
            engine.watch_close(number)

    await controller.engine.room()
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[Rows] = loop.create_future()
    # A client that goes cancels the wait a turn before its reader is closed.
    reader = controller.engine.consumer(lambda rows: None if arrived.done() else arrived.set_result(rows))
    controller.engine.post(begin)
    try:
        while True:
            reader.request(read)
            rows = await arrived
            arrived = loop.create_future()
            sources, now = known_sources(controller), controller.clock()
            yield {
                "time": datetime.datetime.now().astimezone().isoformat(timespec="milliseconds"),
                "changes": [dict(route_row(row, sources, now)) if row["op"] == "put" else row for row in rows],
            }
    finally:
        reader.close()
        # In order after begin, which may not have run yet.
        controller.engine.post(end)
