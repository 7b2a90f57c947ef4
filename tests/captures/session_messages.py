"""One message of another type than UPDATE decoded and encoded again, and why it does not come out as it went in."""

from __future__ import annotations

from protocols.bgp import messages
from protocols.bgp.errors import SessionError
from protocols.bgp.messages import HEADER_LENGTH, MessageType, encode_message

PARAMETERS = HEADER_LENGTH + 9
"""Where the length of an OPEN's optional parameters is (RFC 4271 4.2)."""


def verdict(octets: bytes) -> str:
    try:
        again = _again(MessageType(octets[18]), octets[HEADER_LENGTH:])
    except SessionError as error:
        return f"other: {error}"
    if again == octets:
        return "same"
    joined = _joined(octets) if octets[18] == MessageType.OPEN else b""
    return "same but for: a parameter for each capability" if again == joined else "other: unexplained"


def _again(kind: MessageType, body: bytes) -> bytes:
    match kind:
        case MessageType.OPEN:
            return messages.decode_open(body).encode()
        case MessageType.NOTIFICATION:
            found = messages.decode_notification(body)
            return b"" if found is None else messages.encode_notification(found)
        case MessageType.ROUTE_REFRESH:
            return messages.decode_route_refresh(body).encode()
        case _:
            return encode_message(kind, body)


def _joined(octets: bytes) -> bytes:
    """An OPEN with all capabilities in one parameter, as we write them (RFC 5492 4 allows both)."""
    rest, found = octets[PARAMETERS + 1 :], b""
    while rest:
        found += rest[2 : 2 + rest[1]]
        rest = rest[2 + rest[1] :]
    parameters = bytes([len(found) + 2, 2, len(found)]) + found
    return encode_message(MessageType.OPEN, octets[HEADER_LENGTH:PARAMETERS] + parameters)
