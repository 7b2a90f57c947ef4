"""The states of RFC 4271 8.2.2, and which message each of them takes. The rest about states follows from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from protocols.bgp.errors import ErrorCode, FsmSubcode, Notification, SessionError
from protocols.bgp.messages import MessageType


class State(StrEnum):
    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"


RANK: Final = {state: rank for rank, state in enumerate(State)}
"""How far a state is on the way to Established."""

EXPECTED: Final[dict[State, frozenset[MessageType]]] = {
    # On a connection whose DelayOpenTimer runs (events 20, 24, 25).
    State.CONNECT: frozenset({MessageType.OPEN, MessageType.NOTIFICATION}),
    State.ACTIVE: frozenset({MessageType.OPEN, MessageType.NOTIFICATION}),
    State.OPEN_SENT: frozenset({MessageType.OPEN, MessageType.NOTIFICATION}),
    State.OPEN_CONFIRM: frozenset({MessageType.KEEPALIVE, MessageType.NOTIFICATION}),
    State.ESTABLISHED: frozenset(
        {MessageType.UPDATE, MessageType.KEEPALIVE, MessageType.NOTIFICATION, MessageType.ROUTE_REFRESH}
    ),
}  # fmt: skip

UNEXPECTED: Final[dict[State, FsmSubcode]] = {
    State.OPEN_SENT: FsmSubcode.UNEXPECTED_IN_OPEN_SENT,
    State.OPEN_CONFIRM: FsmSubcode.UNEXPECTED_IN_OPEN_CONFIRM,
    State.ESTABLISHED: FsmSubcode.UNEXPECTED_IN_ESTABLISHED,
}


def check_expected(state: State, kind: MessageType) -> None:
    if kind not in EXPECTED[state]:
        # RFC 6608 4: the data is the type of the message. Before our OPEN nothing is said (RFC 4271 8.2.2 Connect).
        said = UNEXPECTED.get(state)
        notification = Notification(ErrorCode.FINITE_STATE_MACHINE, said, bytes([kind])) if said is not None else None
        raise SessionError(notification, f"{kind.label} is not expected in {state}")
