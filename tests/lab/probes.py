"""Packets from a host: one ping, the path they take, and a stream of them while something breaks."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Final

from tests.lab.lab import Namespace
from tests.lab.process import Process


@dataclass(frozen=True, slots=True)
class Loss:
    sent: int
    received: int

    @property
    def lost(self) -> int:
        return self.sent - self.received


_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")
_ANSWER = re.compile(r"icmp_seq=(\d+) ")
ON_THE_WAY: Final = 0.2
"""Seconds an answer may take: what was asked later than that before the end is no loss."""


def ping(
    box: Namespace, destination: str, *, count: int = 3, source: str | None = None, size: int = 56, deadline: int = 5
) -> Loss:
    """``count`` echo requests, a fifth of a second apart."""
    words = ["ping", "-n", "-c", str(count), "-i", "0.2", "-w", str(deadline), "-s", str(size)]
    words += ["-I", source] if source else []
    return _loss(box.run(*words, destination, check=False))


def _loss(text: str) -> Loss:
    found = _COUNTS.search(text)
    return Loss(int(found.group(1)), int(found.group(2))) if found else Loss(0, 0)


def traceroute(box: Namespace, destination: str, *, source: str | None = None) -> list[str]:
    """The address that answered at each hop; ``*`` where none did."""
    words = ["traceroute", "-n", "-q", "1", "-w", "1", "-m", "10", *(["-6"] if ":" in destination else ["-4"])]
    words += ["-s", source] if source else []
    hops = []
    for line in box.run(*words, destination).splitlines()[1:]:
        fields = line.split()
        if len(fields) > 1 and fields[0].isdigit():
            hops.append(fields[1])
    return hops


class PingStream:
    """Echo requests at a steady rate until ``finish``: how many a failure costs."""

    def __init__(self, box: Namespace, destination: str, *, interval: float = 0.01) -> None:
        self.interval = interval
        self._process: Process = box.start(
            f"ping-{destination.replace(':', '_')}", ["ping", "-n", "-i", str(interval), destination]
        )

    def finish(self) -> Loss:
        self._process.signal(signal.SIGINT)
        self._process.wait(10)
        return whole(self._process.output(), self.interval)


def whole(text: str, interval: float) -> Loss:
    """Of ping's output at its end, answer by answer: without the requests whose answers were still on the way."""
    loss = _loss(text)
    answers = _ANSWER.findall(text)
    last = (loss.sent - int(answers[-1])) % 65536 if answers else 0
    return Loss(loss.sent - last, loss.received) if last * interval <= ON_THE_WAY else loss
