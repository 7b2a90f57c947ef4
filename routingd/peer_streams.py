"""The TCP connections of one neighbor, at the boxes that hold them: credit, what waits to be sent, leases.

Bytes go out as the box gives credit, and read credit goes back when the bytes have been dealt with, so pressure reaches
TCP both ways and nothing piles up here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from fibd.wire import MAX_CHUNK, Capsule, Lease, StreamAdopt, StreamClose, StreamConnect
from fibd.wire import Streams as Offered
from protocols.bgp.config import PeerConfig
from routingd.boxes import Place
from routingd.outbox import Outbox, pieces

if TYPE_CHECKING:
    from routingd.peer import Peer

WINDOW: Final = 1 << 20
"""Bytes that a box takes for a stream at first."""
LEASE: Final = 30.0
"""How long a box keeps a session's KEEPALIVEs going without hearing from us."""


class Streams(Protocol):
    """Where a peer's connections run (``peers``)."""

    @property
    def election(self) -> int:
        """The id of this routingd."""

    @property
    def deferring(self) -> bool:
        """Nobody is told routes yet (``restart``)."""

    def stirred(self) -> None:
        """Something about a neighbor may have changed."""

    def outbox(self, ncp: str) -> Outbox | None:
        """None while that box's agent is away."""

    def behind(self, ncp: str) -> bool:
        """What peers sent to that box waits to be read here."""

    def own_stream(self, ncp: str, stream: int, peer: Peer, conn: int) -> None:
        """A stream with a number from before is this peer's."""

    def new_stream(self, ncp: str, peer: Peer, conn: int) -> int: ...
    def forget_stream(self, ncp: str, stream: int) -> None: ...
    def link_local(self, place: Place) -> bytes:
        """Our IPv6 link-local address on its port; b"": none."""

    def at_rest(self, peer: Peer) -> None:
        """No connection, and nothing that is due."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A stream that outlived the controller that had it, as its box offers it."""

    stream: int
    inbound: bool
    local: bytes
    remote: bytes
    device: str
    capsule: bytes
    up_for: float
    """Seconds since it was Established."""
    silent_for: float
    """Seconds since the box heard the peer."""
    credit: int

    @classmethod
    def of(cls, message: Offered) -> list[Kept]:
        """Those that somebody may go on with: with a capsule, from an agent that tells how they live."""
        lives = {number: (up, silent, credit) for number, up, silent, credit in message.lives}
        return [
            cls(number, listener > 0, local, remote, device, blob, *lives[number])
            for number, listener, local, _, remote, _, device, blob in message.rows
            if number in lives
        ]


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
    capsule: bytes = b""
    """Says that what waits was said, so it goes behind it."""
    owed: int = 0
    """Received bytes that are not dealt with; for enough of them the box reads no more."""

    @property
    def waits(self) -> bool:
        """TCP has not taken everything yet."""
        return bool(self.queue) or self.credit < self.window


