"""Router advertisements (RFC 4861) on ports whose neighbor is found by them: sent, heard, asked for and answered.

What is sent says that a router is here and nothing more: no default router (lifetime 0), no prefix, no parameter.
Owns one raw ICMPv6 socket; the kernel computes and checks the checksums.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

INTERVAL: Final = 10.0
"""At most this long between two advertisements (MaxRtrAdvInterval); FRR sends to its unnumbered neighbors as often."""
LEAST: Final = 3.0
"""And at least so long, whoever asks: MIN_DELAY_BETWEEN_RAS of RFC 4861 10."""
_AGAIN: Final = 1.0
"""After one that could not be sent: the port has no link-local address yet."""
_NEW: Final = 1.0
_SOLICITATION: Final = 133
_ADVERTISEMENT: Final = 134
_ALL_NODES: Final = "ff02::1"
_ALL_ROUTERS: Final = "ff02::2"
_HOPS: Final = 255
"""RFC 4861 6.1: what has crossed a router has less."""
_ICMP6_FILTER: Final = 1
_IPV6_RECVPKTINFO: Final = 49
_IPV6_PKTINFO: Final = 50
_IPV6_RECVHOPLIMIT: Final = 51
_IPV6_HOPLIMIT: Final = 52
_PKTINFO: Final = struct.Struct("=16sI")
_SHORTEST: Final = {_SOLICITATION: 8, _ADVERTISEMENT: 16}
_ADVERTISED: Final = bytes([_ADVERTISEMENT]).ljust(16, b"\0")
_SOLICITED: Final = bytes([_SOLICITATION]).ljust(8, b"\0")
_READS_PER_SLICE: Final = 64


@dataclass(slots=True)
class _Port:
    sent: float
    timer: asyncio.TimerHandle
    heard: bool = False
    quiet_until: float = 0.0
    """Other routers than those that are known count again from here on."""


class Discovery:
    """``heard``: (interface index, link-local address) of a router; True where it was not known."""

    def __init__(self, heard: Callable[[int, bytes], bool], rng: random.Random) -> None:
        self._heard = heard
        self._rng = rng
        self._ports: dict[int, _Port] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = _open()
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        self.watch(())
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def watch(self, ports: Iterable[int]) -> None:
        """On exactly these ports, by index."""
        wanted = set(ports)
        for index in self._ports.keys() - wanted:
            self._ports.pop(index).timer.cancel()
            self._group(socket.IPV6_LEAVE_GROUP, index)
        for index in wanted - self._ports.keys():
            self._group(socket.IPV6_JOIN_GROUP, index)
            self._ports[index] = _Port(-LEAST, self._loop.call_later(0.0, self._advertise, index))

    def _group(self, option: int, index: int) -> None:
        try:
            group = socket.inet_pton(socket.AF_INET6, _ALL_ROUTERS)
            self._socket.setsockopt(socket.IPPROTO_IPV6, option, _PKTINFO.pack(group, index))
        except OSError:
            pass  # the port has gone meanwhile

    # --- sending ------------------------------------------------------------------------------------------------------

    def _advertise(self, index: int) -> None:
        port = self._ports.get(index)
        if port is None:
            return
        try:
            self._send(_ADVERTISED, _ALL_NODES, index)
            if not port.heard:
                self._send(_SOLICITED, _ALL_ROUTERS, index)
        except OSError:
            delay = _AGAIN
        else:
            port.sent = self._loop.time()
            delay = INTERVAL * self._rng.uniform(0.75, 1.0)
        port.timer = self._loop.call_later(delay, self._advertise, index)

    def _send(self, packet: bytes, to: str, index: int) -> None:
        source = [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, _PKTINFO.pack(bytes(16), index))]
        self._socket.sendmsg([packet], source, 0, (to, 0, 0, index))

    def _answer(self, index: int, port: _Port) -> None:
        """RFC 4861 6.2.6, to all nodes."""
        due = max(self._loop.time(), port.sent + LEAST)
        if due < port.timer.when():
            port.timer.cancel()
            port.timer = self._loop.call_at(due, self._advertise, index)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        for _ in range(_READS_PER_SLICE):
            try:
                data, ancillary, _, name = self._socket.recvmsg(2048, 256)
            except OSError:
                return
            index, hops = _arrival(ancillary)
            port = self._ports.get(index)
            if port is None or hops != _HOPS or not valid(data):
                continue
            address = ipaddress.IPv6Address(name[0].partition("%")[0])
            if data[0] == _SOLICITATION:
                self._answer(index, port)
            elif address.is_link_local:
                self._router(index, port, address.packed)

    def _router(self, index: int, port: _Port, address: bytes) -> None:
        """One a second may be new, however many somebody on the link makes up."""
        now = self._loop.time()
        if now >= port.quiet_until:
            port.heard = True
            if self._heard(index, address):
                port.quiet_until = now + _NEW
                self._answer(index, port)  # so that it need not wait for us


def valid(packet: bytes) -> bool:
    """RFC 4861 6.1.1 and 6.1.2, of an ICMPv6 message of these two types: code, length, no option of length 0."""
    at = _SHORTEST[packet[0]] if packet and packet[0] in _SHORTEST else len(packet) + 1
    if at > len(packet) or packet[1] != 0:
        return False
    while at + 1 < len(packet) and packet[at + 1]:
        at += 8 * packet[at + 1]
    return at == len(packet)


def _arrival(ancillary: list[Any]) -> tuple[int, int]:
    """(interface index, hop limit); 0 where the kernel does not say."""
    index = hops = 0
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            index = _PKTINFO.unpack(data[: _PKTINFO.size])[1]
        elif level == socket.IPPROTO_IPV6 and kind == _IPV6_HOPLIMIT:
            hops = int.from_bytes(data[:4], "little" if struct.pack("=H", 1)[0] else "big")
    return index, hops


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 58)
    try:
        passed = {_SOLICITATION, _ADVERTISEMENT}
        blocked = [sum(1 << bit for bit in range(32) if 32 * word + bit not in passed) for word in range(8)]
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))
        for option in (_IPV6_RECVPKTINFO, _IPV6_RECVHOPLIMIT):
            sock.setsockopt(socket.IPPROTO_IPV6, option, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    except OSError:
        sock.close()
        raise
    return sock
