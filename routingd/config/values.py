"""The scalar types of the configuration, as models name them: how each is read (``scalars``), what it looks like."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from routingd.config.scalars import (
    AO_KEY_MAX,
    MAX_ASN,
    MD5_KEY_MAX,
    PEER_ASNS,
    SEND_HOLD_MIN,
    Endpoint,
    LinkLocal,
    number_within,
    one_of,
    parse_accept,
    parse_ao_key,
    parse_asn,
    parse_device,
    parse_endpoint,
    parse_flag,
    parse_grace,
    parse_hold_time,
    parse_host,
    parse_interface_address,
    parse_name,
    parse_neighbor,
    parse_password,
    parse_path,
    parse_peer_asn,
    parse_port,
    parse_prefix,
    parse_router_id,
    parse_send_hold_time,
    parse_sent_paths,
    parse_text,
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a value looks like, in words, for docs/configuration.md."""

    words: str


def _schema(words: str, **schema: Any) -> tuple[WithJsonSchema, Form]:
    return WithJsonSchema(schema), Form(words)


_TEXT: Final = PlainSerializer(str, return_type=str)

_ASN = _schema("AS number, 1 to 4294967295", type="integer", minimum=1, maximum=MAX_ASN)
_TCP = _schema("TCP port, 1 to 65535", type="integer", minimum=1, maximum=65535)
_HOLD = _schema("seconds, 0 or 3 to 65535", type="integer", minimum=0, maximum=65535)
_U32 = _schema("number, 0 to 4294967295", type="integer", minimum=0, maximum=0xFFFFFFFF)
_METRIC = _schema("number, 1 to 4294967295", type="integer", minimum=1, maximum=0xFFFFFFFF)
_OCTET = _schema("number, 1 to 255", type="integer", minimum=1, maximum=255)
_PROTOCOL = _schema("number, 5 to 255", type="integer", minimum=5, maximum=255)
_WEIGHT = _schema("number, 1 to 65535", type="integer", minimum=1, maximum=65535)
_PATH_WEIGHT = _schema("number, 0 to 65535", type="integer", minimum=0, maximum=65535)
_COUNT = _schema("number, 1 to 65535", type="integer", minimum=1, maximum=65535)
_PATHS = _schema("number, 1 to 64", type="integer", minimum=1, maximum=64)
_PERCENT = _schema("per cent, 1 to 100", type="integer", minimum=1, maximum=100)
_PAUSE = _schema("seconds, 1 to 86400", type="integer", minimum=1, maximum=86400)

