"""Recorded BGP sessions: MRT BGP4MP and BGP4MP_ET records (RFC 6396 4.4, RFC 8050) to messages, and bgpdump's reading
of them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from tests.lab.attributes import Attributes, Route, communities
from tests.lab.lab import PROJECT
from tests.lab.updates import HEADER, UPDATE, is_end_of_rib

DATA = PROJECT.parent / "shared" / "data"
FULL_TABLE = DATA / "bgp" / "full-table-2015.mrt.gz"
FULL_TABLE_EXPECTED = DATA / "bgp" / "full-table-2015.expected.txt.gz"
BGP4MP, BGP4MP_ET = 16, 17
MESSAGE_SUBTYPES = {1: 2, 4: 4, 6: 2, 7: 4}
"""Subtype: octets of an AS number in its header (and, for the peer's messages, in AS_PATH)."""


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def records(path: Path) -> Iterator[tuple[int, bytes]]:
    """(octets of an AS number, BGP message with its header) of each BGP message record."""
    with _open(path) as source:
        while header := source.read(12):
            if len(header) < 12:
                raise ValueError(f"{path}: the last MRT header is cut short")
            _, kind, subtype, length = struct.unpack("!IHHI", header)
            body = source.read(length)
            if len(body) < length:
                raise ValueError(f"{path}: the last MRT record is cut short")
            if kind == BGP4MP_ET:
                body = body[4:]  # microseconds
            elif kind != BGP4MP:
                continue
            width = MESSAGE_SUBTYPES.get(subtype)
            if width is None:
                continue  # state changes
            (family,) = struct.unpack_from("!H", body, 2 * width + 2)
            yield width, body[2 * width + 4 + 2 * (4 if family == 1 else 16) :]


def update_blob(path: Path) -> bytes:
    """Every UPDATE of a recording that carries routes, ready to send over a session with four-octet AS numbers.
    End-of-RIB markers are left out: the sender of the blob says when it is done."""
    out = []
    for width, data in records(path):
        if data[18] == UPDATE and not is_end_of_rib(data[HEADER:]):
            if width != 4:
                raise ValueError(f"{path}: recorded with two-octet AS numbers, which cannot be replayed as they are")
            out.append(data)
    if not out:
        raise ValueError(f"{path}: no BGP4MP UPDATE in it (TABLE_DUMP snapshots are not recordings of a session)")
    return b"".join(out)


def expected(path: Path) -> Iterator[tuple[str, Route]]:
    """bgpdump -m lines as ("A" or "W", (prefix, attributes)). bgpdump prints an absent MED as 0."""
    with gzip.open(path, "rt") as source:
        for line in source:
            fields = line.rstrip("\n").split("|")
            if fields[2] == "A":
                yield "A", (fields[5], _attributes(fields))
            elif fields[2] == "W":
                yield "W", (fields[5], Attributes())


def _attributes(fields: list[str]) -> Attributes:
    return Attributes(
        origin=fields[7].lower(),
        as_path=fields[6],
        next_hop=fields[8],
        local_pref=int(fields[9]),
        med=int(fields[10]),
        communities=communities(fields[11].split()),
        atomic=fields[12] == "AG",
        aggregator=fields[13] or None,
    )


def expected_table(path: Path) -> dict[str, Attributes]:
    """What the recording leaves in a RIB: last announcement of each prefix, withdrawals taken out."""
    table: dict[str, Attributes] = {}
    for op, (prefix, attributes) in expected(path):
        if op == "A":
            table[prefix] = attributes
        else:
            table.pop(prefix, None)
    return table


def without_as_zero(table: Mapping[str, Attributes]) -> dict[str, Attributes]:
    """What may be used of a table by RFC 7607: bgpdump reads AS 0 like any other number, a BGP speaker takes a route
    with it in AS_PATH as withdrawn (RFC 7606 7.2), and an AGGREGATOR of AS 0 as not there (7.7)."""
    return {
        prefix: attributes._replace(aggregator=None) if _is_zero(attributes.aggregator) else attributes
        for prefix, attributes in table.items()
        if "0" not in attributes.as_path.replace("{", " ").replace("}", " ").replace(",", " ").split()
    }


def _is_zero(aggregator: str | None) -> bool:
    return aggregator is not None and aggregator.startswith("0 ")


def as_bgpdump(attributes: Attributes) -> Attributes:
    """An attribute set as bgpdump -m can tell it: no MED and MED 0 look alike, and neither large communities nor what
    reflectors add are printed."""
    return attributes._replace(med=attributes.med or 0, large=(), originator=None, clusters=())
