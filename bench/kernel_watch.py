"""What a box's kernel holds, seen from outside the daemon that writes it, at little cost.

While the time runs: RTM_GETROUTE of a few prefixes, some microseconds each, until all of them are there; only then the
kernel's own count, which for IPv4 is a walk over the whole table. Afterwards, untimed: everything, compared.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from bench.measured import ContentsDiffer
from tests.kernel.fake_controller import in_namespace
from tests.lab import kernel
from tests.lab.lab import Namespace
from tests.lab.tables import Table
from tests.lab.updates import Prefix

_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_NLM_F_REQUEST: Final = 1
_RTM_F_FIB_MATCH: Final = 0x2000
_RTA_DST, _RTA_GATEWAY = 1, 5
_SO_RCVBUFFORCE: Final = 33
SAMPLES: Final = 2000
"""If all of so many drawn prefixes are there, less than one in 400 is missing but in one case of 150."""
TAIL: Final = 50
"""The last prefixes in the order they were fed are always asked for."""
PAUSE: Final = 0.005
PATIENCE: Final = 300.0
LINKS: Final = ("10.9.", "2001:db8:")
"""How the lab's own subnets begin; no table has prefixes there."""


class Lookups:
    """A netlink socket in a box."""

    def __init__(self, box: Namespace) -> None:
        self._socket: socket.socket = in_namespace(
            box, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        )
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
        self._socket.settimeout(10)

    def close(self) -> None:
        self._socket.close()

    def holds(self, prefix: Prefix) -> bool:
        """Only for prefixes none of whose addresses a longer one takes."""
        self._socket.send(_question(prefix[0], _RTM_F_FIB_MATCH))
        route = self._answer()
        return route is not None and route[1] == prefix[1]

    def gateways(self, addresses: Sequence[bytes]) -> tuple[float, list[bytes | None]]:
        """Where packets would be sent now, whatever objects are between; and when that was, on the monotonic clock. The
        kernel looks while it takes the questions, so the answers can be read in peace."""
        self._socket.send(b"".join(_question(address, 0) for address in addresses))
        asked = time.monotonic()
        return asked, [_gateway(self._answer()) for _ in addresses]

    def _answer(self) -> bytes | None:
        """A route from its header's end. None: there is none."""
        reply = self._socket.recv(4096)
        return reply[_HEADER.size :] if _HEADER.unpack_from(reply)[1] == _RTM_NEWROUTE else None


def _question(address: bytes, flags: int) -> bytes:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, 8 * len(address), 0, 0, 0, 0, 0, 0, flags)
    body += _ATTRIBUTE.pack(4 + len(address), _RTA_DST) + address
    return _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body


