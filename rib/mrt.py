"""Loads an MRT file (RFC 6396, RFC 8050) into a ``Rib``. Reading the file is the only I/O of this package."""

from __future__ import annotations

import bz2
import gzip
import ipaddress
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rib.routes import Source

if TYPE_CHECKING:
    import native
    from rib.api import Rib

NOBODY: Final = 4294967294
"""The last AS number for private use (RFC 6996 5): a router of this AS finds no loop in anybody's path."""
RECORDS: Final = 10_000
GZIP_MAGIC: Final = b"\x1f\x8b"
BZIP2_MAGIC: Final = b"BZh"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is. ``stage``: "reading" records, "choosing" routes, or "done"."""

    stage: str
    updates: int
    announced: int

    def __str__(self) -> str:
        return f"{self.stage}: {self.updates:,} updates, {self.announced:,} announcements"


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an MRT file held. ``skipped``: records of other types, broken ones, and messages that are no UPDATEs;
    ``faults``: UPDATEs with something malformed, treated by RFC 7606."""

    path: str
    peers: int
    updates: int
    announced: int
    withdrawn: int
    faults: int
    skipped: int


def load(path: str | PathLike[str], make: Callable[[int], Rib], asn: int | None, progress: bool | Report) -> Rib:
    """``make`` makes the table of a router in an AS: ``asn``, or that of the recording's own side, or ``NOBODY``."""
    import native

    report = progress if callable(progress) else _to_terminal if progress else None
    reader = native.MrtReader(contents(Path(path)))
    rib: Rib | None = None
    sessions: list[tuple[Source, native.SessionTerms]] = []
    updates = announced = withdrawn = faults = 0

    def tell(stage: str) -> None:
        if report is not None:
            report(Progress(stage, updates, announced))

    while (batch := _read(reader, path)) is not None:
        if rib is None and reader.peers:
            rib = make(asn or next((peer["local_asn"] for peer in reader.peers if peer["local_asn"]), NOBODY))
        if rib is not None:
            # A recording of sessions brings its peers as it goes.
            sessions += [_session(rib, peer) for peer in reader.peers[len(sessions) :]]
            for index, run in batch:
                changes = rib.take(*sessions[index], run)
                updates += changes.updates
                announced += changes.announced
                withdrawn += changes.withdrawn
                faults += sum(fault["count"] for fault in changes.faults)
        tell("reading")
    if rib is None:
        raise ValueError(f"{fspath(path)}: no routes in it; it should be a TABLE_DUMP_V2 or BGP4MP file (RFC 6396)")
    rib.settle(lambda: tell("choosing"))
    tell("done")
    speakers = len({source for source, _ in sessions})
    rib.loaded = Loaded(fspath(path), speakers, updates, announced, withdrawn, faults, reader.skipped)
    return rib


def contents(path: Path) -> bytes:
    """Unpacked by what the file is, whatever its name."""
    data = path.read_bytes()
    try:
        if data.startswith(GZIP_MAGIC):
            return gzip.decompress(data)
        if data.startswith(BZIP2_MAGIC):
            return bz2.decompress(data)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be unpacked, is the download complete? ({error})") from None
    return data


def _read(reader: native.MrtReader, path: str | PathLike[str]) -> list[tuple[int, native.Updates]] | None:
    try:
        return reader.read(RECORDS)
    except ValueError as error:
        raise ValueError(f"{fspath(path)}: not a whole MRT file: {error}") from None


def _session(rib: Rib, row: dict[str, Any]) -> tuple[Source, native.SessionTerms]:
    """The source of a recorded speaker, and how to read its UPDATEs: one that was recorded in two ways is one source.
    Its name is its address, with its AS where another speaker has the address."""
    address = ipaddress.ip_address(row["address"])
    terms = rib.session_terms(row["asn"], add_path=row["add_path"], four_octet_as=row["four_octet_as"])
    names = str(address), f"{address} AS {row['asn']}"
    for source in rib.sources():
        if source.name in names and source.asn == row["asn"]:
            return source, terms
    name = names[any(source.name == names[0] for source in rib.sources())]
    router_id = row["router_id"]
    source = rib.add_peer(
        address,
        row["asn"],
        name=name,
        router_id=ipaddress.IPv4Address(router_id) if router_id is not None else None,
        add_path=row["add_path"],
    )
    return source, terms


def _to_terminal(progress: Progress) -> None:
    print(f"\r{progress}\x1b[K", end="\n" if progress.stage == "done" else "", file=sys.stderr, flush=True)
