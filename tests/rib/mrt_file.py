"""Writes small MRT files (RFC 6396 2, 4.3, 4.4; RFC 8050), sharing nothing with what reads them."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tests.props.update_bytes import attribute, attributes, nlri, packed
from tests.rib.building import attributes_row, prefix

TABLE_DUMP_V2, BGP4MP = 13, 16
PEER_INDEX_TABLE, RIB_IPV4_UNICAST, RIB_IPV6_UNICAST = 1, 2, 4
ADD_PATH = 6  # what RFC 8050 4 adds to the subtypes of routes
MESSAGE_AS4 = 4
Entry = tuple[int, Mapping[str, Any]]
"""Index of the peer, and what ``attributes_row`` takes."""


def record(kind: int, subtype: int, body: bytes) -> bytes:
    return struct.pack("!IHHI", 1_700_000_000, kind, subtype, len(body)) + body


def table_dump(
    peers: Sequence[tuple[str, int, str]],
    routes: Mapping[str, Sequence[Entry]],
    many: Mapping[str, Sequence[Entry]] | None = None,
) -> bytes:
    """TABLE_DUMP_V2 of peers (address, AS, router id) and prefixes, each with its entries. Those of ``many`` have path
    identifiers: 1, 2, and so on."""
    index = packed("10.255.0.9") + struct.pack("!HH", 0, len(peers))
    for address, asn, router_id in peers:
        six = ":" in address
        index += bytes((0x02 | six,)) + packed(router_id) + packed(address) + struct.pack("!I", asn)
    out = record(TABLE_DUMP_V2, PEER_INDEX_TABLE, index)
    out += b"".join(rib_record(where, entries, 0) for where, entries in routes.items())
    return out + b"".join(rib_record(where, entries, ADD_PATH) for where, entries in (many or {}).items())


def rib_record(where: str, entries: Sequence[Entry], add_path: int) -> bytes:
    address, length = prefix(where)
    body = struct.pack("!I", 0) + nlri([(address, length)]) + struct.pack("!H", len(entries))
    for path_id, (peer, values) in enumerate(entries, start=1):
        block = dump_attributes(attributes_row(**values))
        body += struct.pack("!HI", peer, 1_700_000_000) + (struct.pack("!I", path_id) if add_path else b"")
        body += struct.pack("!H", len(block)) + block
    return record(TABLE_DUMP_V2, (RIB_IPV4_UNICAST if len(address) == 4 else RIB_IPV6_UNICAST) + add_path, body)


def dump_attributes(row: Mapping[str, Any]) -> bytes:
    """An IPv6 next hop stands in an MP_REACH_NLRI cut down to it (RFC 6396 4.3.4)."""
    hop = packed(row["next_hop"])
    if len(hop) == 4:
        return attributes(row, next_hop=True)
    return attributes(row, next_hop=False) + attribute(0x80, 14, bytes((len(hop),)) + hop)


def session(peer: tuple[str, int], local: tuple[str, int], messages: Sequence[bytes]) -> bytes:
    """BGP4MP_MESSAGE_AS4 records of BGP messages from a peer, both ends as (address, AS)."""
    out = b""
    for message in messages:
        family = 1 if ipaddress.ip_address(peer[0]).version == 4 else 2
        head = struct.pack("!IIHH", peer[1], local[1], 0, family) + packed(peer[0]) + packed(local[0])
        out += record(BGP4MP, MESSAGE_AS4, head + message)
    return out
