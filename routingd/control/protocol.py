"""The lines on the control socket: one JSON object a line, requests one way, replies the other. No I/O.

Request: {"id": n, "command": ["show", "bgp", "summary"], "args": {…}}. Reply: {"id": n, "ok": true, "result": …,
"more": false} or {"id": n, "ok": false, "error": {"code", "message", "hint"}, "more": false}. Large answers come as
several replies with the same id; "more" is true on all but the last. An error may end such a stream. Requests on one
connection are answered in order.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from routingd.control.shapes import Failure, Reply, Request

MAX_REQUEST: Final = 64 * 1024
MAX_REPLY: Final = 64 * 1024 * 1024
MAX_WORDS: Final = 16
PAGE_ROWS: Final = 256
"""Rows in a page of a large answer: writing one as JSON must not hold the event loop for more than some
milliseconds."""
SOCKET_NAME: Final = "control.sock"
UNIX_PATH_MAX: Final = 107
"""Bytes of a unix socket's path that Linux takes (sun_path, without the final zero)."""


class ProtocolError(Exception):
    """What came is not a request or reply of this protocol."""


class CommandFailed(Exception):
    """A command's answer is an error: raised by handlers in the daemon, and by the client."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def socket_path(run_dir: Path, name: str = SOCKET_NAME) -> Path:
    """`name` may be absolute. Raises OSError where the kernel would not take it."""
    path = run_dir / name
    if len(str(path).encode()) > UNIX_PATH_MAX:
        raise OSError(
            errno.ENAMETOOLONG,
            f"the path of the control socket is too long ({path}): "
            f"at most {UNIX_PATH_MAX} bytes, use a shorter run directory",
        )
    return path


def encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises ProtocolError with what is wrong."""
    message = _object(line)
    number, command, args = message.get("id"), message.get("command"), message.get("args", {})
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 53:
        raise ProtocolError("id must be a number")
    if (
        not isinstance(command, list)
        or not 0 < len(command) <= MAX_WORDS
        or not all(isinstance(w, str) for w in command)
    ):
        raise ProtocolError("command must be a list of words")
    if not isinstance(args, dict):
        raise ProtocolError("args must be an object")
    for name, value in args.items():
        if value is not None and not isinstance(value, (str, int, float)):
            raise ProtocolError(f"args.{name[:40]} must be text, a number, true, false or null")
    return Request(id=number, command=command, args=args)


def decode_reply(line: bytes) -> Reply:
    """Raises ProtocolError with what is wrong."""
    message = _object(line)
    if not isinstance(message.get("id"), int) or not isinstance(message.get("ok"), bool):
        raise ProtocolError("id or ok is missing")
    if not message["ok"]:
        error = message.get("error")
        if (
            not isinstance(error, dict)
            or not isinstance(error.get("code"), str)
            or not isinstance(error.get("message"), str)
        ):
            raise ProtocolError("error is missing")
    message["more"] = message.get("more") is True
    return cast(Reply, message)


def success(number: int, result: object, more: bool = False) -> bytes:
    return encode({"id": number, "ok": True, "result": result, "more": more})


def failure(number: int, failed: CommandFailed) -> bytes:
    error = cast(Failure, {"code": failed.code, "message": failed.message})
    if failed.hint:
        error["hint"] = failed.hint
    return encode({"id": number, "ok": False, "error": error, "more": False})


def _object(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        # RecursionError: 60,000 opening brackets fit in a request
        raise ProtocolError("this is not a line of JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("a message is a JSON object")
    return message
