"""One router and its peers for one run: two boxes, a link for each session, the daemon under test, ``bench-peers``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from bench import daemons
from bench.measured import FRR, ROUTINGD, ContentsDiffer
from bench.peers import Peers, Status, Verdict
from bench.sessions import OUR_ASN, Session
from tests.lab.commands import LabError, run
from tests.lab.lab import Lab, Namespace
from tests.lab.process import peak_memory
from tests.lab.waiting import wait_for

QUIET: Final = 0.5
"""Seconds without a message and without work of the daemon after which contents are looked at; twice that after each
look too early."""
LONGEST_QUIET: Final = 8.0
"""After so long nothing more is expected."""
TIMEOUT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Usage:
    memory: dict[str, int]
    cpu: float


class Stage:
    """A context manager: inside it all sessions are up. ``expect_bytes``: about what each peer will receive."""

    def __init__(
        self, daemon: str, sessions: Sequence[Session], *, install: bool = False, expect_bytes: int = 1 << 20
    ) -> None:
        self.daemon, self.sessions, self._install = daemon, sessions, install
        self._expect = expect_bytes
        self._lab = Lab()
        self._open = ExitStack()
        self._cpu = 0.0

    def __enter__(self) -> Stage:
        with self._open:  # what was opened is closed again where the rest fails
            self._build(self._open.enter_context(self._lab))
            self._open = self._open.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def _build(self, lab: Lab) -> None:
        self.box, self.far = lab.box("router"), lab.box("peers")
        for s in self.sessions:
            ours = [] if self.daemon.startswith(ROUTINGD) else [f"{s.ours}/{s.length}"]
            lab.link(self.box, s.port, self.far, s.port, a_addresses=ours, b_addresses=[f"{s.local}/{s.length}"])
        begun = time.monotonic()
        self._start(lab)
        specs = [s.spec() | {"expect_bytes": self._expect} for s in self.sessions]
        self.peers = self._open.enter_context(Peers(self.far, specs))
        wait_for("sessions to come up", self._states, lambda states: set(states) == {"established"}, timeout=60)
        self.start_seconds = time.monotonic() - begun
        self._pids = processes(self.box)
        # FRR 8 gathers what it tells a new peer for its coalesce time: 1,000 ms and 50 ms a peer.
        pause = 2.0 + 0.05 * len(self.sessions) if self.daemon == FRR else QUIET
        self._quiet([s.name for s in self.sessions], pause, time.monotonic() + TIMEOUT)

    def _start(self, lab: Lab) -> None:
        daemons.start(self.daemon, lab, self.box, self.sessions, install=self._install)

    def _states(self) -> list[str]:
        self._running()
        return [row["state"] for row in self.peers.status().values()]

    def _running(self) -> None:
        gone = [p.name for p in self._lab.processes if not p.running()]
        if gone:
            logs = "\n".join(p.output(tail=8) for p in self._lab.processes if p.name in gone)
            raise LabError(f"ended by itself: {', '.join(gone)}\n{logs}")

    def begin(self) -> None:
        """From now on processor time counts."""
        self._cpu = processor_time(self._pids)

    def usage(self) -> Usage:
        """Processor time since the beginning; the most memory since the daemon's start."""
        memory: dict[str, int] = {}
        for pid in self._pids:
            name = process_name(pid)
            memory[name] = memory.get(name, 0) + peak_memory(pid)
        return Usage(memory, processor_time(self._pids) - self._cpu)

    def settled(self, told: Mapping[Session, Path], ignore: Sequence[int] = ()) -> int:
        """Wait until each of these peers has been told exactly its table, behind our AS and with our address as next
        hop (RFC 4271 5.1.2, 5.1.3), whatever became of MED and of the attributes to ignore. The time of the read that
        brought the last of it, ns."""
        deadline = time.monotonic() + TIMEOUT
        quiet = QUIET
        final = 0
        waiting = dict(told)
        looked_at = dict.fromkeys(told, 0)
        found: Verdict | None = None
        while waiting:
            state = self._quiet([s.name for s in waiting], quiet, deadline)
            news = any(state[s.name]["received"] != looked_at[s] for s in waiting)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.daemon} is not done within {TIMEOUT:.0f} s")
            if not news and quiet >= LONGEST_QUIET:
                raise ContentsDiffer(f"{self.daemon} told {len(waiting)} peers something else: {found or state}")
            for s, file in list(waiting.items()):
                if (received := state[s.name]["received"]) == looked_at[s]:
                    continue
                looked_at[s] = received
                found = self.peers.check(s.name, file, prepend=OUR_ASN, next_hop=s.ours, ignore=("med", *ignore))
                if found["equal"]:
                    final = max(final, found["final_at"] or 0)
                    del waiting[s]
            quiet = min(2 * quiet, LONGEST_QUIET)
        return final

    def _quiet(self, names: Sequence[str], quiet: float, deadline: float) -> dict[str, Status]:
        """Until for so many seconds nothing has come to any of them and the daemon has rested; what their sessions say
        then."""
        before: list[int] = []
        since, spent = time.monotonic(), 0.0
        while True:
            state = self.peers.status()
            received = [state[name]["received"] for name in names]
            now = time.monotonic()
            if received != before or any(row["sending"] for row in state.values()):
                before, since, spent = received, now, processor_time(self._pids)
            elif now - since > quiet:
                if processor_time(self._pids) - spent < quiet / 2:
                    return state
                since, spent = now, processor_time(self._pids)
            if now > deadline:
                return state
            down = {name: state[name] for name in names if state[name]["state"] != "established"}
            if down:
                raise LabError(f"{self.daemon} lost sessions: {down}")
            self._running()
            time.sleep(0.05)


def processes(box: Namespace) -> list[int]:
    """All that run in a box."""
    return [int(pid) for pid in run(["ip", "netns", "pids", box.kernel_name]).split()]


def process_name(pid: int) -> str:
    """An agent that routingd starts is known by its module alone."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return "ncpd" if b"routingd.agent_main" in words else Path(f"/proc/{pid}/comm").read_text().strip()


def processor_time(pids: Sequence[int]) -> float:
    """Seconds, user and system."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
