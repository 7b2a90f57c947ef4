"""Every BGP message but UPDATE, between bytes and values.

RFC 4271 4.1 to 4.5, 5492 and 9072 (optional parameters), 2918 and 7313 (refresh).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.bgp.capabilities import Capability, decode_capabilities, encode_capability
from protocols.bgp.errors import (
    ErrorCode,
    HeaderSubcode,
    Notification,
    OpenSubcode,
    RefreshSubcode,
    SessionError,
    header_error,
    open_error,
)
from protocols.cursor import Cursor, CursorError

MARKER: Final = b"\xff" * 16
HEADER_LENGTH: Final = 19
MAX_MESSAGE: Final = 4096
MAX_EXTENDED_MESSAGE: Final = 65535
AS_TRANS: Final = 23456
"""RFC 6793 9: stands in a two-octet field for an AS number that needs four."""
_CAPABILITIES: Final = 2
_EXTENDED: Final = 255


class MessageType(IntEnum):
    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5

    @property
    def label(self) -> str:
        return self.name.replace("_", "-")


def encode_message(kind: MessageType, body: bytes = b"") -> bytes:
    return MARKER + (HEADER_LENGTH + len(body)).to_bytes(2, "big") + bytes([kind]) + body


KEEPALIVE: Final = encode_message(MessageType.KEEPALIVE)


@dataclass(frozen=True, slots=True)
class Open:
    """RFC 4271 4.2. ``asn`` is the two-octet field as it stands."""

    asn: int
    hold_time: int
    router_id: bytes
    capabilities: tuple[Capability, ...] = ()

    def encode(self) -> bytes:
        capabilities = b"".join(map(encode_capability, self.capabilities))
        head = bytes([4]) + self.asn.to_bytes(2, "big") + self.hold_time.to_bytes(2, "big") + self.router_id
        if not capabilities:
            parameters = b"\x00"
        elif len(capabilities) + 2 <= 255:
            parameters = bytes([len(capabilities) + 2, _CAPABILITIES, len(capabilities)]) + capabilities
        else:
            # RFC 9072 2: 255 as length and as type of the first parameter, then lengths of two octets.
            parameter = bytes([_CAPABILITIES]) + len(capabilities).to_bytes(2, "big") + capabilities
            parameters = bytes([_EXTENDED, _EXTENDED]) + len(parameter).to_bytes(2, "big") + parameter
        return encode_message(MessageType.OPEN, head + parameters)


def decode_open(body: bytes) -> Open:
    """What an OPEN says, checked for form only; whether it is acceptable is ``negotiation``'s."""
    cursor = Cursor(body)
    try:
        version = cursor.u8()
        if version != 4:
            # RFC 4271 6.2: the data is the largest version we support below what was asked, here the only one.
            reason = f"the peer speaks BGP version {version}, not 4"
            raise open_error(OpenSubcode.UNSUPPORTED_VERSION_NUMBER, reason, b"\x00\x04")
        asn, hold_time, router_id, length = cursor.u16(), cursor.u16(), cursor.take(4), cursor.u8()
    except CursorError:
        # RFC 4271 6.1: an OPEN of less than 29 octets is a bad length, and the data is the length field.
        size = HEADER_LENGTH + len(body)
        reason = f"an OPEN of {size} octets"
        raise header_error(HeaderSubcode.BAD_MESSAGE_LENGTH, size.to_bytes(2, "big"), reason) from None
    try:
        capabilities = _decode_parameters(cursor, length)
    except CursorError as error:
        raise open_error(OpenSubcode.UNSPECIFIC, f"malformed optional parameters: {error}") from None
    return Open(asn, hold_time, router_id, tuple(capabilities))


def _decode_parameters(cursor: Cursor, length: int) -> list[Capability]:
    # RFC 9072 2: a first parameter of type 255 makes it the long form, whatever (but 0) the short length says.
    extended = length != 0 and cursor.peek() == _EXTENDED
    if extended:
        cursor.u8()
        length = cursor.u16()
    parameters = cursor.child(length)
    cursor.finish()
    capabilities: list[Capability] = []
    while parameters:
        kind = parameters.u8()
        value = parameters.child(parameters.u16() if extended else parameters.u8())
        if kind != _CAPABILITIES:
            raise open_error(OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER, f"optional parameter {kind} is not known")
        capabilities += decode_capabilities(value)
    return capabilities


def encode_notification(notification: Notification) -> bytes:
    # RFC 8654 4: a NOTIFICATION may echo a long message, but not every peer may be sent a long one.
    data = notification.data[: MAX_MESSAGE - HEADER_LENGTH - 2]
    return encode_message(MessageType.NOTIFICATION, bytes([notification.code, notification.subcode]) + data)


def decode_notification(body: bytes) -> Notification | None:
    """None when it is too short to hold a code: RFC 4271 6.4, no answer is possible, the error is only logged."""
    return Notification(body[0], body[1], body[2:]) if len(body) >= 2 else None


class RefreshSubtype(IntEnum):
    """RFC 7313 3.2."""

    REQUEST = 0
    BEGIN = 1
    END = 2


@dataclass(frozen=True, slots=True)
class RouteRefreshMessage:
    afi: int
    safi: int
    subtype: int = RefreshSubtype.REQUEST

    def encode(self) -> bytes:
        return encode_message(MessageType.ROUTE_REFRESH, self.afi.to_bytes(2, "big") + bytes([self.subtype, self.safi]))


def decode_route_refresh(body: bytes) -> RouteRefreshMessage:
    if len(body) == 4:
        return RouteRefreshMessage(int.from_bytes(body[:2], "big"), body[3], body[2])
    reason = f"a ROUTE-REFRESH with {len(body)} octets of content instead of 4"
    if len(body) > 2 and body[2] in (RefreshSubtype.BEGIN, RefreshSubtype.END):
        # RFC 7313 5: the data is the whole message.
        message = encode_message(MessageType.ROUTE_REFRESH, body)
        notification = Notification(ErrorCode.ROUTE_REFRESH, RefreshSubcode.INVALID_MESSAGE_LENGTH, message)
        raise SessionError(notification, reason)
    # Longer ones carry ORFs (RFC 5291), which we never offer.
    size = (HEADER_LENGTH + len(body)).to_bytes(2, "big")
    raise header_error(HeaderSubcode.BAD_MESSAGE_LENGTH, size, reason)


def encode_open(*, local_asn: int, hold_time: int, router_id: bytes, capabilities: Sequence[Capability]) -> bytes:
    """Our OPEN. RFC 6793 4.1: AS_TRANS where the AS number does not fit two octets."""
    return Open(local_asn if local_asn <= 0xFFFF else AS_TRANS, hold_time, router_id, tuple(capabilities)).encode()
