"""One message of every type with every field set: golden frames and round trips are made from these."""

from __future__ import annotations

from typing import Final

from fibd import wire

V4: Final = bytes([192, 0, 2, 1])
V6: Final = bytes.fromhex("20010db8000000000000000000000001")
KEY: Final = bytes(range(16))

SAMPLES: Final[tuple[wire.Message, ...]] = (
    wire.Hello(
        wire.Role.FIB, "ncp1", KEY, version_min=1, version_max=2, capabilities=["columns"], stream_id=b"\x01" * 8,
        last_sequence=7, election_id=3, hostname="box", elected=b"\x03" * 8,
    ),
    wire.Welcome(1, 4, b"\x02" * 8, KEY, resume=0, heartbeat=2.0, grace=60.0, router="r1", isolate=True),
    wire.Error("name", "no such NCP"),
    wire.Bye("upgrade", 30.0, flush=True),
    wire.Heartbeat(9, queue_depth=2, lag=0.5, last_audit=12.0, echo=8),
    wire.Ports(1, [["eth0", 2, True, False, 1500, b"\x02" * 6, "veth"]], removed=["eth1"]),
    wire.Addresses(2, [["eth0", V4, 24, True]], removed=[["eth0", V6, 64]]),
    wire.Neighbours(3, [["eth0", V4, b"\x02" * 6, "reachable"]], removed=[["eth0", V6]]),
    wire.FactsComplete(4),
    wire.BoxConfig(
        5, {"eth0": ["192.0.2.1/24"]}, fabric_port="fab", fabric_address="10.0.0.1/24",
        fabric_peers={"ncp2": [V4, b""]}, kernel_table=100, kernel_protocol=202, kernel_metric=20, discover=["eth1"],
        weighted_backup=True,
    ),
    wire.Routers(6, [["eth1", V6]]),
    wire.Conditions([["audit", "warning", "3 routes were repaired", 2, 12.5]]),
    wire.Query(1, "route", [1, V4, 32]),
    wire.Answer(1, {"nhg": 4}, error="none"),
    wire.StreamListen(1, V4, 179, device="eth0", allow=[[V4, "secret", 255, 255]], ranges=[[V6, 64, "all", 1, 0]],
        ao=[[V4, 32, 1, 2, "hmac-sha-1-96", b"key"]],
    ),
    wire.StreamUnlisten(1),
    wire.StreamConnect(2, V4, 179, local=V4, device="eth0", ttl=1, minimum_ttl=255, md5="secret", timeout=5.0,
        ao=[[1, 2, "aes-128-cmac-96", b"key"]],
    ),
    wire.StreamOpened(3, 1, V4, 179, V4, 40000, device="eth0", credit=65536),
    wire.StreamData([[[2, 3], b"\xff" * 19]], arrived=0.25),
    wire.StreamCredit([[2, 4096]]),
    wire.StreamClose(2, "peer closed", errno=104, reset=True),
    wire.Lease(2, 30.0, 60.0, b"\xff" * 19, hold=90.0, farewell=b"\xff" * 21),
    wire.Capsule(2, b"open"),
    wire.Streams([[2, 0, V4, 179, V4, 40000, "eth0", b"open"]], lives=[[2, 60.0, 0.5, -19]]),
    wire.StreamAdopt(2),
    wire.Transaction(
        4, 10, urgent=True, adjacencies=[[1, "ncp1", "eth0", V4, 0]], groups=[[1, KEY, 0, b"\x01" + bytes(7)]],
        routes=[[1, V4, b"\x18", b"\x01\0\0\0", b"\x01"], [2, V6, b"\x40", b"\x01\0\0\0", b"\0"]],
        dead_groups=[2], dead_adjacencies=[3], fact_sequence=4,
    ),
    wire.Ack(10, 10, 9, credit_bytes=1 << 20, failures=[[9, -1, 1, V4, 24, 22, "Invalid argument"]]),
    wire.SnapshotBegin(4, 11, kept=[[1, b"\x01" * 128]]),
    wire.SnapshotEnd(4, 12, 1, 0xFFFF_FFFF_FFFF_FFFF),
    wire.SnapshotVerdict(True, 1, 5),
    wire.Resume(4, 12),
    wire.DigestRequest(4),
    wire.DigestReply([[1, b"\x02" * 16]]),
)  # fmt: skip
