"""Every message between routingd and ncpd, as a frozen dataclass; those about streams are in ``stream_messages``. No
I/O and no encoding: ``fibd.wire`` puts them on the wire.

A message's fields, in order, are the keys 0, 1, 2 … of its map: fields are only ever appended. So are the columns of
rows, and a reader cuts off those that it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Final

from fibd.message import Message
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

VERSION: Final = 1
OLDEST: Final = max(1, VERSION - 1)
"""Both ends speak this version and the one before, so that boxes and controller can be upgraded one after the other."""
FOREVER: Final = -1.0
"""A grace without end."""
LOOK: Final = 4
"""A role of Hello besides those of ``Role``: an agent whose controller is silent only asks who answers there now."""


class Role(IntEnum):
    """Which of an agent's three connections this is: a hello never waits behind a table."""

    CONTROL = 1
    STREAMS = 2
    FIB = 3


class AdjacencyKind(IntEnum):
    IP = 0
    DROP = 1
    LOCAL = 2
    UNREACHABLE = 3


# --- every connection -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """Agent, first on each connection."""

    TYPE: ClassVar[int] = 1
    role: int
    ncp: str
    boot_id: bytes
    """16 random bytes, new at each start of the agent: the three connections of one agent share it."""
    version_min: int = OLDEST
    version_max: int = VERSION
    capabilities: list[str] = field(default_factory=list)
    """What not every agent or box can: "resume" where it understands ``Resume`` and ``DigestRequest``, "tcp-ao" where
    its kernel has that."""
    stream_id: bytes = b""
    """The FIB stream that its model is of; b"" for none."""
    last_sequence: int = 0
    """What it has applied of that."""
    election_id: int = 0
    """The highest election id this agent ever accepted."""
    hostname: str = ""
    keeps: bool = False
    """The box forwards by what it was told before."""
    elected: bytes = b""
    """The ``Welcome.stream_id`` that came with that election id; b"" where this is not remembered."""


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """Controller, in answer to Hello."""

    TYPE: ClassVar[int] = 2
    version: int
    election_id: int
    stream_id: bytes
    digest_key: bytes
    resume: int = 0
    """0: a full snapshot follows."""
    heartbeat: float = 1.0
    grace: float = 600.0
    """Seconds for which the box forwards without a controller; ``FOREVER`` or another negative one: without end."""
    router: str = ""
    isolate: bool = False
    """After the grace, ports are taken down besides the routes' removal."""


@dataclass(frozen=True, slots=True)
class Error(Message):
    TYPE: ClassVar[int] = 3
    code: str
    """"version", "name", "duplicate", "election", "protocol"."""
    text: str


@dataclass(frozen=True, slots=True)
class Bye(Message):
    """Leaving on purpose: keep forwarding for ``grace`` seconds (``FOREVER``: without end). With ``flush`` the agent
    empties the kernel and ends."""

    TYPE: ClassVar[int] = 4
    reason: str
    grace: float
    flush: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    TYPE: ClassVar[int] = 5
    sequence: int
    queue_depth: int = 0
    lag: float = 0.0
    last_audit: float | None = None
    """Seconds since the agent's latest audit ended."""
    echo: int = 0


# --- control ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ports(Message):
    """Agent: what links it has. Rows (name, ifindex, admin up, carrier, mtu, mac bytes, kind)."""

    TYPE: ClassVar[int] = 16
    sequence: int
    present: list[list[Any]]
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Addresses(Message):
    """Agent: addresses on its ports. Rows (port, address bytes, prefix length, usable: not tentative or failed)."""

    TYPE: ClassVar[int] = 17
    sequence: int
    present: list[list[Any]]
    removed: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Neighbours(Message):
    """Agent: neighbour entries. Rows (port, address bytes, mac bytes, state name)."""

    TYPE: ClassVar[int] = 18
    sequence: int
    present: list[list[Any]]
    removed: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FactsComplete(Message):
    """Agent: everything it had at connect has been told."""

    TYPE: ClassVar[int] = 19
    sequence: int


@dataclass(frozen=True, slots=True)
class BoxConfig(Message):
    """Controller: what this box shall be. Complete each time, idempotent."""

    TYPE: ClassVar[int] = 20
    generation: int
    interfaces: dict[str, list[str]]
    """Port name: addresses as "a/len". The agent brings the port up and adds what is missing, and removes what it
    added before."""
    fabric_port: str = ""
    fabric_address: str = ""
    fabric_peers: dict[str, list[bytes]] = field(default_factory=dict)
    """Other NCP's name: [IPv4 address or b"", IPv6 address or b""] on the fabric. An IPv6 address that is not known yet
    is the one told before."""
    kernel_table: int = 254
    kernel_protocol: int = 201
    kernel_metric: int = 50
    discover: list[str] = field(default_factory=list)
    """Ports on which to send router advertisements and to tell whose are heard."""
    weighted_backup: bool = False
    """Backups of the box itself stand beside the primaries of a group at the least weight there is."""


