"""What the RIB wants in every box's FIB, as numbers: counts and a digest, beside those of an agent's model, and what
its last audit made of its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from native import Engine
from routingd.control.shapes import FibAudit, FibSum

NOBODY: Final = 0xFFFFFFFF
"""No consumer of the FIB has this number."""


def wanted(engine: Engine) -> FibSum:
    """On the engine's thread."""
    counts = engine.counts()
    _, _, digest = engine.fib_snapshot_state(NOBODY)
    return {"ipv4": counts["ipv4"]["fib"], "ipv6": counts["ipv6"]["fib"], "digest": f"{digest:016x}"}


def held(counts: Mapping[str, Any]) -> FibSum | None:
    """Of an agent's answer to "counts"; None where it gave none."""
    if "digest" not in counts:
        return None
    return {"ipv4": counts["ipv4"], "ipv6": counts["ipv6"], "digest": f"{counts['digest']:016x}"}


def audited(counts: Mapping[str, Any]) -> FibAudit | None:
    """Of an agent's answer to "counts"; None where there was none yet."""
    last = counts.get("last_audit")
    if last is None:
        return None
    return {
        "ago": last["age"],
        "seconds": last["seconds"],
        "compared": last["compared"],
        "drifted": last["repaired"] + last["held"],
        "repaired": last["repaired"],
        "contested": last["contested"],
    }
