"""Capabilities (RFC 5492), one row of a table each; what is not known or is malformed is kept as it came, for ``show``.

RFC 4760 (1), 2918 (2), 8950 (5), 8654 (6), 9234 (9), 4724 and 8538 (64), 6793 (65), 7911 (69), 7313 (70), 9494 (71),
draft-walton-bgp-hostname-capability (73), draft-abraitis-bgp-version-capability (75).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

from protocols.bgp.errors import OpenSubcode, open_error, printable
from protocols.bgp.family import family_name
from protocols.bgp.role import role_label
from protocols.cursor import Cursor, CursorError


class CapabilityCode(IntEnum):
    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    EXTENDED_NEXT_HOP = 5
    EXTENDED_MESSAGE = 6
    ROLE = 9
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65
    ADD_PATH = 69
    ENHANCED_ROUTE_REFRESH = 70
    LONG_LIVED_GRACEFUL_RESTART = 71
    FQDN = 73
    SOFTWARE_VERSION = 75


class AddPathMode(IntFlag):
    """RFC 7911 4: Send/Receive."""

    RECEIVE = 1
    SEND = 2


@dataclass(frozen=True, slots=True)
class Multiprotocol:
    afi: int
    safi: int


@dataclass(frozen=True, slots=True)
class RouteRefresh:
    pass


@dataclass(frozen=True, slots=True)
class ExtendedNextHop:
    entries: tuple[tuple[int, int, int], ...]
    """(AFI, SAFI, AFI of the next hop)"""


@dataclass(frozen=True, slots=True)
class ExtendedMessage:
    pass


@dataclass(frozen=True, slots=True)
class BgpRole:
    code: int
    """``role.Role``, or a number that is not assigned."""


@dataclass(frozen=True, slots=True)
class GracefulRestart:
    restarting: bool
    notification: bool
    """RFC 8538 2: the N bit."""
    restart_time: int
    families: tuple[tuple[int, int, bool], ...]
    """(AFI, SAFI, forwarding state kept)"""


@dataclass(frozen=True, slots=True)
class FourOctetAs:
    asn: int


@dataclass(frozen=True, slots=True)
class AddPath:
    entries: tuple[tuple[int, int, int], ...]
    """(AFI, SAFI, ``AddPathMode``)"""


@dataclass(frozen=True, slots=True)
class EnhancedRouteRefresh:
    pass


@dataclass(frozen=True, slots=True)
class LongLivedGracefulRestart:
    entries: tuple[tuple[int, int, bool, int], ...]
    """(AFI, SAFI, forwarding state kept, seconds)"""


@dataclass(frozen=True, slots=True)
class Fqdn:
    host: bytes
    domain: bytes


@dataclass(frozen=True, slots=True)
class SoftwareVersion:
    version: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not in the table, or (``malformed``) not what its document says: never acted on."""

    code: int
    value: bytes
    malformed: bool = False


