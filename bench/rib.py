"""``python -m bench.rib [PREFIXES] [SOURCES] [--backup]``: the native RIB alone with several full sources.

Every source gives the same prefixes with paths and next hops of its own. Shows the rate of insertion, what the process
takes for it, then the loss of the source that is best for most: how long all slices of it take, and the longest.
The tables are made by one process and read by another, so that only the RIB's memory is counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import native
from tests.lab import tables

READ = 262_144
ASN = 65000
FIRST = 65100


def address(source: int) -> bytes:
    return bytes((10, 9, source, 2))


def make(directory: Path, prefixes: int, sources: int) -> None:
    """One file of UPDATEs a source. The first has the shortest paths, so it is best for all."""
    table = tables.generate(prefixes, first_asn=FIRST, next_hop="10.9.0.2")
    (directory / "0").write_bytes(table.encode())
    for number in range(1, sources):
        longer = table.with_path((FIRST + number, 64000 + number), f"10.9.{number}.2")
        (directory / str(number)).write_bytes(longer.encode())


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def engine_with_peers(sources: int) -> tuple[native.Engine, list[int]]:
    engine = native.Engine(router_id=bytes((10, 255, 0, 1)), asn=ASN, digest_key=bytes(16))
    connected = engine.add_connected_source()
    peers = []
    for number in range(sources):
        engine.put_connected(connected, (bytes((10, 9, number, 0)), 24), "ncp1", f"eth{number}")
        peers.append(engine.add_peer(address=address(number), asn=FIRST + number, router_id=address(number), ebgp=True))
    return engine, peers


def load(engine: native.Engine, peer: int, asn: int, file: Path) -> float:
    terms = native.SessionTerms(peer_asn=asn, local_asn=ASN, four_octet_as=True, families=[(1, 1)])
    framer = native.Framer()
    spent = 0.0
    with file.open("rb") as source:
        while data := source.read(READ):
            start = time.perf_counter()
            for item in framer.feed(data).items:
                if isinstance(item, native.Updates):
                    engine.receive(peer, item, terms)
            spent += time.perf_counter() - start
    return spent


def measure(directory: Path, sources: int, backup: bool) -> None:
    empty = resident()
    engine, peers = engine_with_peers(sources)
    if backup:
        engine.set_options(backup=True)
    agent = engine.fib_open()
    spent = []
    for number, peer in enumerate(peers):
        spent.append(load(engine, peer, FIRST + number, directory / str(number)))
        while engine.fib_read(agent) is not None:
            pass
    counts = engine.counts()
    prefixes, paths = counts["ipv4"]["prefixes"], counts["ipv4"]["paths"]
    print(f"{paths} paths of {sources} sources in {prefixes} prefixes, {counts['attribute_sets']} attribute sets")
    print(f"inserted in {sum(spent):.2f} s: {paths / sum(spent) / 1e6:.2f} M paths/s", end="; ")
    print("by source:", " ".join(f"{seconds:.2f}" for seconds in spent))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    taken = resident() - empty
    print(f"memory: {taken / 1e6:.0f} MB, peak of the process {peak / 1e6:.0f} MB (empty {empty / 1e6:.0f} MB)")
    for kind, size in engine.memory().items():
        print(f"  {kind:16} {size / 1e6:8.1f} MB")
    slices = [timed(lambda: engine.remove_source(peers[0]))]
    first = engine.fib_read(agent)
    found = "nothing" if first is None else f"{len(first.groups)} groups, {first.count} routes, urgent: {first.urgent}"
    print(f"the best source is lost: {slices[0][0] * 1000:.2f} ms, and the first read of the FIB has {found}")
    more = [True]
    while more[-1]:
        slices.append(timed(lambda: more.append(engine.step())))
    wall, cpu = zip(*slices, strict=True)
    print(f"all re-selected after {sum(wall):.2f} s in {len(slices)} slices", end="; ")
    print(f"the longest {max(wall) * 1000:.2f} ms, of the processor's time {max(cpu) * 1000:.2f} ms")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that passed, and those of them that this thread ran: on a busy machine they differ."""
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - wall, time.thread_time() - cpu


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m bench.rib")
    words.add_argument("prefixes", type=int, nargs="?", default=1_000_000)
    words.add_argument("sources", type=int, nargs="?", default=10)
    words.add_argument("--backup", action="store_true", help="keep a backup path beside each best one")
    chosen = words.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="rd-bench-") as name:
        for work, arguments in (
            (make, (Path(name), chosen.prefixes, chosen.sources)),
            (measure, (Path(name), chosen.sources, chosen.backup)),
        ):
            child = spawn.Process(target=work, args=arguments)
            child.start()
            child.join()
            if child.exitcode:
                raise SystemExit(child.exitcode)


if __name__ == "__main__":
    main()
