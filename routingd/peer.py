"""One BGP neighbor at work: its session, and its place in the RIB.

Performs the session's effects and decides nothing: what a session does about an event is the session's
(``protocols.bgp``). Its connections are ``peer_streams``', what it is told is ``adj_ribs_out``'s.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Final, assert_never

import structlog

from native import Changes, Engine, Updates
from protocols import effects
from protocols.bgp.capsule import NotAdoptableError, adoptable, examine
from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import Cease, CeaseSubcode
from protocols.bgp.family import AFI_IPV6, Family, family_name
from protocols.bgp.graceful import Mode
from protocols.bgp.session import Session
from routingd.adj_rib_in import AdjRibIn
from routingd.adj_ribs_out import AdjRibsOut
from routingd.boxes import Place
from routingd.engine_thread import EngineThread
from routingd.established import Beside, Membership, Up, exporter, paths_of
from routingd.listening import Range
from routingd.peer_streams import WINDOW, Kept, PeerStreams, Stream, Streams
from routingd.session_events import SessionEvents

RESTART: Final = 60.0
"""Pause after UPDATEs that the engine could not take."""
ACCEPT: Final = "accept"
"""The one policy there is so far: everything passes. Without a policy nothing does (RFC 8212)."""

log = structlog.get_logger("routingd.bgp")


def unheard(config: PeerConfig) -> str:
    """Why an unnumbered neighbor is not connected to."""
    return f"no router advertisement heard on {config.device}"


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
        events: SessionEvents,
        by: Range | None = None,
    ) -> None:
        self.session = session
        self.place = place
        self.next_hops = next_hops
        """Our address of each family (by AFI) where the session runs; b"" where there is none."""
        self.group = group
        self.by = by
        """The prefix it came by where it is not configured itself."""
        self.ordered = False
        """Somebody has decided whether it runs: its box by being there, or the operator."""
        self.up: Up | None = None
        self.given = AdjRibIn(engine)
        self._engine = engine
        self._clock = clock
        self._events = events
        self._owner = streams
        self._streams = PeerStreams(streams)
        self._told: AdjRibsOut | None = None
        self._exported: list[Family] = []
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        """The start after UPDATEs that the engine could not take."""
        self._loop = asyncio.get_running_loop()

    @property
    def name(self) -> str:
        return self.session.config.name

    @property
    def names(self) -> tuple[str, ...]:
        """What people may call it."""
        if not self.place.on_link:
            return (self.name,)
        config, place = self.session.config, self.place
        address, port = ipaddress.ip_address(config.address), f"{place.ncp}/{place.port}"
        return self.name, f"{address}%{config.device}", f"{address}%{port}", *((port,) if config.unnumbered else ())

    def learned(self, address: bytes) -> None:
        """Where an unnumbered neighbor is: for the next connection."""
        self.session.config = replace(self.session.config, address=address)

    @property
    def giver(self) -> Up | None:
        """The session whose routes the RIB has: the Established one, or a lost one whose routes stay."""
        return self.up or self.given.of

    @property
    def keeps(self) -> bool:
        """Graceful restart was agreed on the session that is up."""
        return self.up is not None and self.up.agreed.graceful is not None

    @property
    def end_of_rib(self) -> frozenset[Family]:
        """Families of which the session that is up has told everything."""
        found = (c.end_of_rib for c in self.session.connections if self.up is not None and c.number == self.up.conn)
        return frozenset(next(found, ()))

    @property
    def stream(self) -> Stream | None:
        """Of the Established session."""
        return self._streams.get(self.up.conn) if self.up is not None else None

    @property
    def connections(self) -> list[Stream]:
        return self._streams.all

    # --- what happens to it -------------------------------------------------------------------------------------------

    def start(self, restarting: bool = False) -> None:
        """``restarting``: its box has kept forwarding by what an earlier routingd knew."""
        self._ordered()
        self._perform(self.session.start(self._clock(), self._forwarded(restarting)))

    def _forwarded(self, restarting: bool) -> frozenset[Family] | None:
        return frozenset(f.family for f in self.session.config.families) if restarting else None

    def adopt(self, kept: Kept, restarting: bool) -> None:
        """Go on with a stream of an earlier routingd, or of ours before its agent was away. Raises
        NotAdoptableError."""
        if (self.session.kept_down and self.ordered) or self.session.connections:
            raise NotAdoptableError("the session is stopped, or has another connection already")
        if self.place.local not in (b"", kept.local):
            raise NotAdoptableError("it comes from another address of ours")
        found = examine(kept.capsule, self.session.config, self._owner.election, self._owner.deferring)
        self._ordered()
        conn = self._streams.accept(self.place.ncp, kept.stream, kept.credit, WINDOW)
        self._owner.own_stream(self.place.ncp, kept.stream, self, conn)
        adopted = self.session.adopt(
            conn, kept.local, kept.remote, kept.inbound, found, kept.up_for, kept.silent_for, self._clock(),
            self._forwarded(restarting),
        )  # fmt: skip
        self._perform(adopted)
        self._streams.adopt(conn)

    def restarted(self) -> None:
        """The RIB is whole again after a restart of ours."""
        self.session.recovered()
        if self._told is not None:
            self._told.begin(self._exported)

    def stop(self, cease: Cease) -> None:
        self._ordered()
        self._perform(self.session.stop(cease, self._clock()))

    def _ordered(self) -> None:
        """The latest word counts."""
        self.ordered = True
        if self._again is not None:
            self._again.cancel()

    def refresh(self) -> bool:
        """Ask it for everything again (RFC 2918); False where it cannot be asked."""
        asked = self.session.refresh()
        self._perform(asked)
        return bool(asked)

    def leave(self, cease: Cease) -> bool:
        """This routingd ends and another one follows, which finds the session with its box; whether it may go on. Only
        with graceful restart our routes stay if not (RFC 4724 4.2); any other neighbor may as well know why."""
        up, config = self.up, self.session.config
        connection = self.session.connection(up.conn) if up is not None else None
        if up is None or connection is None or config.graceful_restart is not Mode.ON or not self.keeps:
            self.stop(cease)
            return False
        return not adoptable(config, connection.offered, up.agreed)

    def accept(self, ncp: str, number: int, credit: int) -> int:
        """A connection the peer opened; the number it has within the session."""
        return self._streams.accept(ncp, number, credit)

    def accepted(self, conn: int, local: bytes, remote: bytes) -> None:
        self._perform(self.session.connected(conn, local, remote, True, self._clock()))

    def opened(self, conn: int, local: bytes, remote: bytes, credit: int) -> None:
        if self._streams.opened(conn, credit):
            self._perform(self.session.connected(conn, local, remote, False, self._clock()))

    def closed(self, conn: int, reason: str, *, ours: bool = False) -> None:
        """The stream ended at the box, or could not be opened, or the box is gone (``ours``)."""
        if self._streams.closed(conn):
            self._perform(self.session.closed(conn, reason, self._clock(), ours=ours))

    def credited(self, conn: int, count: int) -> None:
        stream = self._streams.credited(conn, count)
        if stream is not None:
            if (connection := self.session.connection(conn)) is not None:
                connection.moved(self._clock(), waits=stream.waits)
            if self._told is not None:
                self._told.read()
            self.arm()

    def received(self, conn: int, data: bytes, age: float) -> None:
        """Bytes of a stream that arrived at the box ``age`` seconds ago."""
        self._streams.owe(conn, len(data))
        out = self.session.receive(conn, data, self._clock() - age)
        routes = [e for e in out if isinstance(e, effects.Routes)]
        self._perform(out, owed=len(data) if routes else 0)
        if not routes:
            self._streams.give_back(conn, len(data))

    # --- effects ------------------------------------------------------------------------------------------------------

    def _perform(self, out: list[effects.Effect], owed: int = 0) -> None:
        """``owed``: read credit that the last Routes among them gives back when the engine is done with it."""
        last = max((at for at, e in enumerate(out) if isinstance(e, effects.Routes)), default=-1)
        for at, effect in enumerate(out):
            self._events.tell(self.name, effect)
            match effect:
                case effects.Connect(conn):
                    self._connect(conn)
                case effects.Send(conn, data):
                    self._send(conn, data)
                case effects.Close(conn, reason, reset):
                    self._streams.close(conn, reason, reset)
                case effects.Routes(conn, updates):
                    self._routes(conn, updates, owed if at == last else 0)
                case effects.Established():
                    self._established(effect)
                case effects.Down(_, reason, keep=keep):
                    self._down(reason, keep)
                case effects.StateChanged(old, new, reason):
                    log.info("bgp.state", peer=self.name, old=str(old), new=str(new), reason=reason)
                case effects.Notified(_, notification, sent):
                    log.info("bgp.notification", peer=self.name, sent=sent, text=str(notification))
                case effects.Refused(_, reason):
                    log.info("bgp.refused", peer=self.name, reason=reason)
                case effects.Found(_, finding):
                    # RFC 7606 6: with the whole message, for whoever has to find the cause.
                    log.warning("bgp.malformed", peer=self.name, **finding.describe(self._clock()))
                case effects.LimitReached(_, mark):
                    log.warning("bgp.limit", peer=self.name, text=mark.text)
                case effects.Lease(conn, interval, packet, hold, farewell):
                    self._streams.lease(conn, interval, packet, hold, farewell)
                case effects.RefreshRequested(_, afi, safi):
                    if self._told is not None:
                        self._told.refresh((afi, safi))
                case effects.MarkStale(afi):
                    self.given.mark(afi)
                case effects.SweepStale(afi):
                    self.given.sweep(afi)
                case effects.LongLived(afi):
                    self.given.long_lived(afi)
                case effects.Forget():
                    self.given.forget()
                case _:
                    assert_never(effect)
        self.arm()
        self._owner.stirred()

    def arm(self) -> None:
        """One timer per neighbor, moved only when the deadline comes nearer: a later one is found when it fires. Where
        nothing can happen any more the neighbor is at rest."""
        deadline = self.session.next_deadline()
        if deadline is None:
            if not self.session.connections and not self.session.kept_down:
                self._owner.at_rest(self)
            return
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock()
        # A peer whose words wait for the engine, perhaps unread, is not silent.
        owing = self._streams.owing
        for connection in self.session.connections:
            if self._engine.behind or connection.number in owing:
                connection.late(now)
        self._perform(self.session.timer(now))

    def _connect(self, conn: int) -> None:
        config, reason = self.session.config, f"the agent of {self.place.ncp} is not connected"
        if not any(config.address):
            reason = unheard(config)
        elif self._streams.connect(self, conn, self.place, config):
            return
        self._loop.call_soon(lambda: self._perform(self.session.connect_failed(conn, reason, self._clock())))

    def _send(self, conn: int, data: bytes) -> None:
        if self._streams.send(conn, data) and (connection := self.session.connection(conn)) is not None:
            connection.waiting(self._clock())  # until the box says that TCP took it (RFC 9687)

    # --- routes in ----------------------------------------------------------------------------------------------------

    def _routes(self, conn: int, updates: Updates, owed: int) -> None:
        up = self.up
        if up is None or up.conn != conn:
            self._streams.give_back(conn, owed)
            return
        membership, terms = up.membership, up.terms
        limited = any(f.maximum is not None for f in self.session.config.families)

        def receive(engine: Engine) -> tuple[Changes, dict[Family, int]]:
            changes = engine.receive(membership.source, updates, terms)
            return changes, paths_of(engine, membership.source) if limited else {}

        def done(result: tuple[Changes, dict[Family, int]]) -> None:
            self._streams.give_back(conn, owed)
            changes, paths = result
            self._perform(self.session.routes_processed(conn, changes, self._clock(), paths))

        def failed(error: Exception) -> None:
            log.error("bgp.update-failed", peer=self.name, error=str(error), again_in=RESTART)
            self.stop(Cease(CeaseSubcode.OUT_OF_RESOURCES))
            self._again = self._loop.call_later(RESTART, self.start)

        self._engine.post(receive, done, failed)

    # --- up and down --------------------------------------------------------------------------------------------------

    def _beside(self) -> Beside:
        """Nothing where the peer is more than one hop away."""
        near = self.place.on_link or self.place.subnets
        return Beside(self.place.subnets, self._owner.link_local(self.place)) if near else Beside()

    def _established(self, event: effects.Established) -> None:
        config, agreed = self.session.config, event.agreed
        accepted = {f.family for f in config.families if f.import_policy == ACCEPT}
        # RFC 8212 3: without an import policy nothing is used. A family left out here is skipped by the decoder.
        taken = replace(agreed, families=tuple(f for f in agreed.families if f in accepted))
        terms = taken.terms(aigp=config.aigp, demands=config.demands)
        membership = Membership()
        own_afi = 1 if len(event.local) == 4 else 2
        next_hops = {**self.next_hops, own_afi: event.local}
        for afi, _ in agreed.extended_next_hop if own_afi == AFI_IPV6 else ():
            next_hops[afi] = event.local  # RFC 8950 3: the address that the peer is known to reach
        export = exporter(config, agreed, next_hops, membership, self._beside())
        up = Up(event.conn, agreed, membership, terms, export, event.adopted)
        self.up = up
        told = self._told = AdjRibsOut(
            up, self.session.counters, self._engine, lambda data: self._export(event.conn, data), self._has_room,
            lambda: self._deposit(event.conn, told=True),
        )  # fmt: skip
        exported = [f.family for f in config.families if f.family in agreed.families and f.export_policy == ACCEPT]
        for family in (f for f in exported if not next_hops[f[0]]):
            # RFC 4760 5.1.3: there would be no next hop to announce.
            up.withheld.append(family)
            reason = f"{self.place.ncp}/{self.place.port or '?'} has no address of this family: give it one"
            log.error("bgp.not-exported", peer=self.name, family=family_name(*family), reason=reason)

        source = {
            "address": event.remote, "asn": agreed.peer_asn, "router_id": agreed.peer_router_id, "ebgp": agreed.ebgp,
            "member": agreed.member, "client": config.route_reflector_client, "import_accept": bool(accepted),
            "distance": config.distance, "weight": config.weight, "ncp": self.place.ncp, "port": self.place.port,
        }  # fmt: skip
        limits = [(f.afi, f.maximum.limit) for f in config.families if f.maximum is not None and f.maximum.ends]
        self.given.join(up, source, limits)
        self._exported = [family for family in exported if family not in up.withheld]
        if not self._owner.deferring:
            told.begin(self._exported)
        if not up.adopted:
            self._deposit(event.conn, told=False)

    def _deposit(self, conn: int, *, told: bool) -> None:
        """With its box, what another routingd needs to go on with the session."""
        if (connection := self.session.connection(conn)) is not None:
            self._streams.keep(conn, connection.capsule(election=self._owner.election, told=told))

    def _export(self, conn: int, data: bytes) -> None:
        self._send(conn, data)
        self.arm()

    def _has_room(self) -> bool:
        stream = self.stream
        return stream is not None and not stream.queue and stream.credit > 0

    def _down(self, reason: str, keep: frozenset[Family]) -> None:
        up, self.up = self.up, None
        if up is None:
            return
        if self._told is not None:
            self._told.close()
            self._told = None
        self.given.leave(up, keep)
        log.info("bgp.down", peer=self.name, reason=reason, retained=[family_name(*f) for f in sorted(keep)])

    def renew(self) -> None:
        """Called every few seconds: KEEPALIVEs go on for as long as we are here to say so."""
        self._streams.renew()
