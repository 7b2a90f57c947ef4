"""``Rib``: what goes in as text comes out as values, the same over either engine."""

from __future__ import annotations

import ipaddress
import subprocess
import sys

import pytest

import rib
from rib import Rib
from rib.explanation import LOST
from rib.prefix import Prefix
from rib.step import Step
from tests.props.update_bytes import announcement
from tests.rib.building import attributes_row, prefix

ENGINES = ("native", "reference")
every_engine = pytest.mark.parametrize("engine", ENGINES)
ISP_A, ISP_B, ROUTER = "192.0.2.1", "198.51.100.1", "10.0.0.9"


def two_providers(engine: str) -> Rib:
    """Two external peers behind two ports, one internal peer that is reached by a static route."""
    made = Rib(engine)
    made.add_connected("192.0.2.0/24", "eth0")
    made.add_connected("198.51.100.0/24", "eth1", metric=5)
    made.add_peer(ISP_A, 65001, name="isp-a")
    made.add_peer(ISP_B, 65002, name="isp-b")
    made.add_peer(ROUTER, 65000, name="core")
    made.add_static("10.0.0.0/24", "192.0.2.9")
    made.announce(
        "isp-a", ["203.0.113.0/24", "172.16.0.0/12"], as_path="65001 65010", communities="65001:100 no-export"
    )
    made.announce("isp-b", ["203.0.113.0/24"], as_path=[65002, 65003, 65010], communities=["65002:1:2"], med=10)
    made.announce("core", "172.16.4.0/24", as_path="65020", local_pref=200)
    return made


def shown(routes: object) -> list[tuple[str, str]]:
    return [(str(route.prefix), route.source.name) for route in routes]  # type: ignore[attr-defined]


@every_engine
def test_an_exact_route_has_its_values_typed(engine: str) -> None:
    route = two_providers(engine).exact("203.0.113.0/24")
    assert route is not None
    assert route.prefix == ipaddress.IPv4Network("203.0.113.0/24")
    assert (route.source.name, route.source.asn, route.source.ebgp) == ("isp-a", 65001, True)
    assert (route.protocol, route.distance, route.best, route.role, route.step) == (
        "bgp", 20, True, "best", "as-path-length",
    )  # fmt: skip
    (hop,) = route.next_hops
    assert (hop.gateway, hop.port, hop.kind, str(hop)) == (
        ipaddress.IPv4Address(ISP_A), "eth0", "ip", "192.0.2.1 at eth0",
    )  # fmt: skip
    assert (route.as_path, route.origin_as, route.communities) == ("65001 65010", 65010, ("65001:100", "65535:65281"))
    assert two_providers(engine).exact("203.0.113.0/25") is None


@every_engine
@pytest.mark.parametrize(
    "asked",
    [
        "172.16.4.7",
        "172.16.4.7/32",
        ipaddress.IPv4Address("172.16.4.7"),
        ipaddress.IPv4Network("172.16.4.0/30"),
        ipaddress.IPv4Interface("172.16.4.7/24"),
        Prefix.parse("172.16.4.7/32"),
    ],
    ids=repr,
)
def test_a_prefix_may_be_said_in_every_way(engine: str, asked: object) -> None:
    table = two_providers(engine)
    found = table.match(asked)  # type: ignore[arg-type]
    assert found is not None
    assert str(found.prefix) == "172.16.4.0/24"
    assert shown(table.covering(asked)) == [("172.16.4.0/24", "core"), ("172.16.0.0/12", "isp-a")]  # type: ignore[arg-type]


@every_engine
def test_lists_are_in_the_order_of_prefixes_whatever_the_page(engine: str) -> None:
    table = two_providers(engine)
    table.add_connected("2001:db8:1::/64", "eth0")
    everything = shown(table.routes())
    assert [prefix for prefix, _ in everything] == [
        "10.0.0.0/24", "172.16.0.0/12", "172.16.4.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
        "2001:db8:1::/64",
    ]  # fmt: skip
    for page in (1, 2, 3):
        assert shown(table.routes(page=page)) == everything
    assert [prefix for prefix, _ in shown(table.within("172.16.0.0/12"))] == ["172.16.0.0/12", "172.16.4.0/24"]
    assert [prefix for prefix, _ in shown(table.routes(6))] == ["2001:db8:1::/64"]


