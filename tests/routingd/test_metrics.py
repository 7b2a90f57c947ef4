"""The metrics endpoint: what it tells, that docs/metrics.md tells the same, and what it makes of strangers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from fibd.latency import BOUNDS, Latencies
from fibd.wire import Ack, Role
from routingd import metrics_server
from routingd.loop_time import TimedSelector, timed_runner
from routingd.metrics import METRICS, Metrics
from routingd.metrics_server import MAX_CLIENTS, MetricsServer
from tests.routingd.fake_agent import until
from tests.routingd.test_consistency import forwarding
from tests.routingd.test_controller import run

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
TABLE = re.compile(r"(\| metric \| kind \| labels \| what \|\n\|---\|---\|---\|---\|\n)((?:\|[^\n]*\n)*)")
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def rows() -> str:
    return "".join(
        f"| `{name}` | {declared.kind} | {', '.join(declared.labels) or '–'} | {declared.text} |\n"
        for name, declared in METRICS.items()
    )


def values(text: str) -> Values:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in parse_text(text)
        for sample in metric.samples
    }


def test_the_page_lists_every_metric_as_it_is() -> None:
    found = TABLE.search(PAGE.read_text())
    assert found is not None
    assert found[2] == rows(), "python -m tests.routingd.test_metrics writes the table"


def test_what_the_page_asks_of_a_metric_exists() -> None:
    named = set(re.findall(r"routingd_[a-z_]+", PAGE.read_text()))
    known = {f"{name}{end}" for name in METRICS for end in ("", "_bucket")}
    assert named - known == set()


def test_a_scrape_tells_of_every_box_and_of_the_router(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, agent, _):
            sent = one.feeds["ncp1"].describe()["sent"]
            failure = [sent, -1, 1, bytes([192, 0, 2, 0]), 24, 28, "No space left on device"]
            agent.send(Role.FIB, Ack(sent, sent, sent, 4096, [failure]))
            await until(lambda: one.feeds["ncp1"].feed.failed_total, "the failure is told")
            one.conditions["ncp1"].set("table-full", "alarm", "its kernel takes no more routes")
            slices = Latencies()
            slices.note(0.004)
            kind, text = await Metrics(one, slices).render("")
            assert kind.startswith("text/plain")
            told = values(text.decode())
            box = ("ncp", "ncp1")
            assert told["routingd_ncp_state", (box, ("state", "forwarding"))] == 1
            assert told["routingd_ncp_connected", (("connection", "fib"), box)] == 1
            assert told["routingd_ncp_conditions", (box, ("severity", "alarm"))] == 1
            assert told["routingd_bgp_sessions", (("state", "Established"),)] == 0
            assert told["routingd_rib_routes", (("family", "ipv4"),)] == 2
            assert told["routingd_fib_routes", (("family", "ipv4"), box)] == 2
            assert told["routingd_fib_credit_bytes", (box,)] == 4096
            assert told["routingd_fib_failures_total", (("errno", "ENOSPC"), box)] == 1
            assert told["routingd_fib_failed_routes", (box,)] == 1
            assert told["routingd_fib_resumes_total", (("how", "snapshot"), box)] == 1
            assert told["routingd_fib_digest_mismatches_total", (box,)] == 0
            seen = one.feeds["ncp1"].feed.latencies
            assert told["routingd_rib_to_installed_seconds_count", (box,)] == seen.count > 0
            assert told["routingd_rib_to_installed_seconds_sum", (box,)] == pytest.approx(seen.total)
            buckets = [told["routingd_rib_to_installed_seconds_bucket", (("le", str(le)), box)] for le in BOUNDS]
            assert buckets == sorted(buckets)
            assert told["routingd_event_loop_slice_seconds_bucket", (("le", "0.005"),)] == 1
            assert told["routingd_event_loop_longest_slice_seconds", ()] == 0.004
            assert told["process_resident_memory_bytes", ()] > 0

    run(test)


def test_a_scraper_that_prefers_openmetrics_gets_it_and_a_strange_version_the_plain_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, _, _asked):
            metrics = Metrics(one, Latencies())
            kind, text = await metrics.render("application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
            assert kind.startswith("application/openmetrics-text")
            names = {metric.name for metric in parse_openmetrics(text.decode())}
            assert "routingd_rib_to_installed_seconds" in names
            kind, _ = await metrics.render("application/openmetrics-text; version=x.y")
            assert kind.startswith("text/plain")

    run(test)


def test_a_box_whose_agent_is_away_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    async def test() -> None:
        async with forwarding(tmp_path) as (one, agent, _):
            await agent.close()
            await until(lambda: one.agents.of("ncp1") == [], "the agent has left")
            told = values((await Metrics(one, Latencies()).render(""))[1].decode())
            assert told["routingd_ncp_state", (("ncp", "ncp1"), ("state", "absent"))] == 1
            assert told["routingd_ncp_connected", (("connection", "control"), ("ncp", "ncp1"))] == 0
            assert ("routingd_fib_routes", (("family", "ipv4"), ("ncp", "ncp1"))) not in told

    run(test)


# --- the server -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(body: bytes = b"up 1\n") -> AsyncIterator[tuple[MetricsServer, int]]:
    async def render(accept: str) -> tuple[str, bytes]:
        return f"text/plain; asked={accept}", body

    server = MetricsServer(render)
    port = await server.start("127.0.0.1", 0)
    try:
        yield server, port
    finally:
        await server.close()


async def said(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b"(reset)"
    finally:
        writer.close()


def test_a_scrape_is_answered_and_the_connection_closed() -> None:
    async def test() -> None:
        async with serving(b"x" * 3_000_000) as (server, port):
            answer = await said(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nACCEPT: text/plain\r\n\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.splitlines()[0] == b"HTTP/1.1 200 OK"
            assert b"Content-Type: text/plain; asked=text/plain" in head
            assert b"Content-Length: 3000000" in head
            assert len(body) == 3_000_000
            head = await said(port, b"HEAD /metrics?x=1 HTTP/1.0\r\n\r\n")
            assert (b"Content-Length: 3000000" in head, head.endswith(b"\r\n\r\n")) == (True, True)
            assert not server.refused

    run(test)


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found", "path"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", "path"),
        (b"GET /metrics\r\n\r\n", b"400 Bad Request", "garbage"),
        (b"\xff\x00\x01 x y\r\n\r\n", b"400 Bad Request", "garbage"),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", b"400 Bad Request", "garbage"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"505 HTTP Version Not Supported", "garbage"),
    ],
)
def test_what_is_no_scrape_is_refused_and_counted(request_: bytes, status: bytes, reason: str) -> None:
    async def test() -> None:
        async with serving() as (server, port):
            answer = await said(port, request_)
            assert answer.splitlines()[0] == b"HTTP/1.1 " + status
            assert server.refused == {reason: 1}

    run(test)


def test_a_request_without_end_is_cut_off() -> None:
    async def test() -> None:
        async with serving() as (server, port):
            answer = await said(port, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000)
            assert answer == b"(reset)" or answer.startswith(b"HTTP/1.1 431")
            assert server.refused == {"garbage": 1}

    run(test)


def test_silent_clients_take_no_place_for_long_and_too_many_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "PATIENCE", 0.3)

    async def test() -> None:
        async with serving() as (server, port):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CLIENTS)]
            await until(lambda: len(server._tasks) == MAX_CLIENTS, "all have a place")
            answer = await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")
            assert answer == b"(reset)" or answer.startswith(b"HTTP/1.1 503")
            assert [await reader.read() for reader, _ in silent] == [b""] * MAX_CLIENTS
            assert server.refused == {"crowded": 1, "silent": MAX_CLIENTS}
            assert (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")
            for _, writer in silent:
                writer.close()

    run(test)


# --- the event loop ---------------------------------------------------------------------------------------------------


def test_a_slice_is_what_lies_between_two_looks_at_the_sockets() -> None:
    now = iter((10.0, 10.5, 20.0, 20.002))
    selector = TimedSelector(lambda: next(now))
    selector.select(0)
    selector.select(0)
    selector.close()
    assert (selector.slices.count, selector.slices.longest) == (1, 0.5)


def test_the_runner_notes_what_callbacks_take() -> None:
    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    runner, slices = timed_runner()
    with runner:
        runner.run(work())
    assert slices.count >= 3
    assert 0 < slices.longest < 60


def write() -> None:
    PAGE.write_text(TABLE.sub(lambda found: found[1] + rows(), PAGE.read_text()))


if __name__ == "__main__":
    write()
