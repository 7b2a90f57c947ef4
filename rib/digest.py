"""The digest that controller and agent keep of a FIB, in plain Python.

A wrapping sum of one keyed hash per route: a change costs one subtraction and one addition, and the order of changes
does not matter.
The hash is SipHash-2-4 (Aumasson, Bernstein 2012), so that a peer who chooses prefixes cannot forge sums. It covers
group *keys*, never
ids, so that it outlives a restart of the controller. Group keys are made with the same hash.

Each table's digest is also kept in 1,024 sums, one for each shard of its prefixes: two sides that differ in a few
routes need to speak of a few shards only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from rib.prefix import Prefix

MASK: Final = (1 << 64) - 1
SHARDS: Final = 1024


@lru_cache(16384)  # the reference engine asks for the same hashes after every change
def siphash(key: bytes, message: bytes) -> int:
    """SipHash-2-4 of ``message`` under a key of 16 bytes: 64 bits."""
    k0, k1 = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    state = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(message) // 8 * 8
    last = message[whole:].ljust(7, b"\0") + bytes((len(message) & 0xFF,))
    for (word,) in struct.iter_unpack("<Q", message[:whole] + last):
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        v[0] = (v[0] + v[1]) & MASK
        v[2] = (v[2] + v[3]) & MASK
        v[1] = _rotate(v[1], 13) ^ v[0]
        v[3] = _rotate(v[3], 16) ^ v[2]
        v[0] = _rotate(v[0], 32)
        v[2] = (v[2] + v[1]) & MASK
        v[0] = (v[0] + v[3]) & MASK
        v[1] = _rotate(v[1], 17) ^ v[2]
        v[3] = _rotate(v[3], 21) ^ v[0]
        v[2] = _rotate(v[2], 32)


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & MASK


def route_hash(key: bytes, table: int, prefix: Prefix, group_key: bytes) -> int:
    """What one route adds to the digest."""
    return siphash(key, struct.pack("<IB", table, prefix.length) + prefix.address + group_key)


def digest(key: bytes, routes: Iterable[tuple[int, Prefix, bytes]]) -> int:
    """The digest of a whole FIB, given as (table, prefix, group key)."""
    return sum(route_hash(key, table, prefix, group_key) for table, prefix, group_key in routes) & MASK


def shard(key: bytes, prefix: Prefix) -> int:
    """The shard of a prefix within its table."""
    k0, k1 = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    address = int.from_bytes(prefix.address, "big")
    high, low = (address, 0) if len(prefix.address) == 4 else (address >> 64, address & MASK)
    product = (high ^ k0) * (low ^ k1 ^ prefix.length)
    return (product >> 64 ^ product & MASK) >> 54


def shard_sums(key: bytes, routes: Iterable[tuple[int, Prefix, bytes]]) -> dict[int, bytes]:
    """By table, the digests of its shards as little-endian u64; shard 0 first."""
    tables: dict[int, list[int]] = {}
    for table, prefix, group_key in routes:
        sums = tables.setdefault(table, [0] * SHARDS)
        at = shard(key, prefix)
        sums[at] = (sums[at] + route_hash(key, table, prefix, group_key)) & MASK
    return {table: struct.pack(f"<{SHARDS}Q", *sums) for table, sums in tables.items()}


def equal_shards(ours: bytes, theirs: bytes) -> bytes:
    """A bit for each shard whose sums are equal, the lowest of a byte first. Of sums of another length: none."""
    bits = bytearray(SHARDS // 8)
    if len(ours) == len(theirs):
        for at in range(SHARDS):
            bits[at >> 3] |= (ours[8 * at : 8 * at + 8] == theirs[8 * at : 8 * at + 8]) << (at & 7)
    return bytes(bits)


def has_shard(bits: bytes, at: int) -> bool:
    return bool(bits[at >> 3] >> (at & 7) & 1)
