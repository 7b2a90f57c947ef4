"""A raw rtnetlink socket for whole batches and filtered dumps (RFC 3549). Owns framing of replies, never what is in a
message.

Linux answers a batch in order and reports each failed message with its sequence number even where no acknowledgement
was asked for; so one NLM_F_ACK on the last message is enough, and the answer to it ends the batch.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from native import netlink_dump_part

_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_EXT_ACK: Final = 11
_NETLINK_GET_STRICT_CHK: Final = 12
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33

_HEADER: Final = struct.Struct("=IHHII")
_NLMSG_ERROR: Final = 2
_NLM_F_REQUEST: Final = 0x01
_NLM_F_DUMP: Final = 0x300
_RTM_GETROUTE: Final = 26
_RTM_GETNEXTHOP: Final = 106
_RTA_TABLE: Final = struct.Struct("=HHI")
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_NHMSG: Final = struct.Struct("=BBBBI")
_RTA_TABLE_TYPE: Final = 15

_READ: Final = 1 << 16
_SEND_BUFFER: Final = 2 << 20
_RECEIVE_BUFFER: Final = 32 << 20
"""A batch of 256 KiB in which every message fails is answered by some 4000 replies of which each occupies about 800
bytes."""
_PATIENCE: Final = 30.0
_DUMP_ATTEMPTS: Final = 10
_SLICE: Final = 1 << 20


class NetlinkError(OSError):
    """The kernel refused, or its answers were lost: what it holds is no longer known."""


def force_buffer(sock: socket.socket, forced: int, plain: int, size: int) -> None:
    """The buffer beyond net.core limits where we may, else as large as they allow."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, plain, size)


def force_receive_buffer(sock: socket.socket, size: int) -> None:
    force_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, size)


def force_send_buffer(sock: socket.socket, size: int) -> None:
    force_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, size)


class RouteSocket:
    """Blocking; for the thread that owns it. Subscribes to nothing: 500,000 own adds overran a 64 MiB buffer.

    ``portid``: its netlink address; 0: whichever the kernel gives. ``patience``: seconds to wait for an answer."""

    def __init__(self, portid: int = 0, patience: float = _PATIENCE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        force_receive_buffer(self._socket, _RECEIVE_BUFFER)
        force_send_buffer(self._socket, _SEND_BUFFER)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((portid, 0))
        self.portid: int = self._socket.getsockname()[0]
        self._patience = patience
        self._socket.settimeout(patience)
        self._sequence = 0
        self.broken = False
        """A batch was sent and its answers were not all read: those to another would be mixed with them."""

    def close(self) -> None:
        self._socket.close()

    def exchange(self, batch: bytes, last: int) -> bytes:
        """Send a batch and read every reply up to the one to its last message."""
        self.broken = True
        sent = self._socket.send(batch)
        if sent != len(batch):
            raise NetlinkError(errno.EMSGSIZE, f"the kernel took {sent} of {len(batch)} bytes of a netlink batch")
        replies: list[bytes] = []
        while True:
            chunk = self._receive()
            replies.append(chunk)
            if any(kind == _NLMSG_ERROR and sequence == last for kind, sequence in _messages(chunk)):
                self.broken = False
                return b"".join(replies)

    def dump_routes(self, family: int, table: int, protocol: int) -> Iterator[bytes]:
        """Whole RTM_NEWROUTE messages of one family, table and protocol: the kernel skips the others."""
        return self._dump(_RTM_GETROUTE, _routes(family, table, protocol))

    def read_routes(self, family: int, table: int, protocol: int) -> Iterator[bytes]:
        """The same, each read as it comes, whatever changes meanwhile."""
        self._ask(_RTM_GETROUTE, _routes(family, table, protocol))
        for chunk, _ in self._parts():
            yield chunk

    def dump_nexthops(self) -> Iterator[bytes]:
        """Whole RTM_NEWNEXTHOP messages of this namespace, whoever made them: the kernel cannot filter by protocol."""
        return self._dump(_RTM_GETNEXTHOP, _NHMSG.pack(0, 0, 0, 0, 0))

    def _dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        for _ in range(_DUMP_ATTEMPTS):
            self._ask(kind, body)
            parts = list(self._parts())
            if not any(broken for _, broken in parts):
                return _sliced(chunk for chunk, _ in parts)
        raise NetlinkError(errno.EAGAIN, "the kernel's tables changed during each of ten dumps")

    def _ask(self, kind: int, body: bytes) -> None:
        self._sequence += 1
        flags = _NLM_F_REQUEST | _NLM_F_DUMP
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)

    def _parts(self) -> Iterator[tuple[bytes, bool]]:
        """Whole messages of the dump that was asked for, and whether a change broke it (NLM_F_DUMP_INTR)."""
        done = False
        while not done:
            chunk = self._receive()
            end, done, broken, code = netlink_dump_part(chunk, self._sequence)
            if code == errno.ENOENT:
                return  # no such routing table: nothing has ever been written to it
            if code:
                raise NetlinkError(code, f"the kernel refused a dump: {_name(code)}")
            yield chunk[:end], broken

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_READ)
        except TimeoutError as error:
            raise NetlinkError(errno.ETIMEDOUT, f"the kernel did not answer within {self._patience:g} s") from error
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise NetlinkError(errno.ENOBUFS, "the kernel dropped replies: its receive buffer is full") from error
            raise


def _name(code: int) -> str:
    return errno.errorcode.get(code, str(code))


def _routes(family: int, table: int, protocol: int) -> bytes:
    return _RTMSG.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0) + _RTA_TABLE.pack(8, _RTA_TABLE_TYPE, table)


def _messages(chunk: bytes) -> Iterator[tuple[int, int]]:
    """(type, sequence) of each message."""
    at, size = 0, len(chunk)
    while at + _HEADER.size <= size:
        length, kind, _, sequence, _ = _HEADER.unpack_from(chunk, at)
        if length < _HEADER.size:
            return
        yield kind, sequence
        at += (length + 3) & ~3


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """About a mebibyte at a time, always whole messages."""
    run: list[bytes] = []
    size = 0
    for chunk in chunks:
        run.append(chunk)
        size += len(chunk)
        if size >= _SLICE:
            yield b"".join(run)
            run, size = [], 0
    if size:
        yield b"".join(run)
