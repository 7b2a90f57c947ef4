"""From the file to what the engine is told at start."""

from __future__ import annotations

import random
from typing import Any

from protocols.bgp.config import Demands
from protocols.bgp.role import Role as BgpRole
from rib.options import Options
from routingd.config.load import loads
from routingd.controller import RouterPlan
from routingd.plan import plan
from routingd.statics import prepare

ROUTER = "router: { name: r1, router-id: 10.255.0.1, asn: 65001 }\n"


def planned(text: str) -> RouterPlan:
    return plan(loads(ROUTER + text), random.Random(1))


class Told:
    """An engine that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: self.calls.append((name, args, more))


def test_without_a_word_the_engine_has_its_defaults_but_for_backups_and_waits_for_the_kernels() -> None:
    told = planned("").rib.options
    assert Options(**told) == Options(backup=True, advertise_installed=True)


def test_a_router_may_install_nothing() -> None:
    kernel = planned("kernel: { install: false, table: 100 }\n").boxes.kernel
    assert (kernel.install, kernel.table) == (False, 100)
    assert planned("").boxes.kernel.install


def test_every_knob_of_the_file_reaches_the_engine() -> None:
    told = planned(
        """
next-hops: { resolve-via-default: false }
advertise: immediately
bgp:
  best-path:
    { always-compare-med: true, missing-med-as-worst: true, ignore-as-path-length: true, compare-router-id: false,
      prefer-oldest: true, default-local-preference: 90 }
  multipath: { ebgp: 8, ibgp: 4, relax-as-path: true, weighted: false }
  backup-paths: false
"""
    ).rib.options
    assert Options(**told) == Options(
        always_compare_med=True,
        missing_med_as_worst=True,
        as_path_ignore=True,
        compare_router_id=False,
        prefer_oldest=True,
        default_local_pref=90,
        multipath_ebgp=8,
        multipath_ibgp=4,
        multipath_relax=True,
        weighted=False,
        backup=False,
        resolve_via_default=False,
        advertise_installed=False,
    )
    assert told.keys() == set(Options.__slots__)


def test_options_come_before_routes_and_what_bgp_originates() -> None:
    router = planned(
        """
static: { 10.0.0.0/8: { next-hop: fe80::9, port: eth7 }, 11.0.0.0/8: { blackhole: true } }
bgp: { networks: [11.0.0.0/8], redistribute: [connected, static] }
"""
    )
    engine: Any = Told()
    prepare(engine, 3, router.rib)
    assert [name for name, _, _ in engine.calls] == [
        "set_options", "put_static", "put_static", "set_networks", "set_redistribute",
    ]  # fmt: skip
    assert engine.calls[-1][1] == (("connected", "static"),)
    assert router.rib.named_ports() == {("ncp1", "eth7")}


def test_what_a_neighbor_says_of_its_routes_reaches_its_session() -> None:
    (neighbor,) = planned("bgp: { neighbors: { 192.0.2.2: { asn: 65001, weight: 5, distance: 9 } } }").neighbors
    config = neighbor.session.config
    assert (config.weight, config.distance, config.aigp) == (5, 9, True)


def test_roles_and_the_send_hold_time_of_a_neighbor_reach_its_session() -> None:
    told = "192.0.2.2: { asn: 65002, role: rs-client, role-strict: true, send-hold-time: 600 }"
    (neighbor,) = planned(f"bgp: {{ neighbors: {{ {told} }} }}").neighbors
    config = neighbor.session.config
    assert (config.role, config.role_strict, config.send_hold_time) == (BgpRole.RS_CLIENT, True, 600)
    (plain,) = planned("bgp: { neighbors: { 192.0.2.2: { asn: 65002 } } }").neighbors
    config = plain.session.config
    assert (config.role, config.role_strict, config.send_hold(90)) == (None, False, 480)


def test_clients_and_the_cluster_of_a_route_reflector_reach_its_sessions() -> None:
    client, plain = planned(
        """
bgp:
  cluster-id: 10.255.0.7
  groups: { clients: { asn: 65001, route-reflector-client: true } }
  neighbors: { 192.0.2.2: { group: clients }, 192.0.2.3: { asn: 65001 } }
"""
    ).neighbors
    assert client.session.config.route_reflector_client
    assert not plain.session.config.route_reflector_client
    assert client.session.config.cluster_id == plain.session.config.cluster_id == bytes((10, 255, 0, 7))


def test_what_is_asked_of_a_neighbors_routes_reaches_its_session() -> None:
    def demands(more: str) -> Demands:
        (neighbor,) = planned(f"bgp: {{ neighbors: {{ 192.0.2.2: {{ asn: 65002, {more} }} }} }}").neighbors
        return neighbor.session.config.demands

    assert demands("") == Demands(first_as=True)
    assert demands("role: rs-client") == Demands(first_as=False)
    assert demands("role: rs-client, enforce-first-as: true").first_as
    said = "enforce-first-as: false, allow-own-as: 2, maximum-as-path: 50, maximum-attributes: 4096"
    assert demands(said) == Demands(first_as=False, own_as=2, as_path=50, attributes=4096)


def test_next_hops_and_paths_that_an_external_neighbor_is_told_reach_its_session() -> None:
    told = "next-hop-unchanged: true, private-as: replace, as-override: true"
    (neighbor,) = planned(f"bgp: {{ neighbors: {{ 192.0.2.2: {{ asn: 65002, {told} }} }} }}").neighbors
    config = neighbor.session.config
    assert (config.next_hop_unchanged, config.private_as, config.as_override) == (True, "replace", True)


def test_a_confederation_is_one_as_to_those_outside_and_our_member_as_within() -> None:
    outside, member, internal, anybody = planned(
        """
bgp:
  confederation: { id: 65000, members: [65002, 65003] }
  neighbors:
    192.0.2.2: { asn: 65010 }
    192.0.2.3: { asn: 65002 }
    192.0.2.4: { asn: 65001 }
    192.0.2.5: { asn: external }
"""
    ).neighbors
    kinds = [
        (peer.session.config.local_asn, peer.session.config.ebgp, peer.session.config.member)
        for peer in (outside, member, internal, anybody)
    ]
    assert kinds == [(65000, True, False), (65001, False, True), (65001, False, False), (65000, True, False)]
    # RFC 7311 3.2: AIGP passes within the confederation; distances are of internal routes there.
    assert [peer.session.config.aigp for peer in (outside, member, internal)] == [False, True, True]
    assert [peer.session.config.distance for peer in (outside, member, internal)] == [20, 200, 200]
    # On a shared link, unless `multihop` says more.
    assert [peer.session.config.send_ttl for peer in (outside, member, internal)] == [1, 1, 64]


def test_ipv4_over_an_ipv6_session_may_have_ipv6_next_hops_unless_the_file_says_no() -> None:
    def extended(address: str, more: str) -> bool:
        text = f"bgp: {{ neighbors: {{ '{address}': {{ asn: 65002, {more} }} }} }}"
        return planned(text).neighbors[0].session.config.extended_next_hop

    both = "families: { ipv4-unicast: { import: accept }, ipv6-unicast: { import: accept } }"
    assert extended("2001:db8::2", both)
    assert not extended("2001:db8::2", f"{both}, extended-next-hop: false")
    assert not extended("2001:db8::2", "families: { ipv6-unicast: { import: accept } }")
    assert not extended("192.0.2.2", both)
    assert extended("192.0.2.2", f"{both}, extended-next-hop: true")