@every_engine
def test_paths_are_found_by_source_community_and_as(engine: str) -> None:
    table = two_providers(engine)
    assert shown(table.by_source("isp-b")) == [("203.0.113.0/24", "isp-b")]
    assert shown(table.by_source("isp-b", best_only=True)) == []
    assert shown(table.by_community("65001:100", "no-export")) == [
        ("172.16.0.0/12", "isp-a"), ("203.0.113.0/24", "isp-a"),
    ]  # fmt: skip
    assert shown(table.by_community("65002:1:2")) == [("203.0.113.0/24", "isp-b")]
    assert len(shown(table.by_as(65010))) == 3
    assert shown(table.by_as(65003)) == [("203.0.113.0/24", "isp-b")]
    assert shown(table.by_as(65020, "origin")) == [("172.16.4.0/24", "core")]
    assert shown(table.by_as(65002, "neighbor")) == [("203.0.113.0/24", "isp-b")]
    assert shown(table.routes(protocols="static connected", within="10.0.0.0/8")) == [("10.0.0.0/24", "static")]


@every_engine
def test_explain_gives_candidates_steps_the_way_of_a_next_hop_and_the_group(engine: str) -> None:
    table = two_providers(engine)
    told = table.explain("203.0.113.0/24")
    assert told.best is not None
    assert [(candidate.source.name, candidate.reason) for candidate in told.candidates] == [
        ("isp-a", "as-path-length"),
        ("isp-b", "as-path-length"),
    ]
    assert "lost at as-path-length: its AS_PATH is longer (RFC 4271 9.1.2.2 a)" in str(told)
    assert told.group is not None
    assert [str(member) for member in told.group.members] == ["192.0.2.1 at eth0"]
    recursive = table.explain("172.16.4.0/24").candidates[0].next_hops[0]
    assert (str(recursive), str(recursive.via), recursive.protocol) == (ROUTER, "10.0.0.0/24", "static")
    assert [(str(hop), str(hop.via), hop.protocol) for hop in recursive.through] == [
        ("192.0.2.9", "192.0.2.0/24", "connected")
    ]


@every_engine
def test_explain_falls_back_to_what_covers_and_says_so_when_nothing_does(engine: str) -> None:
    table = two_providers(engine)
    assert str(table.explain("172.17.1.1")).startswith("172.16.0.0/12, the longest match for 172.17.1.1/32\n")
    nothing = table.explain("8.8.8.8")
    assert (nothing.prefix, nothing.candidates, nothing.best) == (None, (), None)
    assert str(nothing) == "8.8.8.8/32: no route, and none that covers it"


@every_engine
def test_a_path_whose_next_hop_does_not_resolve_is_kept_with_the_reason(engine: str) -> None:
    table = two_providers(engine)
    table.announce("isp-a", "100.64.0.0/10", next_hop="8.8.8.8")
    assert table.exact("100.64.0.0/10") is None
    told = table.explain("100.64.0.0/10")
    assert (told.step, told.candidates[0].usable) == ("none", False)
    assert told.candidates[0].standing == "not usable: next hop unresolved: 8.8.8.8 (no route)"
    tracked = {str(hop.address): hop for hop in table.next_hops()}
    assert (tracked["8.8.8.8"].resolved, tracked["8.8.8.8"].reason) == (False, "no route")


@every_engine
def test_static_routes_take_weights_ports_and_dead_ends(engine: str) -> None:
    table = Rib(engine)
    table.add_connected(["192.0.2.0/24", "198.51.100.0/24"], "ncp1/eth0")
    table.add_static("10.0.0.0/8", {"192.0.2.1": 3, "198.51.100.1": 1}, distance=7, tag=42)
    table.add_static("10.1.0.0/16", ["192.0.2.1 at eth1", "at ppp0"])
    table.add_static("10.2.0.0/16", kind="blackhole")
    route = table.exact("10.0.0.0/8")
    assert route is not None
    assert (route.distance, route.tag) == (7, 42)
    assert [(str(hop), hop.weight) for hop in route.next_hops] == [
        ("192.0.2.1 at ncp1/eth0", 3), ("198.51.100.1 at ncp1/eth0", 1),
    ]  # fmt: skip
    assert [str(hop) for hop in table.match("10.1.2.3").next_hops] == ["192.0.2.1 at eth1", "ppp0"]  # type: ignore[union-attr]
    assert [str(hop) for hop in table.match("10.2.2.3").next_hops] == ["blackhole"]  # type: ignore[union-attr]
    table.withdraw("static", "10.2.0.0/16")
    assert str(table.match("10.2.2.3").prefix) == "10.0.0.0/8"  # type: ignore[union-attr]


