"""Ports with their connected routes, which go when the port goes down and come back with it.

An engine leaves those to whoever reports the port; where there is no such agent, this stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rib.prefix import Prefix

if TYPE_CHECKING:
    from rib.engines import Engine

Place = tuple[str, str]
"""NCP and port."""
RouteKey = tuple[int, Prefix]
"""Source and prefix of a connected route."""


@dataclass(frozen=True, slots=True)
class Network:
    place: Place
    local: bool
    metric: int


@dataclass(slots=True)
class Ports:
    engine: Engine
    _networks: dict[RouteKey, Network] = field(default_factory=dict)
    _down: set[Place] = field(default_factory=set)

    def put(self, source: int, prefix: Prefix, network: Network) -> None:
        """One prefix is on one port of a source: the last one said."""
        self._networks[source, prefix] = network
        self._tell(source, prefix, network)

    def delete(self, source: int, prefix: Prefix) -> None:
        self._networks.pop((source, prefix), None)
        self.engine.delete(source, (prefix.address, prefix.length))

    def forget(self, source: int) -> None:
        """A source that is gone."""
        self._networks = {key: network for key, network in self._networks.items() if key[0] != source}

    def set(self, place: Place, up: bool) -> None:
        (self._down.discard if up else self._down.add)(place)
        self.engine.set_port(*place, up)
        for (source, prefix), network in self._networks.items():
            if network.place == place:
                self._tell(source, prefix, network)

    def _tell(self, source: int, prefix: Prefix, network: Network) -> None:
        pair = prefix.address, prefix.length
        if network.place in self._down:
            self.engine.delete(source, pair)
        else:
            self.engine.put_connected(source, pair, *network.place, local=network.local, metric=network.metric)
