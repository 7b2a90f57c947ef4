"""ncpd: the agent of one forwarding box. Command line, lock, detaching, log, signals; the work is in
``routingd.agent``."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Final, TextIO

import structlog

from kernel import privileges, self_tests
from kernel.links import RECEIVE_BUFFER
from kernel.self_tests import KernelFacts
from routingd.agent.connection import Controller
from routingd.agent.process import AgentProcess, Settings
from routingd.agent.state import AlreadyRunningError, Lock
from routingd.agent.truth import EVERY

log = structlog.get_logger("ncpd")

RUN_DIRECTORY: Final = Path("/run/routingd")
STATE_DIRECTORY: Final = Path("/var/lib/routingd")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_REFUSED: Final = 1


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if not _NAME.fullmatch(options.ncp):
        parser.error(f"--ncp {options.ncp}: a name is letters, digits, '.', '_' and '-', at most 63")
    state: Path = options.state_dir / "ncp" / options.ncp
    try:
        controller = Controller.parse(
            options.controller, certificate=options.certificate, key=options.key, ca=options.ca,
            name=options.controller_name,
        )  # fmt: skip
        state.mkdir(parents=True, exist_ok=True)
        lock = Lock(options.run_dir, options.ncp)
    except ValueError as error:
        parser.error(str(error))
    except (AlreadyRunningError, OSError) as error:
        print(f"ncpd: {error}", file=sys.stderr)
        return _REFUSED
    if options.detach and (code := _detach(state / "ncpd.log")) is not None:
        return code
    _configure_log(sys.stderr, _LEVELS[options.log_level])
    return _serve(Settings(options.ncp, controller, state, options.event_buffer, options.audit_interval), lock)


def _seconds(text: str) -> float:
    value = float(text)
    if not value >= 1.0:
        raise argparse.ArgumentTypeError(f"{text}: write a number of seconds, at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ncpd",
        description="The agent of one forwarding box: owns its ports, protocol sockets and kernel tables.",
        epilog="SIGTERM ends ncpd and leaves routes in the kernel; routingctl shutdown --flush removes them.",
    )
    parser.add_argument(
        "--ncp", "--name", required=True, metavar="NAME", help="this box's name in the controller's configuration"
    )
    parser.add_argument(
        "--controller", required=True, metavar="WHERE", help="unix:PATH on this host, HOST:PORT over mutual TLS 1.3"
    )
    parser.add_argument("--controller-name", default="", metavar="NAME", help="its certificate's name (default: HOST)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="this box's certificate (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key (PEM)")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="the authority that signed the controller's (PEM)")
    parser.add_argument(
        "--run-dir", type=Path, default=RUN_DIRECTORY, metavar="DIR", help="lock and pid file (%(default)s)"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=STATE_DIRECTORY, metavar="DIR", help="durable state (%(default)s)"
    )
    parser.add_argument("--log-level", choices=list(_LEVELS), default="info", help="least severe to log (%(default)s)")
    parser.add_argument(
        "--audit-interval", type=_seconds, default=EVERY, metavar="SECONDS",
        help="at most so long until the kernel is compared with what it should hold (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--event-buffer", type=int, default=RECEIVE_BUFFER, metavar="BYTES",
        help="receive buffer for what the kernel tells of links and of nexthops (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--detach", action="store_true", help="run in a session of its own; log to a file in --state-dir"
    )
    return parser


def _detach(log_file: Path) -> int | None:
    """None in the process that goes on. The one that was started waits until that has begun to work, so that its exit
    code tells; the lock, being the descriptor's, goes along."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            begun = pipe.read(1)
        if begun:
            return 0
        print(f"ncpd: did not start; see {log_file}", file=sys.stderr)
        return _REFUSED
    os.close(reading)
    os.setsid()
    if os.fork():  # not a session leader any more: it can never gain a terminal
        os._exit(0)
    os.chdir("/")
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(null)
    os.close(output)
    os.set_inheritable(writing, False)
    global _ready
    _ready = writing
    return None


_ready: int | None = None
"""Pipe to the process that waits for a detached one to begin."""


def _configure_log(stream: TextIO, level: int) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )


def _serve(settings: Settings, lock: Lock) -> int:
    try:
        # before that is given up which it takes to make a network namespace
        facts = self_tests.run()
        privileges.keep(privileges.AGENT)
        asyncio.run(_run(settings, facts, lock))
    except PermissionError as error:
        log.error("refused", reason=f"{error}: ncpd needs CAP_NET_ADMIN in its network namespace; run it as root")
        return _REFUSED
    except OSError as error:
        log.error("failed", reason=str(error))
        return _REFUSED
    finally:
        lock.release()
    return 0


async def _run(settings: Settings, facts: KernelFacts, lock: Lock) -> None:
    process = AgentProcess(settings, facts)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    loop.add_signal_handler(signal.SIGUSR1, process.retire)
    lock.write_pid()
    log.info("started", ncp=settings.name, pid=os.getpid())
    await process.run(_begun)
    log.info("stopped", ncp=settings.name)


def _begun() -> None:
    """The kernel was read and what it holds adopted: tell the one who started us."""
    global _ready
    if _ready is not None:
        os.write(_ready, b"\n")
        os.close(_ready)
        _ready = None


if __name__ == "__main__":
    main()