@every_engine
def test_a_peer_with_add_path_gives_several_paths(engine: str) -> None:
    table = two_providers(engine)
    table.add_peer("192.0.2.77", 65007, name="rs", add_path=True)
    table.announce("rs", "100.64.0.0/10", path_id=1, as_path="65007 1")
    table.announce("rs", "100.64.0.0/10", path_id=2, as_path="65007 1 2", next_hop=ISP_A)
    told = table.explain("100.64.0.0/10")
    assert [(candidate.path_id, candidate.best) for candidate in told.candidates] == [(1, True), (2, False)]
    table.withdraw("rs", "100.64.0.0/10", path_id=1)
    assert [route.path_id for route in table.by_source("rs")] == [2]


@every_engine
def test_ipv4_prefixes_may_have_ipv6_next_hops(engine: str) -> None:
    table = Rib(engine)
    table.add_connected("2001:db8:1::/64", "eth0")
    table.add_peer("2001:db8:1::1", 65001, router_id="192.0.2.1")
    table.announce("2001:db8:1::1", ["10.0.0.0/8", "2001:db8:100::/40"])
    assert [str(hop) for hop in table.match("10.1.2.3").next_hops] == ["2001:db8:1::1 at eth0"]  # type: ignore[union-attr]
    assert shown(table.routes(6)) == [("2001:db8:1::/64", "connected"), ("2001:db8:100::/40", "2001:db8:1::1")]


@every_engine
def test_options_change_what_is_chosen(engine: str) -> None:
    table = two_providers(engine)
    table.set_options(as_path_ignore=True, always_compare_med=True, multipath_ebgp=2, multipath_relax=True, backup=True)
    told = table.explain("203.0.113.0/24")
    assert told.step == "med"
    table.announce("isp-b", "203.0.113.0/24", as_path="65002 65010")
    assert table.explain("203.0.113.0/24").step == "igp-metric"
    table.add_connected("198.51.100.0/24", "eth1")
    told = table.explain("203.0.113.0/24")
    assert [(candidate.source.name, candidate.role) for candidate in told.candidates] == [
        ("isp-a", "best"), ("isp-b", "multipath"),
    ]  # fmt: skip
    assert told.group is not None
    assert [str(member) for member in told.group.members] == ["192.0.2.1 at eth0", "198.51.100.1 at eth1"]
    with pytest.raises(ValueError, match="med_is_nice"):
        table.set_options(med_is_nice=True)


@every_engine
def test_an_instance_has_its_own_table_and_takes_what_is_leaked(engine: str) -> None:
    table = two_providers(engine)
    red = table.add_instance()
    assert table.match("203.0.113.1", instance=red) is None
    leak = table.add_leak(0, red, protocols="bgp", prefixes=["172.16.0.0/12 le 32"])
    assert shown(table.routes(instance=red)) == [("172.16.0.0/12", "isp-a"), ("172.16.4.0/24", "core")]
    assert all(route.leaked for route in table.routes(instance=red))
    assert "leaked from instance 0" in str(table.explain("172.16.4.0/24", instance=red))
    (hop,) = table.explain("172.16.4.0/24", instance=red).candidates[0].next_hops
    assert [str(below) for below in hop.through] == ["192.0.2.9"]
    table.remove_leak(leak)
    assert shown(table.routes(instance=red)) == []
    table.add_connected("192.0.2.0/24", "eth7", instance=red)
    assert shown(table.routes(instance=red)) == [("192.0.2.0/24", "connected in 1")]


@every_engine
def test_next_hops_can_be_taken_for_neighbours(engine: str) -> None:
    table = Rib(engine, assume_reachable=True)
    table.add_connected("192.0.2.0/24", "eth0")
    table.add_peer("192.0.2.1", 65001)
    table.announce("192.0.2.1", "10.0.0.0/8")
    table.announce("192.0.2.1", "10.1.0.0/16", next_hop="8.8.8.8")
    assert [str(hop) for hop in table.match("10.2.0.1").next_hops] == ["192.0.2.1 at eth0"]  # type: ignore[union-attr]
    assert [str(hop) for hop in table.match("10.1.0.1").next_hops] == ["8.8.8.8 at assumed"]  # type: ignore[union-attr]
    assert shown(table.by_source("assumed")) == [("8.8.8.8/32", "assumed")]
    table.withdraw("assumed", "8.8.8.8")
    assert str(table.match("10.1.0.1").prefix) == "10.0.0.0/8"  # type: ignore[union-attr]


