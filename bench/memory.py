"""``python -m bench.memory [PREFIXES]``: what prefixes, paths and attribute sets take in BIRD and in routingd's core.

A table from one peer, then from two, each with paths and attribute sets of its own for the same prefixes: what the
second adds is paths and sets, and what the first takes beyond that are prefixes. BIRD's figures are its own (``show
memory``), the core's those of ``Engine.memory()``.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import Final

from bench import blobs, rib
from bench.measured import BIRD, Context
from bench.sessions import Session
from bench.stage import Stage
from tests.lab.waiting import wait_for

UNITS: Final = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def in_bird(files: dict[Session, Path], prefixes: int) -> tuple[float, float]:
    """Bytes of its tables, and of attribute sets."""
    with Stage(BIRD, list(files)) as stage:
        for session, file in files.items():
            stage.peers.load(session.name, file)
        stage.peers.go(*(session.name for session in files))
        socket = str(stage.box.directory / "bird.ctl")
        routes = len(files) * prefixes
        wait_for(
            "BIRD to have all", lambda: stage.box.run("birdc", "-s", socket, "show", "route", "count"),
            lambda text: re.search(rf"\b{routes} of {routes} routes", text) is not None, timeout=300,
        )  # fmt: skip
        text = stage.box.run("birdc", "-s", socket, "show", "memory")
        rows = re.findall(r"^([A-Z][\w ]+):\s+([\d.]+) (\w+)", text, re.MULTILINE)
        found = {kind: float(number) * UNITS[unit] for kind, number, unit in rows}
        return found["Routing tables"], found["Route attributes"]


def in_core(files: dict[Session, Path]) -> tuple[float, float, int]:
    """Bytes of prefixes with their paths, and of attribute sets; how many sets there are."""
    engine, peers = rib.engine_with_peers(len(files))
    for peer, (session, file) in zip(peers, files.items(), strict=True):
        rib.load(engine, peer, session.asn, file)
    memory = engine.memory()
    return memory["prefixes"] + memory["paths"], memory["attribute_sets"], engine.counts()["attribute_sets"]


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m bench.memory")
    words.add_argument("prefixes", type=int, nargs="?", default=1_000_000)
    prefixes = words.parse_args().prefixes
    first, second = Session(0, told=False), Session(1, told=False)
    with tempfile.TemporaryDirectory(prefix="rd-bench-") as directory:
        context = Context(Path(directory), 1.0)
        one = {first: blobs.table(context, first, prefixes)}
        two = one | {second: blobs.second_best(context, second, prefixes)}
        core_one, core_sets, sets = in_core(one)
        core_two, _, _ = in_core(two)
        bird_one, bird_sets = in_bird(one, prefixes)
        bird_two, _ = in_bird(two, prefixes)
    print(f"{prefixes} prefixes, {sets} attribute sets; bytes")
    for kind, core, bird in (
        ("prefix", (2 * core_one - core_two) / prefixes, (2 * bird_one - bird_two) / prefixes),
        ("path", (core_two - core_one) / prefixes, (bird_two - bird_one) / prefixes),
        ("attribute set", core_sets / sets, bird_sets / sets),
        ("a prefix with one path", core_one / prefixes, bird_one / prefixes),
    ):
        print(f"{kind:24}routingd {core:6.0f}   BIRD {bird:6.0f}")


if __name__ == "__main__":
    main()
