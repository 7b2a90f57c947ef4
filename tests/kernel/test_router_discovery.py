"""ncpd in a namespace: router advertisements on the ports that are named, and whose are heard there (RFC 4861)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fibd import wire
from kernel.router_discovery import valid
from tests.kernel.box_under_test import CONFIG, PORT_A, BoxUnderTest, box_under_test, packed
from tests.kernel.fake_controller import in_namespace
from tests.lab.waiting import wait_for

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
ADVERTISEMENT = bytes([ROUTER_ADVERTISEMENT]).ljust(16, b"\0")
SOURCE_MAC = bytes([1, 1, 2, 0, 0, 0, 0, 9])


class Neighbor:
    """Another router on the cable of port A, by a raw socket."""

    def __init__(self, under: BoxUnderTest) -> None:
        self.box = under.peer_a
        self.socket: socket.socket = in_namespace(
            self.box, lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        )
        blocked = [0xFFFFFFFF] * 8
        for kind in (ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT):
            blocked[kind >> 5] &= ~(1 << (kind & 31))
        self.socket.setsockopt(socket.IPPROTO_ICMPV6, 1, struct.pack("=8I", *blocked))
        self.socket.setsockopt(socket.IPPROTO_IPV6, 51, 1)  # IPV6_RECVHOPLIMIT
        self.index = in_namespace(self.box, lambda: socket.if_nametoindex("eth0"))
        group = socket.inet_pton(socket.AF_INET6, "ff02::2") + struct.pack("=I", self.index)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        self.socket.settimeout(10)

    def hears(self, kind: int) -> tuple[bytes, int, str]:
        """The next message of a type: octets, hop limit, source."""
        while True:
            data, ancillary, _, name = self.socket.recvmsg(2048, 256)
            if data[0] == kind:
                (hops,) = [struct.unpack("=i", value)[0] for _, option, value in ancillary if option == 52]
                return data, hops, name[0].partition("%")[0]

    def says(self, packet: bytes, *, source: str, hops: int = 255) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
        info = packed(source) + struct.pack("=I", self.index)
        self.socket.sendmsg([packet], [(socket.IPPROTO_IPV6, 50, info)], 0, ("ff02::1", 0, 0, self.index))


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        under.start()
        under.ready()
        for address in ("fe80::7/64", "fe80::8/64", "2001:db8:a::7/64"):
            under.peer_a.address("eth0", address)
        yield under


def discover(under: BoxUnderTest, *ports: str, generation: int = 2) -> None:
    under.controller.send(wire.Role.CONTROL, replace(CONFIG, generation=generation, discover=list(ports)))


def heard(under: BoxUnderTest) -> list[bytes]:
    return [row[1] for message in under.controller.all(wire.Routers) for row in message.present if row[0] == PORT_A]


@pytest.mark.netns
def test_a_port_advertises_a_router_that_is_nobodys_default_and_asks_for_others(under_test: BoxUnderTest) -> None:
    neighbor = Neighbor(under_test)
    discover(under_test, PORT_A)
    data, hops, source = neighbor.hears(ROUTER_ADVERTISEMENT)
    assert (hops, source[:6], struct.unpack("!H", data[6:8])[0]) == (255, "fe80::", 0)
    assert len(data) == 16
    assert neighbor.hears(ROUTER_SOLICITATION)[1] == 255


@pytest.mark.netns
def test_a_router_that_is_heard_is_told_once_and_again_to_the_next_controller(under_test: BoxUnderTest) -> None:
    neighbor = Neighbor(under_test)
    discover(under_test, PORT_A)
    neighbor.hears(ROUTER_ADVERTISEMENT)
    for packet, source, hops in (
        (ADVERTISEMENT, "fe80::8", 64),  # from behind a router
        (ADVERTISEMENT, "2001:db8:a::7", 255),  # not link-local
        (ADVERTISEMENT[:15], "fe80::8", 255),
        (ADVERTISEMENT + bytes([1, 0, 0, 0, 0, 0, 0, 0]), "fe80::8", 255),  # an option of length 0
        (ADVERTISEMENT + SOURCE_MAC, "fe80::7", 255),
        (ADVERTISEMENT, "fe80::7", 255),
    ):
        neighbor.says(packet, source=source, hops=hops)
    wait_for("the router", lambda: heard(under_test), lambda seen: seen == [packed("fe80::7")], every=0.02)

    def other() -> list[bytes]:
        neighbor.says(ADVERTISEMENT, source="fe80::8")  # again, as one a second may be new
        return heard(under_test)

    wait_for("the other", other, lambda seen: seen == [packed("fe80::7"), packed("fe80::8")], every=0.2)
    under_test.controller.drop(wire.Role.CONTROL)
    wait_for("both again", lambda: heard(under_test), lambda seen: seen[2:] == [packed("fe80::7"), packed("fe80::8")])


@pytest.mark.netns
def test_who_asks_is_answered_and_a_port_no_longer_named_is_silent(under_test: BoxUnderTest) -> None:
    neighbor = Neighbor(under_test)
    discover(under_test, PORT_A)
    neighbor.hears(ROUTER_ADVERTISEMENT)
    neighbor.socket.settimeout(6)  # sooner than it would come by itself
    neighbor.says(bytes([ROUTER_SOLICITATION]).ljust(8, b"\0"), source="fe80::7")
    neighbor.hears(ROUTER_ADVERTISEMENT)
    discover(under_test, generation=3)
    under_test.controller.ask(1, "counts")
    neighbor.says(ADVERTISEMENT, source="fe80::7")
    under_test.controller.ask(2, "counts")
    assert heard(under_test) == []


def test_what_is_no_whole_message_of_the_two_types_is_not_valid() -> None:
    assert valid(ADVERTISEMENT)
    assert valid(ADVERTISEMENT + SOURCE_MAC)
    assert valid(bytes([ROUTER_SOLICITATION]).ljust(8, b"\0"))
    for packet in (
        b"",
        bytes([128]).ljust(16, b"\0"),
        bytes([ROUTER_ADVERTISEMENT, 1]).ljust(16, b"\0"),
        ADVERTISEMENT + b"\1",
        ADVERTISEMENT + b"\1\0" + bytes(6),
        ADVERTISEMENT + b"\1\2" + bytes(6),
    ):
        assert not valid(packet), packet
