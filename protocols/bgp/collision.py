"""Two connections with one peer: which of them stays (RFC 4271 6.8, RFC 6286 2.3, RFC 4724 5)."""

from __future__ import annotations

from typing import Final

from protocols.bgp.connection import Connection
from protocols.bgp.fsm import State

COLLIDES: Final = 5.0
"""Seconds in which a connection may come that the peer opened before it knew of the session on another."""


def gives_way(connection: Connection, now: float) -> bool:
    """RFC 4724 5: whether the peer has restarted when it connects again while this is Established, whatever TCP knows
    about it. Its OPEN is waited for, as a bare connection proves nothing."""
    graceful = connection.agreed.graceful if connection.agreed is not None else None
    since = connection.established_at
    return graceful is not None and bool(graceful.families) and since is not None and now - since >= COLLIDES


def loser(newer: Connection, other: Connection) -> Connection:
    """At the OPEN of ``newer``: the connection opened by the speaker with the higher identifier stays."""
    agreed = newer.agreed
    assert agreed is not None
    # RFC 6286 2.3: with equal identifiers the higher AS number decides.
    ours, theirs = (agreed.local_router_id, agreed.local_asn), (agreed.peer_router_id, agreed.peer_asn)
    established = other.state is State.ESTABLISHED
    return newer if established or newer.inbound != (ours < theirs) else other
