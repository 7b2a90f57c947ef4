"""Two peers of each other, and the verdict of an engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
    refused: dict[str, int] = field(default_factory=dict)
    error: tuple[int, int, bytes] | None = None
