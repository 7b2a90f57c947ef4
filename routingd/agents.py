"""The server that agents dial: a unix socket on this host, mutual TLS 1.3 between hosts; three connections per agent.

Owns connections, their greeting and heartbeats; what messages mean is the handler's. Garbage, silence or a broken frame
ends the connection that carried it and no other, except that an agent whose control connection ends has lost all three.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import ssl
import struct
import termios
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from fibd.membership import Membership
from fibd.wire import Bye, Decoder, Error, Heartbeat, Hello, Message, Role, WireError, encode

READ_SIZE: Final = 256 * 1024
HELLO_TIMEOUT: Final = 5.0
STOP_PATIENCE: Final = 1.0
"""How long an agent may take to close a connection after Bye."""
MAX_STRANGERS: Final = 64
"""Connections that have not said hello yet, in all."""

log = structlog.get_logger("routingd.agents")


@dataclass(frozen=True, slots=True)
class TlsListen:
    host: str
    port: int
    certificate: Path
    key: Path
    ca: Path


class AgentHandler(Protocol):
    def agent_up(self, connection: AgentConnection, hello: Hello, now: float) -> None: ...
    def agent_message(self, connection: AgentConnection, message: Message, now: float) -> None: ...
    def agent_down(self, connection: AgentConnection, reason: str, now: float) -> None: ...
    async def agent_room(self) -> None:
        """Returns once there is room for what another read may bring."""


class AgentConnection:
    """One of the three connections of one agent, after its greeting."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello, origin: str | None, now: float
    ) -> None:
        self.ncp = hello.ncp
        self.role = Role(hello.role)
        self.boot_id = hello.boot_id
        self.hostname = hello.hostname
        self.origin = origin
        """Where it dialled from; None on the unix socket."""
        self.since = self.heard_at = now
        self.reason = ""
        self.heartbeat: Heartbeat | None = None
        self.ended = asyncio.Event()
        self._writer = writer
        self._reader = reader

    @property
    def unread(self) -> bool:
        """The agent has sent more than was read here."""
        sock = self._writer.get_extra_info("socket")
        if self._writer.is_closing() or sock is None or sock.fileno() < 0:
            return False
        waiting = array("i", [0])
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, waiting)
        return waiting[0] > 0 or bool(self._reader._buffer)  # type: ignore[attr-defined]

    def send(self, *messages: Message) -> None:
        """Never waits: credits bound what callers send."""
        self.send_frames([encode(message) for message in messages])

    def send_frames(self, frames: Iterable[bytes]) -> None:
        if not self._writer.is_closing():
            self._writer.writelines(frames)

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._writer.close()

    def abort(self, reason: str) -> None:
        """Close without waiting for what the other side does not read."""
        self.reason = self.reason or reason
        self._writer.transport.abort()


