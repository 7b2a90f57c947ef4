"""When the kernel is compared with the model, whatever becomes of a comparison."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from routingd.agent import truth
from routingd.agent.process import Settings
from routingd.agent.truth import Truth
from routingd.conditions import ConditionBook
from tests.routingd.fake_agent import until

NOTHING = dict.fromkeys((*truth._KINDS, "held", "contested", "compared"), 0) | {"names": []}


class Model:
    """The first audit meets a fault of ours."""

    pending = 0
    begun = 0

    def audit_begin(self, routes: bool) -> None:
        self.begun += 1
        if self.begun == 1:
            raise ValueError("a dump that makes no sense")

    def audit_end(self) -> tuple[dict[str, Any], list[Any]]:
        return dict(NOTHING), []

    def audit_abandon(self) -> None:
        pass


def test_a_fault_in_one_audit_does_not_end_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "_RETRY", 0.01)
    monkeypatch.setattr(truth, "read_nexthops", lambda model: None)
    monkeypatch.setattr(truth, "read_routes", lambda *given: None)

    async def test() -> None:
        clock = asyncio.get_running_loop().time
        box = SimpleNamespace(model=Model(), kernel_table=(254, 201), kick=lambda: None, refused=lambda failures: None)
        observer = cast(Any, SimpleNamespace(catch_up=lambda: None))
        settings = Settings("ncp1", cast(Any, None), tmp_path, audit_interval=0.01)
        audits = Truth(cast(Any, box), observer, ConditionBook(clock), random.Random(1), settings)
        audits.start()
        await until(lambda: audits.counters.audits > 1, "audits go on")
        await audits.stop()

    asyncio.run(test())
