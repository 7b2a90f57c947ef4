"""Election ids across starts: always higher, whatever became of the clock and of the state directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fibd.wire import MOST_ELECTION
from routingd import identity


def clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(identity.time, "time_ns", lambda: int(seconds * 1e9))


def test_each_start_is_above_the_one_before_though_the_clock_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for now in (2e9, 1e9, 1e9, 0, 3e9):
        clock(monkeypatch, now)
        seen.append(identity.choose(tmp_path).election_id)
    assert seen == sorted(set(seen))
    assert seen[-1] == int(3e15)


def test_a_lost_state_directory_and_another_machine_are_above_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, 2e9)
    first = identity.choose(tmp_path / "a")
    clock(monkeypatch, 2e9 + 0.001)
    second = identity.choose(tmp_path / "b")
    assert second.election_id > first.election_id
    assert second.stream_id != first.stream_id


def test_after_it_was_overtaken_the_next_start_is_above_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, 1e9)
    assert identity.choose(tmp_path).election_id < int(2e15)
    identity.overtaken(tmp_path, int(2e15))
    identity.overtaken(tmp_path, 5)
    assert identity.choose(tmp_path).election_id == int(2e15) + 1


@pytest.mark.parametrize("text", ["", "half a numb", "-7", str(MOST_ELECTION), str(1 << 70)])
def test_a_file_that_says_nothing_of_use_counts_as_none(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "election").write_text(text)
    clock(monkeypatch, 2e9)
    assert identity.choose(tmp_path).election_id == int(2e15)


def test_the_id_is_on_disk_before_anybody_is_told_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    chosen = identity.choose(tmp_path)
    assert [path.name for path in synced] == ["election.new", tmp_path.name]
    assert (tmp_path / "election").read_text() == f"{chosen.election_id}\n"
