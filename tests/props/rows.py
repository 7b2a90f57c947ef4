"""The dictionaries that engines answer with, without the numbers that each engine hands out as it likes."""

from __future__ import annotations

from typing import Any

ENDS = 1000  # pages, at most


def without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [without(row, "id", "adjacency") for row in rows]


def route(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of ``lookup``."""
    if row is None:
        return None
    paths = []
    for path in row["paths"]:
        hops = [
            without(hop, "adjacencies", "via", "metric")
            | {"adjacencies": without_ids(hop["adjacencies"])}
            | ({"via": hop["via"], "metric": hop["metric"]} if hop["resolved"] else {})
            for hop in path["next_hops"]
        ]
        paths.append(without(path, "next_hops") | {"next_hops": hops})
    paths.sort(key=lambda path: (path["source"], path["path_id"]))
    return without(row, "paths", "group") | {"paths": paths, "group": group(row["group"]) if row["group"] else None}


def group(row: dict[str, Any]) -> dict[str, Any]:
    return without(row, "id", "members") | {"members": without_ids(row["members"])}


def groups(engine: Any) -> list[dict[str, Any]]:
    return sorted((group(row) for row in engine.groups()), key=lambda row: str(row["key"]))


def group_keys(engine: Any) -> dict[int, str]:
    return {row["id"]: row["key"] for row in engine.groups()}


def listed(row: dict[str, Any], keys: dict[int, str]) -> dict[str, Any]:
    """Of ``page``, ``query``, ``covering``: the group by its key."""
    group = None if row["group"] is None else keys.get(row["group"], "gone")
    return without(row, "group", "next_hops") | {"group": group, "next_hops": without_ids(row["next_hops"])}


def pages(engine: Any, afi: int, instance: int) -> list[dict[str, Any]]:
    """All of ``page``, in one order: its own is nobody's business."""
    rows: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        part, cursor = engine.page(afi, cursor, 3, instance=instance)
        assert len(part) <= 3
        rows += part
    keys = group_keys(engine)
    return sorted((listed(row, keys) for row in rows), key=lambda row: str(row["prefix"]))


def query_pages(
    engine: Any, afi: int, limit: int, *, after: tuple[bytes, int] | None = None, **criteria: Any
) -> list[dict[str, Any]]:
    """All pages of ``query`` joined, each held to what a page promises."""
    rows: list[dict[str, Any]] = []
    keys = group_keys(engine)
    for _ in range(ENDS):
        part, after = engine.query(afi, after=after, limit=limit, **criteria)
        prefixes = [row["prefix"] for row in part]
        assert not set(prefixes) & {row["prefix"] for row in rows}, "a page ended within a prefix"
        assert len(part) <= limit or len([one for one in prefixes if one != prefixes[-1]]) < limit
        rows += [listed(row, keys) for row in part]
        if after is None:
            return rows
        assert part, "a page without routes that is not the last"
    raise AssertionError("the pages do not end")


def next_hops(engine: Any) -> list[dict[str, Any]]:
    """Of ``next_hops``, without history."""
    rows = [
        without(row, "id", "changed", "change", "adjacencies") | {"adjacencies": without_ids(row["adjacencies"])}
        for row in engine.next_hops()
    ]
    return sorted(rows, key=lambda row: (row["instance"], str(row["address"]), str(row)))


def told(row: dict[str, Any], keys: dict[int, str]) -> dict[str, Any]:
    """What a reader of ``watch`` relies on: route and group, not how the group or the losers stand now."""
    return without(listed(row, keys), "op", "step", "stale", "next_hops", "role")
