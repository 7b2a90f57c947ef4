"""Where agents knock: a unix socket on this host, a TCP port with mutual TLS 1.3 for others, as far as their Hello.

Nobody who has not said Hello costs more than a place among ``MAX_STRANGERS`` for ``HELLO_TIMEOUT`` seconds, and of too
many the oldest goes: a flood fills the places again and again, and still leaves each agent the moment it needs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from fibd.wire import MAX_FRAME, Decoder, Error, Hello, Message, WireError, encode
from routingd.closing import close_once

READ_SIZE: Final = 256 * 1024
HELLO_TIMEOUT: Final = 5.0
"""Seconds, for the handshake and again for the Hello."""
MAX_HELLO: Final = 256 * 1024
"""Bytes of a frame before the agent is known."""
MAX_STRANGERS: Final = 64
"""Connections that have not said hello yet, in all."""
BACKLOG: Final = 128
PACE: Final = 0.005
"""Seconds between two connections to the TLS port: handshakes cost the time that sessions need."""
OUT_OF_DESCRIPTORS: Final = 1.0
LOG_AGAIN: Final = 10.0
"""Seconds after which another connection that was turned away for the same reason is worth a line in the log."""

log = structlog.get_logger("routingd.agents")


@dataclass(frozen=True, slots=True)
class TlsListen:
    host: str
    port: int
    certificate: Path
    key: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who has said Hello; nothing of it is believed yet."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: Decoder
    hello: Hello
    early: list[Message]
    """What came with it."""
    origin: str | None
    """Where it dialled from; None on the unix socket."""
    allowed: frozenset[str] | None
    """NCPs that its certificate stands for; None: any (the unix socket)."""


class _TurnedAwayError(Exception):
    """(reason as counted, text)"""


class Doors:
    """``serve`` is called with each visitor, in a task of its own; the connection closes when it returns."""

    def __init__(self, certificates: Mapping[str, str], serve: Callable[[Visitor], Awaitable[None]]) -> None:
        """``certificates``: NCP name to the name its certificate must carry."""
        self._certificates = dict(certificates)
        self._serve = serve
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.Task[None], str | None] = {}
        """The oldest first; whence."""
        self._logged: dict[str, float] = {}
        self.turned_away: Counter[str] = Counter()
        """Connections that did not come as far as a Hello, by reason: "handshake", "silent", "garbage", "crowded",
        "user"; and those that sent what is no frame after it: "protocol"."""

    # --- listening ----------------------------------------------------------------------------------------------------

    def listen_unix(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # fchmod before bind: Linux gives the file the mode of the socket's inode, so it is never wider
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        self._listen(listener, None)

    def listen_tls(self, listen: TlsListen) -> int:
        """The port."""
        certificates = _Certificates(listen)
        certificates.context()
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        listener = socket.create_server((listen.host, listen.port), family=family)
        self._listen(listener, certificates)
        return int(listener.getsockname()[1])

    def _listen(self, listener: socket.socket, certificates: _Certificates | None) -> None:
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._listeners.append(listener)
        self._accepting.append(asyncio.get_running_loop().create_task(self._accept(listener, certificates)))

    def close(self) -> None:
        """Nobody connects any more; who is connected stays."""
        for task in self._accepting:
            task.cancel()

    async def stop(self) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._accepting, return_exceptions=True)
        for listener in self._listeners:
            listener.close()

    async def _accept(self, listener: socket.socket, certificates: _Certificates | None) -> None:
        try:
            await self._keep_accepting(listener, certificates)
        finally:
            listener.close()

    async def _keep_accepting(self, listener: socket.socket, certificates: _Certificates | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:
                self._note("accept", None, error.strerror or str(error))
                await asyncio.sleep(OUT_OF_DESCRIPTORS)
                continue
            if len(self._strangers) >= MAX_STRANGERS:
                oldest = next(iter(self._strangers))
                self._note("crowded", self._strangers.pop(oldest), f"{MAX_STRANGERS} later ones wait for their Hello")
                oldest.cancel()
            origin = None if certificates is None else _shown(address)
            task = loop.create_task(self._receive(sock, origin, certificates))
            self._tasks.add(task)
            self._strangers[task] = origin
            task.add_done_callback(self._gone)
            await asyncio.sleep(PACE if certificates is not None else 0)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._strangers.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("agent.failed", error=repr(error))

    # --- a stranger ---------------------------------------------------------------------------------------------------

    async def _receive(self, sock: socket.socket, origin: str | None, certificates: _Certificates | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=2 * READ_SIZE)
        protocol = asyncio.StreamReaderProtocol(reader)
        writer: asyncio.StreamWriter | None = None
        try:
            if certificates is None:
                _check_user(sock)
            try:
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol, sock, ssl=certificates.context() if certificates is not None else None,
                    ssl_handshake_timeout=HELLO_TIMEOUT if certificates is not None else None,
                )  # fmt: skip
            except (OSError, TimeoutError) as error:
                raise _TurnedAwayError("handshake", str(error) or type(error).__name__) from None
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            visitor = await self._greeted(reader, writer, origin)
            self._strangers.pop(task, None)
            await self._serve(visitor)
        except _TurnedAwayError as turned:
            self._note(turned.args[0], origin, turned.args[1])
        except asyncio.CancelledError:
            pass  # crowded out, or we are stopping
        finally:
            if writer is not None:
                close_once(writer)
            else:
                sock.close()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: str | None) -> Visitor:
        decoder = Decoder(MAX_HELLO)
        messages: list[Message] = []
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                while not messages:
                    data = await reader.read(READ_SIZE)
                    if not data:
                        raise _TurnedAwayError("silent", "closed before Hello")
                    messages = [message for message, _, _ in decoder.feed(data)]
            first = messages[0]
            if not isinstance(first, Hello):
                raise WireError(f"{type(first).__name__} came before Hello")
        except TimeoutError:
            raise _TurnedAwayError("silent", f"no Hello within {HELLO_TIMEOUT:g} s") from None
        except OSError as error:
            raise _TurnedAwayError("silent", str(error)) from None
        except WireError as error:
            writer.write(encode(Error("protocol", str(error))))
            raise _TurnedAwayError("garbage", str(error)) from None
        decoder.max_frame = MAX_FRAME
        allowed = None
        if origin is not None:
            names = certificate_names(writer.get_extra_info("peercert"))
            allowed = frozenset(ncp for ncp, name in self._certificates.items() if name in names)
        return Visitor(reader, writer, decoder, first, messages[1:], origin, allowed)

    def _note(self, reason: str, origin: str | None, text: str) -> None:
        self.turned_away[reason] += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged.get(reason, -LOG_AGAIN) >= LOG_AGAIN:
            self._logged[reason] = now
            log.warning("agent.turned-away", origin=origin or "unix", reason=text, so_far=self.turned_away[reason])


class _Certificates:
    """Ours and our authority's, read again when a file was replaced: a renewed certificate needs no restart."""

    def __init__(self, listen: TlsListen) -> None:
        self._listen = listen
        self._read: tuple[tuple[int, int], ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Raises OSError where there has never been a usable one."""
        listen = self._listen
        try:
            stats = [path.stat() for path in (listen.certificate, listen.key, listen.ca)]
            seen = tuple((stat.st_ino, stat.st_mtime_ns) for stat in stats)
            if self._context is None or seen != self._read:
                self._context = server_context(listen)
                self._read = seen
        except OSError as error:
            if self._context is None:
                raise
            log.warning(
                "tls.not-renewed", reason=str(error)
            )  # half of it may be there: the next connection looks again
        return self._context


def server_context(listen: TlsListen) -> ssl.SSLContext:
    for path in (listen.certificate, listen.key, listen.ca):
        path.open("rb").close()  # an error of ssl's does not say which file it is of
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(listen.certificate, listen.key)
    context.load_verify_locations(listen.ca)
    return context


def certificate_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """DNS names of a verified certificate; its common name only where it has none (RFC 6125 6.4.4)."""
    if not certificate:
        return frozenset()
    names = frozenset(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
    if names:
        return names
    return frozenset(value for rdn in certificate.get("subject", ()) for kind, value in rdn if kind == "commonName")


def _check_user(sock: socket.socket) -> None:
    """The socket's mode keeps others out; who gets past that is asked for again."""
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (0, os.getuid()):
        text = f"user {uid} may not be an agent; run ncpd as root or as the user of routingd"
        raise _TurnedAwayError("user", text)


def _shown(address: tuple[Any, ...]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
