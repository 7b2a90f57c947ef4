"""Capture files (pcap, pcapng) to the octets that each end of each TCP connection sent."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ETHERNET, RAW, COOKED, NULL, PPP = 1, 101, 113, 0, 9
IPV4, IPV6, VLAN = 0x0800, 0x86DD, 0x8100
TCP: Final = 6
Flow = tuple[bytes, int, bytes, int]
"""Source address and port, destination address and port."""


def streams(path: Path, port: int) -> dict[Flow, bytes]:
    """What was sent to or from a port, in the order of sequence numbers; octets that were not captured are left out."""
    parts: dict[Flow, dict[int, bytes]] = defaultdict(dict)
    for link, frame in frames(path.read_bytes()):
        segment = _segment(link, frame)
        if segment is not None and port in (segment[0][1], segment[0][3]):
            flow, sequence, data = segment
            if len(data) > len(parts[flow].get(sequence, b"")):
                parts[flow][sequence] = data
    return {flow: _joined(of) for flow, of in parts.items() if of}


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(link type, octets)."""
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from _blocks(data)
        return
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(f"{order}I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack(f"{order}I", data[at + 8 : at + 12])[0]
        yield link, data[at + 16 : at + 16 + size]
        at += 16 + size


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    links: list[int] = []
    order, at = "<", 0
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        body = data[at + 8 : at + size - 4]
        if kind == 1:
            links.append(struct.unpack(f"{order}H", body[:2])[0])
        elif kind == 6:
            interface, _, _, captured = struct.unpack(f"{order}IIII", body[:16])
            yield links[interface], body[20 : 20 + captured]
        at += size


def _segment(link: int, frame: bytes) -> tuple[Flow, int, bytes] | None:
    packet = _packet(link, frame)
    if packet is None:
        return None
    if packet[0] >> 4 == 4:
        size = (packet[0] & 15) * 4
        kind, source, target = packet[9], packet[12:16], packet[16:20]
        tcp = packet[size : int.from_bytes(packet[2:4], "big") or len(packet)]
    else:
        kind, source, target = packet[6], packet[8:24], packet[24:40]
        tcp = packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
    if kind != TCP or len(tcp) < 20:
        return None
    sport, dport, sequence = struct.unpack("!HHI", tcp[:8])
    data = tcp[(tcp[12] >> 4) * 4 :]
    return ((source, sport, target, dport), sequence, data) if data else None


def _packet(link: int, frame: bytes) -> bytes | None:
    if link == RAW:
        return frame
    if link == NULL:
        return frame[4:]
    if link == PPP:
        return frame[2:] if frame[:2] in (b"\0\x21", b"\0\x57") else frame[4:]
    at = 14 if link == COOKED else 12
    kind = int.from_bytes(frame[at : at + 2], "big")
    while kind == VLAN:
        at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
    return frame[at + 2 :] if kind in (IPV4, IPV6) else None


def _joined(parts: dict[int, bytes]) -> bytes:
    out, end = b"", None
    for sequence in sorted(parts):
        data = parts[sequence]
        if end is not None and sequence < end:
            data = data[end - sequence :]
        out += data
        end = max(end or 0, sequence + len(parts[sequence]))
    return out
