"""The hash and the digest, against the vectors of SipHash's authors."""

from __future__ import annotations

import pytest

from rib.digest import digest, route_hash, siphash
from rib.prefix import Prefix

KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, 0x726FDB47DD0E0E31),
        (1, 0x74F839C593DC67FD),
        (8, 0x93F5F5799A932462),
        (15, 0xA129CA6149BE45E5),
        (63, 0x958A324CEB064572),
    ],
)
def test_siphash_gives_the_vectors_of_its_authors(length: int, expected: int) -> None:
    assert siphash(KEY, bytes(range(length))) == expected


def test_the_digest_is_a_sum_so_order_does_not_matter_and_one_route_can_be_taken_out() -> None:
    routes = [(1, Prefix.parse(f"10.{i}.0.0/16"), bytes((i,)) * 16) for i in range(8)]
    whole = digest(KEY, routes)
    assert whole == digest(KEY, reversed(routes))
    assert digest(KEY, routes[1:]) == (whole - route_hash(KEY, *routes[0])) % 2**64


def test_every_field_of_a_route_is_in_its_hash() -> None:
    base = route_hash(KEY, 1, Prefix.parse("10.0.0.0/8"), b"k" * 16)
    others = [
        route_hash(KEY, 2, Prefix.parse("10.0.0.0/8"), b"k" * 16),
        route_hash(KEY, 1, Prefix.parse("10.0.0.0/9"), b"k" * 16),
        route_hash(KEY, 1, Prefix.parse("11.0.0.0/8"), b"k" * 16),
        route_hash(KEY, 1, Prefix.parse("10.0.0.0/8"), b"l" * 16),
        route_hash(b"\0" * 16, 1, Prefix.parse("10.0.0.0/8"), b"k" * 16),
    ]
    assert base not in others
