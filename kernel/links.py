"""What this box has: links, addresses and neighbours, followed by rtnetlink events and read whole where events were
lost.

Owns the event socket. Route notifications are never subscribed to: our own would overrun it. pyroute2 parses the
messages (RFC 3549); requests and dumps are ``kernel.box``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from kernel.netlink import force_receive_buffer

_RTMGRP_LINK: Final = 0x1
_RTMGRP_NEIGH: Final = 0x4
_RTMGRP_IPV4_IFADDR: Final = 0x10
_RTMGRP_IPV6_IFADDR: Final = 0x100
_GROUPS: Final = _RTMGRP_LINK | _RTMGRP_NEIGH | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR
RECEIVE_BUFFER: Final = 8 << 20
_READS_PER_SLICE: Final = 16
_IFF_UP: Final = 0x1
_IFF_LOWER_UP: Final = 0x10000
_IFA_F_TENTATIVE: Final = 0x40
_IFA_F_DADFAILED: Final = 0x08
_IFA_F_OPTIMISTIC: Final = 0x04
_NUD: Final = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed", 0x40: "noarp",
    0x80: "permanent",
}  # fmt: skip
_NUD_NOARP: Final = 0x40
_AF_BRIDGE: Final = 7


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    ifindex: int
    admin_up: bool
    carrier: bool
    """Frames can pass: the kernel deletes nexthops over a link that loses it."""
    mtu: int
    mac: bytes
    kind: str
    downs: int = 0
    """How often it lost carrier: an event may tell of a later state than the one that made it."""


@dataclass(frozen=True, slots=True)
class Address:
    ifindex: int
    address: bytes
    length: int
    usable: bool
    """Neither tentative nor failed (RFC 4862 5.4)."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    ifindex: int
    address: bytes
    mac: bytes
    state: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything at once; replaces what was known."""

    links: list[Link]
    addresses: list[Address]
    neighbours: list[Neighbour]


@dataclass(frozen=True, slots=True)
class Gone:
    """A link, address or neighbour that is no more (only its key counts)."""

    what: Link | Address | Neighbour


Change = Link | Address | Neighbour | Gone | Seen


def read_link(message: Any) -> Link | None:
    if message["family"] == _AF_BRIDGE:
        return None  # a bridge tells of its ports in messages of its own, without most attributes
    name = message.get_attr("IFLA_IFNAME")
    if name is None:
        return None
    flags = message["flags"]
    info = message.get_attr("IFLA_LINKINFO")
    return Link(
        name=name,
        ifindex=message["index"],
        admin_up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        mtu=message.get_attr("IFLA_MTU") or 0,
        mac=_mac(message.get_attr("IFLA_ADDRESS")),
        kind=(info.get_attr("IFLA_INFO_KIND") if info is not None else None) or "",
        downs=message.get_attr("IFLA_CARRIER_DOWN_COUNT") or 0,
    )


def read_address(message: Any) -> Address | None:
    # On a point-to-point link IFA_ADDRESS is the other end; ours is IFA_LOCAL, which IPv6 leaves out otherwise.
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    family = message["family"]
    if text is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    flags = message.get_attr("IFA_FLAGS")
    if flags is None:
        flags = message["flags"]
    tentative = flags & _IFA_F_TENTATIVE and not flags & _IFA_F_OPTIMISTIC
    usable = not tentative and not flags & _IFA_F_DADFAILED
    return Address(message["index"], socket.inet_pton(family, text), message["prefixlen"], usable)


def read_neighbour(message: Any) -> Neighbour | None:
    text = message.get_attr("NDA_DST")
    family = message["family"]
    state = message["state"]
    if text is None or family not in (socket.AF_INET, socket.AF_INET6) or state & _NUD_NOARP:
        return None  # multicast and broadcast entries say nothing about a neighbour
    mac = _mac(message.get_attr("NDA_LLADDR"))
    return Neighbour(message["ifindex"], socket.inet_pton(family, text), mac, _NUD.get(state, "none"))


def _mac(text: str | None) -> bytes:
    try:
        return bytes.fromhex((text or "").replace(":", ""))
    except ValueError:
        return b""


async def dump() -> Seen:
    """Everything this namespace has now."""
    async with AsyncIPRoute() as route:
        links = [link async for message in await route.get_links() if (link := read_link(message))]
        addresses = [address async for message in await route.get_addr() if (address := read_address(message))]
        neighbours = [entry async for message in await route.get_neighbours() if (entry := read_neighbour(message))]
    return Seen(links, addresses, neighbours)


class Observer:
    """Calls ``changed`` with a whole ``Seen`` first, then with each change. Lost events end in another ``Seen``, and in
    ``lost`` after it."""

    def __init__(
        self,
        changed: Callable[[Change], None],
        lost: Callable[[], None] = lambda: None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        self._changed = changed
        self._lost = lost
        self._marshal = MarshalRtnl()
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        force_receive_buffer(self._socket, receive_buffer)
        self._socket.bind((0, _GROUPS))
        self._again: asyncio.Task[None] | None = None
        self.overruns = 0

    async def start(self) -> None:
        # Events queue in the socket from here on; those older than the dump only repeat what it says.
        self._changed(await dump())
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        if self._again is not None:
            self._again.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._again
        self._socket.close()

    def catch_up(self) -> None:
        """Take everything that the kernel has told until now."""
        while self._read():
            pass

    def _readable(self) -> None:
        for _ in range(_READS_PER_SLICE):
            if not self._read():
                return

    def _read(self) -> bool:
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.overruns += 1
            self._look_again()
            return False
        for change in self._changes(self._marshal.parse(data)):
            self._changed(change)
        return True

    def _changes(self, messages: Iterable[Any]) -> Iterable[Change]:
        for message in messages:
            event = message["event"]
            read = {"LINK": read_link, "ADDR": read_address, "EIGH": read_neighbour}.get(event[-4:])
            what = read(message) if read is not None else None
            if what is not None:
                yield Gone(what) if event.startswith("RTM_DEL") else what

    def _look_again(self) -> None:
        if self._again is None or self._again.done():
            self._again = asyncio.get_running_loop().create_task(self._dump_again())

    async def _dump_again(self) -> None:
        seen = 0
        while seen != self.overruns:
            seen = self.overruns
            self._changed(await dump())
        self._lost()
