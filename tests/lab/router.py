"""routingd under test: the controller in one box with its embedded agent, further agents in boxes of their own over
mutual TLS.

Owns how the programs are started and asked; what they say is read with routingctl, as a user would.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.lab.attributes import Route, assert_same, from_routingd, prefix
from tests.lab.certificates import Authority
from tests.lab.commands import LabError, run
from tests.lab.kernel import stream_objects
from tests.lab.lab import Lab, Namespace
from tests.lab.process import Process, peak_memory
from tests.lab.waiting import LabTimeoutError, wait_for

TLS_PORT = 7179
FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}


def program(name: str) -> str:
    """A console script of the environment the tests run in, before any other."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise LabError(
            f"{name} is not installed in {Path(sys.executable).parent}: run `make` to build the project first"
        )
    return found


class Agent:
    """One ncpd that is not embedded: its box, its directories, its certificate."""

    def __init__(self, router: Router, name: str, box: Namespace) -> None:
        self.router = router
        self.name = name
        self.box = box
        self.directory = box.directory / "ncpd"
        self.process: Process | None = None
        self.command = [program("ncpd")]

    def start(self) -> None:
        for name in ("run", "state"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        authority = self.router.authority
        assert authority is not None, (
            "an agent that dials in needs the router's management network: Router(management=ADDRESS)"
        )
        certificate = authority.issue(self.name)
        argv = [
            *self.command,
            "--ncp",
            self.name,
            "--controller",
            f"{self.router.management}:{TLS_PORT}",
            "--controller-name",
            "ncc",
            "--certificate",
            str(certificate.certificate),
            "--key",
            str(certificate.key),
            "--ca",
            str(authority.certificate),
            "--run-dir",
            str(self.directory / "run"),
            "--state-dir",
            str(self.directory / "state"),
        ]
        self.process = self.box.start("ncpd", argv)

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()


class Router:
    """One router. ``boxes`` is NCP name to namespace; the first is routingd's own box and its agent is embedded."""

    def __init__(
        self,
        lab: Lab,
        config: Mapping[str, Any],
        boxes: Mapping[str, Namespace],
        *,
        management: str | None = None,
        name: str = "routingd",
    ) -> None:
        self.lab = lab
        self.config: dict[str, Any] = dict(config)
        self.boxes = dict(boxes)
        self.home = next(iter(boxes.values()))
        self.management = management
        self.directory = self.home.directory / name
        self.run_dir, self.state_dir = self.directory / "run", self.directory / "state"
        for path in (self.run_dir, self.state_dir):
            path.mkdir(parents=True, exist_ok=True)
        self.process: Process | None = None
        self.authority: Authority | None = None
        self.agents = {ncp: Agent(self, ncp, box) for ncp, box in list(self.boxes.items())[1:]}
        if self.agents:
            if management is None:
                raise LabError("agents in other boxes dial in: give the router a management address")
            self.authority = Authority(self.directory / "tls")
            own = self.authority.issue("ncc", f"IP:{management}")
            self.config["listen"] = {
                "address": f"{management}:{TLS_PORT}", "certificate": str(own.certificate), "key": str(own.key),
                "ca": str(self.authority.certificate),
            }  # fmt: skip

    @property
    def config_file(self) -> Path:
        return self.directory / "router.yaml"

    def start(self, timeout: float = 30.0) -> None:
        """The controller, then the other agents; returns when all of them are connected."""
        self.start_controller(timeout)
        for agent in self.agents.values():
            agent.start()
        self.wait_ncps(timeout=timeout)

    def start_controller(self, timeout: float = 30.0, prefix: tuple[str, ...] = ()) -> None:
        self.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False))
        argv = [
            program("routingd"),
            "--config",
            str(self.config_file),
            "--run-dir",
            str(self.run_dir),
            "--state-dir",
            str(self.state_dir),
        ]
        self.process = self.home.start("routingd", [*prefix, *argv])
        wait_for("routingd to answer routingctl", self._answers, timeout=timeout)

    def _answers(self) -> bool:
        assert self.process is not None
        if not self.process.running():
            raise LabError(f"routingd ended with status {self.process.returncode}:\n{self.process.output(tail=30)}")
        return bool(self.ctl("show", "version"))

    def stop(self) -> None:
        """SIGTERM: the embedded agent goes on for a while where it has sessions for a next routingd."""
        if self.process is not None:
            self.process.stop(20)
        for agent in self.agents.values():
            agent.stop()

    def kill_controller(self) -> None:
        """SIGKILL to routingd alone: agents and kernels stay as they are."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    # --- asking ---------------------------------------------------------------------------------------------------

    def ctl_argv(self, *words: str, as_json: bool = True) -> list[str]:
        return [program("routingctl"), "--run-dir", str(self.run_dir), *(["--json"] if as_json else []), *words]

    def ctl(self, *words: str, check: bool = True, timeout: float = 120.0) -> Any:
        """A command's answer as routingctl's JSON."""
        return json.loads(run(self.ctl_argv(*words), check=check, timeout=timeout) or "null")

    def text(self, *words: str) -> str:
        """What a person would see."""
        return run(self.ctl_argv(*words, as_json=False))

    def ncps(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.ctl("show", "ncp")["ncps"]}

    @property
    def _sound(self) -> str:
        return "forwarding" if self.config.get("kernel", {}).get("install", True) else "not-installing"

    def wait_ncps(self, *, timeout: float = 30.0) -> None:
        wait_for(
            "all NCPs as they shall be",
            lambda: {name: row["state"] for name, row in self.ncps().items()},
            lambda states: set(states) == set(self.boxes) and set(states.values()) == {self._sound},
            timeout=timeout,
        )

    def summary(self) -> dict[str, Any]:
        return dict(self.ctl("show", "bgp", "summary"))

    def session(self, neighbor: str) -> str:
        return next(
            (str(row["state"]).lower() for row in self.summary()["neighbors"] if row["address"] == neighbor),
            "not configured",
        )

    def wait_established(self, *neighbors: str, timeout: float = 40.0) -> None:
        def states() -> dict[str, str]:
            rows = self.summary()["neighbors"]
            return {
                row["address"]: row["state"].lower() for row in rows if not neighbors or row["address"] in neighbors
            }

        try:
            wait_for(
                "BGP sessions established",
                states,
                lambda seen: seen and set(seen.values()) == {"established"},
                timeout=timeout,
            )
        except LabTimeoutError as error:
            rows = self.ctl("show", "bgp", "neighbor")["neighbors"]
            why = {row["address"]: (row["state"], row["last_down"], row["timers"]) for row in rows}
            raise LabTimeoutError(f"{error}\nwhy not: {why}\nboxes: {self.ncps()}") from None

    def route_count(self, of: int = 4) -> int:
        return int(self.summary()["routes"].get(FAMILIES[of], 0))

    def rows(self, of: int = 4, *, protocol: str | None = None) -> Iterator[dict[str, Any]]:
        """The Loc-RIB row by row, as it streams from routingctl."""
        argv = self.ctl_argv("show", "route", "--family", FAMILIES[of], *(["--protocol", protocol] if protocol else []))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            yield from stream_objects(child.stdout, start='"routes": [')
        if child.returncode != 0:
            raise LabError(f"{' '.join(argv)} … exit {child.returncode}")

    def read(self) -> tuple[dict[int, set[Route]], list[dict[str, Any]]]:
        """One pass over the Loc-RIB of both families: BGP's best routes with their attributes, and every row without
        them, which is what kernels are compared with."""
        routes: dict[int, set[Route]] = {of: set() for of in FAMILIES}
        rows = []
        kept: dict[str, list[dict[str, Any]]] = {}
        for of in FAMILIES:
            for row in self.rows(of):
                if row["protocol"] == "bgp":
                    routes[of].add((prefix(row["prefix"]), from_routingd(row["attributes"])))
                hops = row["next_hops"]
                rows.append(
                    {
                        "prefix": row["prefix"],
                        "protocol": row["protocol"],
                        "next_hops": kept.setdefault(repr(hops), hops),
                    }
                )
        return routes, rows

    def forwarding_rows(self) -> list[dict[str, Any]]:
        return self.read()[1]

    def loc_rib(self, of: int = 4, *, protocol: str = "bgp") -> set[Route]:
        """Best routes with their attributes, in the canonical form."""
        return {(prefix(row["prefix"]), from_routingd(row["attributes"])) for row in self.rows(of, protocol=protocol)}

    def wait_loc_rib(self, expected: set[Route], of: int = 4, timeout: float = 30.0) -> None:
        """Until BGP's best routes are exactly these; the first ten differences otherwise."""
        try:
            wait_for("the Loc-RIB", lambda: self.loc_rib(of), lambda found: found == expected, timeout=timeout)
        except LabTimeoutError:
            assert_same(expected, self.loc_rib(of), f"IPv{of} Loc-RIB of {self.home.name}")

    # --- measuring ------------------------------------------------------------------------------------------------

    def agent_pid(self, ncp: str) -> int:
        """The process of an NCP's agent; the embedded one is a session of its own and leaves its number in the run
        directory."""
        if ncp in self.agents:
            process = self.agents[ncp].process
            return process.pid if process is not None else 0
        file = self.run_dir / f"ncpd-{ncp}.pid"
        return int(file.read_text()) if file.exists() else 0

    def peak_memory(self) -> dict[str, int]:
        """VmHWM of routingd and of each agent, in bytes."""
        assert self.process is not None
        return {"routingd": self.process.peak_memory(), **{ncp: peak_memory(self.agent_pid(ncp)) for ncp in self.boxes}}
