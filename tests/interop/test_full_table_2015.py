"""A real Internet table, replayed as it crossed the wire in 2015: the Loc-RIB is what bgpdump read, and two kernels
hold it.

It is a recording of an iBGP session (AS 3856), so a static route covers its next hops: see the README beside the data.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import kernel, mrt
from tests.lab.attributes import assert_same
from tests.lab.feeder import Feeder
from tests.lab.forwarding import expected_ways, fabric_port, kernel_ways
from tests.lab.lab import Lab
from tests.lab.router import Router
from tests.lab.waiting import wait_for

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not mrt.FULL_TABLE.exists(), reason="test data folder ../shared/data absent"),
]
ASN = 3856
AS_ZERO = {"103.225.92.0/24", "103.225.93.0/24", "103.225.94.0/24", "103.225.95.0/24"}
"""Announced with the path "65005 65005 65005 65005 65005 0": AS 0 makes it malformed, so these must be absent
(RFC 7607 2). The AGGREGATOR of 18 other routes is AS 0 and is left out."""
PEER, US = "10.9.0.1", "10.9.0.2"


def configuration() -> dict[str, Any]:
    return {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": ASN},
        "ncps": {"ncp1": {"embedded": True}, "ncp2": {"certificate": "ncp2"}},
        "fabric": {
            "ncp1": {"port": "fab0", "address": "169.254.100.1"},
            "ncp2": {"port": "fab0", "address": "169.254.100.2"},
        },
        "interfaces": {"ncp1/eth0": {"addresses": [f"{US}/24"]}},
        # Not a default route, for the recording has one of its own: two halves cover every next hop.
        "static": {"0.0.0.0/1": {"next-hop": PEER}, "128.0.0.0/1": {"next-hop": PEER}},
        "bgp": {"neighbors": {PEER: {"asn": ASN, "families": {"ipv4-unicast": {"import": "accept"}}}}},
    }


def test_the_loc_rib_is_what_bgpdump_read_and_both_kernels_hold_it(lab: Lab) -> None:
    box = {name: lab.box(name) for name in ("ncp1", "ncp2", "peer")}
    lab.link(box["ncp1"], "mgmt0", box["ncp2"], "mgmt0", a_addresses=["172.31.0.1/24"], b_addresses=["172.31.0.2/24"])
    lab.link(box["ncp1"], "fab0", box["ncp2"], "fab0", mtu=9000)
    lab.link(box["ncp1"], "eth0", box["peer"], "eth0", b_addresses=[f"{PEER}/24"])
    recorded = mrt.expected_table(mrt.FULL_TABLE_EXPECTED)
    usable = mrt.without_as_zero(recorded)
    assert recorded.keys() - usable.keys() == AS_ZERO
    expected = set(usable.items())
    router = Router(lab, configuration(), {"ncp1": box["ncp1"], "ncp2": box["ncp2"]}, management="172.31.0.1")
    router.start()
    Feeder(
        box["peer"], "peer", peer=US, local=PEER, asn=ASN, router_id=PEER, families=(1,), record=False,
        blob=mrt.update_blob(mrt.FULL_TABLE),
    )  # fmt: skip

    wait_for("the Loc-RIB to fill", router.route_count, lambda count: count >= len(expected), timeout=180, every=0.5)
    found = {(p, mrt.as_bgpdump(a)) for p, a in router.loc_rib(4)}
    assert_same(expected, found, "Loc-RIB against bgpdump")
    assert len(found) == 577699

    wait_for(
        "both kernels to have everything",
        router.ncps,
        lambda ncps: all(
            n["state"] == "forwarding" and n["pending"] == 0 and n["installed"] >= 577699 for n in ncps.values()
        ),
        timeout=180,
        every=0.5,
    )
    fabric = {name: fabric_port(box[name], "fab0") for name in ("ncp1", "ncp2")}
    rows = router.forwarding_rows()
    for name in ("ncp1", "ncp2"):
        wanted = expected_ways(rows, name, fabric)
        own = {"10.9.0.0/24"} - {net for net, _ in wanted}
        there = {entry for entry in kernel_ways(kernel.kernel_routes(box[name], families=(4,))) if entry[0] not in own}
        assert len(wanted) >= 577699
        assert_same(wanted, there, f"kernel of {name} against the Loc-RIB")
