"""One agent with its box: the real ``fibd.agent.Agent`` and ``native.AgentFib`` over a simulated kernel.

Each thing that ``ncpd`` does on a thread or after a wait is a step of its own; the order within each step is that of
``routingd.agent.process``.

What survives a kill is ``kernel`` and ``disk``.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fibd.agent import RESUME, Agent, Close, Effect, Kick, Remember, Send
from fibd.facts import Facts
from fibd.wire import (
    Ack,
    BoxConfig,
    Decoder,
    Error,
    Hello,
    Message,
    Resume,
    Role,
    SnapshotVerdict,
    Welcome,
    encode,
)
from native import AgentFib
from tests.sim.folded import SOME_KEY, Folded
from tests.sim.kernel import TABLES, Kernel, Prefix, deleted
from tests.sim.links import Link
from tests.sim.lowering import EIGHT_BITS, Ports, Weights, expected, lowered

INDEXES = {"p0": 10, "p1": 11, "fabric": 12}
Failure = tuple[int, bytes, int, int, str]


@dataclass
class Disk:
    election_id: int = 0
    config: BoxConfig | None = None
    memory: bytes = b""
    """What an agent's next life knows of its kernel's groups; seldom the newest."""


@dataclass
class Connection:
    role: Role
    link: Link
    decoder: Decoder = field(default_factory=Decoder)
    welcome: Welcome | None = None
    ending: bool = False

    def send(self, message: Message) -> None:
        if not self.ending:
            self.link.up.write(encode(message))

    def end(self) -> None:
        self.ending = True
        self.link.up.closed = True


@dataclass
class Running:
    """What a kill takes away."""

    boot_id: bytes
    model: AgentFib
    agent: Agent
    ports: Ports
    folded: Folded
    facts: Facts = field(default_factory=Facts)
    dialled: dict[Role, Connection] = field(default_factory=dict)
    up: dict[Role, Connection] = field(default_factory=dict)
    kicked: bool = True
    meddled: bool = False
    """The kernel may hold what the model does not know of."""
    was_meddled: bool = False
    saving: bytes | None = None
    """A memory that is on its way to the disk."""
    auditing: str | None = None
    """What of the kernel is being held to the model."""
    position: int = 0
    facts_heard: int = 0
    facts_used: int = 0
    """How many of the box's own facts the model had when the writer last looked at ``position``."""
    built: bytes | None = None
    """A batch that is on its way to the kernel."""
    replies: bytes | None = None
    reports: deque[tuple[int, int, bool, list[Failure], int]] = field(default_factory=deque)
    """From the writer's thread to the loop; the last is ``facts_used``."""


