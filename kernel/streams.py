"""One TCP connection of the router: credits both ways, a bounded write queue, leased KEEPALIVEs.

Owns the socket once it is connected. Of the bytes only the length in each header is looked at. What the controller
sends is whole messages, so between any two writes a leased packet may go out (RFC 4271 4.4), and never anywhere else:
three daemons answered a KEEPALIVE inside another message with a NOTIFICATION. While no controller is there, what is
received waits here, from the beginning of a message on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from kernel.edge_sockets import endpoint, reset_on_close
from native import Boundary

INITIAL_CREDIT: Final = 1 << 20
"""Bytes either side may send before it is granted more."""
_READ: Final = 256 * 1024
_GIVE_BACK: Final = 128 * 1024
_OWED_FOR: Final = 5.0
"""Less than that is given back this much later: so the controller can tell a peer that takes nothing (RFC 9687)."""
_UNSENT: Final = 128 * 1024
"""Bytes the kernel holds beyond what the peer's window lets out. Megabytes there would hide a peer that takes nothing,
and what is said last would wait behind them."""
_KEPT: Final = 128 * 1024
"""Received bytes that wait here for a controller; for more TCP holds the peer back."""
_FLUSH_PATIENCE: Final = 5.0
_DRAIN_PATIENCE: Final = 2.0


class Sink(Protocol):
    """Where a stream's events go."""

    def stream_data(self, stream: Stream, data: bytes, age: float) -> None:
        """``age``: seconds since it arrived."""

    def stream_credit(self, stream: Stream, amount: int) -> None: ...
    def stream_closed(self, stream: Stream, reason: str, code: int) -> None: ...


@dataclass(slots=True)
class _Lease:
    interval: float
    until: float
    packet: bytes
    due: float
    hold: float
    """Without a controller: seconds of silence after which the peer is given up; 0: any."""
    farewell: bytes
    """What it is told then."""


