"""The agent's side of the fib connection: order, elections, answers."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibd.agent import WINDOW, Agent, Close, Effect, Kick, Remember, Send
from fibd.message import Message
from fibd.messages import (
    Ack,
    DigestReply,
    DigestRequest,
    Error,
    Heartbeat,
    Resume,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotVerdict,
    Transaction,
    Welcome,
)
from tests.fibd.plain_agent_fib import PlainAgentFib

KEY = bytes(range(16))
ADJACENCY = [1, "ncp1", "eth0", bytes([192, 0, 2, 2]), 0]
GROUP = [1, KEY, 0, struct.pack("<IHBB", 1, 1, 0, 0)]


def welcome(election_id: int = 5, version: int = 1) -> Welcome:
    return Welcome(version, election_id, b"stream", KEY)


def routes(*thirds: int, group: int = 1, put: bool = True) -> list[list[Any]]:
    n = len(thirds)
    dst = b"".join(bytes([10, 0, third, 0]) for third in thirds)
    return [[1, dst, b"\x18" * n, struct.pack("<I", group) * n, bytes([put]) * n]]


def agent_in_snapshot() -> tuple[Agent, PlainAgentFib]:
    model = PlainAgentFib(ncp="ncp1")
    agent = Agent(model)
    assert agent.elect(welcome()) == ([Remember(5)], None)
    agent.connected(welcome())
    assert agent.receive(SnapshotBegin(5, 1)) == [Kick()]
    return agent, model


def sent(effects: list[Effect]) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def refused(effects: list[Effect]) -> str:
    error, close = effects
    assert isinstance(error, Send)
    assert isinstance(error.message, Error)
    assert isinstance(close, Close)
    return f"{error.message.code}: {error.message.text}"


def test_a_transaction_is_applied_at_once_and_acknowledged_when_the_kernel_has_it() -> None:
    agent, model = agent_in_snapshot()
    assert agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1, 2))) == [Kick()]
    assert len(model.routes) == 2
    early = agent.position
    assert agent.receive(Transaction(5, 3, routes=routes(3))) == [Kick()]
    assert agent.written(early, 0, []) == [Send(Ack(3, 3, 0, WINDOW))]
    assert agent.written(early, early, []) == [Send(Ack(3, 3, 2, WINDOW))]
    assert agent.written(agent.position, agent.position, []) == [Send(Ack(3, 3, 3, WINDOW))]
    assert agent.written(agent.position, agent.position, []) == []


def test_the_verdict_of_the_snapshot_is_the_model_s() -> None:
    agent, model = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1)))
    count, digest = model.digest()
    assert not agent.complete
    assert agent.receive(SnapshotEnd(5, 3, count, digest)) == [Send(SnapshotVerdict(True, count, digest)), Kick()]
    assert agent.complete
    assert agent.receive(SnapshotBegin(5, 4)) == [Kick()]
    assert not agent.complete
    assert agent.receive(SnapshotEnd(5, 5, 9, 9))[0] == Send(SnapshotVerdict(False, 0, 0))
    assert not agent.complete


def test_failures_name_their_routes_and_come_before_the_position_that_covers_them() -> None:
    agent, _ = agent_in_snapshot()
    effects = agent.receive(
        Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=[*routes(1), *routes(2, group=9)])
    )
    assert effects == [Kick()]
    kernel = [(1, bytes([10, 0, 1, 0]), 24, 113, "Network is unreachable")] * 1030
    acks = sent(agent.written(agent.position, agent.position, kernel))
    assert [(ack.installed, len(ack.failures)) for ack in acks if isinstance(ack, Ack)] == [(0, 1024), (2, 7)]
    assert isinstance(acks[0], Ack)
    assert acks[0].failures[0] == [2, 1, 1, bytes([10, 0, 2, 0]), 24, 22, "unknown group"]
    assert acks[0].failures[1] == [2, -1, 1, bytes([10, 0, 1, 0]), 24, 113, "Network is unreachable"]


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Transaction(5, 3), "protocol: sequence 3 where 2 is due"),
        (Transaction(5, 1), "protocol: sequence 1 where 2 is due"),
        (Transaction(4, 2), "election: election id 4 is behind 5"),
        (SnapshotEnd(4, 2, 0, 0), "election: election id 4 is behind 5"),
        (Heartbeat(1), "protocol: Heartbeat does not belong"),
        (
            Transaction(5, 2, routes=[[1, b"", b"\x18", b"\x01\0\0\0", b"\x01"]]),
            "protocol: sequence 2 cannot be applied",
        ),
    ],
)
def test_what_does_not_belong_closes_the_connection_and_writes_nothing_more(message: Message, complaint: str) -> None:
    class Strict(PlainAgentFib):
        def put_routes(self, table: int, dst: bytes, plen: bytes, nhg: bytes, op: bytes) -> list[tuple[int, str]]:
            raise ValueError("unequal columns")

    agent = Agent(Strict(ncp="ncp1"))
    agent.elect(welcome())
    agent.connected(welcome())
    agent.receive(SnapshotBegin(5, 1))
    assert refused(agent.receive(message)).startswith(complaint)
    assert "before Welcome" in refused(agent.receive(Transaction(5, 2)))


def test_a_snapshot_comes_first_on_each_connection() -> None:
    agent, _ = agent_in_snapshot()
    agent.lost()
    assert "before Welcome" in refused(agent.receive(Transaction(5, 2)))
    agent.connected(welcome())
    assert "before SnapshotBegin" in refused(agent.receive(Transaction(5, 2)))


def test_the_highest_election_id_ever_seen_wins() -> None:
    agent, _ = agent_in_snapshot()
    effects, error = agent.elect(welcome(4))
    assert effects == []
    assert error is not None
    assert error.code == "election"
    assert agent.elect(welcome(5)) == ([], None)
    assert agent.elect(welcome(8)) == ([Remember(8)], None)
    assert "behind 8" in refused(agent.receive(Transaction(5, 2)))
    assert Agent(PlainAgentFib(ncp="ncp1"), election_id=9).elect(welcome(8))[1] is not None


def test_another_version_is_refused() -> None:
    _, error = Agent(PlainAgentFib(ncp="ncp1")).elect(welcome(version=2))
    assert error is not None
    assert error.code == "version"


def test_a_report_about_an_earlier_connection_acknowledges_nothing() -> None:
    agent, _ = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1)))
    old = agent.position
    agent.lost()
    agent.connected(welcome())
    agent.receive(SnapshotBegin(5, 1))
    assert agent.written(old, old, []) == []
    refused = (1, bytes(4), 0, 22, "x")  # its answer was on its way, and the stream may have the route as well
    assert agent.written(old, old, [refused]) == [Send(Ack(1, 1, 0, WINDOW, [[1, -1, *refused]]))]
    assert agent.position > old
    assert agent.written(agent.position, agent.position, []) == [Send(Ack(1, 1, 1, WINDOW))]


def test_a_stream_goes_on_over_another_connection_and_its_last_words_are_said_again() -> None:
    agent, model = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1)))
    count, digest = model.digest()
    agent.receive(SnapshotEnd(5, 3, count, digest))
    before = agent.position
    agent.lost()
    assert agent.written(before, before, []) == [], "nobody to tell"
    assert (agent.stream_id, agent.applied, agent.complete) == (b"stream", 3, True)
    agent.connected(welcome())
    assert agent.receive(Resume(5, 3)) == [
        Send(Ack(3, 3, 3, WINDOW)),
        Send(SnapshotVerdict(True, count, digest)),
        Kick(),
    ]
    assert agent.receive(Transaction(5, 4, routes=routes(2))) == [Kick()]
    assert agent.written(agent.position, agent.position, []) == [Send(Ack(4, 4, 4, WINDOW))]
    assert len(model.routes) == 2


MANY = [(1, bytes([10, 0, n >> 8, n & 255]), 32, 28, "full") for n in range(1025)]


def test_more_failures_than_an_acknowledgement_holds_come_in_several() -> None:
    agent, _ = agent_in_snapshot()
    told = [
        message for message in sent(agent.written(agent.position, agent.position, MANY)) if isinstance(message, Ack)
    ]
    assert [(len(ack.failures), ack.installed) for ack in told] == [(1024, 0), (1, 1)]


def test_failures_are_not_kept_while_there_is_no_stream_as_they_are_told_anew_to_the_next() -> None:
    agent, model = agent_in_snapshot()
    agent.lost()
    assert agent.written(agent.position, 0, MANY) == [], "nobody to tell"
    agent.connected(welcome())
    model.to_retry = len(MANY)
    assert sent(agent.receive(Resume(5, 1))) == [Ack(1, 1, 0, WINDOW)]
    told = [
        message for message in sent(agent.written(agent.position, agent.position, MANY)) if isinstance(message, Ack)
    ]
    assert [(len(ack.failures), ack.installed) for ack in told] == [(1024, 0), (1, 1)]


def test_what_failed_before_a_stream_goes_on_is_not_installed_until_the_kernel_was_asked_again() -> None:
    agent, model = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1)))
    agent.lost()
    before = agent.position
    agent.written(before, before, [(1, bytes([10, 0, 0, 0]), 24, 28, "full")])
    agent.connected(welcome())
    model.to_retry = 1
    told = [message for message in sent(agent.receive(Resume(5, 2))) if isinstance(message, Ack)]
    assert [(ack.applied, ack.installed) for ack in told] == [(2, 0)]
    assert agent.written(before, before, []) == [], "a report from before is about the first attempt"
    assert agent.written(agent.position, agent.position, []) == [Send(Ack(2, 2, 2, WINDOW))]


@pytest.mark.parametrize("message", [Resume(5, 1), Resume(5, 3), Transaction(5, 3)])
def test_a_stream_goes_on_only_where_it_ended(message: Message) -> None:
    agent, _ = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1)))
    agent.lost()
    agent.connected(welcome())
    assert refused(agent.receive(message)).startswith("protocol")
    assert agent.stream_id == b"", "the next connection begins anew"


def test_a_stream_of_another_controller_is_not_gone_on_with() -> None:
    agent, _ = agent_in_snapshot()
    agent.lost()
    agent.connected(Welcome(1, 5, b"another", KEY))
    assert refused(agent.receive(Resume(5, 1))).startswith("protocol: nothing here to go on with")


def test_under_another_controller_the_stream_of_the_one_before_is_not_named_any_more() -> None:
    """It would look as if this controller had been overtaken by that one: both have the election id by then."""
    agent, _ = agent_in_snapshot()
    agent.lost()
    assert agent.elect(Welcome(1, 6, b"another", KEY)) == ([Remember(6)], None)
    assert (agent.stream_id, agent.applied) == (b"", 0)


def test_a_model_made_anew_is_of_no_stream() -> None:
    agent, _ = agent_in_snapshot()
    agent.replace(PlainAgentFib(ncp="ncp1"))
    assert (agent.stream_id, agent.applied) == (b"", 0)


def test_what_is_held_is_told_as_sums_and_what_is_kept_stays() -> None:
    agent, model = agent_in_snapshot()
    agent.receive(Transaction(5, 2, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(1, 2)))
    total = model.digest()[1]
    agent.lost()
    agent.connected(welcome())
    (reply,) = sent(agent.receive(DigestRequest(5)))
    assert isinstance(reply, DigestReply)
    ((table, sums),) = reply.rows
    assert sum(struct.unpack("<1024Q", sums)) % (1 << 64) == total
    agent.receive(SnapshotBegin(5, 9, kept=[[table, b"\xff" * 128]]))
    agent.receive(Transaction(5, 10, adjacencies=[ADJACENCY], groups=[GROUP]))
    assert sent(agent.receive(SnapshotEnd(5, 11, 2, total))) == [SnapshotVerdict(True, 2, total)]
    assert len(model.routes) == 2


operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
        st.tuples(st.just("drain"), st.just([])),
        st.tuples(st.just("reconnect"), st.just([])),
        st.tuples(st.just("snapshot"), st.just([])),
    ),
    max_size=30,
)


@given(operations)
@settings(max_examples=150)
def test_acknowledgements_never_fall_back_within_a_connection_nor_run_ahead(ops: list[tuple[str, list[int]]]) -> None:
    model = PlainAgentFib(ncp="ncp1")
    agent = Agent(model)
    agent.elect(welcome())
    agent.connected(welcome())
    agent.receive(SnapshotBegin(5, 1))
    sequence, last, drained_at = 1, 0, 0
    for kind, values in ops:
        if kind == "reconnect":
            agent.lost()
            agent.connected(welcome())
            sequence, last, drained_at = 0, 0, 0
        if kind in ("reconnect", "snapshot"):
            sequence += 1
            assert agent.receive(SnapshotBegin(5, sequence)) == [Kick()]
        elif kind == "write":
            sequence += 1
            message = Transaction(5, sequence, adjacencies=[ADJACENCY], groups=[GROUP], routes=routes(*values))
            assert agent.receive(message) == [Kick()]
        else:
            drained_at = sequence
            for ack in sent(agent.written(agent.position, agent.position, [])):
                assert isinstance(ack, Ack)
                assert last <= ack.installed <= ack.applied == ack.received == sequence
                last = ack.installed
            assert last == drained_at


def test_of_two_controllers_with_one_id_the_one_met_first_writes() -> None:
    agent, _ = agent_in_snapshot()
    effects, refusal = agent.elect(Welcome(1, 5, b"another", KEY))
    assert effects == []
    assert refusal is not None
    assert refusal.code == "election"
    assert agent.elect(welcome()) == ([], None)
    assert agent.overtaken(Welcome(1, 5, b"another", KEY))
    assert not agent.overtaken(welcome())


def test_a_later_controller_overtakes_and_the_earlier_one_may_not_come_back() -> None:
    agent, _ = agent_in_snapshot()
    assert agent.elect(Welcome(1, 6, b"another", KEY)) == ([Remember(6)], None)
    assert agent.overtaken(welcome())
    _, refusal = agent.elect(welcome())
    assert refusal is not None
    assert "another controller has taken over" in refusal.text
    assert "election id 5 is behind 6" in refused(agent.receive(Transaction(5, 2)))
