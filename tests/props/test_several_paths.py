"""RFC 7911 towards a peer, both engines: which paths it is told, under which identifiers, and that none is lost."""

from __future__ import annotations

from typing import Any

import pytest

import native
from tests.props.comparing import compare, compare_tables
from tests.props.pair import ExportConsumer, Pair
from tests.props.peers import ALL_PATHS, IPV4, LOCAL_ASN, PeerConfig, Terms, prefix
from tests.props.update_bytes import announcement, withdrawal
from tests.rib.building import attributes_row

WHERE, OTHER = prefix("203.0.113.0/24"), prefix("198.51.100.0/24")
GIVERS = tuple(PeerConfig(str(n), f"10.0.0.{n}", 65000 + n, f"1.1.1.{n}") for n in (1, 2, 3))
INTERNAL = PeerConfig("i", "10.0.0.4", LOCAL_ASN, "1.1.1.4")
READER = PeerConfig("reader", "10.0.0.9", 65009, "9.0.0.9")


class Table:
    """A pair whose givers have told nothing yet, and what a reader knows."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.connected = self.pair.call("add_connected_source")
        self.static = self.pair.call("add_static_source")
        self.pair.call("put_connected", self.connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
        self.givers = {config: self.pair.add_peer(config) for config in (*GIVERS, INTERNAL)}
        self.reader = self.pair.add_peer(READER)

    def open(self, terms: Terms = ALL_PATHS) -> ExportConsumer:
        return self.pair.open_export(self.reader, READER, terms)

    def tell(self, giver: PeerConfig, where: Any = WHERE, next_hop: str | None = None, path: str | None = None) -> None:
        row = attributes_row(next_hop or giver.address, str(giver.asn) if path is None else path)
        self.pair.announce(self.givers[giver], giver, [where], row)
        self.pair.settle()

    def take_back(self, giver: PeerConfig, where: Any = WHERE) -> None:
        self.pair.withdraw(self.givers[giver], giver, [where])
        self.pair.settle()

    def knows(self, reader: ExportConsumer) -> dict[str, int]:
        """AS paths of what it is told of WHERE, without our own AS, with their identifiers; the same by both engines
        but for these."""
        compare(self.pair, reader)
        routes = reader.native_told.routes
        found = [(row["as_path"].removeprefix("65000").strip(), where.partition(" #")) for where, row in routes.items()]
        return {path: int(number) for path, (where, _, number) in found if where == "203.0.113.0/24"}


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_peer_is_told_the_best_paths_as_many_as_it_is_to_have(table: Table) -> None:
    for config in GIVERS:
        table.tell(config)
    told = {most: set(table.knows(table.open(Terms(1, "10.0.0.254", add_path=most)))) for most in (1, 2, 255)}
    assert told == {1: {"65001"}, 2: {"65001", "65002"}, 255: {"65001", "65002", "65003"}}


def test_a_path_keeps_its_identifier_until_it_goes_and_the_next_takes_the_lowest_free_one(table: Table) -> None:
    first, second, _ = GIVERS
    reader = table.open()
    for config in GIVERS:
        table.tell(config)
    before = table.knows(reader)
    assert sorted(before.values()) == [1, 2, 3]
    table.tell(second, path="65002 65022")
    table.take_back(first)
    after = table.knows(reader)
    assert after == {"65002 65022": before["65002"], "65003": before["65003"]}
    table.tell(INTERNAL, path="")
    assert table.knows(reader) == after | {"": before["65001"]}


def test_a_second_best_path_is_told_when_the_better_one_goes_and_not_before(table: Table) -> None:
    reader = table.open(Terms(1, "10.0.0.254", add_path=1))
    for config in GIVERS:
        table.tell(config)
    assert set(table.knows(reader)) == {"65001"}
    table.take_back(GIVERS[0])
    assert set(table.knows(reader)) == {"65002"}


def test_a_path_that_was_passed_by_unresolved_is_told_once_its_next_hop_is_back(table: Table) -> None:
    reader = table.open()
    table.tell(GIVERS[0])
    table.pair.call("put_connected", table.connected, prefix("10.5.0.0/24"), "ncp1", "eth1")
    table.tell(GIVERS[1], next_hop="10.5.0.1")
    assert set(table.knows(reader)) == {"65001", "65002"}
    table.pair.call("delete", table.connected, prefix("10.5.0.0/24"))
    table.pair.settle()
    assert set(table.knows(reader)) == {"65001"}
    table.pair.call("put_connected", table.connected, prefix("10.5.0.0/24"), "ncp1", "eth1")
    table.pair.settle()
    assert set(table.knows(reader)) == {"65001", "65002"}


def test_all_paths_of_bgp_come_and_go_with_its_having_the_best_one(table: Table) -> None:
    reader = table.open()
    table.tell(INTERNAL, path="65022")
    table.pair.call("put_static", table.static, WHERE, [{"address": bytes((10, 0, 0, 7))}], distance=30)
    table.pair.settle()
    assert table.knows(reader) == {}
    table.tell(GIVERS[0])  # distance 20, and the internal one's is 200
    assert set(table.knows(reader)) == {"65001", "65022"}
    table.take_back(GIVERS[0])
    assert table.knows(reader) == {}
    table.pair.call("delete", table.static, WHERE)
    table.pair.settle()
    assert set(table.knows(reader)) == {"65022"}


def test_a_path_whose_record_another_change_moved_is_told_to_who_had_not_come_to_it(table: Table) -> None:
    for config in GIVERS:
        table.tell(config)
    quick, slow = table.open(), table.open()
    for reader in (quick, slow):
        compare(table.pair, reader)
    table.tell(GIVERS[1], path="65002 65022")
    table.tell(GIVERS[0], OTHER)
    compare(table.pair, quick)
    table.tell(GIVERS[2], path="65003 65033")
    table.pair.read(slow, 1)
    assert set(table.knows(slow)) == {"65001", "65002 65022", "65003 65033"}


def test_what_did_not_change_is_not_told_again_where_all_paths_are(table: Table) -> None:
    reader = table.open()
    for config in GIVERS:
        table.tell(config)
    table.knows(reader)
    table.tell(GIVERS[1], path="65002 65022")
    data, updates = table.pair.native.export_read(reader.native) or (b"", 0)
    assert (updates, data.count(bytes((203, 0, 113)))) == (1, 1)
    reader.native_told.apply(data, updates)
    assert set(table.knows(reader)) == {"65001", "65002 65022", "65003"}


def test_who_gave_a_path_is_not_told_it_and_loses_what_its_identifier_meant(table: Table) -> None:
    first, second, third = GIVERS
    own = table.pair.open_export(table.givers[third], third, ALL_PATHS)
    table.tell(first)
    table.tell(second)
    assert set(table.knows(own)) == {"65001", "65002"}
    table.take_back(first)
    table.tell(third)  # under the identifier that was the first one's
    assert set(table.knows(own)) == {"65002"}
    table.take_back(second)
    assert table.knows(own) == {}


@pytest.mark.parametrize("terms", [IPV4, ALL_PATHS], ids=["one path", "all paths"])
def test_told_again_a_peer_has_the_same_and_loses_what_goes_meanwhile(table: Table, terms: Terms) -> None:
    reader = table.open(terms)
    for config in GIVERS:
        table.tell(config)
        table.tell(config, OTHER)
    compare(table.pair, reader)
    before = dict(reader.native_told.routes)
    for engine, number, told in table.pair.ends(reader):
        updates = told.updates
        engine.export_again(number)
        told.read_all(engine, number)
        assert told.updates > updates
        assert told.end_of_rib == 2
    assert reader.native_told.routes == before
    for engine, number, _ in table.pair.ends(reader):
        engine.export_again(number)
    for config in GIVERS:
        table.take_back(config, OTHER)
    for engine, number, told in table.pair.ends(reader):
        told.read_all(engine, number, 1)
        assert {where.partition(" ")[0] for where in told.routes} == {"203.0.113.0/24"}
        assert told.end_of_rib == 3


def test_of_several_paths_those_that_are_long_lived_stale_are_told_as_such(table: Table) -> None:
    """RFC 9494 4.3: not the best one's standing, each its own."""
    first, second, _ = GIVERS
    reader = table.open(Terms(1, "10.0.0.254", add_path=255, llgr=True))
    bars = table.open()
    table.tell(first)
    table.tell(second)
    table.pair.call("mark_stale", table.givers[second], afi=1)
    table.tell(second, OTHER)
    table.pair.call("set_long_lived", table.givers[second], afi=1, on=True)
    table.pair.settle()
    assert set(table.knows(reader)) == {"65001", "65002"}
    assert set(table.knows(bars)) == {"65001"}
    marked = {row["as_path"] for row in reader.native_told.routes.values() if "65535:6" in row["communities"]}
    assert marked == {"65000 65002"}
    table.tell(second)
    assert set(table.knows(bars)) == {"65001", "65002"}


