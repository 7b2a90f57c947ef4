"""A connection between two processes that may lose its tail at any byte, and whose ends learn of its end at different
times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Pipe:
    """One direction: what was written and not read yet."""

    data: bytearray = field(default_factory=bytearray)
    closed: bool = False
    """Nothing is added any more; its reader finds the end behind what is left."""

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.data += data

    def take(self, most: int) -> bytes | None:
        """None: there is nothing now. b"": it has ended."""
        if not self.data:
            return b"" if self.closed else None
        taken = bytes(self.data[:most])
        del self.data[:most]
        return taken

    def cut(self, keep: int) -> None:
        self.closed = True
        del self.data[keep:]


@dataclass
class Link:
    down: Pipe = field(default_factory=Pipe)
    """To the agent."""
    up: Pipe = field(default_factory=Pipe)
    """To the controller."""

    def cut(self, keep_down: int = 0, keep_up: int = 0) -> None:
        self.down.cut(keep_down)
        self.up.cut(keep_up)


class Writer:
    """The controller's end as an ``asyncio.StreamWriter``, as far as ``AgentConnection`` needs it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.transport = self

    def writelines(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._link.down.write(frame)

    def is_closing(self) -> bool:
        return self._link.down.closed

    def close(self) -> None:
        self._link.down.closed = True

    def abort(self) -> None:
        self._link.cut()

    def get_extra_info(self, name: str) -> Any:
        return None
