"""What Linux forwards by, in Linux's own words: ``ip -j route`` joined with ``ip -j nexthop``.

With ``net.ipv4.nexthop_compat_mode=0`` a route shows only ``nhid N``; the gateway is in the nexthop objects. Output
is parsed as it comes, an object at a time, so that a million routes cost one dict entry each.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from tests.lab.attributes import prefix
from tests.lab.commands import CommandFailed
from tests.lab.lab import PROTOCOL, Namespace

CHUNK = 1 << 20
_OPENING = {"blackhole": "blackhole", "unreachable": "unreachable", "prohibit": "prohibit"}


class Hop(NamedTuple):
    """One way out. ``gateway`` is empty where the destination is on the link; ``device`` names the kind where packets
    go nowhere."""

    gateway: str
    device: str


Hops = frozenset[tuple[Hop, int]]
"""With the weight of each."""


def kernel_routes(
    box: Namespace, *, protocol: int | None = PROTOCOL, families: tuple[int, ...] = (4, 6)
) -> dict[str, Hops]:
    """Prefix: ways out, of all routes of a protocol in all tables."""
    objects = nexthops(box)
    table: dict[str, Hops] = {}
    for of in families:
        words = ["-4" if of == 4 else "-6", "route", "show", "table", "all"]
        for row in stream_ip(box, *words, *(["proto", str(protocol)] if protocol is not None else [])):
            table[_destination(row["dst"], of)] = objects[row["nhid"]] if "nhid" in row else _inline(row)
    return table


def count(box: Namespace, *, protocol: int = PROTOCOL, families: tuple[int, ...] = (4, 6)) -> int:
    """How many there are: lines of ``ip -o route``, none of them parsed."""
    total = 0
    for of in families:
        argv = [
            "ip",
            "-n",
            box.kernel_name,
            "-4" if of == 4 else "-6",
            "-o",
            "route",
            "show",
            "table",
            "all",
            "proto",
            str(protocol),
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            assert child.stdout is not None
            while data := child.stdout.read(CHUNK):
                total += data.count(b"\n")
    return total


def nexthops(box: Namespace) -> dict[int, Hops]:
    """Every nexthop object, groups flattened to their members."""
    single: dict[int, Hop] = {}
    groups: dict[int, list[tuple[int, int]]] = {}
    for row in stream_ip(box, "nexthop", "show"):
        if "group" in row:
            groups[row["id"]] = [(member["id"], member.get("weight", 1)) for member in row["group"]]
        elif "blackhole" in row:
            single[row["id"]] = Hop("", "blackhole")
        else:
            single[row["id"]] = Hop(row.get("gateway", row.get("via", {}).get("host", "")), row.get("dev", ""))
    found: dict[int, Hops] = {number: frozenset(((hop, 1),)) for number, hop in single.items()}
    found.update(
        {number: frozenset((single[m], weight) for m, weight in members) for number, members in groups.items()}
    )
    return found


def _inline(row: dict[str, Any]) -> Hops:
    if row.get("type") in _OPENING:
        return frozenset(((Hop("", row["type"]), 1),))
    hops = row.get("nexthops", [row])
    return frozenset(
        (Hop(h.get("gateway", h.get("via", {}).get("host", "")), h.get("dev", "")), h.get("weight", 1)) for h in hops
    )


def _destination(text: str, of: int) -> str:
    if text == "default":
        return "0.0.0.0/0" if of == 4 else "::/0"
    if "/" not in text:
        return f"{text}/{32 if of == 4 else 128}"
    return text if of == 4 else prefix(text)


def stream_ip(box: Namespace, *words: str) -> Iterator[dict[str, Any]]:
    """The objects of an ``ip -j`` list, one by one."""
    argv = ["ip", "-n", box.kernel_name, "-j", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        yield from stream_objects(child.stdout)
        problem = child.stderr.read()
    if child.returncode != 0 and problem.strip():
        raise CommandFailed(f"{' '.join(argv)} … exit {child.returncode}: {problem.strip()}")


def stream_objects(source: IO[str], start: str = "[") -> Iterator[dict[str, Any]]:
    """The objects of the first JSON list behind ``start``, without holding the list."""
    decode = json.JSONDecoder().raw_decode
    buffer = ""
    while start not in buffer:
        more = source.read(CHUNK)
        if not more:
            return
        buffer += more
    position = buffer.index(start) + len(start)
    while True:
        # Between objects there is only white space and a comma; a closing bracket ends the list.
        while position < len(buffer) and buffer[position] in " \t\r\n,":
            position += 1
        if position < len(buffer) and buffer[position] == "]":
            while source.read(CHUNK):
                pass
            return
        try:
            value, position = decode(buffer, position)
        except ValueError:
            more = source.read(CHUNK)
            if not more:
                if buffer[position:].strip():
                    raise
                return
            buffer = buffer[position:] + more
            position = 0
            continue
        yield value
        if position > CHUNK:
            buffer = buffer[position:]
            position = 0
