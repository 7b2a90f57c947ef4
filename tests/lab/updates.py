"""UPDATE messages as bytes (RFC 4271 4.3, RFC 4760, RFC 6793, RFC 8092), both ways, sharing nothing with the router
under test."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence

from tests.lab.attributes import ORIGINS, Attributes, communities, large_communities

MARKER = b"\xff" * 16
UPDATE = 2
HEADER = 19
MAX_MESSAGE = 4096
END_OF_RIB_IPV4 = MARKER + b"\x00\x17\x02\x00\x00\x00\x00"
END_OF_RIB_IPV6 = (
    MARKER + b"\x00\x1d\x02\x00\x00\x00\x06\x80\x0f\x03\x00\x02\x01",
    MARKER + b"\x00\x1e\x02\x00\x00\x00\x07\x90\x0f\x00\x03\x00\x02\x01",
)
AS_SET, AS_SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
Prefix = tuple[bytes, int]


def message(kind: int, body: bytes) -> bytes:
    return MARKER + struct.pack("!HB", HEADER + len(body), kind) + body


def nlri(address: bytes, length: int) -> bytes:
    return bytes((length,)) + address[: (length + 7) // 8]


def parse_prefix(text: str) -> Prefix:
    network = ipaddress.ip_network(text)
    return network.network_address.packed, network.prefixlen


def format_prefix(address: bytes, length: int) -> str:
    return f"{socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)}/{length}"


def attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, code, len(value)) + value
    return struct.pack("!BBB", flags, code, len(value)) + value


def encode_attributes(attributes: Attributes, *, with_next_hop: bool = True) -> bytes:
    """Path attributes in ascending order of type (RFC 4271 5), four-octet AS numbers; without NEXT_HOP for
    MP_REACH_NLRI routes."""
    out = [
        attribute(0x40, 1, bytes((ORIGINS.index(attributes.origin),))),
        attribute(0x40, 2, encode_path(attributes.as_path)),
    ]
    if with_next_hop:
        out.append(attribute(0x40, 3, socket.inet_aton(attributes.next_hop)))
    if attributes.med is not None:
        out.append(attribute(0x80, 4, struct.pack("!I", attributes.med)))
    if attributes.local_pref is not None:
        out.append(attribute(0x40, 5, struct.pack("!I", attributes.local_pref)))
    if attributes.atomic:
        out.append(attribute(0x40, 6, b""))
    if attributes.aggregator is not None:
        asn, router = attributes.aggregator.split()
        out.append(attribute(0xC0, 7, struct.pack("!I", int(asn)) + socket.inet_aton(router)))
    if attributes.communities:
        out.append(attribute(0xC0, 8, _numbers(attributes.communities, "!HH")))
    if attributes.large:
        out.append(attribute(0xC0, 32, _numbers(attributes.large, "!III")))
    return b"".join(out)


def _numbers(values: Iterable[str], layout: str) -> bytes:
    return b"".join(struct.pack(layout, *(int(part) for part in value.split(":"))) for value in values)


def encode_path(text: str) -> bytes:
    out = b""
    for kind, numbers in path_segments(text):
        for start in range(0, len(numbers), 255):
            part = numbers[start : start + 255]
            out += struct.pack(f"!BB{len(part)}I", kind, len(part), *part)
    return out


def path_segments(text: str) -> Iterator[tuple[int, list[int]]]:
    sequence: list[int] = []
    for word in text.split():
        if word.startswith("{"):
            if sequence:
                yield AS_SEQUENCE, sequence
                sequence = []
            yield AS_SET, [int(number) for number in word.strip("{}").split(",")]
        else:
            sequence.append(int(word))
    if sequence:
        yield AS_SEQUENCE, sequence


def announcements(
    prefixes: Sequence[Prefix], attributes: Attributes, *, max_message: int = MAX_MESSAGE
) -> Iterator[bytes]:
    """The UPDATEs that announce IPv4 prefixes in the classic field, IPv6 ones in MP_REACH_NLRI; all of one family."""
    if len(prefixes[0][0]) == 4:
        encoded = encode_attributes(attributes)
        fixed = b"\x00\x00" + struct.pack("!H", len(encoded)) + encoded
        for chunk in _chunks(prefixes, max_message - HEADER - len(fixed)):
            yield message(UPDATE, fixed + chunk)
    else:
        encoded = encode_attributes(attributes, with_next_hop=False)
        reach = b"\x00\x02\x01\x10" + socket.inet_pton(socket.AF_INET6, attributes.next_hop) + b"\x00"
        for chunk in _chunks(prefixes, max_message - HEADER - 4 - len(encoded) - len(reach) - 4):
            # RFC 7606 5.1: MP_REACH_NLRI first.
            body = (
                attribute(0x90, 14, reach + chunk)
                if len(reach) + len(chunk) > 255
                else attribute(0x80, 14, reach + chunk)
            )
            yield message(UPDATE, b"\x00\x00" + struct.pack("!H", len(body) + len(encoded)) + body + encoded)


def withdrawals(prefixes: Sequence[Prefix], *, max_message: int = MAX_MESSAGE) -> Iterator[bytes]:
    if len(prefixes[0][0]) == 4:
        for chunk in _chunks(prefixes, max_message - HEADER - 4):
            yield message(UPDATE, struct.pack("!H", len(chunk)) + chunk + b"\x00\x00")
    else:
        for chunk in _chunks(prefixes, max_message - HEADER - 4 - 7):
            body = struct.pack("!BBH", 0x90, 15, 3 + len(chunk)) + b"\x00\x02\x01" + chunk
            yield message(UPDATE, b"\x00\x00" + struct.pack("!H", len(body)) + body)


def _chunks(prefixes: Sequence[Prefix], room: int) -> Iterator[bytes]:
    chunk = b""
    for address, length in prefixes:
        one = nlri(address, length)
        if len(chunk) + len(one) > room:
            yield chunk
            chunk = b""
        chunk += one
    if chunk:
        yield chunk


# --- reading --------------------------------------------------------------------------------------------------------


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each whole message of a recorded stream; a partial tail is left alone."""
    position = 0
    while position + HEADER <= len(data):
        if data[position : position + 16] != MARKER:
            raise ValueError(f"no BGP marker at byte {position} of the recording")
        length, kind = struct.unpack_from("!HB", data, position + 16)
        if position + length > len(data):
            return
        yield kind, data[position + HEADER : position + length]
        position += length


