"""The frames between routingd and ncpd: encoding, and a decoder that trusts nothing. No I/O.

Frame = ``u32 length | u8 type | u8 flags | u16 channel`` (big-endian; length counts what follows it) and one msgpack
map with small integer keys, the fields of a message in order. Unknown keys and further columns are ignored, an absent
key takes the field's default, unknown types are skipped unless critical. What is broken raises ``WireError``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgpack

from fibd import bounds
from fibd.message import Message
from fibd.messages import (
    LOOK,
    MESSAGES,
    VERSION,
    Ack,
    Addresses,
    AdjacencyKind,
    Answer,
    BoxConfig,
    Bye,
    Conditions,
    DigestReply,
    DigestRequest,
    Error,
    FactsComplete,
    Heartbeat,
    Hello,
    Neighbours,
    Ports,
    Query,
    Resume,
    Role,
    Routers,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    Transaction,
    Welcome,
)
from fibd.stream_messages import (
    Capsule,
    Lease,
    StreamAdopt,
    StreamClose,
    StreamConnect,
    StreamCredit,
    StreamData,
    StreamListen,
    StreamOpened,
    Streams,
    StreamUnlisten,
)

__all__ = [
    "BEGIN", "COMMIT", "CRITICAL", "MAX_CHUNK", "MAX_FRAME", "MESSAGES", "MOST_ELECTION", "VERSION", "Ack",
    "Addresses", "AdjacencyKind", "Answer", "BoxConfig", "Bye", "Capsule", "Conditions", "Decoder", "DigestReply",
    "DigestRequest", "Error", "FactsComplete", "Heartbeat", "Hello", "Lease", "Message", "Neighbours", "Ports",
    "Query", "Resume", "Role", "Routers", "SnapshotBegin", "SnapshotEnd", "SnapshotVerdict", "StreamAdopt",
    "StreamClose", "StreamConnect", "StreamCredit", "StreamData", "StreamListen", "StreamOpened", "StreamUnlisten",
    "Streams", "Transaction", "Welcome", "WireError", "encode",
]  # fmt: skip

MAX_FRAME: Final = 16 * 1024 * 1024
MAX_CHUNK: Final = 256 * 1024
"""Of one message on the fib or streams connection at most: an urgent one never waits longer than for that."""
MAX_ITEMS: Final = 1 << 16
"""Elements of one array or map; columns are bytes."""
MOST_ELECTION: Final = (1 << 63) - 1
"""Half of what fits: far from it there is always a higher id."""
CRITICAL: Final = 0x01
BEGIN: Final = 0x02
COMMIT: Final = 0x04
_HEADER: Final = struct.Struct("!IBBH")
_AFTER_LENGTH: Final = _HEADER.size - 4


class WireError(Exception):
    """The peer sent what is not a frame of this protocol. The connection must close."""


Check = Callable[[Any], Any]


def _fail(expected: str, value: object) -> WireError:
    return WireError(f"expected {expected}, got {type(value).__name__}")


def _integer(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int:  # bool is an int to isinstance
            raise _fail("an integer", value)
        if not low <= value <= high:
            raise WireError(f"{value} is outside {low}..{high}")
        return value

    return check


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _fail("text", value)
    return value


def _octets(value: Any) -> bytes:
    if type(value) is not bytes:
        raise _fail("bytes", value)
    return value


def _octets_of(*lengths: int) -> Check:
    def check(value: Any) -> bytes:
        if len(_octets(value)) not in lengths:
            raise WireError(f"{len(value)} bytes where {' or '.join(map(str, lengths))} are expected")
        return bytes(value)

    return check


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _fail("a boolean", value)
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise _fail("a number", value)
    if not math.isfinite(value):
        raise WireError("a number that is not finite")
    return float(value)


def _anything(value: Any) -> Any:
    return value


def _finite(value: Any) -> Any:
    """Anything that JSON can say too."""
    inside = value.values() if type(value) is dict else value if type(value) is list else ()
    for item in inside:
        _finite(item)
    return _number(value) if type(value) is float else value


def _optional(inner: Check) -> Check:
    return lambda value: None if value is None else inner(value)


def _list(inner: Check) -> Check:
    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _fail("a list", value)
        return value if inner is _anything else [inner(item) for item in value]

    return check


def _map(key: Check, inner: Check) -> Check:
    def check(value: Any) -> dict[Any, Any]:
        if type(value) is not dict:
            raise _fail("a map", value)
        return {key(k): inner(v) for k, v in value.items()}

    return check


def _row(*columns: Check) -> Check:
    width = len(columns)

    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _fail("a row", value)
        if len(value) < width:
            raise WireError(f"a row of {len(value)} columns where {width} are expected")
        return [column(item) for column, item in zip(columns, value, strict=False)]

    return check


_U8: Final = _integer(0, 0xFF)
_U16: Final = _integer(0, 0xFFFF)
_U32: Final = _integer(0, 0xFFFFFFFF)
_U64: Final = _integer(0, 0xFFFFFFFFFFFFFFFF)
_ELECTION: Final = _integer(0, MOST_ELECTION)
_ANY_INTEGER: Final = _integer(-(1 << 63), (1 << 64) - 1)
_ADDRESS: Final = _octets_of(4, 16)
_ADDRESS_OR_NONE: Final = _octets_of(0, 4, 16)
_KEY: Final = _octets_of(16)
_MEMBER: Final = 8
_WIDTH_OF_AFI: Final = {1: 4, 2: 16}


def _members(value: Any) -> bytes:
    if len(_octets(value)) % _MEMBER:
        raise WireError("group members are not a multiple of 8 bytes")
    return bytes(value)


_ROUTE_COLUMNS: Final = _row(_U32, _octets, _octets, _octets, _octets)


def _routes(value: Any) -> list[Any]:
    row: list[Any] = _ROUTE_COLUMNS(value)
    table, dst, plen, nhg, op = row
    width = _WIDTH_OF_AFI.get(table & 0xFF)
    if width is None:
        raise WireError(f"table {table} is of no family known here")
    if len(dst) != len(plen) * width or len(nhg) != len(plen) * 4 or len(op) != len(plen):
        raise WireError("route columns of unequal length")
    return row


_RANGE_COLUMNS: Final = _row(_ADDRESS, _U8, _text, _U8, _U8)


def _range(value: Any) -> list[Any]:
    row: list[Any] = _RANGE_COLUMNS(value)
    if row[1] > 8 * len(row[0]):
        raise WireError(f"a prefix of {row[1]} bits in {len(row[0])} bytes")
    return row


_FIELDS: Final[dict[tuple[type[Message], str], Check]] = {
    (Hello, "boot_id"): _KEY,
    (Hello, "role"): _integer(Role.CONTROL, LOOK),
    (Hello, "last_sequence"): _U64,
    (Hello, "election_id"): _ELECTION,
    (Welcome, "election_id"): _ELECTION,
    (Ports, "present"): _list(_row(_text, _U32, _boolean, _boolean, _U32, _octets, _text)),
    (Addresses, "present"): _list(_row(_text, _ADDRESS, _U8, _boolean)),
    (Addresses, "removed"): _list(_row(_text, _ADDRESS, _U8)),
    (Neighbours, "present"): _list(_row(_text, _ADDRESS, _octets, _text)),
    (Neighbours, "removed"): _list(_row(_text, _ADDRESS)),
    (Routers, "present"): _list(_row(_text, _octets_of(16))),
    (Conditions, "rows"): _list(_row(_text, _text, _text, _U32, _number)),
    (BoxConfig, "fabric_peers"): _map(_text, _list(_ADDRESS_OR_NONE)),
    (BoxConfig, "kernel_table"): _U32,
    (BoxConfig, "kernel_protocol"): _U8,
    (BoxConfig, "kernel_metric"): _U32,
    (Answer, "result"): _finite,
    (StreamListen, "listener"): _U32,
    (StreamListen, "local"): _ADDRESS,
    (StreamListen, "port"): _U16,
    (StreamListen, "allow"): _list(_row(_ADDRESS, _text, _U8, _U8)),
    (StreamListen, "ranges"): _list(_range),
    (StreamListen, "ao"): _list(_row(_ADDRESS, _U8, _U8, _U8, _text, _octets)),
    (StreamConnect, "stream"): _U32,
    (StreamConnect, "remote"): _ADDRESS,
    (StreamConnect, "local"): _ADDRESS_OR_NONE,
    (StreamConnect, "port"): _U16,
    (StreamConnect, "ttl"): _U8,
    (StreamConnect, "minimum_ttl"): _U8,
    (StreamConnect, "ao"): _list(_row(_U8, _U8, _text, _octets)),
    (StreamOpened, "stream"): _U32,
    (StreamOpened, "credit"): _U32,
    (StreamData, "rows"): _list(_row(_list(_U32), _octets)),
    (StreamCredit, "rows"): _list(_row(_U32, _U32)),
    (StreamClose, "stream"): _U32,
    (Lease, "stream"): _U32,
    (Capsule, "stream"): _U32,
    (StreamAdopt, "stream"): _U32,
    (Streams, "lives"): _list(_row(_U32, _number, _number, _ANY_INTEGER)),
    (Streams, "rows"): _list(_row(_U32, _U32, _ADDRESS, _U16, _ADDRESS, _U16, _text, _octets)),
    (Transaction, "election_id"): _ELECTION,
    (Transaction, "sequence"): _U64,
    (Transaction, "adjacencies"): _list(_row(_U32, _text, _text, _ADDRESS_OR_NONE, _U8)),
    (Transaction, "groups"): _list(_row(_U32, _KEY, _U8, _members)),
    (Transaction, "routes"): _list(_routes),
    (Transaction, "dead_groups"): _list(_U32),
    (Transaction, "dead_adjacencies"): _list(_U32),
    (Ack, "received"): _U64,
    (Ack, "applied"): _U64,
    (Ack, "installed"): _U64,
    (Ack, "failures"): _list(_row(_U64, _ANY_INTEGER, _U32, _ADDRESS_OR_NONE, _U8, _U32, _text)),
    (SnapshotBegin, "election_id"): _ELECTION,
    (SnapshotBegin, "sequence"): _U64,
    (SnapshotBegin, "kept"): _list(_row(_U32, _octets_of(128))),
    (SnapshotEnd, "election_id"): _ELECTION,
    (SnapshotEnd, "sequence"): _U64,
    (SnapshotEnd, "count"): _U64,
    (SnapshotEnd, "digest"): _U64,
    (Resume, "election_id"): _ELECTION,
    (Resume, "sequence"): _U64,
    (DigestRequest, "election_id"): _ELECTION,
    (DigestReply, "rows"): _list(_row(_U32, _octets)),
}
"""Where a field's Python type says too little: ranges, lengths, the columns of rows."""

