"""The netlink writer where the kernel's answers are lost: it goes on, with less at once, from an address of its own."""

from __future__ import annotations

import errno
import threading

import pytest

from kernel import routes
from kernel.netlink import NetlinkError
from kernel.routes import BATCH, Report, RouteWriter, drain


class Model:
    """Work for ``batches`` batches; one whose answers are lost is there again."""

    def __init__(self, batches: int) -> None:
        self.left = batches
        self.sizes: list[int] = []
        self.reached = 0

    def next_batch(self, max_bytes: int = BATCH, position: int = 0) -> tuple[bytes, int, int] | None:
        if not self.left:
            return None
        self.sizes.append(max_bytes)
        return b"batch", 1, 3

    def batch_done(self, replies: bytes) -> list[routes.Failure]:
        self.left -= bool(replies)
        self.reached = 8 - self.left
        return []


class Socket:
    losses = 0
    made: list[int]

    def __init__(self, portid: int = 0) -> None:
        self.made.append(portid)
        self.portid = 4711
        self.broken = False

    def exchange(self, batch: bytes, last: int) -> bytes:
        if Socket.losses:
            Socket.losses -= 1
            self.broken = True
            raise NetlinkError(errno.ENOBUFS, "the kernel dropped replies")
        return b"done"

    def close(self) -> None:
        pass


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> type[Socket]:
    Socket.made = []
    monkeypatch.setattr(routes, "RouteSocket", Socket)
    return Socket


def run(model: Model) -> list[Report]:
    reports: list[Report] = []
    drained = threading.Event()

    def take(report: Report) -> None:
        reports.append(report)
        if report.drained:
            drained.set()

    writer = RouteWriter(model, lambda: 7, take)
    writer.start()
    writer.kick()
    assert drained.wait(10)
    writer.stop()
    assert not writer.is_alive()
    return reports


def test_lost_answers_are_told_and_the_batch_is_written_again_in_smaller_ones(sockets: type[Socket]) -> None:
    sockets.losses = 2
    model = Model(2)
    reports = run(model)
    assert [bool(report.error) for report in reports] == [True, True, False, False, False]
    assert model.sizes == [BATCH, BATCH // 4, BATCH // 16, BATCH]
    assert not any(report.drained for report in reports[:-1])
    assert sockets.made == [0, 4711, 4711], "its echoes are known by this address"


def test_where_nothing_is_lost_one_socket_does(sockets: type[Socket]) -> None:
    reports = run(Model(3))
    assert [report.messages for report in reports] == [3, 3, 3, 0]
    assert [report.installed for report in reports] == [6, 7, 8, 7], "what the model says, and all when it is empty"
    assert sockets.made == [0]


def test_an_emptying_goes_on_where_answers_are_lost_and_not_without_end(sockets: type[Socket]) -> None:
    sockets.losses = 2
    model = Model(3)
    assert drain(model, 4711) == []
    assert (model.left, sockets.made) == (0, [4711] * 3)
    sockets.losses = 6
    with pytest.raises(NetlinkError):
        drain(Model(1), 0)
    assert sockets.losses == 0
