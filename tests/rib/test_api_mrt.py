"""Tables out of MRT files."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from rib import Progress, Rib
from rib.__main__ import main
from tests.lab import mrt
from tests.props.update_bytes import announcement, withdrawal
from tests.rib.building import attributes_row, prefix
from tests.rib.mrt_file import session, table_dump
from tests.rib.test_api import every_engine, shown

PEERS = [("192.0.2.1", 65001, "1.1.1.1"), ("198.51.100.1", 65002, "2.2.2.2"), ("2001:db8::1", 65003, "3.3.3.3")]
ROUTES = {
    "0.0.0.0/0": [(0, {"next_hop": "192.0.2.1", "as_path": "65001"})],
    "10.0.0.0/8": [
        (0, {"next_hop": "192.0.2.1", "as_path": "65001 65010", "communities": ["65001:100"]}),
        (1, {"next_hop": "198.51.100.1", "as_path": "65002 65003 65010"}),
    ],
    "2001:db8:100::/40": [(2, {"next_hop": "2001:db8::1", "as_path": "65003 65010"})],
}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "rib.mrt"
    path.write_bytes(table_dump(PEERS, ROUTES))
    return path


@every_engine
def test_a_table_dump_is_loaded_each_peer_a_source(engine: str, dump: Path) -> None:
    table = Rib.from_mrt(dump, engine=engine)
    assert table.loaded is not None
    assert (table.loaded.peers, table.loaded.announced, table.loaded.faults) == (3, 4, 0)
    assert [source.name for source in table.sources() if source.protocol == "bgp"] == [peer[0] for peer in PEERS]
    assert shown(table.by_source("198.51.100.1")) == [("10.0.0.0/8", "198.51.100.1")]
    assert table.path_counts("192.0.2.1") == {"ipv4": 2, "ipv6": 0, "ipv4_stale": 0, "ipv6_stale": 0}
    told = table.explain("10.9.9.9")
    assert [candidate.source.name for candidate in told.candidates] == ["192.0.2.1", "198.51.100.1"]
    assert [str(member) for member in told.group.members] == ["192.0.2.1 at assumed"]  # type: ignore[union-attr]
    assert shown(table.by_as(65010, "origin", best_only=True)) == [
        ("10.0.0.0/8", "192.0.2.1"), ("2001:db8:100::/40", "2001:db8::1"),
    ]  # fmt: skip
    # The default route of the table is there for itself: what was assumed did not hide it.
    assert table.match("8.8.8.8").source.name == "192.0.2.1"  # type: ignore[union-attr]


@every_engine
def test_without_the_assumption_no_next_hop_of_a_collector_resolves(engine: str, dump: Path) -> None:
    table = Rib.from_mrt(dump, engine=engine, assume_reachable=False)
    assert shown(table.routes()) == []
    assert table.explain("10.0.0.0/8").candidates[0].reason == "next hop unresolved: 192.0.2.1 (no route)"
    table.add_connected("192.0.2.0/24", "eth0")
    assert [prefix for prefix, _ in shown(table.routes())] == ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24"]


@every_engine
def test_the_loss_of_a_recorded_peer_can_be_tried(engine: str, dump: Path) -> None:
    table = Rib.from_mrt(dump, engine=engine)
    with table.moves(4) as moves:
        table.remove("192.0.2.1")
    assert {str(move.prefix): str(move.after) for move in moves} == {
        "0.0.0.0/0": "None",
        "10.0.0.0/8": "198.51.100.1 via 198.51.100.1 at assumed",
    }


@every_engine
def test_a_recorded_session_is_replayed_in_the_as_of_its_own_side(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "updates.mrt"
    row = attributes_row("192.0.2.1", "65010", local_pref=200)
    messages = [
        announcement([prefix("10.0.0.0/8"), prefix("10.1.0.0/16")], row),
        withdrawal([prefix("10.1.0.0/16")]),
    ]
    path.write_bytes(session(("192.0.2.1", 65000), ("192.0.2.2", 65000), messages))
    table = Rib.from_mrt(path, engine=engine)
    assert (table.asn, table.source("192.0.2.1").ebgp) == (65000, False)
    (route,) = table.by_source("192.0.2.1")
    assert (str(route.prefix), route.attributes.local_pref) == ("10.0.0.0/8", 200)  # type: ignore[union-attr]
    assert Rib.from_mrt(path, engine=engine, asn=65009).source("192.0.2.1").ebgp is True


def test_speakers_that_share_an_address_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "rib.mrt"
    peers = [("192.0.2.1", 65001, "1.1.1.1"), ("192.0.2.1", 65002, "2.2.2.2")]
    entries = [(0, {"next_hop": "192.0.2.1"}), (1, {"next_hop": "192.0.2.1"})]
    path.write_bytes(table_dump(peers, {"10.0.0.0/8": entries}))
    table = Rib.from_mrt(path)
    assert [s.name for s in table.sources() if s.asn is not None] == ["192.0.2.1", "192.0.2.1 AS 65002"]


@every_engine
def test_a_speaker_that_was_recorded_in_two_ways_is_one_source(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "rib.mrt"
    both = [(0, {"next_hop": "192.0.2.1", "as_path": "65001 1 2"}), (0, {"next_hop": "192.0.2.9"})]
    path.write_bytes(table_dump(PEERS, ROUTES, {"10.64.0.0/10": both}))
    table = Rib.from_mrt(path, engine=engine)
    assert [source.name for source in table.sources() if source.asn == 65001] == ["192.0.2.1"]
    told = table.explain("10.64.0.0/10")
    assert [(candidate.path_id, candidate.best) for candidate in told.candidates] == [(2, True), (1, False)]
    assert [route.path_id for route in table.by_source("192.0.2.1")] == [0, 0, 1, 2]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gzip", "bzip2"])
def test_a_packed_file_is_known_by_its_content(dump: Path, pack: object) -> None:
    packed = dump.with_name("rib.bin")
    packed.write_bytes(pack(dump.read_bytes()))  # type: ignore[operator]
    assert Rib.from_mrt(packed).counts()["ipv6"]["prefixes"] == 2


def test_progress_is_told(dump: Path) -> None:
    seen: list[Progress] = []
    Rib.from_mrt(dump, progress=seen.append)
    assert [step.stage for step in seen][:1] == ["reading"]
    assert (seen[-1].stage, seen[-1].announced) == ("done", 4)
    assert str(seen[-1]) == "done: 4 updates, 4 announcements"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no routes in it"),
        (b"\x1f\x8b\x08\x00", "cannot be unpacked, is the download complete"),
        (b"BZh9 what", "cannot be unpacked, is the download complete"),
        (b"not an MRT file at all", "not a whole MRT file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.mrt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"bad.mrt: {message}"):
        Rib.from_mrt(path)


def test_a_file_cut_short_is_no_table(dump: Path) -> None:
    dump.write_bytes(dump.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"rib\.mrt: not a whole MRT file"):
        Rib.from_mrt(dump)


def test_the_command_sums_a_file_up_and_explains_a_prefix(dump: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(dump), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert f"{dump}: 3 peers, 4 updates, of which 0 with faults" in out
    assert "IPv4: 4 prefixes, 5 paths" in out
    assert "           2  192.0.2.1\n" in out
    assert main([str(dump), "10.1.2.3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("10.0.0.0/8, the longest match for 10.1.2.3/32\n* from 192.0.2.1 (eBGP, AS 65001")
    assert "done: 4 updates" in captured.err


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "absent.mrt")]) == 1
    assert "absent.mrt" in capsys.readouterr().err


Known = tuple[str, str, int, int]
GOOGLE = 15169


def known_routes(origin: int) -> dict[str, Known]:
    """(AS path, next hop, LOCAL_PREF, MED) of the prefixes that an AS originates, by bgpdump, which prints an absent
    MED as 0."""
    table: dict[str, Known] = {}
    with gzip.open(mrt.FULL_TABLE_EXPECTED, "rt") as source:
        for line in source:
            fields = line.split("|")
            if fields[2] == "A" and fields[6].rpartition(" ")[2] == str(origin):
                table[fields[5]] = (fields[6], fields[8], int(fields[9]), int(fields[10]))
            else:
                table.pop(fields[5].strip(), None)
    return table


@pytest.mark.skipif(not mrt.FULL_TABLE.exists(), reason="test data folder ../shared/data absent")
def test_a_table_of_the_internet_is_loaded_and_known_routes_are_found() -> None:
    table = Rib.from_mrt(mrt.FULL_TABLE)
    (peer,) = (source for source in table.sources() if source.protocol == "bgp")
    assert (table.asn, peer.ebgp) == (3856, False)
    # bgpdump counts four more, with AS 0 in their path (RFC 7607 2).
    assert table.path_counts(peer) == {"ipv4": 577699, "ipv6": 0, "ipv4_stale": 0, "ipv6_stale": 0}
    # Every next hop is taken for a neighbour, so nothing is unusable; one of their host routes was announced too.
    counts = table.counts()["ipv4"]
    assert counts["fib"] == counts["prefixes"] == 577699 + len(table.next_hops()) - 1
    found = {}
    for route in table.by_as(GOOGLE, "origin"):
        assert route.attributes is not None
        attributes = route.attributes
        found[str(route.prefix)] = (
            attributes.as_path, str(attributes.next_hop), attributes.local_pref, attributes.med or 0,
        )  # fmt: skip
    assert found == known_routes(GOOGLE)
    assert "8.8.8.0/24" in found
    told = table.explain("8.8.8.8")
    assert (str(told.prefix), told.step) == ("8.8.8.0/24", "only")
    assert [str(hop.via) for hop in told.candidates[0].next_hops] == [f"{told.candidates[0].next_hops[0]}/32"]
    with table.moves(within="8.0.0.0/8") as moves:
        table.remove(peer)
    assert str(moves.moves[0].before).startswith(f"{peer} via ")
    assert {move.after for move in moves} == {None}
