"""What this process may still do as root (capabilities(7)): given up for good once it has begun.

Capabilities belong to threads, and a new thread has those of its maker: so this comes before the first thread, and what
needs more comes before this.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final


class Capability(IntEnum):
    """Of linux/capability.h, those that anything of ours needs."""

    CHOWN = 0
    SETPCAP = 8
    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13
    SYS_ADMIN = 21


AGENT: Final = frozenset({Capability.NET_ADMIN, Capability.NET_RAW, Capability.NET_BIND_SERVICE})
"""Routes, addresses and keys of TCP; packet and ICMPv6 sockets; port 179."""
AGENT_AT_START: Final = AGENT | {Capability.SYS_ADMIN, Capability.SETPCAP}
"""To try the kernel out in a network namespace made for that, and to give up what it needs no longer."""
CONTROLLER: Final = frozenset({Capability.CHOWN, Capability.NET_BIND_SERVICE})
"""For its sockets: the group of the control socket, a port below 1024 for agents."""

_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_VERSION_3: Final = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def keep(kept: Iterable[Capability], children: Iterable[Capability] = ()) -> None:
    """Everything else goes: effective, permitted, inheritable, ambient, and from the bounding set, so that no program
    started later has it either. ``children``: what programs started by root from here may have all the same; without
    any, none may have more than this process (no_new_privs). Raises OSError; nothing that is not there is missed."""
    bounding = {*kept, *children}
    number = 0
    while (there := _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)) >= 0:
        if there and number not in bounding:
            # Without SETPCAP this is refused; under no_new_privs what stays in the set is of no use
            _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
        number += 1
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    mask = sum(1 << capability for capability in set(kept))
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    if _libc.capget(header, data):
        raise _failed("capget")
    effective, permitted, _, *_high = struct.unpack("=6I", data.raw)
    data.raw = struct.pack("=6I", effective & mask, permitted & mask, 0, 0, 0, 0)
    if _libc.capset(header, data):
        raise _failed("capset")
    if not set(children) - set(kept) and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise _failed("PR_SET_NO_NEW_PRIVS")


def _failed(call: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{call}: {os.strerror(code)}")
