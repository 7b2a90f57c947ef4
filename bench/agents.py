"""``python -m bench.agents [ROUTES] [AGENTS ...]``: what FIB distribution costs a controller, by the number of agents.

The engine, the feeds and every byte of every frame are the real ones; the agents are not: 512 models of a million
routes would be 30 GB. Each takes its frames as a box does, in order, checks length, sequence and a sum over all bytes
against those of the first one, and acknowledges only when it has been sent all that its credit allows; the first is a
whole agent with a whole model, whose digest is held to the RIB's at the end. What agents do is not counted as the
controller's. Sockets are left out.

For each number of agents, in a process of its own: a table in the engine; all agents connect at once; then a tenth of
the table changes in bursts, and each burst goes to all of them; then a next hop moves below the whole table. Writes
bench/agents.json and docs/agents.svg.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import native
from bench.plot import Plot, Series, drawn
from bench.rib import FIRST, engine_with_peers, load, resident
from fibd.agent import WINDOW, Agent, Close, Send
from fibd.distributor import Feed, read_chunk
from fibd.outstanding import credit_of_each
from fibd.wire import Ack, Decoder, SnapshotVerdict, Welcome
from tests.lab import tables, updates

MEGA = 1e6
CONNECTED = 1
"""The engine's first source."""
NUMBERS = (1, 2, 8, 32, 128, 512)
BURST = 1000
KEY = bytes(16)
RESULTS = Path(__file__).with_name("agents.json")
PICTURE = Path(__file__).parent.parent / "docs" / "agents.svg"


@dataclass
class Result:
    """Seconds are the controller's processor time, megabytes what its process had in memory."""

    agents: int
    routes: int
    bytes_each: int
    """Of a whole table, to one agent."""
    snapshot: float
    changed: int
    bursts: int
    churn: float
    move: float
    move_messages: int
    memory: float
    """Before any agent."""
    memory_snapshot: float
    """The most while they all were given the table, and what they had been sent but not taken."""
    memory_end: float


Answer = Ack | SnapshotVerdict


class Sink:
    """An agent of which only a sum is left."""

    def __init__(self) -> None:
        self.sum = self.sequence = self.bytes = 0

    def take(self, frame: bytes) -> None:
        assert int.from_bytes(frame[:4], "big") == len(frame) - 4
        self.sum = zlib.crc32(frame, self.sum)
        self.sequence += 1
        self.bytes += len(frame)

    def answers(self) -> list[Answer]:
        return [Ack(self.sequence, self.sequence, self.sequence, WINDOW)]


class Whole(Sink):
    """A real agent with a real model, but for the kernel: what it is told counts as installed."""

    def __init__(self) -> None:
        super().__init__()
        self.model = native.AgentFib(ncp="ncp1")
        self._agent = Agent(self.model)
        self._decoder = Decoder()
        self._verdicts: list[Answer] = []
        welcome = Welcome(1, 1, b"stream", KEY)
        self._agent.elect(welcome)
        self._agent.connected(welcome)

    def take(self, frame: bytes) -> None:
        super().take(frame)
        for message, _, _ in self._decoder.feed(frame):
            effects = self._agent.receive(message)
            assert not any(isinstance(effect, Close) for effect in effects), effects
            told = [effect.message for effect in effects if isinstance(effect, Send)]
            self._verdicts += [message for message in told if isinstance(message, SnapshotVerdict)]

    def answers(self) -> list[Answer]:
        verdicts, self._verdicts = self._verdicts, []
        effects = self._agent.written(self._agent.position, True, [])
        return [*verdicts, *(e.message for e in effects if isinstance(e, Send) and isinstance(e.message, Ack))]


class Controller:
    """What `routingd.feeds` does, in turns; ``spent`` is its processor time."""

    def __init__(self, engine: native.Engine, agents: int) -> None:
        self.engine = engine
        self.sinks = [Whole(), *(Sink() for _ in range(agents - 1))]
        self.feeds = [Feed("ncp1", 1, credit_of_each(agents)) for _ in self.sinks]
        self.cursors: list[int] = []
        self.spent = 0.0
        self.most = 0

    def connect(self) -> None:
        for feed, sink in zip(self.feeds, self.sinks, strict=True):
            begun = time.thread_time()
            self.cursors.append(self.engine.fib_open())
            feed.connected()
            frames = feed.begin(0.0)
            self.spent += time.thread_time() - begun
            self._hand_over(sink, frames)

    def _hand_over(self, sink: Sink, frames: list[bytes]) -> None:
        for frame in frames:
            sink.take(frame)

    def _read(self) -> bool:
        """A stretch for every agent that has room and that there is news for."""
        busy = False
        for feed, sink, cursor in zip(self.feeds, self.sinks, self.cursors, strict=True):
            begun = time.thread_time()
            want = feed.wants(0.0)
            chunk = read_chunk(self.engine, cursor, want) if want is not None else None
            frames = feed.chunk(chunk, 0.0) if chunk is not None else []
            self.spent += time.thread_time() - begun
            busy |= chunk is not None
            self._hand_over(sink, frames)
        return busy

    def _hear(self) -> None:
        for feed, sink in zip(self.feeds, self.sinks, strict=True):
            for answer in sink.answers():
                begun = time.thread_time()
                if isinstance(answer, Ack):
                    frames = feed.ack(answer, 0.0)
                else:
                    assert answer.agree
                    feed.verdict(answer, 0.0)
                    frames = []
                self.spent += time.thread_time() - begun
                self._hand_over(sink, frames)

    def run(self) -> float:
        """Until all have all; seconds of the controller."""
        before = self.spent
        busy = True
        while busy or not all(feed.caught_up for feed in self.feeds):
            self._hear()
            busy = False
            while self._read():
                busy = True
            self.most = max(self.most, resident())
        first = self.sinks[0]
        assert all((s.sum, s.sequence, s.bytes) == (first.sum, first.sequence, first.bytes) for s in self.sinks)
        return self.spent - before