class Stream:
    """Made with a connected socket; ``start`` begins reading. Ends in exactly one ``stream_closed``, unless closed by
    ``close``."""

    def __init__(
        self, number: int, listener: int, sock: socket.socket, device: str, sink: Sink, rng: random.Random
    ) -> None:
        self.number = number
        self.listener = listener
        self.device = device
        self.local, self.local_port = endpoint(sock.getsockname())
        self.remote, self.remote_port = endpoint(sock.getpeername())
        self.capsule = b""
        self.keepalives = 0
        self.ended: tuple[str, int] | None = None
        """Why, where it ended while no controller was there."""
        self.established_at: float | None = None
        """When the first capsule came."""
        self.heard_at = asyncio.get_running_loop().time()
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        self._sink = sink
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._credit = INITIAL_CREDIT
        self._owed = 0
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._last_sent = self._loop.time()
        self._lease: _Lease | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._giving: asyncio.TimerHandle | None = None
        self._closing = False
        self._closed = False
        self._attached = False
        self._reading = False
        self._boundary = Boundary()
        self._kept = bytearray()
        self._silence: asyncio.TimerHandle | None = None

    # --- the controller -----------------------------------------------------------------------------------------------

    @property
    def attached(self) -> bool:
        """A controller has it."""
        return self._attached

    @property
    def room(self) -> int:
        """Bytes that a controller may send at first; less than nothing where more than that waits already."""
        return INITIAL_CREDIT - self._queued

    def offered(self) -> None:
        """To a controller, which may send what there is ``room`` for: only what TCP takes from now on is given back."""
        self._owed = 0

    @property
    def silent_for(self) -> float:
        """Seconds in which we have listened to the peer and heard nothing: none while TCP holds it back."""
        return self._loop.time() - self.heard_at if self._reading else 0.0

    def deposit(self, capsule: bytes) -> None:
        if self.established_at is None:
            self.established_at = self._loop.time()
        self.capsule = capsule

    # --- reading ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A controller listens: it gets what it has missed, then what comes, as far as credits go."""
        self._attached = True
        self._stop_listening_for_silence()
        kept, self._kept = bytes(self._kept), bytearray()
        if kept:
            self._credit -= len(kept)
            self._boundary.passed(kept)
            self._sink.stream_data(self, kept, self._loop.time() - self.heard_at)
        if self.ended is not None:
            self._sink.stream_closed(self, *self.ended)
        elif not self._closing:
            self._resume()

    def detach(self) -> None:
        """The controller is away. What it was given of an unfinished message is kept for the next; what it grants and
        is granted starts afresh."""
        self._attached = False
        self._credit = INITIAL_CREDIT
        self._kept = bytearray(self._boundary.tail)
        self._boundary = Boundary()
        self._resume()
        self._listen_for_silence()

    def _listen_for_silence(self) -> None:
        self._stop_listening_for_silence()
        if self._lease is not None and self._lease.hold and self._reading:
            self._silence = self._loop.call_at(self.heard_at + self._lease.hold, self._silent, self._lease)

    def _stop_listening_for_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _silent(self, lease: _Lease) -> None:
        """RFC 4271 6.5, by arrival: as long as we read, silence is the peer's."""
        if self._loop.time() < self.heard_at + lease.hold:
            self._listen_for_silence()
        elif self._reading and not self._closing:
            self.ended = f"nothing heard from the peer for {lease.hold:g} s", errno.ETIMEDOUT
            self._put(lease.farewell)
            self.close(reset=False)

    def grant(self, amount: int) -> None:
        self._credit += amount
        self._resume()

    def _resume(self) -> None:
        if self._wanted() > 0 and not self._reading and not self._closing and not self._closed:
            self._loop.add_reader(self._socket, self._readable)
            self._reading = True

    def _wanted(self) -> int:
        """So many bytes may be read."""
        return self._credit if self._attached else _KEPT - len(self._kept)

    def _pause(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._socket)
            self._reading = False

    def _readable(self) -> None:
        try:
            data = self._socket.recv(min(_READ, self._wanted()))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._failed(error)
            return
        if not data:
            self._end("the peer closed the connection", 0)
            return
        self.heard_at = self._loop.time()
        if self._attached:
            self._credit -= len(data)
            self._boundary.passed(data)
        else:
            self._kept += data
        if self._wanted() <= 0:
            self._pause()
        if self._attached:
            self._sink.stream_data(self, data, 0.0)

    # --- writing ------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> bool:
        """Whole messages. False: beyond what was granted, the controller does not keep to the protocol."""
        if self._closing or self._closed:
            return True
        if self._queued + len(data) > 2 * INITIAL_CREDIT:
            return False
        self._put(data)
        return True

    def _put(self, data: bytes) -> None:
        self._queue.append(memoryview(data))
        self._queued += len(data)
        if len(self._queue) == 1:
            self._writable()
            if self._queue and not self._closed:
                self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        written = 0
        try:
            while self._queue:
                head = self._queue[0]
                sent = self._socket.send(head)
                written += sent
                if sent < len(head):
                    self._queue[0] = head[sent:]
                    break
                self._queue.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._failed(error)
            return
        if written:
            self._queued -= written
            self._last_sent = self._loop.time()
            self._give_back(written)
        if not self._queue:
            self._loop.remove_writer(self._socket)
            if self._closing:
                self._shut()

    def _give_back(self, written: int) -> None:
        self._owed += written
        if self._owed >= _GIVE_BACK:
            self._settle()
        elif self._owed > 0 and self._giving is None:
            self._giving = self._loop.call_later(_OWED_FOR, self._settle)

    def _settle(self) -> None:
        if self._giving is not None:
            self._giving.cancel()
            self._giving = None
        if self._owed > 0 and self._attached and not self._closing:
            amount, self._owed = self._owed, 0
            self._sink.stream_credit(self, amount)

    # --- leased packets -----------------------------------------------------------------------------------------------

    def lease(self, interval: float, lasts: float, packet: bytes, hold: float = 0.0, farewell: bytes = b"") -> None:
        """Start, renew or (interval 0) end. Renewing does not move the next packet."""
        if interval <= 0 or self._closing or self._closed:
            self._lease = None
            self._cancel_timer()
            return
        now = self._loop.time()
        due = now + self._jittered(interval)
        if self._lease is not None and self._lease.interval == interval:
            due = self._lease.due
        self._lease = _Lease(interval, now + lasts, packet, due, hold, farewell)
        self._arm()

    def _jittered(self, interval: float) -> float:
        return interval * self._rng.uniform(0.75, 1.0)  # RFC 4271 10

    def _arm(self) -> None:
        self._cancel_timer()
        if self._lease is not None:
            self._timer = self._loop.call_at(self._lease.due, self._tick)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        lease = self._lease
        now = self._loop.time()
        if lease is None or now >= lease.until:
            self._lease = None
            return
        idle_due = self._last_sent + 0.75 * lease.interval
        if idle_due > now:
            lease.due = self._last_sent + self._jittered(lease.interval)  # other messages went out meanwhile
        else:
            if not self._queue:
                self.keepalives += 1
                self._owed -= len(lease.packet)  # not the controller's bytes: nothing to give back for them
                self._put(lease.packet)
            lease.due = now + self._jittered(lease.interval)
        if not self._closed:
            self._arm()

    # --- ending -------------------------------------------------------------------------------------------------------

    def close(self, reset: bool) -> None:
        """The controller's wish: what is queued still goes out first, unless ``reset``. Nothing is reported."""
        if self._closed:
            return
        self._closing = True
        self._lease = None
        self._cancel_timer()
        self._pause()
        if reset:
            reset_on_close(self._socket)
            self._release()
        elif self._queue:
            self._timer = self._loop.call_later(_FLUSH_PATIENCE, self._release)
        else:
            self._shut()

    def _shut(self) -> None:
        """Closing with bytes unread would send RST and could destroy a NOTIFICATION on its way: end our half, read the
        rest away."""
        self._cancel_timer()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._release()
            return
        self._loop.add_reader(self._socket, self._discard)
        self._timer = self._loop.call_later(_DRAIN_PATIENCE, self._release)

    def _discard(self) -> None:
        try:
            if self._socket.recv(_READ):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._release()

    def _failed(self, error: OSError) -> None:
        code = error.errno or errno.EIO
        self._end(os.strerror(code), code)

    def _end(self, reason: str, code: int) -> None:
        if self._closed:
            return
        told = self._closing
        self._release()
        if not told and not self._attached:
            self.ended = reason, code
        elif not told:
            self._sink.stream_closed(self, reason, code)

    def _release(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._cancel_timer()
        self._stop_listening_for_silence()
        if self._giving is not None:
            self._giving.cancel()
        self._lease = None
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._queue.clear()