class AgentServer:
    def __init__(
        self, membership: Membership, certificates: Mapping[str, str], handler: AgentHandler,
        heartbeat: float = 1.0, misses: int = 3,
    ) -> None:  # fmt: skip
        self._membership = membership
        self._certificates = dict(certificates)
        """NCP name: the name its certificate must carry."""
        self._handler = handler
        self._heartbeat = heartbeat
        self._misses = misses
        self._connections: dict[tuple[str, Role], AgentConnection] = {}
        self._servers: list[asyncio.Server] = []
        self.tls_port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers = 0
        self._sequence = 0
        self._beats: asyncio.Task[None] | None = None

    def connection(self, ncp: str, role: Role) -> AgentConnection | None:
        return self._connections.get((ncp, role))

    def of(self, ncp: str) -> list[AgentConnection]:
        return [c for (name, _), c in self._connections.items() if name == ncp]

    # --- listening ----------------------------------------------------------------------------------------------------

    async def listen_unix(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - one unlink at start
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._accept_unix, path, limit=2 * READ_SIZE)
        finally:
            os.umask(mask)
        self._serve(server)

    async def listen_tls(self, listen: TlsListen) -> None:
        server = await asyncio.start_server(
            self._accept_tls, listen.host or None, listen.port, ssl=server_context(listen), limit=2 * READ_SIZE
        )
        self.tls_port = server.sockets[0].getsockname()[1]
        self._serve(server)

    def _serve(self, server: asyncio.Server) -> None:
        self._servers.append(server)
        if self._beats is None:
            self._beats = asyncio.get_running_loop().create_task(self._beat())

    def close(self) -> None:
        """Nobody connects any more; who is connected stays."""
        for server in self._servers:
            server.close()

    async def leave(self, role: Role, bye: Bye) -> None:
        """Tell the agents on these connections that we leave on purpose, and wait until they have hung up."""
        ending = [c for c in self._connections.values() if c.role is role]
        for connection in ending:
            connection.send(bye)
        try:
            async with asyncio.timeout(STOP_PATIENCE):
                for connection in ending:
                    await connection.ended.wait()
        except TimeoutError:
            for connection in ending:
                connection.abort("it did not leave when told to")

    async def stop(self) -> None:
        self.close()
        if self._beats is not None:
            self._beats.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept_unix(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in (0, os.getuid()):
            reason = f"user {uid} may not be an agent; run ncpd as root or as the user of routingd"
            log.warning("agent.refused", reason=reason)
            writer.close()
            return
        await self._serve_connection(reader, writer, None, None)

    async def _accept_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = certificate_names(writer.get_extra_info("peercert"))
        allowed = {ncp for ncp, name in self._certificates.items() if name in names}
        host, port = writer.get_extra_info("peername")[:2]
        await self._serve_connection(reader, writer, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", allowed)

    # --- one connection -----------------------------------------------------------------------------------------------

    async def _serve_connection(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        origin: str | None,
        allowed: Collection[str] | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            decoder = Decoder()
            hello, early = await self._greet(reader, writer, decoder, origin, allowed)
            if hello is not None:
                await self._run(reader, writer, decoder, hello, origin, early)
        except asyncio.CancelledError:
            pass  # we are stopping; the transport is closed below
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Decoder, origin: str | None,
        allowed: Collection[str] | None,
    ) -> tuple[Hello | None, list[Message]]:  # fmt: skip
        if self._strangers >= MAX_STRANGERS:
            return None, []
        self._strangers += 1
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                messages: list[Message] = []
                while not messages:
                    data = await reader.read(READ_SIZE)
                    if not data:
                        return None, []
                    messages = [message for message, _, _ in decoder.feed(data)]
            first = messages[0]
            if not isinstance(first, Hello):
                raise WireError(f"{type(first).__name__} came before Hello")
        except (OSError, TimeoutError, WireError) as error:
            log.warning("agent.refused", origin=origin or "unix", reason=str(error) or "no Hello")
            if isinstance(error, WireError):
                writer.write(encode(Error("protocol", str(error))))
            return None, []
        finally:
            self._strangers -= 1
        answer = self._membership.hello(first, allowed)
        writer.write(encode(answer))
        if isinstance(answer, Error):
            log.warning("agent.refused", ncp=first.ncp, origin=origin or "unix", code=answer.code, reason=answer.text)
            return None, []
        return first, messages[1:]

    async def _run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Decoder, hello: Hello,
        origin: str | None, early: list[Message],
    ) -> None:  # fmt: skip
        clock = asyncio.get_running_loop().time
        connection = AgentConnection(reader, writer, hello, origin, clock())
        key = (connection.ncp, connection.role)
        older = self._connections.get(key)
        if older is not None:
            older.abort("the agent connected again")
            self._forget(older, clock())
        self._connections[key] = connection
        log.info("agent.connected", ncp=hello.ncp, role=connection.role.name.lower(), origin=origin or "unix")
        reason = "the agent closed the connection"
        try:
            self._handler.agent_up(connection, hello, clock())
            for message in early:
                self._take(connection, message, clock())
            while data := await reader.read(READ_SIZE):
                now = connection.heard_at = clock()
                for message, _flags, _channel in decoder.feed(data):
                    self._take(connection, message, now)
                await self._handler.agent_room()
        except WireError as error:
            reason = f"protocol error: {error}"
            connection.send(Error("protocol", str(error)))
        except OSError as error:
            reason = str(error)
        finally:
            connection.close(reason)
            connection.ended.set()
            if self._connections.get(key) is connection:
                self._forget(connection, clock())

    def _take(self, connection: AgentConnection, message: Message, now: float) -> None:
        if isinstance(message, Heartbeat):
            connection.heartbeat = message
        elif isinstance(message, Bye):
            connection.close(f"the agent leaves: {message.reason}")
        elif isinstance(message, Error):
            connection.close(f"the agent reports {message.code}: {message.text}")
        else:
            self._handler.agent_message(connection, message, now)

    def _forget(self, connection: AgentConnection, now: float) -> None:
        self._connections.pop((connection.ncp, connection.role), None)
        self._membership.gone(connection.ncp, connection.boot_id, connection.role)
        log.info("agent.disconnected", ncp=connection.ncp, role=connection.role.name.lower(), reason=connection.reason)
        self._handler.agent_down(connection, connection.reason, now)
        if connection.role is Role.CONTROL:
            for other in self.of(connection.ncp):
                other.abort("the agent's control connection ended")

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + self._heartbeat
            await asyncio.sleep(self._heartbeat)
            self._sequence += 1
            now = clock()
            # Where this loop itself stood still, what agents sent meanwhile may only not have been read yet.
            punctual = now - due < self._heartbeat
            for connection in list(self._connections.values()):
                if connection.role is not Role.CONTROL:
                    continue
                if punctual and now - connection.heard_at > self._heartbeat * self._misses:
                    connection.abort(f"silent for {now - connection.heard_at:.1f} s")
                else:
                    echo = connection.heartbeat.sequence if connection.heartbeat is not None else 0
                    connection.send(Heartbeat(self._sequence, echo=echo))


def server_context(listen: TlsListen) -> ssl.SSLContext:
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


def peer_uid(sock: socket.socket) -> int:
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
