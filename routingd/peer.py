"""One BGP neighbor at work: its session, the streams its connections run on, its place in the RIB and its Adj-RIBs-Out.

Performs the session's effects and decides nothing: what a session does about an event is the session's
(``protocols.bgp``). Read credit goes back to the box only when the engine has dealt with the bytes, and UPDATEs are
read from the engine only into a stream that may carry them, so pressure reaches TCP both ways and nothing piles up
here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, assert_never

import structlog

from fibd.wire import MAX_CHUNK, Capsule, Lease, StreamClose, StreamConnect
from native import Changes, Engine, Updates
from protocols import effects
from protocols.bgp.errors import Cease, CeaseSubcode
from protocols.bgp.family import AFI_IPV6, Family, family_name
from protocols.bgp.messages import MessageType, RefreshSubtype, RouteRefreshMessage
from protocols.bgp.session import Session
from routingd.boxes import Place
from routingd.engine_thread import EngineThread
from routingd.established import Exported, Membership, Up, capsule, exporter, read_export
from routingd.outbox import Outbox, pieces

RESTART: Final = 60.0
"""Pause after UPDATEs that the engine could not take."""
LEASE: Final = 30.0
"""How long a box keeps a session's KEEPALIVEs going without hearing from us."""

ACCEPT: Final = "accept"
"""The one policy there is so far: everything passes. Without a policy nothing does (RFC 8212)."""

log = structlog.get_logger("routingd.bgp")


class Streams(Protocol):
    """Where a peer's connections run (``peers``)."""

    def outbox(self, ncp: str) -> Outbox | None:
        """None while that box's agent is away."""

    def new_stream(self, ncp: str, peer: Peer, conn: int) -> int: ...
    def forget_stream(self, ncp: str, stream: int) -> None: ...


@dataclass(slots=True)
class Stream:
    """One TCP connection at a box, asked for or up."""

    ncp: str
    number: int
    credit: int = 0
    """Bytes we may still send."""
    window: int = 0
    queue: deque[bytes] = field(default_factory=deque)
    lease: Lease | None = None


