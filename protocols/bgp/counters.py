"""What a session counts over its whole life, reconnects included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocols.bgp.errors import Notification
from protocols.bgp.findings import Finding, Findings
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
    rejected: Counter[str] = field(default_factory=Counter)
    """Inbound connections turned away, by reason."""
    findings: Findings = field(default_factory=Findings)
    refused: Counter[str] = field(default_factory=Counter)
    """Well-formed announcements not taken, by reason (``native.Changes.refused``)."""
    last_sent: Notification | None = None
    last_received: Notification | None = None

    def sent(self, kind: MessageType, nbytes: int, count: int = 1) -> None:
        self.messages_out[kind] += count
        self.bytes_out += nbytes

    def processed(self, changes: Changes, now: float) -> list[Finding]:
        """Returns the findings worth telling."""
        self.announced += changes.announced
        self.withdrawn += changes.withdrawn
        self.refused.update(changes.refused)
        return self.findings.note(changes.faults, now)

    def describe(self, now: float) -> dict[str, Any]:
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
            "rejected": dict(self.rejected),
            "refused": dict(self.refused),
            "findings": self.findings.describe(now),
            "other_findings": self.findings.others,
        }
