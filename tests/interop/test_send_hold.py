"""A peer that goes on talking and stops reading (RFC 9687): its session is reset, and nobody else notices."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest

from tests.kernel.fake_controller import in_namespace
from tests.lab import tables
from tests.lab.feeder import Feeder
from tests.lab.lab import Lab
from tests.lab.router import Router
from tests.lab.speaker import KEEPALIVE_MESSAGE, open_message
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns
FEEDER, STUCK = "10.8.0.1", "10.9.0.1"
SEND_HOLD = 12


class DeafPeer:
    """It connects, agrees, takes its first KEEPALIVE and reads no more; KEEPALIVEs of its own go on."""

    def __init__(self, remote: str) -> None:
        self.reset = threading.Event()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(20)
        self._socket.connect((remote, 179))
        self._socket.sendall(open_message(65040, 9, STUCK, [1]) + KEEPALIVE_MESSAGE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        while not self._stop.wait(2.0):
            try:
                self._socket.sendall(KEEPALIVE_MESSAGE)
            except (ConnectionResetError, BrokenPipeError):
                self.reset.set()
                return

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


def test_a_peer_that_stops_reading_is_reset_after_the_send_hold_time_and_no_other(lab: Lab) -> None:
    box, feeder_box, stuck_box = (lab.box(name) for name in ("r1", "feeder", "stuck"))
    lab.link(box, "eth0", feeder_box, "eth0", b_addresses=[f"{FEEDER}/24"])
    lab.link(box, "eth1", stuck_box, "eth0", b_addresses=[f"{STUCK}/24"])
    both = {"ipv4-unicast": {"import": "accept", "export": "accept"}}
    config: dict[str, Any] = {
        "router": {"name": "r1", "router-id": "10.255.0.1", "asn": 65001},
        "interfaces": {"eth0": {"addresses": ["10.8.0.2/24"]}, "eth1": {"addresses": ["10.9.0.2/24"]}},
        "bgp": {
            "neighbors": {
                FEEDER: {"asn": 65009, "families": both},
                STUCK: {"asn": 65040, "passive": True, "hold-time": 9, "send-hold-time": SEND_HOLD, "families": both},
            }
        },
    }
    router = Router(lab, config, {"ncp1": box})
    router.start()
    table = tables.generate(30_000, family=4, first_asn=65009, next_hop=FEEDER)
    feeder = Feeder(
        feeder_box, "feeder", peer="10.8.0.2", local=FEEDER, asn=65009, router_id=FEEDER, families=(1,),
        blob=table.encode(), record=False,
    )  # fmt: skip
    feeder.wait_sent()
    wait_for("the table", router.route_count, lambda count: count >= 30_000)

    deaf: DeafPeer = in_namespace(stuck_box, lambda: DeafPeer("10.9.0.2"))
    try:
        router.wait_established(STUCK)
        assert deaf.reset.wait(SEND_HOLD + 40), "the connection was not reset"
        row = router.ctl("show", "bgp", "neighbor", STUCK)["neighbors"][0]
        assert f"the peer took nothing for {SEND_HOLD} s" in row["last_down"]
        last = row["last_notification"]
        assert (last["direction"], last["code"], last["subcode"]) == ("sent", 8, 0)
        assert router.session(FEEDER) == "established"
        healthy = router.ctl("show", "bgp", "neighbor", FEEDER)["neighbors"][0]
        assert healthy["established_count"] == 1
    finally:
        with contextlib.suppress(OSError):
            deaf.close()
