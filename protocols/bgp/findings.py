"""What was wrong with a peer's UPDATEs (RFC 7606), by kind, with bytes to show: section 6 wants them for whoever has to
find the cause. Bounded, whatever the peer sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = 64
"""Kept with their bytes; more are counted together."""
TOLD_EVERY: Final = 60.0
"""Seconds between two tellings of one kind: a flood of errors is no flood of logs."""
VERDICTS: Final = {
    0: "prefix ignored", 1: "attribute discard", 2: "treat as withdraw", 3: "family disabled", 4: "session reset",
}  # fmt: skip
"""RFC 7606 2; prefixes that nobody can announce, RFC 4271 6.3."""
ATTRIBUTES: Final = {
    1: "ORIGIN", 2: "AS_PATH", 3: "NEXT_HOP", 4: "MULTI_EXIT_DISC", 5: "LOCAL_PREF", 6: "ATOMIC_AGGREGATE",
    7: "AGGREGATOR", 8: "COMMUNITIES", 9: "ORIGINATOR_ID", 10: "CLUSTER_LIST", 14: "MP_REACH_NLRI",
    15: "MP_UNREACH_NLRI", 16: "EXTENDED COMMUNITIES", 17: "AS4_PATH", 18: "AS4_AGGREGATOR", 26: "AIGP",
    32: "LARGE_COMMUNITY", 35: "OTC",
}  # fmt: skip
"""As IANA names them."""

Key = tuple[int, int, int, str]
"""(attribute, disposition, subcode, RFC clause)"""


@dataclass(slots=True)
class Finding:
    """One kind: where, what followed, and the bytes of one of the latest."""

    key: Key
    count: int = 0
    at: float = 0.0
    """Of the latest."""
    told: float | None = None
    attribute: bytes = b""
    message: bytes = b""
    """The UPDATE that it was in."""

    @property
    def name(self) -> str:
        code = self.key[0]
        return ATTRIBUTES.get(code, f"attribute {code}") if code else "UPDATE"

    @property
    def verdict(self) -> str:
        return VERDICTS[self.key[1]]

    def describe(self, now: float) -> dict[str, Any]:
        code, disposition, subcode, rfc = self.key
        return {
            "attribute": code, "name": self.name, "disposition": disposition, "verdict": self.verdict,
            "subcode": subcode, "rfc": rfc, "count": self.count, "ago": now - self.at,
            "bytes": self.attribute.hex(), "message": self.message.hex(),
        }  # fmt: skip


class Findings:
    """Of one peer, over all its sessions."""

    __slots__ = ("_kinds", "others")

    def __init__(self) -> None:
        self._kinds: dict[Key, Finding] = {}
        self.others = 0
        """Of kinds beyond the bound."""

    def note(self, rows: list[dict[str, Any]], now: float) -> list[Finding]:
        """``rows``: ``native.Changes.faults``. Returns what is worth telling now."""
        worth = []
        for row in rows:
            key = (row["code"], row["disposition"], row["subcode"], row["rfc"])
            kind = self._kinds.get(key)
            if kind is None:
                if len(self._kinds) >= KINDS:
                    self.others += row["count"]
                    continue
                kind = self._kinds[key] = Finding(key)
            kind.count += row["count"]
            kind.at, kind.attribute, kind.message = now, row["bytes"], row["message"]
            if kind.told is None or now - kind.told >= TOLD_EVERY:
                kind.told = now
                worth.append(kind)
        return worth

    def describe(self, now: float) -> list[dict[str, Any]]:
        return [kind.describe(now) for _, kind in sorted(self._kinds.items())]