def is_end_of_rib(body: bytes) -> bool:
    """RFC 4724 2."""
    return (
        body == b"\x00\x00\x00\x00" or MARKER + struct.pack("!HB", HEADER + len(body), UPDATE) + body in END_OF_RIB_IPV6
    )


class Replay:
    """The table that a stream of UPDATEs leaves behind, prefix by prefix. Attribute sets are decoded once each."""

    def __init__(self, *, four_octet_as: bool = True) -> None:
        self.routes: dict[str, Attributes] = {}
        self.end_of_rib = 0
        self._four_octet_as = four_octet_as
        self._decoded: dict[bytes, tuple[Attributes, list[Prefix], list[Prefix]]] = {}

    def feed(self, data: bytes) -> Replay:
        for kind, body in messages(data):
            if kind == UPDATE:
                self.update(body)
        return self

    def update(self, body: bytes) -> None:
        if is_end_of_rib(body):
            self.end_of_rib += 1
            return
        (gone,) = struct.unpack_from("!H", body, 0)
        (size,) = struct.unpack_from("!H", body, 2 + gone)
        for address, length in _prefixes(body[2 : 2 + gone], 4):
            self.routes.pop(format_prefix(address, length), None)
        encoded = body[4 + gone : 4 + gone + size]
        known = self._decoded.get(encoded)
        if known is None:
            known = decode_attributes(encoded, four_octet_as=self._four_octet_as)
            self._decoded[encoded] = known
        attributes, reached, unreached = known
        for address, length in unreached:
            self.routes.pop(format_prefix(address, length), None)
        for address, length in reached:
            self.routes[format_prefix(address, length)] = attributes
        for address, length in _prefixes(body[4 + gone + size :], 4):
            self.routes[format_prefix(address, length)] = attributes


def decode_attributes(data: bytes, *, four_octet_as: bool = True) -> tuple[Attributes, list[Prefix], list[Prefix]]:
    """(attributes, IPv6 prefixes reached, IPv6 prefixes withdrawn)."""
    fields: dict[str, object] = {}
    reached: list[Prefix] = []
    unreached: list[Prefix] = []
    position = 0
    while position < len(data):
        flags, code = data[position], data[position + 1]
        if flags & 0x10:
            (length,) = struct.unpack_from("!H", data, position + 2)
            position += 4
        else:
            length = data[position + 2]
            position += 3
        value = data[position : position + length]
        position += length
        match code:
            case 1:
                fields["origin"] = ORIGINS[value[0]]
            case 2:
                fields["as_path"] = decode_path(value, four_octet_as=four_octet_as)
            case 3:
                fields["next_hop"] = socket.inet_ntoa(value)
            case 4:
                fields["med"] = int.from_bytes(value, "big")
            case 5:
                fields["local_pref"] = int.from_bytes(value, "big")
            case 6:
                fields["atomic"] = True
            case 7:
                fields["aggregator"] = f"{int.from_bytes(value[:-4], 'big')} {socket.inet_ntoa(value[-4:])}"
            case 8:
                fields["communities"] = communities(f"{a}:{b}" for a, b in struct.iter_unpack("!HH", value))
            case 32:
                fields["large"] = large_communities(f"{a}:{b}:{c}" for a, b, c in struct.iter_unpack("!III", value))
            case 14 if value[:3] == b"\x00\x02\x01":
                fields["next_hop"] = socket.inet_ntop(socket.AF_INET6, value[4:20])
                reached = list(_prefixes(value[4 + value[3] + 1 :], 16))
            case 14 if value[:3] == b"\x00\x01\x01":
                size = value[3]
                hop = value[4 : 4 + min(size, 16)]
                fields["next_hop"] = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, hop)
                reached = list(_prefixes(value[4 + size + 1 :], 4))
            case 15 if value[:3] in (b"\x00\x02\x01", b"\x00\x01\x01"):
                unreached = list(_prefixes(value[3:], 16 if value[1] == 2 else 4))
    return Attributes(**fields), reached, unreached  # type: ignore[arg-type]


def decode_path(value: bytes, *, four_octet_as: bool = True) -> str:
    words: list[str] = []
    position = 0
    while position < len(value):
        kind, count = value[position], value[position + 1]
        layout = f"!{count}{'I' if four_octet_as else 'H'}"
        numbers = [str(number) for number in struct.unpack_from(layout, value, position + 2)]
        position += 2 + struct.calcsize(layout)
        if kind == AS_SET:
            words.append("{" + ",".join(numbers) + "}")
        elif kind == CONFED_SEQUENCE:
            words.append("(" + " ".join(numbers) + ")")
        elif kind == CONFED_SET:
            words.append("[" + " ".join(numbers) + "]")
        else:
            words.extend(numbers)
    return " ".join(words)


def _prefixes(data: bytes, size: int) -> Iterator[Prefix]:
    position = 0
    while position < len(data):
        length = data[position]
        octets = (length + 7) // 8
        yield data[position + 1 : position + 1 + octets].ljust(size, b"\0"), length
        position += 1 + octets
