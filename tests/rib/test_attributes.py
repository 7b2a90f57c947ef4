"""AS paths and attribute sets: text, meaning, and the rows they come from."""

from __future__ import annotations

import pytest

from rib.attributes import (
    PathAttributes,
    as_path_length,
    as_path_text,
    neighbor_as,
    origin_as,
    parse_as_path,
    prepended,
)
from tests.rib.building import attributes_row


@pytest.mark.parametrize(
    ("text", "length", "neighbor", "origin"),
    [
        ("", 0, 0, None),
        ("65001 65002", 2, 65001, 65002),
        ("65001 {1,2,3}", 2, 65001, None),
        ("{1,2} 65001", 2, 0, 65001),
        ("(3 4) 65001", 1, 65001, 65001),
        ("(3 4)", 0, 0, None),
        ("[5 6] (7) 4200000000 {8} 9", 3, 4200000000, 9),
    ],
)
def test_an_as_path_reads_as_it_is_written(text: str, length: int, neighbor: int, origin: int | None) -> None:
    path = parse_as_path(text)
    assert as_path_text(path) == text
    assert (as_path_length(path), neighbor_as(path), origin_as(path)) == (length, neighbor, origin)


def test_prepending_opens_a_new_segment_only_where_there_is_no_sequence_with_room() -> None:
    assert as_path_text(prepended(parse_as_path("2 3"), 1)) == "1 2 3"
    assert as_path_text(prepended(parse_as_path("{2}"), 1)) == "1 {2}"
    assert as_path_text(prepended((), 1)) == "1"
    full = parse_as_path(" ".join(["7"] * 255))
    assert [len(segment.asns) for segment in prepended(full, 1)] == [1, 255]


def test_an_attribute_set_survives_the_way_through_rows() -> None:
    row = attributes_row(
        "192.0.2.1",
        "65001 {1,2}",
        origin="incomplete",
        med=0,
        local_pref=4294967295,
        atomic_aggregate=True,
        aggregator="4200000000 192.0.2.9",
        communities=["65535:65281", "0:7"],
        originator_id="1.2.3.4",
        cluster_list=["1.0.0.1", "1.0.0.2"],
        extended_communities=["0002fde800000001"],
        large_communities=["4200000000:1:2"],
        aigp=1 << 63,
        otc=65001,
        unknown=[[0xE0, 99, "0102"]],
    )
    assert PathAttributes.from_row(row).to_row() == row
