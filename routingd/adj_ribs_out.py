"""What an Established session's peer is told: its Adj-RIBs-Out, read from the engine only into a stream that may carry
them; refreshes (RFC 2918, RFC 7313)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from native import Engine
from protocols.bgp.counters import Counters
from protocols.bgp.family import Family
from protocols.bgp.messages import MessageType, RefreshSubtype, RouteRefreshMessage
from routingd.engine_thread import EngineThread
from routingd.established import Exported, Up, read_export


class AdjRibsOut:
    def __init__(
        self,
        up: Up,
        counters: Counters,
        engine: EngineThread[Engine],
        send: Callable[[bytes], None],
        room: Callable[[], bool],
        told: Callable[[], None],
    ) -> None:
        """``send`` whole messages; ``room``: the stream has nothing that waits, and credit. ``told``: End-of-RIB has
        been sent for each family."""
        self._up = up
        self._counters = counters
        self._engine = engine
        self._send = send
        self._room = room
        self._told = told
        self._open = True
        self._begun = False

    def begin(self, families: Sequence[Family]) -> None:
        """The peer is told these from here on, if it is not yet; the engine knows the session. Of an adopted session it
        is told that everything comes again, and sweeps the rest afterwards (RFC 7313 4); so it does with a family of
        which nothing can be told any more."""
        if self._begun:
            return
        self._begun = True

        def open_all(engine: Engine) -> None:
            for family in families:
                self._up.open_export(engine, family)

        def opened(_: None) -> None:
            if self._open:
                for family in families:
                    if self._up.adopted:
                        self._marker(family, RefreshSubtype.BEGIN)
                        self._up.refreshing.add(family)
                    self._up.readers[family] = self._engine.consumer(partial(self._read, family))
                # If it holds something of these, it was told the end of it too (RFC 7313 4); else it ignores this.
                for family in self._up.withheld if self._up.adopted else ():
                    self._marker(family, RefreshSubtype.BEGIN)
                    self._marker(family, RefreshSubtype.END)
                if not families:
                    self._told()
                self.read()

        self._engine.post(open_all, opened)

    def close(self) -> None:
        self._open = False
        for reader in self._up.readers.values():
            reader.close()

    def read(self) -> None:
        """One chunk at a time per family, and none while the stream has something to send or no credit."""
        if not self._room():
            return
        for family, reader in self._up.readers.items():
            if not reader.waiting:
                reader.request(partial(read_export, self._up, family))

    def _read(self, family: Family, read: Exported) -> None:
        if not self._open:
            return
        up = self._up
        if read.begun:
            up.end_of_rib_sent.discard(family)
            self._marker(family, RefreshSubtype.BEGIN)
            up.refreshing.add(family)
        if read.data:
            self._counters.sent(MessageType.UPDATE, len(read.data), read.updates)
            self._send(read.data)
        if not read.backlog and not read.begun:
            if family in up.refreshing:
                up.refreshing.discard(family)
                self._marker(family, RefreshSubtype.END)
            if family not in up.end_of_rib_sent:
                up.end_of_rib_sent.add(family)
                if up.end_of_rib_sent >= set(up.readers):
                    self._told()
        self.read()

    def _marker(self, family: Family, subtype: RefreshSubtype) -> None:
        """RFC 7313 4: only to a peer that follows them."""
        if self._up.agreed.enhanced_refresh:
            message = RouteRefreshMessage(*family, subtype).encode()
            self._counters.sent(MessageType.ROUTE_REFRESH, len(message))
            self._send(message)

    def refresh(self, family: Family) -> None:
        """RFC 2918 4: the whole Adj-RIB-Out of one family again, from a fresh cursor, behind what waits."""
        up = self._up
        if family not in up.readers or family in up.refresh_due:
            return
        up.refresh_due.add(family)
        if up.readers[family].waiting:
            up.readers[family].request(partial(read_export, up, family))
