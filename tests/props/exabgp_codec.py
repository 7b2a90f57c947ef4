"""ExaBGP's reading of an UPDATE, as rows of attributes: an implementation that shares nothing with ours."""

from __future__ import annotations

import re
from typing import Any

import exabgp.configuration.configuration  # noqa: F401  registers the codecs in the order that they need
from exabgp.bgp.message import Update
from exabgp.bgp.message.direction import Direction
from exabgp.bgp.message.open.asn import ASN
from exabgp.bgp.message.open.capability.negotiated import Negotiated
from exabgp.bgp.neighbor import Neighbor
from exabgp.logger import log
from exabgp.protocol.family import AFI, SAFI

from tests.props.update_bytes import ORIGINS

log.silence()
HEADER = 19
# Its own way to write segments: ( sequence ) [ set ] {( confederation sequence )} {[ confederation set ]}
SEGMENTS = re.compile(r"\{\(([\d ]+)\)\}|\{\[([\d ]+)\]\}|\(([\d ]+)\)|\[([\d ]+)\]")
WRITTEN = ("({})", "[{}]", "{}", "{{{}}}")


def negotiated(local_asn: int, peer_asn: int) -> Any:
    terms = Negotiated(Neighbor())
    terms.asn4 = True
    terms.nexthop = [(AFI.ipv4, SAFI.unicast, AFI.ipv6)]  # RFC 8950
    terms.aigp = True
    terms.local_as, terms.peer_as = ASN(local_asn), ASN(peer_asn)
    terms.families = [(AFI.ipv4, SAFI.unicast), (AFI.ipv6, SAFI.unicast)]
    return terms


def read(message: bytes, *, local_asn: int, peer_asn: int) -> dict[tuple[str, str], dict[str, Any] | None]:
    """{(prefix, next hop): attributes without next hop}; None and no next hop for what is withdrawn."""
    update = Update.unpack_message(message[HEADER:], Direction.IN, negotiated(local_asn, peer_asn))
    row = attributes(update.attributes)
    return {
        (str(nlri.cidr), str(nlri.nexthop) if announced else ""): row if announced else None
        for nlri in update.nlris
        for announced in [str(nlri.action).strip() == "announce" or nlri.action == 1]
    }


def attributes(parsed: Any) -> dict[str, Any]:
    def texts(code: int) -> list[str]:
        return [str(value) for value in parsed[code].communities] if code in parsed else []

    return {
        "origin": ORIGINS[parsed[1].origin] if 1 in parsed else None,
        "as_path": as_path(str(parsed[2])) if 2 in parsed else "",  # it keeps no empty one
        "med": parsed[4].med if 4 in parsed else None,
        "local_pref": parsed[5].localpref if 5 in parsed else None,
        "atomic_aggregate": 6 in parsed,
        "aggregator": f"{int(parsed[7].asn)} {parsed[7].speaker}" if 7 in parsed else None,
        "communities": sorted(numbers(parsed[8].pack(None), 2, 2)) if 8 in parsed else [],
        "originator_id": str(parsed[9]) if 9 in parsed else None,
        "cluster_list": [str(cluster) for cluster in parsed[10].clusters] if 10 in parsed else [],
        "extended_communities": sorted(chunk.hex() for chunk in chunks(parsed[16].pack(None), 8))
        if 16 in parsed
        else [],
        "large_communities": sorted(texts(32)),
        "aigp": int.from_bytes(parsed[26].aigp[-8:], "big") if 26 in parsed else None,
    }


def as_path(text: str) -> str:
    parts = []
    for found in SEGMENTS.finditer(text):
        index = next(i for i, part in enumerate(found.groups()) if part is not None)
        asns = found.group(index + 1).split()
        parts.append(WRITTEN[index].format(("," if index == 3 else " ").join(asns)))
    return " ".join(parts)


def chunks(packed: bytes, size: int) -> list[bytes]:
    """The values of a packed attribute whose length is a multiple of ``size``, without its header."""
    value = packed[4:] if packed[0] & 0x10 else packed[3:]
    return [value[i : i + size] for i in range(0, len(value), size)]


def numbers(packed: bytes, count: int, width: int) -> list[str]:
    return [
        ":".join(str(int.from_bytes(chunk[i * width : (i + 1) * width], "big")) for i in range(count))
        for chunk in chunks(packed, count * width)
    ]
