"""The HTTP endpoint that a Prometheus server scrapes. Knows no metric; owns its socket and connections.

Whoever reaches it is not trusted: a request is bounded in size and time, connections are counted, one answer is made at
a time, and every connection is closed after its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import structlog

MAX_REQUEST: Final = 8 * 1024
"""Bytes of the request line and headers."""
PATIENCE: Final = 5.0
"""Seconds for the request, and again for the answer to be read."""
MAX_CLIENTS: Final = 16
PATH: Final = "/metrics"

Render = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Accept header to content type and body."""

log = structlog.get_logger("metrics")


class RefusedError(Exception):
    """(reason as counted, status)"""


class MetricsServer:
    def __init__(self, render: Render) -> None:
        self._render = render
        self._rendering = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused: Counter[str] = Counter()
        """Connections without an answer to a scrape: "crowded", "silent", "garbage", "path", "unread"."""

    async def start(self, host: str, port: int) -> int:
        """The port. Raises OSError where the address cannot be had."""
        self._server = await asyncio.start_server(self._accepted, host, port, limit=MAX_REQUEST)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writer.transport.set_write_buffer_limits(high=0)  # `drain` returns when all has left
        try:
            await self._answer(reader, writer)
        except RefusedError as refused:
            reason, status = refused.args
            self.refused[reason] += 1
            if status is not None:
                await self._write(writer, status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or we end: nobody is left to tell
        except Exception:
            log.exception("metrics.failed")
        finally:
            self._tasks.discard(task)
            unread = writer.transport.get_write_buffer_size()
            writer.transport.abort() if unread else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) > MAX_CLIENTS:
            raise RefusedError("crowded", HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError):
            raise RefusedError("silent", None) from None
        except asyncio.LimitOverrunError:
            raise RefusedError("garbage", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
        method, accept = parse(head)
        async with self._rendering:
            kind, body = await self._render(accept)
        await self._write(writer, HTTPStatus.OK, kind, b"" if method == "HEAD" else body, len(body))

    async def _write(
        self, writer: asyncio.StreamWriter, status: HTTPStatus, kind: str, body: bytes, length: int | None = None
    ) -> None:
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            writer.write(head.encode() + body)
            try:
                async with asyncio.timeout(PATIENCE):
                    await writer.drain()
            except TimeoutError:
                self.refused["unread"] += 1


def parse(head: bytes) -> tuple[str, str]:
    """Method and Accept header of a scrape. Raises RefusedError for everything else (RFC 9112 3)."""
    try:
        request, *lines = head.decode("ascii").split("\r\n")
        method, target, version = request.split(" ")
        headers = dict(line.split(":", 1) for line in lines if line)
    except ValueError:
        raise RefusedError("garbage", HTTPStatus.BAD_REQUEST) from None
    if not version.startswith("HTTP/1."):
        raise RefusedError("garbage", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    if target.partition("?")[0] != PATH:
        raise RefusedError("path", HTTPStatus.NOT_FOUND)
    if method not in ("GET", "HEAD"):
        raise RefusedError("path", HTTPStatus.METHOD_NOT_ALLOWED)
    return method, next((value.strip() for name, value in headers.items() if name.lower() == "accept"), "")
