"""Agents of other hosts: mutual TLS 1.3, and a certificate speaks for one NCP only."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fibd.wire import Decoder, Error, Hello, Message, Role, Welcome, encode
from native import Engine
from routingd.boxes import Box, Boxes
from routingd.controller import Controller, RouterPlan, Secrets
from routingd.doors import TlsListen
from tests.lab.certificates import Authority, Certificate
from tests.routingd.fake_agent import until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


class Endpoint:
    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory / "tls")
        self.own = self.authority.issue("ncc", "IP:127.0.0.1")
        self.directory = directory
        self.port = 0
        self.serial = ""
        """Of the controller's certificate, as last seen."""

    async def start(self) -> Controller:
        boxes = Boxes(
            [Box("ncp1", embedded=True), Box("ncp2", certificate="ncp2.lab"), Box("ncp3", certificate="ncp3.lab")]
        )
        listen = TlsListen("127.0.0.1", 0, self.own.certificate, self.own.key, self.authority.certificate)
        engine = Engine(router_id=bytes([10, 0, 0, 1]), asn=65001, digest_key=b"k" * 16)
        plan = RouterPlan("r1", bytes([10, 0, 0, 1]), 65001, boxes, listen=listen)
        controller = Controller(plan, engine, Secrets(1, b"s" * 16, b"k" * 16), lambda error: None)
        await controller.start(self.directory)
        self.port = controller.agents.tls_port
        return controller

    async def hello(
        self, ncp: str, certificate: Certificate | None, ca: Path | None = None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, name: str = "127.0.0.1",
    ) -> list[Message]:  # fmt: skip
        """What the controller answers to an agent with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = version
        context.load_verify_locations(ca or self.authority.certificate)
        if certificate is not None:
            context.load_cert_chain(certificate.certificate, certificate.key)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name)
        try:
            assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
            self.serial = writer.get_extra_info("peercert")["serialNumber"]
            writer.write(encode(Hello(Role.CONTROL, ncp, b"b" * 16)))
            decoder = Decoder()
            while data := await reader.read(65536):
                if messages := [message for message, _, _ in decoder.feed(data)]:
                    return messages
            return []
        finally:
            writer.close()

    async def nothing(self, *arguments: Any, **options: Any) -> str:
        """No answer comes, not even a refusal; what TLS said of it."""
        try:
            assert await self.hello(*arguments, **options) == []
        except (ssl.SSLError, ConnectionError) as error:
            return str(error)
        return "closed"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_a_certificate_opens_the_door_for_its_own_ncp_only(tmp_path: Path) -> None:
    async def test() -> None:
        endpoint = Endpoint(tmp_path)
        controller = await endpoint.start()
        certificate = endpoint.authority.issue("ncp2.lab")
        assert isinstance((await endpoint.hello("ncp2", certificate))[0], Welcome)
        for other in ("ncp3", "ncp1"):
            (refusal,) = await endpoint.hello(other, certificate)
            assert isinstance(refusal, Error)
            assert refusal.code == "name"
            assert "certificate" in refusal.text
        await controller.stop("test over")

    run(test)


def test_without_a_certificate_with_one_of_another_authority_or_an_expired_one_nothing_is_answered(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        endpoint = Endpoint(tmp_path)
        controller = await endpoint.start()
        stranger = Authority(tmp_path / "other").issue("ncp2.lab")
        expired = endpoint.authority.issue("ncp2.lab", days=-1)
        for number, certificate in enumerate((None, stranger, expired), start=1):
            await endpoint.nothing("ncp2", certificate)
            await until(lambda number=number: controller.agents.doors.turned_away["handshake"] == number, "it counted")  # type: ignore[misc]
        assert controller.agents.of("ncp2") == []
        assert isinstance((await endpoint.hello("ncp2", endpoint.authority.issue("ncp2.lab")))[0], Welcome)
        await controller.stop("test over")

    run(test)


def test_tls_1_2_is_not_spoken(tmp_path: Path) -> None:
    async def test() -> None:
        endpoint = Endpoint(tmp_path)
        controller = await endpoint.start()
        certificate = endpoint.authority.issue("ncp2.lab")
        await endpoint.nothing("ncp2", certificate, version=ssl.TLSVersion.TLSv1_2)
        await until(lambda: controller.agents.doors.turned_away["handshake"] == 1, "it counted")
        assert isinstance((await endpoint.hello("ncp2", certificate))[0], Welcome)
        await controller.stop("test over")

    run(test)


def test_an_agent_leaves_a_controller_whose_certificate_is_another_s(tmp_path: Path) -> None:
    async def test() -> None:
        endpoint = Endpoint(tmp_path)
        controller = await endpoint.start()
        certificate = endpoint.authority.issue("ncp2.lab")
        assert "IP address mismatch" in await endpoint.nothing("ncp2", certificate, name="192.0.2.1")
        other = Authority(tmp_path / "other").certificate
        assert "certificate verify failed" in await endpoint.nothing("ncp2", certificate, ca=other)
        await controller.stop("test over")

    run(test)


def test_renewed_certificates_are_used_without_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        endpoint = Endpoint(tmp_path)
        controller = await endpoint.start()
        assert isinstance((await endpoint.hello("ncp2", endpoint.authority.issue("ncp2.lab")))[0], Welcome)
        first = endpoint.serial
        key = endpoint.own.key.read_bytes()
        endpoint.own.key.write_bytes(b"half of a ne")
        assert isinstance((await endpoint.hello("ncp2", endpoint.authority.issue("ncp2.lab")))[0], Welcome)
        assert endpoint.serial == first, "as long as the new one is not whole, the old one serves"
        endpoint.own.key.write_bytes(key)
        endpoint.authority.issue("ncc", "IP:127.0.0.1")
        assert isinstance((await endpoint.hello("ncp2", endpoint.authority.issue("ncp2.lab")))[0], Welcome)
        assert endpoint.serial != first
        await controller.stop("test over")

    run(test)
