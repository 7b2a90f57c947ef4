"""Cuts a stretch of the FIB stream into parts that each fit one frame, in the order an agent must apply them. No
I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

_ENVELOPE: Final = 256
"""What a frame holds besides rows."""
_ID: Final = 5
_ROW: Final = 32
"""msgpack's marks and lengths around the fields of one row, generously."""


class Delta(Protocol):
    """``native.FibDelta`` as far as it is sent."""

    @property
    def adjacencies(self) -> Sequence[tuple[int, str, str, bytes, int]]: ...
    @property
    def groups(self) -> Sequence[tuple[int, bytes, int, bytes]]: ...
    @property
    def routes(self) -> Sequence[tuple[int, bytes, bytes, bytes, bytes]]: ...
    @property
    def dead_groups(self) -> Sequence[int]: ...
    @property
    def dead_adjacencies(self) -> Sequence[int]: ...


Part = dict[str, list[Any]]
"""Fields of one Transaction."""


def cut(delta: Delta, limit: int) -> Iterator[Part]:
    """Parts of at most ``limit`` bytes once encoded. A part only refers to what it or an earlier one has brought."""
    part: Part = {}
    left = limit - _ENVELOPE
    for field, row, size in _pieces(delta, limit - _ENVELOPE):
        if size > left and part:
            yield part
            part, left = {}, limit - _ENVELOPE
        part.setdefault(field, []).append(row)
        left -= size
    if part:
        yield part


def _pieces(delta: Delta, limit: int) -> Iterator[tuple[str, Any, int]]:
    for adjacency in delta.adjacencies:
        yield (
            "adjacencies",
            list(adjacency),
            _ROW + len(adjacency[1].encode()) + len(adjacency[2].encode()) + len(adjacency[3]),
        )
    for group in delta.groups:
        yield "groups", list(group), _ROW + len(group[1]) + len(group[3])
    for row in delta.routes:
        yield from (("routes", piece, size) for piece, size in _slices(row, limit))
    for group_id in delta.dead_groups:
        yield "dead_groups", group_id, _ID
    for adjacency_id in delta.dead_adjacencies:
        yield "dead_adjacencies", adjacency_id, _ID


def _slices(row: tuple[int, bytes, bytes, bytes, bytes], limit: int) -> Iterator[tuple[list[Any], int]]:
    table, dst, plen, nhg, op = row
    count = len(plen)
    width = len(dst) // count if count else 0
    each = width + 6
    step = max(1, (limit - _ROW) // each)
    for at in range(0, count, step):
        end = min(count, at + step)
        piece = [table, dst[at * width : end * width], plen[at:end], nhg[at * 4 : end * 4], op[at:end]]
        yield piece, _ROW + (end - at) * each
