"""Tables as files of UPDATE messages, made once for all runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.measured import Context
from bench.sessions import Session
from tests.lab import tables, updates
from tests.lab.attributes import Attributes


def table(context: Context, session: Session, prefixes: int) -> Path:
    """What peer 0 tells."""
    file = context.directory / f"table-{session.family}-{prefixes}"
    if not file.exists():
        made = tables.generate(
            context.size(prefixes), family=session.family, first_asn=session.asn, next_hop=session.local
        )
        file.write_bytes(made.encode())
    return file


def second_best(context: Context, session: Session, prefixes: int) -> Path:
    """The same prefixes from another peer, over paths that are longer by one AS."""
    file = context.directory / f"second-{prefixes}"
    if not file.exists():
        made = tables.generate(context.size(prefixes), first_asn=session.asn, next_hop=session.local)
        file.write_bytes(_encode(made, (_by(session, a, detour=True) for a in made.sets)))
    return file


def contest(
    context: Context, sessions: Sequence[Session], prefixes: int, *, also_own: bool
) -> tuple[dict[Session, Path], dict[Session, Path]]:
    """The same prefixes from all peers, each of which has the shortest path for its share of the attribute sets: what
    each tells, and what each must be told, which is the best paths of all others (``also_own``: and its own)."""
    tell = {s: context.directory / f"contest-{s.n}" for s in sessions}
    others = {s: context.directory / f"contest-{s.n}-told" for s in sessions}
    everything = context.directory / "contest-best"
    if not tell[sessions[0]].exists():
        made = tables.generate(context.size(prefixes), first_asn=sessions[0].asn, next_hop=sessions[0].local)
        winners = [sessions[n % len(sessions)] for n in range(len(made.sets))]
        both = list(zip(made.sets, winners, strict=True))
        best = [_by(winner, a, detour=False) for a, winner in both]
        everything.write_bytes(_encode(made, best))
        for s in sessions:
            tell[s].write_bytes(_encode(made, (_by(s, a, detour=winner is not s) for a, winner in both)))
            others[s].write_bytes(_encode(made, (None if w is s else a for a, w in zip(best, winners, strict=True))))
    return tell, dict.fromkeys(sessions, everything) if also_own else others


def _by(session: Session, attributes: Attributes, *, detour: bool) -> Attributes:
    """As this peer tells it, whoever it was made for."""
    front = f"{session.asn} {session.asn + 1000}" if detour else str(session.asn)
    path = f"{front} {attributes.as_path.partition(' ')[2]}"
    return attributes._replace(as_path=path, next_hop=session.local)


def _encode(made: tables.Table, sets: Iterable[Attributes | None]) -> bytes:
    """With these attribute sets in the place of the table's own; where there is none, its prefixes are left out."""
    out: list[bytes] = []
    for attributes, (_, start, end) in zip(sets, made.runs(), strict=True):
        if attributes is not None:
            out.extend(updates.announcements(made.prefixes(start, end), attributes))
    return b"".join([*out, updates.END_OF_RIB_IPV4])