@every_engine
def test_every_attribute_comes_back_as_it_was_said(engine: str) -> None:
    table = two_providers(engine)
    table.add_connected("2001:db8:1::/64", "eth0")
    said: dict[str, object] = {
        "as_path": "65030 {65031,65032}",
        "origin": "incomplete",
        "med": 7,
        "local_pref": 300,
        "aigp": 1000,
        "atomic_aggregate": True,
        "aggregator": "65030 192.0.2.30",
        "originator_id": "192.0.2.31",
        "cluster_list": ("192.0.2.32", "192.0.2.33"),
        "unknown": ((0xE0, 99, "c0ffee"),),
    }
    communities = ["65001:1", "65001:2:3", "0002fde900000001"]
    hop, link = "2001:db8:1::5", "fe80::5"
    table.announce(
        "core",
        "2001:db8:100::/40",
        communities=communities,
        next_hop=hop,
        link_local=link,
        **said,  # type: ignore[arg-type]
    )
    (route,) = table.by_source("core", 6)
    found = route.attributes
    assert found is not None
    assert {name: getattr(found, name) for name in said} == said
    assert [str(found.next_hop), str(found.link_local)] == [hop, link]
    assert [*found.communities, *found.large_communities, *found.extended_communities] == communities
    assert (found.origin_as, found.asns) == (None, (65030, 65031, 65032))


@every_engine
def test_messages_as_they_cross_the_wire_are_read(engine: str) -> None:
    table = two_providers(engine)
    message = announcement([prefix("100.64.0.0/10")], attributes_row(ISP_A, "65001 65030", med=7))
    assert table.receive("isp-a", message).announced == 1
    assert [(route.as_path, route.attributes.med) for route in table.within("100.64.0.0/10")] == [("65001 65030", 7)]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="not a run of whole UPDATE messages"):
        table.receive("isp-a", message[:-1])


@every_engine
def test_the_time_of_a_path_is_the_one_that_was_set(engine: str) -> None:
    table = two_providers(engine)
    table.set_time(100)
    table.announce("isp-a", "100.64.0.0/10")
    assert [route.since for route in table.by_source("isp-a")] == [100, 0, 0]


@every_engine
def test_answers_show_themselves_as_tables(engine: str) -> None:
    table = two_providers(engine)
    assert repr(table) == "<Rib of AS 65000: 5 sources, 6 IPv4 prefixes, 0 IPv6 prefixes>"
    assert repr(table.within("172.16.4.0/24")).splitlines() == [
        "Prefix         Protocol  From  Dist/Metric  Next hops          Role  Decided at  AS path",
        "172.16.4.0/24  bgp       core  200/0        192.0.2.9 at eth0  best  only        65020",
    ]
    assert "<td>172.16.4.0/24</td>" in table.within("172.16.4.0/24")._repr_html_()
    assert repr(table.within("100.64.0.0/10")) == "(nothing)"
    assert repr(table.exact("172.16.4.0/24")) == "<Route 172.16.4.0/24 bgp from core via 192.0.2.9 at eth0, only>"
    table.announce("isp-a", [f"10.9.{number}.0/24" for number in range(30)])
    lines = repr(table.by_source("isp-a")).splitlines()
    assert (len(lines), lines[-1]) == (22, "... and more")
    assert "isp-a" in repr(table.sources())
    assert "192.0.2.1 at eth0" in table.groups()._repr_html_()
    assert table.explain("203.0.113.0/24")._repr_html_().startswith("<pre>203.0.113.0/24\n* from isp-a")


