"""Random streams whose references come too early, too late or twice, into a real agent and a simulated kernel, beside a
model in plain dictionaries that says what must be refused, what must wait and what the kernel must hold."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Collection
from typing import Any

import pytest

from fibd.agent import Agent, Close, Effect, Send
from fibd.wire import Ack, Error, SnapshotBegin, Transaction, Welcome
from native import AgentFib
from tests.failures.recording import Row
from tests.props.folding import Group
from tests.sim.kernel import TABLES, Kernel, Prefix
from tests.sim.lowering import Ports, expected

STREAMS, STEPS = 150, 80
IDS = 5
INDEXES = {"p0": 10, "p1": 11}
GATEWAYS = tuple(bytes.fromhex("fe80") + bytes(13) + bytes([host]) for host in range(2, 7))
"""IPv6 all of them: routes of either family may use them."""
PREFIXES: tuple[Prefix, ...] = tuple((bytes([20, n, 0, 0]), 16) for n in range(6)) + tuple(
    (bytes([0x20, n]) + bytes(14), 32) for n in range(4)
)
EINVAL = 22


class Stream:
    """One connection after another, as each bad reference to an adjacency ends one."""

    def __init__(self, seed: int, seen: Counter[str]) -> None:
        self.rng = random.Random(seed)
        self.seen = seen
        self.kernel = Kernel()
        self.model = AgentFib(ncp="ncp1")
        for name, index in INDEXES.items():
            self.model.set_port(name, index, up=True)
        self.agent = Agent(self.model)
        self.sequence = 0
        # An adjacency is one object however many ids it had; a group's content belongs to its key.
        self.adjacencies: dict[int, list[Any]] = {}
        self.groups: dict[int, bytes] = {}
        self.contents: dict[bytes, tuple[int, list[tuple[list[Any], int, int]]]] = {}
        self.routes: dict[Prefix, bytes] = {}
        self.connect()

    def connect(self) -> None:
        """Ids mean nothing on a new stream; what was there keeps forwarding."""
        self.agent.elect(Welcome(1, 1, b"stream", bytes(16)))
        self.agent.connected(Welcome(1, 1, b"stream", bytes(16)))
        self.adjacencies, self.groups = {}, {}
        self.sequence += 1
        self.accepted(self.agent.receive(SnapshotBegin(1, self.sequence)))

    def accepted(self, effects: list[Effect]) -> list[list[Any]]:
        """Failures told once the kernel has been written."""
        assert not any(isinstance(effect, Close) for effect in effects), effects
        failures = []
        while (batch := self.model.next_batch(150)) is not None:
            refused = self.model.batch_done(self.kernel.apply(batch[0]))
            assert not refused, "what was let through was more than the kernel takes"
        for effect in self.agent.written(self.agent.position, self.agent.position, []):
            assert isinstance(effect, Send)
            assert isinstance(effect.message, Ack)
            failures += effect.message.failures
        self.kernel.check()
        groups: dict[Prefix, Group] = {}
        for prefix, key in self.routes.items():
            kind, members = self.contents[key]
            groups[prefix] = (kind, tuple((tuple(a), weight, role) for a, weight, role in members))
        wanted = expected(Ports("ncp1", INDEXES, dict.fromkeys(INDEXES, True)), groups)
        assert self.kernel.forwards() == wanted
        return failures

    def send(self, **fields: Any) -> list[Effect]:
        self.sequence += 1
        return self.agent.receive(Transaction(1, self.sequence, **fields))

    def step(self) -> None:
        kinds = ("adjacency", "group", "put", "withdraw", "drop_group", "drop_adjacency")
        getattr(self, self.rng.choices(kinds, (3, 5, 8, 2, 3, 3))[0])()

    def some(self, known: Collection[int]) -> int:
        """Mostly a number that is known."""
        return self.rng.choice(sorted(known)) if known and self.rng.random() < 0.9 else self.rng.randrange(IDS)

    def adjacency(self) -> None:
        number = self.rng.randrange(IDS)
        row = ["ncp1", self.rng.choice(list(INDEXES)), self.rng.choice(GATEWAYS), 0]
        self.adjacencies.setdefault(number, [])[:] = row
        self.accepted(self.send(adjacencies=[[number, *row]]))

    def group(self) -> None:
        number, key = self.rng.randrange(IDS), bytes([self.rng.randrange(4)]) * 16
        members = [(self.some(self.adjacencies), self.rng.randrange(1, 4), self.rng.randrange(2)) for _ in range(2)]
        packed = b"".join(struct.pack("<IHBB", *member, 0) for member in members)
        known = all(adjacency in self.adjacencies for adjacency, _, _ in members)
        effects = self.send(groups=[[number, key, 0, packed]])
        if known:
            self.groups[number] = key
            self.contents[key] = (0, [(self.adjacencies[a], weight, role) for a, weight, role in members])
            self.accepted(effects)
            return
        error, close = effects
        assert isinstance(error, Send)
        assert isinstance(error.message, Error)
        assert "unknown adjacency" in error.message.text
        assert isinstance(close, Close)
        self.seen["streams refused"] += 1
        self.connect()

    def rows(self) -> list[tuple[Prefix, int]]:
        width = self.rng.choice((4, 4, 16))
        pool = [prefix for prefix in PREFIXES if len(prefix[0]) == width]
        return [(self.rng.choice(pool), self.some(self.groups)) for _ in range(self.rng.randrange(1, 4))]

    def send_rows(self, rows: list[tuple[Prefix, int]], *, put: bool) -> list[list[Any]]:
        """Failures."""
        column = [
            TABLES[len(rows[0][0][0])], b"".join(prefix[0] for prefix, _ in rows),
            bytes(prefix[1] for prefix, _ in rows), b"".join(struct.pack("<I", number) for _, number in rows),
            bytes([put]) * len(rows),
        ]  # fmt: skip
        return self.accepted(self.send(routes=[column]))

    def put(self) -> None:
        rows = self.rows()
        unknown = []
        for at, (prefix, number) in enumerate(rows):
            if number in self.groups:
                self.routes[prefix] = self.groups[number]
            else:
                unknown.append((at, prefix, EINVAL, "unknown group"))
        told = [(row[1], (row[3], row[4]), row[5], row[6]) for row in self.send_rows(rows, put=True)]
        assert told == unknown
        self.seen["routes refused"] += len(unknown)
        self.seen["routes taken"] += len(rows) - len(unknown)

    def withdraw(self) -> None:
        rows = self.rows()
        for prefix, _ in rows:
            self.routes.pop(prefix, None)
        assert not self.send_rows(rows, put=False)

    def drop_group(self) -> None:
        number = self.rng.randrange(IDS)
        key = self.groups.pop(number, None)
        self.seen["groups ended under routes"] += key in self.routes.values()
        self.accepted(self.send(dead_groups=[number]))

    def drop_adjacency(self) -> None:
        number = self.rng.randrange(IDS)
        ended = self.adjacencies.pop(number, None)
        used = [key for key in self.routes.values() if any(a is ended for a, _, _ in self.contents[key][1])]
        self.seen["adjacencies ended under routes"] += ended is not None and bool(used)
        self.accepted(self.send(dead_adjacencies=[number]))


@pytest.mark.row(14)
def test_references_that_come_too_early_are_refused_and_what_is_still_used_ends_later(row: Row) -> None:
    seen: Counter[str] = Counter()
    for seed in range(STREAMS):
        stream = Stream(seed, seen)
        try:
            for _ in range(STEPS):
                stream.step()
        except Exception as error:
            error.add_note(f"stream {seed}")
            raise
    assert all(seen.values()), seen
    row(
        14, streams=STREAMS, changes=STREAMS * STEPS, streams_refused=seen["streams refused"],
        routes_refused=seen["routes refused"], groups_ended_under_routes=seen["groups ended under routes"],
        adjacencies_ended_under_routes=seen["adjacencies ended under routes"],
    )  # fmt: skip