Capability = (
    Multiprotocol | RouteRefresh | ExtendedNextHop | ExtendedMessage | BgpRole | GracefulRestart | FourOctetAs
    | AddPath | EnhancedRouteRefresh | LongLivedGracefulRestart | Fqdn | SoftwareVersion | Unknown
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    type: type[Any]
    decode: Callable[[Cursor], Capability]
    encode: Callable[[Any], bytes]
    value: Callable[[Any], object]
    """For ``show``, as JSON has it."""
    required: bool = False
    """The session's meaning rests on it: malformed, it ends the session (RFC 4271 6.2) instead of being set aside."""


def _u16(*numbers: int) -> bytes:
    return b"".join(n.to_bytes(2, "big") for n in numbers)


def _entries(body: Cursor, size: int) -> Iterable[Cursor]:
    while body:
        yield body.child(size)


def _decode_multiprotocol(body: Cursor) -> Multiprotocol:
    afi, _reserved, safi = body.u16(), body.u8(), body.u8()
    return Multiprotocol(afi, safi)


def _decode_extended_next_hop(body: Cursor) -> ExtendedNextHop:
    # RFC 8950 4: the SAFI takes two octets here.
    return ExtendedNextHop(tuple((e.u16(), e.u16(), e.u16()) for e in _entries(body, 6)))


def _decode_graceful_restart(body: Cursor) -> GracefulRestart:
    head = body.u16()
    families = tuple((e.u16(), e.u8(), bool(e.u8() & 0x80)) for e in _entries(body, 4))
    return GracefulRestart(bool(head & 0x8000), bool(head & 0x4000), head & 0x0FFF, families)


def _encode_graceful_restart(c: GracefulRestart) -> bytes:
    head = c.restarting << 15 | c.notification << 14 | c.restart_time
    return _u16(head) + b"".join(_u16(afi) + bytes([safi, kept << 7]) for afi, safi, kept in c.families)


def _decode_long_lived(body: Cursor) -> LongLivedGracefulRestart:
    # RFC 9494 3: the time takes 24 bits.
    return LongLivedGracefulRestart(
        tuple((e.u16(), e.u8(), bool(e.u8() & 0x80), e.u8() << 16 | e.u16()) for e in _entries(body, 7))
    )


def _encode_long_lived(c: LongLivedGracefulRestart) -> bytes:
    return b"".join(_u16(afi) + bytes([safi, kept << 7]) + t.to_bytes(3, "big") for afi, safi, kept, t in c.entries)


def _show_long_lived(c: LongLivedGracefulRestart) -> object:
    return {family_name(afi, safi): {"forwarding": kept, "time": seconds} for afi, safi, kept, seconds in c.entries}


def _decode_add_path(body: Cursor) -> AddPath:
    entries = tuple((e.u16(), e.u8(), e.u8()) for e in _entries(body, 4))
    if any(mode not in (1, 2, 3) for _, _, mode in entries):
        raise CursorError("of an unknown mode")  # RFC 7911 4: not understood then, and ignored
    return AddPath(entries)


def _decode_fqdn(body: Cursor) -> Fqdn:
    return Fqdn(body.take(body.u8()), body.take(body.u8()))


def _show_graceful_restart(c: GracefulRestart) -> object:
    families = {family_name(afi, safi): {"forwarding": kept} for afi, safi, kept in c.families}
    flags = {"restarting": c.restarting, "notification": c.notification}
    return {**flags, "restart_time": c.restart_time, "families": families}


def _nothing(_: object) -> bytes:
    return b""


def _no_value(_: object) -> None:
    return None


TABLE: Final[dict[int, _Spec]] = {
    CapabilityCode.MULTIPROTOCOL: _Spec(
        "multiprotocol", Multiprotocol, _decode_multiprotocol,
        lambda c: _u16(c.afi) + bytes([0, c.safi]), lambda c: family_name(c.afi, c.safi), required=True,
    ),
    CapabilityCode.ROUTE_REFRESH: _Spec("route-refresh", RouteRefresh, lambda _: RouteRefresh(), _nothing, _no_value),
    CapabilityCode.EXTENDED_NEXT_HOP: _Spec(
        "extended-next-hop", ExtendedNextHop, _decode_extended_next_hop,
        lambda c: b"".join(_u16(*e) for e in c.entries),
        lambda c: [[family_name(afi, safi), family_name(nh, 1).partition("-")[0]] for afi, safi, nh in c.entries],
    ),
    CapabilityCode.EXTENDED_MESSAGE: _Spec(
        "extended-message", ExtendedMessage, lambda _: ExtendedMessage(), _nothing, _no_value
    ),
    CapabilityCode.ROLE: _Spec(
        "role", BgpRole, lambda b: BgpRole(b.u8()), lambda c: bytes([c.code]), lambda c: role_label(c.code)
    ),
    CapabilityCode.GRACEFUL_RESTART: _Spec(
        "graceful-restart", GracefulRestart, _decode_graceful_restart, _encode_graceful_restart, _show_graceful_restart
    ),
    CapabilityCode.FOUR_OCTET_AS: _Spec(
        "four-octet-as", FourOctetAs, lambda b: FourOctetAs(b.u32()),
        lambda c: c.asn.to_bytes(4, "big"), lambda c: c.asn, required=True,
    ),
    CapabilityCode.ADD_PATH: _Spec(
        "add-path", AddPath, _decode_add_path, lambda c: b"".join(_u16(a) + bytes([s, m]) for a, s, m in c.entries),
        lambda c: {family_name(a, s): [f.name.lower() for f in AddPathMode if f.name and m & f]
                   for a, s, m in c.entries},
    ),
    CapabilityCode.ENHANCED_ROUTE_REFRESH: _Spec(
        "enhanced-route-refresh", EnhancedRouteRefresh, lambda _: EnhancedRouteRefresh(), _nothing, _no_value
    ),
    CapabilityCode.LONG_LIVED_GRACEFUL_RESTART: _Spec(
        "long-lived-graceful-restart", LongLivedGracefulRestart, _decode_long_lived, _encode_long_lived,
        _show_long_lived,
    ),
    CapabilityCode.FQDN: _Spec(
        "fqdn", Fqdn, _decode_fqdn,
        lambda c: bytes([len(c.host)]) + c.host + bytes([len(c.domain)]) + c.domain,
        lambda c: printable(c.host) + ("." + printable(c.domain) if c.domain else ""),
    ),
    CapabilityCode.SOFTWARE_VERSION: _Spec(
        "software-version", SoftwareVersion, lambda b: SoftwareVersion(b.take(b.u8())),
        lambda c: bytes([len(c.version)]) + c.version, lambda c: printable(c.version),
    ),
}  # fmt: skip
_CODES: Final = {spec.type: code for code, spec in TABLE.items()}


def code_of(capability: Capability) -> int:
    return capability.code if isinstance(capability, Unknown) else int(_CODES[type(capability)])


def decode_capability(code: int, value: bytes) -> Capability:
    spec = TABLE.get(code)
    if spec is None:
        return Unknown(code, value)
    body = Cursor(value)
    try:
        capability = spec.decode(body)
        body.finish()
    except CursorError as error:
        if spec.required:
            # RFC 4271 6.2: an optional parameter that is recognised but malformed is subcode 0.
            raise open_error(OpenSubcode.UNSPECIFIC, f"malformed capability {spec.name}: {error}") from None
        return Unknown(code, value, malformed=True)
    return capability


def decode_capabilities(body: Cursor) -> list[Capability]:
    """The value of one Capabilities optional parameter (RFC 5492 4)."""
    found = []
    while body:
        code = body.u8()
        found.append(decode_capability(code, body.take(body.u8())))
    return found


def encode_capability(capability: Capability) -> bytes:
    code = code_of(capability)
    value = capability.value if isinstance(capability, Unknown) else TABLE[code].encode(capability)
    return bytes([code, len(value)]) + value


def describe(capability: Capability) -> dict[str, Any]:
    if isinstance(capability, Unknown):
        known = TABLE.get(capability.code)
        name = f"{known.name} (malformed)" if known else f"capability-{capability.code}"
        return {"code": capability.code, "name": name, "value": capability.value.hex()}
    code = code_of(capability)
    return {"code": code, "name": TABLE[code].name, "value": TABLE[code].value(capability)}
