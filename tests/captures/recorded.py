"""Where messages come from: captures by TCP connection, vectors of ExaBGP by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.captures.pcap import streams
from tests.lab.mrt import DATA

ABSENT: Final = "test data folder ../shared/data absent"
MARKER: Final = b"\xff" * 16
HEADER: Final = 19
BGP: Final = 179


def captured() -> Iterator[tuple[str, bytes]]:
    """(file and number, message) of every whole message in a capture."""
    for path in sorted((DATA / "captures").glob("*.pcap*")):
        found = [message for _, stream in sorted(streams(path, BGP).items()) for message in cut(stream)]
        for number, message in enumerate(found, start=1):
            yield f"{path.name}#{number}", message


def cut(stream: bytes) -> Iterator[bytes]:
    """Messages between markers; what is not whole is left out."""
    at = stream.find(MARKER)
    while at >= 0 and at + HEADER <= len(stream):
        size = int.from_bytes(stream[at + 16 : at + 18], "big")
        if size >= HEADER and at + size <= len(stream):
            yield stream[at : at + size]
        at = stream.find(MARKER, at + max(size, HEADER) if size >= HEADER else at + 1)


def vectors() -> Iterator[tuple[str, bytes]]:
    """(file and line, message) of every message that ExaBGP's test suite sends; colons part the fields, or do not."""
    for path in sorted((DATA / "exabgp-vectors").glob("*.ci")):
        for line, text in enumerate(path.read_text().splitlines(), start=1):
            name, raw, fields = text.partition(":raw:")
            if raw and name:
                yield f"{path.name}#{line}", bytes.fromhex(fields.replace(":", ""))
