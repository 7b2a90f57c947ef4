"""Messages of the streams connection: the router's TCP, opened and held by the boxes. As in ``messages``, fields and
columns are only ever appended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from fibd.message import Message


@dataclass(frozen=True, slots=True)
class StreamListen(Message):
    """Controller: accept TCP here. Refused connections (address not in ``allow``) are closed by the agent and
    counted."""

    TYPE: ClassVar[int] = 32
    listener: int
    local: bytes
    """Address bytes; all zeros: any of that family."""
    port: int
    device: str = ""
    allow: list[list[Any]] = field(default_factory=list)
    """Rows (peer address bytes, MD5 key or "", TTL to send or 0, minimum TTL to accept or 0)."""
    ranges: list[list[Any]] = field(default_factory=list)
    """Peers by prefix, of which the longest counts, after those in ``allow``. Rows (address bytes, prefix length, MD5
    key, TTL to send, minimum TTL)."""
    ao: list[list[Any]] = field(default_factory=list)
    """TCP-AO keys (RFC 5925) of peers among those. Rows (address bytes, prefix length, send id, receive id, algorithm,
    key bytes), the one to sign with first."""


@dataclass(frozen=True, slots=True)
class StreamUnlisten(Message):
    TYPE: ClassVar[int] = 33
    listener: int


@dataclass(frozen=True, slots=True)
class StreamConnect(Message):
    """Controller: open TCP to a peer. Stream numbers the controller gives are even, those the agent gives to accepted
    ones odd."""

    TYPE: ClassVar[int] = 34
    stream: int
    remote: bytes
    port: int
    local: bytes = b""
    device: str = ""
    ttl: int = 0
    minimum_ttl: int = 0
    md5: str = ""
    timeout: float = 30.0
    ao: list[list[Any]] = field(default_factory=list)
    """TCP-AO keys: rows (send id, receive id, algorithm, key bytes), the one to sign with first."""


@dataclass(frozen=True, slots=True)
class StreamOpened(Message):
    """Agent: a stream is up: asked for (listener 0) or accepted."""

    TYPE: ClassVar[int] = 35
    stream: int
    listener: int
    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    device: str = ""
    credit: int = 1 << 20
    """Bytes the controller may send at first."""


@dataclass(frozen=True, slots=True)
class StreamData(Message):
    """Either way. Rows (stream numbers, bytes): the same bytes may go to many streams. From the controller the bytes
    are whole BGP messages, so the agent may put a KEEPALIVE between any two rows."""

    TYPE: ClassVar[int] = 36
    rows: list[list[Any]]
    arrived: float = 0.0
    """Seconds between arrival at the agent and sending of this frame (monotonic), so that queueing never looks like
    silence."""


@dataclass(frozen=True, slots=True)
class StreamCredit(Message):
    """Either way. Rows (stream, further bytes the other side may send)."""

    TYPE: ClassVar[int] = 37
    rows: list[list[int]]


@dataclass(frozen=True, slots=True)
class StreamClose(Message):
    """Either way. ``reason`` for people, errno 0 when orderly. From the controller: flush what is queued, then close;
    ``reset`` drops it."""

    TYPE: ClassVar[int] = 38
    stream: int
    reason: str = ""
    errno: int = 0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Lease(Message):
    """Controller: send ``packet`` on the stream every ``interval`` s (jittered down to 75 %, RFC 4271 10) while
    nothing else was sent, until ``lease`` s after the latest renewal. Interval 0 ends it."""

    TYPE: ClassVar[int] = 39
    stream: int
    interval: float
    lease: float
    packet: bytes
    hold: float = 0.0
    """While no controller is there: seconds after the latest arrival in which the peer must be heard again, or it is
    told ``farewell`` and the stream ends; 0: any."""
    farewell: bytes = b""


@dataclass(frozen=True, slots=True)
class Capsule(Message):
    """Controller, at Established; kept by the agent with the stream, given back to a controller that adopts it."""

    TYPE: ClassVar[int] = 40
    stream: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Streams(Message):
    """Agent, after Welcome on the streams connection: the streams it still has. Rows (stream, listener, local, local
    port, remote, remote port, device, capsule). Each stays as it is until the controller adopts or closes it."""

    TYPE: ClassVar[int] = 41
    rows: list[list[Any]]
    lives: list[list[Any]] = field(default_factory=list)
    """Of those with a capsule. Rows (stream, seconds since the first capsule, seconds since something arrived, bytes
    that the controller may send at first: less than 0 where more waits than that)."""


@dataclass(frozen=True, slots=True)
class StreamAdopt(Message):
    """Controller: goes on with a stream that was offered. What it has received meanwhile follows, from the beginning of
    a message on, then its end if it has ended."""

    TYPE: ClassVar[int] = 42
    stream: int
