"""What one NCP is sent of the FIB and what it said about it: snapshot, live deltas, credits, failures. No I/O.

The engine holds one list of all routes in order of their last change and each NCP is a cursor into it, so a feed queues
no routes: it asks for the next stretch (``wants``) only while the agent's credits have room, and what it was given
(``chunk``) leaves as transactions of at most 256 KiB. Group changes overtake routes inside the engine's cursor, not
here. Columns are copied into a frame once per NCP: a fifth of what reading them costs, so frames are not shared.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from fibd.failures import FIRST_BACKOFF, LAST_BACKOFF, Failure, FailureKey, Failures
from fibd.latency import Latencies
from fibd.outstanding import DEFAULT_CREDIT, Outstanding
from fibd.transactions import Part, cut
from fibd.wire import (
    BEGIN,
    COMMIT,
    MAX_CHUNK,
    Ack,
    Resume,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    Transaction,
    WireError,
    encode,
)
from native import FibDelta, routes_among

MAX_TRANSACTIONS: Final = 64
"""Outstanding at once, whatever their size: an agent that acknowledges late holds few batches to replay."""
CHUNK_ROUTES: Final = 8192
NEAR: Final = 1.0


class FibReader(Protocol):
    """What a feed needs of the engine."""

    def fib_read(self, consumer: int, max_routes: int = ...) -> FibDelta | None: ...
    def fib_reads(self, consumer: int) -> int: ...
    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]: ...
    def lookup(self, prefix: tuple[bytes, int]) -> dict[str, Any] | None: ...


class FeedState(StrEnum):
    ABSENT = "absent"
    SNAPSHOT = "snapshot"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Want:
    """What to read next for this NCP."""

    max_routes: int
    at_tail: bool
    """Where the feed believes its cursor to stand: only news is worth a chunk."""
    retry: tuple[FailureKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """One read of the engine. Count and digest belong to the position right after ``delta``."""

    delta: FibDelta | None
    at_tail: bool
    count: int
    digest: int
    retried: tuple[tuple[FailureKey, int | None], ...] = ()
    """Failed prefixes and the group each has now; None: no longer a route."""
    read: int = 0
    """Its number where the engine waits for the box's answer, as ``fib_reads`` has it; else 0."""
    readable_at: float | None = None
    """When the oldest change in ``delta`` could first be read, at the latest; None where nobody asked."""


def read_chunk(engine: FibReader, consumer: int, want: Want) -> Chunk | None:
    """Read on the engine's thread. None when there is no news."""
    delta = engine.fib_read(consumer, want.max_routes)
    at_tail, count, digest = engine.fib_snapshot_state(consumer)
    retried: list[tuple[FailureKey, int | None]] = []
    if at_tail:
        # Only here has the agent been sent every group, so that a row made outside the cursor's order cannot dangle.
        for key in want.retry:
            row = engine.lookup((key[1], key[2]))
            group = row["group"] if row is not None else None
            retried.append((key, group["id"] if group is not None else None))
    if delta is None and not retried and at_tail == want.at_tail:
        return None
    return Chunk(delta, at_tail, count, digest, tuple(retried), engine.fib_reads(consumer))


class Resumed(StrEnum):
    """How the latest fib connection took up what the box had."""

    NOT = ""
    POSITION = "position"
    SHARDS = "shards"
    SNAPSHOT = "snapshot"


