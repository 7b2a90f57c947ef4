"""Reading configurations: every error names file, line and path, and says what would be right."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from routingd.config.load import ConfigError, Loaded, load, loads
from routingd.config.schema import Config

EXAMPLES = Path(__file__).parents[3] / "examples"
DOCS = Path(__file__).parents[3] / "docs"
ROUTER = "router: { name: r1, router-id: 10.255.0.1, asn: 65001 }\n"


def read(text: str) -> Loaded:
    return loads(ROUTER + textwrap.dedent(text), "r1.yaml")


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(textwrap.dedent(text), "r1.yaml")
    return str(caught.value).splitlines()


def wrong(text: str) -> list[str]:
    """The errors of a configuration that is right but for `text`, which begins in line 2."""
    return errors(ROUTER + textwrap.dedent(text))


def test_the_smallest_configuration_has_one_embedded_ncp() -> None:
    config = read("").config
    assert config.router.asn == 65001
    assert {name: ncp.embedded for name, ncp in config.ncps.items()} == {"ncp1": True}
    assert config.management.control.socket == "control.sock"
    assert (config.kernel.table, config.kernel.protocol, config.kernel.metric) == (254, 201, 50)


def test_an_error_names_file_line_and_path() -> None:
    assert wrong(
        """\
        interfaces:
          eth0: { addresses: [192.0.2.1/24] }
        bgp:
          neighbors:
            192.0.2.2:
              description: transit

              asn: x
        """
    ) == ["r1.yaml:9: bgp.neighbors.192.0.2.2.asn: 'x' is not an AS number (1 to 4294967295)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "bgp: { neighbors: { 192.0.2.2: { holdtime: 30 } } }",
            "`holdtime` is not a key here: did you mean `hold-time`?",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { hold_time: 30 } } }",
            "`hold_time` is not a key here: did you mean `hold-time`?",
        ),
        ("bgp: { neighbours: {} }", "`neighbours` is not a key here: did you mean `neighbors`?"),
        ("interface: {}", "`interface` is not a key here: did you mean `interfaces`?"),
        (
            "kernel: { colour: red }",
            "`colour` is not a key here: known are install, metric, protocol, table, weighted-backup",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, expected: str) -> None:
    assert any(line.endswith(expected) for line in wrong(text)), wrong(text)


@pytest.mark.parametrize("section", ["ospf", "isis", "policy"])
def test_sections_of_later_versions_are_refused_by_name(section: str) -> None:
    assert wrong(f"{section}: {{}}") == [
        f"r1.yaml:2: {section}: `{section}` is not supported by this version: take it out"
    ]


def test_the_name_of_a_policy_is_refused_because_there_are_none_yet() -> None:
    (line,) = wrong("bgp: { groups: { g: { families: { ipv4-unicast: { import: FROM-TRANSIT } } } } }")
    assert line.startswith("r1.yaml:2: bgp.groups.g.families.ipv4-unicast.import: 'FROM-TRANSIT' names a policy")
    assert "RFC 8212" in line


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    assert wrong("bgp: {}\nkernel: {}\nbgp: {}\n") == ["r1.yaml:4: bgp: is there twice, first in line 2"]


def test_one_value_written_in_two_ways_is_refused() -> None:
    (line,) = wrong(
        """\
        interfaces: { eth0: { addresses: ["2001:db8::9/64"] } }
        bgp:
          neighbors:
            2001:db8::1: { asn: 1, families: { ipv6-unicast: { import: accept } } }
            2001:DB8:0::1: { asn: 2, families: { ipv6-unicast: { import: accept } } }
        """
    )
    assert line == "r1.yaml:6: bgp.neighbors.2001:DB8:0::1: is there twice: it is the same as '2001:db8::1'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "static: { 10.1.0.0/8: { blackhole: true } }",
            "'10.1.0.0/8' has bits set after its length: did you mean 10.0.0.0/8?",
        ),
        (
            "static: { 10.0.0.0: { blackhole: true } }",
            "'10.0.0.0' is not a prefix: the length is missing, as in 10.0.0.0/24",
        ),
        (
            "static: { 10.0.0.0/8: { blackhole: yes } }",
            "'yes' is not true or false",
        ),
        (
            "static: { 10.0.0.0/8: {} }",
            "needs exactly one of `next-hop`, `blackhole: true`, `unreachable: true`",
        ),
        (
            "static: { 10.0.0.0/8: { next-hop: 10.9.9.9, blackhole: true } }",
            "needs exactly one of `next-hop`, `blackhole: true`, `unreachable: true`",
        ),
        (
            "static: { 10.0.0.0/8: { next-hop: [10.9.9.9, x] } }",
            "'x' is not an IPv4 or IPv6 address",
        ),
        (
            "static: { '2001:db8::/32': { next-hop: 10.9.9.9 } }",
            "an IPv6 prefix needs an IPv6 next hop",
        ),
        (
            "static: { 10.0.0.0/8: { next-hop: fe80::1 } }",
            "a link-local next hop needs its `port`",
        ),
        (
            "bgp: { networks: 10.0.0.0/8 }",
            "should be a list, like [A, B]",
        ),
        (
            "bgp: [1]",
            "should be a mapping (key: value)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 23456 } } }",
            "'23456' is AS_TRANS (RFC 6793), which no AS has: give the real AS number",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 4294967296 } } }",
            "'4294967296' is not an AS number (1 to 4294967295)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, hold-time: 2 } } }",
            "'2' is not a hold time: 0 (no keepalives) or 3 to 65535 seconds (RFC 4271 4.2)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, send-hold-time: 9 } } }",
            "'9' is not a send hold time: 0 (none) or 10 to 65535 seconds",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, role: boss } } }",
            "'boss' is not one of provider, customer, peer, rs-server, rs-client",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: {} } }",
            "`asn` is missing",
        ),
        (
            "bgp: { neighbors: { fe80::1: { asn: 1 } } }",
            "'fe80::1' is link-local: write the port it is on behind it, like fe80::1%eth0",
        ),
        (
            "bgp: { neighbors: { '2001:db8::1%eth0': { asn: 1 } } }",
            "'2001:db8::1' is not link-local, so no port belongs behind it",
        ),
        (
            "bgp: { neighbors: { 'fe80::1%eth0': { asn: 1 } } }",
            "'eth0' is not in `interfaces`, where a port belongs even without addresses",
        ),
        (
            "bgp: { neighbors: { 'fe80::1%eth0': { asn: 1, multihop: 2 } } }",
            "`multihop` has no meaning for a neighbor on a port, by link-local address",
        ),
        (
            "bgp: { groups: { g: { asn: 1 } }, listen: { 'fe80::/10': { group: g } } }",
            "is link-local, which says nothing without a port",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, tcp-ao: [{ send-id: 1, key: k }] } } }",
            "`receive-id` is missing",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, password: p, "
            "tcp-ao: [{ send-id: 1, receive-id: 1, key: k, algorithm: aes-128-cmac-96 }] } } }",
            "`tcp-ao` and `password` exclude each other",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, "
            "tcp-ao: [{ send-id: 1, receive-id: 1, key: k }, { send-id: 1, receive-id: 2, key: k }] } } }",
            "two keys have one `send-id`",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, tcp-ao: [{ send-id: 256, receive-id: 1, key: k }] } } }",
            "'256' is not a key id (0 to 255)",
        ),
        (
            "bgp: { interfaces: { eth0: { asn: external, source: 10.0.0.1 } } }",
            "`source` has no meaning for a neighbor on a port, by link-local address",
        ),
        (
            "bgp: { interfaces: { lo: { asn: external } } }",
            "'lo' is not in `interfaces`, where a port belongs even without addresses",
        ),
        (
            "bgp: { listen: { 10.0.0.0/8: {} } }",
            "`group` is missing",
        ),
        (
            "bgp: { listen: { 10.0.0.0/8: { group: g } } }",
            "there is no group 'g': groups are none",
        ),
        (
            "bgp: { groups: { g: {} }, listen: { 10.0.0.0/8: { group: g } } }",
            "`asn` is missing, here and in the group",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, group: g } } }",
            "there is no group 'g': groups are none",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, ttl-security: true, multihop: 2 } } }",
            "`ttl-security` and `multihop` exclude each other",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, source: 192.0.2.9 } } }",
            "192.0.2.9 is on none of our interfaces",
        ),
        (
            "bgp: { neighbors: { 224.0.0.1: { asn: 1 } } }",
            "'224.0.0.1' is not the address of a host",
        ),
        (
            "interfaces: { eth0: { addresses: [192.0.2.1] } }",
            "'192.0.2.1' is not an address with its length (like 192.0.2.1/24)",
        ),
        (
            "interfaces: { a-name-that-is-too-long: {} }",
            "is not a port: NCP/NAME or NAME, where NAME is a Linux interface name of at most 15 bytes",
        ),
        (
            "interfaces: { ncp9/eth0: {} }",
            "there is no NCP 'ncp9': ncps are ncp1",
        ),
        (
            "interfaces: { eth0: { home: ncp1 } }",
            "only `lo` has a home; a port is where it is",
        ),
        (
            "ncps: { a: {} }",
            "needs exactly one of `embedded: true` and `certificate: NAME`",
        ),
        (
            "ncps: { a: { certificate: a.example.net } }",
            "dials in, so `listen` (address, certificate, key, ca) is needed",
        ),
        (
            "listen: { address: '::7179', certificate: c, key: k, ca: a }",
            "'::7179' is not ADDRESS:PORT (like 0.0.0.0:7179 or [::]:7179)",
        ),
        (
            "management: { log: { level: loud } }",
            "'loud' is not one of debug, info, warning, error",
        ),
        (
            "bgp: { best-path: { always-compare: true } }",
            "`always-compare` is not a key here: did you mean `always-compare-med`?",
        ),
        (
            "bgp: { best-path: { default-local-preference: 4294967296 } }",
            "'4294967296' is not a number in range (0 to 4294967295)",
        ),
        (
            "bgp: { multipath: { ebgp: 65 } }",
            "'65' is not a number of paths (1 to 64)",
        ),
        (
            "bgp: { redistribute: [connected, ospf] }",
            "'ospf' is not one of connected, static",
        ),
        (
            "bgp: { groups: { g: { weight: 65536 } } }",
            "'65536' is not a weight (0 to 65535)",
        ),
        (
            "bgp: { distance: { external: 0 } }",
            "'0' is not an administrative distance (1 to 255)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, send-hold-time: 90 } } }",
            "`send-hold-time` must be more than the hold time, 90 (RFC 9687)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, role-strict: true } } }",
            "`role-strict` needs a `role`",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 65001, role: peer } } }",
            "`role` is for external sessions (RFC 9234)",
        ),
        (
            "bgp: { neighbors: { 192.0.2.2: { asn: 1, route-reflector-client: true } } }",
            "`route-reflector-client` is for internal sessions (RFC 4456)",
        ),
        (
            "bgp: { confederation: { id: 65001, members: [65002] } }",
            "65001 is one of its Member-ASes: it needs a number of its own",
        ),
        (
            "bgp: { confederation: { id: 65000, members: [65000] } }",
            "65000 is one of its Member-ASes: it needs a number of its own",
        ),
        (
            "bgp: { confederation: { id: 65000 }, neighbors: { 192.0.2.2: { asn: 65000 } } }",
            "AS 65000 is our confederation: a neighbor in it has the number of its Member-AS",
        ),
        (
            "bgp: { confederation: { id: 65000, members: [2] }, neighbors: { 192.0.2.2: { asn: 2, role: peer } } }",
            "`role` is for external sessions (RFC 9234)",
        ),
        (
            "bgp: { neighbors: { '2001:db8::2': { asn: 1, extended-next-hop: true } } }",
            "`extended-next-hop` is about the family ipv4-unicast, which is not there",
        ),
        (
            "next-hops: { resolve-via-default: perhaps }",
            "'perhaps' is not true or false",
        ),
        (
            "kernel: { protocol: 2 }",
            "'2' is not a kernel route protocol of ours (5 to 255)",
        ),
        (
            "kernel: { install: off }",
            "'off' is not true or false",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, expected: str) -> None:
    found = wrong(text)
    assert any(line.endswith(expected) for line in found), found
    assert all(line.startswith("r1.yaml:2: ") for line in found)


def test_all_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    found = errors("router: { name: r1, asn: 0 }\nkernel: { table: x }\nnonsense: 1\n")
    assert [line.split(":")[1] for line in found] == ["1", "1", "2", "3"]
    assert any("`router-id` is missing" in line for line in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "r1.yaml:1: is empty: at least `router` with name, router-id and asn is needed"),
        ("just words", "r1.yaml:1: should be a mapping (router: …) at the top"),
        ("a: [1", "r1.yaml:2: is not YAML"),
        ("router: !secret x", "r1.yaml:1: router: has the tag !secret: tags are not used here"),
        ("router:\n  name: \x07", "r1.yaml:2: is not YAML: it holds a control character"),
        ("[" * 300_000, "r1.yaml:1: is nested too deeply"),
        ("a: &a [*a]", "r1.yaml:1: a.0.0.0: is nested too deeply"),
        ("{[a]: 1}", "r1.yaml:1: a key must be a word"),
    ],
)
def test_what_is_no_configuration_is_refused_in_words(text: str, expected: str) -> None:
    assert errors(text)[0].startswith(expected)


def test_aliases_cannot_multiply_without_bound() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "more than 300,000 values" in errors("\n".join(lines))[-1]


def test_an_error_in_a_knob_names_its_line_and_path() -> None:
    assert wrong("bgp:\n  multipath:\n    ibgp: 4\n    ebgp: many\n") == [
        "r1.yaml:5: bgp.multipath.ebgp: 'many' is not a number of paths (1 to 64)"
    ]


def test_scalars_stay_text() -> None:
    config = read("interfaces: { 0777: { description: on } }\nbgp: { groups: { '1e3': {}, yes: {} } }").config
    assert config.interfaces["0777"].description == "on"
    assert list(config.bgp.groups) == ["1e3", "yes"]


def test_empty_sections_are_sections() -> None:
    assert read("bgp:\nmanagement:\n  log:\ninterfaces:\n  eth0:\n").config.bgp.neighbors == {}


def test_a_password_is_never_in_a_message_or_a_repr() -> None:
    loaded = read("bgp: { groups: { g: { password: s3cret } } }")
    assert loaded.config.bgp.groups["g"].password == "s3cret"
    assert "s3cret" not in repr(loaded)
    assert "s3cret" not in "".join(wrong("bgp: { groups: { g: { password: [s3cret], paswword: s3cret } } }"))


def test_several_ncps_need_a_fabric_and_full_port_names() -> None:
    found = wrong(
        """\
        ncps: { a: { embedded: true }, b: { certificate: b.example.net } }
        listen: { address: "[::]:7179", certificate: c.pem, key: c.key, ca: ca.pem }
        interfaces: { eth0: {} }
        """
    )
    assert found == [
        "r1.yaml:2: ncps.a: no `fabric` entry for a, b: with several NCPs each needs one (port, address)",
        "r1.yaml:4: interfaces.eth0: 'eth0': with several NCPs a port is written NCP/NAME, like a/eth0",
    ]


def test_a_neighbor_that_lets_nothing_through_is_warned_about() -> None:
    loaded = read("interfaces: { eth0: { addresses: [192.0.2.1/24] } }\nbgp: { neighbors: { 192.0.2.2: { asn: 2 } } }")
    (warning,) = loaded.warnings
    assert warning.line == 3
    assert "lets no route in or out" in warning.message


def test_an_external_neighbor_off_all_subnets_is_warned_about() -> None:
    loaded = read("bgp: { neighbors: { 192.0.2.2: { asn: 2, families: { ipv4-unicast: { import: accept } } } } }")
    (warning,) = loaded.warnings
    assert "needs `multihop`" in warning.message


def test_a_neighbor_without_a_key_in_a_prefix_with_one_is_warned_about() -> None:
    loaded = read(
        """
