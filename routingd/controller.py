"""The router as one object: engine thread, boxes, FIB feeds, facts, peers and static routes, wired together.

It owns no protocol and no table. The event loop is its only caller; what must happen to the RIB becomes a job of the
engine's thread, in the order in which it was decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from fibd.membership import Membership
from fibd.messages import FOREVER
from fibd.outstanding import credit_of_each
from fibd.wire import (
    Addresses,
    Answer,
    BoxConfig,
    Bye,
    Conditions,
    Error,
    FactsComplete,
    Hello,
    Message,
    Neighbours,
    Ports,
    Role,
    Routers,
    Welcome,
    WireError,
)
from native import Engine
from protocols.bgp.graceful import Mode
from routingd.agents import AgentConnection, AgentServer
from routingd.boxes import Boxes
from routingd.conditions import ConditionBook
from routingd.doors import TlsListen
from routingd.engine_thread import EngineThread
from routingd.facts import ISOLATED, FactBook
from routingd.feeds import BoxFeed
from routingd.listening import Range
from routingd.peers import Neighbor, Peers
from routingd.queries import Queries
from routingd.refusals import Refusals
from routingd.restart import DEFERRAL, Restart
from routingd.statics import RibPlan, prepare

GRACE: Final = 600.0
"""Seconds for which boxes forward without us, where nothing else is configured, and for which an absent one's place in
the FIB is kept at most."""
NOTED: Final = 1.0
"""Seconds after which a change of who our neighbors are is noted, with what else changes meanwhile."""
SOCKET_NAME: Final = "ncc.sock"
PrefixBytes = tuple[bytes, int]

log = structlog.get_logger("routingd")


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """What the configuration asks for, in our own types."""

    name: str
    router_id: bytes
    asn: int
    boxes: Boxes
    neighbors: tuple[Neighbor, ...] = ()
    rib: RibPlan = field(default_factory=RibPlan)
    listen: TlsListen | None = None
    ranges: tuple[Range, ...] = ()
    deferral: float = DEFERRAL
    """Seconds for which neighbors are waited for after a restart (RFC 4724 4.1)."""
    grace: float | None = GRACE
    """Seconds for which boxes forward without us; None: forever."""
    isolate: bool = False
    """Afterwards they also take their ports down."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Chosen anew at each start."""

    election_id: int
    stream_id: bytes
    digest_key: bytes


class Known(Protocol):
    """Names of neighbors that have a session with graceful restart, across restarts of ours (``identity``)."""

    def read(self) -> frozenset[str] | None:
        """None: any of those configured may have one."""

    def write(self, names: frozenset[str]) -> None: ...


