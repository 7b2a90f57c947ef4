"""The controller: a real engine, the engine's thread taken turn by turn, real feeds, membership and facts. What it does
with connections is what ``routingd.agents`` and ``routingd.controller`` do with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import native
from fibd.membership import Membership
from fibd.wire import (
    Ack,
    Addresses,
    BoxConfig,
    Decoder,
    Error,
    FactsComplete,
    Hello,
    Message,
    Ports,
    Role,
    SnapshotBegin,
    SnapshotEnd,
    Transaction,
    Welcome,
    encode,
)
from routingd.agents import AgentConnection
from routingd.boxes import Boxes
from routingd.doors import Visitor
from routingd.engine_thread import EngineThread
from routingd.facts import FactBook
from routingd.feeds import BoxFeed
from tests.sim.links import Link, Writer
from tests.sim.loop import Loop

ASN = 65000
GRACE = 50.0
ROUTER_ID = bytes([9, 9, 9, 9])


@dataclass
class Accepted:
    link: Link
    decoder: Decoder = field(default_factory=Decoder)
    connection: AgentConnection | None = None
    sent: Decoder = field(default_factory=Decoder)
    """Of what leaves on it."""
    owed: deque[tuple[int, int]] = field(default_factory=deque)
    """(sequence, bytes) of what it was sent and has not installed."""


class CountingWriter(Writer):
    """Sees every frame of a FIB connection leave: never more than the agent has given credit for."""

    def __init__(self, accepted: Accepted, window: int) -> None:
        super().__init__(accepted.link)
        self._accepted = accepted
        self._window = window

    def writelines(self, frames: Any) -> None:
        frames = list(frames)
        for frame in frames:
            for message, _, _ in self._accepted.sent.feed(frame):
                if isinstance(message, (Transaction, SnapshotBegin, SnapshotEnd)):
                    self._accepted.owed.append((message.sequence, len(frame)))
                    owed = sum(size for _, size in self._accepted.owed)
                    assert len(self._accepted.owed) == 1 or owed <= self._window, f"{owed} bytes of {self._window}"
        super().writelines(frames)


class Controller:
    """``window``: the credit of each agent, in bytes."""

    def __init__(self, boxes: Boxes, loop: Loop, election_id: int, window: int) -> None:
        self.engine = native.Engine(
            router_id=ROUTER_ID, asn=ASN, digest_key=bytes([election_id]) * 16, seed=election_id
        )
        self.thread = EngineThread(self.engine, loop, _raise)  # type: ignore[arg-type]
        self.more = False
        stream_id = b"stream %d" % election_id
        self.feeds = {
            name: BoxFeed(name, election_id, stream_id, GRACE, self.thread, loop.time, window) for name in boxes.names
        }
        self.membership = Membership(boxes.names, Welcome(1, election_id, stream_id, bytes([election_id]) * 16))
        self.sources = {name: self.engine.add_connected_source() for name in boxes.names}
        self.static = self.engine.add_static_source()
        self.facts = FactBook(boxes, self)
        self.waiting: list[Callable[[native.Engine], Any]] = []
        """Of the routes that there were before it was started, those that it has not learnt again."""
        self.held = False
        """Boxes keep what they have until ``release``."""
        self.accepted: list[Accepted] = []
        self._connections: dict[tuple[str, Role], Accepted] = {}
        self._loop = loop
        self._window = window

    # --- the engine's thread ------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        if not (self.thread.depth or self.more or self.thread._poll):
            return False
        self.more = self.thread._turn(self.thread._next(True) or [], self.more)
        return True

    def learn(self) -> bool:
        """One more of the routes that it knew before it was started; after the last, boxes are told."""
        if self.waiting:
            self.thread.post(self.waiting.pop())
            return True
        if self.held:
            self.held = False
            for feed in self.feeds.values():
                feed.release()
            return True
        return False

    # --- connections --------------------------------------------------------------------------------------------------

    def accept(self, link: Link) -> None:
        self.accepted.append(Accepted(link))

    def kill(self) -> None:
        for accepted in self.accepted:
            accepted.link.cut(len(accepted.link.down.data))

    def read(self, which: int, most: int) -> bool:
        accepted = self.accepted[which]
        data = accepted.link.up.take(most)
        if data is None and not accepted.link.down.closed:
            return False
        if not data or accepted.link.down.closed:
            accepted.link.cut(len(accepted.link.down.data))
            self.accepted.remove(accepted)
            if accepted.connection is not None:
                self._gone(accepted)
            return True
        for message, _, _ in accepted.decoder.feed(data):
            self._receive(accepted, message)
        return True

    def _receive(self, accepted: Accepted, message: Message) -> None:
        if accepted.connection is None:
            self._greet(accepted, message)
        else:
            self._take(accepted.connection, message)

    def _greet(self, accepted: Accepted, hello: Message) -> None:
        assert isinstance(hello, Hello)
        answer = self.membership.hello(hello)
        accepted.link.down.write(encode(answer))
        if isinstance(answer, Error):
            accepted.link.down.closed = True
            return
        writer = CountingWriter(accepted, self._window)
        visitor = Visitor(None, writer, accepted.decoder, hello, [], None, None)  # type: ignore[arg-type]
        connection = AgentConnection(visitor, answer.version, self._loop.time())
        key = (connection.ncp, connection.role)
        if (older := self._connections.get(key)) is not None and older.connection is not None:
            older.connection.abort("the agent connected again")
            self._gone(older)
        accepted.connection = connection
        self._connections[key] = accepted
        match connection.role:
            case Role.CONTROL:
                self.facts.agent_up(connection.ncp)
            case Role.FIB:
                self.feeds[connection.ncp].up(connection, hello, held=self.held and hello.keeps)

    def _gone(self, accepted: Accepted) -> None:
        connection = accepted.connection
        assert connection is not None
        if self._connections.get((connection.ncp, connection.role)) is not accepted:
            return
        del self._connections[(connection.ncp, connection.role)]
        self.membership.gone(connection.ncp, connection.boot_id, connection.role)
        if connection.role is Role.FIB:
            self.feeds[connection.ncp].down()
        if connection.role is Role.CONTROL:
            for (name, _), other in list(self._connections.items()):
                if name == connection.ncp and other.connection is not None:
                    other.connection.abort("the agent's control connection ended")

    def _take(self, connection: AgentConnection, message: Message) -> None:
        if isinstance(message, Error):
            assert message.code == "election" or "nothing here to go on with" in message.text, message.text
            connection.close(message.text)
        elif connection.role is Role.FIB:
            if isinstance(message, Ack):
                owed = self._connections[(connection.ncp, Role.FIB)].owed
                while owed and owed[0][0] <= message.installed:
                    owed.popleft()
            self.feeds[connection.ncp].message(message)
        elif isinstance(message, (Ports, Addresses, FactsComplete)):
            self.facts.apply(connection.ncp, message)

    # --- facts (FactSink) ---------------------------------------------------------------------------------------------

    def put_connected(self, ncp: str, prefix: tuple[bytes, int], port: str, local: bool) -> None:
        self.thread.post(lambda engine: engine.put_connected(self.sources[ncp], prefix, ncp, port, local=local))

    def delete_connected(self, ncp: str, prefix: tuple[bytes, int]) -> None:
        self.thread.post(lambda engine: engine.delete(self.sources[ncp], prefix))

    def set_port(self, ncp: str, port: str, up: bool) -> None:
        self.thread.post(lambda engine: engine.set_port(ncp, port, up))

    def box_config(self, ncp: str, config: BoxConfig) -> None:
        accepted = self._connections.get((ncp, Role.CONTROL))
        if accepted is not None and accepted.connection is not None:
            accepted.connection.send(config)

    def left_out(self, ncp: str, reason: str) -> None:
        pass

    def facts_used(self, ncp: str, sequence: int) -> None:
        self.thread.post(lambda engine: None, lambda _: setattr(self.feeds[ncp].feed, "fact_sequence", sequence))


def _raise(error: BaseException) -> None:
    raise error
