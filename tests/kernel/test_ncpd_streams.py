"""ncpd in a namespace: TCP of the router, opened on the box, carried to the controller with credits, kept alive under
a lease."""

from __future__ import annotations

import errno
import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from fibd import wire
from tests.kernel.box_under_test import PEER_A, PEER_B, PORT_A, PORT_B, BoxUnderTest, box_under_test, packed
from tests.kernel.fake_controller import FakeController, in_namespace
from tests.lab.waiting import wait_for

pytestmark = pytest.mark.netns

KEEPALIVE = b"\xff" * 16 + b"\x00\x13\x04"
STREAMS = wire.Role.STREAMS


@pytest.fixture
def under_test() -> Iterator[BoxUnderTest]:
    with box_under_test() as under:
        under.start()
        under.ready()
        yield under


def listen(under_test: BoxUnderTest, *allow: list[object], local: str = "192.0.2.1") -> None:
    rows = list(allow) or [[packed(PEER_A), "", 0, 0]]
    under_test.controller.send(STREAMS, wire.StreamListen(1, packed(local), 179, allow=rows))


def dial(under_test: BoxUnderTest) -> tuple[socket.socket, wire.StreamOpened]:
    """The peer connects as soon as the box listens."""

    def attempt() -> socket.socket | None:
        try:
            return under_test.dial(under_test.peer_a, "192.0.2.1")
        except ConnectionRefusedError:
            return None

    seen = len(under_test.controller.all(wire.StreamOpened))
    peer = wait_for("the listener", attempt, every=0.02)
    assert peer is not None
    wait_for("the stream", lambda: len(under_test.controller.all(wire.StreamOpened)) > seen, every=0.01)
    return peer, under_test.controller.all(wire.StreamOpened)[-1]


def md5_option(remote: str, key: bytes) -> bytes:
    """struct tcp_md5sig."""
    address = socket.AF_INET.to_bytes(2, "little") + bytes(2) + packed(remote)
    return address.ljust(128, b"\0") + bytes(2) + len(key).to_bytes(2, "little") + bytes(4) + key.ljust(80, b"\0")


def read_exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        data = sock.recv(count - len(got))
        assert data, f"closed after {len(got)} of {count} bytes"
        got += data
    return got


def arrived(controller: FakeController, stream: int) -> bytes:
    rows = [row for message in controller.all(wire.StreamData) for row in message.rows]
    return b"".join(data for numbers, data in rows if stream in numbers)


