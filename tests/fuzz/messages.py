"""Streams of BGP messages in a form that survives mutation: each message as type, length and body, so that a changed
length gives another message and not a broken header. Type 0 is octets as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from protocols.bgp.capabilities import (
    BgpRole,
    Capability,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    Multiprotocol,
    RouteRefresh,
    SoftwareVersion,
)
from protocols.bgp.family import IPV4_UNICAST, IPV6_UNICAST
from protocols.bgp.messages import MARKER, MessageType, Open
from protocols.bgp.role import Role
from tests.props.update_bytes import announcement, withdrawal
from tests.rib.building import attributes_row, prefix

HEADER = 19
PEER_ASN = 65002
CAPABILITIES: tuple[Capability, ...] = (
    Multiprotocol(*IPV4_UNICAST), Multiprotocol(*IPV6_UNICAST), RouteRefresh(), ExtendedMessage(),
    ExtendedNextHop(((1, 1, 2),)), BgpRole(Role.PEER), FourOctetAs(PEER_ASN), Fqdn(b"peer", b"example.net"),
    SoftwareVersion(b"speaker 1"),
)  # fmt: skip


def packed(*messages: bytes) -> bytes:
    return b"".join(struct.pack("!BH", m[18], len(m) - HEADER) + m[HEADER:] for m in messages)


def unpacked(data: bytes) -> Iterator[bytes]:
    """Any octets as messages with good headers; the last one as long as there are octets."""
    while len(data) >= 3:
        kind, length = struct.unpack("!BH", data[:3])
        body, data = data[3 : 3 + length], data[3 + length :]
        yield MARKER + struct.pack("!HB", min(HEADER + len(body), 0xFFFF), kind) + body if kind else body


def message(kind: MessageType, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", HEADER + len(body), kind) + body


# Graceful restart and its long-lived form, add-path, and one that nobody knows: as octets, whatever we know of them.
RAW = bytes.fromhex("400a8078000101800002018047070001018000003c450400010103fe03010203")
OPEN = Open(PEER_ASN, 90, bytes((10, 0, 0, 2)), CAPABILITIES).encode()
OPEN_RAW = message(
    MessageType.OPEN,
    struct.pack("!BHH", 4, PEER_ASN, 90) + bytes((10, 0, 0, 2, len(RAW) + 2, 2, len(RAW))) + RAW,
)
OPEN_EXTENDED = message(
    MessageType.OPEN,
    struct.pack("!BHH", 4, PEER_ASN, 90) + bytes((10, 0, 0, 2, 255, 255, 0, len(RAW) + 3, 2, 0, len(RAW))) + RAW,
)
OPENS = (OPEN, OPEN_RAW, OPEN_EXTENDED)
KEEPALIVE = message(MessageType.KEEPALIVE)
NOTIFICATIONS = tuple(
    message(MessageType.NOTIFICATION, body)
    for body in (
        b"\x06\x02\x05hello",
        b"\x06\x09\x06\x04\x03bye",
        b"\x02\x07\x01\x04\0\1\0\1",
        b"\x04\x00",
        b"\x06\x01\0\1\1\0\0\0\7",
    )
)
REFRESHES = tuple(message(MessageType.ROUTE_REFRESH, bytes((0, afi, sub, 1))) for afi in (1, 2) for sub in (0, 1, 2))
ATTRIBUTES = {
    "med": 7, "local_pref": 9, "atomic_aggregate": True, "aggregator": "65001 192.0.2.9", "communities": ["65001:7"],
    "originator_id": "1.1.1.1", "cluster_list": ["1.0.0.1"], "extended_communities": ["0002fde800000001"],
    "large_communities": ["1:2:3"], "aigp": 5, "otc": 65002, "unknown": [[0xE0, 99, "0102"]],
}  # fmt: skip
UPDATES = (
    announcement(
        [prefix("203.0.113.0/24"), prefix("198.51.100.0/25")], attributes_row("10.0.0.2", f"{PEER_ASN} 3 {{4,5}}")
    ),
    announcement([prefix("203.0.113.0/24")], attributes_row("10.0.0.2", f"{PEER_ASN} 65001", **ATTRIBUTES)),
    announcement([prefix("2001:db8:9::/48")], attributes_row("2001:db8::2", f"{PEER_ASN}", link_local="fe80::2")),
    announcement([prefix("203.0.113.0/24")], attributes_row("2001:db8::2", f"(65003) {PEER_ASN}")),
    announcement([prefix("203.0.113.0/24")], attributes_row("10.0.0.2", f"{PEER_ASN}"), [7]),
    withdrawal([prefix("203.0.113.0/24")]),
    withdrawal([prefix("2001:db8:9::/48")]),
    message(MessageType.UPDATE, bytes(4)),
    message(MessageType.UPDATE, bytes.fromhex("00000006800f03000201")),
)
