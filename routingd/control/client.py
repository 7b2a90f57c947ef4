"""Asking the daemon from a program of its own: blocking, one connection, no asyncio. Used by routingctl and by
tests."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from routingd.control.protocol import (
    MAX_REPLY,
    UNIX_PATH_MAX,
    CommandFailed,
    ProtocolError,
    decode_reply,
    encode,
)

_CHUNK: Final = 256 * 1024


class DaemonUnreachable(Exception):
    """Nobody answers on the socket, or no longer. The message says what to do."""


class Client:
    """A connection to the control socket. Raises DaemonUnreachable from every method."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self.path = path
        self._timeout = timeout
        self._buffer = bytearray()
        self._next_id = 1
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            if len(str(path).encode()) > UNIX_PATH_MAX:
                raise DaemonUnreachable(f"the path {path} is too long for a socket (at most {UNIX_PATH_MAX} bytes)")
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise DaemonUnreachable(_advice(path, error)) from None
        except DaemonUnreachable:
            self._socket.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(self, *words: str, args: Mapping[str, Any] | None = None) -> Any:
        """The answer to a command that has one page. Raises CommandFailed."""
        result: Any = None
        for page in self.pages(*words, args=args):
            result = page
        return result

    def pages(self, *words: str, args: Mapping[str, Any] | None = None, live: bool = False) -> Iterator[Any]:
        """Every page of the answer, as it arrives; of a live one, for as long as the daemon runs. Raises
        CommandFailed."""
        number = self._next_id
        self._next_id += 1
        given = {name: value for name, value in (args or {}).items() if value is not None}
        # A daemon that refuses us (busy) has closed before it read: its reason still waits to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._call(lambda: self._socket.sendall(encode({"id": number, "command": list(words), "args": given})))
        if live:
            self._socket.settimeout(None)
        more = True
        while more:
            try:
                reply = decode_reply(self._line())
            except ProtocolError as error:
                raise DaemonUnreachable(
                    f"what answers on {self.path} does not speak routingd's protocol: {error}"
                ) from None
            if not reply["ok"]:
                error_ = reply["error"]
                raise CommandFailed(error_["code"], error_["message"], error_.get("hint", ""))
            if reply["id"] != number:
                raise DaemonUnreachable(f"what answers on {self.path} answered another question (id {reply['id']})")
            more = reply["more"]
            yield reply.get("result")

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_REPLY:
                raise ProtocolError("a reply without end")
            try:
                data: bytes = self._call(lambda: self._socket.recv(_CHUNK))
            except ConnectionResetError:
                data = b""
            if not data:
                raise DaemonUnreachable(
                    "routingd closed the connection before it had answered: it may have ended, its log says why"
                )
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _call(self, action: Any) -> Any:
        try:
            return action()
        except TimeoutError:
            raise DaemonUnreachable(
                f"routingd does not answer on {self.path} (waited {self._timeout:.0f} s): is it stopped or overloaded?"
            ) from None
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError as error:
            raise DaemonUnreachable(f"the connection to routingd on {self.path} broke: {error.strerror}") from None


def _advice(path: Path, error: OSError) -> str:
    start = "Start it with `routingd --config FILE`"
    if isinstance(error, FileNotFoundError):
        other = "or, if it uses another run directory, name it with --run-dir"
        return f"routingd is not running: there is no control socket at {path}. {start}, {other}"
    if isinstance(error, ConnectionRefusedError):
        return f"routingd is not running: it left its control socket at {path} behind. {start}"
    if isinstance(error, PermissionError):
        who = "as root, or as a member of the socket's group (management.control.group)"
        return f"no permission to use {path}: run routingctl {who}"
    if isinstance(error, TimeoutError):
        return f"routingd does not accept connections on {path}: is it stopped or overloaded?"
    return f"cannot connect to {path}: {error.strerror or error}"
