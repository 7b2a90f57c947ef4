"""Python 3.11.2, that of Debian 12: a TLS stream closed twice could not be aborted, and the agent dialled no more."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from fibd.wire import Role
from routingd.agent.connection import Connection
from tests.lab.certificates import Authority


def test_a_tls_connection_may_be_ended_closed_and_aborted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("ncc", "IP:127.0.0.1")

    async def read_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    async def test() -> None:
        here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        here.load_cert_chain(own.certificate, own.key)
        there = ssl.create_default_context(cafile=str(authority.certificate))
        server = await asyncio.start_server(read_on, "127.0.0.1", 0, ssl=here)
        port = server.sockets[0].getsockname()[1]
        connection = Connection(Role.CONTROL, *await asyncio.open_connection("127.0.0.1", port, ssl=there))
        connection.end()
        await connection.close()
        connection.abort()
        assert await connection.run(lambda message: None) == "closed by this agent"
        server.close()

    asyncio.run(asyncio.wait_for(test(), 10))