Asn = Annotated[int, PlainValidator(parse_asn), *_ASN]
PeerAsn = Annotated[
    int | str,
    PlainValidator(parse_peer_asn),
    *_schema(
        "AS number, `external`, `internal`",
        anyOf=[{"type": "integer", "minimum": 1, "maximum": MAX_ASN}, {"enum": list(PEER_ASNS)}],
    ),
]
TcpPort = Annotated[int, PlainValidator(number_within(1, 65535, "a TCP port")), *_TCP]
HoldTime = Annotated[int, PlainValidator(parse_hold_time), *_HOLD]
RestartTime = Annotated[
    int,
    PlainValidator(number_within(1, 4095, "a restart time in seconds")),
    *_schema("seconds, 1 to 4095", type="integer", minimum=1, maximum=4095),
]
LongLivedTime = Annotated[
    int,
    PlainValidator(number_within(0, 0xFFFFFF, "a time in seconds")),
    *_schema("seconds, 0 to 16777215", type="integer", minimum=0, maximum=0xFFFFFF),
]
Deferral = Annotated[
    int,
    PlainValidator(number_within(1, 3600, "a time in seconds")),
    *_schema("seconds, 1 to 3600", type="integer", minimum=1, maximum=3600),
]
SendHoldTime = Annotated[
    int,
    PlainValidator(parse_send_hold_time),
    *_schema(f"0 or {SEND_HOLD_MIN} to 65535 seconds", type="integer", minimum=0, maximum=65535),
]
DelayOpen = Annotated[
    int,
    PlainValidator(number_within(0, 240, "a number of seconds")),
    *_schema("seconds, 0 to 240", type="integer", minimum=0, maximum=240),
]
Grace = Annotated[
    int | str,
    PlainValidator(parse_grace),
    *_schema(
        "seconds, 1 to 86400, or forever",
        anyOf=[{"type": "integer", "minimum": 1, "maximum": 86400}, {"const": "forever"}],
    ),
]
WITHOUT_CONTROLLER: Final = ("remove-routes", "isolate")
WithoutControllerThen = Annotated[
    str,
    PlainValidator(one_of(*WITHOUT_CONTROLLER)),
    *_schema(", ".join(WITHOUT_CONTROLLER), enum=list(WITHOUT_CONTROLLER)),
]
Uint32 = Annotated[int, PlainValidator(number_within(0, 0xFFFFFFFF, "a number in range")), *_U32]
KernelTable = Annotated[int, PlainValidator(number_within(1, 0xFFFFFFFF, "a kernel table")), *_METRIC]
KernelProtocol = Annotated[int, PlainValidator(number_within(5, 255, "a kernel route protocol of ours")), *_PROTOCOL]
KernelMetric = Annotated[int, PlainValidator(number_within(1, 0xFFFFFFFF, "a kernel metric")), *_METRIC]
Distance = Annotated[int, PlainValidator(number_within(1, 255, "an administrative distance")), *_OCTET]
Hops = Annotated[int, PlainValidator(number_within(1, 255, "a number of hops")), *_OCTET]
Weight = Annotated[int, PlainValidator(number_within(1, 65535, "a weight")), *_WEIGHT]
PathWeight = Annotated[int, PlainValidator(number_within(0, 65535, "a weight")), *_PATH_WEIGHT]
NeighborCount = Annotated[int, PlainValidator(number_within(1, 65535, "a number of neighbors")), *_COUNT]
Percent = Annotated[int, PlainValidator(number_within(1, 100, "a percentage")), *_PERCENT]
Prefixes = Annotated[int, PlainValidator(number_within(1, 0xFFFFFFFF, "a number of prefixes")), *_METRIC]
Pause = Annotated[int, PlainValidator(number_within(1, 86400, "a number of seconds")), *_PAUSE]
Paths = Annotated[int, PlainValidator(number_within(1, 64, "a number of paths")), *_PATHS]
OwnAs = Annotated[
    int,
    PlainValidator(number_within(0, 10, "a number")),
    *_schema("number, 0 to 10", type="integer", minimum=0, maximum=10),
]
PathLength = Annotated[int, PlainValidator(number_within(1, 65535, "a length")), *_WEIGHT]
Octets = Annotated[int, PlainValidator(number_within(1, 65535, "a number of octets")), *_WEIGHT]
SentPaths = Annotated[
    int | str,
    PlainValidator(parse_sent_paths),
    *_schema("number, 1 to 254, or all", anyOf=[{"type": "integer", "minimum": 1, "maximum": 254}, {"const": "all"}]),
]
Flag = Annotated[bool, PlainValidator(parse_flag), *_schema("true or false", type="boolean")]
RouterId = Annotated[
    IPv4Address,
    PlainValidator(parse_router_id),
    _TEXT,
    *_schema("router id, four octets", type="string", format="ipv4"),
]
Address = Annotated[
    IPv4Address | IPv6Address, PlainValidator(parse_host), _TEXT, *_schema("IPv4 or IPv6 address", type="string")
]
NeighborAddress = Annotated[
    IPv4Address | IPv6Address | LinkLocal,
    PlainValidator(parse_neighbor),
    _TEXT,
    *_schema("IPv4 or IPv6 address; link-local: ADDRESS%PORT", type="string"),
]
InterfaceAddress = Annotated[
    IPv4Interface | IPv6Interface,
    PlainValidator(parse_interface_address),
    _TEXT,
    *_schema("address with its length", type="string", pattern=r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$"),
]
Prefix = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(parse_prefix),
    _TEXT,
    *_schema("prefix", type="string", pattern=r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$"),
]
ListenAddress = Annotated[Endpoint, PlainValidator(parse_endpoint), _TEXT, *_schema("ADDRESS:PORT", type="string")]
Name = Annotated[
    str, PlainValidator(parse_name), *_schema("name", type="string", pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")
]
PortName = Annotated[
    str, PlainValidator(parse_port), *_schema("port: NCP/NAME, or NAME where there is one NCP", type="string")
]
DeviceName = Annotated[str, PlainValidator(parse_device), *_schema("interface name", type="string", maxLength=15)]
Line = Annotated[str, PlainValidator(parse_text), *_schema("text", type="string", maxLength=255)]
FileName = Annotated[
    str, PlainValidator(parse_path), *_schema("file, relative to the configuration's directory", type="string")
]
SocketName = Annotated[str, PlainValidator(parse_path), *_schema("file, relative to the run directory", type="string")]
AO_ALGORITHMS: Final = ("hmac-sha-1-96", "aes-128-cmac-96")
"""RFC 5926 2.2, in words of ours for the names there."""
AoAlgorithm = Annotated[
    str, PlainValidator(one_of(*AO_ALGORITHMS)), *_schema(", ".join(AO_ALGORITHMS), enum=list(AO_ALGORITHMS))
]
AoKeyId = Annotated[
    int,
    PlainValidator(number_within(0, 255, "a key id")),
    *_schema("number, 0 to 255", type="integer", minimum=0, maximum=255),
]
AoSecret = Annotated[str, PlainValidator(parse_ao_key), *_schema("text", type="string", maxLength=AO_KEY_MAX)]
Password = Annotated[str, PlainValidator(parse_password), *_schema("text", type="string", maxLength=MD5_KEY_MAX)]
Accept = Annotated[str | None, PlainValidator(parse_accept), *_schema("`accept` or nothing", enum=["accept", None])]
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LogLevel = Annotated[str, PlainValidator(one_of(*LOG_LEVELS)), *_schema(", ".join(LOG_LEVELS), enum=list(LOG_LEVELS))]
EngineName = Annotated[
    str, PlainValidator(one_of("native", "reference")), *_schema("native, reference", enum=["native", "reference"])
]
Advertise = Annotated[
    str,
    PlainValidator(one_of("installed", "immediately")),
    *_schema("installed, immediately", enum=["installed", "immediately"]),
]
LogFormat = Annotated[str, PlainValidator(one_of("text", "json")), *_schema("text, json", enum=["text", "json"])]
PrivateAs = Annotated[
    str, PlainValidator(one_of("remove", "replace")), *_schema("remove, replace", enum=["remove", "replace"])
]
REDISTRIBUTED: Final = ("connected", "static")
BGP_ROLES: Final = ("provider", "customer", "peer", "rs-server", "rs-client")
BgpRole = Annotated[str, PlainValidator(one_of(*BGP_ROLES)), *_schema(", ".join(BGP_ROLES), enum=list(BGP_ROLES))]
RESTARTS: Final = ("off", "helper", "on")
GracefulRestart = Annotated[str, PlainValidator(one_of(*RESTARTS)), *_schema(", ".join(RESTARTS), enum=list(RESTARTS))]
Redistributed = Annotated[
    str, PlainValidator(one_of(*REDISTRIBUTED)), *_schema(", ".join(REDISTRIBUTED), enum=list(REDISTRIBUTED))
]
ON_LIMIT: Final = ("warn", "restart", "idle")
OnLimit = Annotated[str, PlainValidator(one_of(*ON_LIMIT)), *_schema(", ".join(ON_LIMIT), enum=list(ON_LIMIT))]
Family = Annotated[
    str,
    PlainValidator(one_of("ipv4-unicast", "ipv6-unicast")),
    *_schema("ipv4-unicast, ipv6-unicast", enum=["ipv4-unicast", "ipv6-unicast"]),
]
