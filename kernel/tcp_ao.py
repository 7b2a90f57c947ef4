"""TCP-AO (RFC 5925, RFC 5926) on a socket of ours: whether this kernel has it, and its keys."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

_TCP_AO_ADD_KEY: Final = 38
_ADD: Final = struct.Struct("=128s64siIHBBBBBB80s")
"""struct tcp_ao_add of linux/tcp.h: address, algorithm, VRF, flags, padding, prefix length, send id, receive id, octets
of the signature, key flags, key length, key."""
_CURRENT: Final = 0b11
"""set_current, set_rnext: sign with it, and ask the peer to do so."""
_SIGNATURE: Final = 12
"""Octets, of both algorithms (RFC 5926 3.2)."""
_ALGORITHMS: Final = {"hmac-sha-1-96": b"hmac(sha1)", "aes-128-cmac-96": b"cmac(aes128)"}


@dataclass(frozen=True, slots=True)
class AoKey:
    """A key of the peers in a prefix."""

    address: bytes
    length: int
    send_id: int
    receive_id: int
    algorithm: str
    key: bytes = field(repr=False)


def supported() -> bool:
    """Whether this kernel has it: one that has complains of a request that is too short."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_AO_ADD_KEY, bytes(4))
        except OSError as error:
            return error.errno != errno.ENOPROTOOPT
    return True


def add_key(sock: socket.socket, key: AoKey, *, current: bool = False) -> None:
    """Raises OSError with a text for the person who configured it."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_AO_ADD_KEY, request(key, current=current))
    except OSError as error:
        reason = "this kernel has none" if error.errno == errno.ENOPROTOOPT else error.strerror
        raise OSError(error.errno, f"TCP-AO key {key.send_id}: {reason}") from error


def request(key: AoKey, *, current: bool) -> bytes:
    """Raises OSError where the algorithm or the key cannot be."""
    algorithm = _ALGORITHMS.get(key.algorithm)
    if algorithm is None or len(key.key) > 80:
        raise OSError(errno.EINVAL, f"TCP-AO with {key.algorithm} and a key of {len(key.key)} bytes is not known here")
    if len(key.address) == 16:
        sockaddr = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, key.address, 0)
    else:
        sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, key.address)
    return _ADD.pack(
        sockaddr, algorithm, 0, _CURRENT if current else 0, 0, key.length, key.send_id, key.receive_id, _SIGNATURE, 0,
        len(key.key), key.key,
    )  # fmt: skip
