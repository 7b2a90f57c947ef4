"""What an agent says of its box, without a kernel that does as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from fibd.messages import BoxConfig
from native import AgentFib
from routingd.agent import box as agent_box
from routingd.agent.box import Box
from routingd.agent.state import Store
from routingd.conditions import ConditionBook


def test_a_box_that_cannot_hear_routers_says_so_once_however_often_its_ports_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    async def test() -> None:
        monkeypatch.setattr(agent_box, "Discovery", no_socket)
        box = Box(
            Store(tmp_path, ConditionBook(lambda: 0.0)), AgentFib(ncp="ncp1"), lambda _: None, lambda: None, Random(1)
        )
        box.facts.ports["eth0"] = (2, True, True, 1500, b"", "")
        for generation in (1, 2, 3):
            box.configure(BoxConfig(generation, {}, discover=["eth0"]))
        assert box.problems == ["router advertisements: Operation not permitted"]
        await box.stop()

    asyncio.run(test())
