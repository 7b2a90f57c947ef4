"""``show ncp NAME detail``: the stream to a box, what became of it there, and what the box says of itself."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from typing import Final

from fibd.latency import Latencies
from fibd.wire import Role
from routingd.boxes import Box
from routingd.control.shapes import ErrnoCount, KernelFact, NcpBeat, NcpDetail, NcpDetails, NcpLatency, NcpSession
from routingd.controller import Controller
from routingd.fib_sums import audited, held, wanted
from routingd.queries import AgentSilentError
from routingd.views import Views, boxes

MOST: Final = 0.99


class NcpViews:
    def __init__(self, controller: Controller, views: Views) -> None:
        self._controller = controller
        self._views = views

    async def details(self, name: str | None) -> NcpDetails:
        return {"ncps": await asyncio.gather(*(self._detail(box) for box in boxes(self._controller.plan, name)))}

    async def _detail(self, box: Box) -> NcpDetail:
        row = await self._views.ncp(box)
        fib = await self._controller.engine.call(wanted)
        feed = self._controller.feeds[box.name]
        told = feed.describe()
        return {
            **row,
            "sequence_applied": told["applied"],
            "fact_sequence": told["fact_sequence"],
            "resumed": told["resumed"],
            "resumes": {str(how): count for how, count in feed.feed.resumes.items()},
            "resent_routes": told["resent_routes"],
            "resent_shards": told["resent_shards"],
            "disagreements": told["disagreements"],
            "latency": latency(feed.feed.latencies),
            "controller_fib": fib,
            "model_fib": held(row["agent"]),
            "audit": audited(row["agent"]),
            "errors": errors(feed.feed.failed_by_errno),
            "beat": self._beat(box.name),
            "sessions": self._sessions(box.name),
            "kernel_facts": await self._kernel_facts(box.name),
        }

    async def _kernel_facts(self, name: str) -> list[KernelFact]:
        try:
            rows = await self._controller.queries.ask(name, "facts")
        except AgentSilentError:
            return []
        return [
            {"code": code, "holds": holds, "measured": measured, "means": means}
            for code, holds, measured, means in rows
        ]

    def _beat(self, name: str) -> NcpBeat | None:
        control = self._controller.agents.connection(name, Role.CONTROL)
        beat = control.heartbeat if control is not None else None
        if beat is None:
            return None
        return {"queue_depth": beat.queue_depth, "lag": beat.lag, "last_audit": beat.last_audit}

    def _sessions(self, name: str) -> list[NcpSession]:
        rows: list[NcpSession] = []
        for peer in self._controller.peers.all:
            if peer.stream is not None and peer.stream.ncp == name:
                described = peer.session.describe(self._controller.clock())
                rows.append(
                    {
                        "address": peer.name,
                        "state": str(peer.session.state),
                        "local": described["local_address"] or "",
                        "remote": described["remote_address"] or "",
                    }
                )
        return rows


def latency(seen: Latencies) -> NcpLatency:
    longest = seen.longest if seen.count else None
    return {"count": seen.count, "median": seen.within(0.5), "most": seen.within(MOST), "longest": longest}


def errors(counted: Mapping[int, int]) -> list[ErrnoCount]:
    """The most frequent first."""
    return [
        {"errno": number, "name": errno.errorcode.get(number, ""), "text": os.strerror(number), "count": count}
        for number, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
