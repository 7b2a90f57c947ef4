"""What the random tables are made of.

Small on purpose, so that prefixes cover next hops, next hops recurse and loop, and paths tie until late steps.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.props.peers import PeerConfig, PrefixBytes, prefix
from tests.props.update_bytes import packed

PREFIXES = tuple(
    prefix(text)
    for text in (
        "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "10.0.1.0/24", "10.0.1.128/25", "192.0.2.0/24",
        "203.0.113.0/24", "203.0.113.0/25",
        "::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1/128", "2001:db8:2::/48",
    )
)  # fmt: skip
ADDRESSES = (
    "10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.129", "192.0.2.1", "203.0.113.1", "203.0.113.129", "172.16.0.1",
    "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
)  # fmt: skip
PEERS = (
    PeerConfig("a", "10.0.0.2", 65001, "1.1.1.1", extended=True),
    PeerConfig("b", "10.0.0.3", 65001, "1.1.1.2", add_path=True, aigp=True),
    PeerConfig("c", "10.0.1.3", 65002, "1.1.1.1", weight=10, role=4),
    PeerConfig("d", "2001:db8:1::3", 65002, "1.1.1.3", four_octet_as=False, ncp="ncp1", port="eth0", extended=True),
    PeerConfig("e", "10.0.1.4", 65000, "1.1.1.4", aigp=True, add_path=True, client=True, inside=True),
    PeerConfig("f", "10.0.1.5", 65000, "1.1.1.4", next_hop_self=True, aigp=True, inside=True),
    PeerConfig("g", "10.0.1.6", 65003, "1.1.1.6", import_accept=False),
    PeerConfig("h", "fe80::7", 65003, "1.1.1.7", ncp="ncp2", port="eth0", distance=200, extended=True, role=3),
    PeerConfig("i", "10.0.1.8", 65000, "1.1.1.8", aigp=True, distance=20, weight=10, add_path=True),
    PeerConfig("m", "10.0.1.9", 65010, "1.1.1.9", aigp=True, inside=True),
)
# What decides late, or not at all: paths of such peers reach the last steps and share groups.
TYING_PEERS = (
    PeerConfig("a", "10.0.0.2", 65001, "1.1.1.1", add_path=True),
    PeerConfig("b", "10.0.0.3", 65001, "1.1.1.1", aigp=True),
    PeerConfig("c", "10.0.1.3", 65002, "1.1.1.1", aigp=True),
    PeerConfig("d", "2001:db8:1::3", 65002, "1.1.1.3", ncp="ncp1", port="eth0", extended=True),
    PeerConfig("e", "10.0.1.4", 65000, "1.1.1.4", aigp=True, client=True, inside=True),
    PeerConfig("f", "10.0.1.5", 65000, "1.1.1.4", add_path=True, inside=True),
    PeerConfig("j", "10.0.1.5", 65001, "1.1.1.1"),
    PeerConfig("k", "10.0.0.2", 65000, "1.1.1.1"),
    PeerConfig("l", "10.0.0.9", 65001, "1.1.1.9", aigp=True, role=0),
    PeerConfig("n", "10.0.1.9", 65010, "1.1.1.4", inside=True),
)
AS_PATHS = (
    "65001", "65001 65002", "65002", "65002 65001", "65002 {1,2,3}", "{7,8}", "", "(65010) 65001", "65001 65000",
    "3 65002 {65001,7}",
    "(65010 65011)", "(65010 65000) 65001", "65001 64999", "(65010) [65011] 65002",
)  # fmt: skip
AS_NUMBERS = (65001, 65002, 2, 8, 65010, 0)
COMMUNITIES = (["65001:1"], ["65001:7"], ["4200000000:1:2"], ["0002fde800000001"], ["65001:7", "65001:1"])
LLGR = (["65535:6"], ["65001:1", "65535:7"])  # LLGR_STALE, NO_LLGR
PORTS = (("ncp1", "eth0"), ("ncp1", "eth1"), ("ncp2", "eth0"))
CONNECTED = (("10.0.0.0/24", 0), ("10.0.1.0/24", 10), ("2001:db8:1::/48", 0))


@dataclass(frozen=True)
class Pools:
    prefixes: tuple[PrefixBytes, ...] = PREFIXES
    addresses: tuple[str, ...] = ADDRESSES  # next hops that are looked up
    peers: tuple[PeerConfig, ...] = PEERS
    contested: tuple[PrefixBytes, ...] = (prefix("203.0.113.0/24"), prefix("192.0.2.0/24"), prefix("0.0.0.0/0"))
    near: tuple[str, ...] = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.1")  # connected at first, or contested


# Strategies that look into the pools of the machine that draws from them.
def of_pool(name: str) -> st.SearchStrategy[Any]:
    return st.runner().flatmap(lambda machine: st.sampled_from(getattr(machine.pools, name)))


some_prefix = of_pool("prefixes")
some_prefixes = st.runner().flatmap(
    lambda machine: st.lists(st.sampled_from(machine.pools.prefixes), min_size=1, max_size=4, unique=True)
)
any_prefixes = st.runner().flatmap(lambda machine: st.lists(st.sampled_from(machine.pools.prefixes), max_size=4))
some_port = st.sampled_from(PORTS)


def link_bandwidth(kind: int, bandwidth: float) -> str:
    """draft-ietf-idr-link-bandwidth: bytes a second as an IEEE float; ``kind`` 0x40, or 0x00 where transitive."""
    return struct.pack("!BBHf", kind, 4, 23456, bandwidth).hex()


BANDWIDTHS: tuple[list[str], ...] = (
    *([[link_bandwidth(0x40, 1e6)], [link_bandwidth(0x00, 1.9e6)], [link_bandwidth(0x40, 2.9e6)]] * 4),
    [], [], [link_bandwidth(0x40, 1e9)], ["0002fde800000001", link_bandwidth(0x40, 1e6)],
    [link_bandwidth(0x40, 0.0)], [link_bandwidth(0x40, float("inf"))],
    [link_bandwidth(0x40, float("nan"))], [link_bandwidth(0x40, -1.0), link_bandwidth(0x40, 1e6)],
)  # fmt: skip
DAMAGED_AIGP: list[list[list[Any]]] = [
    [[0x80, 26, "01000b0000"]],
    [[0x80, 26, "02000b0000000000000001"]],
    [[0xC0, 26, "01000b0000000000000001"]],
]
# TLVs of other types pass, and the first of type 1 counts (RFC 7311 3).
LONG_AIGP: list[list[Any]] = [[0x80, 26, "02000401" + "01000b0000000000000007" + "01000b0000000000000001"]]


def seldom(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """``others`` should rather lose: else one of many decides for all."""
    return st.sampled_from((usual,) * 12 + others)


def attribute_rows(next_hop: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "origin": st.sampled_from(("igp", "igp", "egp", "incomplete")),
            "as_path": st.sampled_from(AS_PATHS),
            "next_hop": st.just(next_hop),
            "link_local": st.none(),
            "med": st.sampled_from((None, None, 0, 1, 5)),
            "local_pref": seldom(None, 100, 150, 200),
            "atomic_aggregate": st.booleans(),
            "aggregator": st.sampled_from((None, None, "4200000000 192.0.2.9", "65001 192.0.2.9")),
            "communities": st.sampled_from(
                ([], [], ["65001:1"], ["65535:65281"], ["65535:65283"], ["65001:7", "65535:65282"], *LLGR)
            ),
            "originator_id": st.sampled_from((None, None, "1.1.1.1", "1.1.1.9", "9.9.9.9")),
            "cluster_list": seldom([], ["1.0.0.1"], ["1.0.0.1", "1.0.0.2"], ["1.0.0.1", "9.9.9.9"]),
            "extended_communities": st.sampled_from(
                ([], [], *BANDWIDTHS[:3], ["0002fde800000001", "4302fde800000001"])
            ),
            "large_communities": st.sampled_from(([], [], ["4200000000:1:2"])),
            "aigp": seldom(None, 0, 5, 10),
            "otc": seldom(None, 65001, 65002, 65009),
            "unknown": st.sampled_from(([], [], [[0xE0, 99, "0102"]], LONG_AIGP, *DAMAGED_AIGP)),
        }
    ).map(one_aigp)


def tying_rows(next_hop: str) -> st.SearchStrategy[dict[str, Any]]:
    """Attributes that seldom decide early, so that the late steps do and several paths are used."""
    fixed: dict[str, Any] = {
        "origin": "igp", "link_local": None, "local_pref": None, "atomic_aggregate": False,
        "aggregator": None, "large_communities": [], "unknown": [], "next_hop": next_hop,
    }  # fmt: skip
    varied = st.fixed_dictionaries(
        {
            "as_path": seldom("65001", "65002", "65003", "65001 65002"),
            "med": seldom(None, 1),
            "communities": seldom([], *LLGR),
            "local_pref": seldom(None, 100, 90),
            "originator_id": st.sampled_from((None, "1.1.1.1", "1.1.1.4")),
            "cluster_list": st.sampled_from(([], ["1.0.0.1"])),
            "extended_communities": st.sampled_from(BANDWIDTHS),
            "aigp": seldom(None, 0, 0, 5, 10, 2**64 - 5),
            "otc": seldom(None, 65001),
        }
    )
    return varied.map(lambda more: fixed | more)


def one_aigp(row: dict[str, Any]) -> dict[str, Any]:
    """An attribute may be there once (RFC 4271 6.3)."""
    return row | {"aigp": None} if any(code == 26 for _, code, _ in row["unknown"]) else row


# Direct next hops: a link-local one alone, beside no global one, or beside one (RFC 2545 3).
LINK_LOCAL = (("fe80::1", None), ("fe80::2", None), ("::", "fe80::1"), ("2001:db8:1::1", "fe80::1"))
IPV4_HOP, IPV6_HOP = "10.0.0.1", "2001:db8:1::1"


def some_row(addresses: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return addresses.flatmap(lambda hop: st.one_of(tying_rows(hop), attribute_rows(hop)))


some_attributes = st.one_of(
    some_row(of_pool("addresses")),
    st.builds(
        lambda row, hop: row | {"next_hop": hop[0], "link_local": hop[1]},
        some_row(st.just(IPV6_HOP)),
        st.sampled_from(LINK_LOCAL),
    ),
)
near_attributes = of_pool("near").flatmap(tying_rows)


def fitting(row: dict[str, Any], where: PrefixBytes, config: PeerConfig) -> dict[str, Any]:
    """With a next hop that may travel with this prefix: IPv6 always needs IPv6, IPv4 may have it by RFC 8950 only. What
    another Member-AS tells starts with it (RFC 5065 5)."""
    if config.member and not row["as_path"].startswith("("):
        row = row | {"as_path": f"({config.asn}) {row['as_path']}".strip()}
    if len(where[0]) == 16 and ":" not in row["next_hop"]:
        return row | {"next_hop": IPV6_HOP}
    if len(where[0]) == 4 and ":" in row["next_hop"] and not config.extended:
        return row | {"next_hop": IPV4_HOP, "link_local": None}
    return row


static_hop = st.one_of(
    st.fixed_dictionaries({"address": of_pool("addresses").map(packed), "weight": st.sampled_from((1, 1, 3, 1000))}),
    st.builds(
        lambda address, port, weight: {"address": address, "ncp": port[0], "port": port[1], "weight": weight},
        st.one_of(st.just(packed("fe80::1")), st.just(b""), of_pool("addresses").map(packed)),
        some_port,
        st.sampled_from((1, 1, 2)),
    ),
)

BOOLEAN_OPTIONS = (
    "always_compare_med", "missing_med_as_worst", "as_path_ignore", "compare_router_id", "prefer_oldest",
    "multipath_relax", "weighted", "backup", "resolve_via_default",
)  # fmt: skip
some_options = st.fixed_dictionaries(
    {},
    optional={name: st.booleans() for name in BOOLEAN_OPTIONS}
    | {
        "default_local_pref": st.sampled_from((100, 150, 50)),
        "multipath_ebgp": st.sampled_from((64, 3, 2, 1)),
        "multipath_ibgp": st.sampled_from((64, 3, 2, 1)),
    },
)


def filter_of(where: PrefixBytes, longer: list[int]) -> tuple[bytes, int, int, int]:
    """(address, length, ge, le) of ``add_leak``."""
    ge, le = sorted(min(where[1] + more, 8 * len(where[0])) for more in longer)
    return (*where, ge, le)


leak_prefixes = st.lists(
    st.builds(filter_of, some_prefix, st.lists(st.sampled_from((0, 0, 1, 8, 32, 128)), min_size=2, max_size=2)),
    max_size=2,
)
some_protocols: st.SearchStrategy[list[str]] = st.one_of(
    st.just([]), st.lists(st.sampled_from(("connected", "static", "bgp")), min_size=1, max_size=2, unique=True)
)


@st.composite
def some_criteria(draw: st.DrawFn) -> dict[str, Any]:
    """Of a query, without the family: few at once, or nothing would be found."""
    possible: dict[str, st.SearchStrategy[Any]] = {
        "within": some_prefix,
        "after": some_prefix,
        "protocols": some_protocols,
        "source": st.integers(1, 12),
        "communities": st.sampled_from(COMMUNITIES),
        "as_in_path": st.sampled_from(AS_NUMBERS),
        "origin_as": st.sampled_from(AS_NUMBERS),
        "neighbor_as": st.sampled_from(AS_NUMBERS),
    }  # fmt: skip
    names = draw(st.lists(st.sampled_from(sorted(possible)), max_size=2, unique=True))
    return {name: draw(possible[name]) for name in names} | {"best_only": draw(st.booleans())}


SELECTION_POOLS = Pools(
    prefixes=tuple(
        prefix(text) for text in ("10.0.0.1/32", "203.0.113.0/24", "203.0.113.0/25", "192.0.2.0/24", "2001:db8:2::/48")
    ),
    addresses=("10.0.0.1", "10.0.0.2", "10.0.1.1", "203.0.113.1", "2001:db8:1::1"),
    peers=TYING_PEERS,
    contested=(prefix("203.0.113.0/24"), prefix("192.0.2.0/24")),
    near=("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.3", "10.0.1.1"),
)
RESOLUTION_POOLS = replace(
    Pools(),
    peers=(PEERS[0], PEERS[4], PEERS[7]),
    near=("10.0.0.1", "10.0.1.129", "192.0.2.1", "203.0.113.1", "203.0.113.129"),
)
LEAK_POOLS = Pools(
    prefixes=tuple(
        prefix(text)
        for text in ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24", "203.0.113.0/24", "2001:db8:1::/48")
    ),
    addresses=("10.0.0.1", "10.0.1.1", "203.0.113.1", "2001:db8:1::1"),
    peers=(PEERS[0], PEERS[1], PEERS[4], *TYING_PEERS[2:]),
    contested=(prefix("203.0.113.0/24"), prefix("10.0.0.0/8")),
    near=("10.0.0.1", "10.0.1.1", "203.0.113.1"),
)
