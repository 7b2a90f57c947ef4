"""One NCP's feed against a fake engine and a fake agent: order, credits, loss, failures. No sockets, no clock."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import pytest

from fibd.distributor import MAX_TRANSACTIONS, Chunk, Feed, FeedState, read_chunk
from fibd.failures import LAST_BACKOFF, MAX_FAILURES
from fibd.outstanding import DEFAULT_CREDIT, credit_of_each
from fibd.transactions import cut
from fibd.wire import (
    MAX_CHUNK,
    Ack,
    Decoder,
    Message,
    Resume,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    Transaction,
    WireError,
    encode,
)

ELECTION = 7


@dataclass
class Delta:
    """``native.FibDelta``'s shape."""

    adjacencies: list[tuple[int, str, str, bytes, int]] = field(default_factory=list)
    groups: list[tuple[int, bytes, int, bytes]] = field(default_factory=list)
    routes: list[tuple[int, bytes, bytes, bytes, bytes]] = field(default_factory=list)
    dead_groups: list[int] = field(default_factory=list)
    dead_adjacencies: list[int] = field(default_factory=list)
    urgent: bool = False
    count: int = 0


def routes(count: int, group: int = 1, width: int = 4) -> Delta:
    dst = b"".join(struct.pack("!I", 0x0A000000 + i).rjust(width, b"\x20") for i in range(count))
    row = (1 if width == 4 else 2, dst, bytes([width * 8]) * count, struct.pack("<I", group) * count, b"\x01" * count)
    return Delta(routes=[row], count=count)


class FakeEngine:
    """Hands out what the test put there, then says that the cursor stands at the tail."""

    def __init__(self, *deltas: Delta) -> None:
        self.deltas = list(deltas)
        self.reads = 0
        self.group: int | None = 5

    def fib_read(self, consumer: int, max_routes: int = 0) -> Any:
        self.reads += 1
        return self.deltas.pop(0) if self.deltas else None

    def fib_reads(self, consumer: int) -> int:
        return self.reads

    def fib_snapshot_state(self, consumer: int) -> tuple[bool, int, int]:
        return not self.deltas, 42, 0xFEED

    def lookup(self, prefix: tuple[bytes, int]) -> dict[str, Any] | None:
        return {"group": None if self.group is None else {"id": self.group}}


