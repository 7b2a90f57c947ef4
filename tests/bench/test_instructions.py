"""What ``make bench-instructions`` makes of callgrind's counts. The pieces themselves run under ``cargo test``."""

import pytest

from bench.instructions import KEPT, Kept, compare, sum_up, total


def test_stretches_of_a_piece_are_summed_over_all_its_prefixes() -> None:
    stretches = ["IPv4 decode\t100", "IPv4 agent, netlink\t100", "IPv4 agent, netlink\t0"]
    assert sum_up(stretches, [4000, 900, 100]) == {"IPv4 decode": 40.0, "IPv4 agent, netlink": 10.0}


def test_a_stretch_without_its_file_is_no_result() -> None:
    with pytest.raises(ValueError):
        sum_up(["IPv4 decode\t100", "IPv4 frame\t100"], [4000])


def test_the_instructions_of_a_stretch_are_the_first_of_its_totals() -> None:
    assert total("version: 1\nevents: Ir Dr\nfn=(1) decode\n12 7 1\ntotals: 4711 12\n") == 4711


def test_more_than_the_tolerance_is_a_regression_and_less_is_none() -> None:
    kept = {"same": 100.0, "noise": 100.0, "worse": 100.0, "better": 100.0, "dropped": 5.0}
    found = {"same": 100.0, "noise": 101.9, "worse": 102.1, "better": 90.0, "fresh": 7.0}
    rows = compare(kept, found)
    assert [(row.piece, row.verdict) for row in rows] == [
        ("same", ""),
        ("noise", ""),
        ("worse", "MORE"),
        ("better", "less"),
        ("fresh", "new"),
        ("dropped", "gone"),
    ]
    assert str(rows[2]).split() == ["worse", "102.10", "100.00", "+2.10%", "MORE"]
    assert str(rows[4]).split() == ["fresh", "7.00", "-", "new"]


def test_what_is_kept_is_read_back() -> None:
    kept = Kept("rustc 1.95.0, x86_64-unknown-linux-gnu, glibc 2.36", {"IPv4 insert, new": 1219.26, "IPv6 frame": 39.3})
    assert Kept.parse(kept.text()) == kept


def test_the_file_of_the_tree_names_its_compiler_and_every_piece_in_both_families() -> None:
    kept = Kept.parse(KEPT.read_text())
    assert kept.made_by.startswith("rustc ")
    pieces = {
        family: {p.removeprefix(family) for p in kept.costs if p.startswith(family)} for family in ("IPv4", "IPv6")
    }
    assert pieces["IPv4"] == pieces["IPv6"]
    assert " insert, new" in pieces["IPv4"]
    assert all(cost > 0 for cost in kept.costs.values())
