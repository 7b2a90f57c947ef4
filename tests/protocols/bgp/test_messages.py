"""Golden bytes: as RFCs draw them, as routers sent them (tcpdump's test captures) and as ExaBGP makes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bgp.capabilities import (
    AddPath,
    BgpRole,
    Capability,
    CapabilityCode,
    EnhancedRouteRefresh,
    ExtendedMessage,
    ExtendedNextHop,
    FourOctetAs,
    Fqdn,
    GracefulRestart,
    LongLivedGracefulRestart,
    Multiprotocol,
    RouteRefresh,
    SoftwareVersion,
    Unknown,
)
from protocols.bgp.errors import Notification, SessionError
from protocols.bgp.messages import (
    KEEPALIVE,
    MAX_MESSAGE,
    MessageType,
    Open,
    RouteRefreshMessage,
    decode_notification,
    decode_open,
    decode_route_refresh,
    encode_message,
    encode_notification,
    encode_open,
)

V4, V6 = Multiprotocol(1, 1), Multiprotocol(2, 1)


def message(text: str) -> bytes:
    """Header and body, the marker left out of the text."""
    whole = b"\xff" * 16 + bytes.fromhex(text)
    assert int.from_bytes(whole[16:18], "big") == len(whole)
    return whole


# All capabilities in one optional parameter, as we write them too.
ONE_PARAMETER: dict[str, tuple[str, Open]] = {
    "two-octet AS, add-path": (
        "002b 01 04 00c8 00b4 00000201 0e 020c 0104 0001 00 01 4504 0001 01 01",
        Open(200, 180, bytes([0, 0, 2, 1]), (V4, AddPath(((1, 1, 1),)))),
    ),
    "four-octet AS behind AS_TRANS, restarting": (
        "0037 01 04 5ba0 00b4 00000101 1a 0218 0104 0001 00 01 0200 4002 c12c 4104 a4c46652 4504 0001 01 01",
        Open(
            23456, 180, bytes([0, 0, 1, 1]),
            (V4, RouteRefresh(), GracefulRestart(True, True, 300, ()), FourOctetAs(2764334674), AddPath(((1, 1, 1),))),
        ),
    ),
    "two families": (
        "0041 01 04 0064 0e10 00000001 24 0222 0104 0001 00 01 0104 0002 00 01 0200 4002 c12c 4104 00000064"
        " 4508 0001 01 01 0002 01 01",
        Open(
            100, 3600, bytes([0, 0, 0, 1]),
            (V4, V6, RouteRefresh(), GracefulRestart(True, True, 300, ()), FourOctetAs(100),
             AddPath(((1, 1, 1), (2, 1, 1)))),
        ),
    ),
    "multiple labels, which we do not know": (
        "0047 01 04 0064 00b4 00000001 2a 0228 4002 812c 0804 00010407 0200 0104 0001 00 01 0104 0001 00 04"
        " 4104 00000064 4508 0001 01 01 0001 04 01",
        Open(
            100, 180, bytes([0, 0, 0, 1]),
            (GracefulRestart(True, False, 300, ()), Unknown(8, bytes.fromhex("00010407")), RouteRefresh(), V4,
             Multiprotocol(1, 4), FourOctetAs(100), AddPath(((1, 1, 1), (1, 4, 1)))),
        ),
    ),
    "no optional parameter": (
        "001d 01 04 fde9 0000 0a000001 00",
        Open(65001, 0, bytes([10, 0, 0, 1])),
    ),
}  # fmt: skip

# One parameter for each capability.
MANY_PARAMETERS: dict[str, tuple[str, Open]] = {
    "FRRouting": (
        "005f 01 04 fde9 00b4 c0a80a44 42 0206 0104 0001 00 01 0202 8000 0202 0200 0202 4600 0206 4104 0000fde9"
        " 0202 0600 0206 4504 0001 01 01 0212 4910 0e 65786974312d64656269616e2d39 00 0204 4002 0078",
        Open(
            65001, 180, bytes([192, 168, 10, 68]),
            (V4, Unknown(128, b""), RouteRefresh(), EnhancedRouteRefresh(), FourOctetAs(65001), ExtendedMessage(),
             AddPath(((1, 1, 1),)), Fqdn(b"exit1-debian-9", b""), GracefulRestart(False, False, 120, ())),
        ),
    ),
    "FRRouting with a role and long-lived graceful restart": (
        "006b 01 04 fdea 00b4 c0a80a11 4e 0206 0104 0001 00 01 0202 8000 0202 0200 0202 4600 0206 4104 0000fdea"
        " 0202 0600 0203 0901 03 0206 4504 0001 01 01 020e 490c 0a 646f6e617461732d7063 00 0204 4002 4078"
        " 0209 4707 00010180000000",
        Open(
            65002, 180, bytes([192, 168, 10, 17]),
            (V4, Unknown(128, b""), RouteRefresh(), EnhancedRouteRefresh(), FourOctetAs(65002), ExtendedMessage(),
             BgpRole(3), AddPath(((1, 1, 1),)), Fqdn(b"donatas-pc", b""),
             GracefulRestart(False, True, 120, ()), LongLivedGracefulRestart(((1, 1, True, 0),))),
        ),
    ),
    "ExaBGP with a host name": (
        "0055 01 04 fffd 00b4 0a000002 38 0206 0104 0001 00 01 0206 4104 0000fffd 0202 0600"
        " 0222 4920 0c 6d792d686f73742d6e616d65 12 6d792d646f6d61696e2d6e616d652e636f6d",
        Open(
            65533, 180, bytes([10, 0, 0, 2]),
            (V4, FourOctetAs(65533), ExtendedMessage(), Fqdn(b"my-host-name", b"my-domain-name.com")),
        ),
    ),
    "ExaBGP with its version": (
        "0049 01 04 fffd 00b4 0a000002 2c 0206 0104 0001 00 01 0206 4104 0000fffd 0202 0600"
        " 0216 4b14 13 4578614247502f352e302e302d302b74657374",
        Open(
            65533, 180, bytes([10, 0, 0, 2]),
            (V4, FourOctetAs(65533), ExtendedMessage(), SoftwareVersion(b"ExaBGP/5.0.0-0+test")),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), ONE_PARAMETER.values(), ids=ONE_PARAMETER.keys())
def test_an_open_is_read_and_written_as_routers_do(text: str, value: Open) -> None:
    assert decode_open(message(text)[19:]) == value
    assert value.encode() == message(text)


@pytest.mark.parametrize(("text", "value"), MANY_PARAMETERS.values(), ids=MANY_PARAMETERS.keys())
def test_capabilities_may_be_spread_over_many_parameters(text: str, value: Open) -> None:
    assert decode_open(message(text)[19:]) == value


def test_an_open_in_the_long_form_is_read() -> None:
    # RFC 9072 2: length and first type 255, then lengths of two octets; the short length may say anything but 0.
    for short in ("ff", "09"):
        text = f"002b 01 04 fde9 00b4 0a000001 {short} ff 000b 02 0008 4104 0000fde9 0200"
        assert decode_open(message(text)[19:]).capabilities == (FourOctetAs(65001), RouteRefresh())


def test_capabilities_that_do_not_fit_255_octets_are_written_in_the_long_form() -> None:
    many = tuple(Unknown(200 + i, bytes(60)) for i in range(5))
    long = Open(65001, 90, bytes([10, 0, 0, 1]), many).encode()
    assert long[28:35] == bytes.fromhex("ff ff 0139 02 0136")
    assert decode_open(long[19:]).capabilities == many


def test_as_trans_stands_for_an_as_number_of_four_octets() -> None:
    data = encode_open(local_asn=4200000000, hold_time=90, router_id=bytes(4), capabilities=[FourOctetAs(4200000000)])
    assert (decode_open(data[19:]).asn, decode_open(data[19:]).capabilities) == (23456, (FourOctetAs(4200000000),))


def test_a_keepalive_is_a_bare_header() -> None:
    assert message("0013 04") == KEEPALIVE


BAD_OPENS: dict[str, tuple[str, tuple[int, int, bytes]]] = {
    "version 3": ("03 fde9 00b4 0a000001 00", (2, 1, b"\x00\x04")),
    "too short": ("04 fde9 00b4 0a0000", (1, 2, b"\x00\x1b")),
    "empty": ("", (1, 2, b"\x00\x13")),
    "parameter longer than the parameters": ("04 fde9 00b4 0a000001 04 0203 0200", (2, 0, b"")),
    "parameters longer than the message": ("04 fde9 00b4 0a000001 05 0202 0200", (2, 0, b"")),
    "octets after the parameters": ("04 fde9 00b4 0a000001 04 0202 0200 00", (2, 0, b"")),
    "half a capability": ("04 fde9 00b4 0a000001 03 0201 02", (2, 0, b"")),
    "capability longer than its parameter": ("04 fde9 00b4 0a000001 05 0203 4104 00", (2, 0, b"")),
    "authentication, RFC 1771's parameter": ("04 fde9 00b4 0a000001 03 0101 00", (2, 4, b"")),
    "four-octet AS of three": ("04 fde9 00b4 0a000001 07 0205 4103 00fde9", (2, 0, b"")),
    "multiprotocol of five": ("04 fde9 00b4 0a000001 09 0207 0105 00010001 00", (2, 0, b"")),
    "long form cut short": ("04 fde9 00b4 0a000001 ff ff 0004 02 0006 4104", (2, 0, b"")),
}


@pytest.mark.parametrize(("text", "notification"), BAD_OPENS.values(), ids=BAD_OPENS.keys())
def test_a_bad_open_is_answered_as_the_rfc_says(text: str, notification: tuple[int, int, bytes]) -> None:
    with pytest.raises(SessionError) as raised:
        decode_open(bytes.fromhex(text))
    assert raised.value.notification == Notification(*notification)


@given(st.binary(max_size=300))
def test_no_open_does_worse_than_a_session_error(octets: bytes) -> None:
    for content in (octets, b"\x04" + octets, bytes.fromhex("04fde900b40a000001") + octets):
        answer = None
        try:
            decode_open(content)
        except SessionError as error:
            answer = (error.notification.code, error.notification.subcode)
        assert answer in {None, (1, 2), (2, 0), (2, 1), (2, 4)}


u8, u16, u32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)
several = st.lists(st.tuples(u16, u8, st.integers(1, 3)), max_size=10).map(tuple)
KNOWN = {int(code) for code in CapabilityCode}
capabilities: st.SearchStrategy[Capability] = st.one_of(
    st.builds(Multiprotocol, u16, u8),
    st.builds(RouteRefresh),
    st.builds(ExtendedNextHop, st.lists(st.tuples(u16, u16, u16), max_size=8).map(tuple)),
    st.builds(ExtendedMessage),
    st.builds(BgpRole, u8),
    st.builds(
        GracefulRestart, st.booleans(), st.booleans(), st.integers(0, 4095),
        st.lists(st.tuples(u16, u8, st.booleans()), max_size=8).map(tuple),
    ),
    st.builds(FourOctetAs, u32),
    st.builds(AddPath, several),
    st.builds(EnhancedRouteRefresh),
    st.builds(
        LongLivedGracefulRestart,
        st.lists(st.tuples(u16, u8, st.booleans(), st.integers(0, 2**24 - 1)), max_size=8).map(tuple),
    ),
    st.builds(Fqdn, st.binary(max_size=64), st.binary(max_size=64)),
    st.builds(SoftwareVersion, st.binary(max_size=64)),
    st.builds(Unknown, u8.filter(lambda code: code not in KNOWN), st.binary(max_size=255)),
)  # fmt: skip


@given(u16, u16, st.binary(min_size=4, max_size=4), st.lists(capabilities, max_size=12).map(tuple))
def test_every_open_reads_back_as_it_was_written(
    asn: int, hold_time: int, router_id: bytes, offered: tuple[Capability, ...]
) -> None:
    value = Open(asn, hold_time, router_id, offered)
    assert decode_open(value.encode()[19:]) == value


@pytest.mark.parametrize(
    "value",
    [
        "4601 00",
        "0900",
        "0902 0000",
        "0601 00",
        "4003 0078 00",
        "4505 00010101 00",
        "4504 00010104",
        "4508 00010103 00020100",
        "4903 05 61 62",
        "4b02 05 61",
    ],
)
def test_a_malformed_capability_that_nothing_rests_on_is_set_aside(value: str) -> None:
    octets = bytes.fromhex(value)
    parameter = bytes([2, len(octets)]) + octets
    opened = decode_open(bytes.fromhex("04fde900b40a000001") + bytes([len(parameter)]) + parameter)
    assert opened.capabilities == (Unknown(octets[0], octets[2:], malformed=True),)


NOTIFICATIONS: dict[str, tuple[str, Notification, str]] = {
    "other configuration change": ("0015 03 06 06", Notification(6, 6), "cease: other configuration change (6/6)"),
    "BFD down": ("0015 03 06 0a", Notification(6, 10), "cease: bfd down (6/10)"),
    "administrative reset, said": (
        "0020 03 06 04 0a 30313233343536373839",
        Notification(6, 4, b"\x0a0123456789"),
        "cease: administrative reset (6/4): 0123456789",
    ),
    "administrative reset, nothing said": (
        "0016 03 06 04 00", Notification(6, 4, b"\x00"), "cease: administrative reset (6/4)"
    ),
    "administrative reset, more promised than there": (
        "0020 03 06 04 40 30313233343536373839",
        Notification(6, 4, b"\x400123456789"),
        "cease: administrative reset (6/4): 0123456789 (truncated: 10 of 64 octets)",
    ),
    "hard reset": (
        "0017 03 06 09 06 03", Notification(6, 9, b"\x06\x03"), "cease: hard reset (6/9): cease: peer deconfigured"
    ),
    "hard reset without what it wraps": ("0015 03 06 09", Notification(6, 9), "cease: hard reset (6/9)"),
    "hold timer": ("0015 03 04 00", Notification(4, 0), "hold timer expired (4/0)"),
    "unexpected UPDATE": (
        "0016 03 05 02 02",
        Notification(5, 2, b"\x02"),
        "finite state machine: unexpected in open confirm (5/2): data 02",
    ),
    "a code nobody assigned": ("0015 03 63 07", Notification(99, 7), "error 99/7 (99/7)"),
    "a subcode nobody assigned": ("0015 03 02 63", Notification(2, 99), "open message error: subcode 99 (2/99)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value", "shown"), NOTIFICATIONS.values(), ids=NOTIFICATIONS.keys())
def test_a_notification_is_read_written_and_named(text: str, value: Notification, shown: str) -> None:
    assert decode_notification(message(text)[19:]) == value
    assert encode_notification(value) == message(text)
    assert str(value) == shown


@pytest.mark.parametrize("content", [b"", b"\x06"])
def test_a_notification_without_a_code_cannot_be_read(content: bytes) -> None:
    assert decode_notification(content) is None


def test_a_peer_cannot_write_escape_sequences_to_a_terminal() -> None:
    assert Notification(6, 2, b"\x08\x1b[2Jown\n").text == "\\x1b[2Jown\\n"
    assert Notification(6, 2, b"\x03\xff\xfea").text == "\\xff\\xfea"


@given(u8, u8, st.binary(max_size=5000))
def test_every_notification_can_be_shown_and_fits_a_message(code: int, subcode: int, data: bytes) -> None:
    value = Notification(code, subcode, data)
    assert all(c.isprintable() for c in str(value))
    assert len(encode_notification(value)) <= MAX_MESSAGE


def test_a_hard_reset_in_a_hard_reset_is_not_followed() -> None:
    assert Notification(6, 9, b"\x06\x09" * 2000).text == "cease: hard reset"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0017 05 0001 00 01", RouteRefreshMessage(1, 1, 0)),
        ("0017 05 0001 01 01", RouteRefreshMessage(1, 1, 1)),
        ("0017 05 0001 02 01", RouteRefreshMessage(1, 1, 2)),
    ],
)
def test_a_route_refresh_is_read_and_written(text: str, value: RouteRefreshMessage) -> None:
    assert decode_route_refresh(message(text)[19:]) == value
    assert value.encode() == message(text)


@pytest.mark.parametrize(
    ("content", "notification"),
    [
        ("0001", Notification(1, 2, b"\x00\x15")),
        ("0001 00 01 02 4000 01c0", Notification(1, 2, b"\x00\x1c")),
        ("0001 01 01 00", Notification(7, 1, encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex("0001010100")))),
        ("0001 02", Notification(7, 1, encode_message(MessageType.ROUTE_REFRESH, bytes.fromhex("000102")))),
    ],
)
def test_a_route_refresh_of_wrong_length_is_answered_as_the_rfc_says(content: str, notification: Notification) -> None:
    octets = bytes.fromhex(content)
    with pytest.raises(SessionError) as raised:
        decode_route_refresh(octets)
    assert raised.value.notification == notification
