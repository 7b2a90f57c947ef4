"""All BGP neighbors of the router: which box each session runs on, listeners, and whose stream is whose.

Streams asked for have even numbers, accepted ones odd (``fibd.messages``); both are unique per box and connection of
its agent.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from fibd.wire import (
    Message,
    StreamClose,
    StreamCredit,
    StreamData,
    StreamListen,
    StreamOpened,
    Streams,
    StreamUnlisten,
    WireError,
)
from native import Engine
from protocols.bgp.capsule import NotAdoptableError
from protocols.bgp.config import PeerConfig
from protocols.bgp.errors import Cease, CeaseSubcode
from protocols.bgp.session import Session
from routingd.boxes import Boxes, Place
from routingd.engine_thread import EngineThread
from routingd.listening import Range, Ranges, listeners
from routingd.outbox import Outbox
from routingd.peer import Peer, unheard
from routingd.peer_streams import LEASE, Kept
from routingd.restart import Restart
from routingd.session_events import SessionEvents

RENEW: Final = LEASE / 3
LATE: Final = 0.5
"""Seconds from a box to here that are too long to tell a peer's silence at once."""
NO_TCP_AO: Final = "its kernel has no TCP-AO (Linux has from 6.7 on, with CONFIG_TCP_AO)"

log = structlog.get_logger("routingd.bgp")


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A configured session, the group it is in ("" for none) and the box that opens its sockets."""

    session: Session
    group: str
    ncp: str
    port: str = ""
    """The port it is on where its address is link-local."""


class Peers:
    def __init__(
        self,
        neighbors: Iterable[Neighbor],
        ranges: Iterable[Range],
        boxes: Boxes,
        engine: EngineThread[Engine],
        clock: Callable[[], float],
        link_local: Callable[[str, str], bytes],
        restart: Restart,
        stirred: Callable[[], None],
        election: int = 0,
    ) -> None:
        """``link_local``: of a box's port, what the box told last. ``stirred``: something about a neighbor may have
        changed."""
        self._restart = restart
        self.stirred = stirred
        self.election = election
        self._boxes = boxes
        self._engine = engine
        self._clock = clock
        self._link_local = link_local
        self._outboxes: dict[str, Outbox] = {}
        self._unread: dict[str, Callable[[], bool]] = {}
        self._read_to: dict[str, float] = {}
        """When what was read last from a box had arrived there: a box sends in order."""
        self._streams: dict[tuple[str, int], tuple[Peer, int]] = {}
        self._next_stream: dict[str, int] = {}
        self._addresses: dict[str, Collection[bytes]] = {}
        self._with_streams: set[str] = set()
        self._isolated: dict[str, list[Peer]] = {}
        """Boxes that have lost the others, and whose sessions were ended for that."""
        self._kept: dict[str, list[Kept]] = {}
        """By box, streams of an earlier time that nobody has decided about."""
        self._signing: dict[str, bool] = {}
        """Boxes, and whether they can do TCP-AO."""
        self._renewal: asyncio.TimerHandle | None = None
        self.turned_away = 0
        """Inbound connections that no neighbor stood for."""
        self.events = SessionEvents()
        self.ranges = Ranges(ranges)
        self._by_address: dict[tuple[str, str, bytes], Peer] = {}
        """By NCP, port (of link-local ones) and address (b"" while it may be any: unnumbered ones)."""
        for neighbor in neighbors:
            config = neighbor.session.config
            if config.unnumbered:
                neighbor.session.last_connect_error = unheard(config)
            address = b"" if config.unnumbered else config.address
            self._by_address[neighbor.ncp, neighbor.port, address] = self._peer(neighbor)
        self._listeners: dict[str, list[StreamListen]] = {}
        """By box, as it is told."""
        self._listening: set[str] = set()
        """Boxes that have been told."""

    @property
    def all(self) -> list[Peer]:
        return list(self._by_address.values())

    def _peer(self, neighbor: Neighbor, by: Range | None = None) -> Peer:
        config = neighbor.session.config
        if neighbor.port:
            place = self._boxes.on_port(neighbor.ncp, neighbor.port)
        else:
            place = self._boxes.place(neighbor.ncp, config.address, config.source)
        next_hops = {afi: self._boxes.own_address(place, width) for afi, width in ((1, 4), (2, 16))}
        return Peer(
            neighbor.session, place, next_hops, neighbor.group, self._engine, self, self._clock, self.events, by
        )

    # --- boxes come and go --------------------------------------------------------------------------------------------

    def agent_up(
        self, ncp: str, send: Callable[[Sequence[bytes]], None], tcp_ao: bool, unread: Callable[[], bool]
    ) -> None:
        """A new streams connection: nothing of an earlier one exists any more. ``tcp_ao``: the box can do that.
        ``unread``: something that the box has sent waits to be read."""
        self._unread[ncp] = unread
        self._signing[ncp] = tcp_ao
        peers = [peer for peer in self.all if peer.by is None and self._can(ncp, peer.session.config)]
        ranges = [one for one in self.ranges.all if self._can(ncp, one.config)]
        self._listeners[ncp] = listeners(ncp, peers, ranges, self._boxes)
        if len(ranges) < len(self.ranges.all) or any(not self._can(ncp, peer.session.config) for peer in self.all):
            log.error("bgp.no-sessions-with-tcp-ao", ncp=ncp, reason=NO_TCP_AO)
        loop = asyncio.get_running_loop()
        self._outboxes[ncp] = Outbox(loop.call_soon, send, loop.call_later)
        self._renew()

    def _can(self, ncp: str, config: PeerConfig) -> bool:
        """A session that is to be signed is not begun without (RFC 5925 needs Linux 6.7 and CONFIG_TCP_AO)."""
        return not config.ao_keys or self._signing.get(ncp, False)

    def facts_used(self, ncp: str, addresses: Collection[bytes]) -> None:
        """What the box has told of itself has reached the RIB; ``addresses`` it can use."""
        self._addresses[ncp] = addresses
        self._start(ncp)

    def _start(self, ncp: str) -> None:
        """Sessions begin once their box has the address to connect from and has told which streams it still has. Who
        connects before waits in the box: to be refused would only make a neighbor pause."""
        addresses = self._addresses.get(ncp)
        if addresses is None or ncp not in self._with_streams or ncp in self._isolated:
            return
        for kept in self._kept.pop(ncp, ()):
            self._go_on(ncp, kept)
        self._listen(ncp)  # first: OpenBGPD says OPEN twice when we connect while it does
        for peer in self.all:
            local = peer.place.local
            ready = any(peer.session.config.address) and (not local or local in addresses)
            if peer.place.ncp != ncp or peer.ordered or not ready:
                continue
            if self._can(ncp, peer.session.config):
                self._begin(peer)
            else:
                peer.session.last_connect_error = f"{ncp}: {NO_TCP_AO}"

    def isolated(self, ncp: str, lost: bool) -> None:
        """A box that has lost the others must not draw packets that it cannot pass on: its sessions end."""
        if lost:
            runs = (peer for peer in self.all if peer.session.running and not peer.session.idle_for_good)
            self._isolated[ncp] = [peer for peer in runs if peer.place.ncp == ncp]
            for peer in self._isolated[ncp]:
                peer.stop(Cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, f"{ncp} has lost the other boxes"))
        elif ncp in self._isolated:
            for peer in self._isolated.pop(ncp):
                peer.start()
            self._start(ncp)

    def _begin(self, peer: Peer) -> None:
        restarting = self._restart.kept(peer.place.ncp)
        if restarting and peer.name in self._restart.waits_for and peer.session.came_back is None:
            peer.session.came_back = (False, "its box had lost the connection")
        peer.start(restarting)

    def _listen(self, ncp: str) -> None:
        if (outbox := self._outboxes.get(ncp)) is not None and ncp not in self._listening:
            self._listening.add(ncp)
            for listener in self._listeners[ncp]:
                outbox.message(listener)

    def routers_heard(self, ncp: str, rows: list[list[Any]]) -> None:
        """(port, link-local address): where unnumbered neighbors are; the last word counts."""
        for port, address in rows:
            peer = self._by_address.get((ncp, port, b""))
            if peer is not None:
                peer.learned(address)
        self._start(ncp)

    def agent_down(self, ncp: str, reason: str) -> None:
        """Its sockets are out of reach, so its sessions end."""
        outbox = self._outboxes.pop(ncp, None)
        if outbox is not None:
            outbox.clear()
        self._with_streams.discard(ncp)
        self._listening.discard(ncp)
        self._kept.pop(ncp, None)
        for (name, _), (peer, conn) in list(self._streams.items()):
            if name == ncp:
                peer.closed(conn, f"{ncp}: {reason}", ours=True)

    def stop(self, *, returning: bool) -> frozenset[str]:
        """A Cease makes a peer drop our routes at once and tells its operator why, as BIRD does (Administrative
        Shutdown; FRR says Peer De-configured); ``returning`` spares those that can wait for us, and gives the boxes
        with sessions that the next routingd may go on with. Our own boxes keep forwarding: nothing is withdrawn from
        the FIB."""
        if self._renewal is not None:
            self._renewal.cancel()
        cease = Cease(CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, "routingd stops")
        if returning:
            return frozenset([peer.place.ncp for peer in self.all if peer.leave(cease)])
        for ncp, outbox in self._outboxes.items():
            for listener in self._listeners[ncp]:
                outbox.message(StreamUnlisten(listener.listener))
        for peer in self.all:
            peer.stop(cease)
        return frozenset()

    @property
    def deferring(self) -> bool:
        return self._restart.deferring

    def restarted(self) -> None:
        for peer in self.all:
            peer.restarted()

    def with_graceful_restart(self) -> frozenset[str]:
        """Names of those whose sessions come back with it."""
        return frozenset(peer.name for peer in self.all if peer.keeps)

    def _renew(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        for peer in self.all:
            peer.renew()
        self._renewal = asyncio.get_running_loop().call_later(RENEW, self._renew)

    # --- what a box tells ---------------------------------------------------------------------------------------------

    def message(self, ncp: str, message: Message) -> None:
        """Of a stream that we closed a moment ago something may still arrive; it is of no interest."""
        match message:
            case StreamData():
                self._read_to[ncp] = self._clock() - max(0.0, message.arrived)
                for streams, data in message.rows:
                    for number in streams:
                        if owner := self._streams.get((ncp, number)):
                            owner[0].received(owner[1], data, max(0.0, message.arrived))
            case StreamCredit():
                for number, count in message.rows:
                    if owner := self._streams.get((ncp, number)):
                        owner[0].credited(owner[1], count)
            case StreamOpened():
                self._opened(ncp, message)
            case StreamClose():
                if owner := self._streams.get((ncp, message.stream)):
                    owner[0].closed(owner[1], message.reason or "closed")
            case Streams():
                self._leftovers(ncp, message)
            case _:
                raise WireError(f"{type(message).__name__} does not belong on the streams connection")

    def _opened(self, ncp: str, opened: StreamOpened) -> None:
        if not opened.listener:
            if owner := self._streams.get((ncp, opened.stream)):
                owner[0].opened(owner[1], opened.local, opened.remote, opened.credit)
            return
        used = opened.stream % 2 == 0 or (ncp, opened.stream) in self._streams
        peer = None if used else self._caller(ncp, opened.remote, opened.device)
        if peer is None or (peer.by is None and peer.place.local not in (b"", opened.local)):
            self.turned_away += 1
            self._outboxes[ncp].message(StreamClose(opened.stream, "no neighbor has this address", reset=True))
            return
        if not peer.ordered:
            self._start(ncp)  # an unnumbered one is found by its connection
        conn = peer.accept(ncp, opened.stream, opened.credit)
        self.own_stream(ncp, opened.stream, peer, conn)
        peer.accepted(conn, opened.local, opened.remote)

    def _caller(self, ncp: str, remote: bytes, device: str) -> Peer | None:
        """Whose connection this is."""
        on = device if ipaddress.ip_address(remote).is_link_local else ""
        if (peer := self._by_address.get((ncp, on, remote))) is not None:
            return peer
        if not on:
            return self._newcomer(ncp, remote)
        peer = self._by_address.get((ncp, on, b""))
        if peer is not None and peer.up is not None:
            # Somebody beside the neighbor must not pass for it, restarted (RFC 4724 5).
            return peer if any(one.remote == remote for one in peer.session.connections) else None
        if peer is not None:
            peer.learned(remote)
        return peer

    def _newcomer(self, ncp: str, address: bytes) -> Peer | None:
        """A neighbor that nobody configured by its address, if there is room for one more."""
        by = self.ranges.of(ncp, address) if ncp not in self._isolated else None
        if by is None or not (self.ranges.take(by) or (self._displaced(by) and self.ranges.take(by))):
            return None
        peer = self._peer(Neighbor(by.session(address), by.group, ncp), by)
        peer.start(self._restart.kept(ncp))
        self._by_address[ncp, "", address] = peer
        return peer

    def _displaced(self, by: Range) -> bool:
        """Connections without a session behind them do not keep others out of a range: the oldest one goes, but none
        that the operator or a limit keeps down, as it would come back up."""
        there = (peer for peer in self._by_address.values() if peer.by is by and not peer.session.kept_down)
        idle = next((peer for peer in there if peer.giver is None), None)
        if idle is not None:
            idle.stop(Cease(CeaseSubcode.OUT_OF_RESOURCES))
            self.at_rest(idle)
        return idle is not None

    def at_rest(self, peer: Peer) -> None:
        """One of a range is no neighbor any more when nothing is left of its session."""
        key = (peer.place.ncp, "", peer.session.config.address)
        if peer.by is not None and self._by_address.get(key) is peer:
            del self._by_address[key]
            self.ranges.leave(peer.by)

    def _leftovers(self, ncp: str, offered: Streams) -> None:
        """Streams that outlived an earlier routingd or connection."""
        kept = {one.stream: one for one in Kept.of(offered)}
        for number, *_ in offered.rows:
            if (ncp, number) not in self._streams:
                self._next_stream[ncp] = max(self._next_stream.get(ncp, 2), (number + 2) & ~1)
                if number not in kept:
                    self._outboxes[ncp].message(StreamClose(number, "nobody knows the session"))
        self._kept[ncp] = [one for one in kept.values() if (ncp, one.stream) not in self._streams]
        self._with_streams.add(ncp)
        self._start(ncp)

    def _go_on(self, ncp: str, kept: Kept) -> None:
        """With a session, or else close it without a NOTIFICATION: the peer keeps our routes until the session is back
        (RFC 4724 4.1). From a peer's silence nothing is inferred."""
        peer = self._caller(ncp, kept.remote, kept.device)
        try:
            if peer is None:
                raise NotAdoptableError("no neighbor has this address")
            peer.adopt(kept, self._restart.kept(ncp))
        except NotAdoptableError as error:
            log.info("bgp.not-adopted", ncp=ncp, peer=peer.name if peer is not None else None, reason=str(error))
            if peer is not None:
                peer.session.came_back = (False, str(error))
                peer.arm()  # one of a range that came by this stream alone has nothing left
            self._outboxes[ncp].message(StreamClose(kept.stream, str(error)))
        else:
            log.info("bgp.adopted", peer=peer.name, seconds=round(kept.up_for, 1))
            self._restart.expect(peer.name)

    def named(self, name: str) -> Peer | None:
        """By address, link-local ones with their port, with or without the NCP."""
        return next((peer for peer in self.all if name in peer.names), None)

    # --- what peers need ----------------------------------------------------------------------------------------------

    def behind(self, ncp: str) -> bool:
        """Bytes that peers sent to that box may be on their way for long: what was read last had been so, and there is
        more to read."""
        late = self._clock() - self._read_to.get(ncp, -math.inf) > LATE
        return late and ncp in self._outboxes and self._unread[ncp]()

    def outbox(self, ncp: str) -> Outbox | None:
        return self._outboxes.get(ncp)

    def link_local(self, place: Place) -> bytes:
        return self._link_local(place.ncp, place.port)

    def new_stream(self, ncp: str, peer: Peer, conn: int) -> int:
        number = self._next_stream.get(ncp, 2)
        self._next_stream[ncp] = number + 2 if number + 2 <= 0xFFFFFFFE else 2
        self._streams[(ncp, number)] = (peer, conn)
        return number

    def own_stream(self, ncp: str, stream: int, peer: Peer, conn: int) -> None:
        self._streams[(ncp, stream)] = (peer, conn)

    def forget_stream(self, ncp: str, stream: int) -> None:
        self._streams.pop((ncp, stream), None)