def _gateway(route: bytes | None) -> bytes | None:
    at = _ROUTE.size
    while route is not None and at + _ATTRIBUTE.size <= len(route):
        length, kind = _ATTRIBUTE.unpack_from(route, at)
        if kind == _RTA_GATEWAY:
            return route[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    return None


def trie_prefixes(pid: int) -> int:
    """Prefixes in the main IPv4 table of a process's namespace, by the kernel's own statistics. Without policy rules
    the tables main and local are one trie, and the file shows it twice."""
    text = Path(f"/proc/{pid}/net/fib_triestat").read_text()
    return max(int(line.split()[-1]) for line in text.splitlines() if line.strip().startswith("Prefixes:"))


def routes(pid: int, family: int) -> int:
    """IPv6: the fourth word of rt6_stats, a counter that costs nothing to read."""
    return trie_prefixes(pid) if family == 4 else int(Path(f"/proc/{pid}/net/rt6_stats").read_text().split()[3], 16)


def samples(table: Table) -> list[Prefix]:
    """Of the longest length there is, so that no other prefix hides them; in the order they are fed."""
    longest = max(table.lengths)
    known = [n for n, length in enumerate(table.lengths) if length == longest]
    chosen = {*random.Random(1).sample(known, min(SAMPLES, len(known))), *known[-TAIL:]}
    return [table.prefixes(n, n + 1)[0] for n in sorted(chosen)]


class Arrival:
    """One kernel that is waited for until it has a table of which it had nothing."""

    def __init__(self, box: Namespace, pid: int, table: Table) -> None:
        """``pid``: any process in there, it may be the daemon."""
        self.box, self.pid, self.table = box, pid, table
        self.at = 0.0
        """On the monotonic clock, when it had all the drawn prefixes, if the count that begins then finds everything;
        else when a later one does."""
        self.counting = 0.0
        """Seconds that the last count took, a tenth for a million: if so little was missing that no drawn prefix was
        among it, the time may be early by less than this."""
        self._lookups = Lookups(box)
        self._samples = samples(table)
        self._seen = 0
        self._before = routes(pid, table.family)

    def complete(self) -> bool:
        drawn = self._seen == len(self._samples)
        while self._seen < len(self._samples):
            if not self._lookups.holds(self._samples[self._seen]):
                return False
            self._seen += 1
        at = time.monotonic()
        count = routes(self.pid, self.table.family) - self._before
        self.counting = time.monotonic() - at
        self.at = at + self.counting if drawn else at
        return count >= len(self.table)

    def __str__(self) -> str:
        count = routes(self.pid, self.table.family) - self._before
        return f"{self.box.name}: {count} of {len(self.table)} routes, {self._seen} of {len(self._samples)} samples"


def wait_all(arrivals: Sequence[Arrival], alive: Callable[[], object] = bool) -> float:
    """When the last of them had all, on the monotonic clock. ``alive`` raises if there is no use in waiting."""
    missing = list(arrivals)
    deadline = time.monotonic() + PATIENCE
    turns = 0
    while missing := [arrival for arrival in missing if not arrival.complete()]:
        turns += 1
        if turns % 200 == 0:
            alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"kernels: {', '.join(map(str, missing))}")
        time.sleep(PAUSE)
    return max(arrival.at for arrival in arrivals)


def contents(box: Namespace, family: int) -> dict[str, frozenset[str]]:
    """Every route that goes to a gateway, nexthop objects followed, but for those to the lab's own links."""
    objects = kernel.nexthops(box)
    argv = ["ip", "-n", box.kernel_name, f"-{family}", "route", "show"]
    found: dict[str, frozenset[str]] = {}
    known: dict[str, frozenset[str]] = {}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            prefix, _, rest = line.partition(" ")
            if rest not in known:
                known[rest] = _gateways(line, rest, objects)
            gateways = known[rest]
            if gateways and not prefix.startswith(LINKS):
                found[prefix] = gateways
    assert child.returncode == 0, argv
    return found


def _gateways(line: str, rest: str, objects: Mapping[int, kernel.Hops]) -> frozenset[str]:
    if line[0] in "\t " or line.startswith("multicast"):
        raise ValueError(f"not a route of one way: {line!r}")
    if number := re.search(r"nhid (\d+)", rest):
        return frozenset(hop.gateway for hop, _ in objects[int(number.group(1))] if hop.gateway)
    via = re.search(r"via (\S+)", rest)
    return frozenset((via.group(1),)) if via else frozenset()


def verify(box: Namespace, expected: Mapping[str, Table]) -> None:
    """ContentsDiffer: the kernel does not hold exactly these tables of one family, each by the gateway it is under."""
    held: dict[str, frozenset[str]] = {}
    wrong: list[str] = []
    for gateway, table in expected.items():
        held = held or contents(box, table.family)
        way = frozenset((str(ip_address(gateway)),))
        wrong += [f"{prefix} not by {gateway}" for prefix, _ in table.truth() if held.pop(prefix, None) != way]
    if wrong:
        raise ContentsDiffer(f"{box.name}: {len(wrong)} prefixes are otherwise: {', '.join(wrong[:3])}")
    if held:
        raise ContentsDiffer(f"{box.name}: {len(held)} routes that nobody announced: {', '.join(sorted(held)[:3])}")
