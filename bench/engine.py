"""``python -m bench.engine [PREFIXES | MRT-FILE]``: the native core alone, on one core, without sockets or kernel:
decode and select, export, FIB columns, and the loss of the peer. A recording is taken as one of an iBGP
session whose next hops all lead to the peer.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import native
from bench.sessions import FIRST_ASN, OUR_ASN, Session
from tests.lab import mrt, tables

READ = 262_144


def main() -> int:
    work = sys.argv[1] if len(sys.argv) > 1 else "1000000"
    recorded = not work.isdigit()
    asn = OUR_ASN if recorded else FIRST_ASN
    if recorded:
        blob = mrt.update_blob(Path(work))
    else:
        blob = tables.generate(int(work), first_asn=FIRST_ASN, next_hop=Session(0).local).encode()
    engine = native.Engine(router_id=bytes((10, 255, 0, 1)), asn=OUR_ASN, digest_key=bytes(16))
    engine.put_connected(engine.add_connected_source(), (bytes((10, 9, 0, 0)), 24), "ncp1", "eth0")
    if recorded:
        static = engine.add_static_source()
        for half in (0, 128):
            engine.put_static(static, (bytes((half, 0, 0, 0)), 1), [{"address": bytes((10, 9, 0, 2))}])
    peer, other = (
        engine.add_peer(
            address=bytes((10, 9, n, 2)), asn=number, router_id=bytes((10, 9, n, 2)), ebgp=number != OUR_ASN
        )
        for n, number in ((0, asn), (1, 65200))
    )
    agent = engine.fib_open()
    told = engine.export_open(
        peer_source=other, afi=1, safi=1, ebgp=True, local_asn=OUR_ASN, peer_asn=65200, next_hop_self=True,
        local_address=bytes((10, 9, 1, 1)), local_link=None, four_octet_as=True,
    )  # fmt: skip
    terms = native.SessionTerms(peer_asn=asn, local_asn=OUR_ASN, four_octet_as=True, families=[(1, 1)])
    framer = native.Framer()
    spent = dict.fromkeys(("frame, decode, insert, select", "export to one eBGP peer", "FIB columns"), 0.0)
    for at in range(0, len(blob), READ):
        marks = [time.perf_counter()]
        for item in framer.feed(blob[at : at + READ]).items:
            assert isinstance(item, native.Updates)
            engine.receive(peer, item, terms)
        marks.append(time.perf_counter())
        while engine.export_read(told) is not None:
            pass
        marks.append(time.perf_counter())
        while engine.fib_read(agent) is not None:
            pass
        marks.append(time.perf_counter())
        for name, start, end in zip(spent, marks, marks[1:], strict=False):
            spent[name] += end - start
    for name, seconds in spent.items():
        print(f"{name:34} {seconds:6.3f} s")
    slices = []
    engine.remove_source(peer)
    more = True
    while more:
        start = time.perf_counter()
        more = engine.step()
        slices.append(time.perf_counter() - start)
    print(f"{'the peer is lost: all re-selected':34} {sum(slices):6.3f} s, longest slice {max(slices) * 1000:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