@dataclass(frozen=True, slots=True)
class Routers(Message):
    """Agent: routers heard on the ports of ``BoxConfig.discover``, by their router advertisements (RFC 4861). Rows
    (port, link-local address), those of a port in the order in which they were heard first."""

    TYPE: ClassVar[int] = 21
    sequence: int
    present: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Conditions(Message):
    """Agent: what is wrong with its box. Complete each time. Rows (code, severity "info", "warning" or "alarm", text,
    count, seconds since it began)."""

    TYPE: ClassVar[int] = 22
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Query(Message):
    """Controller: a question for a person. ``what``: "route" (args family, address, length), "routes" (family, cursor,
    limit), "counts", "facts", "audit" (answered once it has ended)."""

    TYPE: ClassVar[int] = 24
    id: int
    what: str
    args: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer(Message):
    TYPE: ClassVar[int] = 25
    id: int
    result: Any = None
    error: str = ""


# --- fib --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transaction(Message):
    """Controller. One ordered sequence; within one: adjacencies, groups, routes, dead groups, dead adjacencies. Frame
    flags BEGIN and COMMIT bound it (both on one frame in this version). Rows as ``native.FibDelta`` has them."""

    TYPE: ClassVar[int] = 48
    election_id: int
    sequence: int
    urgent: bool = False
    adjacencies: list[list[Any]] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=list)
    routes: list[list[Any]] = field(default_factory=list)
    dead_groups: list[int] = field(default_factory=list)
    dead_adjacencies: list[int] = field(default_factory=list)
    fact_sequence: int = 0
    """The last fact of this agent that the controller had used."""


@dataclass(frozen=True, slots=True)
class Ack(Message):
    """Agent: cumulative. Failures: rows (sequence, index in it or -1, table, address, length, errno, text)."""

    TYPE: ClassVar[int] = 49
    received: int
    applied: int
    installed: int
    credit_bytes: int = 0
    """Bytes of transactions the controller may have outstanding (received but not installed)."""
    failures: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SnapshotBegin(Message):
    """Controller: a stream from its start. All adjacencies and groups follow, and all routes but those in shards of
    ``kept``: rows (table, a bit for each shard), which the agent has as they are (``DigestReply``)."""

    TYPE: ClassVar[int] = 50
    election_id: int
    sequence: int
    kept: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SnapshotEnd(Message):
    """Controller, once the cursor stands at the tail: what the agent's model must hold now. Sweeps what was not marked
    only if it does."""

    TYPE: ClassVar[int] = 51
    election_id: int
    sequence: int
    count: int
    digest: int


@dataclass(frozen=True, slots=True)
class SnapshotVerdict(Message):
    TYPE: ClassVar[int] = 52
    agree: bool
    count: int
    digest: int


@dataclass(frozen=True, slots=True)
class Resume(Message):
    """Controller, first on a fib connection: the stream that the connection before it has carried goes on with what
    follows this sequence, which is the last the agent has applied (``Hello``)."""

    TYPE: ClassVar[int] = 53
    election_id: int
    sequence: int


@dataclass(frozen=True, slots=True)
class DigestRequest(Message):
    """Controller: tell the sums of the shards of what you hold, under this connection's digest key."""

    TYPE: ClassVar[int] = 54
    election_id: int


@dataclass(frozen=True, slots=True)
class DigestReply(Message):
    """Agent: rows (table, 1,024 sums as little-endian u64), of all routes whose group's key it knows."""

    TYPE: ClassVar[int] = 55
    rows: list[list[Any]]


MESSAGES: Final[dict[int, type[Message]]] = {
    m.TYPE: m
    for m in (
        Hello, Welcome, Error, Bye, Heartbeat, Ports, Addresses, Neighbours, FactsComplete, BoxConfig, Routers,
        Conditions, Query, Answer, StreamListen, StreamUnlisten, StreamConnect, StreamOpened, StreamData, StreamCredit,
        StreamClose, Lease, Capsule, Streams, StreamAdopt, Transaction, Ack, SnapshotBegin, SnapshotEnd,
        SnapshotVerdict, Resume, DigestRequest, DigestReply,
    )
}  # fmt: skip
