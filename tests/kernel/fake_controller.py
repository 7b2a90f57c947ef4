"""A controller for one ncpd under test: answers its three connections, remembers what it said, sends what the test
says."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fibd import wire
from fibd.messages import LOOK
from tests.lab.lab import Namespace
from tests.lab.waiting import wait_for

T = TypeVar("T", bound=wire.Message)
CLONE_NEWNET = 0x40000000


def in_namespace(box: Namespace, make: Callable[[], Any]) -> Any:
    """Run in a thread that has moved into a namespace. A socket made there stays there."""
    result: list[Any] = []

    def move() -> None:
        with Path(f"/run/netns/{box.kernel_name}").open() as target:
            if ctypes.CDLL(None, use_errno=True).setns(target.fileno(), CLONE_NEWNET):
                result.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            result.append(make())
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


class FakeController:
    """Listens at once. ``election_id`` and ``stream_id`` may be changed between connections."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext | None = None) -> None:
        self.election_id = 1
        self.stream_id = b"s"
        self.heartbeat = 0.2
        self.grace, self.isolate = 600.0, False
        self.beating = True
        self.refuse: wire.Error | None = None
        self.digest_key = bytes(range(16))
        self.received: list[tuple[wire.Role, wire.Message]] = []
        self.hellos: list[wire.Hello] = []
        self.sockets: dict[wire.Role, socket.socket] = {}
        self._context = context
        self._listener = listener
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    @classmethod
    def unix(cls, path: Path) -> FakeController:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        return cls(listener)

    def close(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for role in list(self.sockets):
            self.drop(role)

    def drop(self, role: wire.Role) -> None:
        with contextlib.suppress(OSError, KeyError):
            self.sockets[role].shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while self._open:
            try:
                sock, _ = self._listener.accept()
                if self._context is not None:
                    sock = self._context.wrap_socket(sock, server_side=True)
            except OSError:
                continue
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        decoder = wire.Decoder()
        role: wire.Role | None = None
        try:
            while data := sock.recv(1 << 18):
                for message, _, _ in decoder.feed(data):
                    if isinstance(message, wire.Hello):
                        self.hellos.append(message)
                        if self.refuse is not None:
                            sock.sendall(wire.encode(self.refuse))
                            return
                        welcome = wire.Welcome(
                            1,
                            self.election_id,
                            self.stream_id,
                            self.digest_key,
                            heartbeat=self.heartbeat,
                            grace=self.grace,
                            isolate=self.isolate,
                        )
                        sock.sendall(wire.encode(welcome))
                        if message.role != LOOK:
                            role = wire.Role(message.role)
                            self.sockets[role] = sock
                    elif role is not None:
                        self.received.append((role, message))
        except OSError:
            pass
        finally:
            if role is not None and self.sockets.get(role) is sock:
                del self.sockets[role]
            sock.close()

    def _beat(self) -> None:
        sequence = 0
        while self._open:
            time.sleep(self.heartbeat)
            sequence += 1
            if self.beating and wire.Role.CONTROL in self.sockets:
                with contextlib.suppress(OSError, KeyError):
                    self.send(wire.Role.CONTROL, wire.Heartbeat(sequence))

    def send(self, role: wire.Role, *messages: wire.Message) -> None:
        self.send_bytes(role, b"".join(wire.encode(message) for message in messages))

    def send_bytes(self, role: wire.Role, octets: bytes) -> None:
        self.sockets[role].sendall(octets)

    def all(self, kind: type[T]) -> list[T]:
        return [message for _, message in list(self.received) if isinstance(message, kind)]

    def wait(self, kind: type[T], accept: Callable[[T], object] = lambda message: True, *, timeout: float = 15.0) -> T:
        """The first message of a kind that fits, whether it came or is still to come."""

        def find() -> T | None:
            return next((message for message in self.all(kind) if accept(message)), None)

        found = wait_for(f"{kind.__name__} from the agent", find, timeout=timeout, every=0.01)
        assert found is not None
        return found

    def wait_connected(self, *, timeout: float = 15.0) -> None:
        wait_for("three connections", lambda: set(self.sockets), lambda roles: roles == set(wire.Role), timeout=timeout)

    def ask(self, number: int, what: str, *args: Any) -> Any:
        self.send(wire.Role.CONTROL, wire.Query(number, what, list(args)))
        answer = self.wait(wire.Answer, lambda a: a.id == number)
        assert answer.error == ""
        return answer.result


def pid_of(path: Path) -> int:
    return int(path.read_text())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