WRONG = [
    (lambda table: table.exact("300.0.0.0/8"), "not a prefix: '300.0.0.0/8'"),
    (lambda table: table.add_peer("nobody", 65001), "not an IP address: 'nobody'"),
    (lambda table: table.add_peer(ISP_A, 65001, name="isp-a"), "give this one another name="),
    (lambda table: table.by_source("isp-c"), "no source 'isp-c' \\(there are: connected, isp-a"),
    (lambda table: table.by_community("65001"), "not a community: '65001'"),
    (lambda table: table.by_as(65001, "first"), "not in 'first'"),
    (lambda table: table.routes(5), "not a family: 5"),
    (lambda table: table.add_static("10.0.0.0/8"), "a static route has next hops"),
    (lambda table: table.add_static("10.0.0.0/8", "eth0"), "not an IP address: 'eth0'"),
    (lambda table: table.add_static("10.0.0.0/8", "192.0.2.1 via eth0"), "not a next hop"),
    (lambda table: table.add_connected("10.0.0.0/8", "a/b/c"), "not a port: 'a/b/c'"),
    (lambda table: table.add_leak(0, 1, prefixes=["10.0.0.0/8 le 4"]), "no prefix matches"),
    (lambda table: table.announce("static", "10.0.0.0/8"), "no BGP peer"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", local_pref=1), "would be ignored"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", as_path="65001 x"), "not an AS path"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", as_path="65001 65000"), "drop this as a loop"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", origin="none"), "no such ORIGIN"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", path_id=1), "add_path=True"),
    (lambda table: table.announce("isp-a", "2001:db8::/32"), "need an IPv6 next hop"),
    (lambda table: table.announce("isp-a", "224.0.0.0/8"), "multicast"),
    (lambda table: table.announce("isp-a", "10.0.0.0/8", next_hop="0.0.0.0"), "attribute 3 is malformed"),
]


@every_engine
@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_is_said_with_what_would_be_right(engine: str, wrong: object, message: str) -> None:
    table = two_providers(engine)
    before = shown(table.routes(best_only=False))
    with pytest.raises(ValueError, match=message):
        wrong(table)  # type: ignore[operator]
    assert shown(table.routes(best_only=False)) == before


def test_each_step_at_which_a_path_can_lose_has_its_words() -> None:
    assert set(LOST) == {step.label for step in Step} - {"none", "only"}


def test_an_engine_that_is_there_already_can_be_asked() -> None:
    made = two_providers("reference")
    other = Rib(made.engine)
    assert [str(route.source) for route in other.within("172.16.4.0/24")] == ["source 4"]
    assert other.explain("203.0.113.0/24").step == "as-path-length"


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="no such engine: 'fast'"):
        Rib("fast")


def test_everything_that_is_exported_is_there() -> None:
    assert {name for name in rib.__all__ if getattr(rib, name).__name__ != name} == set()
    with pytest.raises(AttributeError, match="Rob"):
        rib.Rob  # noqa: B018


def test_importing_rib_loads_nothing_else_and_the_reference_nothing_native() -> None:
    program = (
        "import sys, rib; print(*[name for name in sys.modules if name.startswith(('rib.', 'native'))]);"
        "import rib.reference; print(*[name for name in sys.modules if name.startswith('native')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@every_engine
def test_what_a_restarting_peer_said_is_stale_until_it_says_it_again_or_the_sweep_comes(engine: str) -> None:
    made = two_providers(engine)
    made.mark_stale("isp-a", 4)
    made.announce("isp-a", "172.16.0.0/12", as_path="65001 65010", communities="65001:100 no-export")
    assert [str(route.prefix) for route in made.routes() if route.stale] == ["203.0.113.0/24"]
    assert made.path_counts("isp-a") == {"ipv4": 2, "ipv6": 0, "ipv4_stale": 1, "ipv6_stale": 0}
    assert [path.stale for path in made.explain("203.0.113.0/24").candidates] == [True, False]
    made.sweep_stale("isp-a", 4)
    assert shown(made.routes(source="isp-a", best_only=False)) == [("172.16.0.0/12", "isp-a")]


@every_engine
def test_long_lived_stale_paths_are_used_only_where_there_is_no_other(engine: str) -> None:
    made = two_providers(engine)
    made.announce("isp-a", "100.64.0.0/10", communities="65535:7")
    made.mark_stale("isp-a")
    made.set_long_lived("isp-a")
    assert shown(r for r in made.routes() if r.protocol == "bgp") == [
        ("172.16.0.0/12", "isp-a"), ("172.16.4.0/24", "core"), ("203.0.113.0/24", "isp-b"),
    ]  # fmt: skip
    assert "lost at stale: it is long-lived stale (RFC 9494 4.3)" in str(made.explain("203.0.113.0/24"))
    made.set_long_lived("isp-a", on=False)
    assert made.exact("203.0.113.0/24").source.name == "isp-a"  # type: ignore[union-attr]
