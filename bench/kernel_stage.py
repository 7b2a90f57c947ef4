"""A stage whose daemon writes into the kernel, with the defaults of production; routingd also with a second box."""

from __future__ import annotations

import resource
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bench import daemons
from bench.measured import ROUTINGD
from bench.sessions import Session
from bench.stage import Stage, Usage, processes, processor_time
from tests.kernel.fake_controller import in_namespace
from tests.lab.lab import Lab, Namespace
from tests.lab.process import peak_memory
from tests.lab.router import Router

METRICS: Final = "127.0.0.1:9342"
MANAGEMENT: Final = "192.168.250"
FABRIC: Final = "169.254.100"
REST: Final = 1.0
RESTING: Final = 0.03
"""Share of a core below which a daemon rests."""
SCHEDSTAT: Final = Path("/proc/self/schedstat")
"""Only kernels with CONFIG_SCHED_INFO have it."""


class KernelStage(Stage):
    """``boxes``: how many kernels, of routingd. ``others``: sessions that are somebody else's than ``bench-peers``."""

    def __init__(
        self, daemon: str, sessions: Sequence[Session], *, boxes: int = 1, others: Sequence[Session] = ()
    ) -> None:
        super().__init__(daemon, sessions, install=True)
        self._others = others
        self._count = boxes
        self.boxes: list[Namespace] = []
        self.router: Router | None = None
        self._spent: dict[str, float] = {}

    def __enter__(self) -> KernelStage:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            clear(self._lab)
        finally:
            super().__exit__(kind, error, trace)

    def _start(self, lab: Lab) -> None:
        self.boxes = [self.box, *(lab.box(f"router{n}") for n in range(2, self._count + 1))]
        for s in self._others:
            ours = [] if self.daemon == ROUTINGD else [f"{s.ours}/{s.length}"]
            lab.link(self.box, s.port, self.far, s.port, a_addresses=ours, b_addresses=[f"{s.local}/{s.length}"])
        sessions = [*self.sessions, *self._others]
        if self.daemon != ROUTINGD:
            daemons.start(self.daemon, lab, self.box, sessions, install=True)
            return
        config = daemons.routingd_configuration(sessions, install=True)
        config["management"] = {"metrics": METRICS}
        for n, box in enumerate(self.boxes[1:], 2):
            ours, its = [f"{MANAGEMENT}.1/24"], [f"{MANAGEMENT}.{n}/24"]
            lab.link(self.box, "mgmt", box, "mgmt", a_addresses=ours, b_addresses=its)
            lab.link(self.box, "fab0", box, "fab0")
            config["ncps"][f"ncp{n}"] = {"certificate": f"ncp{n}"}
        names = {f"ncp{n}": box for n, box in enumerate(self.boxes, 1)}
        if len(names) > 1:
            config["fabric"] = {ncp: {"port": "fab0", "address": f"{FABRIC}.{ncp[3:]}"} for ncp in names}
        self.router = Router(lab, config, names, management=f"{MANAGEMENT}.1" if len(names) > 1 else None)
        self.router.start()

    def running(self) -> None:
        """LabError: something has ended by itself."""
        self._running()

    def process(self, box: Namespace) -> int:
        """Any process in a box."""
        return processes(box)[0]

    def begin(self) -> None:
        self._spent = self.spent()

    def spent(self) -> dict[str, float]:
        """Seconds of processor time of each process so far."""
        return {name: sum(map(cpu_of, pids)) for name, pids in self._named().items()}

    def usage(self) -> Usage:
        memory = {name: sum(map(peak_memory, pids)) for name, pids in self._named().items()}
        return Usage(memory, sum(self.spent().values()) - sum(self._spent.values()))

    def by_process(self) -> dict[str, object]:
        """Of the processor time since the beginning, for a row's notes."""
        return {"cpu_by_process": {n: round(s - self._spent.get(n, 0.0), 3) for n, s in self.spent().items()}}

    def _named(self) -> dict[str, list[int]]:
        if self.router is not None:
            process = self.router.process
            assert process is not None
            return {"routingd": [process.pid], **{ncp: [self.router.agent_pid(ncp)] for ncp in self.router.boxes}}
        named: dict[str, list[int]] = {}
        for pid in processes(self.box):
            named.setdefault(Path(f"/proc/{pid}/comm").read_text().strip(), []).append(pid)
        return named

    def resident(self) -> dict[str, float]:
        """Megabytes of each process now."""
        return {name: sum(map(resident, pids)) / 1e6 for name, pids in self._named().items()}

    def rest(self) -> float:
        """Until the daemon has nothing more to do; when that began, on the monotonic clock."""
        while True:
            begun, before = time.monotonic(), sum(self.spent().values())
            time.sleep(REST)
            if sum(self.spent().values()) - before <= RESTING * REST:
                return begun

    def metrics(self) -> list[Sample]:
        """routingd's, as Prometheus would read them."""

        def scrape() -> Any:
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=10) as answer:
                return answer.read().decode()

        families = text_string_to_metric_families(in_namespace(self.box, scrape))
        return [sample for family in families for sample in family.samples]


def cpu_of(pid: int) -> float:
    """Seconds that a process's threads have run: by the scheduler's nanoseconds, else by ticks; 0: it has ended."""
    if not SCHEDSTAT.exists():
        return processor_time([pid])
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        return 0.0


def resident(pid: int) -> int:
    """Bytes in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@contextmanager
def cleared(lab: Lab) -> Iterator[None]:
    """``clear`` at the end of the block, whatever ended it."""
    try:
        yield
    finally:
        clear(lab)


def clear(lab: Lab) -> None:
    """End what runs in a lab and take its routes, while that is still cheap and we wait for it: a namespace that goes
    with a million routes is emptied by the kernel later, in the middle of the next run."""
    for process in lab.processes:
        process.kill()
    for box in lab.namespaces.values():
        box.ip("nexthop", "flush", check=False)
        for device in box.ip_json("link", "show", "up"):
            if device["ifname"] != "lo":
                box.link_down(device["ifname"])
