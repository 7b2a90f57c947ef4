"""What routingd measures, for Prometheus: each metric declared once, its values read when somebody scrapes.

Nothing is counted here: values are those of ``show`` commands. They are read on the event loop, some boxes at a time;
the text is made on another thread. docs/metrics.md is held to ``METRICS`` by a test.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from fibd.latency import BOUNDS, Latencies
from protocols.bgp.fsm import State
from routingd.control.shapes import NcpRow
from routingd.controller import Controller
from routingd.fib_sums import wanted
from routingd.views import Views

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Declared:
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


METRICS: Final[Mapping[str, Declared]] = {
    "routingd_info": Declared("gauge", "Always 1.", ("version", "router")),
    "routingd_ncp_state": Declared("gauge", "1 for the state that the box is in.", ("ncp", "state")),
    "routingd_ncp_connected": Declared("gauge", "Whether a connection of its agent is up.", ("ncp", "connection")),
    "routingd_ncp_conditions": Declared("gauge", "Conditions that hold at the box.", ("ncp", "severity")),
    "routingd_rib_routes": Declared("gauge", "Routes that the RIB wants in every FIB.", ("family",)),
    "routingd_rib_to_installed_seconds": Declared(
        "histogram",
        "From a change being readable in the RIB until the box's kernel has it; where a backlog stood, at most.",
        ("ncp",),
    ),
    "routingd_fib_lag_seconds": Declared("gauge", "Age of the oldest transaction sent and not installed.", ("ncp",)),
    "routingd_fib_outstanding_transactions": Declared("gauge", "Transactions sent and not installed.", ("ncp",)),
    "routingd_fib_outstanding_bytes": Declared("gauge", "Bytes of those.", ("ncp",)),
    "routingd_fib_credit_bytes": Declared("gauge", "Bytes that may be outstanding, by the agent's word.", ("ncp",)),
    "routingd_fib_resumes_total": Declared(
        "counter", "Connections of the box, by how the stream was taken up: position, shards, snapshot.", ("ncp", "how")
    ),
    "routingd_fib_resent_routes": Declared("gauge", "Routes that the latest of those took.", ("ncp",)),
    "routingd_fib_digest_mismatches_total": Declared(
        "counter", "Ends of snapshots at which count or digest differed.", ("ncp",)
    ),
    "routingd_fib_failures_total": Declared(
        "counter", "Routes that the box refused, every attempt, by the error's name.", ("ncp", "errno")
    ),
    "routingd_fib_failed_routes": Declared("gauge", "Routes that the box refuses and that are tried again.", ("ncp",)),
    "routingd_fib_routes": Declared("gauge", "Routes in the agent's model.", ("ncp", "family")),
    "routingd_fib_installed_routes": Declared("gauge", "Routes that the box's kernel has confirmed.", ("ncp",)),
    "routingd_fib_pending": Declared("gauge", "Messages that wait for the box's kernel.", ("ncp",)),
    "routingd_fib_swept_routes_total": Declared(
        "counter", "Routes that the box removed as nobody had sent them again, by count and digest.", ("ncp",)
    ),
    "routingd_fib_audits_total": Declared("counter", "Comparisons of the box's kernel with its model.", ("ncp",)),
    "routingd_fib_drift_total": Declared(
        "counter", "Routes and nexthops that the kernel had otherwise than written, by kind.", ("ncp", "kind")
    ),
    "routingd_fib_repairs_total": Declared("counter", "Of those, the ones that were written again.", ("ncp",)),
    "routingd_fib_foreign_changes_total": Declared(
        "counter", "Nexthops of ours that another program deleted or changed.", ("ncp",)
    ),
    "routingd_netlink_messages_total": Declared("counter", "Messages written to the box's kernel.", ("ncp",)),
    "routingd_netlink_overruns_total": Declared("counter", "Kernel events lost by the agent (ENOBUFS).", ("ncp",)),
    "routingd_agents_refused_total": Declared(
        "counter", "Connections of agents that were turned away, before, at or after their Hello.", ("reason",)
    ),
    "routingd_bgp_sessions": Declared("gauge", "BGP sessions, by state.", ("state",)),
    "routingd_event_loop_slice_seconds": Declared(
        "histogram", "For how long at a time the event loop did not look at its sockets."
    ),
    "routingd_event_loop_longest_slice_seconds": Declared("gauge", "The longest of those since the start."),
    "routingd_engine_jobs": Declared("gauge", "Jobs that wait for the RIB's thread."),
    "routingd_engine_longest_job_seconds": Declared("gauge", "The longest job of the RIB's thread since the start."),
    "routingd_metrics_refused_total": Declared("counter", "Connections here that got no metrics.", ("reason",)),
    "routingd_control_refused_total": Declared(
        "counter", "Connections to the control socket that were too many or made no sense.", ("reason",)
    ),
}
COUNTS: Final[Mapping[str, str]] = {
    "routingd_fib_installed_routes": "installed",
    "routingd_fib_pending": "pending",
    "routingd_fib_swept_routes_total": "swept",
    "routingd_fib_audits_total": "audits",
    "routingd_fib_repairs_total": "repairs",
    "routingd_fib_foreign_changes_total": "foreign_changes",
    "routingd_netlink_messages_total": "netlink_messages",
    "routingd_netlink_overruns_total": "event_overruns",
}
"""Metrics that are the agent's own counters, by the names it gives them."""


AT_ONCE: Final = 16
"""Boxes asked, or told of, in one turn of the event loop: it is not held for more than a millisecond or two."""


