"""``python -m bench.instructions``: what the pieces of the native core cost, in instructions per prefix, beside what
they cost when the kept file was written. Callgrind counts, so neither the machine's speed nor its load shows.

Options: ``--renew`` writes the kept file. ``--profile PIECE`` shows where one piece spends them, with misses of
simulated caches (``--prefixes N`` of a larger table). Exit status 1: a piece costs more than the tolerance allows.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

NATIVE = Path(__file__).parents[1] / "native"
KEPT = NATIVE / "core" / "benches" / "instructions.txt"
PREFIXES = 30_000
# Hash tables are seeded anew in every run: over so many prefixes that moves no piece by more than 0.3 %.
TOLERANCE = 0.02
COUNTED = "instructions::counted_alone"

Costs = dict[str, float]


@dataclass(frozen=True, slots=True)
class Kept:
    """``made_by``: compiler and C library. Others make other instructions of the same source."""

    made_by: str
    costs: Costs

    @classmethod
    def parse(cls, text: str) -> Kept:
        lines = text.splitlines()
        rows = (line.rsplit(maxsplit=1) for line in lines if line and not line.startswith("#"))
        return cls(lines[0].removeprefix("# "), {piece: float(cost) for piece, cost in rows})

    def text(self) -> str:
        rows = (f"{piece:<28}{cost:10.2f}\n" for piece, cost in self.costs.items())
        return f"# {self.made_by}\n# Instructions per prefix: make bench-instructions ARGS=--renew\n{''.join(rows)}"


@dataclass(frozen=True, slots=True)
class Row:
    piece: str
    cost: float | None
    kept: float | None

    @property
    def change(self) -> float:
        """1 % more is 0.01; a piece that is new or gone has not changed."""
        return self.cost / self.kept - 1 if self.cost is not None and self.kept else 0.0

    @property
    def verdict(self) -> str:
        if self.kept is None:
            return "new"
        if self.cost is None:
            return "gone"
        if abs(self.change) <= TOLERANCE:
            return ""
        return "MORE" if self.change > 0 else "less"

    def __str__(self) -> str:
        cost, kept = (f"{n:10.2f}" if n is not None else f"{'-':>10}" for n in (self.cost, self.kept))
        change = f"{self.change:+9.2%}" if self.verdict not in ("new", "gone") else " " * 9
        return f"{self.piece:<28}{cost}{kept}{change}  {self.verdict}".rstrip()


def compare(kept: Costs, found: Costs) -> list[Row]:
    """All pieces of both, in the order of those found."""
    return [Row(piece, found.get(piece), kept.get(piece)) for piece in found | kept]


def sum_up(stretches: Iterable[str], totals: Iterable[int]) -> Costs:
    """``stretches``: a piece, a tab, its prefixes; ``totals``: the instructions of each."""
    sums: dict[str, tuple[int, int]] = {}
    for line, total in zip(stretches, totals, strict=True):
        piece, _, prefixes = line.partition("\t")
        before = sums.get(piece, (0, 0))
        sums[piece] = before[0] + total, before[1] + int(prefixes)
    return {piece: total / prefixes for piece, (total, prefixes) in sums.items()}


def total(profile: str) -> int:
    """Of one file that callgrind wrote."""
    return next(int(line.split()[1]) for line in profile.splitlines() if line.startswith("totals:"))


def _said_by(command: list[str]) -> str:
    return subprocess.run(command, cwd=NATIVE, check=True, stdout=subprocess.PIPE, text=True).stdout


def build() -> Path:
    """The program that holds the pieces, built as the extension is."""
    bench = [
        "cargo",
        "bench",
        "--quiet",
        "--locked",
        "--no-run",
        "--package",
        "routing-core",
        "--bench",
        "instructions",
    ]
    told = _said_by([*bench, "--message-format=json-render-diagnostics"])
    messages = (json.loads(line) for line in told.splitlines())
    return next(Path(m["executable"]) for m in messages if m.get("executable"))


def made_by() -> str:
    version = _said_by(["rustc", "--version", "--verbose"])
    said = dict(line.split(": ", 1) for line in version.splitlines() if ": " in line)
    return f"rustc {said['release']}, {said['host']}, {' '.join(platform.libc_ver())}"


def count(program: Path, out: Path, prefixes: int, piece: str | None, *options: str) -> Iterator[tuple[str, Path]]:
    """Runs one piece or all; each stretch that counts, and callgrind's file of it in ``out``."""
    command = ["valgrind", "-q", "--tool=callgrind", f"--toggle-collect={COUNTED}", f"--dump-after={COUNTED}"]
    command += [f"--callgrind-out-file={out / 'stretch'}", *options, str(program), str(prefixes)]
    command += [piece] if piece else []
    for number, stretch in enumerate(_said_by(command).splitlines(), 1):
        yield stretch, out / f"stretch.{number}"


def profile(program: Path, piece: str, prefixes: int) -> None:
    with TemporaryDirectory() as directory:
        files = [file for _, file in count(program, Path(directory), prefixes, piece, "--cache-sim=yes")]
        subprocess.run(["callgrind_annotate", "--auto=no", "--show-percs=no", *map(str, files)], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--profile", metavar="PIECE")
    parser.add_argument("--prefixes", type=int, default=PREFIXES)
    options = parser.parse_args()
    program = build()
    if options.profile:
        profile(program, options.profile, options.prefixes)
        return 0
    with TemporaryDirectory() as directory:
        counted = list(count(program, Path(directory), PREFIXES, None))
        found = sum_up((stretch for stretch, _ in counted), (total(file.read_text()) for _, file in counted))
    here = made_by()
    kept = Kept.parse(KEPT.read_text()) if KEPT.exists() else Kept(here, {})
    print(f"{'instructions per prefix':<28}{'now':>10}{'kept':>10}{'change':>9}")
    rows = compare(kept.costs, found)
    for row in rows:
        print(row)
    if options.renew:
        KEPT.write_text(Kept(here, found).text())
        return 0
    if kept.made_by != here:
        print(f"kept with {kept.made_by}, counted with {here}: no verdict, renew the file")
        return 0
    return int(any(row.verdict == "MORE" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
