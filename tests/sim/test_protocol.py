"""The whole of FIB distribution under loss, restarts, reordering, refusals and slowness, in many random orders."""

from __future__ import annotations

import random

import pytest

from tests.props.peers import prefix as parsed
from tests.sim.controller import GRACE
from tests.sim.world import Step, World, run, small_limits

WEIGHTS = {
    "static": 6, "no_static": 2, "announce": 5, "withdraw": 3, "turn": 8, "callback": 8, "agent_reads": 14,
    "controller_reads": 12, "write": 14, "report": 8, "dial": 8, "pump": 6, "carrier": 3, "hear": 3, "cut": 1.5,
    "kill_agent": 0.6, "start_agent": 2, "lose_answers": 0.6, "begin_again": 0.3, "meddle": 0.6, "audit": 1.5,
    "save": 4, "forget": 0.2, "kill_controller": 0.4, "learn": 4, "wait": 2, "refuse": 1.5, "forgive": 0.7,
    "quiet": 0.3,
}  # fmt: skip


def steps_of(seed: int) -> list[Step]:
    rng = random.Random(seed)
    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=rng.choice((30, 100, 200, 300)))
    return [(kind, rng.randrange(1 << 20)) for kind in kinds]


def fails(steps: list[Step]) -> bool:
    try:
        run(steps)
    except Exception:
        return True
    return False


def smallest(steps: list[Step]) -> list[Step]:
    """A part of a failing run that still fails, without any step that it does not need."""
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            without = steps[:at] + steps[at + size :]
            if fails(without):
                steps = without
            else:
                at += size
        size //= 2
    return steps


def judge(seed: int) -> None:
    steps = steps_of(seed)
    try:
        run(steps)
    except Exception as error:
        error.add_note(f"seed {seed}; the smallest run that fails: {smallest(steps)}")
        raise


def test_boxes_end_with_what_the_rib_holds_whatever_is_lost_on_the_way() -> None:
    for seed in range(150):
        judge(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(100))
def test_ten_thousand_runs(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        judge(seed)


def test_what_a_box_lost_by_carrier_and_cannot_write_again_is_withdrawn_until_it_can() -> None:
    """It is told while the rest is still being written; nothing new has come, so all counts as installed as before."""
    with small_limits():
        world = World()
        with world.loop.running():
            world.announce(875)  # three prefixes by ncp2's peer: from ncp1 over the fabric
            world.settle()
            world.told.check()
            box, feed = world.boxes[0], world.controller.feeds["ncp1"].feed
            prefix = parsed("20.8.0.0/16")
            assert prefix in box.kernel.routes
            box.carrier("fabric", up=False)
            world.settle()
            assert prefix not in box.kernel.routes
            box.refuse(prefix)
            box.carrier("fabric", up=True)
            box.hear()
            while box.write() | box.report():
                pass
            world.settle()
            world.check()
            assert [(key[1], key[2]) for key in feed.failures] == [prefix]
            world.told.check(refused={"20.8.0.0/16"})
            world.finish()
            assert prefix in box.kernel.routes


def test_a_box_that_does_not_return_keeps_no_place_in_the_log() -> None:
    """Also where a chunk was on its way to it when its connection ended."""
    with small_limits():
        world = World()
        with world.loop.running():
            world.settle()
            feed = world.controller.feeds["ncp1"]
            world.static(0)
            while not world.loop.waiting:
                world.controller.turn()
            feed.down()
            while world.loop.run_one():
                pass
            assert feed._cursor is not None
            world.loop.advance(GRACE)
            while world.loop.run_one():
                pass
            assert feed._cursor is None
