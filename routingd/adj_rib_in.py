"""What a neighbor has given, in the RIB: its source there, which outlives a session where routes are retained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from native import Engine
from protocols.bgp.family import Family
from routingd.engine_thread import EngineThread
from routingd.established import Up


class AdjRibIn:
    def __init__(self, engine: EngineThread[Engine]) -> None:
        self._engine = engine
        self.of: Up | None = None
        """The session whose routes these are, Established or lost."""

    def join(self, up: Up, terms: dict[str, Any], limits: Iterable[tuple[int, int]]) -> None:
        """The session is Established; ``terms`` are those of ``Engine.add_peer``, ``limits`` paths that it may have, by
        AFI."""
        before, self.of = self.of, up
        if before is not None:
            up.membership.source = before.membership.source  # at once: views ask for it before the job has run

        def job(engine: Engine) -> None:
            if before is None:
                up.membership.source = engine.add_peer(**terms)
            else:
                up.membership.source = before.membership.source
                engine.renew_peer(up.membership.source, **terms)
            for afi, paths in limits:
                engine.set_limit(up.membership.source, afi=afi, paths=paths)

        self._engine.post(job)

    def leave(self, up: Up, keep: frozenset[Family]) -> None:
        """The session is down. Routes of the families to keep are stale, others go."""
        membership = up.membership
        if not keep:
            self.of = None

        def job(engine: Engine) -> None:
            while membership.consumers:
                engine.export_close(membership.consumers.popitem()[1])
            if not keep:
                engine.remove_source(membership.source)
                return
            for family in up.agreed.families:
                engine.mark_stale(membership.source, afi=family[0])
                if family not in keep:
                    engine.sweep_stale(membership.source, afi=family[0])

        self._engine.post(job)

    def mark(self, afi: int) -> None:
        self._do(lambda engine, source: engine.mark_stale(source, afi=afi))

    def sweep(self, afi: int) -> None:
        """What comes after is no last resort."""

        def job(engine: Engine, source: int) -> None:
            engine.sweep_stale(source, afi=afi)
            engine.set_long_lived(source, afi=afi, on=False)

        self._do(job)

    def long_lived(self, afi: int) -> None:
        self._do(lambda engine, source: engine.set_long_lived(source, afi=afi, on=True))

    def forget(self) -> None:
        self._do(lambda engine, source: engine.remove_source(source))
        self.of = None

    def _do(self, work: Callable[[Engine, int], None]) -> None:
        if self.of is not None:
            membership = self.of.membership
            self._engine.post(lambda engine: work(engine, membership.source))
