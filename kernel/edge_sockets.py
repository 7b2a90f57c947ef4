"""Opening the router's TCP sockets: addresses, devices, TTL, GTSM (RFC 5082), MD5 signatures (RFC 2385). No event loop
here.

Every socket comes back non-blocking. Errors are ``OSError`` with a text for the person who configured the session.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernel.netlink import force_receive_buffer, force_send_buffer
from kernel.tcp_ao import AoKey, add_key

_TCP_MD5SIG: Final = 14
_TCP_MD5SIG_EXT: Final = 32
_TCP_MD5SIG_FLAG_PREFIX: Final = 1
_IP_MINTTL: Final = 21
_IPV6_MINHOPCOUNT: Final = 73
_IP_FREEBIND: Final = 15
_IPV6_FREEBIND: Final = 78
_IPPROTO_IPV6: Final = socket.IPPROTO_IPV6
_INTERNETWORK_CONTROL: Final = 0xC0
"""DSCP CS6: routing protocols (RFC 4594 3.2)."""
_BUFFER: Final = 4 << 20
_BACKLOG: Final = 128
_MD5SIG: Final = struct.Struct("=128sBBHi80s")
_MD5_LONGEST: Final = 80
_GTSM_TTL: Final = 255


@dataclass(frozen=True, slots=True)
class Peer:
    """Who may connect, and how."""

    address: bytes
    md5: str = ""
    ttl: int = 0
    """To send with; 0: the system's."""
    minimum_ttl: int = 0
    """Packets that arrive with less are dropped in the kernel; 0: none are."""
    length: int | None = None
    """Of a prefix: whoever has an address in it."""

    def has(self, address: bytes) -> bool:
        """Whether an address is in the prefix."""
        free = 8 * len(self.address) - (8 * len(self.address) if self.length is None else self.length)
        own, other = (int.from_bytes(octets) >> free for octets in (self.address, address))
        return len(address) == len(self.address) and own == other


def text_of(address: bytes) -> str:
    return socket.inet_ntop(_family(address), address)


def endpoint(name: Any) -> tuple[bytes, int]:
    """(address bytes, port) of what the socket module says."""
    host = str(name[0]).partition("%")[0]
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host), int(name[1])


def listen(local: bytes, port: int, device: str, peers: Sequence[Peer], keys: Sequence[AoKey] = ()) -> socket.socket:
    """Accept TCP on an address that need not be there yet."""
    sock = _new(local, device)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if len(local) == 16:
            # One on a port with any address, for link-local peers, may stand beside those with an address; the most
            # specific one is asked.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.setsockopt(_IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        set_peers(sock, (), peers, len(local))
        for key in keys:
            add_key(sock, key)
        sock.bind(_sockaddr(local, port, device))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {text_of(local)} port {port}: {error.strerror}") from error
    return sock


def set_peers(sock: socket.socket, old: Sequence[Peer], new: Sequence[Peer], width: int) -> None:
    """A listener must know each peer's key before its SYN, and answer a GTSM peer with TTL 255 (RFC 5082 3)."""
    mine = [peer for peer in new if len(peer.address) == width]
    kept = {(peer.address, peer.length) for peer in mine if peer.md5}
    for peer in old:
        if peer.md5 and (peer.address, peer.length) not in kept and len(peer.address) == width:
            _set_md5(sock, peer.address, "", peer.length)
    for peer in mine:
        if peer.md5:
            _set_md5(sock, peer.address, peer.md5, peer.length)
    ttls = [peer.ttl for peer in mine if peer.ttl] + [_GTSM_TTL for peer in mine if peer.minimum_ttl]
    if ttls:
        _set_ttl(sock, max(ttls))


def prepare_accepted(sock: socket.socket, peer: Peer) -> None:
    """What a listener cannot know before it knows who connected."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _set_hops(sock, peer.ttl, peer.minimum_ttl)


def connect(
    remote: bytes, port: int, *, local: bytes = b"", device: str = "", ttl: int = 0, minimum_ttl: int = 0,
    md5: str = "", keys: Sequence[AoKey] = (),
) -> socket.socket:  # fmt: skip
    """Begin a connection; it is up, or failed (SO_ERROR), when the socket turns writable."""
    sock = _new(remote, device)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _set_hops(sock, ttl, minimum_ttl)
        if md5:
            _set_md5(sock, remote, md5)
        for key in keys:
            add_key(sock, key, current=key is keys[0])
        if local:
            sock.bind(_sockaddr(local, 0, device))
        code = sock.connect_ex(_sockaddr(remote, port, device))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot connect to {text_of(remote)} port {port}: {error.strerror}") from error
    return sock


def reset_on_close(sock: socket.socket) -> None:
    """Closing sends RST and forgets what was queued."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _family(address: bytes) -> socket.AddressFamily:
    return socket.AF_INET6 if len(address) == 16 else socket.AF_INET


def _new(address: bytes, device: str) -> socket.socket:
    sock = socket.socket(_family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # Before the handshake: the window scale is chosen from it (RFC 7323 2).
        force_receive_buffer(sock, _BUFFER)
        force_send_buffer(sock, _BUFFER)
        if len(address) == 16:
            sock.setsockopt(_IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(_IPPROTO_IPV6, socket.IPV6_TCLASS, _INTERNETWORK_CONTROL)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _INTERNETWORK_CONTROL)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot use port {device or 'any'}: {error.strerror}") from error
    return sock


def _sockaddr(address: bytes, port: int, device: str) -> tuple[str, int] | tuple[str, int, int, int]:
    if len(address) == 4:
        return text_of(address), port
    link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80
    return text_of(address), port, 0, socket.if_nametoindex(device) if link_local and device else 0


def _set_ttl(sock: socket.socket, ttl: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(_IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def _set_hops(sock: socket.socket, ttl: int, minimum_ttl: int) -> None:
    if ttl or minimum_ttl:
        _set_ttl(sock, ttl or _GTSM_TTL)
    if minimum_ttl:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(_IPPROTO_IPV6, _IPV6_MINHOPCOUNT, minimum_ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, minimum_ttl)


def _set_md5(sock: socket.socket, peer: bytes, key: str, length: int | None = None) -> None:
    """struct tcp_md5sig of linux/tcp.h; an empty key removes the peer's. ``length``: a prefix's key, which counts for
    those of its addresses that have none of their own."""
    octets = key.encode()
    if len(octets) > _MD5_LONGEST:
        raise OSError(errno.EINVAL, f"an MD5 key of {len(octets)} bytes; Linux takes {_MD5_LONGEST}")
    if len(peer) == 16:
        sockaddr = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, peer, 0)
    else:
        sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, peer)
    flags, name = (0, _TCP_MD5SIG) if length is None else (_TCP_MD5SIG_FLAG_PREFIX, _TCP_MD5SIG_EXT)
    option = _MD5SIG.pack(sockaddr, flags, length or 0, len(octets), 0, octets)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, name, option)
    except OSError as error:
        if not octets and error.errno == errno.ENOENT:
            return
        raise OSError(error.errno, f"TCP MD5 for {text_of(peer)}: {error.strerror}") from error
