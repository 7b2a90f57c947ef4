"""OPEN, NOTIFICATION, ROUTE-REFRESH and the frames of boxes under hostile bytes: a value or the error that is
documented; and what was read is written, and read again as the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

import fibd.wire
import protocols.bgp.capabilities
import protocols.bgp.errors
import protocols.bgp.messages
import protocols.bgp.negotiation
import protocols.cursor
from fibd.wire import Decoder, WireError, encode
from protocols.bgp import capabilities, messages
from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import SessionError
from protocols.bgp.negotiation import negotiate, offer
from tests.fibd.samples import SAMPLES
from tests.fuzz.hunt import hunt
from tests.fuzz.messages import HEADER, NOTIFICATIONS, OPENS, REFRESHES
from tests.protocols.bgp.peers import A

SECONDS: Final = float(os.environ.get("FUZZ_SECONDS", "60"))
"""Of each hunt of `make test-long`."""
Found = TypeVar("Found")
DEPTHS: Final = [
    pytest.param(3000, 0.0, id="short"),
    pytest.param(3000, SECONDS, id="long", marks=pytest.mark.long),
]
BODIES: Final = tuple(message[HEADER:] for message in OPENS)


def answered(read: Callable[[], Found], *codes: int) -> Found | None:
    """None where a NOTIFICATION of one of these codes answers."""
    try:
        return read()
    except SessionError as error:
        if error.notification.code not in codes:
            raise
    return None


def opened(body: bytes, config: PeerConfig = A) -> None:
    found = answered(lambda: messages.decode_open(body), 1, 2)
    if found is None:
        return
    for capability in found.capabilities:
        assert capabilities.describe(capability)["name"]
    # Flags without a meaning are not written; so the second reading is compared, not the octets.
    if sum(2 + len(capabilities.encode_capability(c)) for c in found.capabilities) < 60_000:
        again = messages.decode_open(found.encode()[HEADER:])
        assert again.capabilities == found.capabilities
        assert (again.asn, again.hold_time, again.router_id) == (found.asn, found.hold_time, found.router_id)
    agreed = answered(lambda: negotiate(config, offer(config), found), 2)
    if agreed is not None:
        assert agreed.families
        assert agreed.describe()
        agreed.terms()


def notified(body: bytes) -> None:
    found = messages.decode_notification(body)
    assert (found is None) == (len(body) < 2)
    if found is not None:
        assert str(found)
        assert found.describe()
        assert messages.decode_notification(messages.encode_notification(found)[HEADER:]) == found or len(body) > 4077


def refreshed(body: bytes) -> None:
    found = answered(lambda: messages.decode_route_refresh(body), 1, 7)
    assert found is None or found.encode()[HEADER:] == body


def framed(data: bytes) -> None:
    decoder = Decoder(max_frame=4096)
    try:
        for message, _, _ in decoder.feed(data):
            again = list(Decoder().feed(encode(message)))
            assert again == [(message, 0, 0)]
    except WireError:
        with pytest.raises(WireError):
            list(decoder.feed(b""))


@pytest.mark.parametrize(("inputs", "seconds"), DEPTHS)
def test_an_open_is_read_or_refused(inputs: int, seconds: float) -> None:
    modules = (protocols.bgp.messages, protocols.bgp.capabilities, protocols.bgp.negotiation, protocols.cursor)
    assert hunt(opened, BODIES, *modules, inputs=inputs, seconds=seconds).kept > len(BODIES)


@pytest.mark.parametrize(("inputs", "seconds"), DEPTHS)
def test_a_notification_is_read_and_named(inputs: int, seconds: float) -> None:
    bodies = [message[HEADER:] for message in NOTIFICATIONS]
    modules = (protocols.bgp.messages, protocols.bgp.errors)
    assert hunt(notified, bodies, *modules, inputs=inputs, seconds=seconds / 4).kept > len(bodies)


@pytest.mark.parametrize(("inputs", "seconds"), DEPTHS)
def test_a_route_refresh_is_read_or_refused(inputs: int, seconds: float) -> None:
    bodies = [message[HEADER:] for message in REFRESHES]
    assert hunt(refreshed, bodies, protocols.bgp.messages, inputs=inputs, seconds=seconds / 4).kept > len(bodies)


@pytest.mark.parametrize(("inputs", "seconds"), DEPTHS)
def test_a_frame_of_a_box_is_read_or_ends_its_connection(inputs: int, seconds: float) -> None:
    frames = [encode(sample) for sample in SAMPLES]
    assert hunt(framed, frames, fibd.wire, inputs=inputs, seconds=seconds).kept > len(frames)
