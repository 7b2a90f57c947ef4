"""Messages of other people's routers and of ExaBGP's test suite, decoded and encoded again: the same octets, or the
exact reason for each that is not, in tests/golden/reencoded.txt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

import native
from rib.attributes import PathAttributes
from tests.captures import recorded, session_messages
from tests.captures.encoding import NOBODY, WAYS, decoded, encoded, verdict
from tests.props.peers import prefix
from tests.props.update_bytes import packed

UPDATE = 2
GOLDEN = Path(__file__).parent.parent / "golden" / "reencoded.txt"
pytestmark = pytest.mark.skipif(not recorded.DATA.exists(), reason=recorded.ABSENT)


@cache
def every() -> dict[str, bytes]:
    return dict([*recorded.captured(), *recorded.vectors()])


def verdict_of(message: bytes) -> str:
    return verdict(message) if message[18] == UPDATE else session_messages.verdict(message)


def golden() -> dict[str, str]:
    rows = (line.partition(" ") for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#"))
    return {name: why for name, _, why in rows}


def test_every_recorded_message_comes_out_as_it_went_in_or_for_a_reason_that_is_listed() -> None:
    found = {name: verdict_of(message) for name, message in every().items()}
    assert found == golden()
    assert not [name for name, why in found.items() if "unexplained" in why]


def told(message: bytes) -> bytes | None:
    """What the native engine tells an internal neighbor of a message's routes; None where it would add something."""
    changes = decoded(message, **WAYS[0])
    rows = changes.rows()
    sets = {PathAttributes.from_row(row["attributes"]) for row in rows if row["op"] == "announce"}
    families = {row["afi"] for row in rows}
    if len(sets) != 1 or len(families) != 1 or any(row["op"] != "announce" for row in rows):
        return None
    if len({row["prefix"] for row in rows}) < len(rows):
        return None  # path identifiers, read as prefixes
    (attributes,), (afi,) = sets, families
    if attributes.local_pref is None or attributes.link_local or attributes.next_hop[:2] == b"\xfe\x80":
        return None
    engine = native.Engine(router_id=b"\xff\xff\xff\xfe", asn=NOBODY, digest_key=bytes(16))
    connected = engine.add_connected_source()
    for where in ("0.0.0.0/0", "::/0"):
        engine.put_connected(connected, prefix(where), "ncp1", "eth0")
    giver, reader = (
        engine.add_peer(address=packed(address), asn=NOBODY, router_id=packed(address), ebgp=ebgp)
        for address, ebgp in (("10.0.0.2", True), ("10.0.0.3", False))
    )
    engine.apply(giver, changes)
    while engine.step():
        pass
    consumer = engine.export_open(
        peer_source=reader, afi=afi, safi=1, ebgp=False, local_asn=NOBODY, peer_asn=NOBODY, next_hop_self=False,
        local_address=packed("10.0.0.1" if afi == 1 else "2001:db8::1"), local_link=None, four_octet_as=True,
        max_message=65535, extended_next_hop=True, aigp=True,
    )  # fmt: skip
    first = engine.export_read(consumer)
    assert first is not None
    return first[0][: int.from_bytes(first[0][16:18], "big")]


def test_the_native_encoder_writes_them_as_the_reference_does() -> None:
    known = golden()
    compared = 0
    for name, message in every().items():
        if message[18] == UPDATE and known[name].startswith("same") and (seen := told(message)) is not None:
            assert seen == encoded(decoded(message, **WAYS[0]), **WAYS[0]), name
            compared += 1
    assert compared > 50
