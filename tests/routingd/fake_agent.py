"""An agent and the peer behind it in a few lines: speaks ``fibd.wire`` over a unix socket, holds no kernel."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fibd.wire import (
    Ack,
    Addresses,
    Answer,
    Bye,
    Capsule,
    Decoder,
    Error,
    FactsComplete,
    Heartbeat,
    Hello,
    Message,
    Ports,
    Query,
    Role,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    StreamClose,
    StreamConnect,
    StreamCredit,
    StreamData,
    StreamOpened,
    Streams,
    Transaction,
    Welcome,
    encode,
)
from protocols import effects
from protocols.bgp.config import FamilyConfig, PeerConfig
from protocols.bgp.family import IPV4_UNICAST
from protocols.bgp.graceful import Mode
from protocols.bgp.session import Session

WINDOW = 1 << 20


async def until(condition: Callable[[], object], what: str = "", timeout: float = 10.0) -> None:
    """Wait for a condition; say which one never came."""
    try:
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - conditions span two processes' worth of state
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"never happened: {what or condition}") from None


class FakeAgent:
    def __init__(self, ncp: str, boot: int = 1) -> None:
        self.ncp = ncp
        self.boot_id = bytes([boot]) * 16
        self.keeps = False
        """It forwards by what an earlier controller told it."""
        self.kept = Streams([])
        """Streams that it still has."""
        self.received: list[tuple[Role, Message]] = []
        self.writers: dict[Role, asyncio.StreamWriter] = {}
        self.closed: set[Role] = set()
        self.routes: dict[tuple[int, bytes, int], int] = {}
        self.acknowledge = True
        self.holds = 0
        """Routes that are in its model beside those it was sent."""
        self.remote: RemotePeer | None = None
        self.answers: dict[str, Any] = {}
        """To questions, by what is asked; others are left unanswered."""
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self, path: Path, *roles: Role, hello: Hello | None = None) -> None:
        for role in roles or tuple(Role):
            before = len(self.of(role, Welcome, Error))
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(encode(hello or Hello(role, self.ncp, self.boot_id, keeps=self.keeps)))
            self.writers[role] = writer
            self.closed.discard(role)
            self._tasks.append(asyncio.create_task(self._read(role, reader)))
            await until(
                lambda role=role, before=before: len(self.of(role, Welcome, Error)) > before or role in self.closed,
                f"an answer on {role.name}",
            )  # type: ignore[misc]
            if role is Role.STREAMS:
                self.send(role, self.kept)

    def of(self, role: Role, *kinds: type[Message]) -> list[Any]:
        return [m for r, m in self.received if r is role and isinstance(m, kinds)]

    def send(self, role: Role, *messages: Message) -> None:
        for message in messages:
            self.writers[role].write(encode(message))

    def facts(
        self, port: str = "eth0", address: bytes = bytes([192, 0, 2, 1]), length: int = 24, up: bool = True
    ) -> None:
        self.send(
            Role.CONTROL,
            Ports(1, [[port, 2, up, up, 1500, b"\0" * 6, "veth"]]),
            Addresses(2, [[port, address, length, True]]),
            FactsComplete(3),
        )

    async def close(self, *roles: Role) -> None:
        for role in roles or tuple(self.writers):
            self.writers[role].close()
        await asyncio.sleep(0)

    async def _read(self, role: Role, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        try:
            while data := await reader.read(65536):
                for message, _, _ in decoder.feed(data):
                    self.received.append((role, message))
                    self._react(role, message)
        except OSError:
            pass
        self.closed.add(role)

    def _react(self, role: Role, message: Message) -> None:
        match message:
            case SnapshotBegin():
                self.routes.clear()
                self._ack(message.sequence)
            case Transaction():
                self._apply(message)
                self._ack(message.sequence)
            case SnapshotEnd():
                held = len(self.routes) + self.holds
                self.send(Role.FIB, SnapshotVerdict(message.count == held, held, message.digest))
                self._ack(message.sequence)
            case Query() if message.what in self.answers:
                self.send(Role.CONTROL, Answer(message.id, self.answers[message.what]))
            case StreamConnect() if self.remote is not None:
                self.remote.asked(message)
            case StreamData() if self.remote is not None:
                for streams, data in message.rows:
                    if self.remote.stream in streams:
                        self.remote.take(data)
            case Bye():
                self.writers[role].close()
            case Heartbeat():
                self.send(Role.CONTROL, Heartbeat(message.sequence, echo=message.sequence))

    def _ack(self, sequence: int) -> None:
        if self.acknowledge:
            self.send(Role.FIB, Ack(sequence, sequence, sequence, 8 << 20))

    def _apply(self, transaction: Transaction) -> None:
        for table, dst, plen, nhg, op in transaction.routes:
            width = len(dst) // len(plen)
            for at, length in enumerate(plen):
                key = (table, dst[at * width : (at + 1) * width], length)
                if op[at]:
                    self.routes[key] = struct.unpack_from("<I", nhg, at * 4)[0]
                else:
                    self.routes.pop(key, None)

    def prefixes(self) -> set[str]:
        return {f"{'.'.join(map(str, address))}/{length}" for table, address, length in self.routes if table == 1}


class RemotePeer:
    """The other end of a BGP session, by our own sans-IO session behind the fake agent's streams."""

    def __init__(
        self,
        agent: FakeAgent,
        asn: int = 65002,
        local_asn: int = 65001,
        restarts: Mode = Mode.HELPER,
        restart_time: int = 120,
    ) -> None:
        """``restarts``: ON makes its routes outlive its session."""
        self.agent = agent
        families = (FamilyConfig(1, 1, "accept", "accept"),)
        config = PeerConfig(
            bytes([192, 0, 2, 1]), local_asn, asn, bytes([10, 0, 0, 2]), families, passive=True, extended_message=False,
            graceful_restart=restarts, restart_time=restart_time,
        )  # fmt: skip
        self._config = config
        self.session = Session(config, random.Random(1))
        self.session.start(0.0)
        self.stream = 0
        self.conn = -1
        self.sent_bytes = 0
        self.updates = 0
        self.log: list[effects.Effect] = []
        agent.remote = self

    def restart(self, *, forwarding: bool = True, restarts: Mode = Mode.ON) -> None:
        """The process ends and starts again; ``forwarding``: with its routes still in place."""
        self.session = Session(replace(self._config, graceful_restart=restarts), random.Random(1))
        self.session.start(0.0, restarting=frozenset({IPV4_UNICAST}) if forwarding else frozenset())
        self.log.clear()
        self.agent.send(Role.STREAMS, StreamClose(self.stream, "reset"))

    def asked(self, connect: StreamConnect) -> None:
        self.conn += 1
        self.stream = connect.stream
        self.sent_bytes = 0
        local = bytes([192, 0, 2, 1])
        self.agent.send(Role.STREAMS, StreamOpened(connect.stream, 0, local, 50000, connect.remote, 179, credit=WINDOW))
        self._perform(self.session.connected(self.conn, connect.remote, local, True, 0.0))

    def take(self, data: bytes) -> None:
        self._perform(self.session.receive(self.conn, data, 0.0))

    def send(self, data: bytes) -> None:
        self.sent_bytes += len(data)
        self.agent.send(Role.STREAMS, StreamData([[[self.stream], data]]))

    def outlives(self) -> None:
        """Its stream and what was left with it are there for the next controller; of the last one, all is forgotten."""
        capsules = [m.blob for m in self.agent.of(Role.STREAMS, Capsule) if m.stream == self.stream]
        local, remote = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
        rows = [[self.stream, 0, local, 50000, remote, 179, "", capsules[-1]]]
        self.agent.kept = Streams(rows, [[self.stream, 60.0, 0.5, WINDOW]])
        self.agent.received.clear()
        self.log.clear()
        self.updates = 0

    def credit_given_back(self) -> int:
        rows = [row for m in self.agent.of(Role.STREAMS, StreamCredit) for row in m.rows if row[0] == self.stream]
        return sum(count for _, count in rows)

    def _perform(self, out: list[effects.Effect]) -> None:
        self.log += out
        for effect in out:
            if isinstance(effect, effects.Send):
                self.send(effect.data)
            elif isinstance(effect, effects.Routes):
                self.updates += len(effect.updates)

    @property
    def established(self) -> bool:
        return any(isinstance(e, effects.Established) for e in self.log)


END_OF_RIB = b"\xff" * 16 + bytes.fromhex("0017 02 0000 0000")
"""Of IPv4 unicast (RFC 4724 2)."""


def update(prefixes: list[str], next_hop: bytes = bytes([192, 0, 2, 2]), asn: int = 65002) -> bytes:
    """An UPDATE that announces IPv4 prefixes (RFC 4271 4.3), four-octet AS numbers."""
    attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x06\x02\x01" + struct.pack("!I", asn) + b"\x40\x03\x04" + next_hop
    nlri = b""
    for prefix in prefixes:
        address, _, length = prefix.partition("/")
        nlri += bytes([int(length)]) + bytes(map(int, address.split(".")))[: (int(length) + 7) // 8]
    body = b"\0\0" + struct.pack("!H", len(attributes)) + attributes + nlri
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body
