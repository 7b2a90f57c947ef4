"""What is told of the way from the RIB to a kernel: real controller and commands, an agent that says what the test
wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from fibd.wire import Ack, Query, Role
from native import Engine
from routingd import queries
from routingd.commands import Commands
from routingd.control.protocol import CommandFailed
from routingd.control.server import ControlServer, Handler
from routingd.controller import SOCKET_NAME, Controller
from routingd.fib_sums import wanted
from routingd.reference_engine import ReferenceWithBytes
from tests.routingd.fake_agent import FakeAgent, until
from tests.routingd.test_controller import controller, plan, run

CONNECTED = "192.0.2.0/24"


class Asked:
    """The control socket's commands, called as the server calls them."""

    def __init__(self, one: Controller) -> None:
        self.handlers: dict[tuple[str, ...], Handler] = {}
        Commands(one, Path("r1.yaml"), lambda: None).register(cast(ControlServer, self))

    def add(self, words: tuple[str, ...], handler: Handler, *, live: bool = False) -> None:
        self.handlers[words] = handler

    async def __call__(self, words: str, **args: Any) -> Any:
        return await cast(Any, self.handlers[tuple(words.split())](args))


@asynccontextmanager
async def forwarding(tmp_path: Path) -> AsyncIterator[tuple[Controller, FakeAgent, Asked]]:
    """One box with connected routes, whose agent says that its model holds them."""
    async with controller(tmp_path, plan(peers=False)) as one:
        agent = FakeAgent("ncp1")
        await agent.connect(tmp_path / SOCKET_NAME)
        agent.facts()
        await until(lambda: len(agent.prefixes()) == 2, "connected routes arrive")
        await until(lambda: one.feeds["ncp1"].feed.caught_up, "all is acknowledged")
        rib = await one.engine.call(wanted)
        agent.answers["counts"] = {
            "ipv4": rib["ipv4"], "ipv6": 0, "digest": int(rib["digest"], 16), "installed": 1, "pending": 0,
            "applied": one.feeds["ncp1"].describe()["sent"],
        }  # fmt: skip
        yield one, agent, Asked(one)


def test_a_box_whose_model_is_the_rib_is_equal(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (_, _agent, asked):
            answer = await asked("show fib consistency")
            assert answer["controller"]["ipv4"] == 2
            (row,) = answer["ncps"]
            assert (row["state"], row["model"], row["advice"]) == ("equal", answer["controller"], "")

    run(test)


def test_a_box_that_holds_something_else_differs_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (_, agent, asked):
            agent.answers["counts"]["digest"] ^= 1
            (row,) = (await asked("show fib consistency", ncp="ncp1"))["ncps"]
            assert row["state"] == "differs"
            assert "restart ncpd" in row["advice"]

    run(test)


def test_a_box_that_has_not_taken_everything_is_moving_and_it_is_said_how_far_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, agent, asked):
            agent.acknowledge = False
            await one.engine.call(
                lambda engine: engine.put_connected(
                    one.connected_sources["ncp1"], (bytes([198, 51, 100, 0]), 24), "ncp1", "eth0"
                )
            )
            await until(lambda: len(agent.prefixes()) == 3, "the change arrives")
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert (row["state"], row["outstanding"]) == ("moving", 1)
            sent = one.feeds["ncp1"].describe()["sent"]
            agent.send(Role.FIB, Ack(sent, sent, sent))
            rib = await one.engine.call(wanted)
            agent.answers["counts"] |= {"ipv4": 3, "digest": int(rib["digest"], 16), "applied": sent}
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert row["state"] == "equal"

    run(test)


def test_a_box_without_an_agent_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (_, agent, asked):
            del agent.answers["counts"]
            monkeypatch.setattr(queries, "PATIENCE", 0.05)
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert (row["state"], row["model"]) == ("unknown", None)
            assert "did not answer" in row["reason"]
            await agent.close()
            await until(lambda: Role.CONTROL in agent.closed, "the agent has left")
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert row["reason"] == "the agent of ncp1 is not connected"

    run(test)


