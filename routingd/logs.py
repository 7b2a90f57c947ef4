"""How routingd logs: one event a line on standard error, for people or as JSON, with a level for each subsystem."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class SubsystemLogger(structlog.PrintLogger):
    """A print logger that knows which subsystem it belongs to: the last part of its name."""

    def __init__(self, name: str, file: TextIO) -> None:
        super().__init__(file)
        self.subsystem = name.rpartition(".")[2]


def configure(level: str, style: str, subsystems: Mapping[str, str], stream: TextIO = sys.stderr) -> None:
    """``subsystems``: levels of single ones, like {"bgp": "debug"}; the rest has ``level``."""
    general = LEVELS[level]
    special = {name: LEVELS[word] for name, word in subsystems.items()}

    def by_subsystem(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        subsystem = getattr(logger, "subsystem", "")
        if LEVELS.get(method, LEVELS["error"]) < special.get(subsystem, general):
            raise structlog.DropEvent
        return event

    renderer: Any = structlog.processors.JSONRenderer()
    if style == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(min([general, *special.values()])),
        processors=[
            by_subsystem,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=lambda *name: SubsystemLogger(name[0] if name else "", stream),
        cache_logger_on_first_use=True,
    )
