"""The scalars of the configuration from text to value, one function each, with the error a person reads.

Scalars come from YAML as text (`routingd.config.load`), so `0x10`, `on` and `1_000` mean nothing special here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import ClassVar, Final

MAX_ASN: Final = 4294967295
PEER_ASNS: Final = ("external", "internal")
SEND_HOLD_MIN: Final = 10
"""A box tells what TCP has taken within 5 seconds."""
AO_KEY_MAX: Final = 80
"""Linux TCP_AO_MAXKEYLEN."""
MD5_KEY_MAX: Final = 80
"""Linux TCP_MD5SIG_MAXKEYLEN."""


@dataclass(frozen=True, slots=True)
class LinkLocal:
    """An IPv6 address that means something on one port only."""

    host: IPv6Address
    port: str

    version: ClassVar[int] = 6

    def __str__(self) -> str:
        return f"{self.host}%{self.port}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a TCP port."""

    host: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


def _text(value: object, what: str) -> str:
    if value is None or value == "":
        raise ValueError(f"a value is missing: {what} belongs here")
    if isinstance(value, (dict, list, tuple)):
        raise ValueError(f"should be {what}, not a {'mapping' if isinstance(value, dict) else 'list'}")
    return str(value)


def number_within(low: int, high: int, what: str) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = _text(value, what)
        if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"'{text}' is not {what} ({low} to {high})")
        return int(text)

    return parse


def parse_asn(value: object) -> int:
    asn = number_within(1, MAX_ASN, "an AS number")(value)
    if asn == 23456:  # RFC 6793 3: AS_TRANS stands for others and is nobody's number
        raise ValueError("'23456' is AS_TRANS (RFC 6793), which no AS has: give the real AS number")
    return asn


def parse_peer_asn(value: object) -> int | str:
    return str(value) if value in PEER_ASNS else parse_asn(value)


def parse_hold_time(value: object) -> int:
    seconds = number_within(0, 65535, "a hold time in seconds")(value)
    if seconds in (1, 2):  # RFC 4271 4.2
        raise ValueError(f"'{seconds}' is not a hold time: 0 (no keepalives) or 3 to 65535 seconds (RFC 4271 4.2)")
    return seconds


def parse_sent_paths(value: object) -> int | str:
    return "all" if value == "all" else number_within(1, 254, "a number of paths, or all")(value)


def parse_grace(value: object) -> int | str:
    return "forever" if value == "forever" else number_within(1, 86400, "a number of seconds, or forever")(value)


def parse_send_hold_time(value: object) -> int:
    seconds = number_within(0, 65535, "a send hold time in seconds")(value)
    if 0 < seconds < SEND_HOLD_MIN:
        raise ValueError(f"'{seconds}' is not a send hold time: 0 (none) or {SEND_HOLD_MIN} to 65535 seconds")
    return seconds


def parse_address(value: object) -> IPv4Address | IPv6Address:
    text = _text(value, "an address")
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an IPv4 or IPv6 address") from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise ValueError(f"'{text}': an address with a port has no place here")
    return address


def parse_host(value: object) -> IPv4Address | IPv6Address:
    address = parse_address(value)
    if address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"):
        raise ValueError(f"'{address}' is not the address of a host")
    return address


def parse_neighbor(value: object) -> IPv4Address | IPv6Address | LinkLocal:
    host, zone, port = _text(value, "an address").partition("%")
    address = parse_host(host)
    local = isinstance(address, IPv6Address) and address.is_link_local
    if isinstance(address, IPv6Address) and local and zone:
        return LinkLocal(address, parse_port(port))
    if local:
        raise ValueError(f"'{address}' is link-local: write the port it is on behind it, like {address}%eth0")
    if zone:
        raise ValueError(f"'{address}' is not link-local, so no port belongs behind it")
    return address


