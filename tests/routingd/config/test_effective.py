"""What a configuration means: groups, ports, the loopback's home, the NCP that opens a socket."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from routingd.config.effective import FamilyTerms, boxes, neighbors, ranges, static_routes
from routingd.config.load import ConfigError, loads
from routingd.config.schema import Config

TWO_BOXES = """
router: { name: r1, router-id: 10.255.0.1, asn: 65001 }
ncps: { ncp1: { embedded: true }, ncp2: { certificate: ncp2.example.net } }
listen: { address: "[::]:7179", certificate: ncc.pem, key: ncc.key, ca: ca.pem }
fabric:
  ncp1: { port: fab0, address: 169.254.100.1 }
  ncp2: { port: fab0, address: 169.254.100.2 }
interfaces:
  lo: { addresses: [10.255.0.1/32], home: ncp2 }
  ncp1/eth0: { addresses: [192.0.2.1/24], description: transit }
  ncp2/eth0: { addresses: [198.51.100.1/24] }
static:
  203.0.113.0/24: { blackhole: true, tag: 7 }
  0.0.0.0/0: { next-hop: [192.0.2.254, { address: 198.51.100.254, port: ncp2/eth0, weight: 3 }], distance: 250 }
bgp:
  groups:
    transit:
      hold-time: 30
      password: s3cret
      families:
        ipv4-unicast: { import: accept, export: accept }
        ipv6-unicast: { import: accept }
  neighbors:
    192.0.2.2: { asn: 65002, group: transit, families: { ipv4-unicast: { export: null } } }
    198.51.100.2: { asn: 65003, group: transit, hold-time: 9 }
    10.255.0.2: { asn: 65001, source: 10.255.0.1, families: { ipv4-unicast: { import: accept, export: accept } } }
    10.0.0.9: { asn: 65009, ncp: ncp1, multihop: 3, families: { ipv4-unicast: { import: accept } } }
"""


def config(text: str = TWO_BOXES) -> Config:
    return loads(text).config


def test_a_neighbor_takes_from_its_group_what_it_does_not_say() -> None:
    first, second, internal, _ = neighbors(config())
    assert (first.hold_time, first.password, first.ebgp) == (30, "s3cret", True)
    assert second.hold_time == 9
    assert (internal.hold_time, internal.password, internal.ebgp) == (90, None, False)


def test_within_a_family_each_word_of_the_neighbor_wins_for_itself() -> None:
    first, second, *_ = neighbors(config())
    assert first.families == {
        "ipv4-unicast": FamilyTerms(accept_import=True, accept_export=False),
        "ipv6-unicast": FamilyTerms(accept_import=True, accept_export=False),
    }
    assert second.families["ipv4-unicast"] == FamilyTerms(accept_import=True, accept_export=True)


def test_several_paths_are_received_as_group_and_neighbor_say() -> None:
    text = """
router: { name: r1, router-id: 10.255.0.1, asn: 65001 }
bgp:
  groups:
    peers: { asn: 65002, families: { ipv4-unicast: { export: accept }, ipv6-unicast: } }
  neighbors:
    192.0.2.2: { group: peers }
    192.0.2.3: { group: peers, families: { ipv4-unicast: { add-path: { receive: true } } } }
"""
    first, second = (neighbor.families for neighbor in neighbors(config(text)))
    said = FamilyTerms(accept_import=False, accept_export=True)
    assert first == {
        "ipv4-unicast": said,
        "ipv6-unicast": FamilyTerms(accept_import=False, accept_export=False),
    }
    assert second["ipv4-unicast"] == replace(said, add_path_receive=True)


def test_distance_and_aigp_follow_the_kind_of_session_where_nothing_is_said() -> None:
    external, other, internal, far = neighbors(config())
    assert [(n.weight, n.distance, n.aigp) for n in (external, internal)] == [(0, 20, False), (0, 200, True)]
    text = TWO_BOXES.replace("      hold-time: 30", "      hold-time: 30\n      aigp: true\n      weight: 7")
    text = text.replace("hold-time: 9 }", "weight: 8, distance: 90 }")
    text = text.replace("bgp:\n", "bgp:\n  distance: { external: 30, internal: 170 }\n")
    external, other, internal, far = neighbors(config(text))
    assert [(n.weight, n.distance, n.aigp) for n in (external, other, internal, far)] == [
        (7, 30, True),
        (8, 90, True),
        (0, 170, True),
        (0, 30, False),
    ]


def test_the_ncp_of_a_socket_follows_subnet_source_and_the_loopbacks_home() -> None:
    assert [n.ncp for n in neighbors(config())] == ["ncp1", "ncp2", "ncp2", "ncp1"]


def test_a_neighbor_that_no_ncp_reaches_is_refused_when_there_are_several() -> None:
    text = TWO_BOXES.replace("asn: 65009, ncp: ncp1", "asn: 65009")
    with pytest.raises(ConfigError, match=r"10\.0\.0\.9: is in no port's subnet, so it is not clear which NCP"):
        loads(text, "r1.yaml")


def test_without_families_the_address_family_is_offered_and_nothing_passes() -> None:
    text = """
