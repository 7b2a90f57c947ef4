"""All TCP of one box: listeners, connections being made, streams. Asyncio; one per agent process.

Owns numbers of accepted streams (odd) and who may connect. Knows nothing of frames or of the controller beyond
``Events``."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from dataclasses import dataclass, field
from typing import Final, Protocol

from kernel.edge_sockets import Peer, connect, endpoint, listen, prepare_accepted, reset_on_close, set_peers, text_of
from kernel.pace import BURST_OF_PREFIX, PER_SECOND_OF_PREFIX, Pace
from kernel.streams import Stream
from kernel.tcp_ao import AoKey

_ACCEPTS_PER_SLICE: Final = 32
_ORPHAN_PATIENCE: Final = 10.0


class Events(Protocol):
    """What the owner is told."""

    def stream_opened(self, stream: Stream) -> None: ...
    def stream_refused(self, number: int, reason: str, code: int) -> None: ...
    def stream_data(self, stream: Stream, data: bytes, age: float) -> None: ...
    def stream_credit(self, stream: Stream, amount: int) -> None: ...
    def stream_closed(self, stream: Stream, reason: str, code: int) -> None: ...


@dataclass(slots=True)
class _Listener:
    number: int
    """0: its controller is gone and the next has not asked for it yet; connections wait in the kernel."""
    sock: socket.socket
    device: str
    peers: list[Peer]
    keys: tuple[AoKey, ...]
    by_address: dict[bytes, Peer] = field(init=False)
    ranges: list[Peer] = field(init=False)
    """Longest prefix first."""

    def __post_init__(self) -> None:
        self.admit(self.peers)

    def admit(self, peers: list[Peer]) -> None:
        self.peers = peers
        self.by_address = {peer.address: peer for peer in peers if peer.length is None}
        self.ranges = sorted((p for p in peers if p.length is not None), key=lambda p: -(p.length or 0))

    def peer(self, address: bytes) -> Peer | None:
        """Who that is; None: a stranger."""
        return self.by_address.get(address) or next((p for p in self.ranges if p.has(address)), None)


@dataclass(slots=True)
class _Connecting:
    sock: socket.socket
    device: str
    timer: asyncio.TimerHandle


class StreamTable:
    def __init__(self, events: Events, rng: random.Random) -> None:
        self.streams: dict[int, Stream] = {}
        self.refused = 0
        """Connections from addresses that are nobody's peer."""
        self.too_often = 0
        """Connections of a peer that had just made too many."""
        self._pace = Pace()
        self._pace_of_prefixes = Pace(BURST_OF_PREFIX, PER_SECOND_OF_PREFIX)
        self._events = events
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[tuple[bytes, int, str], _Listener] = {}
        self._connecting: dict[int, _Connecting] = {}
        self._next_accepted = 1
        self._attached = False
        self._window: asyncio.TimerHandle | None = None

    # --- the controller comes and goes --------------------------------------------------------------------------------

    def attach(self) -> None:
        """A controller is there. What outlived the one before stays as it is until this one adopts or closes it."""
        self._attached = True
        for stream in self.streams.values():
            stream.offered()
        if self._listeners:
            self._loop.call_later(_ORPHAN_PATIENCE, self._close_orphans)

    def adopt(self, number: int) -> None:
        """One that was offered may have been closed since: nobody came for it in time."""
        stream = self.streams.get(number)
        if stream is None:
            self._events.stream_refused(number, "it was not held any longer", errno.ECONNABORTED)
        elif not stream.attached:
            stream.start()

    def detach(self, window: float) -> None:
        """It is gone: hold what is Established for ``window`` seconds, begin nothing, accept nothing. With what has no
        capsule nobody could go on."""
        if not self._attached:
            return
        self._attached = False
        for number in list(self._connecting):
            self._abandon(number)
        for listener in self._listeners.values():
            listener.number = 0
            self._loop.remove_reader(listener.sock)
        for stream in list(self.streams.values()):
            if not stream.capsule:
                self.close(stream.number, reset=False)
            elif stream.attached:
                stream.detach()
        if self._window is not None:
            self._window.cancel()
        self._window = self._loop.call_later(window, self._window_over)

    def _window_over(self) -> None:
        """Who was not adopted by now is not held any longer."""
        for stream in [stream for stream in self.streams.values() if not stream.attached]:
            self.close(stream.number, reset=False)
        if not self._attached:
            self.close_all()

    def close_all(self) -> None:
        """Also the listeners: nobody would answer what they accept."""
        for number in list(self._connecting):
            self._abandon(number)
        for stream in list(self.streams.values()):
            stream.close(reset=False)
        self.streams.clear()
        for key in list(self._listeners):
            self._close_listener(key)

    def _close_orphans(self) -> None:
        if self._attached:
            for key in [key for key, listener in self._listeners.items() if listener.number == 0]:
                self._close_listener(key)

    # --- listening ----------------------------------------------------------------------------------------------------

    def listen(
        self, number: int, local: bytes, port: int, device: str, peers: list[Peer], keys: tuple[AoKey, ...] = ()
    ) -> None:
        """Also changes who may connect, where that address and port are listened on already. Raises OSError."""
        key = (local, port, device)
        for other in [k for k, listener in self._listeners.items() if listener.number == number and k != key]:
            self._close_listener(other)
        listener = self._listeners.get(key)
        if listener is not None and listener.keys != keys:
            self._close_listener(key)
            listener = None
        if listener is None:
            sock = listen(local, port, device, peers, keys)
            listener = _Listener(number, sock, device, peers, keys)
            self._listeners[key] = listener
        else:
            set_peers(listener.sock, listener.peers, peers, len(local))
            listener.number = number
            listener.admit(peers)
        self._loop.add_reader(listener.sock, self._accept, listener)

    def unlisten(self, number: int) -> None:
        for key in [key for key, listener in self._listeners.items() if listener.number == number]:
            self._close_listener(key)

    def _close_listener(self, key: tuple[bytes, int, str]) -> None:
        listener = self._listeners.pop(key)
        self._loop.remove_reader(listener.sock)
        listener.sock.close()

    def _accept(self, listener: _Listener) -> None:
        for _ in range(_ACCEPTS_PER_SLICE):
            try:
                sock, name = listener.sock.accept()
            except OSError:
                return  # nothing more, or it was reset while it waited; no descriptors: it waits in the kernel
            try:
                self._accepted(listener, sock, endpoint(name)[0])
            except OSError:
                sock.close()

    def _accepted(self, listener: _Listener, sock: socket.socket, remote: bytes) -> None:
        peer = listener.peer(remote)
        too_often = peer is not None and not self._in_time(listener, peer, remote)
        self.refused += peer is None
        self.too_often += too_often
        if peer is None or too_often:
            reset_on_close(sock)
            sock.close()
            return
        prepare_accepted(sock, peer)
        number = self._next_accepted
        self._next_accepted += 2
        self._open(Stream(number, listener.number, sock, listener.device, self, self._rng))

    def _in_time(self, listener: _Listener, peer: Peer, remote: bytes) -> bool:
        # A link-local address is another's on another port.
        now, device = self._loop.time(), listener.device.encode()
        if peer.length is None:
            return self._pace.allows(remote + device, now)
        prefix = peer.address + bytes([peer.length]) + device
        return self._pace.allows(remote + device, now, known=False) and self._pace_of_prefixes.allows(prefix, now)

    def _open(self, stream: Stream) -> None:
        self.streams[stream.number] = stream
        self._events.stream_opened(stream)
        stream.start()

    # --- connecting ---------------------------------------------------------------------------------------------------

    def connect(
        self, number: int, remote: bytes, port: int, *, local: bytes, device: str, ttl: int, minimum_ttl: int, md5: str,
        timeout: float, keys: tuple[AoKey, ...] = (),
    ) -> None:  # fmt: skip
        self.close(number, reset=True)  # a controller that starts again may use a number again
        try:
            sock = connect(
                remote, port, local=local, device=device, ttl=ttl, minimum_ttl=minimum_ttl, md5=md5, keys=keys
            )  # fmt: skip
        except OSError as error:
            self._events.stream_refused(number, error.strerror or str(error), error.errno or errno.EIO)
            return
        timer = self._loop.call_later(timeout, self._connect_timed_out, number, text_of(remote), timeout)
        self._connecting[number] = _Connecting(sock, device, timer)
        self._loop.add_writer(sock, self._connected, number)

    def _connect_timed_out(self, number: int, remote: str, timeout: float) -> None:
        self._abandon(number)
        self._events.stream_refused(number, f"no answer from {remote} within {timeout:g} s", errno.ETIMEDOUT)

    def _abandon(self, number: int) -> None:
        attempt = self._connecting.pop(number, None)
        if attempt is not None:
            attempt.timer.cancel()
            self._loop.remove_writer(attempt.sock)
            attempt.sock.close()

    def _connected(self, number: int) -> None:
        attempt = self._connecting.pop(number)
        attempt.timer.cancel()
        self._loop.remove_writer(attempt.sock)
        code = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            if code:
                raise OSError(code, os.strerror(code))
            stream = Stream(number, 0, attempt.sock, attempt.device, self, self._rng)
        except OSError as error:
            attempt.sock.close()
            self._events.stream_refused(number, error.strerror or str(error), error.errno or errno.EIO)
            return
        self._open(stream)

    # --- streams ------------------------------------------------------------------------------------------------------

    def close(self, number: int, reset: bool) -> None:
        self._abandon(number)
        stream = self.streams.pop(number, None)
        if stream is not None:
            stream.close(reset)

    def stream_data(self, stream: Stream, data: bytes, age: float) -> None:
        self._events.stream_data(stream, data, age)

    def stream_credit(self, stream: Stream, amount: int) -> None:
        self._events.stream_credit(stream, amount)

    def stream_closed(self, stream: Stream, reason: str, code: int) -> None:
        if self.streams.get(stream.number) is stream:
            del self.streams[stream.number]
        self._events.stream_closed(stream, reason, code)
