"""``python -m bench.export [PREFIXES [PEERS]]``: one table to many eBGP peers, each on a subnet of its own, by the
native core alone."""

from __future__ import annotations

import sys
import time

import native
from bench.sessions import FIRST_ASN, OUR_ASN, Session
from tests.lab import tables


def main() -> int:
    prefixes, peers = (int(a) for a in (sys.argv[1:] + ["200000", "20"][len(sys.argv) - 1 :])[:2])
    engine = native.Engine(router_id=bytes((10, 255, 0, 1)), asn=OUR_ASN, digest_key=bytes(16))
    engine.put_connected(engine.add_connected_source(), (bytes((10, 9, 0, 0)), 24), "ncp1", "eth0")
    giver = engine.add_peer(address=bytes((10, 9, 0, 2)), asn=FIRST_ASN, router_id=bytes((10, 9, 0, 2)), ebgp=True)
    terms = native.SessionTerms(peer_asn=FIRST_ASN, local_asn=OUR_ASN, four_octet_as=True, families=[(1, 1)])
    framed = native.Framer().feed(tables.generate(prefixes, first_asn=FIRST_ASN, next_hop=Session(0).local).encode())
    for item in framed.items:
        assert isinstance(item, native.Updates)
        engine.receive(giver, item, terms)
    consumers = []
    for n in range(1, peers + 1):
        peer = engine.add_peer(address=bytes((10, 9, n, 2)), asn=65200 + n, router_id=bytes((10, 9, n, 2)), ebgp=True)
        consumers.append(
            engine.export_open(
                peer_source=peer, afi=1, safi=1, ebgp=True, local_asn=OUR_ASN, peer_asn=65200 + n, next_hop_self=True,
                local_address=bytes((10, 9, n, 1)), local_link=None, four_octet_as=True,
            )
        )  # fmt: skip
    start = time.perf_counter()
    octets = 0
    waiting = list(consumers)
    while waiting:
        rest = []
        for consumer in waiting:
            told = engine.export_read(consumer)
            if told is not None:
                octets += len(told[0])
                rest.append(consumer)
        waiting = rest
    spent = time.perf_counter() - start
    print(f"{prefixes:,} prefixes to {peers} peers on {peers} subnets: {spent:.3f} s, {octets / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
