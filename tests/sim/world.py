"""The whole of FIB distribution as one object without threads, sockets or time: a controller, two boxes, their kernels
and the connections between, driven by a list of steps.

A step is a kind and a number whose meaning depends on what there is; none is ever invalid, so that any list of steps is
a run, and any part of a failing list may be left out in search of the smallest.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import structlog

from fibd.distributor import FeedState
from fibd.wire import Role
from tests.props.folding import FoldedFib, Group
from tests.sim.box import Box
from tests.sim.controller import Controller
from tests.sim.kernel import TABLES, Hops, Prefix
from tests.sim.loop import Loop
from tests.sim.lowering import Weights, expected
from tests.sim.rib import BOXES, NAMES, PREFIXES, Inputs, Told, addresses_of

Step = tuple[str, int]
WINDOW = 700
"""Credit of an agent: a few transactions."""
SMALL = {
    "fibd.distributor.CHUNK_ROUTES": 4,
    "fibd.distributor.MAX_CHUNK": 450,
    "fibd.distributor.MAX_TRANSACTIONS": 6,
    "fibd.failures.MAX_FAILURES": 4,
    "fibd.agent.WINDOW": WINDOW,
    "fibd.agent._FAILURES_PER_ACK": 2,
    "routingd.engine_thread.STEP_BUDGET": 6,
    "routingd.engine_thread.ROUND_JOBS": 3,
}
"""Every limit so low that seventeen prefixes meet it."""
BATCH = 200
WEIGHTS = {"ncp1": Weights(), "ncp2": Weights(65535, backup=True)}
PATIENCE = 20_000
PORTS = ("p0", "p1", "fabric")


class World:
    def __init__(self) -> None:
        self.loop = Loop()
        self.inputs = Inputs()
        self.boxes = [Box(name, addresses_of(name), BATCH, WEIGHTS[name]) for name in NAMES]
        self.election_id = 0
        self.controller = self._new_controller()
        for box in self.boxes:
            box.start()

    def _new_controller(self) -> Controller:
        self.election_id += 1
        controller = Controller(BOXES, self.loop, self.election_id, WINDOW)
        self.inputs.prepare(controller.engine)
        self.told = Told(controller.engine)
        return controller

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, kind: str, number: int) -> None:
        STEPS[kind](self, number)

    def _tell(self, *jobs: Any) -> None:
        for job in jobs:
            self.controller.thread.post(job)

    def box(self, number: int) -> Box:
        return self.boxes[number % len(self.boxes)]

    def static(self, number: int) -> None:
        self._tell(self.inputs.static(number))

    def no_static(self, number: int) -> None:
        self._tell(self.inputs.no_static(number))

    def announce(self, number: int) -> None:
        self._tell(*self.inputs.announce(number))

    def withdraw(self, number: int) -> None:
        self._tell(*self.inputs.withdraw(number))

    def turn(self, number: int) -> None:
        self.controller.turn()

    def callback(self, number: int) -> None:
        self.loop.run_one()

    def agent_reads(self, number: int) -> None:
        self.box(number).read(list(Role)[number // 2 % 3], number // 6 % 700 + 1)

    def controller_reads(self, number: int) -> None:
        if self.controller.accepted:
            count = len(self.controller.accepted)
            self.controller.read(number % count, number // count % 300 + 1)

    def write(self, number: int) -> None:
        self.box(number).write()

    def report(self, number: int) -> None:
        self.box(number).report()

    def dial(self, number: int) -> None:
        link = self.box(number).dial(list(Role)[number // 2 % 3])
        if link is not None:
            self.controller.accept(link)

    def pump(self, number: int) -> None:
        """All that wants to go on does, a few times over."""
        for _ in range(number % 8 + 1):
            self._pump()

    def carrier(self, number: int) -> None:
        self.box(number).carrier(PORTS[number // 2 % 3], up=number // 6 % 2 == 0)

    def hear(self, number: int) -> None:
        self.box(number).hear()

    def cut(self, number: int) -> None:
        """One connection, at any byte of what is on the way."""
        if self.controller.accepted:
            count = len(self.controller.accepted)
            link = self.controller.accepted[number % count].link
            number //= count
            down = number % (len(link.down.data) + 1)
            link.cut(down, number // (len(link.down.data) + 1) % (len(link.up.data) + 1))

    def kill_agent(self, number: int) -> None:
        self.box(number).kill()

    def start_agent(self, number: int) -> None:
        if self.box(number).running is None:
            self.box(number).start()

    def lose_answers(self, number: int) -> None:
        self.box(number).lose_answers()

    def save(self, number: int) -> None:
        self.box(number).save()

    def forget(self, number: int) -> None:
        """A disk that is lost, or broken."""
        disk = self.box(number).disk
        disk.memory = disk.memory[: number // 2 % (len(disk.memory) + 1)]

    def begin_again(self, number: int) -> None:
        self.box(number).begin_again()

    def meddle(self, number: int) -> None:
        self.box(number).meddle(number // 2)

    def audit(self, number: int) -> None:
        self.box(number).audit()

    def kill_controller(self, number: int) -> None:
        self.controller.kill()
        self.controller = self._new_controller()
        self.controller.waiting = self.inputs.everything()
        if number % 2:
            self.controller.waiting.reverse()
        self.controller.held = number % 4 < 3

    def learn(self, number: int) -> None:
        for _ in range(number % 6 + 1):
            self.controller.learn()

    def wait(self, number: int) -> None:
        self.loop.advance((0.1, 1.0, 5.0, 61.0)[number % 4])

    def refuse(self, number: int) -> None:
        self.box(number).refuse(PREFIXES[number // 2 % len(PREFIXES)])

    def forgive(self, number: int) -> None:
        self.box(number).kernel.refused.clear()

    def quiet(self, number: int) -> None:
        self.settle()
        self.check()

    # --- going on -----------------------------------------------------------------------------------------------------

    def _pump(self) -> bool:
        """One of each kind of work there is; whether there was any."""
        busy = self.controller.turn()
        busy |= self.loop.run_one()
        for box in self.boxes:
            for role in Role:
                link = box.dial(role)
                if link is not None:
                    self.controller.accept(link)
                    busy = True
                busy |= box.read(role, 1 << 20)
            busy |= box.hear()
            busy |= box.write()
            busy |= box.report()
        for accepted in list(self.controller.accepted):
            if accepted in self.controller.accepted:
                busy |= self.controller.read(self.controller.accepted.index(accepted), 1 << 20)
        return busy

    def settle(self) -> None:
        """Until nothing is left to do but to try again what a kernel refuses."""
        for box in self.boxes:
            if box.running is None:
                box.start()
        for _ in range(PATIENCE):
            if self._pump() or self.controller.learn():
                continue
            if any(box.audit() for box in self.boxes):
                continue
            if self._settled():
                return
            due = self.loop.next_timer()
            assert due is not None, self.describe()
            self.loop.advance(due - self.loop.now)
        raise AssertionError(f"it never comes to rest: {self.describe()}")

    def _settled(self) -> bool:
        for box in self.boxes:
            feed = self.controller.feeds[box.name]
            waiting = {(key[1], key[2]) for key in feed.feed.failures}
            if not feed.feed.caught_up or not feed.agrees or (feed.feed.next_deadline() and not waiting):
                return False
            if not waiting <= box.kernel.refused.keys():
                return False
        return True

    # --- judging ------------------------------------------------------------------------------------------------------

    def truth(self) -> tuple[dict[Prefix, tuple[bytes, Group]], tuple[int, int]]:
        """The RIB's own FIB, by a reader that has seen nothing before: {prefix: (group key, content)}, count and
        digest."""
        engine = self.controller.engine
        reader = engine.fib_open()
        fib = FoldedFib()
        fib.read_all(engine, reader)
        _, count, digest = engine.fib_snapshot_state(reader)
        engine.fib_close(reader)
        routes, groups = fib.content()
        return {prefix: (key, groups[key]) for (_, prefix), key in routes.items()}, (count, digest)

    def check(self) -> None:
        truth, sums = self.truth()
        for box in self.boxes:
            run, feed = box.running, self.controller.feeds[box.name].feed
            assert run is not None
            assert feed.state is FeedState.LIVE
            remembered = run.folded.remembered(truth)
            told_of = {prefix: row for prefix, row in truth.items() if prefix not in remembered}
            assert run.folded.content() == told_of, "what was accepted is not what the RIB holds"
            assert remembered <= truth.keys()
            assert not run.folded.stale
            assert run.model.digest() == sums
            groups = {prefix: group for prefix, (_, group) in truth.items()}
            wanted = expected(run.ports, groups)
            found = box.kernel.forwards()
            refused = box.kernel.refused.keys()
            assert _without(found, refused) == _without(wanted, refused), "the kernel forwards otherwise"
            wrong = {prefix for prefix in refused if wanted.get(prefix, "none") != found.get(prefix, "none")}
            told = {(key[1], key[2]) for key in feed.failures}
            counts = box.describe()
            rows = {prefix: run.model.route(TABLES[len(prefix[0])], prefix) for prefix in truth}
            failed = {prefix for prefix, row in rows.items() if row is not None and row["state"] == "failed"}
            told = {(key[1], key[2]) for key in feed.failures}
            # One that has become no route since is noticed when it is due to be tried again; beyond a number all are
            # forgotten, and the stream begins anew.
            assert wrong <= failed
            assert told <= refused
            assert failed <= told or feed.restart_due(math.inf), "failures that nobody was told of"
            assert (counts["pending"], counts["stale"], counts["failed"]) == (0, 0, len(failed))
            kernel = box.kernel
            assert (counts["kernel_groups"], counts["kernel_nexthops"]) == (len(kernel.groups), len(kernel.singles))
            groups_known = {key for key, _ in truth.values()}
            assert run.folded.known() == groups_known, "groups without end"
            assert counts["groups"] == len(groups_known)

    def finish(self) -> None:
        """Kernels take everything again, and all is right."""
        for box in self.boxes:
            box.kernel.refused.clear()
        self.settle()
        self.check()
        self.told.check()
        for feed in self.controller.feeds.values():
            assert not feed.feed.disagreements, "an honest stream and an honest agent came to differ"

    def describe(self) -> str:
        lines = [f"{feed.ncp}: {feed.state} {feed.describe()}" for feed in self.controller.feeds.values()]
        return "\n".join([f"at {self.loop.now:.1f}", *lines])


def _without(routes: dict[Prefix, Hops | None], some: Any) -> dict[Prefix, Hops | None]:
    return {prefix: hops for prefix, hops in routes.items() if prefix not in some}


STEPS: dict[str, Callable[[World, int], None]] = {
    name: getattr(World, name)
    for name in (
        "static", "no_static", "announce", "withdraw", "turn", "callback", "agent_reads", "controller_reads", "write",
        "report", "dial", "pump", "carrier", "hear", "cut", "kill_agent", "start_agent", "lose_answers", "begin_again",
        "save", "forget", "meddle", "audit", "kill_controller", "learn", "wait", "refuse", "forgive", "quiet",
    )
}  # fmt: skip


@contextlib.contextmanager
def small_limits() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(structlog.testing.capture_logs())
        for name, value in SMALL.items():
            stack.enter_context(mock.patch(name, value))
        yield


def run(steps: Sequence[Step]) -> World:
    """To the end, then to rest, and judged."""
    with small_limits():
        world = World()
        with world.loop.running():
            for kind, number in steps:
                world.step(kind, number)
            world.finish()
    return world
