"""``python -m bench.orders [ROUNDS]``: what the order of its routes costs a bare netlink writer: as a peer tells them,
and sorted by prefix, wholly or within pieces."""

from __future__ import annotations

import statistics
import sys
import tempfile
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import netlink_limit
from bench.measured import Context
from bench.results import seconds
from bench.sessions import Session
from tests.lab import tables
from tests.lab.tables import Table

SIZES: Final = {4: 1_000_000, 6: 200_000}
PIECES: Final = (4096, 16_384, 32_768, 65_536, 131_072)


def ordered(table: Table, piece: int) -> Table:
    """Sorted within pieces of so many prefixes; 1: as it was."""
    rows = list(zip(table.addresses, table.lengths, strict=True))
    for start in range(0, len(rows), piece):
        rows[start : start + piece] = sorted(rows[start : start + piece])
    return replace(table, addresses=array("Q", (a for a, _ in rows)), lengths=bytearray(n for _, n in rows))


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for family, size in SIZES.items():
        session = Session(0, family, told=False)
        table = tables.generate(size, family=family, first_asn=session.asn, next_hop=session.local)
        orders = {1: "as told", **{piece: f"pieces of {piece:,}" for piece in PIECES}, size: "wholly sorted"}
        found: dict[int, list[float]] = {piece: [] for piece in orders}
        with tempfile.TemporaryDirectory(prefix="rd-bench-") as directory:
            for _ in range(rounds):
                for piece, times in found.items():
                    where = Path(directory, str(piece))
                    where.mkdir(exist_ok=True)
                    run = netlink_limit.load("order", Context(where), session, ordered(table, piece))
                    times.append(run.seconds)
        for piece, title in orders.items():
            times = found[piece]
            print(
                f"{size:,} IPv{family} routes, {title}: {seconds(statistics.median(times))}"
                f" ({seconds(min(times))} to {seconds(max(times))})"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