class FakeAgent:
    """Takes frames, keeps the order, acknowledges when told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.decoder = Decoder()
        self.sizes: list[int] = []

    def take(self, frames: list[bytes]) -> None:
        for frame in frames:
            self.sizes.append(len(frame))
            self.messages += [message for message, _, _ in self.decoder.feed(frame)]

    @property
    def sequence(self) -> int:
        return max(
            (m.sequence for m in self.messages if isinstance(m, (Transaction, SnapshotBegin, SnapshotEnd))), default=0
        )

    @property
    def transactions(self) -> list[Transaction]:
        return [m for m in self.messages if isinstance(m, Transaction)]

    def ack(self, credit: int = 0, failures: list[list[Any]] | None = None) -> Ack:
        return Ack(self.sequence, self.sequence, self.sequence, credit, failures or [])


def begun(now: float = 0.0) -> tuple[Feed, FakeAgent]:
    feed, agent = Feed("ncp1", ELECTION), FakeAgent()
    feed.connected()
    agent.take(feed.begin(now))
    return feed, agent


def pump(feed: Feed, engine: FakeEngine, agent: FakeAgent, now: float = 0.0) -> bool:
    """One turn of the daemon: whether there was something to read and room for it."""
    want = feed.wants(now)
    chunk = read_chunk(engine, 1, want) if want is not None else None
    if chunk is None:
        return False
    agent.take(feed.chunk(chunk, now))
    return True


def live(engine: FakeEngine | None = None) -> tuple[Feed, FakeAgent, FakeEngine]:
    feed, agent = begun()
    engine = engine or FakeEngine()
    while pump(feed, engine, agent):
        feed.ack(agent.ack(), 0.0)
    feed.ack(agent.ack(), 0.0)
    feed.verdict(SnapshotVerdict(True, 42, 0xFEED), 0.0)
    return feed, agent, engine


def test_a_snapshot_begins_brings_everything_and_ends_with_count_and_digest_of_its_end() -> None:
    feed, agent = begun()
    engine = FakeEngine(Delta(adjacencies=[(1, "ncp1", "eth0", b"\x0a\0\0\1", 0)]), routes(3))
    while pump(feed, engine, agent):
        pass
    kinds = [type(m) for m in agent.messages]
    assert kinds == [SnapshotBegin, Transaction, Transaction, SnapshotEnd]
    end = agent.messages[-1]
    assert isinstance(end, SnapshotEnd)
    assert (end.count, end.digest, end.election_id) == (42, 0xFEED, ELECTION)
    assert feed.state is FeedState.LIVE


def test_sequences_have_no_gaps() -> None:
    feed, agent = begun()
    engine = FakeEngine(routes(3), routes(2), routes(1))
    while pump(feed, engine, agent):
        pass
    numbers = [m.sequence for m in agent.messages if isinstance(m, (Transaction, SnapshotBegin, SnapshotEnd))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_at_the_tail_nothing_is_read_twice_and_a_later_change_goes_out_alone() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    assert not pump(feed, engine, agent)
    before = len(agent.messages)
    engine.deltas.append(routes(1, group=9))
    assert pump(feed, engine, agent)
    assert [type(m) for m in agent.messages[before:]] == [Transaction]
    assert not feed.caught_up
    feed.ack(agent.ack(), 0.5)
    assert feed.caught_up


def test_a_frame_never_exceeds_the_chunk_and_columns_survive_the_cut() -> None:
    delta = routes(40_000, width=16)
    feed, agent = begun()
    engine = FakeEngine(delta)
    pump(feed, engine, agent)
    feed.ack(agent.ack(), 0.0)
    assert max(agent.sizes) <= MAX_CHUNK
    columns = [b"".join(row[i] for t in agent.transactions for row in t.routes) for i in range(1, 5)]
    assert tuple(columns) == delta.routes[0][1:]


def test_a_cut_keeps_what_is_referred_to_ahead_of_what_refers_to_it() -> None:
    members = struct.pack("<IHBB", 1, 1, 0, 0) * 600
    delta = Delta(
        adjacencies=[(i, "ncp1", f"eth{i}", b"\x0a\0\0\1", 0) for i in range(2000)],
        groups=[(i, bytes(16), 0, members) for i in range(200)],
        routes=routes(5000).routes,
        dead_groups=list(range(1000, 3000)),
        dead_adjacencies=list(range(5000, 6000)),
    )
    parts = list(cut(delta, MAX_CHUNK))
    assert len(parts) > 1
    order = ["adjacencies", "groups", "routes", "dead_groups", "dead_adjacencies"]
    seen = [order.index(name) for part in parts for name in part]
    assert seen == sorted(seen)
    assert all(len(encode(Transaction(1, 1, **part))) <= MAX_CHUNK for part in parts)
    assert [g[0] for part in parts for g in part.get("groups", [])] == list(range(200))


def test_out_of_credit_nothing_is_read_and_an_acknowledgement_resumes_the_stream() -> None:
    feed, agent = begun()
    engine = FakeEngine(*(routes(8192) for _ in range(400)))
    feed.ack(Ack(1, 1, 1, credit_bytes=1 << 20), 0.0)
    while pump(feed, engine, agent):
        pass
    outstanding = sum(agent.sizes[1:])
    assert outstanding <= 1 << 20
    assert engine.deltas, "the rest is still in the engine, not queued here"
    left = len(engine.deltas)
    feed.ack(agent.ack(1 << 20), 1.0)
    assert pump(feed, engine, agent)
    assert len(engine.deltas) == left - 1


def test_many_boxes_share_what_may_be_outstanding_whatever_each_would_take() -> None:
    assert [credit_of_each(boxes) for boxes in (1, 32, 128, 512)] == [8 << 20, 8 << 20, 2 << 20, 512 << 10]
    assert credit_of_each(10_000) == 2 * MAX_CHUNK
    feed, agent = Feed("ncp1", ELECTION, credit_of_each(512)), FakeAgent()
    feed.connected()
    agent.take(feed.begin(0.0))
    feed.ack(Ack(1, 1, 1, credit_bytes=8 << 20), 0.0)
    engine = FakeEngine(*(routes(8192) for _ in range(400)))
    while pump(feed, engine, agent):
        pass
    assert 256 << 10 < sum(agent.sizes[1:]) <= 512 << 10


def test_the_default_window_and_the_number_of_transactions_both_bound_what_is_outstanding() -> None:
    feed, agent = begun()
    engine = FakeEngine(*(routes(8192) for _ in range(400)))
    while pump(feed, engine, agent):
        pass
    assert sum(agent.sizes) <= DEFAULT_CREDIT
    small, other = begun()
    engine = FakeEngine(*(routes(1) for _ in range(400)))
    while pump(small, engine, other):
        pass
    assert len(other.messages) == MAX_TRANSACTIONS


def test_a_window_smaller_than_one_chunk_still_lets_the_stream_finish() -> None:
    feed, agent = begun()
    engine = FakeEngine(*(routes(8192) for _ in range(3)))
    for _ in range(20):
        agent.take(feed.ack(agent.ack(credit=1000), 0.0))
        pump(feed, engine, agent)
    assert any(isinstance(m, SnapshotEnd) for m in agent.messages)


def test_one_read_larger_than_the_window_waits_in_pieces() -> None:
    feed, agent = begun()
    feed.ack(Ack(1, 1, 1, credit_bytes=300_000), 0.0)
    engine = FakeEngine(routes(40_000, width=16))
    pump(feed, engine, agent)
    assert sum(agent.sizes[1:]) <= 300_000
    assert feed.wants(0.0) is None
    for _ in range(10):
        agent.take(feed.ack(agent.ack(credit=300_000), 0.0))
    assert sum(len(row[2]) for t in agent.transactions for row in t.routes) == 40_000


def test_a_stream_that_begins_anew_sends_everything_again_under_sequences_never_used_before() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    engine.deltas.append(routes(100))
    pump(feed, engine, agent)
    feed.lost()
    assert feed.state is FeedState.ABSENT
    assert feed.wants(0.0) is None
    second, used = FakeAgent(), agent.sequence
    feed.connected()
    assert feed.chunk(Chunk(None, True, 0, 0), 0.0) == [], "a chunk read for the old stream goes nowhere"
    second.take(feed.begin(9.0))
    while pump(feed, FakeEngine(routes(102)), second, 9.0) and feed.state is not FeedState.LIVE:
        pass
    assert [type(m) for m in second.messages] == [SnapshotBegin, Transaction, SnapshotEnd]
    begin = second.messages[0]
    assert isinstance(begin, SnapshotBegin)
    assert begin.sequence == used + 1


def test_a_stream_goes_on_over_another_connection_with_what_the_agent_has_not_applied() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    for count in (10, 20, 30):
        engine.deltas.append(routes(count))
        pump(feed, engine, agent)
    last = agent.sequence
    feed.lost()
    engine.deltas.append(routes(40))
    assert feed.wants(5.0) is None
    again = FakeAgent()
    again.take(feed.resume(last - 2, 6.0) or [])
    assert [type(m) for m in again.messages] == [Resume, Transaction, Transaction]
    assert [m.sequence for m in again.transactions] == [last - 1, last]
    assert (feed.describe(6.0)["resumed"], feed.resent_routes) == ("position", 50)
    assert feed.lag(6.5) == 0.5, "the box had no chance while it was away"
    assert feed.state is FeedState.LIVE
    pump(feed, engine, again, 7.0)
    assert again.sequence == last + 1
    feed.ack(again.ack(), 7.0)
    assert feed.caught_up


def test_what_was_read_when_the_connection_went_is_sent_over_the_next() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    want = feed.wants(0.0)
    feed.lost()
    assert want is not None
    engine.deltas.append(routes(3))
    chunk = read_chunk(engine, 1, want)
    assert chunk is not None
    assert feed.chunk(chunk, 0.0) == []
    again = FakeAgent()
    again.take(feed.resume(agent.sequence, 1.0) or [])
    assert [type(m) for m in again.messages] == [Resume, Transaction]


def test_a_snapshot_that_was_cut_off_goes_on_too() -> None:
    feed, agent = begun()
    engine = FakeEngine(routes(2), routes(2))
    assert pump(feed, engine, agent)
    feed.lost()
    again = FakeAgent()
    again.take(feed.resume(1, 1.0) or [])
    assert feed.state is FeedState.SNAPSHOT
    while pump(feed, engine, again):
        pass
    assert [type(m) for m in again.messages] == [Resume, Transaction, Transaction, SnapshotEnd]


def test_positions_that_were_never_sent_or_are_installed_and_forgotten_are_no_place_to_go_on_from() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    engine.deltas += [routes(1), routes(1)]
    while pump(feed, engine, agent):
        pass
    feed.ack(Ack(agent.sequence, agent.sequence, agent.sequence - 1), 0.0)
    feed.lost()
    for position in (0, agent.sequence - 2, agent.sequence + 1):
        assert feed.resume(position, 1.0) is None
    assert feed.state is FeedState.ABSENT
    assert feed.resume(agent.sequence - 1, 1.0) is not None
    feed.lost()
    feed.connected()
    assert feed.resume(agent.sequence - 1, 1.0) is None, "given up"


def test_shards_that_are_kept_are_named_and_counted() -> None:
    feed, agent = Feed("ncp1", ELECTION), FakeAgent()
    feed.connected()
    agent.take(feed.begin(0.0, [(1, b"\xff" * 127 + b"\x7f"), (2, bytes(128))]))
    (begin,) = agent.messages
    assert isinstance(begin, SnapshotBegin)
    assert begin.kept == [[1, b"\xff" * 127 + b"\x7f"], [2, bytes(128)]]
    pump(feed, FakeEngine(routes(7)), agent)
    described = feed.describe(0.0)
    assert (described["resumed"], described["resent_shards"], described["resent_routes"]) == ("shards", 1025, 7)


def test_acknowledging_what_was_never_sent_ends_the_connection() -> None:
    feed, _ = begun()
    with pytest.raises(WireError, match="acknowledged"):
        feed.ack(Ack(9, 9, 9), 0.0)
    with pytest.raises(WireError, match="acknowledged"):
        feed.ack(Ack(0, 1, 1), 0.0)


def failure(sequence: int, last: int = 1) -> list[Any]:
    return [sequence, -1, 1, bytes([10, 0, 0, last]), 32, 12, "Cannot allocate memory"]


def test_a_failed_prefix_is_retried_after_its_pause_with_the_group_it_has_then() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    feed.ack(agent.ack(failures=[failure(agent.sequence)]), 10.0)
    assert feed.next_deadline() == 11.0
    assert not pump(feed, engine, agent, 10.5)
    engine.group = 77
    assert pump(feed, engine, agent, 11.0)
    (row,) = agent.transactions[-1].routes
    assert row == [1, b"\x0a\0\0\1", b"\x20", struct.pack("<I", 77), b"\x01"]
    assert not pump(feed, engine, agent, 11.0), "it is on its way"
    feed.ack(agent.ack(), 11.1)
    assert feed.failures == {}


def test_each_further_failure_doubles_the_pause_up_to_a_minute() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    now, pauses = 0.0, []
    for _ in range(9):
        feed.ack(agent.ack(failures=[failure(agent.sequence)]), now)
        due = feed.next_deadline()
        assert due is not None
        pauses.append(due - now)
        now = due
        assert pump(feed, engine, agent, now)
    assert pauses == [1, 2, 4, 8, 16, 32, LAST_BACKOFF, LAST_BACKOFF, LAST_BACKOFF]


@pytest.mark.parametrize("op", [0, 1])
def test_a_failed_prefix_that_changes_or_ends_is_forgotten_once_the_box_has_that(op: int) -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    feed.ack(agent.ack(failures=[failure(agent.sequence)]), 10.0)
    change = routes(2, group=7)
    change.routes = [(*change.routes[0][:4], bytes([op, op]))]
    engine.deltas.append(change)
    assert pump(feed, engine, agent, 10.1)
    assert feed.next_deadline() is None, "it is being tried"
    assert len(feed.failures) == 1
    feed.ack(agent.ack(), 10.2)
    assert feed.failures == {}
    assert [failed for _, failed in feed.failed.news()] == [True, False]


def test_a_failed_prefix_that_fails_with_its_change_too_waits_longer() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    feed.ack(agent.ack(failures=[failure(agent.sequence)]), 10.0)
    engine.deltas.append(routes(2, group=7))
    pump(feed, engine, agent, 10.1)
    feed.ack(agent.ack(failures=[failure(agent.sequence)]), 10.2)
    assert feed.next_deadline() == 12.2
    assert [failed for _, failed in feed.failed.news()] == [True]


def test_a_failed_prefix_that_is_no_route_any_more_is_forgotten() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    feed.ack(agent.ack(failures=[failure(agent.sequence)]), 0.0)
    engine.group = None
    sent = len(agent.messages)
    pump(feed, engine, agent, 1.0)
    assert feed.failures == {}
    assert len(agent.messages) == sent


def test_more_failures_than_can_be_remembered_lead_to_a_fresh_snapshot() -> None:
    feed, agent, _ = live(FakeEngine(routes(2)))
    rows = [[agent.sequence, -1, 1, struct.pack("!I", i), 32, 12, "no"] for i in range(MAX_FAILURES + 5)]
    feed.ack(agent.ack(failures=rows), 0.0)
    assert len(feed.failures) == MAX_FAILURES
    assert not feed.restart_due(LAST_BACKOFF - 1)
    assert feed.restart_due(LAST_BACKOFF)


def test_failures_split_over_acknowledgements_do_not_take_back_what_is_installed() -> None:
    feed, agent, _ = live(FakeEngine(routes(2)))
    done = agent.sequence
    feed.ack(Ack(done, done, 0, 0, [failure(done)]), 1.0)
    assert feed.describe(1.0)["installed"] == done


def test_a_disagreeing_agent_gets_everything_again_ever_later() -> None:
    feed, agent, _ = live(FakeEngine(routes(2)))
    feed.verdict(SnapshotVerdict(False, 1, 2), 100.0)
    assert not feed.restart_due(100.5)
    assert feed.restart_due(101.0)
    agent.take(feed.begin(101.0))
    feed.verdict(SnapshotVerdict(False, 1, 2), 101.0)
    assert not feed.restart_due(102.0)
    assert feed.restart_due(103.0)
    assert feed.disagreements == 2


def test_each_transaction_tells_the_last_fact_used() -> None:
    feed, agent = begun()
    feed.fact_sequence = 31
    pump(feed, FakeEngine(routes(1)), agent)
    assert agent.transactions[0].fact_sequence == 31


def test_the_lag_is_the_age_of_the_oldest_transaction_not_installed() -> None:
    feed, agent, engine = live(FakeEngine(routes(1)))
    assert feed.lag(5.0) == 0.0
    engine.deltas.append(routes(1))
    pump(feed, engine, agent, 5.0)
    assert feed.lag(7.5) == 2.5


def test_the_latency_of_a_stretch_ends_with_its_last_part_in_the_kernel() -> None:
    feed, agent, _ = live()
    before = feed.latencies.count
    big = routes(40_000)
    agent.take(feed.chunk(Chunk(big, True, 0, 0, readable_at=2.0), 3.0))
    parts = len(agent.transactions)
    assert parts > 1
    last = agent.sequence
    feed.ack(Ack(last, last, last - 1), 4.0)
    assert feed.latencies.count == before
    feed.ack(Ack(last, last, last), 4.5)
    assert (feed.latencies.count, feed.latencies.longest) == (before + 1, 2.5)


def test_a_stretch_that_was_not_measured_and_one_of_a_lost_connection_have_no_latency() -> None:
    feed, agent, _ = live()
    agent.take(feed.chunk(Chunk(routes(1), True, 0, 0), 1.0))
    agent.take(feed.chunk(Chunk(routes(1), True, 0, 0, readable_at=1.0), 1.0))
    feed.lost()
    feed.connected()
    agent.messages.clear()
    agent.take(feed.begin(5.0))
    feed.ack(agent.ack(), 5.0)
    assert feed.latencies.count == 0


def test_failures_are_counted_by_their_error_however_often_they_are_retried() -> None:
    feed, agent, _ = live()
    row = [agent.sequence, -1, 1, b"\x0a\x00\x00\x00", 24]
    feed.ack(agent.ack(failures=[[*row, 28, "No space left"], [*row[:4], 25, 22, "Invalid"]]), 1.0)
    feed.ack(agent.ack(failures=[[*row, 28, "No space left"]]), 2.0)
    assert dict(feed.failed_by_errno) == {28: 2, 22: 1}


def test_a_read_is_installed_once_the_last_of_its_transactions_is() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    engine.deltas.append(routes(40_000, width=16))
    assert pump(feed, engine, agent)
    read = engine.reads
    sent = [m.sequence for m in agent.transactions]
    feed.ack(Ack(sent[-1], sent[-1], sent[-2]), 0.0)
    assert feed.installed_read < read
    feed.ack(Ack(sent[-1], sent[-1], sent[-1]), 0.0)
    assert feed.installed_read == read


def test_an_empty_table_is_installed_with_the_end_of_its_snapshot() -> None:
    feed, agent = begun()
    engine = FakeEngine()
    assert pump(feed, engine, agent)
    assert feed.installed_read == 0
    feed.ack(agent.ack(), 0.0)
    assert feed.installed_read == engine.reads == 1


def test_what_failed_and_what_came_off_at_last_is_told_once_each() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    key = (1, bytes([10, 0, 0, 0]), 24)
    failure = [agent.sequence, -1, *key, 12, "no room"]
    feed.ack(agent.ack(failures=[failure]), 0.0)
    feed.ack(agent.ack(failures=[failure]), 0.0)
    assert feed.failed.news() == [(key, True)]
    assert feed.failed.news() == []
    assert pump(feed, engine, agent, now=10.0)
    feed.ack(agent.ack(), 10.0)
    assert feed.failed.news() == [(key, False)]


def test_what_failed_is_told_also_where_there_is_no_room_to_remember_it() -> None:
    feed, agent, _ = live(FakeEngine(routes(2)))
    rows = [[agent.sequence, -1, 1, struct.pack("!I", i), 32, 12, "no"] for i in range(MAX_FAILURES + 5)]
    feed.ack(agent.ack(failures=rows), 0.0)
    assert len(feed.failures) == MAX_FAILURES
    assert [failed for _, failed in feed.failed.news()] == [True] * len(rows)


def test_a_box_stands_still_while_something_is_outstanding_and_no_position_moves() -> None:
    feed, agent, engine = live(FakeEngine(routes(2)))
    assert feed.still(100.0) == 0.0
    engine.deltas.append(routes(1))
    pump(feed, engine, agent, now=100.0)
    sequence = agent.sequence
    assert feed.still(102.0) == 2.0
    feed.ack(Ack(sequence, sequence - 1, sequence - 1), 103.0)
    assert feed.still(105.0) == 2.0
    feed.ack(Ack(sequence, sequence - 1, sequence - 1), 105.0)
    assert feed.still(106.0) == 3.0
    assert not feed.near(106.0)
    feed.ack(agent.ack(), 107.0)
    assert feed.still(200.0) == 0.0
    assert feed.near(200.0)


def test_a_stream_begun_anew_on_its_connection_leaves_out_no_sequence() -> None:
    feed, agent, engine = live()
    feed.ack(agent.ack(credit=2 * MAX_CHUNK), 1.0)
    engine.deltas.append(routes(200_000))
    pump(feed, engine, agent, 1.0)
    sent = agent.sequence
    assert feed.describe(1.0)["sent"] == sent
    assert feed.wants(1.0) is None
    feed.verdict(SnapshotVerdict(False, 1, 2), 1.0)
    agent.take(feed.begin(2.0))
    assert agent.sequence == sent + 1
