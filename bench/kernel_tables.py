"""Tables that end in a kernel: the prefixes of ``blobs.table``, for those who compare, and tables of many peers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.measured import Context
from bench.sessions import Session
from tests.lab import tables
from tests.lab.tables import Table


def table(context: Context, session: Session, prefixes: int) -> Table:
    return _made(context.size(prefixes), session.family)


@cache
def _made(prefixes: int, family: int) -> Table:
    """Whose prefixes they are makes no difference to the prefixes."""
    peer = Session(0, family)
    return tables.generate(prefixes, family=family, first_asn=peer.asn, next_hop=peer.local)


def shares(context: Context, sessions: Sequence[Session], prefixes: int) -> dict[Session, tuple[Path, Table]]:
    """Each peer has a part of the prefixes that nobody else has."""
    whole = _made(context.size(prefixes), 4)
    found = {}
    sets = len(whole.sets)
    for n, session in enumerate(sessions):
        first, last = sets * n // len(sessions), sets * (n + 1) // len(sessions)
        start, end = whole.ends[first - 1] if first else 0, whole.ends[last - 1]
        part = Table(
            4, whole.sets[first:last], array("L", (e - start for e in whole.ends[first:last])),
            whole.addresses[start:end], whole.lengths[start:end],
        ).with_path((session.asn,), session.local)  # fmt: skip
        file = context.directory / f"share-{n}"
        if not file.exists():
            file.write_bytes(part.encode())
        found[session] = file, part
    return found


def everything(context: Context, sessions: Sequence[Session], prefixes: int) -> dict[Session, Path]:
    """All peers have all prefixes, the first one over the shortest paths."""
    files = {session: context.directory / f"whole-{session.n}" for session in sessions}
    for session, file in files.items():
        if not file.exists():
            front = (session.asn,) if session is sessions[0] else (session.asn, session.asn + 1000)
            file.write_bytes(_made(context.size(prefixes), 4).with_path(front, session.local).encode())
    return files
