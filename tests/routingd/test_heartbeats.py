"""Who is silent, and whose words only wait to be read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fibd.membership import Membership
from fibd.wire import Error, Heartbeat, Hello, Message, Role, Welcome, encode
from routingd.agents import AgentConnection, AgentServer
from routingd.doors import TlsListen
from tests.lab.certificates import Authority
from tests.routingd.fake_agent import until

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[AgentServer, Path], Awaitable[Pair]]


class Busy:
    """An ``AgentHandler`` that has no room for more until it is told so."""

    def __init__(self) -> None:
        self.room = asyncio.Event()
        self.up: list[AgentConnection] = []
        self.down: list[str] = []

    def agent_up(self, connection: AgentConnection, hello: Hello, now: float) -> None:
        self.up.append(connection)

    def agent_message(self, connection: AgentConnection, message: Message, now: float) -> None: ...

    def agent_down(self, connection: AgentConnection, reason: str, now: float) -> None:
        self.down.append(reason)

    def agent_refused(self, hello: Hello, error: Error, origin: str) -> None: ...

    def agent_left(self, connection: AgentConnection, error: Error) -> None: ...

    @property
    def agent_full(self) -> bool:
        return not self.room.is_set()

    async def agent_room(self) -> bool:
        return await self.room.wait()


async def dial_unix(server: AgentServer, directory: Path) -> Pair:
    server.listen_unix(directory / "sock")
    return await asyncio.open_unix_connection(directory / "sock")


async def dial_tls(server: AgentServer, directory: Path) -> Pair:
    authority = Authority(directory / "tls")
    ours, theirs = authority.issue("ncc", "IP:127.0.0.1"), authority.issue("ncp1.lab")
    server.listen_tls(TlsListen("127.0.0.1", 0, ours.certificate, ours.key, authority.certificate))
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(theirs.certificate, theirs.key)
    return await asyncio.open_connection("127.0.0.1", server.tls_port, ssl=context)


@pytest.mark.parametrize("dial", [dial_unix, dial_tls])
def test_an_agent_whose_heartbeats_wait_for_the_engine_is_not_silent(dial: Dial, tmp_path: Path) -> None:
    async def test() -> None:
        busy = Busy()
        member = Membership(["ncp1"], Welcome(1, 1, b"s", bytes(16)))
        server = AgentServer(member, {"ncp1": "ncp1.lab"}, busy, heartbeat=0.05)
        _reader, writer = await dial(server, tmp_path)
        writer.write(encode(Hello(Role.CONTROL, "ncp1", bytes(16))))
        await until(lambda: busy.up, "it is welcome")
        told = 0
        clock = asyncio.get_running_loop().time
        while clock() - busy.up[0].heard_at < 0.5 and not busy.down:
            told += 1
            writer.write(encode(Heartbeat(told)))
            await asyncio.sleep(0.01)
        assert busy.down == []
        busy.room.set()
        await until(lambda: busy.up[0].heartbeat == Heartbeat(told), "all of them were read")
        await until(lambda: busy.down, "it says nothing more")
        assert busy.down[0].startswith("silent for")
        writer.close()
        await server.stop()

    asyncio.run(test())
