"""The reference engine as a whole: order does not matter, its streams lead to its state, its questions have answers."""

from __future__ import annotations

import ast
import inspect
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rib.reference import ReferenceEngine
from tests.props.folding import FoldedFib
from tests.props.update_bytes import Replay
from tests.rib.building import announce, engine, ip, peer, prefix, withdraw

PREFIXES = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "203.0.113.0/24", "192.0.2.0/24")
NEXT_HOPS = ("10.0.0.1", "10.0.1.1", "192.0.2.1", "203.0.113.1", "172.16.0.1", "fe80::1")
BANDWIDTH = "4004fde941200000"  # of AS 65001, 10 bytes per second
ANNOUNCEMENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.builds(
            announce,
            st.sampled_from(PREFIXES),
            st.sampled_from(NEXT_HOPS),
            st.sampled_from(("65001", "65002", "65001 65002", "{7}")),
            med=st.sampled_from((None, 1, 2)),
            local_pref=st.sampled_from((None, None, 90)),
            aigp=st.sampled_from((None, None, 0)),
            extended_communities=st.sampled_from(([], [BANDWIDTH])),
        ),
    ),
    max_size=10,
    unique_by=lambda change: (change[0], change[1]["prefix"]),
)
OPTIONS = st.fixed_dictionaries(
    {
        "multipath_ebgp": st.sampled_from((1, 2, 64)),
        **{
            name: st.booleans()
            for name in (
                "always_compare_med",
                "missing_med_as_worst",
                "as_path_ignore",
                "compare_router_id",
                "multipath_relax",
                "backup",
                "resolve_via_default",
            )
        },
    }
)


def table(announcements: list[tuple[int, dict[str, Any]]], options: dict[str, bool | int]) -> list[Any]:
    """All that was chosen in two instances; the second one has the last peer, and all that the first one has."""
    rib = engine()
    inside = rib.add_instance()
    for number in (0, inside):
        rib.set_options(instance=number, **options)
    connected = rib.add_connected_source()
    peers = [
        peer(rib, "10.0.0.1", asn=65001, router_id="1.1.1.3"),
        peer(rib, "10.0.0.2", asn=65002, router_id="1.1.1.2", ncp="ncp2", port="eth1"),
        peer(rib, "10.0.0.3", asn=65000, router_id="1.1.1.1", ebgp=False),
        peer(rib, "10.0.0.4", asn=65001, router_id="1.1.1.3", instance=inside),
    ]
    rib.put_connected(connected, prefix("10.0.1.0/24"), "ncp1", "eth0", metric=3)
    rib.put_connected(connected, prefix("172.16.0.0/16"), "ncp2", "eth0", metric=2)
    rib.add_leak(source=0, target=inside)
    for now, (index, row) in enumerate(announcements):
        rib.set_time(now)
        rib.apply(peers[index], [row])
    routes = []
    for number, where in itertools.product((0, inside), PREFIXES):
        found = rib.lookup(prefix(where), instance=number)
        if found is not None:
            members = [] if found["group"] is None else found["group"]["members"]
            ends = [(end["gateway"], end["ncp"], end["port"], end["weight"], end["role"]) for end in members]
            paths = [(path["source"], path["role"], path["reason"]) for path in found["paths"]]
            key = None if found["group"] is None else found["group"]["key"]
            routes.append((number, where, found["step"], paths, key, ends))
    return routes


@settings(deadline=None)
@given(announcements=ANNOUNCEMENTS, options=OPTIONS, order=st.randoms(use_true_random=False))
def test_the_same_announcements_in_any_order_give_the_same_table(
    announcements: list[tuple[int, dict[str, Any]]], options: dict[str, bool | int], order: Any
) -> None:
    """Unless the oldest path is to stay best, which is what that option is for."""
    shuffled = list(announcements)
    order.shuffle(shuffled)
    assert table(announcements, options) == table(shuffled, options)


def test_a_lost_peer_takes_all_its_paths_along() -> None:
    rib = engine()
    connected, first, second = rib.add_connected_source(), peer(rib, "10.0.0.1"), peer(rib, "10.0.0.2")
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.apply(first, [announce("203.0.113.0/24", "10.0.0.1"), announce("203.0.114.0/24", "10.0.0.1")])
    rib.apply(second, [announce("203.0.113.0/24", "10.0.0.2", "65002 65003")])
    assert rib.source_counts(first) == {"ipv4": 2, "ipv6": 0, "ipv4_stale": 0, "ipv6_stale": 0}
    rib.remove_source(first)
    while rib.step():
        pass
    row = rib.lookup(prefix("203.0.113.0/24"))
    assert row is not None
    assert [path["source"] for path in row["paths"]] == [second]
    assert rib.lookup(prefix("203.0.114.0/24")) is None


def test_a_withdrawn_path_id_leaves_the_other_path_ids() -> None:
    rib = engine()
    source = peer(rib, "10.0.0.1")
    rib.apply(source, [announce("203.0.113.0/24", "10.0.0.1", path_id=i) for i in (1, 2)])
    rib.apply(source, [withdraw("203.0.113.0/24", path_id=1)])
    row = rib.lookup(prefix("203.0.113.0/24"))
    assert row is not None
    assert [path["path_id"] for path in row["paths"]] == [2]


def test_a_peer_without_an_import_policy_gives_nothing() -> None:
    rib = engine()
    source = peer(rib, "10.0.0.1", import_accept=False)
    rib.apply(source, [announce("203.0.113.0/24", "10.0.0.1")])
    assert rib.lookup(prefix("203.0.113.0/24")) is None


