"""The jobs without a kernel: tables from peers, told to peers.

Time runs from the first byte that any peer sends (S4: from the end of the best peer's connection) to the read that
brought the last change of what the last peer has been told. Then contents are compared with what must have been told.
Nothing is installed, except by "routingd, installing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import blobs, recorded
from bench.measured import DAEMONS, FRR, GOBGP, LIMIT, NOTHING, OPENBGPD, Context, Job, Measured
from bench.peers import ceiling
from bench.sessions import Session
from bench.stage import Stage
from tests.lab import mrt

ALL: Final = tuple(daemon for daemon in DAEMONS if daemon not in (LIMIT, NOTHING))
EXTENDED_COMMUNITIES: Final = 16
ALTERED: Final = {OPENBGPD: (EXTENDED_COMMUNITIES,), GOBGP: (EXTENDED_COMMUNITIES,)}
"""Of the real table: OpenBGPD 7.7 drops the values of kinds that it does not know, GoBGP 3.10 makes a transitive link
bandwidth not transitive; a few dozen prefixes have them."""


def empty(daemon: str, _: Context) -> Measured:
    """What the daemon takes by itself; the time is that from its start until it has two silent sessions."""
    with Stage(daemon, [Session(0), Session(1)]) as stage:
        usage = stage.usage()
        return Measured("empty", daemon, stage.start_seconds, usage.memory, usage.cpu)


def re_advertised(daemon: str, context: Context) -> Measured:
    feeder = Session(0)
    table = blobs.table(context, feeder, 1_000_000)
    if daemon == NOTHING:
        found = ceiling(table.read_bytes())
        return Measured("S1", daemon, found.seconds, {}, found.cpu)
    return _from_one("S1", daemon, feeder, [Session(1)], table)


def re_advertised_real(daemon: str, context: Context) -> Measured:
    feeder = Session(0)
    file = context.directory / "recorded"
    if not file.exists():
        file.write_bytes(recorded.as_external(mrt.FULL_TABLE, feeder))
    return _from_one("S1R", daemon, feeder, [Session(1)], file, ALTERED.get(daemon, ()))


def best_of_ten(daemon: str, context: Context) -> Measured:
    sessions = [Session(n) for n in range(10)]
    # FRR tells a group of peers also what one of them gave: that one drops it for the loop.
    tell, told = blobs.contest(context, sessions, 200_000, also_own=daemon == FRR)
    with Stage(daemon, sessions, expect_bytes=4 * tell[sessions[0]].stat().st_size) as stage:
        return _told("S3", stage, tell, told)


def best_dies(daemon: str, context: Context) -> Measured:
    best, second, sink = (Session(n) for n in range(3))
    tell = {
        best: blobs.table(context, best, 500_000),
        second: blobs.second_best(context, second, 500_000),
    }
    with Stage(daemon, [best, second, sink], expect_bytes=4 * tell[best].stat().st_size) as stage:
        _told("S4", stage, tell, {sink: tell[best]})
        stage.peers.mark(sink.name)
        stage.begin()
        closed = stage.peers.close(best.name)
        final = stage.settled({sink: tell[second]})
        usage = stage.usage()
        return Measured("S4", daemon, (final - closed) / 1e9, usage.memory, usage.cpu)


def re_advertised_ipv6(daemon: str, context: Context) -> Measured:
    feeder, sink = Session(0, 6), Session(1, 6)
    return _from_one("S5", daemon, feeder, [sink], blobs.table(context, feeder, 200_000))


def one_to_twenty(daemon: str, context: Context) -> Measured:
    feeder, *sinks = (Session(n) for n in range(21))
    return _from_one("S6", daemon, feeder, sinks, blobs.table(context, feeder, 200_000))


def _from_one(
    job: str, daemon: str, feeder: Session, sinks: Sequence[Session], table: Path, ignore: Sequence[int] = ()
) -> Measured:
    with Stage(daemon, [feeder, *sinks], expect_bytes=2 * table.stat().st_size) as stage:
        return _told(job, stage, {feeder: table}, dict.fromkeys(sinks, table), ignore)


def _told(
    job: str, stage: Stage, tell: Mapping[Session, Path], told: Mapping[Session, Path], ignore: Sequence[int] = ()
) -> Measured:
    for session, file in tell.items():
        stage.peers.load(session.name, file)
    stage.begin()
    stage.peers.go(*(session.name for session in tell))
    final = stage.settled(told, ignore)
    usage = stage.usage()
    state = stage.peers.status()
    begun = min(state[session.name]["first_sent"] for session in tell)
    return Measured(job, stage.daemon, (final - begun) / 1e9, usage.memory, usage.cpu)


JOBS: Final = (
    Job("empty", "the daemon by itself, from its start to two silent sessions", ALL, empty, most_runs=1),
    Job("S1", "1M IPv4 prefixes from one peer, told to one other", (*ALL, NOTHING), re_advertised),
    *(
        [Job("S1R", "a real table of 2015, 577k prefixes, as S1", ALL, re_advertised_real, short=False)]
        if mrt.FULL_TABLE.exists()
        else []
    ),
    Job("S3", "10 peers with the same 200k IPv4 prefixes, the best of ten told to all", ALL, best_of_ten),
    Job("S4", "2 peers with 500k IPv4 prefixes, the best dies, another peer is told everything", ALL, best_dies),
    Job("S5", "200k IPv6 prefixes from one peer, told to one other", ALL, re_advertised_ipv6),
    Job("S6", "200k IPv4 prefixes from one peer, told to 20 others", ALL, one_to_twenty),
)
