"""TCP-AO: what the kernel is asked, and what a kernel without it makes of that."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from fibd import wire
from kernel.edge_sockets import connect, listen
from kernel.tcp_ao import AoKey, request, supported
from tests.kernel.box_under_test import PEER_A, box_under_test, packed
from tests.kernel.fake_controller import in_namespace
from tests.lab.lab import Lab

KEY = AoKey(packed("127.0.0.0"), 8, 5, 7, "aes-128-cmac-96", b"s3cret")


def test_a_request_is_laid_out_as_linux_has_it() -> None:
    asked = request(KEY, current=True)
    assert len(asked) == 288
    assert struct.unpack_from("=HH4s", asked) == (socket.AF_INET, 0, KEY.address)
    assert asked[128:192].rstrip(b"\0") == b"cmac(aes128)"
    assert struct.unpack_from("=iI", asked, 192) == (0, 3)
    assert list(asked[200:208]) == [0, 0, 8, 5, 7, 12, 0, 6]
    assert asked[208:].rstrip(b"\0") == b"s3cret"
    six = request(AoKey(packed("2001:db8::"), 32, 1, 1, "hmac-sha-1-96", b"k"), current=False)
    assert struct.unpack_from("=HHI16s", six) == (socket.AF_INET6, 0, 0, packed("2001:db8::"))
    assert struct.unpack_from("=iI", six, 192) == (0, 0)


def test_an_algorithm_that_is_not_known_is_refused() -> None:
    with pytest.raises(OSError, match="md5"):
        request(AoKey(KEY.address, 8, 1, 1, "md5", b"k"), current=False)


@pytest.mark.netns
def test_signed_segments_pass_where_the_kernel_can_and_else_no_connection_is_made() -> None:
    other = AoKey(KEY.address, 8, 7, 5, KEY.algorithm, KEY.key)
    with Lab() as lab:
        box = lab.box("box")
        address = packed("127.0.0.1")
        if not in_namespace(box, supported):
            with pytest.raises(OSError, match="TCP-AO key 5: this kernel has none"):
                in_namespace(box, lambda: connect(address, 179, keys=(KEY,)))
            with pytest.raises(OSError, match="TCP-AO key 5: this kernel has none"):
                in_namespace(box, lambda: listen(address, 179, "", [], (KEY,)))
            return
        listener = in_namespace(box, lambda: listen(address, 179, "", [], (KEY,)))
        for wrong in ((), (AoKey(KEY.address, 8, 7, 5, KEY.algorithm, b"other"),)):
            stranger = in_namespace(box, lambda keys=wrong: connect(address, 179, keys=keys))
            stranger.settimeout(1)
            with pytest.raises(OSError):
                stranger.send(b"x")
            stranger.close()
        peer = in_namespace(box, lambda: connect(address, 179, keys=(other,)))
        listener.settimeout(5)
        accepted, _ = listener.accept()
        peer.settimeout(5)
        accepted.sendall(b"signed")
        assert peer.recv(6) == b"signed"


@pytest.mark.netns
def test_a_box_without_it_says_so_and_does_not_connect() -> None:
    if supported():
        pytest.skip("this kernel has TCP-AO")
    with box_under_test() as under:
        under.start()
        under.ready()
        rows = [[5, 7, KEY.algorithm, KEY.key]]
        under.controller.send(wire.Role.STREAMS, wire.StreamConnect(2, packed(PEER_A), 179, ao=rows))
        closed = under.controller.wait(wire.StreamClose)
        assert (closed.errno, "this kernel has none" in closed.reason) == (errno.ENOPROTOOPT, True)