class PeerStreams:
    """By the number a connection has within its session."""

    def __init__(self, owner: Streams) -> None:
        self._owner = owner
        self._all: dict[int, Stream] = {}
        self._next_inbound = 0

    def get(self, conn: int) -> Stream | None:
        return self._all.get(conn)

    @property
    def all(self) -> list[Stream]:
        return list(self._all.values())

    # --- open and close -----------------------------------------------------------------------------------------------

    def connect(self, peer: Peer, conn: int, place: Place, config: PeerConfig) -> bool:
        """False: the agent of that box is not connected."""
        outbox = self._owner.outbox(place.ncp)
        if outbox is None:
            return False
        number = self._owner.new_stream(place.ncp, peer, conn)
        self._all[conn] = Stream(place.ncp, number)
        outbox.message(
            StreamConnect(
                number, config.address, config.port, local=place.local, device=place.device,
                ttl=config.send_ttl, minimum_ttl=config.minimum_ttl, md5=config.password,
                ao=[[key.send_id, key.receive_id, key.algorithm, key.key] for key in config.ao_keys],
            )
        )  # fmt: skip
        return True

    def opened(self, conn: int, credit: int) -> bool:
        stream = self._all.get(conn)
        if stream is None:
            return False
        stream.credit = stream.window = credit
        return True

    def accept(self, ncp: str, number: int, credit: int, window: int | None = None) -> int:
        """A connection the peer opened, or had when it was adopted; the number it has within the session."""
        conn = self._next_inbound
        self._next_inbound += 1
        self._all[conn] = Stream(ncp, number, credit, credit if window is None else window)
        return conn

    def adopt(self, conn: int) -> None:
        """What the box has kept of it comes now."""
        stream = self._all.get(conn)
        outbox = self._owner.outbox(stream.ncp) if stream is not None else None
        if stream is not None and outbox is not None:
            outbox.message(StreamAdopt(stream.number))

    def closed(self, conn: int) -> bool:
        """Ended at the box. False: it had been closed here before."""
        stream = self._all.pop(conn, None)
        if stream is None:
            return False
        self._owner.forget_stream(stream.ncp, stream.number)
        return True

    def close(self, conn: int, reason: str, reset: bool) -> None:
        stream = self._all.pop(conn, None)
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

    # --- bytes --------------------------------------------------------------------------------------------------------

    def send(self, conn: int, data: bytes) -> bool:
        """False: there is no such connection any more."""
        stream = self._all.get(conn)
        if stream is None:
            return False
        stream.queue.extend(pieces(data, MAX_CHUNK))
        self._write(stream)
        return True

    def credited(self, conn: int, count: int) -> Stream | None:
        """TCP took so many bytes."""
        stream = self._all.get(conn)
        if stream is not None:
            stream.credit += count
            stream.window = max(stream.window, stream.credit)
            self._write(stream)
        return stream

    def _write(self, stream: Stream) -> None:
        """Hand over what credit allows. With nothing in flight a run larger than the whole window still goes."""
        outbox = self._owner.outbox(stream.ncp)
        while stream.queue and outbox is not None:
            size = len(stream.queue[0])
            if size > stream.credit and stream.credit < stream.window:
                return
            stream.credit -= size
            outbox.data(stream.number, stream.queue.popleft())
        if stream.capsule and not stream.queue and outbox is not None:
            outbox.message(Capsule(stream.number, stream.capsule))
            stream.capsule = b""

    def owe(self, conn: int, count: int) -> None:
        """So many bytes were received."""
        if (stream := self._all.get(conn)) is not None:
            stream.owed += count

    @property
    def owing(self) -> list[int]:
        """Connections with something that is not dealt with, or may be with what was not read yet."""
        return [conn for conn, stream in self._all.items() if stream.owed > 0 or self._owner.behind(stream.ncp)]

    def give_back(self, conn: int, count: int) -> None:
        """So many received bytes are dealt with."""
        stream = self._all.get(conn)
        if stream is not None:
            stream.owed -= count
        outbox = self._owner.outbox(stream.ncp) if stream is not None else None
        if stream is not None and outbox is not None and count:
            outbox.credit(stream.number, count)

    # --- what the box does without us ---------------------------------------------------------------------------------

    def keep(self, conn: int, blob: bytes) -> None:
        """What another controller would need to know of the session, once the box has all that was sent before."""
        if (stream := self._all.get(conn)) is not None:
            stream.capsule = blob
            self._write(stream)

    def lease(self, conn: int, interval: float, packet: bytes, hold: float, farewell: bytes) -> None:
        stream = self._all.get(conn)
        if stream is not None:
            stream.lease = Lease(stream.number, interval, LEASE, packet, hold, farewell)
            self.renew()

    def renew(self) -> None:
        """Called every few seconds: KEEPALIVEs go on for as long as we are here to say so."""
        for stream in self._all.values():
            outbox = self._owner.outbox(stream.ncp)
            if stream.lease is not None and outbox is not None:
                outbox.message(stream.lease)
