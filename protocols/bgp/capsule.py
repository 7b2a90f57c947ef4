"""What an Established session leaves with its stream, so that another routingd can go on with it: what both OPENs said,
and by what configuration. It comes back from a box: nothing in it is trusted.

A session is adopted where the peer can be told everything again and swept (RFC 7313), and graceful restart (RFC 4724)
is there for the case that it cannot. Any other comes back by a restart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import msgpack

from protocols.bgp.capabilities import Capability, EnhancedRouteRefresh
from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import SessionError
from protocols.bgp.graceful import Mode
from protocols.bgp.messages import HEADER_LENGTH, MAX_MESSAGE, Open, decode_open
from protocols.bgp.negotiation import Agreed, negotiate

VERSION: Final = 1
MAX_CAPSULE: Final = 4 * MAX_MESSAGE
_DIGEST: Final = 16
_BESIDE: Final = frozenset({"address", "description", "host_name", "software_version"})
"""Of a configuration, what says nothing about how the session goes on; the address is in the peer's name, but of
unnumbered ones, which learn it."""


class NotAdoptableError(Exception):
    """Its text says why, for people."""


@dataclass(frozen=True, slots=True)
class SessionCapsule:
    peer: str
    """The neighbor's name."""
    sent: bytes
    """Body of our OPEN."""
    received: bytes
    """Body of the peer's."""
    agreed: bytes
    """Digest of what followed from both."""
    configuration: bytes
    """Digest of the session's configuration."""
    election: int
    """Of the routingd that had the session."""
    told: bool
    """The peer has had our End-of-RIB: before it, it would not follow a refresh (RFC 7313 4)."""

    def encode(self) -> bytes:
        blob: bytes = msgpack.packb([VERSION, *(getattr(self, f.name) for f in fields(self))])
        return blob


@dataclass(frozen=True, slots=True)
class Adoptable:
    """A session of another routingd that fits the neighbor."""

    offered: tuple[Capability, ...]
    received: Open
    agreed: Agreed
    bodies: tuple[bytes, bytes]
    """Of both OPENs, ours first."""


def seal(config: PeerConfig, sent: bytes, received: bytes, agreed: Agreed, *, election: int, told: bool) -> bytes:
    return SessionCapsule(
        config.name, sent, received, digest_of_agreed(agreed), digest_of_configuration(config), election, told
    ).encode()


def opened(blob: bytes) -> SessionCapsule:
    """Raises NotAdoptableError."""
    if len(blob) > MAX_CAPSULE:
        raise NotAdoptableError("its capsule is too long")
    try:
        row = msgpack.unpackb(blob, max_array_len=32, max_map_len=0, max_ext_len=0)
    except (ValueError, msgpack.UnpackException, RecursionError):
        raise NotAdoptableError("its capsule cannot be read") from None
    kinds = (str, bytes, bytes, bytes, bytes, int, bool)
    if type(row) is not list or not row or type(row[0]) is not int or row[0] != VERSION:
        raise NotAdoptableError("its capsule is of another release")
    if [type(value) for value in row[1:]] != list(kinds):
        raise NotAdoptableError("its capsule cannot be read")
    return SessionCapsule(*row[1:])


def examine(blob: bytes, config: PeerConfig, election: int, waits: bool) -> Adoptable:
    """Whether a neighbor so configured can go on with that session; ``election`` is ours, ``waits``: nobody is told
    anything before the RIB is whole. Raises NotAdoptableError."""
    capsule = opened(blob)
    if capsule.peer != config.name:
        raise NotAdoptableError("its capsule is another neighbor's")
    if capsule.election > election:
        raise NotAdoptableError("it was left by a later routingd")
    if capsule.election < election and not waits:
        raise NotAdoptableError("the neighbors of the earlier routingd are not waited for")
    if capsule.configuration != digest_of_configuration(config):
        raise NotAdoptableError("the neighbor is configured otherwise now")
    try:
        sent, received = (decode_open(_bounded(body)) for body in (capsule.sent, capsule.received))
        agreed = negotiate(config, sent.capabilities, received)
    except SessionError as error:
        raise NotAdoptableError(f"the OPENs of its capsule do not hold: {error.reason}") from None
    if capsule.agreed != digest_of_agreed(agreed):
        raise NotAdoptableError("this release agrees upon something else")
    if reason := adoptable(config, sent.capabilities, agreed):
        raise NotAdoptableError(reason)
    if not capsule.told:
        raise NotAdoptableError("the neighbor had not been told everything yet")
    assert agreed.graceful is not None
    # That the peer had restarted when it said so is long over.
    now = replace(agreed, graceful=replace(agreed.graceful, restarting=False))
    return Adoptable(sent.capabilities, received, now, (capsule.sent, capsule.received))


def adoptable(config: PeerConfig, offered: Sequence[Capability], agreed: Agreed) -> str:
    """Why a session could not be adopted, by what was agreed; empty: it could."""
    if config.graceful_restart is not Mode.ON or agreed.graceful is None:
        return "graceful restart is not agreed"
    if not agreed.route_refresh:
        return "route refresh is not agreed"
    if not agreed.enhanced_refresh or not any(isinstance(c, EnhancedRouteRefresh) for c in offered):
        return "enhanced route refresh (RFC 7313) is not agreed"
    return ""


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_MESSAGE - HEADER_LENGTH:
        raise NotAdoptableError("an OPEN of its capsule is too long")
    return body


def digest_of_agreed(agreed: Agreed) -> bytes:
    return _digest(agreed.describe())


def digest_of_configuration(config: PeerConfig) -> bytes:
    return _digest({f.name: _plain(getattr(config, f.name)) for f in fields(config) if f.name not in _BESIDE})


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=_DIGEST).digest()


def _plain(value: Any) -> Any:
    """The same text in every process."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
