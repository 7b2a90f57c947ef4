"""The native decoder and encoder of UPDATEs: against what was encoded, against ExaBGP, and under hostile bytes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import native
from rib.prefix import Prefix
from tests.props import exabgp_codec
from tests.props.comparing import compare, compare_tables
from tests.props.pair import Pair
from tests.props.peers import IPV4, IPV6, LOCAL_ASN, PeerConfig, prefix
from tests.props.pools import PREFIXES
from tests.props.update_bytes import announcement, packed, withdrawal

INTERNAL = PeerConfig("i", "10.0.0.4", LOCAL_ASN, "1.1.1.4", aigp=True, extended=True, inside=True)
EXTERNAL = PeerConfig("a", "10.0.0.2", 65001, "1.1.1.1", aigp=True, extended=True)
asns = st.one_of(st.integers(1, 64998), st.integers(65001, 2**32 - 1))
octet = st.integers(0, 255)
u16, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
metrics = st.integers(0, 2**64 - 2)  # all ones is none (RFC 7311 3.2)
router_ids = st.builds("10.{}.{}.{}".format, octet, octet, octet)
sequences = st.lists(asns, min_size=1, max_size=6).map(lambda found: " ".join(map(str, found)))
sets = st.lists(asns, min_size=1, max_size=4).map(lambda found: "{" + ",".join(map(str, found)) + "}")
confederations = st.lists(asns, min_size=1, max_size=4).map(lambda found: "(" + " ".join(map(str, found)) + ")")


@st.composite
def as_paths(draw: st.DrawFn) -> str:
    """Segments of changing type: two sequences in a row would read as one."""
    parts = draw(st.lists(st.one_of(sets, confederations), max_size=2))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), draw(sequences))
    return " ".join(parts)


def hosts(width: int) -> st.SearchStrategy[tuple[bytes, int]]:
    address = st.binary(min_size=width, max_size=width).filter(
        lambda found: found[0] not in (0, 127) and found[0] < 224
    )
    return st.builds(
        lambda found, length: (Prefix.of(found, length).address, length), address, st.integers(0, width * 8)
    )


def rows(next_hop: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "origin": st.sampled_from(("igp", "egp", "incomplete")),
            "as_path": as_paths(),
            "next_hop": next_hop,
            "link_local": st.none(),
            "med": st.one_of(st.none(), u32),
            "local_pref": st.one_of(st.none(), u32),
            "atomic_aggregate": st.booleans(),
            "aggregator": st.one_of(st.none(), st.builds("{} {}".format, asns, router_ids)),
            "communities": st.lists(st.builds("{}:{}".format, u16, u16), max_size=4, unique=True),
            "originator_id": st.one_of(st.none(), router_ids),
            "cluster_list": st.lists(router_ids, max_size=3),
            "extended_communities": st.lists(
                st.binary(min_size=6, max_size=6).map(lambda value: "0002" + value.hex()), max_size=3, unique=True
            ),
            "large_communities": st.lists(st.builds("{}:{}:{}".format, u32, u32, u32), max_size=3, unique=True),
            "aigp": st.one_of(st.none(), metrics),
            "otc": st.one_of(st.none(), u32),
            "unknown": st.lists(st.builds(lambda value: [0xE0, 99, value.hex()], st.binary(max_size=300)), max_size=1),
        }
    )


ipv4_prefixes = st.lists(hosts(4), min_size=1, max_size=8, unique=True)
ipv4_updates = st.tuples(ipv4_prefixes, rows(router_ids))
ipv6_updates = st.tuples(st.lists(hosts(16), min_size=1, max_size=8, unique=True), rows(st.just("2001:db8:1::5")))
extended_updates = st.tuples(ipv4_prefixes, rows(st.just("2001:db8:1::5")))  # RFC 8950
updates = st.one_of(ipv4_updates, ipv6_updates, extended_updates)


def decode(data: bytes, config: PeerConfig) -> native.Changes:
    (found,) = native.Framer().feed(data).items
    assert isinstance(found, native.Updates)
    return native.decode(found, config.terms())


@settings(deadline=None)
@given(update=updates)
def test_a_well_formed_update_decodes_to_what_was_encoded(
    update: tuple[list[tuple[bytes, int]], dict[str, Any]],
) -> None:
    prefixes, row = update
    changes = decode(announcement(prefixes, row), INTERNAL)
    assert (changes.error, changes.faults, changes.updates, changes.announced) == (None, [], 1, len(prefixes))
    found = changes.rows()
    assert [change["prefix"] for change in found] == prefixes
    assert all(change["op"] == "announce" and change["attributes"] == row for change in found)
    gone = decode(withdrawal(prefixes), INTERNAL).rows()
    assert [(change["op"], change["prefix"]) for change in gone] == [("withdraw", where) for where in prefixes]


def by_exabgp(data: bytes, config: PeerConfig) -> dict[tuple[str, str], dict[str, Any] | None]:
    return exabgp_codec.read(data, local_asn=LOCAL_ASN, peer_asn=config.asn)


def as_exabgp(attributes: dict[str, Any]) -> dict[str, Any]:
    """Without the next hop and what ExaBGP does not name; communities are sets to it."""
    kept = {key: value for key, value in attributes.items() if key not in ("next_hop", "link_local", "otc", "unknown")}
    for key in ("communities", "extended_communities", "large_communities"):
        kept[key] = sorted(kept[key])
    return kept


@settings(deadline=None)
@given(update=updates)
def test_a_well_formed_update_decodes_as_exabgp_decodes_it(
    update: tuple[list[tuple[bytes, int]], dict[str, Any]],
) -> None:
    data = announcement(*update)
    found = {
        (str(Prefix(*change["prefix"])), change["attributes"]["next_hop"]): as_exabgp(change["attributes"])
        for change in decode(data, INTERNAL).rows()
    }
    assert found == by_exabgp(data, INTERNAL)


@settings(deadline=None, max_examples=50)
@given(update=updates)
def test_what_is_exported_reads_the_same_to_exabgp(update: tuple[list[tuple[bytes, int]], dict[str, Any]]) -> None:
    prefixes, row = update
    pair = Pair()
    connected = pair.call("add_connected_source")
    for engine in (pair.native, pair.reference):
        for where in ("0.0.0.0/1", "128.0.0.0/1", "::/1"):
            engine.put_connected(connected, prefix(where), "ncp1", "eth0")
    source = pair.add_peer(EXTERNAL)
    pair.announce(source, EXTERNAL, prefixes, row | {"as_path": f"65001 {row['as_path']}".strip()})
    pair.settle()
    for terms in (IPV4, IPV6):
        peer = pair.add_peer(INTERNAL)
        consumer = pair.open_export(peer, INTERNAL, terms)
        seen: dict[tuple[str, str], Any] = {}
        while (part := pair.native.export_read(consumer.native)) is not None:
            data, _ = part
            while data and len(data) > 30:  # an End-of-RIB marker is shorter
                size = int.from_bytes(data[16:18], "big")
                seen.update(by_exabgp(data[:size], INTERNAL))
                data = data[size:]
        wanted = {
            (told["prefix"], told["attributes"]["next_hop"]): as_exabgp(told["attributes"])
            for told in pair.reference.adj_rib_out(consumer.reference, 100)
        }
        assert seen == wanted


mutations = st.lists(st.tuples(st.integers(0, 4096), octet), min_size=1, max_size=4)


@settings(deadline=None, max_examples=300)
@given(update=updates, changed=mutations, cut=st.integers(0, 40), config=st.sampled_from((INTERNAL, EXTERNAL)))
def test_damaged_updates_never_raise_and_both_engines_take_in_what_was_left(
    update: tuple[list[tuple[bytes, int]], dict[str, Any]], changed: list[tuple[int, int]], cut: int, config: PeerConfig
) -> None:
    """RFC 7606: each message is judged; the engine and the rows it shows say the same, whatever came in."""
    body = bytearray(announcement(*update)[19:])
    for position, value in changed:
        body[position % len(body)] = value
    if 20 < cut <= len(body) - 4:  # a shorter one is no UPDATE: the framer refuses it (RFC 4271 6.1)
        del body[-cut:]
    data = b"\xff" * 16 + (19 + len(body)).to_bytes(2, "big") + b"\x02" + bytes(body)
    changes = decode(data, config)
    pair = Pair()
    connected = pair.call("add_connected_source")
    pair.call("put_connected", connected, prefix("0.0.0.0/0"), "ncp1", "eth0")
    source = pair.add_peer(config)
    pair.native.apply(source, changes)
    found = changes.rows()
    pair.reference.apply(source, found)
    pair.settle()
    compare_tables(pair, [change["prefix"] for change in found] + list(PREFIXES), [packed("10.0.0.1")])
    assert pair.native.source_counts(source) == pair.reference.source_counts(source)
    if changes.error is not None:
        assert changes.error[0] == 3  # UPDATE Message Error (RFC 4271 6.3)
    peer = pair.add_peer(EXTERNAL)
    compare(pair, pair.open_export(peer, EXTERNAL, IPV4))


@settings(deadline=None)
@given(messages=st.lists(updates, min_size=1, max_size=5), cuts=st.lists(st.integers(1, 400), max_size=20))
def test_the_framer_finds_the_same_messages_however_the_stream_is_cut(
    messages: list[tuple[list[tuple[bytes, int]], dict[str, Any]]], cuts: list[int]
) -> None:
    stream = b"".join(announcement(*message) for message in messages)
    framer = native.Framer()
    found: list[dict[str, Any]] = []
    rest = stream
    terms = INTERNAL.terms()
    for cut in [*cuts, len(stream)]:
        framed = framer.feed(rest[:cut])
        rest = rest[cut:]
        assert framed.error is None
        for item in framed.items:
            assert isinstance(item, native.Updates)
            found += native.decode(item, terms).rows()
    whole = [row for message in messages for row in decode(announcement(*message), INTERNAL).rows()]
    assert sorted(found, key=str) == sorted(whole, key=str)  # one call lists IPv4 before IPv6
