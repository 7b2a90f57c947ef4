"""What an agent tells of its box."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fibd.facts import Facts, PortRow
from fibd.message import Message
from fibd.messages import Addresses, FactsComplete, Neighbours, Ports, Routers

UP: PortRow = (2, True, True, 1500, b"\x02" * 6, "veth")
DOWN: PortRow = (2, True, False, 1500, b"\x02" * 6, "veth")
ADDRESS = bytes([192, 0, 2, 1])
ROUTER = bytes.fromhex("fe80").ljust(16, b"\1")


def heard(messages: list[Message], state: dict[str, dict[Any, Any]] | None = None) -> dict[str, dict[Any, Any]]:
    """What a controller knows that has heard these."""
    state = state if state is not None else {"ports": {}, "addresses": {}, "neighbours": {}}
    for m in messages:
        if isinstance(m, Ports):
            for name in m.removed:
                del state["ports"][name]
            state["ports"].update({row[0]: tuple(row[1:]) for row in m.present})
        elif isinstance(m, Addresses):
            for row in m.removed:
                del state["addresses"][tuple(row)]
            state["addresses"].update({tuple(row[:3]): row[3] for row in m.present})
        elif isinstance(m, Neighbours):
            for row in m.removed:
                del state["neighbours"][tuple(row)]
            state["neighbours"].update({tuple(row[:2]): tuple(row[2:]) for row in m.present})
    return state


def test_a_change_is_told_once() -> None:
    facts = Facts()
    assert facts.port("eth0", UP) == [Ports(1, [["eth0", *UP]])]
    assert facts.port("eth0", UP) == []
    assert facts.port("eth0", DOWN) == [Ports(2, [["eth0", *DOWN]])]
    assert facts.address(("eth0", ADDRESS, 24), True) == [Addresses(3, [["eth0", ADDRESS, 24, True]])]
    assert facts.address_gone(("eth0", ADDRESS, 24)) == [Addresses(4, [], [["eth0", ADDRESS, 24]])]
    assert facts.address_gone(("eth0", ADDRESS, 24)) == []


def test_a_port_takes_its_addresses_and_neighbours_along() -> None:
    facts = Facts()
    told = facts.port("eth0", UP) + facts.address(("eth0", ADDRESS, 24), True)
    told += facts.neighbour(("eth0", ADDRESS), (b"\x02" * 6, "reachable"))
    assert heard(told + facts.port_gone("eth0")) == {"ports": {}, "addresses": {}, "neighbours": {}}


def test_everything_is_told_again_to_the_next_controller_and_ends_with_facts_complete() -> None:
    facts = Facts()
    facts.port("eth0", UP)
    for i in range(3000):
        facts.neighbour(("eth0", i.to_bytes(4, "big")), (b"\x02" * 6, "stale"))
    told = facts.everything()
    assert isinstance(told[-1], FactsComplete)
    assert heard(told)["neighbours"] == facts.neighbours
    assert max(len(m.present) for m in told if isinstance(m, Neighbours)) == 1024
    assert [m.sequence for m in told] == list(range(3002, 3002 + len(told)))


keys = st.sampled_from(["eth0", "eth1", "eth2"])
addresses = st.dictionaries(
    st.tuples(keys, st.binary(min_size=4, max_size=4), st.integers(0, 32)), st.booleans(), max_size=5
)
ports = st.dictionaries(keys, st.sampled_from([UP, DOWN]), max_size=3)
neighbours = st.dictionaries(
    st.tuples(keys, st.binary(min_size=4, max_size=4)), st.tuples(st.just(b"\x02" * 6), st.just("stale")), max_size=5
)


@given(st.lists(st.tuples(ports, addresses, neighbours), max_size=6))
def test_a_controller_that_heard_every_change_knows_what_the_box_is(reads: list[tuple[Any, Any, Any]]) -> None:
    facts, known = Facts(), heard([])
    for read in reads:
        known = heard(facts.replace(*read), known)
        assert (known["ports"], known["addresses"], known["neighbours"]) == read


def test_routers_are_told_once_again_to_each_controller_and_forgotten_with_their_port() -> None:
    facts = Facts()
    facts.port("eth0", UP)
    assert facts.router("eth0", ROUTER) == [Routers(2, [["eth0", ROUTER]])]
    assert facts.router("eth0", ROUTER) == []
    assert Routers(4, [["eth0", ROUTER]]) in facts.everything()
    for last in range(20):
        facts.router("eth0", ROUTER[:-1] + bytes([last]))
    assert len(facts.routers["eth0"]) == 8
    facts.port_gone("eth0")
    assert facts.routers == {}
    assert not any(isinstance(message, Routers) for message in facts.everything())
