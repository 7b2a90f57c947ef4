"""BGP neighbours that cost the machine next to nothing (``native/bench``), driven from Python.

``python -m bench.peers``: their own ceiling, a table from a feeder straight to a sink with no daemon in between.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict

from tests.lab import tables
from tests.lab.commands import LabError
from tests.lab.lab import PROJECT, Lab, Namespace
from tests.lab.process import peak_memory
from tests.lab.waiting import wait_for

BINARY = PROJECT / "native" / "target" / "release" / "bench-peers"
CODES = {
    "origin": 1,
    "as_path": 2,
    "next_hop": 3,
    "med": 4,
    "local_pref": 5,
    "atomic": 6,
    "aggregator": 7,
    "communities": 8,
}
QUIET = 1.0
"""Seconds without an UPDATE after which a sink's table is looked at."""


class Status(TypedDict):
    """Times are CLOCK_MONOTONIC in nanoseconds, as ``time.monotonic_ns``; 0: it has not happened."""

    state: str
    """``opening``, ``established`` or ``closed``."""
    error: str | None
    sent: int
    """Bytes of what it was given to send that TCP has taken."""
    sending: bool
    first_sent: int
    last_sent: int
    received: int
    """Bytes since the session was up, or since the mark."""
    updates: int
    """Without End-of-RIB."""
    first_update: int
    last_update: int
    end_of_rib: int


class Verdict(TypedDict):
    """What was received, beside what must have been."""

    equal: bool
    prefixes: int
    """Received and not withdrawn."""
    missing: int
    extra: int
    different: int
    examples: list[str]
    """Three differences in words."""
    final_at: int | None
    """Nanoseconds (CLOCK_MONOTONIC) of the read that brought the last change of the table."""


class PeersError(LabError):
    """The process refused a command, or is gone; says what it said."""