def test_bytes_of_an_accepted_connection_travel_both_ways(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    assert (opened.stream % 2, opened.listener, opened.remote, opened.local_port) == (1, 1, packed(PEER_A), 179)
    peer.sendall(b"open")
    wait_for("bytes", lambda: arrived(under_test.controller, opened.stream), lambda got: got == b"open", every=0.01)
    under_test.controller.send(STREAMS, wire.StreamData([[[opened.stream], b"answer"]]))
    assert read_exactly(peer, 6) == b"answer"
    peer.close()
    closed = under_test.controller.wait(wire.StreamClose, lambda m: m.stream == opened.stream)
    assert (closed.errno, closed.reason) == (0, "the peer closed the connection")


def test_a_connection_from_a_stranger_is_closed_and_counted(under_test: BoxUnderTest) -> None:
    listen(under_test, [packed("192.0.2.99"), "", 0, 0])
    wait_for("the listener", lambda: "192.0.2.1:179" in under_test.box.run("ss", "-Hltn"), every=0.02)
    with pytest.raises(ConnectionResetError):
        under_test.dial(under_test.peer_a, "192.0.2.1").recv(1)
    assert under_test.controller.ask(1, "counts")["refused"] == 1
    assert under_test.controller.all(wire.StreamOpened) == []


def test_the_controller_can_connect_out_and_hears_why_when_it_cannot(under_test: BoxUnderTest) -> None:
    server = in_namespace(under_test.peer_a, lambda: socket.create_server((PEER_A, 179)))
    under_test.controller.send(
        STREAMS,
        wire.StreamConnect(2, packed(PEER_A), 179, local=packed("192.0.2.1"), device=PORT_A, ttl=1),
        wire.StreamConnect(4, packed(PEER_B), 179, timeout=5.0),
        wire.StreamConnect(6, packed(PEER_A), 179, local=packed("192.0.2.77")),
    )
    sock, name = server.accept()
    assert name[0] == "192.0.2.1"
    opened = under_test.controller.wait(wire.StreamOpened)
    assert (opened.stream, opened.listener, opened.device, opened.remote_port) == (2, 0, PORT_A, 179)
    refused = under_test.controller.wait(wire.StreamClose, lambda m: m.stream == 4)
    assert refused.errno == errno.ECONNREFUSED
    unbound = under_test.controller.wait(wire.StreamClose, lambda m: m.stream == 6)
    assert unbound.errno == errno.EADDRNOTAVAIL
    sock.close()
    server.close()


def test_an_unanswered_connection_is_given_up(under_test: BoxUnderTest) -> None:
    under_test.peer_a.run("ip", "address", "flush", "dev", "eth0")
    under_test.controller.send(STREAMS, wire.StreamConnect(2, packed(PEER_A), 179, timeout=0.3))
    closed = under_test.controller.wait(wire.StreamClose)
    assert closed.errno == errno.ETIMEDOUT
    assert "within 0.3 s" in closed.reason


def test_md5_signatures_let_only_the_right_key_in(under_test: BoxUnderTest) -> None:
    listen(under_test, [packed(PEER_A), "right", 0, 0])
    server = in_namespace(under_test.peer_a, lambda: socket.create_server((PEER_A, 180)))
    wait_for("the listener", lambda: "192.0.2.1:179" in under_test.box.run("ss", "-Hltn"), every=0.02)

    def keyed(key: bytes) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, 14, md5_option("192.0.2.1", key))
        sock.settimeout(1.0)
        sock.connect(("192.0.2.1", 179))
        return sock

    with pytest.raises(TimeoutError):
        in_namespace(under_test.peer_a, lambda: keyed(b"wrong"))
    with pytest.raises(TimeoutError):
        in_namespace(under_test.peer_a, lambda: socket.create_connection(("192.0.2.1", 179), timeout=1.0))
    good = in_namespace(under_test.peer_a, lambda: keyed(b"right"))
    good.sendall(b"signed")
    opened = under_test.controller.wait(wire.StreamOpened)
    wait_for("bytes", lambda: arrived(under_test.controller, opened.stream) == b"signed", every=0.01)
    good.close()
    server.close()


def test_a_prefixs_key_counts_for_all_addresses_in_it_but_those_with_a_key_of_their_own(
    under_test: BoxUnderTest,
) -> None:
    ranges = [[packed("192.0.2.0"), 24, "all", 0, 0], [packed("192.0.2.128"), 25, "", 0, 0]]
    under_test.controller.send(
        STREAMS, wire.StreamListen(1, packed("192.0.2.1"), 179, "", [[packed("192.0.2.9"), "own", 0, 0]], ranges)
    )
    wait_for("the listener", lambda: "192.0.2.1:179" in under_test.box.run("ss", "-Hltn"), every=0.02)
    under_test.peer_a.ip("address", "add", "192.0.2.9/24", "dev", "eth0")

    def comes(source: str, key: bytes) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, 14, md5_option("192.0.2.1", key))
        sock.settimeout(1.0)
        sock.bind((source, 0))
        sock.connect(("192.0.2.1", 179))

    for source, wrong, right in ((PEER_A, b"own", b"all"), ("192.0.2.9", b"all", b"own")):
        with pytest.raises(TimeoutError):
            in_namespace(under_test.peer_a, lambda: comes(source, wrong))  # noqa: B023
        in_namespace(under_test.peer_a, lambda: comes(source, right))  # noqa: B023
        under_test.controller.wait(wire.StreamOpened, lambda m: m.remote == packed(source))  # noqa: B023


