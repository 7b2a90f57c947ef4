"""What the tests of the session share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

import native
from protocols.bgp.config import FamilyConfig, PeerConfig
from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST

BOTH = (FamilyConfig(*IPV4_UNICAST, "accept", "accept"), FamilyConfig(*IPV6_UNICAST, "accept", "accept"))
A = PeerConfig(
    address=bytes([192, 0, 2, 2]), remote_asn=65002, local_asn=65001, router_id=bytes([10, 0, 0, 1]), families=BOTH
)  # fmt: skip
B = replace(A, address=bytes([192, 0, 2, 1]), remote_asn=65001, local_asn=65002, router_id=bytes([10, 0, 0, 2]))


@dataclass
class Verdict:
    """What ``native.Changes`` tells a session."""

    updates: int = 1
    announced: int = 0
    withdrawn: int = 0
    end_of_rib: list[tuple[int, int]] = field(default_factory=list)
    faults: list[dict[str, object]] = field(default_factory=list)
    error: tuple[int, int, bytes] | None = None


class _Updates:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def __len__(self) -> int:
        return len(self.messages)


class _Framed:
    def __init__(self) -> None:
        self.items: list[object] = []
        self.keepalives = 0
        self.updates = 0
        self.error: tuple[int, int, bytes] | None = None


class _Framer:
    def __init__(self, max_message: int = 4096) -> None:
        self.max_message = max_message
        self._tail = b""

    def feed(self, data: bytes) -> _Framed:
        buffer, out = self._tail + data, _Framed()
        while len(buffer) >= 19:
            length, kind = int.from_bytes(buffer[16:18], "big"), buffer[18]
            low, high = {1: (29, 4096), 2: (23, self.max_message), 3: (21, self.max_message), 4: (19, 19)}.get(
                kind, (23, self.max_message)
            )
            if buffer[:16] != b"\xff" * 16:
                out.error = (1, 1, b"")
            elif kind not in range(1, 6):
                out.error = (1, 3, bytes([kind]))
            elif not low <= length <= high:
                out.error = (1, 2, buffer[16:18])
            if out.error or len(buffer) < length:
                break
            message, buffer = buffer[:length], buffer[length:]
            if kind == 4:
                out.keepalives += 1
            elif kind == 2:
                out.updates += 1
                if not out.items or not isinstance(out.items[-1], _Updates):
                    out.items.append(_Updates())
                out.items[-1].messages.append(message)
            else:
                out.items.append((kind, message[19:]))
        self._tail = buffer
        return out


class _Terms:
    def __init__(self, **terms: object) -> None:
        self.__dict__.update(terms)


@pytest.fixture(autouse=True)
def _native_until_built(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(native, "Framer"):
        monkeypatch.setattr(native, "Framer", _Framer, raising=False)
        monkeypatch.setattr(native, "Updates", _Updates, raising=False)
        monkeypatch.setattr(native, "SessionTerms", _Terms, raising=False)