class Feed:
    """One NCP. Lives as long as the configuration names it; each fib connection goes on where the one before it ended
    (``resume``), or begins the stream anew (``connected``, ``begin``)."""

    def __init__(self, ncp: str, election_id: int, credit: int = DEFAULT_CREDIT) -> None:
        """``credit``: bytes outstanding at most, whatever the agent would take."""
        self.ncp = ncp
        self.state = FeedState.ABSENT
        self.fact_sequence = 0
        """The last fact of this agent that the RIB has used."""
        self.failed = Failures()
        self.installed_in = 0.0
        """Seconds from sending to installing, of the last transaction acknowledged."""
        self.snapshots = self.disagreements = self.failed_total = 0
        self.failed_by_errno: Counter[int] = Counter()
        self.installed_read = 0
        """The last read of the engine that the box has installed all of."""
        self._reads: deque[tuple[int, int]] = deque()
        """Reads that are not: their last sequence, their number."""
        self._moved_at = 0.0
        """When the box last got on with what is outstanding, or was sent something and had nothing before."""
        self.latencies = Latencies()
        """From being readable in the RIB to installed in the kernel, of each stretch that was read."""
        self._measured: deque[tuple[int, float]] = deque()
        """Stretches that are not installed: their last sequence, when they became readable."""
        self._election_id = election_id
        self._sequence = 0
        self._last_ack = Ack(0, 0, 0)
        self._credit = self._window = credit
        self.resumed = Resumed.NOT
        self.resumes: Counter[Resumed] = Counter()
        """How often in each way."""
        self.resent_routes = self.resent_shards = 0
        """What that took: routes sent up to where the box was as we are, and shards that differed."""
        self._outstanding = Outstanding()
        self._ready: deque[tuple[int, bytes, int]] = deque()
        """Sequence, frame, routes in it."""
        self._at_tail = False
        self._begun = False
        """Since ``begin`` nothing was dropped: the stream can go on."""
        self._ended = False
        self._restart_at: float | None = None
        self._restart_backoff = FIRST_BACKOFF

    # --- the connection -----------------------------------------------------------------------------------------------

    def begin(self, now: float, kept: Sequence[tuple[int, bytes]] = ()) -> list[bytes]:
        """A fresh cursor was opened: everything is sent again but what is in these shards (table, bits), and the agent
        sweeps the rest of what it has."""
        self.state = FeedState.SNAPSHOT
        self.snapshots += 1
        self._sequence -= len(self._ready)  # never sent: the agent takes what follows what it has, and nothing else
        self._ready.clear()
        while self._measured and self._measured[-1][0] > self._sequence:
            self._measured.pop()
        self._at_tail = self._ended = False
        self._begun = True
        self._restart_at = None
        self.installed_read = 0
        self._reads.clear()
        self.failed.clear()
        self.resumed = Resumed.SHARDS if any(any(bits) for _, bits in kept) else Resumed.SNAPSHOT
        self.resumes[self.resumed] += 1
        self.resent_routes = 0
        self.resent_shards = sum(8 * len(bits) - int.from_bytes(bits, "little").bit_count() for _, bits in kept)
        self._sequence += 1
        message = SnapshotBegin(self._election_id, self._sequence, [[table, bits] for table, bits in kept])
        return self._emit(self._sequence, encode(message), 0, now)

    def resume(self, position: int, now: float) -> list[bytes] | None:
        """A new fib connection of the same agent, which has applied the stream up to this sequence: it goes on from
        there. None where what follows is not kept."""
        if not self._begun or not self._outstanding.has_all_behind(position, self._sequence - len(self._ready)):
            return None
        self.state = FeedState.LIVE if self._ended else FeedState.SNAPSHOT
        self.resumed, self.resent_shards = Resumed.POSITION, 0
        self.resumes[self.resumed] += 1
        tail, self.resent_routes = self._outstanding.again(position, now)
        self._moved_at = now
        return [encode(Resume(self._election_id, position)), *tail, *self._drain(now)]

    def connected(self) -> None:
        """A new fib connection, and the stream begins anew: what the old one still owed will never be acknowledged.
        Sequences go on, so that none stands for two things."""
        self._begun = False
        self._restart_at = None
        self._ready.clear()
        self._outstanding.clear()
        self._measured.clear()
        self._last_ack = Ack(0, 0, 0)
        self._window = self._credit

    def lost(self) -> None:
        """The fib connection is gone; what it carried may go on over another."""
        self.state = FeedState.ABSENT

    # --- out ----------------------------------------------------------------------------------------------------------

    def wants(self, now: float) -> Want | None:
        """What to read, or None while the agent has no room for more. Nothing is read ahead of credits."""
        if self.state is FeedState.ABSENT or self._ready or not self._room(MAX_CHUNK):
            return None
        return Want(CHUNK_ROUTES, self._at_tail, self.failed.due(now) if self.state is FeedState.LIVE else ())

    def chunk(self, chunk: Chunk, now: float) -> list[bytes]:
        """What was read becomes transactions; as many leave at once as credits allow."""
        if not self._begun:
            return []
        self._at_tail = chunk.at_tail
        if chunk.delta is not None:
            for part in cut(chunk.delta, MAX_CHUNK):
                self._queue_transaction(part, chunk.delta.urgent)
            if not self._ended:
                self.resent_routes += chunk.delta.count
            if chunk.readable_at is not None:
                self._measured.append((self._sequence, chunk.readable_at))
            self._note_read(chunk.read)
            self.failed.retried(routes_among(chunk.delta.routes, self.failed.all), self._sequence)
        self._queue_retries(chunk.retried, now)
        if chunk.at_tail and not self._ended:
            self._ended = True
            self._sequence += 1
            end = SnapshotEnd(self._election_id, self._sequence, chunk.count, chunk.digest)
            self._ready.append((self._sequence, encode(end), 0))
            self._note_read(chunk.read)
            if self.state is FeedState.SNAPSHOT:
                self.state = FeedState.LIVE
        return self._drain(now)

    def _note_read(self, number: int) -> None:
        """What was queued so far is all of this read."""
        if number:
            self._reads.append((self._sequence, number))

    def _queue_transaction(self, part: Part, urgent: bool) -> None:
        self._sequence += 1
        message = Transaction(self._election_id, self._sequence, urgent, fact_sequence=self.fact_sequence, **part)
        routes = sum(len(row[4]) for row in message.routes)
        self._ready.append((self._sequence, encode(message, flags=BEGIN | COMMIT), routes))

    def _queue_retries(self, retried: Sequence[tuple[FailureKey, int | None]], now: float) -> None:
        by_table: dict[int, list[tuple[FailureKey, int]]] = {}
        for key, group in retried:
            if key not in self.failures:
                continue
            if group is None:
                self.failed.forget(key)
            else:
                by_table.setdefault(key[0], []).append((key, group))
        for table, rows in by_table.items():
            column = [
                table,
                b"".join(key[1] for key, _ in rows),
                bytes(key[2] for key, _ in rows),
                b"".join(group.to_bytes(4, "little") for _, group in rows),
                b"\x01" * len(rows),
            ]
            self._queue_transaction({"routes": [column]}, urgent=False)
            self.failed.retried([key for key, _ in rows], self._sequence)

    def _room(self, size: int) -> bool:
        if not self._outstanding:
            return True  # a window smaller than one chunk must not stop the stream for good
        return len(self._outstanding) < MAX_TRANSACTIONS and self._outstanding.size + size <= self._window

    def _drain(self, now: float) -> list[bytes]:
        out: list[bytes] = []
        while self._ready and self.state is not FeedState.ABSENT and self._room(len(self._ready[0][1])):
            out += self._emit(*self._ready.popleft(), now)
        return out

    def _emit(self, sequence: int, frame: bytes, routes: int, now: float) -> list[bytes]:
        if not self._outstanding:
            self._moved_at = now
        self._outstanding.add(sequence, frame, routes, now)
        return [frame]

    # --- in -----------------------------------------------------------------------------------------------------------

    def ack(self, ack: Ack, now: float) -> list[bytes]:
        """Cumulative. Raises WireError where the agent answers what it was never sent."""
        sent = self._sequence - len(self._ready)
        if not ack.installed <= ack.applied <= ack.received <= sent:
            raise WireError(f"acknowledged {ack.received}/{ack.applied}/{ack.installed} of {sent} transactions sent")
        before = self._last_ack
        if (ack.received, ack.applied, ack.installed) != (before.received, before.applied, before.installed):
            self._moved_at = now
        # Failures may come in several acknowledgements, of which only the last names the position that covers them.
        self._last_ack = replace(ack, installed=max(ack.installed, self._last_ack.installed), failures=[])
        if ack.credit_bytes:
            self._window = min(ack.credit_bytes, self._credit)
        sent_at = self._outstanding.installed(ack.installed)
        if sent_at is not None:
            self.installed_in = now - sent_at
        while self._measured and self._measured[0][0] <= ack.installed:
            self.latencies.note(now - self._measured.popleft()[1])
        while self._reads and self._reads[0][0] <= ack.installed:
            self.installed_read = self._reads.popleft()[1]
        self._record(ack, now)
        return self._drain(now)

    def _record(self, ack: Ack, now: float) -> None:
        for _sequence, _index, table, address, length, errno, text in ack.failures:
            self.failed_total += 1
            self.failed_by_errno[errno] += 1
            if not address:
                continue  # a group or an adjacency: its routes come with failures of their own
            if not self.failed.note((table, address, length), errno, text, now):
                self._restart(now, LAST_BACKOFF)
        self.failed.installed(ack.installed)

    def verdict(self, verdict: SnapshotVerdict, now: float) -> None:
        """After SnapshotEnd. Where the agent's table differs from ours, everything is sent again, ever less often."""
        if verdict.agree:
            self._restart_backoff = FIRST_BACKOFF
            return
        self.disagreements += 1
        self._restart(now, self._restart_backoff)
        self._restart_backoff = min(LAST_BACKOFF, self._restart_backoff * 2)

    def _restart(self, now: float, pause: float) -> None:
        if self._restart_at is None:
            self._restart_at = now + pause

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to look again at ``wants`` and ``restart_due`` although nothing has arrived."""
        if self.state is FeedState.ABSENT:
            return None
        waiting = [due for due in (self.failed.next_due(), self._restart_at) if due is not None]
        return min(waiting, default=None)

    def restart_due(self, now: float) -> bool:
        """Whether to open a fresh cursor and ``begin`` again."""
        return self.state is not FeedState.ABSENT and self._restart_at is not None and now >= self._restart_at

    # --- asking -------------------------------------------------------------------------------------------------------

    @property
    def failures(self) -> Mapping[FailureKey, Failure]:
        return self.failed.all

    @property
    def caught_up(self) -> bool:
        """The agent has installed everything up to the end of the list, as far as we have read it."""
        return self.state is FeedState.LIVE and self._at_tail and not self._outstanding and not self._ready

    @property
    def outstanding(self) -> bool:
        """Something is sent and not installed."""
        return bool(self._outstanding)

    def near(self, now: float) -> bool:
        """It has all that there is, but for what is a moment old: under churn something always is on the way."""
        return self.state is FeedState.LIVE and self._at_tail and not self._ready and self.lag(now) < NEAR

    def still(self, now: float) -> float:
        """Seconds for which the box has not got on although something is outstanding."""
        return now - self._moved_at if self._outstanding else 0.0

    def excuse(self, now: float) -> None:
        """That the box seemed to stand still was our doing."""
        self._moved_at = now

    def lag(self, now: float) -> float:
        """Age of the oldest transaction that is sent and not installed."""
        oldest = self._outstanding.oldest
        return now - oldest if oldest is not None else 0.0

    def describe(self, now: float) -> dict[str, Any]:
        return {
            "state": str(self.state),
            "caught_up": self.caught_up,
            "sent": self._sequence - len(self._ready),
            "received": self._last_ack.received,
            "applied": self._last_ack.applied,
            "installed": self._last_ack.installed,
            "outstanding_transactions": len(self._outstanding),
            "outstanding_bytes": self._outstanding.size,
            "credit_bytes": self._window,
            "lag": self.lag(now),
            "installed_in": self.installed_in,
            "snapshots": self.snapshots,
            "resumed": str(self.resumed),
            "resent_routes": self.resent_routes,
            "resent_shards": self.resent_shards,
            "disagreements": self.disagreements,
            "failed": len(self.failures),
            "failed_total": self.failed_total,
            "fact_sequence": self.fact_sequence,
        }
