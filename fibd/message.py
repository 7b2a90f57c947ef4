"""What all messages between routingd and ncpd are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Message:
    TYPE: ClassVar[int] = 0
