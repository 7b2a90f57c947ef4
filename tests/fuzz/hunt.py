"""The hunt: inputs changed again and again, those kept that take a new way through the code."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType, ModuleType
from typing import Final

from tests.fuzz.arcs import Arc, Arcs
from tests.fuzz.mutation import mutated

TOO_LONG: Final = 5.0
"""Seconds of processor time that no input may take."""
GROWTH: Final = 64 << 20
"""Bytes by which the process may grow once a fifth of the time is over."""
Target = Callable[[bytes], None]


class TookTooLongError(Exception):
    """An input that does not come to an end."""


@dataclass(frozen=True, slots=True)
class Hunted:
    inputs: int
    kept: int
    arcs: int


def hunt(
    target: Target, seeds: Sequence[bytes], *modules: ModuleType, inputs: int, seconds: float = 0.0, seed: int = 1
) -> Hunted:
    """``target`` is given ``inputs`` inputs, or as many as ``seconds`` allow; what it raises is a finding, told with
    the shortest input found that raises it."""
    tracer, rng = Arcs(*modules), Random(seed)
    corpus, known, done, early = list(seeds), set[Arc](), 0, 0
    begun = time.monotonic()
    with _alarm():
        for data in corpus:
            known |= _ways(tracer, target, data)
        while done < inputs or time.monotonic() - begun < seconds:
            data = mutated(rng.choice(corpus), corpus, rng)
            ways = _ways(tracer, target, data)
            if not ways <= known:
                known |= ways
                corpus.append(data)
            done += 1
            if not early and done >= inputs // 5 and time.monotonic() - begun >= seconds / 5:
                early = _resident()
    grown = _resident() - early
    assert grown < GROWTH, f"{grown >> 20} MiB more after {done} inputs"
    return Hunted(done, len(corpus), len(known))


def _ways(tracer: Arcs, target: Target, data: bytes) -> set[Arc]:
    try:
        signal.setitimer(signal.ITIMER_PROF, TOO_LONG)
        return tracer.of(lambda: target(data))
    except Exception as error:
        shortest = _shorter(target, data, type(error))
        raise AssertionError(f"{type(error).__name__}: {error}; bytes.fromhex({shortest.hex()!r})") from error


def _shorter(target: Target, data: bytes, kind: type[Exception]) -> bytes:
    """With parts left out for as long as the same kind of error is raised."""
    size = len(data) // 2
    while size:
        for at in range(0, len(data), size):
            less = data[:at] + data[at + size :]
            if _raises(target, less, kind):
                data = less
                break
        else:
            size //= 2
    return data


def _raises(target: Target, data: bytes, kind: type[Exception]) -> bool:
    try:
        signal.setitimer(signal.ITIMER_PROF, TOO_LONG)
        target(data)
    except kind:
        return True
    except Exception:
        return False
    return False


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TookTooLongError(f"more than {TOO_LONG:.0f} s")

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
