"""NOTIFICATION codes and what they say: RFC 4271 4.5 and 6, 4486, 5492, 6608, 7313, 8538, 9003, 9234, 9384, 9687."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final


class ErrorCode(IntEnum):
    MESSAGE_HEADER = 1
    OPEN_MESSAGE = 2
    UPDATE_MESSAGE = 3
    HOLD_TIMER_EXPIRED = 4
    FINITE_STATE_MACHINE = 5
    CEASE = 6
    ROUTE_REFRESH = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class HeaderSubcode(IntEnum):
    CONNECTION_NOT_SYNCHRONIZED = 1
    BAD_MESSAGE_LENGTH = 2
    BAD_MESSAGE_TYPE = 3


class OpenSubcode(IntEnum):
    UNSPECIFIC = 0
    UNSUPPORTED_VERSION_NUMBER = 1
    BAD_PEER_AS = 2
    BAD_BGP_IDENTIFIER = 3
    UNSUPPORTED_OPTIONAL_PARAMETER = 4
    AUTHENTICATION_FAILURE = 5
    UNACCEPTABLE_HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7
    ROLE_MISMATCH = 11


class UpdateSubcode(IntEnum):
    UNSPECIFIC = 0
    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2
    MISSING_WELL_KNOWN_ATTRIBUTE = 3
    ATTRIBUTE_FLAGS = 4
    ATTRIBUTE_LENGTH = 5
    INVALID_ORIGIN = 6
    AS_ROUTING_LOOP = 7
    INVALID_NEXT_HOP = 8
    OPTIONAL_ATTRIBUTE = 9
    INVALID_NETWORK_FIELD = 10
    MALFORMED_AS_PATH = 11


class FsmSubcode(IntEnum):
    """RFC 6608 3: in which state the message was not expected."""

    UNSPECIFIC = 0
    UNEXPECTED_IN_OPEN_SENT = 1
    UNEXPECTED_IN_OPEN_CONFIRM = 2
    UNEXPECTED_IN_ESTABLISHED = 3


class CeaseSubcode(IntEnum):
    UNSPECIFIC = 0
    MAXIMUM_NUMBER_OF_PREFIXES_REACHED = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DECONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    OTHER_CONFIGURATION_CHANGE = 6
    CONNECTION_COLLISION_RESOLUTION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


class RefreshSubcode(IntEnum):
    INVALID_MESSAGE_LENGTH = 1


SUBCODES: Final[dict[int, type[IntEnum]]] = {
    ErrorCode.MESSAGE_HEADER: HeaderSubcode,
    ErrorCode.OPEN_MESSAGE: OpenSubcode,
    ErrorCode.UPDATE_MESSAGE: UpdateSubcode,
    ErrorCode.FINITE_STATE_MACHINE: FsmSubcode,
    ErrorCode.CEASE: CeaseSubcode,
    ErrorCode.ROUTE_REFRESH: RefreshSubcode,
}
_COMMUNICATED: Final = (CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET)


def printable(octets: bytes) -> str:
    """Text of a peer, safe to show on a terminal: what is not printable is escaped."""
    text = octets.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def error_name(code: int, subcode: int) -> str:
    """ "cease: administrative shutdown"; numbers where no name is assigned. An unspecific subcode adds nothing."""
    try:
        name = ErrorCode(code).name.lower().replace("_", " ")
    except ValueError:
        return f"error {code}/{subcode}"
    if code <= ErrorCode.UPDATE_MESSAGE:
        name += " error"
    if subcode == 0:
        return name
    try:
        detail = SUBCODES[code](subcode).name.lower().replace("_", " ")
    except (KeyError, ValueError):
        detail = f"subcode {subcode}"
    return f"{name}: {detail}"


_BLAMING: Final = (ErrorCode.MESSAGE_HEADER, ErrorCode.UPDATE_MESSAGE, ErrorCode.FINITE_STATE_MACHINE,
                   ErrorCode.ROUTE_REFRESH)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFICATION (RFC 4271 4.5), sent or received."""

    code: int
    subcode: int
    data: bytes = b""

    @property
    def name(self) -> str:
        return error_name(self.code, self.subcode)

    @property
    def text(self) -> str:
        """What the data field tells a person; empty where it tells nothing."""
        if not self.data:
            return ""
        if self.code == ErrorCode.CEASE and self.subcode in _COMMUNICATED:
            return self._shutdown_communication()
        if self.code == ErrorCode.CEASE and self.subcode == CeaseSubcode.HARD_RESET and len(self.data) >= 2:
            # RFC 8538 3: the data is the NOTIFICATION that would have been sent otherwise. One level is read.
            inner = Notification(self.data[0], self.data[1], self.data[2:])
            nested = inner.code == ErrorCode.CEASE and inner.subcode == CeaseSubcode.HARD_RESET
            told = f" ({inner.text})" if not nested and inner.text else ""
            return inner.name + told
        return "data " + self.data[:64].hex() + ("…" if len(self.data) > 64 else "")

    def _shutdown_communication(self) -> str:
        # RFC 9003 2: one octet of length, then UTF-8. What does not fit its length is shown as far as it goes.
        length = self.data[0]
        told = printable(self.data[1 : 1 + length])
        return told if length <= len(self.data) - 1 else f"{told} (truncated: {len(self.data) - 1} of {length} octets)"

    @property
    def blames(self) -> bool:
        """The program of who receives it. What is wrong with an OPEN is mostly one of the two configurations'."""
        return self.code in _BLAMING

    def hard_reset(self) -> Notification:
        """RFC 8538 3: the same as an end that no route outlives."""
        return Notification(ErrorCode.CEASE, CeaseSubcode.HARD_RESET, bytes([self.code, self.subcode]) + self.data)

    def describe(self) -> dict[str, Any]:
        return {"code": self.code, "subcode": self.subcode, "name": self.name, "text": self.text}

    def __str__(self) -> str:
        return f"{self.name} ({self.code}/{self.subcode})" + (f": {self.text}" if self.text else "")


class SessionError(Exception):
    """The session cannot go on, and this is what the peer must be told, if anything."""

    def __init__(self, notification: Notification | None, reason: str) -> None:
        super().__init__(reason)
        self.notification = notification
        self.reason = reason


def header_error(subcode: HeaderSubcode, data: bytes, reason: str) -> SessionError:
    return SessionError(Notification(ErrorCode.MESSAGE_HEADER, subcode, data), reason)


def open_error(subcode: OpenSubcode, reason: str, data: bytes = b"") -> SessionError:
    return SessionError(Notification(ErrorCode.OPEN_MESSAGE, subcode, data), reason)


@dataclass(frozen=True, slots=True)
class Cease:
    """A reason of ours to end a session (RFC 4486); ``message`` reaches the peer's operator (RFC 9003)."""

    subcode: CeaseSubcode = CeaseSubcode.ADMINISTRATIVE_SHUTDOWN
    message: str = ""

    def notification(self) -> Notification:
        if not self.message or self.subcode not in _COMMUNICATED:
            return Notification(ErrorCode.CEASE, self.subcode)
        # RFC 9003 2: at most 255 octets, and never half a character.
        octets = self.message.encode()[:255].decode("utf-8", "ignore").encode()
        return Notification(ErrorCode.CEASE, self.subcode, bytes([len(octets)]) + octets)
