"""Who may knock where agents dial, and what those cost who never say Hello."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fibd.wire import Decoder, Error, Hello, Role, encode
from routingd import doors
from routingd.doors import Doors, TlsListen, Visitor
from tests.routingd.fake_agent import until

HELLO = encode(Hello(Role.CONTROL, "ncp1", bytes(16)))


class House:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "ncc.sock"
        self.visitors: list[Visitor] = []
        self.doors = Doors({}, self._serve)
        self.doors.listen_unix(self.path)

    async def _serve(self, visitor: Visitor) -> None:
        self.visitors.append(visitor)
        await visitor.reader.read()

    async def knock(self, octets: bytes = b"") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(octets)
        reader.writer = writer  # type: ignore[attr-defined]  # kept open as long as the reader
        return reader


def run(tmp_path: Path, test: Callable[[House], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            house = House(tmp_path)
            await test(house)
            await house.doors.stop()

    asyncio.run(bounded())


def test_the_unix_socket_is_its_owner_s_alone(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        mode = house.path.stat()
        assert stat.S_ISSOCK(mode.st_mode)
        assert stat.S_IMODE(mode.st_mode) == 0o600
        await house.knock(HELLO)
        await until(lambda: house.visitors, "a visitor")

    run(tmp_path, test)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_is_turned_away_though_the_file_s_mode_let_it_in(tmp_path: Path) -> None:
    program = """
import os, socket
os.setuid(65534)
knocking = socket.socket(socket.AF_UNIX)
knocking.connect("ncc.sock")
assert knocking.recv(1) == b""
"""

    tmp_path.chmod(0o755)

    async def test(house: House) -> None:
        house.path.chmod(0o666)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=tmp_path)
        assert await child.wait() == 0
        assert house.doors.turned_away == {"user": 1}
        assert house.visitors == []

    run(tmp_path, test)


def test_what_is_no_hello_is_told_so_counted_and_closed(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        for octets, complaint in (
            (b"GET / HTTP/1.1\r\n\r\n", "a frame of"),
            (encode(Error("name", "x")), "Error came before Hello"),
            (b"\x00\x04\x00\x01" + bytes(60), "a frame of 262145 bytes"),
        ):
            reader = await house.knock(octets)
            ((answer, _, _),) = Decoder().feed(await reader.read())
            assert isinstance(answer, Error)
            assert complaint in answer.text
        assert house.doors.turned_away == {"garbage": 3}

    run(tmp_path, test)


def test_who_says_nothing_is_closed_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HELLO_TIMEOUT", 0.05)

    async def test(house: House) -> None:
        reader = await house.knock(b"\x00\x00")
        assert await reader.read() == b""
        assert house.doors.turned_away == {"silent": 1}

    run(tmp_path, test)


def test_among_too_many_strangers_the_oldest_goes_and_an_agent_comes_in(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        crowd = [await house.knock() for _ in range(doors.MAX_STRANGERS + 20)]
        await house.knock(HELLO)
        await until(lambda: house.visitors, "the agent")
        assert await crowd[0].read() == b""
        await until(lambda: house.doors.turned_away["crowded"] >= 20, "the oldest gone")
        assert house.doors.turned_away["crowded"] <= 21
        assert len(house.doors._strangers) <= doors.MAX_STRANGERS

    run(tmp_path, test)


def test_a_visitor_s_later_frames_may_be_large(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.knock(HELLO)
        await until(lambda: house.visitors, "a visitor")
        assert house.visitors[0].decoder.max_frame == 16 << 20

    run(tmp_path, test)


def test_a_socket_file_left_behind_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "ncc.sock"))
    left.close()

    async def test(house: House) -> None:
        await house.knock(HELLO)
        await until(lambda: house.visitors, "a visitor")

    run(tmp_path, test)


def test_a_certificate_s_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("own.pem", "own.key", "ca.pem")]
    for path in (files[0], files[2]):
        path.write_text("")

    async def test(house: House) -> None:
        with pytest.raises(FileNotFoundError, match=r"own\.key"):
            house.doors.listen_tls(TlsListen("127.0.0.1", 0, *files))

    run(tmp_path, test)
