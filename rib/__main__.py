"""``python -m rib FILE [PREFIX]``: what an MRT file holds, and why one of its prefixes is routed as it is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from rib.api import Rib
from rib.listing import SHOWN


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rib",
        description="What an MRT file (TABLE_DUMP_V2 or BGP4MP; plain, .gz or .bz2) holds, as a router would see it.",
    )
    parser.add_argument("file")
    parser.add_argument("prefix", nargs="?", help="a prefix or an address to explain")
    parser.add_argument("--asn", type=int, help="whose table it is: peers in this AS are internal")
    parser.add_argument("--no-assume-reachable", action="store_true", help="do not take next hops for neighbours")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    chosen = parser.parse_args(arguments)
    try:
        rib = Rib.from_mrt(
            chosen.file,
            asn=chosen.asn,
            assume_reachable=not chosen.no_assume_reachable,
            progress=not chosen.quiet,
        )
        if chosen.prefix is not None:
            print(rib.explain(chosen.prefix))
        else:
            print("\n".join(summary(rib)))
    except (OSError, ValueError) as error:
        print(f"python -m rib: {error}", file=sys.stderr)
        return 1
    return 0


def summary(rib: Rib) -> Iterator[str]:
    loaded, counts = rib.loaded, rib.counts()
    assert loaded is not None
    yield f"{loaded.path}: {loaded.peers} peers, {loaded.updates:,} updates, of which {loaded.faults:,} with faults"
    yield f"announced {loaded.announced:,}, withdrawn {loaded.withdrawn:,}, other records {loaded.skipped:,}"
    for family in ("ipv4", "ipv6"):
        yield f"IP{family[2:]}: {counts[family]['prefixes']:,} prefixes, {counts[family]['paths']:,} paths"
    yield f"{counts['tracked_next_hops']:,} next hops, {counts['groups']:,} groups"
    sizes = rib.memory()
    if sizes:
        yield "memory: " + ", ".join(f"{kind.replace('_', ' ')} {amount(size)}" for kind, size in sizes.items())
    yield ""
    yield "Paths by source:"
    rows = sorted(((sum(rib.path_counts(source).values()), str(source)) for source in rib.sources()), reverse=True)
    for paths, name in rows[:SHOWN]:
        yield f"{paths:>12,}  {name}"
    if len(rows) > SHOWN:
        yield f"{'...':>12}  and {len(rows) - SHOWN} more"


def amount(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


if __name__ == "__main__":
    sys.exit(main())
