"""The server that agents dial: a unix socket on this host, mutual TLS 1.3 between hosts; three connections per agent.

Owns connections, their greeting and heartbeats; what messages mean is the handler's. Garbage, silence or a broken frame
ends the connection that carried it and no other, except that an agent whose control connection ends has lost all three.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol, cast

import structlog

from fibd.membership import Membership
from fibd.messages import LOOK
from fibd.wire import Bye, Error, Heartbeat, Hello, Message, Role, WireError, encode
from routingd.closing import close_once
from routingd.doors import Doors, TlsListen, Visitor
from routingd.straight import take_all

STOP_PATIENCE: Final = 1.0
"""How long an agent may take to close a connection after Bye."""

log = structlog.get_logger("routingd.agents")


class AgentHandler(Protocol):
    def agent_up(self, connection: AgentConnection, hello: Hello, now: float) -> None: ...
    def agent_message(self, connection: AgentConnection, message: Message, now: float) -> None: ...
    def agent_down(self, connection: AgentConnection, reason: str, now: float) -> None: ...
    def agent_refused(self, hello: Hello, error: Error, origin: str) -> None:
        """We do not serve it, for this reason."""

    def agent_left(self, connection: AgentConnection, error: Error) -> None:
        """It does not want us, for this reason; the connection ends."""

    @property
    def agent_full(self) -> bool:
        """There is no room for what another read may bring."""

    async def agent_room(self) -> bool:
        """True, once there is."""


class AgentConnection:
    """One of the three connections of one agent, after its greeting."""

    def __init__(self, visitor: Visitor, version: int, now: float) -> None:
        hello = visitor.hello
        self.ncp = hello.ncp
        self.role = Role(hello.role)
        self.boot_id = hello.boot_id
        self.hostname = hello.hostname
        self.version = version
        """Of the protocol, as chosen."""
        self.origin = visitor.origin
        """Where it dialled from; None on the unix socket."""
        self.since = self.heard_at = now
        self.reason = ""
        self.heartbeat: Heartbeat | None = None
        self.ended = asyncio.Event()
        self._writer = visitor.writer

    @property
    def unread(self) -> bool:
        """The agent has sent more than was read here, or may have: TLS empties the socket while we do not read."""
        sock = self._writer.get_extra_info("socket")
        if self._writer.is_closing() or sock is None or sock.fileno() < 0:
            return False
        waiting = array("i", [0])
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, waiting)
        return waiting[0] > 0 or not cast("asyncio.Transport", self._writer.transport).is_reading()

    def send(self, *messages: Message) -> None:
        """Never waits: credits bound what callers send."""
        self.send_frames([encode(message) for message in messages])

    def send_frames(self, frames: Iterable[bytes]) -> None:
        if not self._writer.is_closing():
            self._writer.writelines(frames)

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        close_once(self._writer)

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
        self._handler = handler
        self.doors = Doors(certificates, self._welcome)
        self._heartbeat = heartbeat
        self._misses = misses
        self._connections: dict[tuple[str, Role], AgentConnection] = {}
        self.tls_port = 0
        self._sequence = 0
        self._beats: asyncio.Task[None] | None = None

    def connection(self, ncp: str, role: Role) -> AgentConnection | None:
        return self._connections.get((ncp, role))

    def of(self, ncp: str) -> list[AgentConnection]:
        return [c for role in Role if (c := self._connections.get((ncp, role))) is not None]

    # --- listening ----------------------------------------------------------------------------------------------------

    def listen_unix(self, path: Path) -> None:
        self.doors.listen_unix(path)
        self._start()

    def listen_tls(self, listen: TlsListen) -> None:
        self.tls_port = self.doors.listen_tls(listen)
        self._start()

    def _start(self) -> None:
        if self._beats is None:
            self._beats = asyncio.get_running_loop().create_task(self._beat())

    def close(self) -> None:
        """Nobody connects any more; who is connected stays."""
        self.doors.close()

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
        if self._beats is not None:
            self._beats.cancel()
        await self.doors.stop()

    # --- one connection -----------------------------------------------------------------------------------------------

    async def _welcome(self, visitor: Visitor) -> None:
        hello, origin = visitor.hello, visitor.origin
        answer = self._membership.hello(hello, visitor.allowed)
        visitor.writer.write(encode(answer))
        if isinstance(answer, Error):
            self._handler.agent_refused(hello, answer, origin or "unix")
        elif hello.role != LOOK:
            await self._run(visitor, answer.version)

    async def _run(self, visitor: Visitor, version: int) -> None:
        clock = asyncio.get_running_loop().time
        hello = visitor.hello
        connection = AgentConnection(visitor, version, clock())
        key = (connection.ncp, connection.role)
        older = self._connections.get(key)
        if older is not None:
            older.abort("the agent connected again")
            self._forget(older, clock())
        self._connections[key] = connection
        log.info("agent.connected", ncp=hello.ncp, role=connection.role.name.lower(), origin=visitor.origin or "unix")
        reason = "the agent closed the connection"
        try:
            self._handler.agent_up(connection, hello, clock())
            for message in visitor.early:
                self._take(connection, message, clock())

            def take(data: bytes) -> bool:
                now = connection.heard_at = clock()
                for message, _flags, _channel in visitor.decoder.feed(data):
                    self._take(connection, message, now)
                return not self._handler.agent_full

            async def room() -> bool:
                wanted = await self._handler.agent_room()
                connection.heard_at = clock()  # TLS gives what came meanwhile in the next turn
                return wanted

            await take_all(visitor.reader, visitor.writer, take, room)
        except WireError as error:
            reason = f"protocol error: {error}"
            self.doors.turned_away["protocol"] += 1
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
            self._handler.agent_left(connection, message)
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
            # Where this loop itself stood still, or its readers wait for the engine, what agents sent may only not have
            # been read yet.
            punctual = now - due < self._heartbeat
            for connection in list(self._connections.values()):
                if connection.role is not Role.CONTROL:
                    continue
                silent = now - connection.heard_at > self._heartbeat * self._misses
                if punctual and silent and not connection.unread:
                    connection.abort(f"silent for {now - connection.heard_at:.1f} s")
                else:
                    echo = connection.heartbeat.sequence if connection.heartbeat is not None else 0
                    connection.send(Heartbeat(self._sequence, echo=echo))
