"""What is shown of two boxes, held to their kernels: consistency, one route at each, a box in detail, metrics.

host-a ─── ncp1 ═══ fabric ═══ ncp2 ─── host-b
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.commands import LabError
from tests.lab.lab import Lab
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
STATIC, INSIDE = "198.51.100.0/24", "198.51.100.7"
SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9342/metrics').read().decode())"


def configuration() -> dict[str, Any]:
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {
            "ncp1": {"port": "fab0", "address": "169.254.100.1"},
            "ncp2": {"port": "fab0", "address": "169.254.100.2"},
        },
        "interfaces": {
            "ncp1/host0": {"addresses": ["10.1.0.1/24"]},
            "ncp2/host0": {"addresses": ["10.2.0.1/24", "2001:db8:b::1/64"]},
        },
        "static": {STATIC: {"next-hop": "10.2.0.10"}, "2001:db8:51::/48": {"next-hop": "2001:db8:b::10"}},
        "management": {"metrics": "127.0.0.1:9342"},
    }


@pytest.fixture
def router(lab: Lab) -> Iterator[Router]:
    box = {name: lab.box(name) for name in ("ncp1", "ncp2", "host-a", "host-b")}
    lab.link(box["ncp1"], "mgmt0", box["ncp2"], "mgmt0", a_addresses=["172.31.0.1/24"], b_addresses=["172.31.0.2/24"])
    lab.link(box["ncp1"], "fab0", box["ncp2"], "fab0")
    lab.link(box["ncp1"], "host0", box["host-a"], "eth0", b_addresses=["10.1.0.10/24"])
    lab.link(box["ncp2"], "host0", box["host-b"], "eth0", b_addresses=["10.2.0.10/24", "2001:db8:b::10/64"])
    made = Router(lab, configuration(), {"ncp1": box["ncp1"], "ncp2": box["ncp2"]}, management="172.31.0.1")
    made.start()
    yield made
    made.stop()


def consistent(router: Router) -> dict[str, Any]:
    """Once all boxes are equal to the RIB."""
    return dict(
        wait_for(
            "every FIB to be what the RIB wants",
            lambda: router.ctl("show", "fib", "consistency", check=False),
            lambda answer: {row["state"] for row in answer["ncps"]} == {"equal"},
        )
    )


def metrics(router: Router) -> dict[tuple[str, str], float]:
    """By name and box, of what has one value a box."""
    text = router.home.run(sys.executable, "-c", SCRAPE)
    samples = [sample for metric in text_string_to_metric_families(text) for sample in metric.samples]
    return {(sample.name, sample.labels["ncp"]): sample.value for sample in samples if set(sample.labels) == {"ncp"}}


def test_every_box_is_equal_to_the_rib_and_so_are_the_digests(router: Router) -> None:
    answer = consistent(router)
    assert answer["controller"]["ipv4"] >= 3
    assert answer["controller"]["ipv6"] >= 2
    assert [row["model"] for row in answer["ncps"]] == [answer["controller"]] * 2
    shown = router.text("show", "fib", "consistency")
    assert shown.count(answer["controller"]["digest"]) == 3
    for row in router.ctl("show", "ncp", "ncp2", "detail")["ncps"]:
        assert row["model_fib"] == row["controller_fib"] == answer["controller"]


def test_a_route_is_shown_with_the_objects_that_each_kernel_has(router: Router) -> None:
    consistent(router)
    answer = router.ctl("show", "route", INSIDE, "ncp", "all")
    assert answer["prefix"] == STATIC
    by_box = {row["ncp"]: row for row in answer["ncps"]}
    for name, row in by_box.items():
        assert (row["state"], row["nhg"]) == ("installed", answer["group"])
        (route,) = router.boxes[name].ip_json("route", "show", STATIC)
        assert route["nhid"] == row["kernel_group"]
    assert by_box["ncp2"]["members"][0] == {"port": "host0", "gateway": "10.2.0.10", "weight": 1}
    assert by_box["ncp1"]["members"][0]["fabric"] == "ncp2"
    assert "via 10.2.0.10 dev host0 weight 1" in router.text("show", "route", INSIDE, "ncp", "ncp2")


def test_a_change_is_measured_from_the_rib_to_both_kernels(router: Router) -> None:
    consistent(router)
    before = metrics(router)
    router.lab.namespaces["host-b"].link_down("eth0")
    wait_for("the port's routes to go", lambda: router.ctl("show", "route")["routes"], lambda rows: len(rows) < 5)
    consistent(router)
    after = metrics(router)
    for name in router.boxes:
        count = ("routingd_rib_to_installed_seconds_count", name)
        assert after[count] > before[count]
        written = ("routingd_netlink_messages_total", name)
        assert after[written] > before[written]
        assert (after["routingd_fib_lag_seconds", name], after["routingd_fib_pending", name]) == (0, 0)
        assert after["routingd_fib_digest_mismatches_total", name] == 0
        (detail,) = router.ctl("show", "ncp", name, "detail")["ncps"]
        assert detail["latency"]["count"] >= after[count]
        assert 0 <= detail["latency"]["median"] <= detail["latency"]["longest"] < 60
        assert "RIB to kernel  median" in router.text("show", "ncp", name, "detail")


def test_a_box_whose_agent_is_gone_is_unknown_and_what_to_do_is_said(router: Router) -> None:
    consistent(router)
    router.agents["ncp2"].kill()
    wait_for("ncp2 to be missed", lambda: router.ncps()["ncp2"]["state"], lambda state: state != "forwarding")
    with pytest.raises(LabError, match="ncp2: the agent of ncp2 is not connected"):
        router.text("show", "fib", "consistency")
    answer = json.loads(router.home.run(*router.ctl_argv("show", "fib", "consistency", "ncp", "ncp1")))
    assert [row["state"] for row in answer["ncps"]] == ["equal"]
    rows = {row["ncp"]: row["state"] for row in router.ctl("show", "route", STATIC, "ncp", "all")["ncps"]}
    assert rows == {"ncp1": "installed", "ncp2": "unreachable"}
    told = metrics(router)
    assert ("routingd_fib_pending", "ncp1") in told
    assert ("routingd_fib_pending", "ncp2") not in told
    router.agents["ncp2"].start()
    router.wait_ncps()
    consistent(router)


def test_what_another_program_does_to_a_kernel_is_shown_repaired_and_in_the_end_given_up(router: Router) -> None:
    consistent(router)

    def audited() -> dict[str, Any]:
        (row,) = router.ctl("show", "fib", "consistency", "ncp", "ncp2", "audit", check=False)["ncps"]
        return dict(row)

    assert audited()["audit"]["drifted"] == 0
    box = router.boxes["ncp2"]
    box.ip("route", "delete", STATIC)
    row = audited()
    assert (row["state"], row["audit"]["drifted"], row["audit"]["repaired"]) == ("equal", 1, 1)
    assert "0s ago, 1 repaired" in router.text("show", "fib", "consistency")
    assert "1 drifted, 1 repaired" in router.text("show", "ncp", "ncp2", "detail")
    wait_for("the warning", lambda: router.text("show", "ncp", "ncp2"), lambda text: "warning drift: " in text)
    wait_for("the route to be back", lambda: box.ip_json("route", "show", STATIC))
    assert metrics(router)["routingd_fib_repairs_total", "ncp2"] == 1
    box.ip("route", "delete", STATIC)
    row = audited()
    assert (row["state"], row["audit"]["contested"]) == ("differs", 1)
    assert "another program changes 1 of our routes" in row["reason"]
    wait_for("the alarm", lambda: router.text("show", "ncp"), lambda text: "alarm contested: " in text)
