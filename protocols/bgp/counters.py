"""What a session counts over its whole life, reconnects included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocols.bgp.errors import Notification
from protocols.bgp.messages import MessageType

if TYPE_CHECKING:
    from native import Changes


@dataclass(slots=True)
class Counters:
    messages_in: Counter[MessageType] = field(default_factory=Counter)
    messages_out: Counter[MessageType] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    announced: int = 0
    withdrawn: int = 0
    established: int = 0
    """How often the session came up."""
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    connect_failures: int = 0
    collisions: int = 0
    rejected: int = 0
    """Inbound connections turned away."""
    faults: Counter[tuple[int, int, int, str]] = field(default_factory=Counter)
    """Attributes in error by (code, disposition, subcode, RFC clause): RFC 7606 8."""
    refused: Counter[str] = field(default_factory=Counter)
    """Well-formed announcements not taken, by reason (``native.Changes.refused``)."""
    last_sent: Notification | None = None
    last_received: Notification | None = None

    def sent(self, kind: MessageType, nbytes: int, count: int = 1) -> None:
        self.messages_out[kind] += count
        self.bytes_out += nbytes

    def processed(self, changes: Changes) -> None:
        self.announced += changes.announced
        self.withdrawn += changes.withdrawn
        self.refused.update(changes.refused)
        for fault in changes.faults:
            self.faults[(fault["code"], fault["disposition"], fault["subcode"], fault["rfc"])] += fault["count"]

    def describe(self) -> dict[str, Any]:
        return {
            "messages_in": {kind.label: self.messages_in[kind] for kind in MessageType},
            "messages_out": {kind.label: self.messages_out[kind] for kind in MessageType},
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "announced": self.announced,
            "withdrawn": self.withdrawn,
            "established": self.established,
            "transitions": {f"{old} -> {new}": count for (old, new), count in self.transitions.items()},
            "connect_failures": self.connect_failures,
            "collisions": self.collisions,
            "rejected": self.rejected,
            "refused": dict(self.refused),
            "faults": [
                {"attribute": code, "disposition": disposition, "subcode": subcode, "rfc": rfc, "count": count}
                for (code, disposition, subcode, rfc), count in sorted(self.faults.items())
            ],
        }