class Peer:
    def __init__(
        self,
        session: Session,
        place: Place,
        next_hops: dict[int, bytes],
        group: str,
        engine: EngineThread[Engine],
        streams: Streams,
        clock: Callable[[], float],
    ) -> None:
        self.session = session
        self.place = place
        self.next_hops = next_hops
        """Our address of each family (by AFI) where the session runs; b"" where there is none."""
        self.group = group
        self.up: Up | None = None
        self._engine = engine
        self._owner = streams
        self._clock = clock
        self._streams: dict[int, Stream] = {}
        self._next_inbound = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def name(self) -> str:
        return self.session.config.name

    @property
    def stream(self) -> Stream | None:
        """Of the Established session."""
        return self._streams.get(self.up.conn) if self.up is not None else None

    @property
    def connections(self) -> list[Stream]:
        return list(self._streams.values())

    # --- what happens to it -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._perform(self.session.start(self._clock()))

    def stop(self, cease: Cease) -> None:
        self._perform(self.session.stop(cease, self._clock()))

    def accept(self, ncp: str, number: int, credit: int) -> int:
        """A connection the peer opened; the number it has within the session."""
        conn = self._next_inbound
        self._next_inbound += 1
        self._streams[conn] = Stream(ncp, number, credit, credit)
        return conn

    def accepted(self, conn: int, local: bytes, remote: bytes) -> None:
        self._perform(self.session.connected(conn, local, remote, True, self._clock()))

    def opened(self, conn: int, local: bytes, remote: bytes, credit: int) -> None:
        stream = self._streams.get(conn)
        if stream is not None:
            stream.credit = stream.window = credit
            self._perform(self.session.connected(conn, local, remote, False, self._clock()))

    def closed(self, conn: int, reason: str) -> None:
        """The stream ended at the box, or could not be opened, or the box is gone."""
        stream = self._streams.pop(conn, None)
        if stream is None:
            return
        self._owner.forget_stream(stream.ncp, stream.number)
        self._perform(self.session.closed(conn, reason, self._clock()))

    def credited(self, conn: int, count: int) -> None:
        stream = self._streams.get(conn)
        if stream is not None:
            stream.credit += count
            stream.window = max(stream.window, stream.credit)
            self._write(stream)
            self.session.moved(conn, self._clock(), waits=bool(stream.queue) or stream.credit < stream.window)
            self._read_exports()
            self._arm()

    def received(self, conn: int, data: bytes, age: float) -> None:
        """Bytes of a stream that arrived at the box ``age`` seconds ago."""
        out = self.session.receive(conn, data, self._clock() - age)
        routes = [e for e in out if isinstance(e, effects.Routes)]
        self._perform(out, owed=len(data) if routes else 0)
        if not routes:
            self._give_back(conn, len(data))

    # --- effects ------------------------------------------------------------------------------------------------------

    def _perform(self, out: list[effects.Effect], owed: int = 0) -> None:
        """``owed``: read credit that the last Routes among them gives back when the engine is done with it."""
        last = max((at for at, e in enumerate(out) if isinstance(e, effects.Routes)), default=-1)
        for at, effect in enumerate(out):
            match effect:
                case effects.Connect(conn):
                    self._connect(conn)
                case effects.Send(conn, data):
                    self._send(conn, data)
                case effects.Close(conn, reason, reset):
                    self._close(conn, reason, reset)
                case effects.Routes(conn, updates):
                    self._routes(conn, updates, owed if at == last else 0)
                case effects.Established():
                    self._established(effect)
                case effects.Down(_, reason):
                    self._down(reason)
                case effects.StateChanged(old, new, reason):
                    log.info("bgp.state", peer=self.name, old=str(old), new=str(new), reason=reason)
                case effects.Lease(conn, interval, packet):
                    self._lease(conn, interval, packet)
                case effects.RefreshRequested(_, afi, safi):
                    self._refresh((afi, safi))
                case _:
                    assert_never(effect)
        self._arm()

    def _arm(self) -> None:
        """One timer per neighbor. It is moved only when the deadline comes nearer: a later one is found when it
        fires."""
        deadline = self.session.next_deadline()
        if deadline is None:
            return
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._perform(self.session.timer(self._clock()))

    def _connect(self, conn: int) -> None:
        config, place = self.session.config, self.place
        outbox = self._owner.outbox(place.ncp)
        if outbox is None:
            reason = f"the agent of {place.ncp} is not connected"
            self._loop.call_soon(lambda: self._perform(self.session.connect_failed(conn, reason, self._clock())))
            return
        number = self._owner.new_stream(place.ncp, self, conn)
        self._streams[conn] = Stream(place.ncp, number)
        outbox.message(
            StreamConnect(
                number, config.address, config.port, local=place.local,
                ttl=config.send_ttl, minimum_ttl=config.minimum_ttl, md5=config.password,
            )
        )  # fmt: skip

    def _send(self, conn: int, data: bytes) -> None:
        stream = self._streams.get(conn)
        if stream is not None:
            stream.queue.extend(pieces(data, MAX_CHUNK))
            self._write(stream)
            # Until the box says that TCP took it (RFC 9687).
            self.session.waiting(conn, self._clock())

    def _write(self, stream: Stream) -> None:
        """Hand over what credit allows. With nothing in flight a run larger than the whole window still goes."""
        outbox = self._owner.outbox(stream.ncp)
        while stream.queue and outbox is not None:
            size = len(stream.queue[0])
            if size > stream.credit and stream.credit < stream.window:
                return
            stream.credit -= size
            outbox.data(stream.number, stream.queue.popleft())

    def _close(self, conn: int, reason: str, reset: bool) -> None:
        stream = self._streams.pop(conn, None)
        if stream is None:
            return
        outbox = self._owner.outbox(stream.ncp)
        if outbox is not None:
            for data in stream.queue if not reset else ():
                # A NOTIFICATION is the last thing said; the box flushes or drops it with the socket, whatever the
                # credit.
                outbox.data(stream.number, data)
            outbox.forget(stream.number)
            outbox.message(StreamClose(stream.number, reason, reset=reset))
        self._owner.forget_stream(stream.ncp, stream.number)

    # --- routes in ----------------------------------------------------------------------------------------------------

    def _routes(self, conn: int, updates: Updates, owed: int) -> None:
        up = self.up
        if up is None or up.conn != conn:
            self._give_back(conn, owed)
            return
        membership, terms = up.membership, up.terms

        def receive(engine: Engine) -> Changes:
            return engine.receive(membership.source, updates, terms)

        def done(changes: Changes) -> None:
            self._give_back(conn, owed)
            self._perform(self.session.routes_processed(conn, changes, self._clock()))

        def failed(error: Exception) -> None:
            log.error("bgp.update-failed", peer=self.name, error=str(error), again_in=RESTART)
            self.stop(Cease(CeaseSubcode.OUT_OF_RESOURCES))
            self._loop.call_later(RESTART, self.start)

        self._engine.post(receive, done, failed)

    def _give_back(self, conn: int, count: int) -> None:
        stream = self._streams.get(conn)
        outbox = self._owner.outbox(stream.ncp) if stream is not None else None
        if stream is not None and outbox is not None and count:
            outbox.credit(stream.number, count)

    # --- up and down --------------------------------------------------------------------------------------------------

    def _established(self, event: effects.Established) -> None:
        config, agreed = self.session.config, event.agreed
        accepted = {f.family for f in config.families if f.import_policy == ACCEPT}
        # RFC 8212 3: without an import policy nothing is used. A family left out here is skipped by the decoder.
        terms = replace(agreed, families=tuple(f for f in agreed.families if f in accepted)).terms(aigp=config.aigp)
        membership = Membership()
        own_afi = 1 if len(event.local) == 4 else 2
        next_hops = {**self.next_hops, own_afi: event.local}
        for afi, _ in agreed.extended_next_hop if own_afi == AFI_IPV6 else ():
            next_hops[afi] = event.local  # RFC 8950 3: the address that the peer is known to reach
        up = Up(
            event.conn,
            agreed,
            membership,
            terms,
            exporter(config, agreed, next_hops, membership),
        )
        self.up = up
        exported = [f.family for f in config.families if f.family in agreed.families and f.export_policy == ACCEPT]
        for family in [f for f in exported if not next_hops[f[0]]]:
            # RFC 4760 5.1.3: there would be no next hop to announce.
            exported.remove(family)
            reason = f"{self.place.ncp}/{self.place.port or '?'} has no address of this family: give it one"
            log.error("bgp.not-exported", peer=self.name, family=family_name(*family), reason=reason)

        def join(engine: Engine) -> None:
            membership.source = engine.add_peer(
                address=event.remote, asn=agreed.peer_asn, router_id=agreed.peer_router_id, ebgp=agreed.ebgp,
                import_accept=bool(accepted), distance=config.distance, weight=config.weight,
                ncp=self.place.ncp, port=self.place.port,
            )  # fmt: skip
            for family in exported:
                up.open_export(engine, family)

        self._engine.post(join, lambda _: self._export_families(up, exported))
        stream = self._streams[event.conn]
        outbox = self._owner.outbox(stream.ncp)
        if outbox is not None:
            outbox.message(Capsule(stream.number, capsule(self.session, agreed)))

    def _down(self, reason: str) -> None:
        up, self.up = self.up, None
        if up is None:
            return
        for reader in up.readers.values():
            reader.close()
        membership = up.membership

        def leave(engine: Engine) -> None:
            for consumer in membership.consumers.values():
                engine.export_close(consumer)
            engine.remove_source(membership.source)

        self._engine.post(leave)
        log.info("bgp.down", peer=self.name, reason=reason)

    def _lease(self, conn: int, interval: float, packet: bytes) -> None:
        stream = self._streams.get(conn)
        if stream is not None:
            stream.lease = Lease(stream.number, interval, LEASE, packet)
            self.renew()

    def renew(self) -> None:
        """Called every few seconds: KEEPALIVEs go on for as long as we are here to say so."""
        for stream in self._streams.values():
            outbox = self._owner.outbox(stream.ncp)
            if stream.lease is not None and outbox is not None:
                outbox.message(stream.lease)

    # --- routes out ---------------------------------------------------------------------------------------------------

    def _export_families(self, up: Up, families: Iterable[Family]) -> None:
        if self.up is up:
            for family in families:
                up.readers[family] = self._engine.consumer(partial(self._export, up, family))
            self._read_exports()

    def _read_exports(self) -> None:
        """One chunk at a time per family, and none while the stream has something to send or no credit."""
        up, stream = self.up, self.stream
        if up is None or stream is None or stream.queue or stream.credit <= 0:
            return
        for family, reader in up.readers.items():
            if not reader.waiting:
                reader.request(partial(read_export, up, family))

    def _export(self, up: Up, family: Family, read: Exported) -> None:
        if self.up is not up:
            return
        if read.begun:
            up.end_of_rib_sent.discard(family)
            self._refresh_marker(up, family, RefreshSubtype.BEGIN)
            up.refreshing.add(family)
        if read.data:
            self.session.counters.sent(MessageType.UPDATE, len(read.data), read.updates)
            self._send(up.conn, read.data)
        if not read.backlog and not read.begun:
            up.end_of_rib_sent.add(family)
            if family in up.refreshing:
                up.refreshing.discard(family)
                self._refresh_marker(up, family, RefreshSubtype.END)
        self._arm()
        self._read_exports()

    def _refresh_marker(self, up: Up, family: Family, subtype: RefreshSubtype) -> None:
        """RFC 7313 4: only to a peer that follows them."""
        if up.agreed.enhanced_refresh:
            message = RouteRefreshMessage(*family, subtype).encode()
            self.session.counters.sent(MessageType.ROUTE_REFRESH, len(message))
            self._send(up.conn, message)

    def _refresh(self, family: Family) -> None:
        """RFC 2918 4: the whole Adj-RIB-Out of one family again, from a fresh cursor, behind what waits."""
        up = self.up
        if up is None or family not in up.readers or family in up.refresh_due:
            return
        up.refresh_due.add(family)
        if up.readers[family].waiting:
            up.readers[family].request(partial(read_export, up, family))
