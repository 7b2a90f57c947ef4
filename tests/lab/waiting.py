"""Waiting on conditions: the only way anything here waits. A timeout says what was last seen."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from tests.lab.commands import CommandFailed

T = TypeVar("T")
TRANSIENT = (CommandFailed, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError)
"""What a question to a daemon that is still starting may raise; it counts as an answer that is not yet the right
one."""


class LabTimeoutError(AssertionError):
    """A condition did not come true in time."""


def wait_for(
    what: str,
    probe: Callable[[], T],
    accept: Callable[[T], object] = bool,
    *,
    timeout: float = 30.0,
    every: float = 0.1,
    seen: Callable[[T], None] | None = None,
) -> T:
    """Ask ``probe`` until ``accept`` likes the answer and return that answer; ``seen`` is shown each one (for
    progress)."""
    deadline = time.monotonic() + timeout
    last: object = "nothing"
    while True:
        try:
            value = probe()
        except TRANSIENT as error:
            last = error
        else:
            last = value
            if seen is not None:
                seen(value)
            if accept(value):
                return value
        if time.monotonic() >= deadline:
            raise LabTimeoutError(f"{what}: not within {timeout:g} s; last seen: {_short(last)}")
        time.sleep(every)


def _short(value: object, limit: int = 2000) -> str:
    text = str(value) if isinstance(value, (str, BaseException)) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