def test_a_listener_on_a_port_stands_beside_that_of_an_address_and_has_its_link_local_peers(
    under_test: BoxUnderTest,
) -> None:
    peer_a, ours = under_test.peer_a, "fe80::1"
    peer_a.address("eth0", "fe80::9/64")
    under_test.box.address(PORT_A, f"{ours}/64")
    link_local = [[packed("fe80::"), 10, "", 0, 0]]
    under_test.controller.send(
        STREAMS,
        wire.StreamListen(1, packed("2001:db8:a::1"), 179, "", [[packed("2001:db8:a::2"), "", 0, 0]]),
        wire.StreamListen(2, bytes(16), 179, PORT_A, ranges=link_local),
        wire.StreamListen(3, bytes(16), 179, PORT_B, ranges=link_local),
    )

    def listening() -> bool:
        return under_test.box.run("ss", "-Hltn6", "sport", "=", "179").count("LISTEN") == 3

    wait_for("three listeners", listening, every=0.02)
    index = in_namespace(peer_a, lambda: socket.if_nametoindex("eth0"))

    def comes(source: str, to: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6)
        sock.settimeout(5)
        sock.bind((source, 0, 0, index if source.startswith("fe80") else 0))
        sock.connect((to, 179, 0, index if to.startswith("fe80") else 0))
        return sock

    for source, to, listener, device in (("2001:db8:a::2", "2001:db8:a::1", 1, ""), ("fe80::9", ours, 2, PORT_A)):
        sock = in_namespace(peer_a, lambda: comes(source, to))  # noqa: B023
        opened = under_test.controller.wait(wire.StreamOpened, lambda m: m.remote == packed(source))  # noqa: B023
        assert (opened.listener, opened.device, opened.local) == (listener, device, packed(to))
        sock.close()


def test_a_prefix_in_which_everybody_connects_at_once_is_held_back_and_a_configured_neighbor_in_it_is_not(
    under_test: BoxUnderTest,
) -> None:
    listener = wire.StreamListen(
        1, packed("192.0.2.1"), 179, "", [[packed(PEER_A), "", 0, 0]], [[packed("192.0.2.0"), 24, "", 0, 0]]
    )
    under_test.controller.send(STREAMS, listener)
    wait_for("the listener", lambda: "192.0.2.1:179" in under_test.box.run("ss", "-Hltn"), every=0.02)
    under_test.peer_a.ip("route", "add", "local", "192.0.2.128/25", "dev", "lo")  # all of these are its own

    def everybody() -> None:
        for last in range(128, 255):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.bind((f"192.0.2.{last}", 0))
            sock.connect(("192.0.2.1", 179))
            sock.close()

    questions = itertools.count(1)

    def held_back() -> bool:
        in_namespace(under_test.peer_a, everybody)
        return bool(under_test.controller.ask(next(questions), "counts")["too_often"])

    wait_for("too many at once", held_back)
    dial(under_test)


def test_gtsm_drops_what_came_from_further_away(under_test: BoxUnderTest) -> None:
    listen(under_test, [packed(PEER_A), "", 255, 255])
    peer, opened = dial(under_test)
    peer.sendall(b"from afar")  # with the system's TTL of 64
    closed_or_data = len(under_test.controller.all(wire.StreamData))
    peer.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    peer.sendall(b"!")
    wait_for("bytes", lambda: arrived(under_test.controller, opened.stream) == b"from afar!", every=0.01, timeout=20)
    assert closed_or_data == 0
    peer.close()