class Controller:
    def __init__(
        self,
        plan: RouterPlan,
        engine: Engine,
        secrets: Secrets,
        fatal: Callable[[BaseException], None],
        known: Known | None = None,
        overtaken: Callable[[int], None] = lambda election_id: None,
    ) -> None:
        """``known``: the neighbors of an earlier routingd, and where those of this one are noted; ``overtaken`` is told
        the election id of a controller that has taken a box from us."""
        loop = asyncio.get_running_loop()
        self.plan = plan
        self.clock: Callable[[], float] = loop.time
        self.engine: EngineThread[Engine] = EngineThread(engine, loop, fatal)
        self._grace = FOREVER if plan.grace is None else plan.grace
        welcome = Welcome(
            1,
            secrets.election_id,
            secrets.stream_id,
            secrets.digest_key,
            heartbeat=1.0,
            grace=self._grace,
            router=plan.name,
            isolate=plan.isolate,
        )
        self.membership = Membership(plan.boxes.names, welcome)
        certificates = {box.name: box.certificate for box in plan.boxes.all.values() if box.certificate}
        self.agents = AgentServer(self.membership, certificates, self)
        self.queries = Queries(lambda ncp: self.agents.connection(ncp, Role.CONTROL))
        self.facts = FactBook(plan.boxes, self, plan.rib.named_ports())
        self.conditions = {name: ConditionBook(self.clock, ncp=name) for name in plan.boxes.names}
        """Of each box: what its agent tells, and what is seen of it here."""
        self._refusals = Refusals(self.conditions, overtaken)
        self._away: dict[str, asyncio.TimerHandle] = {}
        """Boxes without an agent, and when they are given up."""
        waits, credit = min(GRACE, plan.grace or GRACE), credit_of_each(len(plan.boxes.names))
        self.feeds = {
            name: BoxFeed(
                name,
                secrets.election_id,
                secrets.stream_id,
                waits,
                self.engine,
                self.clock,
                credit,
                partial(self.facts.lags, name),
                install=plan.boxes.kernel.install,
            )
            for name in plan.boxes.names
        }
        self._known = known
        expected = known.read() if known is not None else frozenset[str]()
        if expected is None:
            graceful = (n.session.config for n in plan.neighbors if n.session.config.graceful_restart is Mode.ON)
            expected = frozenset(config.name for config in graceful)
        if not plan.ranges:  # else one of a range may be among them
            expected &= {neighbor.session.config.name for neighbor in plan.neighbors}
        self.restart = Restart(expected, plan.deferral, lambda: self.peers.all, self._restarted)
        self.peers = Peers(
            plan.neighbors, plan.ranges, plan.boxes, self.engine, self.clock, self.facts.link_local, self.restart,
            self._note, secrets.election_id,
        )  # fmt: skip
        self._noting: asyncio.TimerHandle | None = None
        self._restarted_task: asyncio.Task[None] | None = None
        self.connected_sources: dict[str, int] = {}
        self.static_source = 0

    async def start(self, run_dir: Path) -> None:
        self.engine.start()
        await self.engine.call(self._sources)
        self.agents.listen_unix(run_dir / SOCKET_NAME)
        if self.plan.listen is not None:
            self.agents.listen_tls(self.plan.listen)

    def _sources(self, engine: Engine) -> None:
        """On the engine's thread. One connected source per box, so that boxes on one subnet never overwrite each
        other."""
        for name in self.plan.boxes.names:
            self.connected_sources[name] = engine.add_connected_source()
        self.static_source = engine.add_static_source()
        prepare(engine, self.static_source, self.plan.rib)

    async def stop(self, reason: str, *, returning: bool = False) -> frozenset[str]:
        """On purpose: peers are told, unless we are ``returning`` and they keep our routes meanwhile; boxes keep
        forwarding. The FIB streams end first, so that what the sessions' end withdraws from the RIB reaches no kernel;
        control ends last, as an agent that loses it stops reading the streams connection, where the last words to peers
        may still wait. Gives the boxes with sessions for the next one."""
        bye = Bye(reason, self._grace)
        self.agents.close()
        self._note_now()
        self._known = None
        await self.agents.leave(Role.FIB, bye)
        left = self.peers.stop(returning=returning)
        await asyncio.sleep(0)  # outboxes flush in the turn after the one that filled them
        await self.agents.leave(Role.STREAMS, bye)
        await self.agents.leave(Role.CONTROL, bye)
        await self.agents.stop()
        await self.engine.stop()
        return left

    def flush(self, reason: str) -> list[str]:
        """Tell every agent to empty its kernel and end; the names of those told."""
        told = []
        for name in self.plan.boxes.names:
            control = self.agents.connection(name, Role.CONTROL)
            if control is not None:
                control.send(Bye(reason, 0.0, flush=True))
                told.append(name)
        return told

    # --- our own restart ----------------------------------------------------------------------------------------------

    def _restarted(self) -> None:
        self._restarted_task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        """The RIB is whole: everybody hears of it, once it is settled too."""
        while await self.engine.call(lambda engine: engine.step()):
            pass
        for feed in self.feeds.values():
            feed.release()
        self.peers.restarted()

    def _note(self) -> None:
        """Something about a neighbor may have changed."""
        self.restart.look()
        if self._known is not None and self._noting is None:
            self._noting = asyncio.get_running_loop().call_later(NOTED, self._note_now)

    def _note_now(self) -> None:
        if self._noting is not None:
            self._noting.cancel()
            self._noting = None
        if self._known is not None:
            missing = self.restart.waits_for if self.restart.deferring else frozenset[str]()
            try:
                self._known.write(missing | self.peers.with_graceful_restart())
            except OSError as error:  # a full disk is no reason to end without a word to anybody
                log.error("neighbors.not-noted", error=str(error))

    # --- agents (AgentHandler) ----------------------------------------------------------------------------------------

    def agent_up(self, connection: AgentConnection, hello: Hello, now: float) -> None:
        match connection.role:
            case Role.CONTROL:
                self._back(connection.ncp)
                self._refusals.welcomed(connection.ncp)
                self.restart.box(connection.ncp, hello.keeps)
                self.facts.agent_up(connection.ncp)
            case Role.STREAMS:
                tcp_ao = "tcp-ao" in hello.capabilities
                self.peers.agent_up(connection.ncp, connection.send_frames, tcp_ao, lambda: connection.unread)
            case Role.FIB:
                self.feeds[connection.ncp].up(connection, hello, held=self.restart.kept(connection.ncp))

    def agent_message(self, connection: AgentConnection, message: Message, now: float) -> None:
        match connection.role:
            case Role.CONTROL:
                self._control(connection.ncp, message)
            case Role.STREAMS:
                self.peers.message(connection.ncp, message)
            case Role.FIB:
                self.feeds[connection.ncp].message(message)

    def agent_down(self, connection: AgentConnection, reason: str, now: float) -> None:
        match connection.role:
            case Role.CONTROL:
                self.queries.agent_down(connection.ncp)
                self._back(connection.ncp)
                if self.plan.grace is not None:
                    loop = asyncio.get_running_loop()
                    self._away[connection.ncp] = loop.call_later(self.plan.grace, self.facts.lost, connection.ncp)
            case Role.STREAMS:
                self.peers.agent_down(connection.ncp, reason)
            case Role.FIB:
                self.feeds[connection.ncp].down()

    def agent_refused(self, hello: Hello, error: Error, origin: str) -> None:
        self._refusals.refused(hello.ncp, error, origin, hello.election_id)

    def agent_left(self, connection: AgentConnection, error: Error) -> None:
        self._refusals.left(connection.ncp, error)

    def _back(self, ncp: str) -> None:
        timer = self._away.pop(ncp, None)
        if timer is not None:
            timer.cancel()

    @property
    def agent_full(self) -> bool:
        return self.engine.full

    async def agent_room(self) -> bool:
        await self.engine.room()
        return True

    def _control(self, ncp: str, message: Message) -> None:
        match message:
            case Ports() | Addresses() | FactsComplete():
                self.facts.apply(ncp, message)
                if ncp in self.facts.complete:
                    self.peers.facts_used(ncp, self.facts.pictures[ncp].usable_addresses())
            case Routers():
                self.peers.routers_heard(ncp, message.present)
            case Conditions(rows):
                self.conditions[ncp].told(rows)
            case Neighbours():
                pass  # a resolved neighbour changes no route: the kernel forwards by its own table
            case Answer():
                self.queries.answered(ncp, message)
            case _:
                raise WireError(f"{type(message).__name__} does not belong on the control connection")

    # --- facts (FactSink) ---------------------------------------------------------------------------------------------

    def put_connected(self, ncp: str, prefix: PrefixBytes, port: str, local: bool) -> None:
        self.engine.post(
            lambda engine: engine.put_connected(self.connected_sources[ncp], prefix, ncp, port, local=local)
        )

    def delete_connected(self, ncp: str, prefix: PrefixBytes) -> None:
        self.engine.post(lambda engine: engine.delete(self.connected_sources[ncp], prefix))

    def set_port(self, ncp: str, port: str, up: bool) -> None:
        self.engine.post(lambda engine: engine.set_port(ncp, port, up))

    def box_config(self, ncp: str, config: BoxConfig) -> None:
        control = self.agents.connection(ncp, Role.CONTROL)
        if control is not None:
            control.send(config)

    def left_out(self, ncp: str, reason: str) -> None:
        self.feeds[ncp].isolated = reason == ISOLATED
        if reason:
            self.conditions[ncp].set("out-of-routing", "alarm", f"{reason}: its ports have left routing")
        else:
            self.conditions[ncp].clear("out-of-routing")
        self.peers.isolated(ncp, reason == ISOLATED)

    def facts_used(self, ncp: str, sequence: int) -> None:
        def used(_: Any) -> None:
            self.feeds[ncp].feed.fact_sequence = sequence

        self.engine.post(lambda engine: None, used)
