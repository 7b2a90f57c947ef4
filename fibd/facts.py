"""What an agent tells of its box: ports, addresses, neighbours, each change once, everything again at each connect. No
I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fibd.message import Message
from fibd.messages import Addresses, FactsComplete, Neighbours, Ports, Routers

_ROWS_PER_MESSAGE: Final = 1024
_ROUTERS: Final = 8
"""Remembered of a port; there should be one."""

PortRow = tuple[int, bool, bool, int, bytes, str]
"""(ifindex, admin up, carrier, mtu, mac, kind)"""
AddressKey = tuple[str, bytes, int]
"""(port, address, length); its value: usable"""
NeighbourKey = tuple[str, bytes]
"""(port, address); its value: (mac, state)"""


class Facts:
    """The last known truth. Every method that changes it returns what there is to tell, nothing where nothing
    changed."""

    def __init__(self) -> None:
        self.ports: dict[str, PortRow] = {}
        self.addresses: dict[AddressKey, bool] = {}
        self.neighbours: dict[NeighbourKey, tuple[bytes, str]] = {}
        self.routers: dict[str, list[bytes]] = {}
        """By port, in the order in which they were first heard."""
        self.sequence = 0

    def everything(self) -> list[Message]:
        """For a controller that knows nothing."""
        told: list[Message] = [
            *self._ports(self.ports.items(), []),
            *self._addresses(self.addresses.items(), []),
            *self._neighbours(self.neighbours.items(), []),
            *(Routers(self._next(), [[port, each] for each in heard]) for port, heard in self.routers.items()),
        ]
        self.sequence += 1
        return [*told, FactsComplete(self.sequence)]

    def replace(
        self,
        ports: Mapping[str, PortRow],
        addresses: Mapping[AddressKey, bool],
        neighbours: Mapping[NeighbourKey, tuple[bytes, str]],
    ) -> list[Message]:
        """All of it was read again."""
        messages = self._ports(*_difference(self.ports, ports))
        self.ports = dict(ports)
        messages += self._addresses(*_difference(self.addresses, addresses))
        self.addresses = dict(addresses)
        messages += self._neighbours(*_difference(self.neighbours, neighbours))
        self.neighbours = dict(neighbours)
        return messages

    def port(self, name: str, row: PortRow) -> list[Message]:
        if self.ports.get(name) == row:
            return []
        self.ports[name] = row
        return self._ports([(name, row)], [])

    def port_gone(self, name: str) -> list[Message]:
        """Its addresses and neighbours are gone with it, whether or not the kernel says so."""
        if self.ports.pop(name, None) is None:
            return []
        messages: list[Message] = []
        self.routers_gone(name)
        for key in [key for key in self.neighbours if key[0] == name]:
            messages += self.neighbour_gone(key)
        for address in [key for key in self.addresses if key[0] == name]:
            messages += self.address_gone(address)
        return messages + self._ports([], [name])

    def address(self, key: AddressKey, usable: bool) -> list[Message]:
        if self.addresses.get(key) == usable:
            return []
        self.addresses[key] = usable
        return self._addresses([(key, usable)], [])

    def address_gone(self, key: AddressKey) -> list[Message]:
        return self._addresses([], [key]) if self.addresses.pop(key, None) is not None else []

    def neighbour(self, key: NeighbourKey, value: tuple[bytes, str]) -> list[Message]:
        if self.neighbours.get(key) == value:
            return []
        self.neighbours[key] = value
        return self._neighbours([(key, value)], [])

    def neighbour_gone(self, key: NeighbourKey) -> list[Message]:
        return self._neighbours([], [key]) if self.neighbours.pop(key, None) is not None else []

    def router(self, port: str, address: bytes) -> list[Message]:
        """One was heard."""
        heard = self.routers.setdefault(port, [])
        if address in heard:
            return []
        self.routers[port] = [*heard, address][-_ROUTERS:]
        return [Routers(self._next(), [[port, address]])]

    def routers_gone(self, port: str) -> None:
        """What was heard there counts no more. It is not told: whoever used it sees the port."""
        self.routers.pop(port, None)

    # --- messages -----------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    def _ports(self, present: Iterable[tuple[str, PortRow]], removed: Iterable[str]) -> list[Message]:
        rows = [[name, *row] for name, row in present]
        return [Ports(self._next(), some, list(gone)) for some, gone in _parts(rows, list(removed))]

    def _addresses(self, present: Iterable[tuple[AddressKey, bool]], removed: Iterable[AddressKey]) -> list[Message]:
        rows = [[*key, usable] for key, usable in present]
        return [Addresses(self._next(), some, gone) for some, gone in _parts(rows, [list(key) for key in removed])]

    def _neighbours(
        self, present: Iterable[tuple[NeighbourKey, tuple[bytes, str]]], removed: Iterable[NeighbourKey]
    ) -> list[Message]:
        rows = [[*key, *value] for key, value in present]
        return [Neighbours(self._next(), some, gone) for some, gone in _parts(rows, [list(key) for key in removed])]


def _difference(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    return [(k, v) for k, v in new.items() if k not in old or old[k] != v], [k for k in old if k not in new]


def _parts(present: list[list[Any]], removed: list[Any]) -> Iterable[tuple[list[list[Any]], list[Any]]]:
    """Removals first: the same address may have moved to another port."""
    for at in range(0, len(removed), _ROWS_PER_MESSAGE):
        yield [], removed[at : at + _ROWS_PER_MESSAGE]
    for at in range(0, len(present), _ROWS_PER_MESSAGE):
        yield present[at : at + _ROWS_PER_MESSAGE], []