class Peers:
    """A process in ``namespace`` that plays all ``sessions``. As a context manager it ends with the block.

    A session: name, local and peer (addresses), asn, router_id, families (AFIs, unicast); and where it is not so, port
    (179), listen (False: it dials; True: it waits for the peer to dial), hold (90 seconds; 0: no KEEPALIVEs),
    expect_bytes (0: how much it will receive; the memory for it is there before the session begins).
    """

    def __init__(self, namespace: Namespace, sessions: Sequence[Mapping[str, Any]], *, name: str = "peers") -> None:
        self.names = [session["name"] for session in sessions]
        self.log = namespace.directory / f"{name}.log"
        spec = namespace.directory / f"{name}.sessions"
        spec.write_text("".join(_line(session) for session in sessions))
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                ["ip", "netns", "exec", namespace.kernel_name, str(_binary()), str(spec)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
            )  # fmt: skip

    def __enter__(self) -> Peers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit()

    @property
    def pid(self) -> int:
        return self._child.pid

    def peak_memory(self) -> int:
        return peak_memory(self.pid)

    def cpu_seconds(self) -> float:
        """All it has used since it began, checks included."""
        return float(self._ask("status")["cpu"]) / 1e9

    def status(self) -> dict[str, Status]:
        states: dict[str, Status] = self._ask("status")["sessions"]
        return states

    def wait_established(self, *names: str, timeout: float = 60.0) -> None:
        """Until these sessions, or all, are up."""
        wait_for(
            f"sessions of {self.log.stem} established",
            self.status,
            lambda all_: all(all_[name]["state"] == "established" for name in names or self.names),
            timeout=timeout,
            every=0.02,
        )

    def send(self, name: str, file: Path) -> None:
        """Whole messages, behind what is being sent. The answer comes when they are in memory and on their way."""
        self._ask("send", name, str(file))

    def load(self, name: str, file: Path) -> None:
        """As ``send``, but they wait for ``go``."""
        self._ask("load", name, str(file))

    def go(self, *names: str) -> int:
        """Send what is loaded, all at one instant: its nanoseconds."""
        return int(self._ask("go", *names)["at"])

    def mark(self, *names: str) -> None:
        """Forget what was received until now: counts and checks begin anew."""
        self._ask("mark", *names)

    def close(self, name: str, how: str = "fin") -> int:
        """Without a NOTIFICATION, by FIN or ``reset``, as a peer that dies: the nanoseconds at which it went."""
        return int(self._ask("close", name, how)["at"])

    def check(
        self,
        name: str,
        file: Path,
        *,
        prepend: int | None = None,
        next_hop: str = "",
        ignore: Sequence[str | int] = (),
    ) -> Verdict:
        """Is what the session has received, since it was up or since the mark, the table of ``file`` as a router tells
        it on that prepends ``prepend`` and puts itself, ``next_hop`` (``v4``, ``v6`` or ``v4,v6``), as next hop?
        ``ignore``: attributes that do not count, by name (``CODES``) or number. A second for a million prefixes."""
        options = [f"prepend={prepend}"] if prepend is not None else []
        options += [f"next_hop={next_hop}"] if next_hop else []
        codes = [str(CODES[one] if isinstance(one, str) else one) for one in ignore]
        options += [f"ignore={','.join(codes)}"] if codes else []
        verdict: Verdict = self._ask("check", name, str(file), *options)
        return verdict

    def wait_quiet(self, *names: str, updates: int = 1, quiet: float = QUIET, timeout: float = 300.0) -> None:
        """Until these sessions have had at least so many UPDATEs each, and then none for ``quiet`` seconds."""

        def settled(all_: Mapping[str, Status]) -> bool:
            latest = time.monotonic_ns() - int(quiet * 1e9)
            return all(all_[name]["updates"] >= updates and all_[name]["last_update"] < latest for name in names)

        wait_for(f"{', '.join(names)} to fall quiet", self.status, settled, timeout=timeout, every=0.1)

    def quit(self) -> None:
        """The process goes, and its sessions with it, by FIN. A second call does nothing."""
        if self._child.stdin is not None and not self._child.stdin.closed:
            try:
                self._child.stdin.close()  # it ends when nobody can command it
            except BrokenPipeError:
                pass
            self._child.wait(10)

    def _ask(self, *words: str) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(" ".join(words) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        except (OSError, ValueError) as error:
            raise PeersError(f"{words[0]}: the process is gone ({error}); {self._last_words()}") from error
        if not line:
            raise PeersError(f"{words[0]}: the process is gone; {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeersError(f"{' '.join(words)}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        return f"{self.log}: {self.log.read_text(errors='replace')[-500:]}"


def _line(session: Mapping[str, Any]) -> str:
    fields = {"port": 179, "listen": False, "hold": 90, "expect_bytes": 0, **session}
    fields |= {"listen": str(fields["listen"]).lower(), "families": ",".join(map(str, fields["families"]))}
    return " ".join(f"{key}={value}" for key, value in fields.items()) + "\n"


def work() -> float:
    """Seconds for a fixed piece of computing, about 0.3: how fast the machine is at this moment."""
    done = subprocess.run([str(_binary()), "work"], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["seconds"])


def _binary() -> Path:
    if not BINARY.exists():
        raise PeersError(f"there is no {BINARY.relative_to(PROJECT)}: tools/setup demo builds it")
    return BINARY


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A feeder straight to a sink."""

    seconds: float
    """From the first byte sent to the read that brought the last prefix."""
    prefixes: int
    size: int
    """Bytes."""
    cpu: float
    """CPU seconds of both ends, kernel included."""


def ceiling(blob: bytes) -> Ceiling:
    """How fast the two ends alone are: each in a namespace of its own, contents verified."""
    with Lab() as lab:
        left, right = lab.box("feed"), lab.box("sink")
        lab.link(left, "eth0", right, "eth0", a_addresses=["10.9.0.2/24"], b_addresses=["10.9.0.1/24"])
        file = lab.directory / "table"
        file.write_bytes(blob)
        feed = {
            "name": "f0",
            "local": "10.9.0.2",
            "peer": "10.9.0.1",
            "asn": 65100,
            "router_id": "10.9.0.2",
            "families": [1],
        }
        sink = {
            "name": "s0",
            "local": "10.9.0.1",
            "peer": "10.9.0.2",
            "asn": 65001,
            "router_id": "10.9.0.1",
            "families": [1],
        }
        sink |= {"listen": True, "expect_bytes": len(blob) + 65536}
        with Peers(right, [sink]) as taking, Peers(left, [feed]) as giving:
            giving.wait_established()
            taking.wait_established()
            giving.load("f0", file)
            before = giving.cpu_seconds() + taking.cpu_seconds()
            giving.go("f0")
            taking.wait_quiet("s0", quiet=0.5)
            spent = giving.cpu_seconds() + taking.cpu_seconds() - before
            verdict = taking.check("s0", file)
            if not verdict["equal"] or verdict["final_at"] is None:
                raise PeersError(f"what came is not what was sent: {verdict}")
            seconds = (verdict["final_at"] - giving.status()["f0"]["first_sent"]) / 1e9
            return Ceiling(seconds, verdict["prefixes"], len(blob), spent)


def main() -> int:
    prefixes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    found = ceiling(tables.generate(prefixes, first_asn=65100, next_hop="10.9.0.2").encode())
    print(
        f"feeder straight to sink: {found.prefixes:,} prefixes, {found.size / 1e6:.1f} MB in {found.seconds:.4f} s: "
        f"{found.prefixes / found.seconds:,.0f} prefixes/s, {found.size / found.seconds / 1e9:.2f} GB/s; "
        f"both ends {found.cpu:.3f} CPU s; work {work():.3f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
