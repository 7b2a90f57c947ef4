"""The daemon's end of the control socket. Owns the socket file and its connections; knows no command.

Who may ask is decided by the file's mode and group. Beyond that a client is not trusted: requests are bounded,
connections are counted, a client that sends nothing or reads nothing is closed, and whatever a handler raises ends
that answer only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from routingd.control.protocol import (
    MAX_REQUEST,
    CommandFailed,
    ProtocolError,
    decode_request,
    failure,
    success,
)

Arguments = Mapping[str, Any]
Handler = Callable[[Arguments], Awaitable[object] | AsyncIterator[object]]
"""An `async def` that returns the result, or an async generator of pages. Raises CommandFailed for an answer that is
an error."""

SOCKET_MODE: Final = 0o660


class ClientGone(Exception):
    """The client closed, or reads nothing. Ends its connection, whatever was being answered."""


log = structlog.get_logger("control")


class ControlServer:
    """Answers requests on a unix socket with the handlers added to it."""

    def __init__(
        self, path: Path, *, group: str | None = None, max_clients: int = 32, idle: float = 600.0, stalled: float = 30.0
    ) -> None:
        self.path = path
        self._group = group
        self._max_clients = max_clients
        self._idle = idle
        self._stalled = stalled
        self._handlers: dict[tuple[str, ...], Handler] = {}
        self._live: set[tuple[str, ...]] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._places: set[asyncio.Task[None]] = set()
        """Of at most so many clients."""
        self._busy: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], None] = {}
        """Of clients that ask nothing at the moment, the longest silent first."""
        self._identity: tuple[int, int] | None = None
        self.refused: Counter[str] = Counter()
        """Connections that ended without what was asked for: "crowded", "garbage"."""

    def add(self, words: tuple[str, ...], handler: Handler, *, live: bool = False) -> None:
        """Answer this command. Each has one handler. ``live``: its pages come as things happen and do not end; each is
        sent at once, and the client ends them by closing."""
        if words in self._handlers:
            raise ValueError(f"{' '.join(words)} has a handler")
        self._handlers[words] = handler
        if live:
            self._live.add(words)

    async def start(self) -> None:
        """Listen. Raises OSError: EADDRINUSE where another daemon answers there, and what the file system says."""
        if await _answers(self.path):
            raise OSError(
                errno.EADDRINUSE, f"another routingd answers on {self.path}: stop it, or use another --run-dir"
            )
        listener = _bind(self.path, self._group)
        status = self.path.stat()
        self._identity = (status.st_dev, status.st_ino)
        self._server = await asyncio.start_unix_server(self._accepted, sock=listener, limit=MAX_REQUEST)

    async def close(self, grace: float = 2.0) -> None:
        """Stop listening, let answers under way finish for a moment, close everything, remove the socket file if it is
        still ours."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks - self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None
        with contextlib.suppress(OSError):
            status = self.path.stat()
            if (status.st_dev, status.st_ino) == self._identity:
                self.path.unlink()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._has_place(task):
                await self._converse(reader, writer, task)
            else:
                await self._write(
                    writer, failure(0, CommandFailed("busy", f"{self._max_clients} clients are connected already"))
                )
        except (ClientGone, OSError, TimeoutError, asyncio.CancelledError):
            pass  # the client went away, stalled, or the daemon closes: nobody is left to tell
        finally:
            for those in (self._tasks, self._places, self._busy):
                those.discard(task)
            self._silent.pop(task, None)
            writer.transport.abort()

    def _has_place(self, task: asyncio.Task[None]) -> bool:
        """Who asks nothing makes room: a crowd of such must not keep out who has a question."""
        if len(self._places) >= self._max_clients:
            self.refused["crowded"] += 1
            if not self._silent:
                return False
            longest = next(iter(self._silent))
            del self._silent[longest]
            self._places.discard(longest)
            longest.cancel()
        self._places.add(task)
        self._silent[task] = None
        return True

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        while self._server is not None and self._server.is_serving():
            try:
                self._silent[task] = None
                async with asyncio.timeout(self._idle):
                    line = await reader.readuntil(b"\n")
                request = decode_request(line)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    self.refused["garbage"] += 1
                return
            except asyncio.LimitOverrunError:
                self.refused["garbage"] += 1
                await self._write(
                    writer, failure(0, CommandFailed("protocol", f"a request is at most {MAX_REQUEST} bytes"))
                )
                await self._finish(writer)
                return
            except ProtocolError as error:
                self.refused["garbage"] += 1
                await self._write(writer, failure(0, CommandFailed("protocol", str(error))))
                await self._finish(writer)
                return
            finally:
                self._silent.pop(task, None)
            words = tuple(request["command"])
            if words in self._live:
                await self._watched(reader, self._answer(writer, request["id"], words, request["args"]))
                return
            self._busy.add(task)
            await self._answer(writer, request["id"], words, request["args"])
            self._busy.discard(task)
        await self._finish(writer)

    async def _answer(self, writer: asyncio.StreamWriter, number: int, words: tuple[str, ...], args: Arguments) -> None:
        try:
            handler = self._handlers.get(words)
            if handler is None:
                raise CommandFailed(
                    "unknown-command",
                    f"this routingd has no command '{' '.join(words)[:80]}'",
                    "is routingctl of another version?",
                )
            answer = handler(args)
            if words in self._live:
                assert isinstance(answer, AsyncGenerator)
                await self._live_pages(writer, number, answer)
            elif isinstance(answer, AsyncIterator):
                await self._pages(writer, number, answer)
            else:
                await self._write(writer, success(number, await answer))
        except CommandFailed as failed:
            await self._write(writer, failure(number, failed))
        except ClientGone:
            raise
        except Exception as error:
            log.exception("control.command_failed", command=" ".join(words)[:80])
            text = f"routingd failed at this command: {type(error).__name__}: {error}"
            await self._write(writer, failure(number, CommandFailed("internal", text, "see its log")))

    async def _watched(self, reader: asyncio.StreamReader, answer: Coroutine[None, None, None]) -> None:
        """Until the answer ends, or the client closes (or says anything more: it has no other way to stop it)."""
        answering = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in (answering, leaving):
                part.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _live_pages(self, writer: asyncio.StreamWriter, number: int, pages: AsyncGenerator[object, None]) -> None:
        async with contextlib.aclosing(pages):
            async for page in pages:
                await self._write(writer, success(number, page, more=True))
                await asyncio.sleep(0)

    async def _pages(self, writer: asyncio.StreamWriter, number: int, pages: AsyncIterator[object]) -> None:
        """One page is held back, so that `more` is true on every page but the last."""
        held: object = None
        first = True
        try:
            async for page in pages:
                if not first:
                    await self._write(writer, success(number, held, more=True))
                    await asyncio.sleep(0)  # other tasks run between pages even if the client reads as fast as we write
                held, first = page, False
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()
        await self._write(writer, success(number, held))

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        try:
            async with asyncio.timeout(self._stalled):
                await writer.drain()
        except (OSError, TimeoutError):
            raise ClientGone from None

    async def _finish(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        async with asyncio.timeout(self._stalled):
            await writer.wait_closed()


async def _answers(path: Path) -> bool:
    """Whether somebody listens there; a file left by a daemon that was killed refuses."""
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_unix_connection(path)
    except TimeoutError:
        return True
    except OSError:
        return False
    writer.close()
    return True


def _bind(path: Path, group: str | None) -> socket.socket:
    """Bound under another name, given its mode and group, then renamed: at no time is there a socket with a wider
    mode, and one left by a killed daemon is replaced in one step."""
    fresh = path.with_name(f".{path.name[:32]}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # fchmod before bind: Linux gives the file the mode of the socket's inode, less the umask
        os.fchmod(listener.fileno(), SOCKET_MODE)
        listener.bind(str(fresh))
        fresh.chmod(SOCKET_MODE)
        if group is not None:
            try:
                shutil.chown(fresh, group=group)
            except LookupError:
                raise OSError(
                    errno.ENOENT, f"there is no group '{group}' on this system (management.control.group)"
                ) from None
        fresh.replace(path)
    except OSError:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener
