from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cursor import Cursor, CursorError


def test_numbers_are_read_in_network_order() -> None:
    cursor = Cursor(bytes.fromhex("01 0203 04050607 08"))
    assert (cursor.u8(), cursor.u16(), cursor.u32(), cursor.rest()) == (1, 0x0203, 0x04050607, b"\x08")
    cursor.finish()


def test_a_child_cannot_leave_its_field() -> None:
    cursor = Cursor(b"\x01\x02\x03\x04")
    child = cursor.child(2)
    with pytest.raises(CursorError, match="4 octets wanted, 2 left"):
        child.u32()
    assert cursor.rest() == b"\x03\x04"


def test_what_is_left_over_is_an_error() -> None:
    with pytest.raises(CursorError, match="1 octets too many"):
        Cursor(b"\x00").finish()


def test_peeking_moves_nothing() -> None:
    cursor = Cursor(b"\x07")
    assert (cursor.peek(), cursor.u8(), cursor.peek()) == (7, 7, None)


@given(st.binary(max_size=32), st.lists(st.integers(-5, 40), max_size=8))
def test_reads_never_pass_the_end_nor_overlap(data: bytes, counts: list[int]) -> None:
    cursor, got = Cursor(data), b""
    for count in counts:
        try:
            got += cursor.take(count)
        except CursorError:
            assert count < 0 or count > len(cursor)
    assert got + cursor.rest() == data