router: { name: r1, router-id: 10.255.0.1, asn: 65001 }
bgp: { neighbors: { "2001:db8::2": { asn: 65002 } } }
"""
    (neighbor,) = neighbors(config(text))
    assert neighbor.families == {"ipv6-unicast": FamilyTerms(accept_import=False, accept_export=False)}
    assert neighbor.ncp == "ncp1"


def test_boxes_have_their_ports_and_the_loopback_is_at_home() -> None:
    first, second = boxes(config()).values()
    assert (first.embedded, second.certificate) == (True, "ncp2.example.net")
    assert first.interfaces == {"eth0": (ip_interface("192.0.2.1/24"),)}
    assert first.descriptions == {"eth0": "transit"}
    assert second.interfaces == {
        "lo": (ip_interface("10.255.0.1/32"),),
        "eth0": (ip_interface("198.51.100.1/24"),),
    }
    assert second.fabric_addresses == (ip_address("169.254.100.2"),)


def test_neighbors_of_a_prefix_have_their_groups_options_and_every_ncp_or_the_one_that_is_named() -> None:
    text = TWO_BOXES.replace("      hold-time: 30", "      hold-time: 30\n      asn: external")
    text = text.replace(
        "  neighbors:",
        "    inside: { asn: internal, source: 10.255.0.1, families: { ipv4-unicast: { import: accept } } }\n"
        "  listen: { 192.0.2.0/24: { group: transit, limit: 7 }, 10.0.0.0/8: { group: inside } }\n  neighbors:",
    )
    transit, inside = ranges(config(text))
    assert (str(transit.prefix), transit.limit, transit.ncps) == ("192.0.2.0/24", 7, ("ncp1", "ncp2"))
    assert (transit.terms.asn, transit.terms.hold_time, transit.terms.password) == (None, 30, "s3cret")
    assert (inside.terms.asn, inside.limit, inside.ncps) == (65001, 100, ("ncp2",))


def test_a_link_local_neighbor_is_at_its_ports_ncp_and_shown_with_it_where_there_are_several() -> None:
    text = TWO_BOXES.replace("  neighbors:\n", "  neighbors:\n    fe80::2%ncp2/eth0: { asn: 65002 }\n")
    first = neighbors(config(text))[0]
    assert (str(first.address), first.ncp, first.on, first.shown) == ("fe80::2", "ncp2", "eth0", "ncp2/eth0")
    alone = """
router: { name: r1, router-id: 10.255.0.1, asn: 65001 }
interfaces: { eth0: {} }
bgp: { neighbors: { "fe80::2%ncp1/eth0": { asn: 65002 } } }
"""
    (only,) = neighbors(config(alone))
    assert (only.ncp, only.on, only.shown) == ("ncp1", "eth0", "eth0")


def test_static_next_hops_may_be_one_or_many_with_ports_and_weights() -> None:
    blackhole, default = static_routes(config())
    assert (blackhole.kind, blackhole.tag, blackhole.next_hops) == ("blackhole", 7, ())
    assert (default.kind, default.distance) == ("via", 250)
    assert [(str(h.address), h.ncp, h.port, h.weight) for h in default.next_hops] == [
        ("192.0.2.254", None, None, 1),
        ("198.51.100.254", "ncp2", "eth0", 3),
    ]


def test_no_password_is_in_the_repr_of_a_neighbor() -> None:
    assert "s3cret" not in repr(neighbors(config()))
