"""The running agent: composition of box, model, netlink writer, edge sockets and the three connections to the
controller.

Owns the order of things at start and at the end. Whatever happens to the controller, kernel routes stay, unless it
says flush."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from fibd.agent import RESUME, Agent, Close, Effect, Kick, Send
from fibd.message import Message
from fibd.wire import BoxConfig, Bye, Conditions, Error, Heartbeat, Hello, Query, Role, Welcome, WireError
from kernel import tcp_ao
from kernel.links import RECEIVE_BUFFER
from kernel.routes import Failure, RouteWriter, adopt, drain
from kernel.self_tests import KernelFacts
from native import AgentFib
from routingd.agent.absence import Absence, Terms
from routingd.agent.box import Box
from routingd.agent.connection import Connection, Controller
from routingd.agent.greeting import Greeting
from routingd.agent.insist import insist
from routingd.agent.memory import Memory
from routingd.agent.no_room import NoRoom
from routingd.agent.questions import Questions
from routingd.agent.relay import WINDOW, Relay
from routingd.agent.reports import Reports, Told
from routingd.agent.state import Store
from routingd.agent.truth import EVERY, Truth
from routingd.conditions import ConditionBook

log = structlog.get_logger("ncpd")

_FIRST_BACKOFF: Final = 0.1
_LAST_BACKOFF: Final = 2.0
_MISSED: Final = 3
_BYE_GRACE: Final = 600.0
_CONDITIONS_PAUSE: Final = 0.1
"""Seconds in which changes of conditions are told together."""


@dataclass(frozen=True, slots=True)
class Settings:
    name: str
    controller: Controller
    state_directory: Path
    event_buffer: int = RECEIVE_BUFFER
    """Bytes of each socket on which the kernel tells of links and nexthops."""
    audit_interval: float = EVERY


class AgentProcess:
    """``run`` returns when the process shall end."""

    def __init__(self, settings: Settings, facts: KernelFacts) -> None:
        self._settings = settings
        self.facts = facts
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random()
        self._boot_id = os.urandom(16)
        self.conditions = ConditionBook(self._loop.time, self._conditions_changed)
        self._store = Store(settings.state_directory, self.conditions)
        self._telling: asyncio.TimerHandle | None = None
        facts.judge(self.conditions)
        self._no_room = NoRoom(self.conditions)
        config = self._store.box() or BoxConfig(0, {})
        self._kernel = _kernel_of(config)
        self._weighted_backup = config.weighted_backup
        self.model = self._new_model()
        self.agent = Agent(self.model, self._store.election_id())
        self.relay = Relay(self._rng)
        self.box = Box(
            self._store, self.model, self._tell_facts, self.kick, self._rng, lambda reason: self.truth.ask(reason),
            settings.event_buffer,
        )  # fmt: skip
        self.truth = Truth(self, self.box.observer, self.conditions, self._rng, settings)
        self._questions = Questions(self)
        self._memory = Memory(self._store, lambda: self.model)
        self._writer: RouteWriter | None = None
        self._reports: Reports | None = None
        self._connections: dict[Role, Connection] = {}
        self._greeting = Greeting(
            self.agent, self._store, self.conditions, settings.controller, self._hello, self._connections.values
        )
        self._absence = Absence(self._store, self.conditions, self._abandoned)
        self._control_up = asyncio.Event()
        self._beats: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._retiring: asyncio.TimerHandle | None = None
        self._rebuilding = asyncio.Lock()
        self._flush = False
        self.batches = 0
        self.messages = 0

    def _new_model(self) -> AgentFib:
        table, protocol, metric = self._kernel
        model = AgentFib(ncp=self._settings.name, table=table, protocol=protocol, metric=metric)
        model.set_weights(wide=self.facts.wide_weights, backup=self._weighted_backup)
        return model

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self, begun: Callable[[], None] = lambda: None) -> None:
        await self.box.start()
        self._adopt(self._store.memory())
        self.truth.start()
        self._absence.begin()
        begun()
        tasks = [self._loop.create_task(self._keep_connected(role)) for role in Role]
        try:
            await self._stopping.wait()
        finally:
            self._absence.close()
            if control := self._connections.get(Role.CONTROL):
                control.send(Bye("the agent ends", _BYE_GRACE, self._flush))
            for connection in list(self._connections.values()):
                await connection.close()
            self._greeting.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.relay.table.close_all()
            await self.truth.stop()
            if self._writer is not None:
                await asyncio.to_thread(self._writer.stop)
            if self._flush:
                await self._empty_at_last()
            await self._memory.stop()
            await self.box.stop()

    async def _empty_at_last(self) -> None:
        async with self._rebuilding:  # which writes from the same netlink address
            try:
                await asyncio.to_thread(self._empty_kernel)
            except OSError:
                log.exception("flush.failed")

    def _empty_kernel(self) -> None:
        """An empty snapshot that agrees: everything of ours is swept."""
        self.model.snapshot_begin()
        self.model.snapshot_end(0, 0)
        failures = drain(self.model, self._writer.portid if self._writer is not None else 0)
        log.info("flushed", failures=len(failures))

    def stop(self) -> None:
        self._stopping.set()

    def retire(self) -> None:
        """Its controller has ended: so does it, once sessions are kept no longer, unless another one comes."""
        if self._retiring is None:
            self._retiring = self._loop.call_later(WINDOW, self.stop)

    def _adopt(self, memory: bytes) -> None:
        """``memory``: of the model before this one."""
        table, protocol, _ = self._kernel
        nexthops, routes = adopt(self.model, table, protocol)
        log.info("adopted", nexthops=nexthops, routes=routes, known=self.model.recall(memory), table=table)
        self._reports = Reports(self._loop.call_soon_threadsafe, self._reported)
        self._writer = RouteWriter(self.model, lambda: self.agent.position, self._reports.put)
        self.truth.events.ignore(self._writer.portid)
        self._writer.start()
        self.kick()

    def _abandoned(self, terms: Terms) -> None:
        """Sessions go first: who hears nothing of us any more must not send us what we would drop."""
        self.relay.table.close_all()
        if terms.isolate:
            self.box.isolate(terms.way)
        self._loop.create_task(self._begin_again("no controller"))

    async def _begin_again(self, reason: str) -> None:
        """What is ours in the kernel is to go, or is marked otherwise from now on: empty it, and make the model anew. A
        controller then sends its snapshot again."""
        async with self._rebuilding:
            log.warning("model.rebuilt", reason=reason)
            self._close(Role.FIB)
            if self._writer is not None:
                await asyncio.to_thread(self._writer.stop)
            await insist("kernel.not-emptied", lambda: asyncio.to_thread(self._empty_kernel))
            if self.box.config is not None:
                self._kernel = _kernel_of(self.box.config)
            memory = await asyncio.to_thread(self._memory.save)
            await insist("kernel.not-adopted", lambda: self._anew(memory))

    async def _anew(self, memory: bytes) -> None:
        self.model = self._new_model()
        self.agent.replace(self.model)
        self.box.adopt_model(self.model)
        self._adopt(memory)

    # --- the writer ---------------------------------------------------------------------------------------------------

    @property
    def kernel_table(self) -> tuple[int, int]:
        return self._kernel[0], self._kernel[1]

    def kick(self) -> None:
        if self._writer is not None:
            self._writer.kick()

    def _reported(self, source: Reports, told: Told) -> None:
        if source is not self._reports or self._stopping.is_set():
            return
        report = told.report
        if report.error:
            self.truth.answers_lost(report.error)
        self.batches += told.batches
        self.messages += report.messages
        self._written(report.position, report.installed, report.failures, drained=report.drained)

    def refused(self, failures: list[Failure]) -> None:
        self._written(self.agent.position, 0, failures)

    def _written(self, position: int, installed: int, failures: list[Failure], *, drained: bool = False) -> None:
        for table, address, length, code, text in failures[:10]:
            prefix = f"{address.hex()}/{length}" if address else "nexthop"
            log.warning("route.refused", prefix=prefix, table=table, errno=code, reason=text)
        self._no_room.written(self.model, failures, drained)
        self._perform(self.agent.written(position, installed, failures))
        self._memory.look()

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    if (fib := self._connections.get(Role.FIB)) is not None:
                        fib.send(message)
                case Kick():
                    self.kick()
                case Close(reason):
                    log.warning("fib.closed", reason=reason)
                    self._close(Role.FIB)

    # --- connections --------------------------------------------------------------------------------------------------

    def _close(self, role: Role) -> None:
        if (connection := self._connections.get(role)) is not None:
            connection.end()

    def _tell_facts(self, messages: Iterable[Message]) -> None:
        if (control := self._connections.get(Role.CONTROL)) is not None:
            for message in messages:
                control.send(message)

    def _conditions_changed(self) -> None:
        if self._telling is None:
            self._telling = self._loop.call_later(_CONDITIONS_PAUSE, self._tell_conditions)

    def _tell_conditions(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._tell_facts([Conditions(self.conditions.rows())])

    async def _keep_connected(self, role: Role) -> None:
        backoff = _FIRST_BACKOFF
        last = ""
        while True:
            if role is not Role.CONTROL:
                await self._control_up.wait()
            try:
                welcomed, reason = await self._serve(role)
            except (OSError, TimeoutError, ValueError) as error:
                welcomed, reason = False, str(error) or type(error).__name__
            except Exception as error:  # an agent that does not dial again is of no use to anybody
                log.exception("connection.failed", role=role.name.lower())
                welcomed, reason = False, repr(error)
            if welcomed:
                backoff = _FIRST_BACKOFF
            if welcomed or reason != last:
                log.warning("controller.away", role=role.name.lower(), reason=reason)
                last = reason
            await asyncio.sleep(backoff * self._rng.uniform(0.75, 1.0))
            backoff = min(_LAST_BACKOFF, backoff * 2)

    async def _serve(self, role: Role) -> tuple[bool, str]:
        """One connection from dialling to its end: (was welcomed, why it ended)."""
        connection = Connection(role, *await self._settings.controller.dial())
        try:
            welcome, rest = await self._greeting.greet(connection, role)
            if isinstance(welcome, str):
                return False, welcome
            if role is Role.FIB and self._rebuilding.locked():
                return False, "the model is made anew"  # the next one would know nothing of what is told now
            try:
                self._up(connection, welcome)
                for message in rest:
                    self._receive(connection, message)
                return True, await connection.run(lambda message: self._receive(connection, message))
            except WireError as error:
                connection.send(Error("protocol", str(error)))
                return True, f"protocol error: {error}"
            finally:
                self._down(connection)
        finally:
            await connection.close()

    def _hello(self, role: int) -> Hello:
        counts = self.model.counts()
        return Hello(
            role, self._settings.name, self._boot_id,
            capabilities=["columns", RESUME, *(["tcp-ao"] if tcp_ao.supported() else [])],
            stream_id=self.agent.stream_id, last_sequence=self.agent.applied, election_id=self.agent.election_id,
            # What was found in the kernel counts, whether a controller has vouched for it since or not
            hostname=socket.gethostname(), keeps=counts["routes"] + counts["stale"] > 0, elected=self.agent.elected,
        )  # fmt: skip

    def _up(self, connection: Connection, welcome: Welcome) -> None:
        self._connections[connection.role] = connection
        log.info("controller.connected", role=connection.role.name.lower(), router=welcome.router or None)
        match connection.role:
            case Role.CONTROL:
                self._absence.end(welcome, connection.local)
                if self._retiring is not None:
                    self._retiring.cancel()
                    self._retiring = None
                for message in self.box.facts.everything():
                    connection.send(message)
                self._tell_conditions()
                self._beats = self._loop.create_task(self._beat(connection, max(0.05, welcome.heartbeat)))
                self._control_up.set()
            case Role.STREAMS:
                self.relay.attach(connection.send)
            case Role.FIB:
                self.agent.connected(welcome)

    def _down(self, connection: Connection) -> None:
        if self._connections.get(connection.role) is connection:
            del self._connections[connection.role]
        match connection.role:
            case Role.CONTROL:
                self._absence.begin()
                self._control_up.clear()
                if self._beats is not None:
                    self._beats.cancel()
                self._close(Role.STREAMS)
                self._close(Role.FIB)
            case Role.STREAMS:
                self.relay.detach()
            case Role.FIB:
                self.agent.lost()

    def _receive(self, connection: Connection, message: Message) -> None:
        if isinstance(message, Error):
            log.warning("controller.error", role=connection.role.name.lower(), code=message.code, text=message.text)
            connection.end()
        elif isinstance(message, Bye):
            self._bye(connection, message)
        elif connection.role is Role.STREAMS:
            self.relay.receive(message)
        elif connection.role is Role.FIB:
            self._perform(self.agent.receive(message))
        else:
            self._control(connection, message)

    def _bye(self, connection: Connection, bye: Bye) -> None:
        if bye.flush:
            log.info("flush", reason=bye.reason)
            self._flush = True
            self.stop()
        else:
            connection.end()

    def _control(self, connection: Connection, message: Message) -> None:
        match message:
            case Heartbeat():
                pass  # that it was heard is all there is to it
            case BoxConfig():
                self._weighted_backup = message.weighted_backup
                self.model.set_weights(wide=self.facts.wide_weights, backup=self._weighted_backup)
                self.box.configure(message)
                if _kernel_of(message) != self._kernel:
                    self._loop.create_task(self._begin_again("the kernel table, protocol or metric changed"))
            case Query():
                self._questions.ask(message, connection.send)
            case _:
                raise WireError(f"{type(message).__name__} does not belong on the control connection")

    async def _beat(self, connection: Connection, interval: float) -> None:
        sequence, lag = 0, 0.0
        while True:
            sequence += 1
            connection.send(Heartbeat(sequence, queue_depth=self.model.pending, lag=lag, last_audit=self.truth.age))
            due = self._loop.time() + interval
            await asyncio.sleep(interval)
            lag = self._loop.time() - due
            # Where this loop itself stood still, what the controller sent meanwhile may only not have been read yet.
            if lag < interval and self._loop.time() - connection.last_heard > _MISSED * interval:
                self._greeting.look(connection)

    def connected_roles(self) -> list[str]:
        return sorted(role.name.lower() for role in self._connections)


def _kernel_of(config: BoxConfig) -> tuple[int, int, int]:
    return config.kernel_table, config.kernel_protocol, config.kernel_metric