_SCALARS: Final[dict[object, Check]] = {
    int: _ANY_INTEGER, str: _text, bytes: _octets, bool: _boolean, float: _number, Any: _anything,
}  # fmt: skip


def _check_for(hint: Any) -> Check:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return _list(_check_for(arguments[0]))
    if origin is dict:
        return _map(_check_for(arguments[0]), _check_for(arguments[1]))
    (inner,) = [a for a in arguments if a is not type(None)]
    return _optional(_check_for(inner))


def _checks(message: type[Message]) -> tuple[tuple[str, Check, bool], ...]:
    hints = get_type_hints(message)
    return tuple(
        (
            f.name,
            _FIELDS.get((message, f.name)) or _check_for(hints[f.name]),
            f.default is MISSING and f.default_factory is MISSING,
        )
        for f in fields(message)
    )


_CHECKS: Final = {kind: _checks(message) for kind, message in MESSAGES.items()}
_DEFAULTS: Final = {
    kind: tuple((f.name, f.default if f.default_factory is MISSING else f.default_factory()) for f in fields(message))
    for kind, message in MESSAGES.items()
}


def encode(message: Message, channel: int = 0, flags: int = 0) -> bytes:
    """One whole frame. Fields that have their default are left out."""
    body = {
        key: value
        for key, (name, default) in enumerate(_DEFAULTS[message.TYPE])
        if (value := getattr(message, name)) != default or default is MISSING
    }
    payload: bytes = msgpack.packb(body)
    if len(payload) + _AFTER_LENGTH > MAX_FRAME:
        raise ValueError(f"{type(message).__name__} of {len(payload)} bytes does not fit a frame: send it in parts")
    return _HEADER.pack(len(payload) + _AFTER_LENGTH, message.TYPE, flags, channel) + payload