@dataclass(slots=True)
class Samples:
    """Rows (metric, label values, value), of one moment for each box."""

    rows: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)
    histograms: list[tuple[str, tuple[str, ...], tuple[list[int], float]]] = field(default_factory=list)

    def put(self, name: str, value: float, *labels: str) -> None:
        self.rows.append((name, labels, value))

    def histogram(self, name: str, seen: Latencies, *labels: str) -> None:
        self.histograms.append((name, labels, (list(seen.counts), seen.total)))

    def families(self) -> Iterator[Metric]:
        made: dict[str, Any] = {name: _family(name, declared) for name, declared in METRICS.items()}
        for name, labels, value in self.rows:
            made[name].add_metric(labels, value)
        for name, labels, (counts, total) in self.histograms:
            made[name].add_metric(labels, list(_cumulative(counts)), total)
        return iter(made.values())


def _family(name: str, declared: Declared) -> Metric:
    if declared.kind == "histogram":
        return HistogramMetricFamily(name, declared.text, labels=declared.labels)
    made = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
    return made(name, declared.text, labels=declared.labels)


def _cumulative(counts: Iterable[int]) -> Iterator[tuple[str, int]]:
    passed = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
        passed += count
        yield bound, passed


class _Read(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        return self._samples.families()


class Metrics:
    def __init__(self, controller: Controller, slices: Latencies) -> None:
        """``slices``: of the event loop."""
        self._controller = controller
        self._slices = slices
        self._views = Views(controller)
        self.refused: Mapping[str, Mapping[str, int]] = {}
        """By metric, what other sockets than the agents' turned away."""

    async def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and text for this Accept header."""
        samples = await self.samples()
        return await asyncio.to_thread(_text, samples, accept)

    async def samples(self) -> Samples:
        out = Samples()
        self._own(out)
        await self._rib(out)
        asking: list[asyncio.Task[NcpRow]] = []
        for box in self._controller.plan.boxes.all.values():
            asking.append(asyncio.create_task(self._views.ncp(box)))
            if len(asking) % AT_ONCE == 0:
                await asyncio.sleep(0)
        for at, answer in enumerate(asking):
            self._box(out, await answer)
            if at % AT_ONCE == 0:
                await asyncio.sleep(0)
        return out

    def _own(self, out: Samples) -> None:
        controller = self._controller
        out.put("routingd_info", 1, metadata.version("routingd"), controller.plan.name)
        states = Counter(peer.session.state for peer in controller.peers.all)
        for state in State:
            out.put("routingd_bgp_sessions", states[state], str(state))
        out.histogram("routingd_event_loop_slice_seconds", self._slices)
        out.put("routingd_event_loop_longest_slice_seconds", self._slices.longest)
        out.put("routingd_engine_jobs", controller.engine.depth)
        out.put("routingd_engine_longest_job_seconds", controller.engine.longest)
        for reason, count in (Counter(controller.membership.refused) + controller.agents.doors.turned_away).items():
            out.put("routingd_agents_refused_total", count, reason)
        for name, reasons in self.refused.items():
            for reason, count in reasons.items():
                out.put(name, count, reason)

    async def _rib(self, out: Samples) -> None:
        fib = await self._controller.engine.call(wanted)
        out.put("routingd_rib_routes", fib["ipv4"], "ipv4")
        out.put("routingd_rib_routes", fib["ipv6"], "ipv6")

    def _box(self, out: Samples, row: NcpRow) -> None:
        name = row["name"]
        feed = self._controller.feeds[name].feed
        out.put("routingd_ncp_state", 1, name, row["state"])
        for connection, up in row["connections"].items():
            out.put("routingd_ncp_connected", up, name, connection)
        for severity, count in Counter(condition["severity"] for condition in row["conditions"]).items():
            out.put("routingd_ncp_conditions", count, name, severity)
        out.histogram("routingd_rib_to_installed_seconds", feed.latencies, name)
        out.put("routingd_fib_lag_seconds", row["lag"], name)
        out.put("routingd_fib_outstanding_transactions", row["outstanding_transactions"], name)
        out.put("routingd_fib_outstanding_bytes", row["outstanding_bytes"], name)
        out.put("routingd_fib_credit_bytes", row["credit_bytes"], name)
        for how, times in feed.resumes.items():
            out.put("routingd_fib_resumes_total", times, name, str(how))
        out.put("routingd_fib_resent_routes", feed.resent_routes, name)
        out.put("routingd_fib_digest_mismatches_total", feed.disagreements, name)
        out.put("routingd_fib_failed_routes", row["failed"], name)
        for number, count in feed.failed_by_errno.items():
            out.put("routingd_fib_failures_total", count, name, errno.errorcode.get(number, str(number)))
        counts = row["agent"]
        for family in ("ipv4", "ipv6"):
            if family in counts:
                out.put("routingd_fib_routes", counts[family], name, family)
        for kind, drifted in counts.get("drift", {}).items():
            out.put("routingd_fib_drift_total", drifted, name, kind)
        for metric, counter in COUNTS.items():
            if counter in counts:
                out.put(metric, counts[counter], name)


def _text(samples: Samples, accept: str) -> tuple[str, bytes]:
    """On a thread of its own: many boxes are many lines."""
    registry = CollectorRegistry()
    registry.register(_Read(samples))
    ProcessCollector(registry=registry)
    try:
        encode, kind = choose_encoder(accept)
    except (TypeError, ValueError):  # the scraper named a version that is none
        encode, kind = choose_encoder("")
    return kind, encode(registry)
