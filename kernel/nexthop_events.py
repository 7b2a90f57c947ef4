"""What others do to nexthops, as the kernel tells it (RTNLGRP_NEXTHOP), without the echoes of our own writes.

Owns that socket. The kernel tells of each nexthop that a request deleted or replaced and of groups that shrank thereby;
it says nothing of those that go with a port's carrier, nor of routes that go with a group.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from kernel.netlink import force_receive_buffer

RECEIVE_BUFFER: Final = 8 << 20
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_RTNLGRP_NEXTHOP: Final = 32
_SO_ATTACH_FILTER: Final = 26
_READS_PER_SLICE: Final = 64
_READ: Final = 1 << 16

# Classic BPF: drop what carries the port id of our writer in nlmsg_pid, keep all else.
_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_NLMSG_PID: Final = 12
_INSTRUCTION: Final = struct.Struct("=HBBI")
_KEEP: Final = 0xFFFFFFFF


class NexthopEvents:
    """``heard`` gets whole messages; ``lost`` is called where the kernel dropped some (ENOBUFS)."""

    def __init__(
        self, heard: Callable[[bytes], None], lost: Callable[[], None], receive_buffer: int = RECEIVE_BUFFER
    ) -> None:
        self._heard = heard
        self._lost = lost
        self.overruns = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        force_receive_buffer(self._socket, receive_buffer)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _RTNLGRP_NEXTHOP)

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def ignore(self, portid: int) -> None:
        """Changes by the netlink socket with this address are ours; replaces who was ignored before."""
        (swapped,) = struct.unpack(">I", struct.pack("=I", portid))  # BPF loads big-endian, netlink is of the host
        program = b"".join(
            _INSTRUCTION.pack(*instruction)
            for instruction in (
                (_LOAD_WORD, 0, 0, _NLMSG_PID),
                (_JUMP_IF_EQUAL, 0, 1, swapped),
                (_RETURN, 0, 0, 0),
                (_RETURN, 0, 0, _KEEP),
            )
        )
        held = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)

    def catch_up(self) -> None:
        """Everything that has been told until now."""
        while self._read():
            pass

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        """Some of what waits, whether there may be more."""
        told: list[bytes] = []
        try:
            while len(told) < _READS_PER_SLICE:
                told.append(self._socket.recv(_READ))
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.overruns += 1
            self._lost()
        if told:
            self._heard(b"".join(told))
        return len(told) == _READS_PER_SLICE