def parse_router_id(value: object) -> IPv4Address:
    text = _text(value, "a router id")
    try:
        router_id = IPv4Address(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a router id (four octets, like 10.255.0.1)") from None
    if int(router_id) == 0:  # RFC 6286 2.1
        raise ValueError("'0.0.0.0' is not a router id: it must not be zero (RFC 6286)")
    return router_id


def parse_prefix(value: object) -> IPv4Network | IPv6Network:
    text = _text(value, "a prefix")
    if "/" not in text:
        raise ValueError(f"'{text}' is not a prefix: the length is missing, as in {text}/24")
    try:
        loose = ip_network(text, strict=False)
        interface = ip_interface(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an IPv4 or IPv6 prefix (like 203.0.113.0/24)") from None
    if not text.rpartition("/")[2].isdecimal():
        raise ValueError(f"'{text}' is not a prefix: write its length, {loose}")
    if interface.ip != loose.network_address:
        raise ValueError(f"'{text}' has bits set after its length: did you mean {loose}?")
    return loose


def parse_interface_address(value: object) -> IPv4Interface | IPv6Interface:
    text = _text(value, "an address with its length")
    host, slash, length = text.partition("/")
    if not slash or not length.isdecimal():
        raise ValueError(f"'{text}' is not an address with its length (like 192.0.2.1/24)")
    parse_host(host)
    try:
        return ip_interface(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an address with its length (like 192.0.2.1/24)") from None


def parse_endpoint(value: object) -> Endpoint:
    text = _text(value, "ADDRESS:PORT")
    match = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})", text, re.ASCII)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(f"'{text}' is not ADDRESS:PORT (like 0.0.0.0:7179 or [::]:7179)")
    try:
        host = IPv6Address(match["six"]) if match["six"] else IPv4Address(match["four"])
    except ValueError:
        raise ValueError(f"'{text}' is not ADDRESS:PORT (like 0.0.0.0:7179 or [::]:7179)") from None
    return Endpoint(host, int(match["port"]))


def parse_name(value: object) -> str:
    text = _text(value, "a name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text, re.ASCII):
        raise ValueError(
            f"'{text}' is not a name: letters, digits, '_', '.' and '-', at most 63, a letter or digit first"
        )
    return text


def parse_port(value: object) -> str:
    """A port of the router: NAME or NCP/NAME. Linux: at most 15 bytes, no blank, no slash, not . or .."""
    text = _text(value, "a port")
    ncp, slash, name = text.rpartition("/")
    if slash:
        parse_name(ncp)
    if not re.fullmatch(r"[^\s/:\x00-\x20\x7f]{1,15}", name) or len(name.encode()) > 15 or name in (".", ".."):
        raise ValueError(
            f"'{text}' is not a port: NCP/NAME or NAME, where NAME is a Linux interface name of at most 15 bytes"
        )
    return text


def parse_device(value: object) -> str:
    text = parse_port(value)
    if "/" in text:
        raise ValueError(
            f"'{text}': the name alone belongs here, {text.rpartition('/')[2]}: the NCP is known from the key"
        )
    return text


def parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value, "true or false")
    if text not in ("true", "false"):
        raise ValueError(f"'{text}' is not true or false")
    return text == "true"


def parse_text(value: object) -> str:
    text = "" if value is None else _text(value, "text") if value != "" else ""
    if len(text) > 255 or not text.isprintable():
        raise ValueError("should be one line of at most 255 printable characters")
    return text


def parse_path(value: object) -> str:
    text = _text(value, "a file name")
    if "\0" in text or len(text.encode()) > 4095:
        raise ValueError("is not a file name")
    return text


def parse_ao_key(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("should be the TCP-AO key, as text in quotes")
    if len(value.encode()) > AO_KEY_MAX:
        raise ValueError(f"the TCP-AO key is too long: the kernel takes at most {AO_KEY_MAX} bytes")
    return value


def parse_password(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("should be the TCP MD5 key, as text in quotes")
    if len(value.encode()) > MD5_KEY_MAX or "\0" in value:
        raise ValueError(f"the TCP MD5 key is too long: the kernel takes at most {MD5_KEY_MAX} bytes (RFC 2385)")
    return value


def parse_accept(value: object) -> str | None:
    if value is None or value == "accept":
        return None if value is None else "accept"
    text = _text(value, "accept")
    raise ValueError(
        f"'{text}' names a policy, and this version has no policies yet: "
        "write accept, or leave it out and nothing passes (RFC 8212)"
    )


def one_of(*words: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = _text(value, " or ".join(words))
        if text not in words:
            raise ValueError(f"'{text}' is not one of {', '.join(words)}")
        return text

    return parse
