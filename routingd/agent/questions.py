"""Answers to what the controller asks on behalf of a person: one route, a page of routes, counts, kernel facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from fibd.wire import Answer, Query

if TYPE_CHECKING:
    from routingd.agent.process import AgentProcess

_MOST_ROWS: Final = 1024
_WIDTH: Final = {1: 4, 2: 16}


class Questions:
    def __init__(self, process: AgentProcess) -> None:
        self._process = process
        self._audits: set[asyncio.Task[None]] = set()

    def ask(self, query: Query, answer: Callable[[Answer], None]) -> None:
        """``answer`` is called at once, or once an audit has ended."""
        if query.what == "audit":
            task = asyncio.get_running_loop().create_task(self._audit(query, answer))
            self._audits.add(task)
            task.add_done_callback(self._audits.discard)
        else:
            answer(self.answer(query))

    async def _audit(self, query: Query, answer: Callable[[Answer], None]) -> None:
        try:
            answer(Answer(query.id, await self._process.truth.audit()))
        except OSError as error:
            answer(Answer(query.id, error=f"audit: {error}"))

    def answer(self, query: Query) -> Answer:
        try:
            match query.what, query.args:
                case "route", [int(table), bytes(address), int(length)]:
                    return Answer(query.id, self._route(table, address, length))
                case "routes", [int(table), int(cursor), int(limit)]:
                    rows, following = self._process.model.page(table, cursor, max(1, min(limit, _MOST_ROWS)))
                    return Answer(query.id, {"rows": rows, "next": following})
                case "facts", _:
                    return Answer(query.id, self._process.facts.rows())
                case "counts", _:
                    return Answer(query.id, self._counts())
        except (ValueError, OverflowError, TypeError) as error:
            return Answer(query.id, error=f"{query.what}: {error}")
        return Answer(query.id, error=f"this agent does not know the question {query.what!r} with these arguments")

    def _truth(self) -> dict[str, Any]:
        process = self._process
        truth, counters = process.truth, process.truth.counters
        return {
            "audits": counters.audits,
            "last_audit": {"age": truth.age, **truth.last} if truth.last is not None else None,
            "drift": dict(counters.drift),
            "repairs": counters.repairs,
            "foreign_changes": counters.foreign_changes,
            "lost_answers": counters.lost_answers,
            "event_overruns": process.box.observer.overruns + truth.events.overruns,
        }

    def _route(self, table: int, address: bytes, length: int) -> dict[str, Any] | None:
        width = _WIDTH.get(table & 0xFF)
        if width != len(address) or not 0 <= length <= 8 * len(address):
            raise ValueError(f"{len(address)} address bytes of length {length} are no prefix of table {table}")
        return self._process.model.route(table, (address, length))

    def _counts(self) -> dict[str, Any]:
        process = self._process
        return {
            **process.model.counts(),
            "digest": process.model.digest()[1],
            "pending": process.model.pending,
            "installed": process.model.installed,
            "applied": process.agent.applied,
            "failed": process.agent.failed,
            "snapshots": process.agent.snapshots,
            "swept": process.agent.swept,
            "complete": process.agent.complete,
            "batches": process.batches,
            "netlink_messages": process.messages,
            "streams": len(process.relay.table.streams),
            "keepalives": sum(stream.keepalives for stream in process.relay.table.streams.values()),
            "refused": process.relay.table.refused,
            "too_often": process.relay.table.too_often,
            **self._truth(),
            "problems": list(process.box.problems),
            "connections": process.connected_roles(),
        }