def _build(kind: int, payload: memoryview) -> Message:
    try:
        bounds.check(payload)
        body = msgpack.unpackb(
            payload, strict_map_key=False, max_array_len=MAX_ITEMS, max_map_len=MAX_ITEMS, max_ext_len=0
        )  # fmt: skip
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise WireError(f"unreadable body: {error or type(error).__name__}") from error
    if type(body) is not dict:
        raise _fail("a map", body)
    message = MESSAGES[kind]
    values: dict[str, Any] = {}
    for key, (name, check, required) in enumerate(_CHECKS[kind]):
        if key in body:
            try:
                values[name] = check(body[key])
            except WireError as error:
                raise WireError(f"{message.__name__}.{name}: {error}") from None
            except RecursionError:
                raise WireError(f"{message.__name__}.{name} is nested too deeply") from None
        elif required:
            raise WireError(f"{message.__name__}.{name} is missing")
    return message(**values)


class Decoder:
    """One direction of one connection. Holds at most one frame that is not complete yet, never more than
    ``max_frame``."""

    __slots__ = ("_broken", "_buffer", "_offset", "max_frame", "skipped")

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self.max_frame = min(max_frame, MAX_FRAME)
        self._broken = False
        self.skipped = 0
        """Messages of types unknown here."""

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[tuple[Message, int, int]]:
        """(message, flags, channel) of each frame now complete. Those before a broken one still come; after it nothing
        does."""
        if self._offset:  # moving the rest once per read, not once per frame, keeps this linear
            del self._buffer[: self._offset]
            self._offset = 0
        self._buffer += data
        return self._frames()

    def _frames(self) -> Iterator[tuple[Message, int, int]]:
        if self._broken:
            raise WireError("this connection already sent what is not a frame")
        try:
            while (frame := self._next()) is not None:
                if frame[0] is not None:
                    yield frame[0], frame[1], frame[2]
        except WireError:
            self._broken = True
            self._buffer.clear()
            self._offset = 0
            raise

    def _next(self) -> tuple[Message | None, int, int] | None:
        start, size = self._offset, len(self._buffer)
        if size - start < _HEADER.size:
            return None
        length, kind, flags, channel = _HEADER.unpack_from(self._buffer, start)
        if not _AFTER_LENGTH < length <= self.max_frame:
            raise WireError(f"a frame of {length} bytes; {_AFTER_LENGTH + 1} to {self.max_frame} are allowed")
        end = start + 4 + length
        if size < end:
            return None
        self._offset = end
        if kind not in MESSAGES:
            if flags & CRITICAL:
                raise WireError(f"critical message of unknown type {kind}")
            self.skipped += 1
            return None, flags, channel
        with memoryview(self._buffer) as whole, whole[start + _HEADER.size : end] as payload:
            return _build(kind, payload), flags, channel
