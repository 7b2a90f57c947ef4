"""UPDATE messages to and from rows of attributes (RFC 4271 4.3, 4760, 6793), sharing nothing with either engine."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MARKER = b"\xff" * 16
ORIGINS = ("igp", "egp", "incomplete")
SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
BRACKETS = {"{": SET, "(": CONFED_SEQUENCE, "[": CONFED_SET}
Prefix = tuple[bytes, int]


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


# --- writing --------------------------------------------------------------------------------------------------------


def update(withdrawn: bytes = b"", attributes: bytes = b"", nlri: bytes = b"") -> bytes:
    body = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + nlri
    return MARKER + struct.pack("!HB", 19 + len(body), 2) + body


def attribute(flags: int, code: int, value: bytes) -> bytes:
    """Always in the long form, which everybody must read (RFC 4271 4.3)."""
    return struct.pack("!BBH", flags | 0x10, code, len(value)) + value


def nlri(prefixes: Sequence[Prefix], path_ids: Sequence[int] | None = None) -> bytes:
    out = b""
    for index, (address, length) in enumerate(prefixes):
        if path_ids is not None:
            out += struct.pack("!I", path_ids[index])
        out += bytes((length,)) + address[: -(-length // 8)]
    return out


def as_path(words: str) -> bytes:
    out = b""
    for part in re.findall(r"[{(\[][^})\]]*[})\]]|[\d ]+", words):
        asns = [int(number) for number in re.findall(r"\d+", part)]
        if asns:
            out += struct.pack(f"!BB{len(asns)}I", BRACKETS.get(part[0], SEQUENCE), len(asns), *asns)
    return out


def attributes(row: Mapping[str, Any], *, next_hop: bool) -> bytes:
    out = attribute(0x40, 1, bytes((ORIGINS.index(row["origin"]),))) + attribute(0x40, 2, as_path(row["as_path"]))
    if next_hop:
        out += attribute(0x40, 3, packed(row["next_hop"]))
    if row["med"] is not None:
        out += attribute(0x80, 4, struct.pack("!I", row["med"]))
    if row["local_pref"] is not None:
        out += attribute(0x40, 5, struct.pack("!I", row["local_pref"]))
    if row["atomic_aggregate"]:
        out += attribute(0x40, 6, b"")
    if row["aggregator"]:
        asn, router = row["aggregator"].split()
        out += attribute(0xC0, 7, struct.pack("!I", int(asn)) + packed(router))
    if row["communities"]:
        out += attribute(0xC0, 8, numbers(row["communities"], "!HH"))
    if row["originator_id"]:
        out += attribute(0x80, 9, packed(row["originator_id"]))
    if row["cluster_list"]:
        out += attribute(0x80, 10, b"".join(packed(cluster) for cluster in row["cluster_list"]))
    if row["extended_communities"]:
        out += attribute(0xC0, 16, bytes.fromhex("".join(row["extended_communities"])))
    if row["large_communities"]:
        out += attribute(0xC0, 32, numbers(row["large_communities"], "!III"))
    if row.get("aigp") is not None:
        out += attribute(0x80, 26, aigp_tlv(row["aigp"]))
    if row.get("otc") is not None:
        out += attribute(0xC0, 35, struct.pack("!I", row["otc"]))
    for flags, code, value in row["unknown"]:
        out += attribute(flags, code, bytes.fromhex(value))
    return out


def aigp_tlv(metric: int) -> bytes:
    """RFC 7311 3: type 1, length 11 with its own header, 8 octets."""
    return struct.pack("!BHQ", 1, 11, metric)


def numbers(values: Sequence[str], layout: str) -> bytes:
    return b"".join(struct.pack(layout, *map(int, value.split(":"))) for value in values)


def announcement(prefixes: Sequence[Prefix], row: Mapping[str, Any], path_ids: Sequence[int] | None = None) -> bytes:
    """IPv4 with an IPv4 next hop in the classic fields, all else in MP_REACH_NLRI."""
    field = nlri(prefixes, path_ids)
    hop = packed(row["next_hop"])
    if len(prefixes[0][0]) == 4 and len(hop) == 4:
        return update(attributes=attributes(row, next_hop=True), nlri=field)
    hop += packed(row["link_local"]) if row["link_local"] else b""
    afi = 1 if len(prefixes[0][0]) == 4 else 2
    reach = struct.pack("!HBB", afi, 1, len(hop)) + hop + b"\0" + field
    return update(attributes=attribute(0x80, 14, reach) + attributes(row, next_hop=False))


def withdrawal(
    prefixes: Sequence[Prefix], path_ids: Sequence[int] | None = None, *, multiprotocol: bool = False
) -> bytes:
    """IPv4 in the classic field, or in MP_UNREACH_NLRI as peers do that announced it there (RFC 8950)."""
    field = nlri(prefixes, path_ids)
    ipv4 = len(prefixes[0][0]) == 4
    if ipv4 and not multiprotocol:
        return update(withdrawn=field)
    return update(attributes=attribute(0x80, 15, struct.pack("!HB", 1 if ipv4 else 2, 1) + field))


# --- reading --------------------------------------------------------------------------------------------------------


class Replay:
    """The table that a stream of UPDATEs leaves behind: prefix to row of attributes; with ``path_ids`` the keys are
    like "192.0.2.0/24 #1" (RFC 7911)."""

    def __init__(self, *, four_octet_as: bool = True, path_ids: bool = False) -> None:
        self.path_ids = path_ids
        self.routes: dict[str, dict[str, Any]] = {}
        self.end_of_rib = 0
        self.updates = 0
        self.longest = 0
        self._width = 4 if four_octet_as else 2

    def feed(self, data: bytes) -> Replay:
        while data:
            assert data[:16] == MARKER
            length, kind = struct.unpack("!HB", data[16:19])
            assert kind == 2
            assert len(data) >= length
            self._update(data[19:length])
            self.updates += 1
            self.longest = max(self.longest, length)
            data = data[length:]
        return self

    def _update(self, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        withdrawn, body = body[2:end], body[end:]
        end = 2 + int.from_bytes(body[:2], "big")
        block, plain = body[2:end], body[end:]
        fields = dict(read_attributes(block))
        if not withdrawn and not plain and (not block or (set(fields) == {15} and len(fields[15][1]) == 3)):
            self.end_of_rib += 1
            return
        for where in read_prefixes(withdrawn, 4, self.path_ids):
            self.routes.pop(where, None)
        if 15 in fields:
            value = fields[15][1]
            for where in read_prefixes(value[3:], 4 if value[1] == 1 else 16, self.path_ids):
                self.routes.pop(where, None)
        if not plain and 14 not in fields:
            return
        row = read_row(fields, self._width)
        for where in read_prefixes(plain, 4, self.path_ids):
            self.routes[where] = row
        if 14 in fields:
            value = fields[14][1]
            hop = value[4 : 4 + value[3]]
            row = row | {"next_hop": text(hop[:16]), "link_local": text(hop[16:]) if len(hop) == 32 else None}
            for where in read_prefixes(value[5 + value[3] :], 4 if value[1] == 1 else 16, self.path_ids):
                self.routes[where] = row


def read_attributes(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    while data:
        flags, code = data[0], data[1]
        size = 2 if flags & 0x10 else 1
        length = int.from_bytes(data[2 : 2 + size], "big")
        assert len(data) >= 2 + size + length
        yield code, (flags & 0xE0, data[2 + size : 2 + size + length])
        data = data[2 + size + length :]


def read_prefixes(data: bytes, width: int, path_ids: bool = False) -> Iterator[str]:
    while data:
        number = ""
        if path_ids:
            number, data = f" #{int.from_bytes(data[:4], 'big')}", data[4:]
        size = -(-data[0] // 8)
        assert len(data) >= 1 + size
        yield f"{text(data[1 : 1 + size].ljust(width, bytes(1)))}/{data[0]}{number}"
        data = data[1 + size :]


def read_path(data: bytes, width: int) -> str:
    words = []
    while data:
        kind, count = data[0], data[1]
        asns = [str(int.from_bytes(data[2 + i * width : 2 + (i + 1) * width], "big")) for i in range(count)]
        words.append(
            {SET: "{" + ",".join(asns) + "}", CONFED_SEQUENCE: "(" + " ".join(asns) + ")"}.get(
                kind, "[" + " ".join(asns) + "]" if kind == CONFED_SET else " ".join(asns)
            )
        )
        data = data[2 + count * width :]
    return " ".join(words)


KNOWN_FLAGS = {1: 0x40, 2: 0x40, 3: 0x40, 4: 0x80, 5: 0x40, 6: 0x40, 7: 0xC0, 8: 0xC0, 9: 0x80, 10: 0x80, 14: 0x80,
               15: 0x80, 16: 0xC0, 17: 0xC0, 18: 0xC0, 26: 0x80, 32: 0xC0, 35: 0xC0}  # fmt: skip


def read_row(fields: Mapping[int, tuple[int, bytes]], width: int) -> dict[str, Any]:
    """The attributes of one UPDATE; asserts the flags that their RFCs give them."""
    for code, (flags, _) in fields.items():
        assert flags & 0xC0 == KNOWN_FLAGS.get(code, 0xC0), (code, flags)
    value = {code: value for code, (_, value) in fields.items()}
    number = {code: int.from_bytes(value[code], "big") if code in value else None for code in (4, 5)}
    fours = [value.get(10, b"")[i : i + 4] for i in range(0, len(value.get(10, b"")), 4)]
    eights = [value.get(16, b"")[i : i + 8] for i in range(0, len(value.get(16, b"")), 8)]
    row: dict[str, Any] = {
        "origin": ORIGINS[value[1][0]],
        "as_path": read_path(value[2], width),
        "next_hop": text(value[3]) if 3 in value else "",
        "link_local": None,
        "med": number[4],
        "local_pref": number[5],
        "atomic_aggregate": 6 in value,
        "aggregator": read_aggregator(value[7]) if 7 in value else None,
        "communities": [f"{a}:{b}" for a, b in struct.iter_unpack("!HH", value.get(8, b""))],
        "originator_id": text(value[9]) if 9 in value else None,
        "cluster_list": [text(cluster) for cluster in fours],
        "extended_communities": [community.hex() for community in eights],
        "aigp": None,
        "otc": int.from_bytes(value[35], "big") if 35 in value else None,
        "large_communities": [f"{a}:{b}:{c}" for a, b, c in struct.iter_unpack("!III", value.get(32, b""))],
        "unknown": [
            [flags, code, data.hex()] for code, (flags, data) in sorted(fields.items()) if code not in KNOWN_FLAGS
        ],
    }
    if 26 in value:
        assert value[26][:3] == b"\1\0\x0b"
        assert len(value[26]) == 11
        row["aigp"] = int.from_bytes(value[26][3:], "big")
    if 17 in value:
        row["as4_path"] = read_path(value[17], 4)
    if 18 in value:
        row["as4_aggregator"] = read_aggregator(value[18])
    return row


def read_aggregator(value: bytes) -> str:
    return f"{int.from_bytes(value[:-4], 'big')} {text(value[-4:])}"
