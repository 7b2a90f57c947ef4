"""The targets of native/fuzz: libFuzzer over the core, from well-formed seeds. Why so: docs/adr/0008-fuzzing.md."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.messages import KEEPALIVE, NOTIFICATIONS, OPENS, REFRESHES, UPDATES
from tests.fuzz.test_messages import SECONDS
from tests.lab.lab import PROJECT
from tests.rib import mrt_file

pytestmark = pytest.mark.long
NATIVE: Final = PROJECT / "native"
COVERAGE: Final = (
    "-Cpasses=sancov-module",
    *(
        f"-Cllvm-args=-sanitizer-coverage-{option}"
        for option in ("level=4", "inline-8bit-counters", "pc-table", "trace-compares")
    ),
)
"""What cargo-fuzz asks of rustc, but for the sanitizers, which need a nightly one."""
LONGEST: Final = 8192
FEWEST: Final = 2000
"""Inputs below which a run was not worth the name."""


def bodies(*messages: bytes) -> bytes:
    return b"".join(struct.pack("!H", len(m) - 19) + m[19:] for m in messages)


def sessions() -> list[bytes]:
    """Terms of routing_fuzz::terms with every bit, and every UPDATE."""
    heads = ((0x04, 3, 7, 0), (0x05, 3, 7, 0), (0, 3, 7, 0), (0xFF, 15, 4, 2), (0x1C, 15, 3, 1), (0x04, 3, 0x17, 0))
    terms = [bytes(head) for head in heads]
    return [head + bodies(*run) for head in terms for run in (UPDATES, UPDATES[:1], UPDATES[1:2], UPDATES[2:4])]


def recordings() -> list[bytes]:
    peers = [("192.0.2.1", 65010, "10.0.0.1"), ("2001:db8::1", 65020, "10.0.0.2")]
    four, six = {"next_hop": "192.0.2.9", "as_path": "65010"}, {"next_hop": "2001:db8::9", "as_path": "65020"}
    dump = mrt_file.table_dump(
        peers, {"10.0.0.0/8": [(0, four)], "2001:db8::/32": [(1, six)]}, {"10.1.0.0/16": [(0, four)]}
    )
    spoken = mrt_file.session(("192.0.2.1", 65010), ("192.0.2.2", 65001), [OPENS[0], KEEPALIVE, *UPDATES])
    return [dump, spoken, dump + spoken]


def streams() -> list[bytes]:
    whole = [*OPENS, KEEPALIVE, *UPDATES, *REFRESHES, *NOTIFICATIONS]
    return [bytes((long, step)) + b"".join(whole) for long in (0, 1) for step in (0, 18, 255)]


def scripts() -> list[bytes]:
    """An adjacency, a group with it, routes to that, a port, and again without them."""
    adjacency = bytes((0, 1, 1, 3, 4, 10, 0, 0, 1, 0))
    group = bytes((1, 1, 16, *range(16), 0, 8, 1, 0, 0, 0, 1, 0, 0, 0))
    route = bytes((2, 1, 4, 10, 0, 0, 0, 1, 24, 4, 1, 0, 0, 0, 1, 1))
    return [bytes((8, 3, 1, 0)) + adjacency + group + route + bytes((7, 0, 5, 1, 4, 1)), adjacency, group, route]


SEEDS: Final = {
    "framer": streams, "update": sessions, "told": lambda: [b"\0" + one for one in sessions()],
    "mrt": recordings, "agent": scripts,
}  # fmt: skip


@pytest.fixture(scope="module")
def programs() -> Path:
    """Built with counters at every edge; the first time that takes a minute or two."""
    host = re.search(
        r"^host: (\S+)$", subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout, re.M
    )
    assert host is not None
    target = NATIVE / "target" / "fuzz"
    argv = ["cargo", "build", "--quiet", "--release", "--locked", "--target", host[1], "--target-dir", str(target)]
    subprocess.run(argv, cwd=NATIVE / "fuzz", check=True, env=os.environ | {"RUSTFLAGS": " ".join(COVERAGE)})
    return target / host[1] / "release"


@pytest.mark.parametrize("name", SEEDS)
def test_no_input_panics_hangs_or_grows(programs: Path, tmp_path: Path, name: str) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": int(SECONDS), "timeout": 10, "rss_limit_mb": 1024, "max_len": LONGEST, "print_final_stats": 1,
    }  # fmt: skip
    argv = [str(programs / name), str(corpus), *(f"-{key}={value}" for key, value in options.items())]
    run = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 600, errors="replace")
    inputs = re.search(r"stat::number_of_executed_units: (\d+)", run.stderr)
    assert run.returncode == 0, "\n".join(run.stderr.splitlines()[-40:])
    assert inputs is not None
    assert int(inputs[1]) > FEWEST
