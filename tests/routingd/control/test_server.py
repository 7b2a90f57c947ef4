"""The control socket: pages, errors, and clients that mean no good or no longer read."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from routingd.control.client import Client, DaemonUnreachable
from routingd.control.protocol import MAX_REQUEST, CommandFailed
from routingd.control.server import Arguments, ControlServer, Handler
from tests.lab.waiting import wait_for
from tests.routingd.cli.fake_daemon import always, serving


async def echo(args: Arguments) -> object:
    return dict(args)


async def count(args: Arguments) -> AsyncIterator[object]:
    for number in range(int(args["to"])):
        yield {"number": number}


async def fail_late(args: Arguments) -> AsyncIterator[object]:
    yield {"number": 0}
    yield {"number": 1}
    raise CommandFailed("not-found", "gone in the middle", "ask again")


async def break_down(args: Arguments) -> object:
    raise OSError("the disk, not the client")


class Flood:
    """Pages without end, and whether somebody closed the stream of them."""

    def __init__(self) -> None:
        self.pages = 0
        self.closed = threading.Event()

    async def __call__(self, args: Arguments) -> AsyncIterator[object]:
        try:
            while True:
                self.pages += 1
                yield {"text": "x" * 65536}
        finally:
            self.closed.set()


def handlers(flood: Flood | None = None) -> dict[tuple[str, ...], Handler]:
    known: dict[tuple[str, ...], Handler] = {
        ("echo",): echo,
        ("count",): count,
        ("fail", "late"): fail_late,
        ("break",): break_down,
        ("bytes",): always(b"not JSON"),
    }
    if flood is not None:
        known[("flood",)] = flood.__call__
    return known


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    with serving(path, handlers()) as running:
        yield running


def raw(path: Path, data: bytes) -> list[dict[str, Any]]:
    """Replies to these bytes until the server closes or has answered one line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(data)
        with connection.makefile("rb") as stream:
            line = stream.readline()
    return [json.loads(line)] if line else []


def test_a_request_is_answered_with_its_id_and_result(server: ControlServer, path: Path) -> None:
    request = {"id": 77, "command": ["echo"], "args": {"a": "ü", "n": 1}}
    assert raw(path, json.dumps(request).encode() + b"\n") == [
        {"id": 77, "ok": True, "result": {"a": "ü", "n": 1}, "more": False}
    ]


def test_the_socket_is_for_owner_and_group_only(server: ControlServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert [p.name for p in path.parent.iterdir()] == ["control.sock"]


def test_pages_come_in_order_and_only_the_last_has_no_more(server: ControlServer, path: Path) -> None:
    with Client(path) as client:
        assert [page["number"] for page in client.pages("count", args={"to": 300})] == list(range(300))
        assert list(client.pages("count", args={"to": 0})) == [None]
        assert client.ask("echo", args={"still": "here"}) == {"still": "here"}


def test_an_error_may_end_a_stream_of_pages(server: ControlServer, path: Path) -> None:
    with Client(path) as client:
        pages = client.pages("fail", "late")
        assert next(pages) == {"number": 0}
        with pytest.raises(CommandFailed, match="gone in the middle") as caught:
            list(pages)
        assert (caught.value.code, caught.value.hint) == ("not-found", "ask again")
        assert client.ask("echo") == {}


@pytest.mark.parametrize(("command", "text"), [("break", "OSError: the disk"), ("bytes", "TypeError")])
def test_a_handler_that_breaks_ends_only_its_answer(server: ControlServer, path: Path, command: str, text: str) -> None:
    with Client(path) as client:
        with pytest.raises(CommandFailed, match=text) as caught:
            client.ask(command)
        assert caught.value.code == "internal"
        assert client.ask("echo") == {}


def test_an_unknown_command_is_said_to_be_unknown(server: ControlServer, path: Path) -> None:
    with Client(path) as client, pytest.raises(CommandFailed, match="has no command 'dance wildly'") as caught:
        client.ask("dance", "wildly")
    assert caught.value.code == "unknown-command"


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff\xfe",
        b"hello",
        b"[]",
        b"null",
        b'{"id": 1}',
        b'{"id": true, "command": ["echo"]}',
        b'{"id": -1, "command": ["echo"]}',
        b'{"id": 1, "command": "echo"}',
        b'{"id": 1, "command": []}',
        b'{"id": 1, "command": [1]}',
        b'{"id": 1, "command": ["echo"], "args": []}',
        b'{"id": 1, "command": ["echo"], "args": {"a": {"b": 1}}}',
        b"[" * 60_000,
        b'{"id":' + b"9" * 5000 + b', "command": ["echo"]}',
    ],
)
def test_what_is_no_request_is_answered_once_and_closed(server: ControlServer, path: Path, line: bytes) -> None:
    (reply,) = raw(path, line + b"\n")
    assert (reply["ok"], reply["error"]["code"]) == (False, "protocol")
    with Client(path) as client:
        assert client.ask("echo") == {}


