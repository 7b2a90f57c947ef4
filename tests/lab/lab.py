"""Network namespaces and the links between them; everything goes when the lab goes, however it goes.

Owns the names: namespaces are ``rd-<pid>-<name>``, the lab's files are in ``<tmp>/rd-<pid>-lab``, pid being the
process that made the lab. A lab whose maker is dead is a leftover and is removed, with the processes in it, when the
next lab starts.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tests.lab.commands import LabError, run
from tests.lab.process import Process

PROJECT = Path(__file__).resolve().parents[2]
PROTOCOL = 201
"""Of routes that routingd's agents write (rtnetlink's rtm_protocol)."""
SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.icmp_ratelimit=0",
    # A lab has no other speakers on its links: duplicate address detection would only delay every address by a second.
    "net.ipv6.conf.all.accept_dad=0",
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv6.conf.all.accept_ra=0",
    "net.ipv6.conf.default.accept_ra=0",
    "net.ipv6.icmp.ratelimit=0",
)


class Namespace:
    """One box: its name in the lab, its name in the kernel, and what can be done in it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.kernel_name = f"rd-{lab.pid}-{name}"
        self.directory = lab.directory / name
        self.directory.mkdir(parents=True, exist_ok=True)
        run(["ip", "netns", "add", self.kernel_name])
        self.run("sysctl", "-qw", *SYSCTLS)
        self.ip("link", "set", "lo", "up")

    def run(self, *argv: str, check: bool = True, timeout: float = 120.0, stdin: str | None = None) -> str:
        return run(["ip", "netns", "exec", self.kernel_name, *argv], check=check, timeout=timeout, stdin=stdin)

    def ip(self, *argv: str, check: bool = True) -> str:
        return run(["ip", "-n", self.kernel_name, *argv], check=check)

    def ip_json(self, *argv: str) -> Any:
        return json.loads(run(["ip", "-n", self.kernel_name, "-j", *argv]) or "[]")

    def address(self, device: str, *addresses: str) -> None:
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip("address", "add", address, "dev", device, *extra)

    def route(self, prefix: str, *via: str) -> None:
        self.ip(*(["-6"] if ":" in prefix or (via and ":" in via[-1]) else []), "route", "replace", prefix, *via)

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bool = False,
    ) -> Process:
        process = Process(
            f"{self.name}/{name}",
            argv,
            namespace=self.kernel_name,
            log=self.directory / f"{name}.log",
            env=env,
            cwd=cwd,
            stdin=stdin,
        )
        self.lab.processes.append(process)
        return process

    def link_down(self, device: str) -> None:
        self.ip("link", "set", device, "down")

    def link_up(self, device: str) -> None:
        self.ip("link", "set", device, "up")


class Lab:
    """A context manager: namespaces, links, processes. Leaving it, an exit, or a signal removes all of them."""

    def __init__(self, *, keep: bool = False) -> None:
        self.pid = os.getpid()
        self.keep = keep
        self.directory = _directory(self.pid)
        self.namespaces: dict[str, Namespace] = {}
        self.processes: list[Process] = []
        self._handlers: dict[int, Any] = {}
        self._closed = False

    def __enter__(self) -> Lab:
        check_host()
        sweep()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o755)
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                self._handlers[number] = signal.signal(number, _leave)
            except ValueError:  # not the main thread: its own handler unwinds us
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self.keep and kind is None:
            atexit.unregister(self.close)
        else:
            self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for process in reversed(self.processes):
            process.kill()
        _remove(self.pid)
        if not os.environ.get("RD_KEEP_LOGS"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def box(self, name: str) -> Namespace:
        if name in self.namespaces:
            raise LabError(f"this lab has a box named {name} already")
        namespace = Namespace(self, name)
        self.namespaces[name] = namespace
        return namespace

    def link(
        self,
        a: Namespace,
        a_port: str,
        b: Namespace,
        b_port: str,
        *,
        a_addresses: Sequence[str] = (),
        b_addresses: Sequence[str] = (),
        mtu: int = 1500,
    ) -> None:
        """A cable. It never exists in the host's own namespace. Ends without addresses are left to whoever runs the
        box, but are up."""
        run(
            ["ip", "link", "add", a_port, "mtu", str(mtu), "netns", a.kernel_name, "type", "veth",
             "peer", "name", b_port, "mtu", str(mtu), "netns", b.kernel_name]
        )  # fmt: skip
        for box, port, addresses in ((a, a_port, a_addresses), (b, b_port, b_addresses)):
            box.address(port, *addresses)
            box.link_up(port)


def check_host() -> None:
    """Say what is missing before anything is built."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and needs root: run it with sudo")
    if shutil.which("ip") is None:
        raise LabError("the lab needs iproute2: apt-get install iproute2")
    probe = f"rd-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        raise LabError(
            f"this machine does not allow network namespaces ({made.stderr.strip()}): a container needs CAP_SYS_ADMIN"
        )
    subprocess.run(["ip", "netns", "delete", probe], capture_output=True, check=False)


def sweep() -> list[int]:
    """Remove what labs of dead processes left behind. Returns their pids."""
    known = [d.name.split("-")[1] for d in Path(tempfile.gettempdir()).glob("rd-*-lab")]
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    known += [line.split("-")[1] for line in listed.splitlines() if line.startswith("rd-") and line.count("-") > 1]
    swept = sorted({int(pid) for pid in known if pid.isdigit() and not Path(f"/proc/{pid}").exists()})
    for pid in swept:
        _remove(pid)
        shutil.rmtree(_directory(pid), ignore_errors=True)
    return swept


def _directory(pid: int) -> Path:
    return Path(tempfile.gettempdir()) / f"rd-{pid}-lab"


def _remove(pid: int) -> None:
    """Processes first: a namespace lives as long as a process is in it, whatever its name says. Then routes, in all of
    them before any goes: a kernel that loses a port, or a namespace, with routes behind thousands of nexthop objects
    walks the whole table once for each of them, for minutes and with the lock that every other namespace needs."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    names = [line.split()[0] for line in listed.splitlines() if line.startswith(f"rd-{pid}-")]
    for name in names:
        pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
        for inside in pids.split():
            try:
                os.kill(int(inside), signal.SIGKILL)
            except ProcessLookupError:
                pass
    for name in names:
        for of in ("-4", "-6"):
            flush = ["ip", "-n", name, of, "route", "flush", "table", "all", "proto", str(PROTOCOL)]
            subprocess.run(flush, capture_output=True, check=False)
    for name in names:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _leave(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


if __name__ == "__main__":  # what `make lab-clean` runs: a lab kept with KEEP=1 goes
    for gone in sweep():
        print(f"removed the lab of process {gone}")
