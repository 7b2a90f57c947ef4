"""One of the agent's three connections: dialling, TLS, frames in and out in order.

Owns the byte stream only. What cannot be read ends this connection, never the process.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fibd.wire import Decoder, Error, Message, Role, StreamData, Welcome, WireError, encode
from routingd.closing import close_once
from routingd.straight import take_all

_READ: Final = 256 * 1024
_HIGH_WATER: Final = 512 * 1024
_MOST_WAITING: Final = 1 << 16
_DIAL_PATIENCE: Final = 5.0
_CLOSE_PATIENCE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Controller:
    """Where routingd listens, and how it is proven to be ours."""

    path: str = ""
    host: str = ""
    port: int = 0
    name: str = ""
    """What its certificate must stand for."""
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    @classmethod
    def parse(cls, text: str, *, certificate: Path | None, key: Path | None, ca: Path | None, name: str) -> Controller:
        """ "unix:PATH" or "HOST:PORT"; raises ValueError with what to do."""
        if text.startswith("unix:"):
            if len(text) == len("unix:"):
                raise ValueError("--controller unix: needs a path, for example unix:/run/routingd/agent.sock")
            return cls(path=text.removeprefix("unix:"))
        host, separator, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"--controller {text}: write unix:PATH or HOST:PORT")
        if certificate is None or key is None or ca is None:
            raise ValueError(
                "a controller on another host is only spoken to over mutual TLS: give --certificate, --key and --ca"
            )
        for option, path in (("--certificate", certificate), ("--key", key), ("--ca", ca)):
            if not path.is_file():
                raise ValueError(f"{option} {path}: no such file")
        return cls(host=host, port=int(port), name=name or host, certificate=certificate, key=key, ca=ca)

    def context(self) -> ssl.SSLContext | None:
        if not self.host:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        for path in filter(None, (self.certificate, self.key, self.ca)):
            path.open("rb").close()  # an error of ssl's does not say which file it is of
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.ca)
        return context

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Read anew each time, so that a renewed certificate needs no restart.
        context = self.context()
        async with asyncio.timeout(_DIAL_PATIENCE):
            if context is None:
                return await asyncio.open_unix_connection(self.path, limit=_READ)
            return await asyncio.open_connection(
                self.host, self.port, limit=_READ, ssl=context, server_hostname=self.name
            )


class Connection:
    """``send`` never blocks: credits and heartbeats bound what can wait, and beyond that the connection is given up."""

    def __init__(self, role: Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.role = role
        self.welcome: Welcome | None = None
        """Of the controller that it belongs to, once that is chosen."""
        self.last_heard = asyncio.get_running_loop().time()
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._waiting: deque[tuple[Message, float]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self.ending = False
        """What comes is not taken any more."""

    @property
    def local(self) -> bytes:
        """Our address on it; b"" on a unix socket."""
        name = self._writer.get_extra_info("sockname")
        return ipaddress.ip_address(name[0].partition("%")[0]).packed if isinstance(name, tuple) else b""

    @property
    def at_end(self) -> bool:
        return self._reader.at_eof()

    def send(self, message: Message) -> None:
        if self.ending:
            return
        if not self._waiting and self._writer.transport.get_write_buffer_size() < _HIGH_WATER:
            self._writer.write(encode(message))
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.abort()
            return
        self._waiting.append((message, self._loop.time()))
        if self._pump is None or self._pump.done():
            self._pump = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._writer.drain()
                if not self._waiting:
                    return  # another task has sent the rest meanwhile, or it was given up
                message, since = self._waiting.popleft()
                if isinstance(message, StreamData):
                    # So that waiting here never looks like a silent peer to the controller's hold timer.
                    message = replace(message, arrived=message.arrived + self._loop.time() - since)
                self._writer.write(encode(message))
        except OSError:
            self.abort()

    async def receive(self) -> list[Message]:
        """What came with one read; empty at the end. Raises WireError, OSError."""
        data = await self._reader.read(_READ)
        self.last_heard = self._loop.time()
        return [message for message, _, _ in self._decoder.feed(data)] if data else []

    async def run(self, handle: Callable[[Message], None]) -> str:
        """Until it ends; why."""

        def take(data: bytes) -> bool:
            self.last_heard = self._loop.time()
            for message, _, _ in self._decoder.feed(data):
                if self.ending:
                    break
                handle(message)
            return not self.ending

        async def enough() -> bool:
            return False

        try:
            await take_all(self._reader, self._writer, take, enough)
            return "closed by this agent" if self.ending else "closed by the controller"
        except WireError as error:
            self.send(Error("protocol", str(error)))
            return f"protocol error: {error}"
        except OSError as error:
            return str(error)

    async def close(self) -> None:
        """What was sent still goes out, as far as the other side reads."""
        self.ending = True
        try:
            async with asyncio.timeout(_CLOSE_PATIENCE):
                await self._drain()
                close_once(self._writer)
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            pass
        finally:
            self.abort()

    def end(self, patience: float = _CLOSE_PATIENCE) -> None:
        """Stop after the message in hand; ``run`` returns and its caller closes. What was sent still goes out, as far
        as the other side reads within ``patience`` seconds."""
        if not self.ending:
            self.ending = True
            close_once(self._writer)
            self._loop.call_later(patience, self.abort)

    def abort(self) -> None:
        self.ending = True
        self._waiting.clear()
        if self._pump is not None and self._pump is not asyncio.current_task():
            self._pump.cancel()
        self._writer.transport.abort()
