"""A generated table that looks like the Internet's: same seed, same bytes, same truth.

Owns the shape: prefix lengths as the DFZ has them (about 58 % /24), no duplicates, about five prefixes per attribute
set, AS paths of two to six hops with prepends, communities, some large ones, some MED.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.lab import updates
from tests.lab.attributes import Attributes, Route, communities, large_communities

# Share of each prefix length, per thousand; the longest takes what rounding leaves too.
IPV4_LENGTHS = {
    11: 1,
    12: 1,
    13: 1,
    14: 2,
    15: 3,
    16: 15,
    17: 9,
    18: 16,
    19: 30,
    20: 48,
    21: 55,
    22: 130,
    23: 107,
    24: 582,
}
IPV6_LENGTHS = {
    29: 25,
    30: 5,
    32: 125,
    33: 15,
    34: 12,
    35: 8,
    36: 40,
    38: 10,
    40: 75,
    42: 15,
    44: 80,
    45: 12,
    46: 25,
    47: 35,
    48: 518,
}
# First octets the generator draws from: nothing private, special (RFC 6890) or used by the labs' own links.
IPV4_BLOCKS = [octet for octet in range(1, 224) if octet not in (10, 100, 127, 169, 172, 192, 198, 203)]
IPV6_BLOCKS = [0x240, 0x260, 0x280, 0x2A0, 0x2C0]  # /12s that the registries hand out


@dataclass(slots=True)
class Table:
    """Attribute sets, and for each the run of prefixes that share it. Prefixes are packed, not objects: a million
    costs 20 MB."""

    family: int
    sets: list[Attributes] = field(default_factory=list)
    ends: array[int] = field(default_factory=lambda: array("L"))
    addresses: array[int] = field(default_factory=lambda: array("Q"))
    """IPv4: the address. IPv6: its upper 64 bits (no prefix is longer than /48)."""
    lengths: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.addresses)

    def prefixes(self, start: int, end: int) -> list[updates.Prefix]:
        if self.family == 4:
            return [(struct.pack("!I", self.addresses[i]), self.lengths[i]) for i in range(start, end)]
        return [(struct.pack("!QQ", self.addresses[i], 0), self.lengths[i]) for i in range(start, end)]

    def runs(self) -> Iterator[tuple[Attributes, int, int]]:
        start = 0
        for attributes, end in zip(self.sets, self.ends, strict=True):
            yield attributes, start, end
            start = end

    def truth(self) -> Iterator[Route]:
        """Each (prefix, attributes), as announced."""
        for attributes, start, end in self.runs():
            for address, length in self.prefixes(start, end):
                yield updates.format_prefix(address, length), attributes

    def encode(self, *, end_of_rib: bool = True) -> bytes:
        """The table as UPDATE messages, ready to send."""
        out: list[bytes] = []
        for attributes, start, end in self.runs():
            out.extend(updates.announcements(self.prefixes(start, end), attributes))
        if end_of_rib:
            out.append(updates.END_OF_RIB_IPV4 if self.family == 4 else updates.END_OF_RIB_IPV6[0])
        return b"".join(out)

    def head(self, count: int) -> Table:
        """The first sets that hold at least ``count`` prefixes."""
        sets = next((n + 1 for n, end in enumerate(self.ends) if end >= count), len(self.ends))
        end = self.ends[sets - 1] if sets else 0
        return Table(self.family, self.sets[:sets], self.ends[:sets], self.addresses[:end], self.lengths[:end])

    def with_path(self, first: tuple[int, ...], next_hop: str) -> Table:
        """The same prefixes as another neighbour would announce them: other AS numbers in front, other next hop."""
        front = " ".join(str(asn) for asn in first)
        sets = [a._replace(as_path=f"{front} {a.as_path.partition(' ')[2]}", next_hop=next_hop) for a in self.sets]
        return Table(self.family, sets, self.ends, self.addresses, self.lengths)


def generate(
    count: int, *, seed: int = 1, family: int = 4, first_asn: int, next_hop: str, local_pref: int | None = None
) -> Table:
    """``count`` prefixes as the neighbour ``first_asn`` announces them."""
    rng = random.Random(f"{seed}/{family}/{count}")
    drawn = _draw(rng, count, family)
    table = Table(
        family,
        addresses=array("Q", (prefix >> 8 for prefix in drawn)),
        lengths=bytearray(prefix & 0xFF for prefix in drawn),
    )
    transit = [rng.randrange(200, 4200) for _ in range(12)]
    middle = [rng.randrange(4200, 60000) for _ in range(3000)]
    edge = [
        rng.randrange(196608, 402000) if rng.random() < 0.45 else rng.randrange(4200, 64000)
        for _ in range(max(10, count // 14))
    ]
    end = 0
    while end < count:
        end = min(count, end + _set_size(rng))
        table.sets.append(_attributes(rng, first_asn, transit, middle, edge, next_hop, local_pref))
        table.ends.append(end)
    return table


def _set_size(rng: random.Random) -> int:
    """Mean five: most origins announce one or two prefixes alike, a few announce dozens."""
    draw = rng.random()
    if draw < 0.45:
        return 1
    if draw < 0.90:
        return rng.randrange(2, 9)
    return rng.randrange(9, 40)


def _draw(rng: random.Random, count: int, family: int) -> list[int]:
    """Distinct prefixes as (address << 8 | length), in random order."""
    shares = IPV4_LENGTHS if family == 4 else IPV6_LENGTHS
    blocks = IPV4_BLOCKS if family == 4 else IPV6_BLOCKS
    block_length, width = (8, 32) if family == 4 else (12, 64)
    longest = max(shares)
    out: list[int] = []
    for length, share in sorted(shares.items()):
        free = length - block_length
        wanted = count - len(out) if length == longest else min(count * share // 1000, (len(blocks) << free) // 2)
        mask = (1 << free) - 1
        for index in rng.sample(range(len(blocks) << free), wanted):
            number = (blocks[index >> free] << free) | (index & mask)
            out.append((number << (width - length) << 8) | length)
    rng.shuffle(out)
    return out


def _attributes(
    rng: random.Random,
    first: int,
    transit: list[int],
    middle: list[int],
    edge: list[int],
    next_hop: str,
    local_pref: int | None,
) -> Attributes:
    hops = rng.choices((2, 3, 4, 5, 6), (6, 30, 38, 19, 7))[0]
    path = [first]
    if hops > 2:
        path.append(transit[int(len(transit) * rng.random() ** 2)])
    path.extend(middle[int(len(middle) * rng.random() ** 2)] for _ in range(hops - 3))
    path.append(edge[int(len(edge) * rng.random())])
    if rng.random() < 0.15:
        path.extend([path[-1]] * rng.randrange(1, 4))
    tags = [f"{path[1] & 0xFFFF}:{int(1 + 900 * rng.random())}" for _ in range(int(5 * rng.random() ** 2))]
    large = (
        [f"{path[-1]}:{int(10 * rng.random())}:{int(1000 * rng.random())}" for _ in range(2)]
        if rng.random() < 0.12
        else []
    )
    return Attributes(
        origin="igp" if rng.random() < 0.92 else "incomplete",
        as_path=" ".join(map(str, path)),
        next_hop=next_hop,
        med=int(200 * rng.random()) if rng.random() < 0.2 else None,
        local_pref=local_pref,
        atomic=rng.random() < 0.02,
        aggregator=f"{path[-1]} 193.0.{int(200 * rng.random())}.1" if rng.random() < 0.05 else None,
        communities=communities(tags),
        large=large_communities(large),
    )