def test_an_audit_is_asked_for_first_and_what_it_came_to_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (_, agent, asked):
            found = {"age": 0.2, "seconds": 0.1, "compared": 2, "repaired": 1, "held": 0, "contested": 0}
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert row["audit"] is None
            agent.answers |= {"audit": found}
            agent.answers["counts"] |= {"last_audit": found}
            (row,) = (await asked("show fib consistency", audit=True))["ncps"]
            assert [query.what for query in agent.of(Role.CONTROL, Query)][-2:] == ["audit", "counts"]
            assert (row["state"], row["audit"]["drifted"], row["audit"]["repaired"]) == ("equal", 1, 1)
            agent.answers["counts"] |= {"last_audit": found | {"held": 3, "contested": 3}}
            (row,) = (await asked("show fib consistency"))["ncps"]
            assert (row["state"], row["audit"]["drifted"]) == ("differs", 4)
            assert "another program changes 3 of our routes" in row["reason"]
            assert "kernel: table" in row["advice"]

    run(test)


def test_a_route_is_told_with_what_each_box_has_for_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, agent, asked):
            group = agent.routes[(1, bytes([192, 0, 2, 0]), 24)]
            agent.answers["route"] = {
                "nhg": group, "kernel_group": 536870913, "state": "installed",
                "members": [{"port": "eth0", "gateway": None, "weight": 1}],
            }  # fmt: skip
            answer = await asked("show route ncp", prefix="192.0.2.7")
            assert (answer["asked"], answer["prefix"], answer["group"]) == ("192.0.2.7", CONNECTED, group)
            assert len(answer["key"]) == 32
            (row,) = answer["ncps"]
            assert (row["ncp"], row["nhg"], row["state"]) == ("ncp1", group, "installed")
            await agent.close()
            await until(lambda: one.agents.of("ncp1") == [], "the agent has left")
            (row,) = (await asked("show route ncp", prefix=CONNECTED, ncp="ncp1"))["ncps"]
            assert (row["state"], row["reason"]) == ("unreachable", "the agent of ncp1 is not connected")
            with pytest.raises(CommandFailed, match="no route to 203\\.0\\.113\\.1"):
                await asked("show route ncp", prefix="203.0.113.1")
            with pytest.raises(CommandFailed, match="no NCP ncp9 is configured; there are: ncp1"):
                await asked("show route ncp", prefix=CONNECTED, ncp="ncp9")

    run(test)


def test_the_detail_of_a_box_has_its_stream_its_fib_and_its_failures(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, agent, asked):
            sent = one.feeds["ncp1"].describe()["sent"]
            failure = [sent, -1, 1, bytes([192, 0, 2, 0]), 24, 28, "No space left on device"]
            agent.send(Role.FIB, Ack(sent, sent, sent, 0, [failure]))
            await until(lambda: one.feeds["ncp1"].feed.failed_total, "the failure is told")
            (row,) = (await asked("show ncp detail", name="ncp1"))["ncps"]
            assert row["model_fib"] == row["controller_fib"]
            assert row["errors"] == [{"errno": 28, "name": "ENOSPC", "text": "No space left on device", "count": 1}]
            assert row["latency"]["count"] > 0
            assert row["latency"]["median"] <= row["latency"]["longest"]
            assert (row["sequence_applied"], row["disagreements"]) == (sent, 0)
            assert (row["resumed"], row["resumes"]) == ("snapshot", {"snapshot": 1})
            assert row["agent"]["ipv4"] == 2

    run(test)


def test_both_engines_tell_what_they_want_in_every_fib() -> None:
    terms: dict[str, Any] = {"router_id": bytes([10, 0, 0, 1]), "asn": 65001, "digest_key": b"k" * 16}
    native, reference = Engine(**terms), cast(Engine, ReferenceWithBytes(**terms))
    for build in (Engine, ReferenceWithBytes):
        without = cast(Engine, build(**terms, fib=False))
        source = without.add_connected_source()
        without.put_connected(source, (bytes([192, 0, 2, 0]), 24), "ncp1", "eth0")
        without.set_options(advertise_installed=True)
        assert (without.counts()["ipv4"]["prefixes"], wanted(without)) == (1, wanted(native)), "in no FIB"
        reader = without.fib_open()
        assert without.fib_read(reader) is None
        assert without.fib_snapshot_state(reader) == (True, 0, 0)
    for engine in (native, reference):
        assert wanted(engine) == {"ipv4": 0, "ipv6": 0, "digest": "0" * 16}
        source = engine.add_connected_source()
        engine.put_connected(source, (bytes([192, 0, 2, 0]), 24), "ncp1", "eth0")
        engine.put_connected(source, (b"\x20\x01" + bytes(14), 32), "ncp1", "eth0")
    assert wanted(native) == wanted(reference)
    assert wanted(native)["ipv6"] == 1
