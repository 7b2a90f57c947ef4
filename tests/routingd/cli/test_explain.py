"""The story of a prefix: told to the end where it is installed, to the stage that stopped it where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from rib.step import Step
from routingd.cli.explain import STEPS, stage, story
from tests.routingd.cli.canned import ABSENT, EXPLAIN, FIRST_HOP, KERNELS, LOOKUP, RESOLUTION, explain_peer


def told(**changes: Any) -> dict[str, Any]:
    return {**EXPLAIN, **changes}


def absent(**changes: Any) -> dict[str, Any]:
    return {**ABSENT, "covering": None, **changes}


def test_an_installed_prefix_is_followed_from_the_peer_to_both_kernels() -> None:
    text = "\n".join(story(told()))
    for part in (
        "* from 192.0.2.2 (eBGP, AS 65002, socket at ncp1), distance 20, metric 0, weight 100, 3h00m old",
        "b from 198.51.100.2 (eBGP, AS 65003, socket at ncp2), distance 20, metric 0, 4h00m old",
        "lost at weight",
        "the path from 192.0.2.2: its peer's weight is higher [weight]",
        "backup from 198.51.100.2: ready if that is lost",
        "  best from 192.0.2.2\n    192.0.2.2: by 192.0.2.0/24 connected, metric 0 → 192.0.2.2 at ncp1/eth0",
        "  backup from 198.51.100.2\n    198.51.100.2: by 198.51.100.0/24 connected, metric 0 → 198.51.100.2 at ncp2",
        "Next-hop group 7 (key 3f2a9c0d51e84b7790aa12cd34ef5678):",
        "198.51.100.2 at ncp2/eth0, weight 1, backup",
        "primary 192.0.2.2, weight 1, from 192.0.2.2",
        "ncp2: installed, kernel group 536870915\n    via 169.254.100.1 dev fab0 (fabric to ncp1), weight 1",
        "203.0.113.0/24 is installed at ncp1 and ncp2.",
    ):
        assert part in text
    assert stage(told())[0] == "installed"


def test_every_step_of_selection_has_words() -> None:
    assert set(STEPS) == {step.label for step in Step} - {"none"}


def test_an_address_is_told_the_prefix_that_its_packets_take() -> None:
    lines = story(told(asked="203.0.113.7", match="longest"))
    assert lines[0] == "203.0.113.0/24 (ipv4-unicast), the longest match for 203.0.113.7"


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        ({"state": "pending"}, "not installed at ncp2 because it is on its way to the kernel."),
        ({"state": "failed", "errno": 113}, "not installed at ncp2 because the kernel refused it (errno 113)."),
        ({"state": "unresolved"}, "not installed at ncp2 because none of its next hops is up there."),
        ({"state": "unreachable", "reason": "the agent of ncp2 is not connected"}, "because the agent of ncp2 is not"),
        ({"state": "absent"}, "because its agent has not been told of it."),
    ],
)
def test_a_kernel_that_lacks_it_is_named_with_the_reason(kernel: dict[str, Any], why: str) -> None:
    explain = told(ncps=[KERNELS[0], {**KERNELS[1], "kernel_group": None, "members": [], **kernel}])
    word, verdict = stage(explain)
    assert word == "not-installed"
    assert why in verdict
    assert verdict == story(explain)[-1]


def test_neighbors_that_are_not_told_yet_are_said_to_wait_for_whom() -> None:
    kernels = [KERNELS[0], {**KERNELS[1], "state": "pending", "awaited": True}]
    lines = story(told(route={**LOOKUP, "waits": True}, ncps=kernels))
    assert "Not told yet to neighbors that would send us packets for it: waits for ncp2." in lines
    lines = story(told(route={**LOOKUP, "waits": True}))
    assert any(line.endswith("waits for the boxes' answers.") for line in lines), "they have it and are about to say so"
    assert not any("Not told yet" in line for line in story(told()))


def test_where_nothing_is_installed_the_story_ends_well_with_what_was_selected() -> None:
    kernel = {"state": "not-installed", "reason": "kernel install is off", "kernel_group": None, "members": []}
    explain = told(ncps=[{**each, **kernel} for each in KERNELS])
    assert stage(explain) == ("selected", "203.0.113.0/24 is selected. Not installed: kernel install is off.")
    assert "  ncp2: not-installed: kernel install is off" in story(explain)
    left = told(ncps=[{**KERNELS[0], **kernel}, {**KERNELS[1], "state": "stale"}])
    assert stage(left)[0] == "not-installed", "what an earlier life left is not gone yet"


def test_a_route_whose_next_hop_does_not_resolve_is_heard_but_not_used() -> None:
    hop = {**LOOKUP["paths"][0]["next_hops"][0], "resolved": False, "via": None, "adjacencies": []}
    path = {
        **LOOKUP["paths"][0],
        "best": False,
        "role": "",
        "usable": False,
        "reason": "next hop unresolved: 192.0.2.2",
        "next_hops": [hop],
    }
    resolution = [{**RESOLUTION[0], "role": "", "next_hops": [{**hop, "reason": "no route", "next_hops": []}]}]
    explain = told(route={**LOOKUP, "step": "none", "paths": [path], "group": None}, ncps=[], resolution=resolution)
    assert stage(explain) == (
        "no-usable-path",
        "203.0.113.0/24 was heard but is not used: next hop unresolved: 192.0.2.2.",
    )
    assert "    not usable: next hop unresolved: 192.0.2.2" in story(explain)
    assert "  192.0.2.2: does not resolve: no route" in story(explain)


def test_a_prefix_that_only_a_shorter_one_covers_is_said_to_be_covered() -> None:
    word, verdict = stage(dict(ABSENT))
    assert word == "covered"
    assert verdict.endswith("It is covered by 203.0.113.0/24, which traffic follows.")


def test_import_that_is_not_accepted_is_named_as_what_stopped_it() -> None:
    explain = absent(peers=[explain_peer("192.0.2.2", accept_import=False)])
    word, verdict = stage(explain)
    assert word == "import-not-accepted"
    assert "nothing is let in from 192.0.2.2, since `import: accept` is not said (RFC 8212)" in verdict
    assert "  192.0.2.2 (AS 65002): import is not accepted" in story(explain)


def test_sessions_that_are_down_are_named_as_what_stopped_it() -> None:
    explain = absent(peers=[explain_peer("192.0.2.2", "Active"), explain_peer("192.0.2.3", "Idle")])
    word, verdict = stage(explain)
    assert word == "no-session"
    assert "192.0.2.2 (Active) and 192.0.2.3 (Idle)" in verdict


def test_a_prefix_nobody_announced_was_not_heard() -> None:
    peers = [
        explain_peer("192.0.2.2"),
        explain_peer("192.0.2.3", "Idle"),
        explain_peer("192.0.2.4", accept_import=False),
    ]
    word, verdict = stage(absent(peers=peers))
    assert word == "no-route-heard"
    assert verdict == (
        "No route for 203.0.113.128/25 was heard from 192.0.2.2. "
        "Nothing is let in from 192.0.2.4 (no `import: accept`). Not Established: 192.0.2.3."
    )


def test_without_neighbors_of_the_family_that_is_said() -> None:
    word, verdict = stage(absent(peers=[]))
    assert word == "no-route-heard"
    assert "no neighbor is configured for ipv4-unicast" in verdict


@pytest.mark.parametrize(
    ("kind", "place", "line"),
    [
        ("drop", None, "  blackhole: packets are dropped"),
        ("unreachable", None, "  unreachable: packets are answered with ICMP unreachable"),
        ("local", "ncp1", "  local at ncp1/eth0: an address of our own"),
        ("ip", "ncp1", "  ncp1/eth0: on the link itself"),
    ],
)
def test_a_route_without_next_hop_says_what_becomes_of_packets(kind: str, place: str | None, line: str) -> None:
    port = "eth0" if place is not None else None
    end = {"id": 9, "ncp": place, "port": port, "gateway": None, "kind": kind}
    assert line in story(resting({**FIRST_HOP, "address": None, "via": None, "adjacencies": [end]}))


def test_an_address_of_a_box_is_settled_where_its_kernel_delivers_it_by_itself() -> None:
    local = {**KERNELS[0], "state": "local", "kernel_group": None, "members": []}
    explain = told(ncps=[local, KERNELS[1]])
    assert stage(explain) == ("installed", "203.0.113.0/24 is installed at ncp2 and local at ncp1.")
    assert "  ncp1: local: an address of this box, its kernel delivers it by itself" in story(explain)


def test_a_static_next_hop_with_a_port_is_not_looked_up() -> None:
    line = "  192.0.2.2 at ncp1/eth0: on that port, not looked up"
    assert line in story(resting({**FIRST_HOP, "via": None, "ncp": "ncp1", "port": "eth0"}))


def test_what_resolves_a_next_hop_is_told_as_a_tree_down_to_the_ports() -> None:
    def node(address: str, via: str, protocol: str, *below: dict[str, Any]) -> dict[str, Any]:
        hop = {**FIRST_HOP, "address": address, "via": via, "metric": len(below)}
        return {**hop, "protocol": protocol, "reason": "", "next_hops": list(below)}

    leaves = [node(f"192.0.2.{number}", "192.0.2.0/24", "connected") for number in (2, 3)]
    tree = node("10.9.9.9", "10.9.0.0/16", "bgp", node("10.0.0.1", "10.0.0.0/8", "static", *leaves), leaves[0])
    lines = story(told(resolution=[{**RESOLUTION[0], "next_hops": [tree]}]))
    first = lines.index("  10.9.9.9: by 10.9.0.0/16 bgp, metric 2")
    assert lines[first + 1 : first + 5] == [
        "  ├─ 10.0.0.1: by 10.0.0.0/8 static, metric 2",
        "  │  ├─ 192.0.2.2: by 192.0.2.0/24 connected, metric 0 → 192.0.2.2 at ncp1/eth0",
        "  │  └─ 192.0.2.3: by 192.0.2.0/24 connected, metric 0 → 192.0.2.2 at ncp1/eth0",
        "  └─ 192.0.2.2: by 192.0.2.0/24 connected, metric 0 → 192.0.2.2 at ncp1/eth0",
    ]


def resting(hop: dict[str, Any]) -> dict[str, Any]:
    """A story of which only the end of the next hop matters."""
    return told(resolution=[{**RESOLUTION[0], "next_hops": [{**hop, "protocol": None, "reason": "", "next_hops": []}]}])


def test_a_reflected_path_names_who_brought_it_and_the_clusters_it_passed() -> None:
    (first, second) = LOOKUP["paths"]
    assert first["attributes"] is not None
    by = {**first["attributes"], "originator_id": "10.255.0.7", "cluster_list": ["10.255.0.1", "10.255.0.2"]}
    route = {**LOOKUP, "paths": [{**first, "attributes": by}, second]}
    lines = story(told(route=route))
    assert "    reflected: brought into the AS by 10.255.0.7, clusters passed: 10.255.0.1 10.255.0.2" in lines
    assert sum("reflected" in line for line in lines) == 1
