"""A session as JSON: what ``show bgp neighbor`` prints."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from protocols.bgp import capabilities
from protocols.bgp.errors import Notification
from protocols.bgp.family import family_name
from protocols.bgp.fsm import RANK
from protocols.bgp.negotiation import offer, peer_asn_of

if TYPE_CHECKING:
    from protocols.bgp.connection import Connection
    from protocols.bgp.session import Session


@dataclass(frozen=True, slots=True)
class LastDown:
    """Why the latest connection ended that did not end for another."""

    reason: str
    at: float
    state: str
    """How far it had come."""
    lasted: float | None
    """Seconds in Established."""
    sent: Notification | None
    received: Notification | None

    def describe(self, now: float) -> dict[str, Any]:
        return {
            "reason": self.reason, "ago": now - self.at, "state": self.state, "lasted": self.lasted,
            "sent": _notification(self.sent), "received": _notification(self.received),
        }  # fmt: skip


def _notification(notification: Notification | None) -> dict[str, Any] | None:
    return None if notification is None else notification.describe()


def _address(octets: bytes) -> str | None:
    return str(ipaddress.ip_address(octets)) if len(octets) in (4, 16) else None


def describe(session: Session, next_attempt: float | None, now: float) -> dict[str, Any]:
    config, counters = session.config, session.counters
    connection = max(session.connections, key=lambda c: RANK[c.state], default=None)
    up = connection.established_at if connection is not None else None
    agreed = connection.agreed.families if connection is not None and connection.agreed is not None else ()
    complete = connection.end_of_rib if connection is not None else ()
    return {
        "address": config.name,
        "description": config.description,
        "running": session.running,
        "state": str(session.state),
        "uptime": None if up is None else now - up,
        "next_attempt": next_attempt,
        "offences": session.offences(now),
        "timers": {name: max(0.0, at - now) for name, at in session.deadlines().items()},
        "type": "external" if config.ebgp else "confederation" if config.member else "internal",
        "peer_asn": config.remote_asn,
        "local_asn": config.local_asn,
        "local_router_id": _address(config.router_id),
        "passive": config.passive,
        "hold_time": config.hold_time,
        "families": [
            {
                "name": family_name(f.afi, f.safi),
                "import": f.import_policy,
                "export": f.export_policy,
                "agreed": f.family in agreed,
                "end_of_rib": f.family in complete,
            }
            for f in config.families
        ],
        **_connection(session, connection),
        "counters": counters.describe(now),
        "came_back": None
        if session.came_back is None
        else {"adopted": session.came_back[0], "reason": session.came_back[1] or None},
        "retained": session.retention.describe(now),
        "last_connect_error": session.last_connect_error,
        "last_notification": {
            "sent": _notification(counters.last_sent),
            "received": _notification(counters.last_received),
        },
        "last_down": None if session.last_down is None else session.last_down.describe(now),
        "last_session": None if session.last_session is None else session.last_session.describe(now),
    }


def _connection(session: Session, connection: Connection | None) -> dict[str, Any]:
    received = connection.received if connection is not None else None
    agreed = connection.agreed if connection is not None else None
    offered = connection.offered if connection is not None else offer(session.config, session.forwarding)
    return {
        "router_id": _address(received.router_id) if received else None,
        "peer_asn_received": peer_asn_of(received) if received else None,
        "peer_hold_time": received.hold_time if received else None,
        "negotiated_hold_time": agreed.hold_time if agreed else None,
        "local_address": _address(connection.local) if connection else None,
        "remote_address": _address(connection.remote) if connection else None,
        "inbound": connection.inbound if connection else None,
        "capabilities": {
            "offered": [capabilities.describe(c) for c in offered],
            "received": [capabilities.describe(c) for c in received.capabilities] if received else [],
            "agreed": agreed.describe() if agreed else None,
        },
    }