def measure(agents: int, routes: int, directory: Path, answer: Connection) -> None:
    engine, peers = engine_with_peers(2)
    load(engine, peers[0], FIRST, directory / "0")
    settle(engine)
    memory = resident()
    controller = Controller(engine, agents)
    controller.connect()
    snapshot = controller.spent + controller.run()
    most = controller.most
    bytes_each = controller.sinks[0].bytes
    churn = 0.0
    bursts = sorted(directory.glob("burst.*"))
    for burst in bursts:
        load(engine, peers[1], FIRST + 1, burst)
        settle(engine)
        churn += controller.run()
    changed = engine.source_counts(peers[1])["ipv4"]
    sequence = controller.sinks[0].sequence
    engine.put_connected(CONNECTED, (bytes((10, 9, 0, 0)), 24), "ncp1", "eth7")
    settle(engine)
    move = controller.run()
    whole = controller.sinks[0]
    assert isinstance(whole, Whole)
    _, count, digest = engine.fib_snapshot_state(controller.cursors[0])
    assert whole.model.digest() == (count, digest)
    messages = controller.sinks[0].sequence - sequence
    answer.send(
        Result(
            agents, routes, bytes_each, snapshot, changed, len(bursts), churn, move, messages, memory / MEGA,
            most / MEGA, resident() / MEGA,
        )
    )  # fmt: skip


def settle(engine: native.Engine) -> None:
    while engine.step():
        pass


def prepare(directory: Path, routes: int) -> None:
    """The table, and a tenth of it again over a shorter path, in bursts."""
    table = tables.generate(routes, first_asn=FIRST, next_hop="10.9.0.2")
    (directory / "0").write_bytes(table.encode())
    better = [attributes._replace(as_path=str(FIRST + 1), next_hop="10.9.1.2") for attributes in table.sets]
    messages: list[bytes] = []
    changed = number = 0
    for attributes, (_, start, end) in zip(better, table.runs(), strict=True):
        messages += updates.announcements(table.prefixes(start, end), attributes)
        changed += end - start
        if changed >= BURST * (number + 1):
            (directory / f"burst.{number:04}").write_bytes(b"".join(messages))
            messages, number = [], number + 1
        if changed >= routes // 10:
            return


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m bench.agents")
    words.add_argument("routes", type=int, nargs="?", default=1_000_000)
    words.add_argument("agents", type=int, nargs="*", default=NUMBERS)
    chosen = words.parse_args()
    spawn = multiprocessing.get_context("spawn")
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="rd-bench-") as name:
        run(spawn.Process(target=prepare, args=(Path(name), chosen.routes)))
        for agents in chosen.agents:
            here, there = spawn.Pipe(duplex=False)
            run(spawn.Process(target=measure, args=(agents, chosen.routes, Path(name), there)))
            results.append(here.recv())
            r = results[-1]
            print(
                f"{agents:4} agents: a whole table {r.snapshot:.2f} s, {r.changed:,} changes {r.churn:.2f} s, a next "
                f"hop moves {r.move * 1000:.2f} ms in {r.move_messages} messages; {r.memory:.0f} MB before, "
                f"{r.memory_snapshot:.0f} MB at most, {r.memory_end:.0f} MB at the end",
                flush=True,
            )
    RESULTS.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    PICTURE.write_text(picture(results))


def run(child: SpawnProcess) -> None:
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(child.exitcode)


def picture(results: list[Result]) -> str:
    def series(name: str, value: Callable[[Result], float]) -> Series:
        return Series(name, [(result.agents, value(result)) for result in results])

    routes, changed = results[0].routes, results[0].changed
    return drawn(
        f"One controller, {routes:,} routes",
        [
            Plot(
                "the controller's processor time",
                "s",
                [
                    series("all agents connect at once", lambda r: r.snapshot),
                    series(f"{changed:,} routes change", lambda r: r.churn),
                    series("a next hop moves below nine tenths", lambda r: r.move),
                ],
            ),
            Plot(
                "memory",
                "MB",
                [
                    series("at most, while all connect", lambda r: r.memory_snapshot),
                    series("at the end", lambda r: r.memory_end),
                    series("without agents", lambda r: r.memory),
                ],
            ),
        ],
    )


if __name__ == "__main__":
    main()