def test_a_request_without_end_is_cut_off(server: ControlServer, path: Path) -> None:
    (reply,) = raw(path, b" " * (MAX_REQUEST + 1))
    assert reply["error"]["message"] == f"a request is at most {MAX_REQUEST} bytes"


def test_a_client_that_goes_in_the_middle_of_pages_ends_their_making(path: Path) -> None:
    flood = Flood()
    with serving(path, handlers(flood)):
        client = Client(path)
        pages = client.pages("flood")
        next(pages)
        client.close()
        assert flood.closed.wait(20)


def test_a_client_that_reads_nothing_is_closed_and_costs_a_bounded_number_of_pages(path: Path) -> None:
    flood = Flood()
    with serving(path, handlers(flood), stalled=0.2), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b'{"id": 1, "command": ["flood"]}\n')
        assert flood.closed.wait(20)
        assert flood.pages < 200


class Happening:
    """A live answer: one page a number that is put in, and whether somebody closed it."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.closed = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, args: Arguments) -> AsyncIterator[object]:
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self.waiting.set()
                yield {"number": await self._numbers.get()}
        finally:
            self.closed.set()

    def put(self, number: int) -> None:
        assert self.waiting.wait(20)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._numbers.put_nowait, number)


LIVE = frozenset({("happening",)})


def test_each_page_of_a_live_answer_is_sent_when_it_is_there(path: Path) -> None:
    happening = Happening()
    with serving(path, {("happening",): happening.__call__}, LIVE), Client(path) as client:
        pages = client.pages("happening", live=True)
        for number in range(3):
            page = threading.Thread(target=happening.put, args=(number,))
            page.start()
            assert next(pages) == {"number": number}
            page.join(20)


@pytest.mark.parametrize("last_words", [b"", b'{"id": 2, "command": ["echo"]}\n'])
def test_a_live_answer_ends_with_its_client_though_nothing_happens(path: Path, last_words: bytes) -> None:
    happening = Happening()
    with serving(path, {("happening",): happening.__call__}, LIVE), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(b'{"id": 1, "command": ["happening"]}\n')
        assert happening.waiting.wait(20)
        if last_words:
            connection.sendall(last_words)
            assert connection.recv(1) == b""
        else:
            connection.close()
        assert happening.closed.wait(20)


def test_a_live_client_that_reads_nothing_is_closed(path: Path) -> None:
    flood = Flood()
    with serving(path, {("flood",): flood.__call__}, frozenset({("flood",)}), stalled=0.2):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b'{"id": 1, "command": ["flood"]}\n')
            assert flood.closed.wait(20)
        assert flood.pages < 200


def test_an_error_ends_a_live_answer(path: Path) -> None:
    with serving(path, {("fail", "late"): fail_late}, frozenset({("fail", "late")})), Client(path) as client:
        pages = client.pages("fail", "late", live=True)
        assert [next(pages), next(pages)] == [{"number": 0}, {"number": 1}]
        with pytest.raises(CommandFailed, match="gone in the middle"):
            next(pages)


def test_a_live_answer_does_not_hold_up_the_end(path: Path) -> None:
    happening = Happening()
    with socket.socket(socket.AF_UNIX) as connection, serving(path, {("happening",): happening.__call__}, LIVE):
        connection.connect(str(path))
        connection.sendall(b'{"id": 1, "command": ["happening"]}\n')
        assert happening.waiting.wait(20)
    assert happening.closed.is_set()


def test_a_client_that_says_nothing_is_closed(path: Path) -> None:
    with serving(path, handlers(), idle=0.1), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        assert connection.recv(1) == b""


def test_one_client_too_many_is_told_so(path: Path) -> None:
    happening = Happening()
    with serving(path, {("happening",): happening.__call__, ("echo",): echo}, LIVE, max_clients=1) as server:
        watching = socket.socket(socket.AF_UNIX)
        watching.connect(str(path))
        watching.sendall(b'{"id": 1, "command": ["happening"]}\n')
        assert happening.waiting.wait(20)
        with Client(path) as second, pytest.raises(CommandFailed, match="1 clients are connected already") as caught:
            second.ask("echo")
        assert caught.value.code == "busy"
        watching.close()

        def answered() -> bool:
            try:
                with Client(path) as third:
                    return bool(third.ask("echo") == {})
            except CommandFailed:
                return False

        wait_for("a free place", answered, timeout=20)
        assert server.refused["crowded"] >= 1


def test_a_crowd_that_asks_nothing_makes_room_for_who_does(path: Path) -> None:
    with serving(path, handlers(), max_clients=2) as server:
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(6)]
        for silent in crowd:
            silent.settimeout(20)
            silent.connect(str(path))
        with Client(path) as client:
            assert client.ask("echo") == {}
        assert crowd[0].recv(1) == b"", "the longest silent one was closed"
        assert server.refused["crowded"] >= 4
        for silent in crowd:
            silent.close()


def test_a_socket_left_by_a_killed_daemon_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(DaemonUnreachable, match="left its control socket"):
        Client(path)
    with serving(path, handlers()), Client(path) as client:
        assert client.ask("echo") == {}


def test_a_second_daemon_is_refused_and_the_first_goes_on(server: ControlServer, path: Path) -> None:
    with pytest.raises(OSError, match="another routingd answers"), serving(path, handlers()):
        pass
    with Client(path) as client:
        assert client.ask("echo") == {}


def test_closing_removes_the_socket_but_not_a_successors(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with serving(path, handlers()):
        pass
    assert not path.exists()
    with serving(path, handlers()):
        path.unlink()
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"


def test_a_group_that_does_not_exist_is_said(path: Path) -> None:
    with pytest.raises(OSError, match="there is no group 'no-such-group'"), serving(path, group="no-such-group"):
        pass
    assert list(path.parent.iterdir()) == []


def test_the_client_says_what_to_do_when_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match=r"routingd is not running: there is no control socket .* --run-dir"):
        Client(tmp_path / "control.sock")
    with pytest.raises(DaemonUnreachable, match="too long for a socket"):
        Client(tmp_path / ("x" * 120))


def test_the_client_does_not_wait_for_ever(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with Client(path, timeout=0.1) as client, pytest.raises(DaemonUnreachable, match="does not answer"):
            client.ask("echo")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"SSH-2.0-OpenSSH\n", "does not speak routingd's protocol"),
        (b'{"id": 9, "ok": true}\n', "answered another question"),
        (b"", "closed the connection before it had answered"),
    ],
)
def test_the_client_notices_that_something_else_answers(path: Path, answer: bytes, text: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Client(path, timeout=10) as client, pytest.raises(DaemonUnreachable, match=text):
            client.ask("echo")
        thread.join(10)
