"""What is kept of malformed UPDATEs, and how often it is told."""

from __future__ import annotations

from typing import Any

from protocols.bgp.findings import KINDS, TOLD_EVERY, Findings


def row(code: int = 8, count: int = 1, attribute: bytes = b"\xc0\x08\x01\x00") -> dict[str, Any]:
    return {
        "code": code, "disposition": 2, "subcode": 5, "rfc": "7606 7.8", "count": count, "bytes": attribute,
        "message": b"\xff" * 16 + attribute,
    }  # fmt: skip


def test_a_kind_is_counted_and_shows_the_bytes_of_the_latest() -> None:
    findings = Findings()
    findings.note([row(count=2)], 10)
    findings.note([row(attribute=b"\xc0\x08\x02\x00\x01")], 15)
    assert findings.describe(20) == [
        {
            "attribute": 8, "name": "COMMUNITIES", "disposition": 2, "verdict": "treat as withdraw", "subcode": 5,
            "rfc": "7606 7.8", "count": 3, "ago": 5, "bytes": "c008020001", "message": "ff" * 16 + "c008020001",
        }
    ]  # fmt: skip


def test_a_flood_of_one_kind_is_told_once_a_minute() -> None:
    findings = Findings()
    told = [at for at in range(200) for _ in findings.note([row()], at)]
    assert told == [0, TOLD_EVERY, 2 * TOLD_EVERY, 3 * TOLD_EVERY]


def test_kinds_are_bounded_and_the_rest_counted() -> None:
    findings = Findings()
    for code in range(256):
        findings.note([row(code)], 0)
    assert len(findings.describe(0)) == KINDS
    assert findings.others == 256 - KINDS
    assert findings.note([row(3), row(255, count=7)], 1) == []
    assert findings.others == 256 - KINDS + 7


def test_the_message_itself_and_attributes_without_a_name_are_named() -> None:
    findings = Findings()
    findings.note([row(0), row(99)], 0)
    assert [found["name"] for found in findings.describe(0)] == ["UPDATE", "attribute 99"]
