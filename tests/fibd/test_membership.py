"""Which agents may speak to a controller: elections, versions, one agent per name."""

from __future__ import annotations

import pytest

from fibd.membership import Membership
from fibd.messages import LOOK
from fibd.wire import Error, Hello, Role, Welcome

KEY = bytes(range(16))
OURS = Welcome(1, 50, b"stream", KEY)


def membership(**versions: int) -> Membership:
    return Membership(["ncp1"], OURS, **versions)


def hello(role: int = Role.CONTROL, boot: int = 1, **fields: object) -> Hello:
    return Hello(role, "ncp1", bytes([boot]) * 16, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("agent", "chosen"),
    [((1, 2), 2), ((2, 3), 3), ((3, 4), 3), ((2, 2), 2), ((1, 1), None), ((4, 5), None)],
)
def test_controller_and_agent_meet_at_the_newest_version_that_both_speak(
    agent: tuple[int, int], chosen: int | None
) -> None:
    answer = membership(oldest=2, newest=3).hello(hello(version_min=agent[0], version_max=agent[1]))
    if chosen is None:
        assert isinstance(answer, Error)
        assert answer.code == "version"
        assert "versions 2 to 3" in answer.text
    else:
        assert answer == Welcome(chosen, 50, b"stream", KEY)


def test_an_agent_that_has_served_a_later_controller_is_refused() -> None:
    answer = membership().hello(hello(election_id=51))
    assert isinstance(answer, Error)
    assert answer.code == "election"
    assert "another controller has taken over" in answer.text
    assert isinstance(membership().hello(hello(election_id=49, stream_id=b"older", elected=b"older")), Welcome)


def test_of_two_controllers_with_one_id_an_agent_keeps_to_its_own() -> None:
    answer = membership().hello(hello(election_id=50, elected=b"other"))
    assert isinstance(answer, Error)
    assert answer.code == "election"
    assert isinstance(membership().hello(hello(election_id=50, elected=b"stream", stream_id=b"model's")), Welcome)


def test_who_only_looks_takes_no_place() -> None:
    here = membership()
    assert isinstance(here.hello(hello(LOOK)), Welcome)
    assert isinstance(here.hello(hello(boot=2)), Welcome), "the name was free"
    refused = here.hello(hello(Role.STREAMS, boot=3))
    assert isinstance(refused, Error)
    assert refused.code == "duplicate"
    looking = here.hello(hello(LOOK, election_id=51))
    assert isinstance(looking, Error)


def test_a_name_is_free_again_when_the_last_connection_has_ended() -> None:
    here = membership()
    for role in Role:
        assert isinstance(here.hello(hello(role)), Welcome)
    for role in (Role.CONTROL, Role.FIB):
        here.gone("ncp1", b"\x01" * 16, role)
        assert isinstance(here.hello(hello(boot=2)), Error)
    here.gone("ncp1", b"\x01" * 16, Role.STREAMS)
    assert isinstance(here.hello(hello(boot=2)), Welcome)
    assert here.refused == {"duplicate": 2}