class Box:
    def __init__(self, name: str, addresses: dict[str, list[tuple[bytes, int]]], batch: int, weights: Weights) -> None:
        self.name = name
        self.kernel = Kernel()
        self.disk = Disk()
        self.news: deque[tuple[str, bool]] = deque()
        """What ports did and nobody here has heard."""
        self.boots = 0
        self.running: Running | None = None
        self._addresses = addresses
        self._batch = batch
        self._weights = weights

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        assert self.running is None
        self.boots += 1
        self.news.clear()
        boot_id = f"{self.name} {self.boots}".encode().ljust(16, b"\0")
        ports = Ports(self.name, INDEXES, {}, self._weights)
        model = self._new_model()
        folded = Folded(set(self.kernel.routes))
        run = self.running = Running(boot_id, model, Agent(model, self.disk.election_id), ports, folded)
        for name, rows in self._addresses.items():
            self._port(run, name, INDEXES[name] not in self.kernel.down)
            for address, length in rows:
                run.facts.address((name, address, length), usable=True)
        self._fabric(run)
        self._adopt(run, self.disk.memory)

    def kill(self) -> None:
        if self.running is not None:
            for connection in self.running.dialled.values():
                connection.end()
            self.running = None

    def _new_model(self) -> AgentFib:
        model = AgentFib(ncp=self.name)
        model.set_weights(wide=self._weights.most > EIGHT_BITS, backup=self._weights.backup)
        return model

    def _adopt(self, run: Running, memory: bytes) -> None:
        assert run.model.adopt_nexthops(self.kernel.dump_nexthops()) == len(self.kernel.groups) + len(
            self.kernel.singles
        )
        assert run.model.adopt_routes(self.kernel.dump_routes()) == len(self.kernel.routes)
        run.model.recall(memory)
        run.kicked = True

    def lose_answers(self) -> None:
        """The kernel's answers to a batch were dropped."""
        run = self.running
        if run is not None and run.replies is not None:
            run.replies = None
            run.reports.append((run.position, 0, False, run.model.batch_done(b""), run.facts_used))
            run.meddled = True  # what the kernel holds is not known for sure: it is audited

    def begin_again(self) -> None:
        """The model is made anew from a dump, as where the kernel's table is to be another."""
        run = self.running
        if run is None:
            return
        if (fib := run.up.get(Role.FIB)) is not None:
            fib.end()
        run.built = run.replies = run.auditing = None
        run.reports.clear()
        run.meddled = run.was_meddled = False
        memory = run.model.memory()
        run.model = self._new_model()
        run.agent.replace(run.model)
        run.folded = Folded(set(self.kernel.routes))
        for name, up in run.ports.up.items():
            run.model.set_port(name, INDEXES[name], up)
        self._fabric(run)
        self._adopt(run, memory)

    def save(self) -> bool:
        """Its memory, in two steps: a kill may come between."""
        run = self.running
        if run is None:
            return False
        if run.saving is not None:
            self.disk.memory, run.saving = run.saving, None
        elif run.model.unsaved:
            run.saving = run.model.memory()
        else:
            return False
        return True

    # --- the kernel held to the model ---------------------------------------------------------------------------------

    def meddle(self, number: int) -> None:
        """Somebody else deletes one thing; once in the life of a model, as what drifts again is given up."""
        run = self.running
        if run is None or run.was_meddled:
            return
        things: list[Prefix | int] = [*self.kernel.routes, *self.kernel.groups, *self.kernel.singles]
        if things:
            run.meddled = run.was_meddled = True
            self.kernel.take_away(things[number % len(things)])

    def audit(self) -> bool:
        """The next of: begin with the nexthops and dump them; judge them; the same of routes; as `Truth.audit` does."""
        run = self.running
        if run is None or (run.auditing is None and not run.meddled):
            return False
        if run.auditing is None:
            # What is being written is not judged: then the next audit finds it.
            run.meddled = run.built is not None or run.replies is not None
            run.auditing = "nexthops"
            run.model.audit_begin(False)
            run.model.audit_nexthops(self.kernel.dump_nexthops())
            return True
        while self.hear():
            pass
        _, failures = run.model.audit_end()
        run.kicked = True
        run.reports.append((run.agent.position, 0, False, failures, -1))
        if run.auditing == "nexthops":
            run.auditing = "routes"
            run.model.audit_begin(True)
            run.model.audit_routes(self.kernel.dump_routes())
            if run.model.audit_doubtful():
                run.model.audit_routes(self.kernel.dump_routes())
        else:
            run.auditing = None
        return True

    # --- ports --------------------------------------------------------------------------------------------------------

    def carrier(self, port: str, up: bool) -> None:
        if (INDEXES[port] in self.kernel.down) == up:
            self.kernel.carrier(INDEXES[port], up)
            self.news.append((port, up))

    def hear(self) -> bool:
        """The oldest news of a port."""
        if self.running is None or not self.news:
            return False
        messages = self._port(self.running, *self.news.popleft())
        self.running.kicked = True
        self.running.facts_heard += 1
        if Role.CONTROL in self.running.up:
            for message in messages:
                self.running.up[Role.CONTROL].send(message)
        return True

    def _port(self, run: Running, name: str, up: bool) -> list[Message]:
        run.ports.up[name] = up
        run.model.set_port(name, INDEXES[name], up)
        return run.facts.port(name, (INDEXES[name], True, up, 1500, b"\x02" * 6, "veth"))

    def _fabric(self, run: Running) -> None:
        config = self.disk.config
        if config is None:
            return
        run.ports.fabric = config.fabric_port
        run.ports.peers = {name: (pair[0] or None, pair[1] or None) for name, pair in config.fabric_peers.items()}
        run.model.set_fabric(config.fabric_port or None, run.ports.peers)

    # --- the writer's thread ------------------------------------------------------------------------------------------

    def write(self) -> bool:
        """One of: ask the model for a batch, hand it to the kernel, read what the kernel says."""
        run = self.running
        if run is None:
            return False
        if (built := run.built) is not None:
            run.built, run.replies = None, self.kernel.apply(built)
            self.kernel.check()
        elif run.replies is not None:
            failures = run.model.batch_done(run.replies)
            run.replies = None
            run.reports.append((run.position, run.model.reached, False, failures, run.facts_used))
        elif run.kicked:
            run.position, run.facts_used = run.agent.position, run.facts_heard
            batch = run.model.next_batch(self._batch, run.position)
            if batch is None:
                run.kicked = False
                run.reports.append((run.position, run.position, True, [], run.facts_used))
            else:
                run.built = batch[0]
                for prefix in deleted(run.built):
                    assert self._may_delete(run, prefix), f"{prefix} is swept although nothing has ended it"
        else:
            return False
        return True

    def _may_delete(self, run: Running, prefix: Prefix) -> bool:
        if prefix not in run.folded.routes:
            return True
        key = run.folded.routes[prefix]
        if key is None or key == SOME_KEY:
            # Of what was found here the agent may remember the key; then the stream has told what that is now.
            row = run.model.route(TABLES[len(prefix[0])], prefix)
            key = run.folded.key_of(row["nhg"]) if row is not None else None
        if key is None:
            return False  # only a snapshot may end it
        written, _ = lowered(run.ports, run.folded.contents[key], len(prefix[0]) == 16)
        return not written

    def report(self) -> bool:
        run = self.running
        if run is None or not run.reports:
            return False
        position, installed, drained, failures, facts_used = run.reports.popleft()
        effects = run.agent.written(position, installed, failures)
        for effect in effects if drained and facts_used == run.facts_heard else ():
            # Undrained it tells of refusals, and repeats what was installed before a port went and came back.
            if isinstance(effect, Send) and isinstance(effect.message, Ack):
                self._vouch(run, effect.message)
        self._perform(run, effects)
        return True

    def _vouch(self, run: Running, ack: Ack) -> None:
        """What is said to be installed is in the kernel, where no port is in the way."""
        if ack.installed < run.agent.applied or self.news or run.meddled or run.auditing:
            return
        found = self.kernel.forwards()
        groups = {prefix: group for prefix, (_, group) in run.folded.content().items()}
        for prefix, hops in expected(run.ports, groups).items():
            if found.get(prefix, "none") != hops:
                row = run.model.route(TABLES[len(prefix[0])], prefix)
                assert row is not None
                assert row["state"] == "failed", f"{prefix} is said to be installed"

    # --- connections --------------------------------------------------------------------------------------------------

    def dial(self, role: Role) -> Link | None:
        """A new connection with its Hello on the way, where one is due."""
        run = self.running
        if run is None or role in run.dialled or (role is not Role.CONTROL and Role.CONTROL not in run.up):
            return None
        connection = run.dialled[role] = Connection(role, Link())
        counts = run.model.counts()
        connection.send(
            Hello(
                role, self.name, run.boot_id, capabilities=[RESUME], stream_id=run.agent.stream_id,
                last_sequence=run.agent.applied,
                election_id=run.agent.election_id, keeps=counts["routes"] + counts["stale"] > 0,
            )
        )  # fmt: skip
        return connection.link

    def read(self, role: Role, most: int) -> bool:
        """What has arrived on a connection, at most so many bytes of it."""
        run = self.running
        connection = run.dialled.get(role) if run is not None else None
        if run is None or connection is None:
            return False
        if connection.ending:
            self._down(run, connection)
            return True
        data = connection.link.down.take(most)
        if data is None:
            return False
        if not data:
            self._down(run, connection)
            return True
        for message, _, _ in connection.decoder.feed(data):
            if not self._handle(run, connection, message):
                break
        return True

    def _handle(self, run: Running, connection: Connection, message: Message) -> bool:
        if connection.ending:
            return False
        if connection.welcome is not None:
            self._receive(run, connection, message)
        else:
            self._welcome(run, connection, message)
        return True

    def _welcome(self, run: Running, connection: Connection, message: Message) -> None:
        if isinstance(message, Error):
            connection.end()
            return
        assert isinstance(message, Welcome)
        effects, refusal = run.agent.elect(message)
        if refusal is not None:
            connection.send(refusal)
            connection.end()
            return
        self._perform(run, effects)
        for other in run.up.values():
            if other.welcome is not None and run.agent.overtaken(other.welcome):
                other.send(run.agent.stale(other.welcome.election_id))
                other.end()
        connection.welcome = message
        run.up[connection.role] = connection
        if connection.role is Role.CONTROL:
            for fact in run.facts.everything():
                connection.send(fact)
        elif connection.role is Role.FIB:
            run.agent.connected(message)
            run.folded.digest_key = message.digest_key

    def _down(self, run: Running, connection: Connection) -> None:
        connection.end()
        del run.dialled[connection.role]
        if run.up.get(connection.role) is not connection:
            return
        del run.up[connection.role]
        if connection.role is Role.CONTROL:
            for other in run.dialled.values():
                other.end()
        elif connection.role is Role.FIB:
            run.agent.lost()

    def _receive(self, run: Running, connection: Connection, message: Message) -> None:
        assert not isinstance(message, Error), message.text
        if connection.role is Role.FIB:
            effects = run.agent.receive(message)
            if any(isinstance(effect, Close) for effect in effects):
                # Its Hello spoke of a stream that it has lost since with its model.
                assert isinstance(message, Resume), effects
                self._perform(run, effects)
                connection.end()
                return
            verdicts = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, SnapshotVerdict)]
            run.folded.accepted(message, verdicts[0].agree if verdicts else None, self._is_stale)
            self._perform(run, effects)
        elif isinstance(message, BoxConfig):
            self.disk.config = message
            self._fabric(run)
            run.kicked = True
            run.facts_heard += 1

    def _is_stale(self, prefix: Prefix) -> bool:
        assert self.running is not None
        row = self.running.model.route(TABLES[len(prefix[0])], prefix)
        return row is None or row["state"] == "stale"

    def _perform(self, run: Running, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    if Role.FIB in run.up:
                        run.up[Role.FIB].send(message)
                case Kick():
                    run.kicked = True
                case Remember(election_id):
                    self.disk.election_id = election_id

    # --- asking -------------------------------------------------------------------------------------------------------

    def refuse(self, prefix: Prefix) -> None:
        self.kernel.refused[prefix] = errno.ENOSPC

    def describe(self) -> dict[str, Any]:
        assert self.running is not None
        return dict(self.running.model.counts())