interfaces: { eth0: { addresses: [192.0.2.1/24] } }
bgp:
  groups: { g: { asn: 2, password: p, families: { ipv4-unicast: { import: accept } } } }
  neighbors: { 192.0.2.2: { asn: 2, families: { ipv4-unicast: { import: accept } } }, 192.0.2.3: { group: g } }
  listen: { 192.0.2.0/24: { group: g } }
"""
    )
    (warning,) = loaded.warnings
    assert (warning.path[-1], "it cannot connect to us" in warning.message) == ("192.0.2.2", True)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda path: path.parent.name)
def test_every_example_is_a_valid_configuration_without_a_warning(path: Path) -> None:
    assert load(path).warnings == ()


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```$", (DOCS / "bgp.md").read_text(), re.M | re.S))
def test_what_the_page_on_bgp_shows_is_valid_without_a_warning(block: str) -> None:
    assert loads(block).warnings == ()


def test_a_file_is_read_and_its_directory_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "r1.yaml"
    path.write_text("\ufeff" + ROUTER)
    loaded = load(path)
    assert isinstance(loaded.config, Config)
    assert loaded.directory == tmp_path


def test_a_file_that_cannot_be_read_is_an_error_of_the_same_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml:1: cannot be read: No such file or directory"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"router:\n  name: \xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: is not UTF-8 text"):
        load(tmp_path / "latin.yaml")
