"""Is the kernel as the model says? Audits every few minutes, on demand, and where news or answers of the kernel were
lost; what others do to nexthops is put right at once.

Owns when an audit runs and what is said of it. What differs is the model's to find, and the writer's to repair.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from kernel.links import Observer
from kernel.nexthop_events import NexthopEvents
from kernel.routes import Audited, Failure, read_nexthops, read_routes
from routingd.conditions import ConditionBook

if TYPE_CHECKING:
    from routingd.agent.process import Settings

log = structlog.get_logger("ncpd.truth")

EVERY: Final = 300.0
"""Seconds from one audit to the next, less up to a quarter."""
_RETRY: Final = 5.0
"""After one that could not be done."""
_LOOKS: Final = 100
_LOOK: Final = 0.05
_KINDS: Final = (
    "missing", "different", "foreign", "nexthops_missing", "nexthops_different", "nexthops_foreign",
)  # fmt: skip


class Model(Audited, Protocol):
    """``native.AgentFib`` as far as audits need it."""

    @property
    def pending(self) -> int: ...
    def audit_begin(self, routes: bool) -> None: ...
    def audit_end(self) -> tuple[dict[str, Any], list[Failure]]: ...
    def audit_abandon(self) -> None: ...
    def nexthop_events(self, events: bytes) -> tuple[int, int]: ...


class Dataplane(Protocol):
    """Where the model's work goes: of the agent process."""

    @property
    def model(self) -> Model: ...
    @property
    def kernel_table(self) -> tuple[int, int]:
        """(table, protocol)"""

    def kick(self) -> None:
        """The model has work for the kernel."""

    def refused(self, failures: list[Failure]) -> None: ...


@dataclass(slots=True)
class Counters:
    """Since the agent began."""

    audits: int = 0
    drift: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    repairs: int = 0
    foreign_changes: int = 0
    """Nexthops of ours that others deleted or changed, as told by the kernel."""
    lost_answers: int = 0
    """Batches written again as the kernel's answers to them were lost."""


class Truth:
    def __init__(
        self, dataplane: Dataplane, observer: Observer, conditions: ConditionBook, rng: random.Random,
        settings: Settings,
    ) -> None:  # fmt: skip
        self.counters = Counters()
        self.last: dict[str, Any] | None = None
        """What the last audit found."""
        self.events = NexthopEvents(
            self._heard, lambda: self.ask("events of nexthops were lost"), settings.event_buffer
        )
        self._every = settings.audit_interval
        self._dataplane = dataplane
        self._observer = observer
        self._conditions = conditions
        self._rng = rng
        self._clock = asyncio.get_running_loop().time
        self._ended_at: float | None = None
        self._reasons: set[str] = set()
        self._wake = asyncio.Event()
        self._auditing = asyncio.Lock()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.events.start()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
        async with self._auditing:  # its thread ends with the dump in hand
            self.events.stop()

    @property
    def age(self) -> float | None:
        """Seconds since the last audit ended."""
        return self._clock() - self._ended_at if self._ended_at is not None else None

    def ask(self, reason: str) -> None:
        """For an audit soon."""
        if reason not in self._reasons:
            log.warning("audit.due", reason=reason)
        self._reasons.add(reason)
        self._wake.set()

    def answers_lost(self, error: str) -> None:
        self.counters.lost_answers += 1
        self._conditions.set("netlink", "warning", f"the kernel's answers to a batch of writes were lost: {error}")
        self.ask("answers to a batch were lost")

    async def _run(self) -> None:
        pause = self._every
        while True:
            try:
                async with asyncio.timeout(pause * self._rng.uniform(0.75, 1.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass
            try:
                await self.audit()
                pause = self._every
            except OSError as error:
                log.error("audit.failed", reason=str(error), retry=_RETRY)
                pause = _RETRY
            except Exception:  # an agent that compares no more would not know what its kernel has
                log.exception("audit.failed", retry=_RETRY)
                pause = _RETRY

    # --- one audit ----------------------------------------------------------------------------------------------------

    async def audit(self) -> dict[str, Any]:
        """Nexthops, then routes; what it found. Raises OSError where the kernel could not be read, or is not to be any
        more."""
        async with self._auditing:
            self._wake.clear()
            reasons, self._reasons = self._reasons, set()
            began = self._clock()
            try:
                found, _ = await self._part(False, read_nexthops)
                await self._settled()
                table, protocol = self._dataplane.kernel_table
                routes, failures = await self._part(
                    True, lambda model: read_routes(model, table, protocol, lambda: self._stopped)
                )
            except OSError:
                self._reasons |= reasons
                raise
            for kind in _KINDS:
                routes[kind] += found[kind]
            self._dataplane.refused(failures)
            self._tell(routes, self._clock() - began)
            return routes

    async def _settled(self) -> None:
        """Routes on their way are not judged: after a change to many, let them arrive; where there is never an end to
        changes, not for long."""
        for _ in range(_LOOKS):
            if not self._dataplane.model.pending:
                return
            await asyncio.sleep(_LOOK)

    async def _part(self, routes: bool, read: Callable[[Model], None]) -> tuple[dict[str, Any], list[Failure]]:
        model = self._dataplane.model
        model.audit_begin(routes)
        try:
            await asyncio.to_thread(read, model)
            if self._stopped or model is not self._dataplane.model:
                raise OSError("the agent ends, or begins anew")
            # What went with a port, or by the hand of another, is no drift once it is known.
            self._observer.catch_up()
            self.events.catch_up()
            result = await asyncio.to_thread(model.audit_end)
        except BaseException:
            model.audit_abandon()
            raise
        self._dataplane.kick()
        return result

    def _tell(self, found: dict[str, Any], seconds: float) -> None:
        drifted = sum(found[kind] for kind in _KINDS)
        repaired = drifted - found["held"]
        self._ended_at = self._clock()
        self.counters.audits += 1
        self.counters.repairs += repaired
        for kind in _KINDS:
            self.counters.drift[kind] += found[kind]
        found |= {"repaired": repaired, "seconds": round(seconds, 3)}
        self.last = found
        log.log(30 if drifted else 20, "audit", **{key: value for key, value in found.items() if value})
        if drifted:
            words = _words((kind, found[kind]) for kind in _KINDS)
            self._conditions.set("drift", "warning", f"the kernel was not as written, and was repaired: {words}")
        else:
            self._conditions.clear("drift")
            self._conditions.clear("foreign-nexthops")
            self._conditions.clear("netlink")
        if found["contested"]:
            names = ", ".join(found["names"])
            self._conditions.set(
                "contested", "alarm",
                f"another program changes routes of ours again and again; {found['contested']} of them: {names}",
            )  # fmt: skip
        else:
            self._conditions.clear("contested")

    # --- what others do to nexthops -----------------------------------------------------------------------------------

    def _heard(self, events: bytes) -> None:
        gone, changed = self._dataplane.model.nexthop_events(events)
        if not gone and not changed:
            return
        self._dataplane.kick()
        again = self.counters.foreign_changes > 0
        self.counters.foreign_changes += gone + changed
        text = f"another program deleted {gone} and changed {changed} nexthops of ours; rebuilt"
        self._conditions.set("foreign-nexthops", "alarm" if again else "warning", text)
        self.ask("another program changed nexthops of ours")


def _words(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts if count)
