"""A place where agents dial, with a controller behind it that can be another from one connection to the next: what a
load balancer or an address that moves is to them. Connections that are open stay with whom they reached."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.lab.lab import Namespace

CLONE_NEWNET = 0x40000000


def in_namespace(box: Namespace, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket stays in the namespace it was made in; the thread that makes it moves there."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def move() -> None:
        try:
            with Path(f"/run/netns/{box.kernel_name}").open() as target:
                if ctypes.CDLL(None, use_errno=True).setns(target.fileno(), CLONE_NEWNET):
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code))
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


class Relay:
    def __init__(self, box: Namespace, address: tuple[str, int], target: tuple[str, int]) -> None:
        self.target = target
        self.cuts: list[int] = []
        """Octets towards an agent behind which its connection ends: the first for whoever comes so far first."""
        self._box = box
        self._listener = in_namespace(box, lambda: socket.create_server(address))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                target = self.target
                far = in_namespace(self._box, lambda target=target: socket.create_connection(target, timeout=5))  # type: ignore[misc]
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for one, other, cuts in ((near, far, []), (far, near, self.cuts)):
                threading.Thread(target=_pass, args=(one, other, cuts), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket, cuts: list[int]) -> None:
    passed = 0
    try:
        while octets := one.recv(65536):
            passed += len(octets)
            if cuts and passed >= cuts[0]:
                del cuts[0]
                break
            other.sendall(octets)
    except OSError:
        pass
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
