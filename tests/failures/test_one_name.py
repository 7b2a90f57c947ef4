"""Row 16: a second agent, in another box, with the name and the certificate of one that works.

client ── box (ncpd ncp1) ── BIRD, AS 65003
            │
        controller ── twin (ncpd ncp1)
"""

from __future__ import annotations

import pytest

from tests.failures.recording import Row
from tests.lab.bird import Bird
from tests.lab.kernel import kernel_routes
from tests.lab.lab import Lab
from tests.lab.peer import Announcement, Neighbor, PeerConfig
from tests.lab.probes import PingStream, ping
from tests.lab.router import Agent, Router
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
OURS, THEIRS, BEHIND, TARGET = "10.3.0.1", "10.3.0.2", "198.51.100.0/24", "198.51.100.1"
MANAGEMENT = "172.31.0.1"


@pytest.mark.row(16)
def test_the_second_agent_of_a_name_is_refused_with_an_alarm_and_the_first_does_not_notice(lab: Lab, row: Row) -> None:
    home, box, twin, client, peer = (lab.box(name) for name in ("home", "box", "twin", "client", "peer"))
    lab.link(home, "m0", box, "m0", a_addresses=[f"{MANAGEMENT}/24"], b_addresses=["172.31.0.2/24"])
    lab.link(home, "m1", twin, "m0", a_addresses=["172.31.1.1/24"], b_addresses=["172.31.1.2/24"])
    twin.route(f"{MANAGEMENT}/32", "via", "172.31.1.1")
    lab.link(box, "eth0", peer, "eth0", b_addresses=[f"{THEIRS}/24"])
    lab.link(box, "eth1", client, "eth0", b_addresses=["10.4.0.2/24"])
    lab.link(twin, "eth0", home, "spare")
    peer.address("lo", f"{TARGET}/32")
    peer.route("default", "via", OURS)
    client.route("default", "via", "10.4.0.1")
    both = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    config = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "ncps": {"ncp1": {"certificate": "ncp1"}},
        "interfaces": {"eth0": {"addresses": [f"{OURS}/24"]}, "eth1": {"addresses": ["10.4.0.1/24"]}},
        "bgp": {"neighbors": {THEIRS: {"asn": 65003, "hold-time": 3, "families": both}}},
    }
    router = Router(lab, config, {"home": home, "ncp1": box}, management=MANAGEMENT)
    neighbor = Neighbor(OURS, 65001, THEIRS, families=(4,), hold_time=3)
    Bird(peer, PeerConfig(65003, "10.0.0.3", [neighbor], [Announcement(BEHIND)])).start()
    router.start_controller()
    router.agents["ncp1"].start()
    router.wait_established(THEIRS)
    wait_for("probes to pass", lambda: ping(client, TARGET, count=2), lambda loss: not loss.lost)

    def conditions() -> dict[str, dict[str, object]]:
        return {condition["code"]: condition for condition in router.ncps()["ncp1"]["conditions"]}

    def session() -> tuple[int, float]:
        (row,) = router.ctl("show", "bgp", "neighbor", THEIRS)["neighbors"]
        return row["established_count"], row["last_down"]

    before, writes = session(), router.ncps()["ncp1"]["agent"]["netlink_messages"]
    probes = PingStream(client, TARGET, interval=0.001)
    second = Agent(router, "ncp1", twin)
    second.start()
    alarm = wait_for("the alarm", lambda: conditions().get("duplicate-agent"), lambda seen: seen and seen["count"] > 2)
    assert alarm is not None
    assert alarm["severity"] == "alarm"
    assert "172.31.1.2" in str(alarm["text"]), "where to look for it"
    assert second.process is not None
    assert "refused (duplicate)" in second.process.output()
    assert kernel_routes(twin) == {}
    assert OURS not in twin.ip("-4", "address", "show", "dev", "eth0"), "it was told nothing"

    loss = probes.finish()
    now = router.ncps()["ncp1"]
    row(16, lost=loss, writes=now["agent"]["netlink_messages"] - writes, refused=alarm["count"])
    assert (loss.lost, session(), now["state"]) == (0, before, "forwarding")
    second.stop()
    wait_for("calm", conditions, lambda seen: "duplicate-agent" not in seen)
