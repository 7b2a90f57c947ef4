"""Which way an input takes through the code under test: arcs between lines of chosen modules, by the interpreter's own
trace hook, so that nothing has to be installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

Arc = tuple[CodeType, int, int]
"""A function, and two lines that ran one after the other in it; 0 before its first."""


class Arcs:
    def __init__(self, *modules: ModuleType) -> None:
        self._files = {module.__file__ for module in modules}
        self._found: set[Arc] = set()

    def of(self, call: Callable[[], None]) -> set[Arc]:
        """Those that ``call`` takes."""
        self._found = set()
        sys.settrace(self._enter)
        try:
            call()
        finally:
            sys.settrace(None)
        return self._found

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename not in self._files:
            return None
        found, last = self._found, 0

        def line(frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
            nonlocal last
            found.add((code, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line