@pytest.mark.parametrize("max_routes", [1, 3, 100])
def test_the_fib_stream_leads_a_consumer_from_nothing_to_the_fib_and_through_changes(max_routes: int) -> None:
    rib = engine()
    consumer = rib.fib_open()
    folded = FoldedFib()
    connected, static = rib.add_connected_source(), rib.add_static_source()
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
    for third in range(7):
        rib.put_static(static, prefix(f"10.1.{third}.0/24"), [{"address": ip("10.0.0.9")}])
    folded.read_all(rib, consumer, max_routes)
    assert len(folded.routes) == 8
    complete, count, digest = rib.fib_snapshot_state(consumer)
    assert (complete, count, digest) == (True, 8, folded.digest(bytes(range(16))))

    before = dict(folded.routes)
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth7")
    delta = rib.fib_read(consumer)
    assert delta is not None
    folded.apply(delta)
    assert delta.urgent
    assert delta.count == 1  # the connected route has another group; the static ones keep theirs, which has new content
    assert {folded.routes[key] for key in before if key[1] != prefix("10.0.0.0/24")} == {
        before[1, prefix("10.1.0.0/24")]
    }
    rib.remove_source(static)
    rib.delete(connected, prefix("10.0.0.0/24"))
    folded.read_all(rib, consumer, max_routes)
    assert (folded.routes, folded.groups, folded.adjacencies) == ({}, {}, {})


def read_export(rib: ReferenceEngine, consumer: int, told: Replay) -> Replay:
    while (read := rib.export_read(consumer, 1)) is not None:
        data, messages = read
        before = told.updates
        assert told.feed(data).updates - before == messages
    return told


def test_the_export_stream_leads_a_peer_to_its_adj_rib_out_and_ends_the_initial_table_once() -> None:
    rib = engine()
    connected, first, second = rib.add_connected_source(), peer(rib, "10.0.0.1"), peer(rib, "10.0.0.2")
    rib.put_connected(connected, prefix("10.0.0.0/24"), "ncp1", "eth0")
    rib.apply(first, [announce("203.0.113.0/24", "10.0.0.1", med=5, local_pref=7)])
    rib.apply(second, [announce("203.0.114.0/24", "10.0.0.2")])
    rib.set_networks(1, [prefix("10.0.0.0/24")])
    consumer = rib.export_open(
        peer_source=second,
        afi=1,
        safi=1,
        ebgp=True,
        local_asn=65000,
        peer_asn=65002,
        next_hop_self=False,
        local_address=ip("10.0.0.254"),
        local_link=None,
        four_octet_as=True,
    )
    told = read_export(rib, consumer, Replay())
    assert told.end_of_rib == 1
    assert {where: row["as_path"] for where, row in told.routes.items()} == {
        "203.0.113.0/24": "65000 65001",
        "10.0.0.0/24": "65000",
    }
    assert told.routes["203.0.113.0/24"]["next_hop"] == "10.0.0.254"
    assert (told.routes["203.0.113.0/24"]["med"], told.routes["203.0.113.0/24"]["local_pref"]) == (None, None)
    shown = {row["prefix"]: row["attributes"] for row in rib.adj_rib_out(consumer, 10)}
    assert {where: row["as_path"] for where, row in shown.items()} == {
        where: row["as_path"] for where, row in told.routes.items()
    }
    assert rib.export_count(consumer) == 2
    rib.apply(first, [withdraw("203.0.113.0/24")])
    read_export(rib, consumer, told)
    assert set(told.routes) == {"10.0.0.0/24"}
    assert told.end_of_rib == 1


def test_pages_hold_every_route_once_even_when_the_last_one_shown_goes_away() -> None:
    rib = engine()
    connected = rib.add_connected_source()
    wanted = [f"10.{second}.0.0/16" for second in range(10)]
    for where in wanted:
        rib.put_connected(connected, prefix(where), "ncp1", "eth0")
    seen: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        rows, cursor = rib.page(1, cursor, 3)
        seen += [row["prefix"] for row in rows]
        if seen[-1] == "10.2.0.0/16":
            rib.delete(connected, prefix("10.2.0.0/16"))
    assert seen == wanted
    inside, more = rib.query(1, within=prefix("10.4.0.0/15"))
    assert ([row["prefix"] for row in inside], more) == (["10.4.0.0/16", "10.5.0.0/16"], None)
    assert rib.longest_match(ip("10.5.1.1")) == prefix("10.5.0.0/16")
    assert rib.longest_match(ip("11.5.1.1")) is None


def test_the_reference_shares_no_code_with_the_native_engine() -> None:
    script = "import sys, rib.reference; assert not [name for name in sys.modules if name.split('.')[0] == 'native']"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_reference_has_every_call_of_the_native_engine_but_the_one_that_decodes() -> None:
    stub = ast.parse((Path(__file__).parents[2] / "native" / "_native.pyi").read_text())
    (native,) = [node for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "Engine"]
    calls = {node.name: node.args for node in native.body if isinstance(node, ast.FunctionDef)}
    del calls["receive"]
    assert ReferenceEngine(router_id=bytes(4), asn=1, digest_key=bytes(16)).healthy
    for name, arguments in calls.items():
        if name != "healthy":
            wanted = {argument.arg for argument in arguments.args + arguments.kwonlyargs}
            assert wanted <= set(inspect.signature(getattr(ReferenceEngine, name)).parameters), name
