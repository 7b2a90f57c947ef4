"""MRT recordings through the native reader; its format by format tests are beside it, in Rust."""

from __future__ import annotations

import gzip
import struct

import pytest

import native
from rib.prefix import Prefix
from tests.lab import mrt
from tests.lab.attributes import from_routingd

PEER = bytes((206, 220, 231, 55))
SAMPLE = 97
"""One prefix in so many is looked at in full."""


@pytest.mark.skipif(not mrt.FULL_TABLE.exists(), reason="test data folder ../shared/data absent")
def test_a_recorded_internet_table_is_what_bgpdump_read() -> None:
    reader = native.MrtReader(gzip.decompress(mrt.FULL_TABLE.read_bytes()))
    engine = native.Engine(router_id=bytes(4), asn=3856, digest_key=bytes(16))
    source = engine.add_peer(address=PEER, asn=3856, router_id=PEER, ebgp=False)
    terms = native.SessionTerms(peer_asn=3856, local_asn=3856, four_octet_as=True, families=[(1, 1)])
    updates = 0
    while (runs := reader.read()) is not None:
        for peer, run in runs:
            assert peer == 0
            updates += len(run)
            assert engine.receive(source, run, terms).error is None

    assert reader.peers == [
        {
            "address": PEER,
            "asn": 3856,
            "router_id": PEER,
            "local_asn": 3856,
            "four_octet_as": True,
            "add_path": False,
        }
    ]
    assert reader.skipped == 4  # state changes
    assert updates == sum(message[18] == 2 for _, message in mrt.records(mrt.FULL_TABLE))
    # Without the four paths that name AS 0 (RFC 7607).
    expected = mrt.without_as_zero(mrt.expected_table(mrt.FULL_TABLE_EXPECTED))
    assert engine.counts()["ipv4"]["prefixes"] == len(expected) == 577699
    for text in list(expected)[::SAMPLE]:
        where = Prefix.parse(text)
        row = engine.lookup((where.address, where.length))
        assert row is not None
        (path,) = row["paths"]
        assert mrt.as_bgpdump(from_routingd(path["attributes"])) == expected[text]


def test_a_broken_recording_is_a_value_error_that_names_the_offset() -> None:
    state_change = struct.pack("!IHHI", 0, 16, 0, 2) + bytes(2)
    reader = native.MrtReader(state_change + state_change[:-1])
    assert reader.read() == []
    for _ in range(2):
        with pytest.raises(ValueError, match="record at offset 26"):
            reader.read()
    assert (reader.peers, reader.skipped) == ([], 1)
    assert native.MrtReader(b"").read() is None
