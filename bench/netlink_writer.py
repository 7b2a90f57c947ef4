"""The limit: a table written into a kernel by one process that does nothing else.

What an ideal program would do: every batch is ready in memory, each is one send, one acknowledgement for its last
message is all that is read; routes point to one nexthop group, in the order in which the peer tells them.

``python bench/netlink_writer.py FILE`` runs in the box: it loads the file (the length of each batch as four octets,
then the batch), says ``ready``, waits for a line and prints {"first", "last": monotonic seconds, "cpu": seconds}.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

BATCH: Final = 256 * 1024
SOL_NETLINK, NETLINK_CAP_ACK = 270, 10
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
RTM_NEWROUTE, RTM_NEWNEXTHOP = 24, 104
NHA_ID, NHA_GROUP = 1, 2
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x400
RTA_DST, RTA_PRIORITY, RTA_NH_ID = 1, 6, 30
RT_TABLE_MAIN, RTPROT, RTN_UNICAST, METRIC = 254, 201, 1, 50
SINGLETON, GROUP = 1, 2
"""Ids of the nexthop objects that whoever runs it has made."""
_HEADER: Final = struct.Struct("=IHHII")


def batches(addresses: Iterator[bytes], lengths: bytes, group: int = GROUP) -> Iterator[bytes]:
    """``lengths``: of the prefixes, one octet each."""
    first = True
    batch: list[bytes] = []
    route = struct.Struct("")
    for number, (address, length) in enumerate(zip(addresses, lengths, strict=True), 1):
        if first:
            width = len(address)
            route = struct.Struct(f"=IHHIIBBBBBBBBIHH{width}sHHIHHI")
            family = socket.AF_INET if width == 4 else socket.AF_INET6
            most, first = BATCH // route.size, False
        last = len(batch) == most - 1 or number == len(lengths)
        flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | (NLM_F_ACK if last else 0)
        batch.append(
            route.pack(
                route.size, RTM_NEWROUTE, flags, number, 0,
                family, length, 0, 0, RT_TABLE_MAIN, RTPROT, 0, RTN_UNICAST, 0,
                4 + width, RTA_DST, address, 8, RTA_PRIORITY, METRIC, 8, RTA_NH_ID, group,
            )
        )  # fmt: skip
        if last:
            yield b"".join(batch)
            batch = []


def member(nexthop: int, group: int = GROUP) -> memoryview:
    """The group consists of this nexthop alone from now on."""
    body = struct.pack("=BBBBI", 0, 0, RTPROT, 0, 0)
    body += struct.pack("=HHI", 8, NHA_ID, group) + struct.pack("=HHIBBH", 12, NHA_GROUP, nexthop, 0, 0, 0)
    flags = NLM_F_REQUEST | NLM_F_REPLACE | NLM_F_ACK
    return memoryview(_HEADER.pack(_HEADER.size + len(body), RTM_NEWNEXTHOP, flags, 1, 0) + body)


def load(file: Path) -> list[memoryview]:
    data = memoryview(file.read_bytes())
    found = []
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("=I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def write(to: socket.socket, prepared: Iterable[memoryview]) -> None:
    """OSError: the kernel refused a route."""
    for batch in prepared:
        to.send(batch)
        code = struct.unpack_from("=i", to.recv(4096), _HEADER.size)[0]
        if code:
            raise OSError(-code, "the kernel refused a route")


def main() -> int:
    prepared = load(Path(sys.argv[1]))
    to = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    to.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 << 20)
    to.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 2 << 20)
    to.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, first = time.process_time(), time.monotonic()
    write(to, prepared)
    last = time.monotonic()
    print(json.dumps({"first": first, "last": last, "cpu": time.process_time() - cpu}), flush=True)
    sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
