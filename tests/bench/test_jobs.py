"""The jobs' tables, and one job with a real daemon: what is not equal gives no figure."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import blobs, churn, holding, jobs, results, stage
from bench.__main__ import main
from bench.measured import BIRD, FRR, LIMIT, ROUTINGD, ContentsDiffer, Context
from bench.recorded import as_external
from bench.sessions import OUR_ASN, Session
from tests.lab import updates
from tests.lab.attributes import Attributes
from tests.lab.updates import Replay


def _recording(file: Path, messages: Sequence[bytes]) -> Path:
    """BGP4MP_MESSAGE_AS4 (RFC 6396 4.4.2) of an internal session."""
    ends = struct.pack("!IIHH", 3856, 3856, 0, 1) + bytes((10, 9, 0, 1, 10, 9, 0, 2))
    records = (struct.pack("!IHHI", 0, 16, 4, len(ends) + len(m)) + ends + m for m in messages)
    file.write_bytes(b"".join(records))
    return file


def test_a_recorded_internal_session_becomes_an_external_one(tmp_path: Path) -> None:
    inside = Attributes(
        as_path="65000 {1,2}", next_hop="192.0.2.1", med=5, local_pref=100, communities=("65535:65281", "1:2"),
        aggregator="0 192.0.2.1", originator="192.0.2.9", clusters=("192.0.2.8",),
    )  # fmt: skip
    given = {
        "198.51.100.0/24": inside,
        "203.0.113.0/24": inside._replace(as_path="", communities=(), aggregator="7 192.0.2.1"),
        "203.0.114.0/24": inside._replace(as_path="65000 0"),
        "203.0.115.0/24": inside._replace(as_path=f"65000 {OUR_ASN}"),
    }
    messages = [m for p, a in given.items() for m in updates.announcements([updates.parse_prefix(p)], a)]
    session = Session(0)
    told = Replay().feed(as_external(_recording(tmp_path / "session.mrt", messages), session)).routes
    outside = Attributes(as_path=f"{session.asn} 65000 {{1,2}}", next_hop=session.local, med=5, communities=("1:2",))
    assert told == {
        "198.51.100.0/24": outside,
        "203.0.113.0/24": outside._replace(as_path=str(session.asn), communities=(), aggregator="7 192.0.2.1"),
    }


def test_in_a_contest_each_peer_is_the_best_for_its_share_and_is_told_the_rest(tmp_path: Path) -> None:
    sessions = [Session(n) for n in range(3)]
    tell, told = blobs.contest(Context(tmp_path, 0.001), sessions, 600_000, also_own=False)
    routes = {s: Replay().feed(file.read_bytes()).routes for s, file in tell.items()}
    best = {p: min((routes[s][p] for s in sessions), key=lambda a: len(a.as_path.split())) for p in routes[sessions[0]]}
    assert len(best) == 600
    shares = {s: {p for p, a in best.items() if a == routes[s][p]} for s in sessions}
    assert sum(map(len, shares.values())) == 600
    for s in sessions:
        assert shares[s]
        expected = {p: a for p, a in best.items() if p not in shares[s]}
        assert Replay().feed(told[s].read_bytes()).routes == expected


@pytest.mark.netns
def test_a_job_gives_a_figure_where_contents_are_equal_and_an_error_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(tmp_path, 0.001)
    measured = jobs.re_advertised(BIRD, context)
    assert 0 < measured.seconds < 60
    assert set(measured.memory) == {"bird"}

    monkeypatch.setattr(stage, "LONGEST_QUIET", stage.QUIET)
    best, other = Session(0), Session(1)
    table, another = blobs.table(context, best, 1_000_000), blobs.table(context, best, 500_000)
    with stage.Stage(BIRD, [best, other]) as lab:
        lab.peers.send(best.name, table)
        with pytest.raises(ContentsDiffer, match="bird told 1 peers something else"):
            lab.settled({other: another})


@pytest.mark.netns
def test_the_command_writes_a_row_for_each_daemon_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "rows.json"
    words = ["--jobs", "S4F", "--daemons", ROUTINGD, LIMIT, "--runs", "1", "--scale", "0.003", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    assert main() == 0
    ours, limit = results.read(output)
    assert (ours["daemon"], ours["runs"], limit["daemon"], limit["runs"]) == (ROUTINGD, 1, LIMIT, 1)
    assert 0 < ours["median_s"] < 60
    assert {"rest_after_s", "cpu_until_rest_s"} <= ours.keys()
    assert "ratio_to_limit" not in ours
    assert "<svg" in output.with_suffix(".svg").read_text()


@pytest.mark.netns
def test_churn_times_each_update(tmp_path: Path) -> None:
    measured = churn.churn("churn, short", ROUTINGD, Context(tmp_path, 0.004), seconds=1.0)
    assert measured.notes["updates"] == 5000
    assert 0 < measured.seconds < 60


@pytest.mark.netns
@pytest.mark.parametrize("daemon", [ROUTINGD, BIRD, FRR])
def test_ten_tables_are_all_held_by_the_daemons_own_count(daemon: str, tmp_path: Path) -> None:
    measured = holding.ten_tables(daemon, Context(tmp_path, 0.0005))
    assert 0 < measured.seconds < 60


def test_an_update_whose_prefix_is_written_again_before_the_kernel_told_of_it_has_taken_at_least_so_long() -> None:
    updates = churn.Updates()
    there, gone = ((here, (bytes((198, 18, 0, 0)), 24)) for here in (True, False))
    updates.written([there], 10.0)
    updates.written([there, gone], 11.5)
    updates.told(there, 11.75)
    updates.told(there, 12.0)
    assert (updates.took, updates.overtaken) == ([1.5, 0.25], 1)
    assert updates.waiting == {gone: 11.5}