def test_reading_stops_where_credits_end_and_goes_on_with_more(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    payload = bytes(range(256)) * 4096 * 3
    peer.setblocking(False)
    sent = 0

    def push() -> int:
        nonlocal sent
        try:
            sent += peer.send(payload[sent:])
        except BlockingIOError:
            pass
        return len(arrived(under_test.controller, opened.stream))

    wait_for("the first mebibyte", push, lambda got: got == 1 << 20, every=0.01)
    counts = under_test.controller.ask(1, "counts")  # an answer later than anything already read
    assert counts["streams"] == 1
    assert push() == 1 << 20
    under_test.controller.send(STREAMS, wire.StreamCredit([[opened.stream, len(payload)]]))
    wait_for("all of it", push, lambda got: got == len(payload), every=0.01)
    assert arrived(under_test.controller, opened.stream) == payload
    peer.close()


def test_written_bytes_come_back_as_credit(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    block = bytes(256 * 1024)
    for _ in range(4):
        under_test.controller.send(STREAMS, wire.StreamData([[[opened.stream], block]]))
    assert len(read_exactly(peer, 1 << 20)) == 1 << 20
    granted = wait_for(
        "credit for what was written",
        lambda: sum(n for m in under_test.controller.all(wire.StreamCredit) for s, n in m.rows if s == opened.stream),
        lambda total: total > (1 << 20) - 128 * 1024,
        every=0.01,
    )
    assert granted <= 1 << 20
    peer.close()


def test_a_lease_keeps_an_idle_peer_alive_until_it_is_not_renewed(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    peer.settimeout(5.0)
    start = time.monotonic()
    under_test.controller.send(STREAMS, wire.Lease(opened.stream, 0.2, 1.0, KEEPALIVE))
    assert read_exactly(peer, 3 * 19) == KEEPALIVE * 3
    assert 0.4 < time.monotonic() - start < 0.9
    peer.settimeout(1.0)
    more = []
    try:
        while len(more) < 100:
            more.append(read_exactly(peer, 19))
    except TimeoutError:
        pass
    assert set(more) == {KEEPALIVE}
    assert len(more) < 5, "a lease of one second holds at most six packets 0.15 to 0.2 s apart"
    peer.close()


def test_no_keepalive_is_sent_inside_a_message_that_waits_for_the_peer(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    block = b"\x01" * (256 * 1024)
    under_test.controller.send(STREAMS, wire.Lease(opened.stream, 0.05, 30.0, KEEPALIVE))
    total = 0
    for _ in range(48):  # more than both socket buffers hold, with the credit that comes back
        under_test.controller.send(STREAMS, wire.StreamData([[[opened.stream], block]]))
        total += len(block)
        spent = total - sum(n for m in under_test.controller.all(wire.StreamCredit) for _, n in m.rows)
        if spent >= 1 << 20:
            break
    rest = bytearray()
    peer.settimeout(5.0)
    while rest.count(1) < total:
        data = peer.recv(1 << 18)
        assert data
        rest += data
    messages = bytes(rest).split(KEEPALIVE)
    assert all(len(part) % len(block) == 0 for part in messages)
    peer.close()


def test_one_frame_reaches_many_streams_and_a_close_flushes_first(under_test: BoxUnderTest) -> None:
    listen(under_test)
    first, one = dial(under_test)
    second, two = dial(under_test)
    under_test.controller.send(
        STREAMS,
        wire.StreamData([[[one.stream, two.stream], b"both"]]),
        wire.StreamData([[[two.stream], b"last words"]]),
        wire.StreamClose(two.stream, "configuration"),
        wire.StreamClose(one.stream, "configuration", reset=True),
    )
    assert read_exactly(second, 14) == b"bothlast words"
    assert second.recv(1) == b""
    with pytest.raises(ConnectionResetError):
        read_exactly(first, 5)
    first.close()
    second.close()


def test_streams_outlive_their_controller_and_are_offered_to_the_next_with_their_capsule(
    under_test: BoxUnderTest,
) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    under_test.controller.send(
        STREAMS, wire.Capsule(opened.stream, b"both opens"), wire.Lease(opened.stream, 0.1, 20.0, KEEPALIVE)
    )
    read_exactly(peer, 19)
    under_test.controller.close()
    assert read_exactly(peer, 3 * 19) == KEEPALIVE * 3
    successor = FakeController.unix(under_test.socket)
    offered = successor.wait(wire.Streams)
    ((row,), ((number, up_for, silent_for, credit),)) = offered.rows, offered.lives
    assert (row[0], row[4], row[7]) == (opened.stream, packed(PEER_A), b"both opens")
    assert (number, credit) == (opened.stream, 1 << 20)
    assert silent_for > 0
    assert up_for > 0
    peer.sendall(b"still here")
    successor.send(STREAMS, wire.StreamAdopt(opened.stream))
    wait_for("bytes", lambda: arrived(successor, opened.stream) == b"still here", every=0.01)
    successor.send(STREAMS, wire.StreamClose(opened.stream, "unknown session"))
    while peer.recv(4096):
        pass
    successor.close()
    peer.close()


def test_a_listener_is_taken_over_by_the_next_controller_with_who_waits_in_it(under_test: BoxUnderTest) -> None:
    listen(under_test)
    dial(under_test)[0].close()
    under_test.lose_controller()
    waiting = under_test.dial(under_test.peer_a, "192.0.2.1")
    successor = FakeController.unix(under_test.socket)
    successor.wait_connected()
    successor.send(STREAMS, wire.StreamListen(9, packed("192.0.2.1"), 179, allow=[[packed(PEER_A), "", 0, 0]]))
    opened = successor.wait(wire.StreamOpened)
    assert opened.listener == 9
    waiting.close()
    successor.close()


def test_ipv6_works_alike_and_by_link_local_address(under_test: BoxUnderTest) -> None:
    def link_local() -> str:
        for row in under_test.peer_a.ip_json("-6", "address", "show", "dev", "eth0"):
            for info in row["addr_info"]:
                if info["scope"] == "link" and not info.get("tentative"):
                    return str(info["local"])
        return ""

    far = wait_for("the peer's link-local address", link_local, every=0.1)
    server = in_namespace(
        under_test.peer_a, lambda: socket.create_server(("::", 179), family=socket.AF_INET6, dualstack_ipv6=False)
    )
    under_test.controller.send(
        STREAMS,
        wire.StreamConnect(2, packed("2001:db8:a::2"), 179, ttl=255),
        wire.StreamConnect(4, packed(far), 179, device=PORT_A),
    )
    under_test.controller.wait(wire.StreamOpened, lambda m: m.stream == 2)
    opened = under_test.controller.wait(wire.StreamOpened, lambda m: m.stream == 4)
    assert opened.local[:2] == b"\xfe\x80"
    server.close()


def test_a_small_write_comes_back_as_credit_too_if_later(under_test: BoxUnderTest) -> None:
    listen(under_test)
    peer, opened = dial(under_test)
    under_test.controller.send(STREAMS, wire.StreamData([[[opened.stream], b"a few"]]))
    granted = under_test.controller.wait(wire.StreamCredit, timeout=20)
    assert granted.rows == [[opened.stream, 5]]
    peer.close()


def test_a_peer_that_connects_again_and_again_is_held_back_and_taken_later(under_test: BoxUnderTest) -> None:
    listen(under_test)
    dial(under_test)[0].close()

    def attempt() -> bool:
        """Whether the connection stays."""
        with under_test.dial(under_test.peer_a, "192.0.2.1") as peer:
            peer.settimeout(0.2)
            try:
                return peer.recv(1) != b""
            except TimeoutError:
                return True
            except ConnectionResetError:
                return False

    def flood() -> int:
        for _ in range(20):
            under_test.dial(under_test.peer_a, "192.0.2.1").close()
        return int(under_test.controller.ask(1, "counts")["too_often"])

    assert wait_for("connections to be too many", flood, lambda count: count > 0) > 0
    assert under_test.controller.ask(1, "counts")["refused"] == 0
    wait_for("it to be taken again", attempt, every=0.5)
