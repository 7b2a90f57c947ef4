"""The agent's side of the fib connection: what may write here, in which order, and what is answered. No I/O.

Owns sequence and election checks around a model of the box (``native.AgentFib``). The dataplane that empties the model
into a kernel is somebody else's: it is kicked, and tells back through ``written``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fibd.message import Message
from fibd.messages import (
    OLDEST,
    VERSION,
    Ack,
    DigestReply,
    DigestRequest,
    Error,
    Resume,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    Transaction,
    Welcome,
)

WINDOW: Final = 4 << 20
"""Bytes of transactions that may be here and not in the kernel yet: some 400,000 IPv4 routes, half a second of a
kernel's work: six pieces, so that the kernel never waits for what an acknowledgement makes room for."""
RESUME: Final = "resume"
"""The capability to go on with a stream, and to tell what is held."""
_FAILURES_PER_ACK: Final = 1024
_EINVAL: Final = 22


class Model(Protocol):
    """``native.AgentFib`` as far as the stream needs it."""

    def put_adjacencies(self, rows: Sequence[tuple[int, str, str, bytes, int]]) -> None: ...
    def put_groups(self, rows: Sequence[tuple[int, bytes, int, bytes]]) -> None: ...
    def put_routes(self, table: int, dst: bytes, plen: bytes, nhg: bytes, op: bytes) -> list[tuple[int, str]]: ...
    def drop_groups(self, ids: Sequence[int]) -> None: ...
    def drop_adjacencies(self, ids: Sequence[int]) -> None: ...
    def snapshot_begin(self, kept: Sequence[tuple[int, bytes]] = ...) -> None: ...
    def shard_sums(self) -> list[tuple[int, bytes]]: ...
    def retry_failed(self) -> int: ...
    def snapshot_end(self, count: int, digest: int, sweep: bool = ...) -> tuple[bool, int, int]: ...
    def set_digest_key(self, key: bytes) -> None: ...
    def counts(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class Send:
    """On the fib connection."""

    message: Message


@dataclass(frozen=True, slots=True)
class Kick:
    """The model has work for the kernel, or at least a question: ``written`` must follow."""


@dataclass(frozen=True, slots=True)
class Close:
    """The fib connection, after what was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Write durably, before anything else is accepted: no older controller may write here any more."""

    election_id: int


Effect = Send | Kick | Close | Remember


class Agent:
    """One per agent process; outlives its connections."""

    def __init__(self, model: Model, election_id: int = 0) -> None:
        self.election_id = election_id
        """The highest ever accepted."""
        self.elected = b""
        """The stream of the controller that has it, once met."""
        self.stream_id = b""
        """Of the stream that the model is of; b"" for none. It outlives connections."""
        self.applied: int = 0
        """Sequence of what the model holds of that."""
        self.position: int = 0
        """The same, but never falling back while this process lives, whatever streams come and go: the writer reads it,
        on a thread of its own, before it asks the model for work."""
        self._base: int = 0
        self._first = 1
        """Sequence that began the stream."""
        self._looked_from = 1
        """Position from which on it counts that something is installed."""
        self.snapshots = 0
        self.complete = False
        """The latest snapshot of this stream has ended in agreement."""
        self.failed = 0
        self.swept = 0
        """Routes removed at ends of snapshots, as nobody had sent them again."""
        self._verdict: SnapshotVerdict | None = None
        """On that snapshot."""
        self._model = model
        self._connected = False
        self._offered = b""
        """The stream that this connection is of."""
        self._streaming = False
        """This connection has said where in it it begins."""
        self._installed = 0
        self._acknowledged = (0, 0)
        self._failures: deque[list[Any]] = deque()

    # --- connections --------------------------------------------------------------------------------------------------

    def elect(self, welcome: Welcome) -> tuple[list[Effect], Error | None]:
        """A Welcome on any connection: may this controller write? The highest election id ever seen wins."""
        if not OLDEST <= welcome.version <= VERSION:
            return [], Error("version", f"this agent speaks versions {OLDEST} to {VERSION}, not {welcome.version}")
        if self.overtaken(welcome):
            return [], self.stale(welcome.election_id)
        if welcome.stream_id != self.elected:
            self.stream_id, self.applied = b"", 0  # nobody goes on with the stream of the controller before
        self.elected = welcome.stream_id
        if welcome.election_id > self.election_id:
            self.election_id = welcome.election_id
            return [Remember(self.election_id)], None
        return [], None

    def overtaken(self, welcome: Welcome) -> bool:
        """Whether the controller that said this may not write any more. Of two with one id the first one met may."""
        if welcome.election_id != self.election_id:
            return welcome.election_id < self.election_id
        return self.elected not in (b"", welcome.stream_id)

    def connected(self, welcome: Welcome) -> None:
        """The fib connection is up, its Welcome accepted. A snapshot must follow, or what continues the stream."""
        self._model.set_digest_key(welcome.digest_key)
        self._offered = welcome.stream_id
        self._streaming = False
        self._connected = True

    def lost(self) -> None:
        """The fib connection is gone: what is in the model keeps forwarding, and the stream may go on there."""
        self._connected = self._streaming = False
        self._failures = deque(row for row in self._failures if row[1] >= 0)

    def replace(self, model: Model) -> None:
        """The model was made anew from what the kernel holds: it is of no stream."""
        self._model = model
        self._forget()

    def _forget(self) -> None:
        self._connected = self._streaming = self.complete = False
        self.stream_id = b""
        self.applied = 0

    def stale(self, election_id: int) -> Error:
        return Error(
            "election", f"election id {election_id} is behind {self.election_id}: another controller has taken over"
        )

    # --- the stream ---------------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> list[Effect]:
        if not isinstance(message, (Transaction, SnapshotBegin, SnapshotEnd, Resume, DigestRequest)):
            return self._refuse(Error("protocol", f"{type(message).__name__} does not belong on the fib connection"))
        if not self._connected:
            return self._refuse(Error("protocol", "a write before Welcome"))
        if message.election_id != self.election_id:
            return self._refuse(self.stale(message.election_id))
        if isinstance(message, DigestRequest):
            return [Send(DigestReply([[table, sums] for table, sums in self._model.shard_sums()]))]
        if isinstance(message, Resume):
            return self._resume(message)
        if message.sequence != self.applied + 1 and self._streaming:
            return self._refuse(Error("protocol", f"sequence {message.sequence} where {self.applied + 1} is due"))
        try:
            if isinstance(message, SnapshotBegin):
                return self._begin(message)
            if not self._streaming:
                return self._refuse(Error("protocol", "a write before SnapshotBegin"))
            if isinstance(message, SnapshotEnd):
                return self._end(message)
            return self._apply(message)
        except (ValueError, OverflowError, TypeError) as error:
            return self._refuse(Error("protocol", f"sequence {message.sequence} cannot be applied: {error}"))

    def _refuse(self, error: Error) -> list[Effect]:
        """What follows cannot be told from what it lacks: the next connection begins anew."""
        self._forget()
        return [Send(error), Close(error.text)]

    def _resume(self, message: Resume) -> list[Effect]:
        if self._streaming or self.stream_id != self._offered or message.sequence != self.applied:
            return self._refuse(Error("protocol", f"nothing here to go on with behind sequence {message.sequence}"))
        self._streaming = True
        self._acknowledged = (-1, 0)
        # The last words of the connection before may have been lost with it: of failures, new ones stand for them, and
        # nothing counts as installed before the writer has looked again.
        if self._model.retry_failed():
            self._base += 1
            self.position += 1
            self._looked_from = self.position
            self._installed = 0
        return [*self._acknowledge(), *([Send(self._verdict)] if self._verdict is not None else []), Kick()]

    def _begin(self, message: SnapshotBegin) -> list[Effect]:
        self._model.snapshot_begin([(table, bits) for table, bits in message.kept])
        if not self._streaming:
            self.stream_id = self._offered
            self._base = self.position + 1 - message.sequence
            self._first = message.sequence
            self._looked_from = self._base + self._first
            self._installed = 0
            self._acknowledged = (0, 0)
            self._failures.clear()
        self._streaming = True
        self.complete = False
        self._verdict = None
        self.snapshots += 1
        self._advance(message.sequence)
        return [Kick()]

    def _end(self, message: SnapshotEnd) -> list[Effect]:
        stale = self._model.counts()["stale"]
        agree, count, digest = self._model.snapshot_end(message.count, message.digest)
        self.complete = agree
        if agree:
            self.swept += stale
        self._advance(message.sequence)
        self._verdict = SnapshotVerdict(agree, count, digest)
        return [Send(self._verdict), Kick()]

    def _apply(self, message: Transaction) -> list[Effect]:
        model = self._model
        if message.adjacencies:
            model.put_adjacencies([(a[0], a[1], a[2], a[3], a[4]) for a in message.adjacencies])
        if message.groups:
            model.put_groups([(g[0], g[1], g[2], g[3]) for g in message.groups])
        index = 0
        for table, dst, plen, nhg, op in message.routes:
            width = len(dst) // len(plen) if plen else 0
            for at, reason in model.put_routes(table, dst, plen, nhg, op):
                address = dst[at * width : (at + 1) * width]
                self._fail([message.sequence, index + at, table, address, plen[at], _EINVAL, reason])
            index += len(plen)
        if message.dead_groups:
            model.drop_groups(message.dead_groups)
        if message.dead_adjacencies:
            model.drop_adjacencies(message.dead_adjacencies)
        self._advance(message.sequence)
        return [Kick()]

    def _advance(self, sequence: int) -> None:
        self.applied = sequence
        self.position = self._base + sequence

    def _fail(self, row: list[Any]) -> None:
        self.failed += 1
        self._failures.append(row)

    # --- the dataplane ------------------------------------------------------------------------------------------------

    def written(
        self, position: int, installed: int, failures: Sequence[tuple[int, bytes, int, int, str]]
    ) -> list[Effect]:
        """What the writer did when all up to ``position`` was applied. ``installed``: what up to there has the kernel's
        verdict; 0 where that is not known."""
        if not self.stream_id or (position - self._base < self._first and not failures):
            return []  # of an earlier stream
        # A route that this stream has too may have been on its way to the kernel when it began.
        sequence = max(position - self._base, self._first)
        if self._streaming:  # to whom goes on with the stream all that failed is told anew
            for table, address, length, errno, text in failures:
                self._fail([sequence, -1, table, address, length, errno, text])
        if installed >= self._looked_from:
            self._installed = max(self._installed, installed - self._base)
        return self._acknowledge() if self._streaming else []

    def _acknowledge(self) -> list[Effect]:
        effects: list[Effect] = []
        before = self._acknowledged
        self._acknowledged = (self.applied, self._installed)
        while self._failures or (not effects and before != self._acknowledged):
            rows = [self._failures.popleft() for _ in range(min(len(self._failures), _FAILURES_PER_ACK))]
            # Failures go ahead of the position that covers them: nothing counts as installed before its verdict is
            # told.
            installed = before[1] if self._failures else self._installed
            effects.append(Send(Ack(self.applied, self.applied, installed, WINDOW, rows)))
        return effects