def test_a_peer_that_invents_identifiers_gets_no_more_than_a_share_of_a_prefix(table: Table) -> None:
    many = PeerConfig("many", "10.0.0.5", 65005, "1.1.1.5", add_path=True)
    source = table.pair.add_peer(many)
    row = attributes_row("10.0.0.5", "65005")
    table.pair.receive(source, many, announcement([WHERE] * 300, row, range(1, 301)))
    table.pair.announce(source, many, [WHERE], row | {"med": 7}, 255)
    assert table.pair.call("source_counts", source)["ipv4"] == 255
    table.pair.withdraw(source, many, [WHERE], 1)
    table.pair.announce(source, many, [WHERE], row, 300)
    table.pair.settle()
    compare(table.pair, table.open())
    framed = native.Framer().feed(announcement([WHERE, OTHER, WHERE], row, [300, 301, 302]))
    (updates,) = framed.items
    assert isinstance(updates, native.Updates)
    assert table.pair.native.receive(source, updates, many.terms()).refused == {"too-many-paths": 1}


def test_what_is_taken_of_a_crowded_prefix_is_leaked_in_whatever_order_it_came(table: Table) -> None:
    many = PeerConfig("many", "10.0.0.5", 65005, "1.1.1.5", add_path=True)
    source = table.pair.add_peer(many)
    table.pair.call("add_leak", source=0, target=table.pair.add_instance())
    row = attributes_row("10.0.0.5", "65005")
    table.pair.receive(source, many, announcement([WHERE] * 255, row, range(1, 256)))
    table.pair.settle()
    first, second = (withdrawal([WHERE], [number]) for number in (1, 2))
    another, again = (announcement([WHERE], row, [number]) for number in (300, 1))
    table.pair.receive(source, many, first + another + second + again)
    table.pair.settle()
    compare_tables(table.pair, [WHERE], [])
