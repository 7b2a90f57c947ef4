"""What must be true in the demo, worked out from what is announced and from nothing that routingd says."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab import demo_topology as t
from tests.lab import mrt, tables
from tests.lab.attributes import Attributes, Route, over_ebgp
from tests.lab.demo_topology import Demo
from tests.lab.updates import Replay, parse_prefix, withdrawals


class Truth:
    """The table that enters through bird1, the part of it that bird2 has too, and who must choose what."""

    def __init__(self, *, prefixes: int, seed: int, recording: Path | None) -> None:
        if recording is None:
            four = tables.generate(prefixes, seed=seed, first_asn=t.FEED_ASN, next_hop=t.FEED1)
            six = tables.generate(
                max(10, prefixes // 10), seed=seed, family=6, first_asn=t.FEED_ASN, next_hop=t.FEED1_SIX
            )
            self.blob = four.encode() + six.encode()
            self.table, self.six = dict(four.truth()), dict(six.truth())
            self.feed_asn = t.FEED_ASN
            self.backup = four.head(prefixes // 10).with_path((t.FEED_ASN, 65101, 65102, 65103), t.FEED2)
        else:
            self.blob = mrt.update_blob(recording)
            routes = Replay().feed(self.blob).routes
            special = [p for p in routes if _special(p)]
            if special:
                # The wire carries the recording as it is; what would hide the lab's own addresses is taken back at
                # its end.
                self.blob += b"".join(withdrawals([parse_prefix(p) for p in special]))
            routes = {p: a for p, a in routes.items() if not _special(p)}
            self.table = {p: a for p, a in routes.items() if ":" not in p}
            self.six = {p: a for p, a in routes.items() if ":" in p}
            # A recording with LOCAL_PREF is of an iBGP session, and its paths do not start with the sender.
            internal = any(a.local_pref is not None for a in routes.values())
            self.feed_asn = t.BIRD1_ASN if internal else int(next(iter(routes.values())).as_path.split()[0])
            self.backup = tables.generate(1000, seed=seed, first_asn=t.FEED_ASN, next_hop=t.FEED2).with_path(
                (t.FEED_ASN, *(65101,) * 60), t.FEED2
            )
        self.count = len(self.table) + len(self.six)

    def expect(self, demo: Demo) -> None:
        """Work out the sets, before any clock runs."""
        frr = demo.frr.announced(t.TO_FRR, next_hop=t.FRR)
        others = frr | demo.exabgp.announced(t.TO_EXABGP, next_hop=t.EXABGP)
        first = _retold(self.table, lambda a: over_ebgp(a, asn=t.BIRD1_ASN, next_hop=t.BIRD1))
        first |= {a.as_sent(asn=t.BIRD1_ASN, ebgp=True, next_hop=t.BIRD1) for a in demo.bird1.config.announce}
        second = _retold(dict(self.backup.truth()), lambda a: over_ebgp(a, asn=t.BIRD2_ASN, next_hop=t.BIRD2))
        second |= {a.as_sent(asn=t.BIRD2_ASN, ebgp=True, next_hop=t.BIRD2) for a in demo.bird2.config.announce}
        taken = {p for p, _ in first}
        # RFC 4271 9.1.2: a path with our own AS number in it is not for us; FRR says the same of its own.
        first = {(p, a) for p, a in first if not _through(a, t.ASN)}
        self.best: set[Route] = first | {(p, a) for p, a in second if p not in taken} | others
        """IPv4: bird1's paths are shorter than bird2's wherever both have one."""
        self.best_without_bird1: set[Route] = second | others
        self.best_six: set[Route] = _retold(
            self.six, lambda a: over_ebgp(a, asn=t.BIRD1_ASN, next_hop=t.BIRD1_SIX)
        ) | demo.frr.announced(t.TO_FRR_SIX, 6, next_hop=t.FRR_SIX)
        # RFC 7607 2: FRR refuses AS 0 in a path, and discards an AGGREGATOR that names it. Recordings have both.
        offered = {p: a for p, a in self.best - frr if not _through(a, t.FRR_ASN) and not _through(a, 0)}
        sent = _retold(offered, lambda a: _without_zero(over_ebgp(a, asn=t.ASN, next_hop=t.TO_FRR)))
        self.at_frr: set[Route] = sent | {(p, Attributes(as_path=str(t.ASN), next_hop=t.TO_FRR)) for p in t.NETWORKS}
        """What routingd must export to FRR: not what FRR sent itself (no route goes back to the peer it came from)."""


SPECIAL = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
]  # fmt: skip
"""Not global unicast (RFC 6890), and where the lab's own addresses are."""


def _special(prefix: str) -> bool:
    if ":" in prefix:
        return ipaddress.IPv6Network(prefix).subnet_of(ipaddress.IPv6Network("2001:db8::/32"))
    if (
        prefix.split(".", 1)[0] not in {"0", "10", "127", "169", "172", "192", "198", "203"}
        and int(prefix.split(".", 1)[0]) < 224
    ):
        return False
    network = ipaddress.IPv4Network(prefix)
    return network.prefixlen > 0 and any(network.subnet_of(special) for special in SPECIAL)


def _through(attributes: Attributes, asn: int) -> bool:
    return str(asn) in attributes.as_path.replace("{", " ").replace("}", " ").replace(",", " ").split()


def _without_zero(attributes: Attributes) -> Attributes:
    zero = attributes.aggregator is not None and attributes.aggregator.startswith("0 ")
    return attributes._replace(aggregator=None) if zero else attributes


def _retold(table: Mapping[str, Attributes], change: Callable[[Attributes], Attributes]) -> set[Route]:
    """Every route with its attributes changed; each distinct attribute set is changed once."""
    changed: dict[Attributes, Attributes] = {}
    out = set()
    for p, a in table.items():
        found = changed.get(a)
        if found is None:
            found = changed[a] = change(a)
        out.add((p, found))
    return out
