"""routingd: the controller's process. Command line, log, lock, signals; the router itself is
``routingd.controller``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import secrets
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import structlog

from fibd.latency import Latencies
from kernel import privileges
from native import Engine
from routingd import logs
from routingd.commands import Commands
from routingd.config.load import ConfigError, Loaded, load
from routingd.control.protocol import socket_path
from routingd.control.server import ControlServer
from routingd.controller import SOCKET_NAME, Controller
from routingd.embedded import EmbeddedAgent
from routingd.identity import AlreadyRunningError, KnownNeighbors, RunLock, choose, overtaken
from routingd.loop_time import timed_runner
from routingd.metrics_server import MetricsServer
from routingd.plan import plan
from routingd.reference_engine import ReferenceWithBytes

log = structlog.get_logger("routingd")

CONFIG: Final = Path("/etc/routingd/routingd.yaml")
RUN_DIR: Final = Path("/run/routingd")
STATE_DIR: Final = Path("/var/lib/routingd")
REFUSED: Final = 1
BROKEN: Final = 70
"""EX_SOFTWARE: the engine failed; nothing it said can be trusted any more."""


@dataclass(frozen=True, slots=True)
class Options:
    config: Path
    run_dir: Path
    state_dir: Path
    log_level: str | None


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="routingd",
        description="The controller of one router: protocols, RIB and FIB distribution. Its boxes run ncpd.",
        epilog="SIGTERM ends routingd; its embedded agent keeps sessions for the next one for 30 s, then ends. Routes "
        "stay in the kernels, and with neighbors that have graceful restart. routingctl shutdown takes them back from "
        "neighbors, with --flush also from the kernels.",
    )
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="configuration (%(default)s)")
    parser.add_argument("--run-dir", type=Path, default=RUN_DIR, metavar="DIR", help="sockets and locks (%(default)s)")
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help="durable state (%(default)s)")
    parser.add_argument("--log-level", choices=list(logs.LEVELS), help="instead of management.log.level")
    options = parser.parse_args(argv)
    # A detached agent changes its working directory, so every path must stand by itself.
    return Options(
        options.config.absolute(), options.run_dir.absolute(), options.state_dir.absolute(), options.log_level
    )


def run(argv: list[str]) -> int:
    options = parse(argv)
    try:
        loaded = load(options.config)
        lock = RunLock(options.run_dir)
    except (ConfigError, AlreadyRunningError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"routingd: {error.filename}: {error.strerror}", file=sys.stderr)
        return REFUSED
    management = loaded.config.management.log
    level = options.log_level or management.level
    logs.configure(level, management.format, management.subsystems)
    for warning in loaded.warnings:
        log.warning("config", warning=warning.render(str(options.config)))
    if loaded.config.management.metrics is not None:
        import routingd.metrics  # noqa: F401  # a tenth of a second: before there is anybody who would wait for it
    try:
        if any(ncp.embedded for ncp in loaded.config.ncps.values()):
            if os.geteuid() == 0:  # else the agent has what we have
                privileges.keep(privileges.CONTROLLER, privileges.AGENT_AT_START)
        else:
            privileges.keep(privileges.CONTROLLER)
        runner, slices = timed_runner()
        with runner:
            return runner.run(serve(options, loaded, level, slices))
    except OSError as error:
        log.error("routingd.failed", reason=str(error))
        return REFUSED
    finally:
        lock.release()


async def serve(options: Options, loaded: Loaded, level: str, slices: Latencies) -> int:
    """``slices``: what the event loop's stretches of work took, as they are noted."""
    stopping = asyncio.Event()
    leaving = asyncio.Event()
    failure: list[BaseException] = []

    def fatal(error: BaseException) -> None:
        failure.append(error)
        stopping.set()

    chosen = choose(options.state_dir)
    router = plan(loaded, random.Random())
    # The reference has the native engine's interface; tests/rib/test_reference.py holds it to the stub
    build = cast("type[Engine]", ReferenceWithBytes) if loaded.config.router.engine == "reference" else Engine
    engine = build(
        router_id=router.router_id, asn=router.asn, digest_key=chosen.digest_key, seed=secrets.randbits(64),
        fib=router.boxes.kernel.install,
    )  # fmt: skip

    def taken(election_id: int) -> None:
        try:
            overtaken(options.state_dir, election_id)
        except OSError as error:
            log.error("election.not-noted", error=str(error))

    controller = Controller(router, engine, chosen, fatal, KnownNeighbors(options.state_dir), taken)
    await controller.start(options.run_dir)
    embedded = [
        EmbeddedAgent(box.name, options.run_dir / SOCKET_NAME, options.run_dir, options.state_dir, level)
        for box in router.boxes.all.values()
        if box.embedded
    ]
    for agent in embedded:
        agent.start()
    control = loaded.config.management.control
    server = ControlServer(socket_path(options.run_dir, control.socket), group=control.group)

    def leave() -> None:
        leaving.set()
        stopping.set()

    Commands(controller, options.config, leave).register(server)
    await server.start()
    metrics = await _serve_metrics(loaded, controller, server, slices)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    log.info("routingd.started", router=router.name, pid=os.getpid(), election_id=chosen.election_id)
    # A full collection took 14 ms here, and the loop looks at no socket. What is here by now need not be walked again.
    gc.collect()
    gc.freeze()
    await stopping.wait()
    if failure:
        # The RIB is in an unknown state: say nothing more to anybody. Boxes and agents go on with what they have.
        log.critical("engine.failed", error=str(failure[0]), kind=type(failure[0]).__name__)
        os._exit(BROKEN)
    log.info("routingd.stopping")
    await server.close()
    if metrics is not None:
        await metrics.close()
    # An operator's shutdown is meant; whoever sends a signal (an upgrade, a service manager) may start us again.
    left = await controller.stop("routingd stops", returning=not leaving.is_set())
    for agent in embedded:
        await agent.stop(for_the_next=agent.ncp in left)
    log.info("routingd.stopped")
    return 0


async def _serve_metrics(
    loaded: Loaded, controller: Controller, control: ControlServer, slices: Latencies
) -> MetricsServer | None:
    """Raises OSError where the address cannot be had."""
    listen = loaded.config.management.metrics
    if listen is None:
        return None
    from routingd.metrics import Metrics  # prometheus_client is loaded where it is used

    metrics = Metrics(controller, slices)
    server = MetricsServer(metrics.render)
    metrics.refused = {
        "routingd_metrics_refused_total": server.refused,
        "routingd_control_refused_total": control.refused,
    }
    try:
        await server.start(str(listen.host), listen.port)
    except OSError as error:
        raise OSError(error.errno, f"management.metrics: {error.strerror or error}") from None
    return server


if __name__ == "__main__":
    main()
