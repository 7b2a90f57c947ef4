"""``python -m bench.peer_loss [PREFIXES [NEXT-HOPS]]``: two iBGP peers give the same prefixes, each through next
hops of its own, and a default route; the better one is lost. Without backups and with them: what a call costs, and
how soon the groups have moved. Milliseconds are of CPU time, so that a busy machine does not count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import native
from bench.sessions import OUR_ASN
from tests.lab import tables, updates
from tests.lab.attributes import Attributes

T = TypeVar("T")
READ = 262_144
DEFAULT = [(bytes(4), 0)]


def main() -> int:
    prefixes, next_hops = (int(a) for a in (sys.argv[1:] + ["1000000", "4000"][len(sys.argv) - 1 :])[:2])
    table = tables.generate(prefixes, first_asn=65100, next_hop="0.0.0.0")
    blobs = [encode(table, peer, next_hops) for peer in (0, 1)]
    for backup in (False, True):
        print(f"{prefixes} prefixes from two peers, {next_hops} next hops each; backups {'on' if backup else 'off'}")
        run(blobs, backup)
    return 0


def encode(table: tables.Table, peer: int, next_hops: int) -> bytes:
    """The table as this peer tells it: attribute set n through next hop n, so that pairs of next hops repeat."""
    table.sets = [a._replace(next_hop=address(peer, n % next_hops)) for n, a in enumerate(table.sets)]
    default = Attributes(as_path="65100", next_hop=f"10.9.{peer}.2")
    return b"".join(updates.announcements(DEFAULT, default)) + table.encode()


def address(peer: int, n: int) -> str:
    return f"10.{64 + 64 * peer + (n >> 16)}.{n >> 8 & 255}.{n & 255}"


def run(blobs: list[bytes], backup: bool) -> None:
    engine = native.Engine(router_id=bytes((10, 255, 0, 1)), asn=OUR_ASN, digest_key=bytes(16))
    engine.set_options(backup=backup)
    connected, static = engine.add_connected_source(), engine.add_static_source()
    for peer in (0, 1):
        engine.put_connected(connected, (bytes((10, 9, peer, 0)), 24), "ncp1", f"eth{peer}")
    # Half of the next hops of the peer that stays are found by the default route alone
    engine.put_static(static, (bytes((10, 64, 0, 0)), 10), [{"address": bytes((10, 9, 0, 2))}])
    engine.put_static(static, (bytes((10, 128, 0, 0)), 21), [{"address": bytes((10, 9, 1, 2))}])
    agent = engine.fib_open()
    terms = native.SessionTerms(peer_asn=OUR_ASN, local_asn=OUR_ASN, four_octet_as=True, families=[(1, 1)])
    peers = []
    for peer, blob in enumerate(blobs):
        host = bytes((10, 9, peer, 2))
        peers.append(engine.add_peer(address=host, asn=OUR_ASN, router_id=host, ebgp=False))
        spent = insert(engine, peers[-1], blob, terms)
        print(f"  insert and select, peer {peer + 1}: {spent:.3f} s")
        settle(engine)
        read(engine, agent)
    groups = len(engine.groups())
    lost, _ = milliseconds(lambda: engine.remove_source(peers[0]))
    told, delta = milliseconds(lambda: engine.fib_read(agent))
    print(f"  the peer is lost: {lost:.2f} ms, then {moved(delta)} of {groups} groups in {told:.2f} ms")
    slices = settle(engine)
    print(f"  all re-selected: {sum(slices) / 1000:.3f} s in {len(slices)} slices, the longest {max(slices):.2f} ms")
    reads = read(engine, agent)
    print(f"  told to the FIB: {sum(reads) / 1000:.3f} s in {len(reads)} reads, the longest {max(reads):.2f} ms")


def moved(delta: native.FibDelta | None) -> int:
    assert delta is None or not delta.count, "groups move before routes"
    return len(delta.groups) if delta else 0


def insert(engine: native.Engine, peer: int, blob: bytes, terms: native.SessionTerms) -> float:
    framer = native.Framer()
    spent = 0.0
    for at in range(0, len(blob), READ):
        for item in framer.feed(blob[at : at + READ]).items:
            assert isinstance(item, native.Updates)
            run = item
            spent += milliseconds(lambda: engine.receive(peer, run, terms))[0]  # noqa: B023
    return spent / 1000


def settle(engine: native.Engine) -> list[float]:
    slices = []
    more = True
    while more:
        spent, more = milliseconds(engine.step)
        slices.append(spent)
    return slices


def read(engine: native.Engine, agent: int) -> list[float]:
    reads = []
    delta: object = engine
    while delta is not None:
        spent, delta = milliseconds(lambda: engine.fib_read(agent))
        reads.append(spent)
    return reads


def milliseconds(call: Callable[[], T]) -> tuple[float, T]:
    start = time.thread_time()
    result = call()
    return (time.thread_time() - start) * 1000, result


if __name__ == "__main__":
    sys.exit(main())
