"""The byte-moving speaker (``speaker``) as a lab object: feed a table, record what comes, ask how far it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.lab.attributes import Attributes, Route
from tests.lab.lab import PROJECT, Namespace
from tests.lab.process import Process
from tests.lab.updates import Replay
from tests.lab.waiting import wait_for


class Feeder:
    """One BGP session of a box towards ``peer``. Without a blob it is a sink."""

    def __init__(
        self,
        box: Namespace,
        name: str,
        *,
        peer: str,
        local: str,
        asn: int,
        router_id: str,
        blob: bytes = b"",
        families: tuple[int, ...] = (1, 2),
        record: bool = True,
        listen: bool = False,
        hold: int = 90,
        port: int = 179,
    ) -> None:
        self.box = box
        self.name = name
        self._report = box.directory / f"{name}.report.json"
        self._record = box.directory / f"{name}.received"
        self._sent = 0
        argv = [
            sys.executable,
            "-m",
            "tests.lab.speaker",
            "--peer",
            peer,
            "--local",
            local,
            "--asn",
            str(asn),
            "--router-id",
            router_id,
            "--families",
            ",".join(map(str, families)),
            "--hold",
            str(hold),
            "--port",
            str(port),
            "--report",
            str(self._report),
        ]
        if blob:
            argv += ["--blob", str(self._keep(blob))]
        if record:
            argv += ["--record", str(self._record)]
        if listen:
            argv.append("--listen")
        self.process: Process = box.start(name, argv, cwd=PROJECT, stdin=True)

    def _keep(self, blob: bytes) -> Path:
        path = self.box.directory / f"{self.name}.{self._sent}.blob"
        path.write_bytes(blob)
        self._sent += 1
        return path

    def report(self) -> dict[str, Any]:
        return dict(json.loads(self._report.read_text()))

    def wait_established(self, timeout: float = 30.0) -> None:
        wait_for(
            f"{self.process.name} established", self.report, lambda r: r["state"] == "established", timeout=timeout
        )

    def send(self, blob: bytes) -> None:
        """Queue whole messages behind what is being sent."""
        self.process.write_line(f"send {self._keep(blob)}")

    def wait_sent(self, timeout: float = 120.0) -> dict[str, Any]:
        """Until everything given so far has been taken by TCP."""
        return wait_for(
            f"{self.process.name} to send all",
            self.report,
            lambda r: r.get("sent_files", 0) >= self._sent,
            timeout=timeout,
        )

    def wait_end_of_rib(self, count: int = 1, timeout: float = 120.0) -> dict[str, Any]:
        return wait_for(
            f"{self.process.name} to receive End-of-RIB",
            self.report,
            lambda r: r["end_of_rib"] >= count,
            timeout=timeout,
        )

    def refresh(self) -> None:
        self.process.write_line("refresh")

    def quit(self) -> None:
        """CEASE and leave."""
        self.process.write_line("quit")
        self.process.wait(10)

    def recorded(self) -> bytes:
        """Every byte received since the session was up."""
        return self._record.read_bytes()

    def table(self) -> dict[str, Attributes]:
        """What the peer has announced and not withdrawn, decoded from the recording."""
        return Replay().feed(self.recorded()).routes

    def routes(self) -> set[Route]:
        return set(self.table().items())
