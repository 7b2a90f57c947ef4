"""show ncp NAME detail: the stream to a box, what became of it there, and what the box says of itself."""

from __future__ import annotations

from typing import Any, Final

from routingd.cli.state import ncp
from routingd.cli.tables import duration, facts, heading, table

Data = dict[str, Any]
_SHOWN: Final = frozenset(
    {"routes", "installed", "pending", "failed", "groups", "streams", "refused", "too_often", "digest", "applied"}
    | {"ipv4", "ipv6", "snapshots", "complete", "connections", "problems"}
)
"""Of an agent's counters, those that stand elsewhere or say nothing to a person."""


def details(answer: Data) -> None:
    for n in answer["ncps"]:
        ncp(n)
        _section("Stream", _stream(n))
        _section("FIB", _fib(n))
        _table("Refused routes", ("Error", "Text", "Attempts"), [_error(e) for e in n["errors"]])
        _table("BGP sessions with their socket here", ("Neighbor", "State", "Local", "Remote"), _sessions(n))
        _section("Agent", _agent(n))
        _table("Kernel", ("Fact", "Holds", "Measured", "Means"), [_fact(f) for f in n["kernel_facts"]])


def _stream(n: Data) -> list[tuple[str, object]]:
    sequence = ("sent", "received", "applied", "installed")
    seen = n["latency"]
    return [
        ("Sequence", ", ".join(f"{word} {n[f'sequence_{word}']}" for word in sequence)),
        ("Outstanding", f"{n['outstanding_transactions']} transactions, {n['outstanding_bytes']} bytes"),
        ("Credit", f"{max(0, n['credit_bytes'] - n['outstanding_bytes'])} of {n['credit_bytes']} bytes left"),
        ("Lag", "none" if n["caught_up"] else f"{n['lag']:.3f} s since the oldest of them was sent"),
        ("Taken up", _taken_up(n)),
        ("Disagreements", n["disagreements"]),
        ("Facts used", f"up to {n['fact_sequence']}"),
        (
            "RIB to kernel",
            f"median {seconds(seen['median'])}, 99 % within {seconds(seen['most'])}, "
            f"longest {seconds(seen['longest'])}, of {seen['count']}"
            if seen["count"]
            else None,
        ),
    ]


_TAKEN_UP: Final = {
    "position": "from its position",
    "shards": "by digests of shards, {resent_shards} of which differed",
    "snapshot": "by a whole snapshot",
}


def _taken_up(n: Data) -> str | None:
    """How the stream went on when the box last connected."""
    if n["resumed"] not in _TAKEN_UP:
        return None
    how = _TAKEN_UP[n["resumed"]].format(**n)
    often = ", ".join(f"{count} by {word}" for word, count in sorted(n["resumes"].items()))
    return f"{how}, {n['resent_routes']} routes sent ({often} so far)"


def _fib(n: Data) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, told in (("RIB", n["controller_fib"]), ("Agent's model", n["model_fib"])):
        text = f"{told['ipv4']} IPv4, {told['ipv6']} IPv6, digest {told['digest']}" if told is not None else "unknown"
        rows.append((name, text))
    rows.append(("Kernel", _kernel(n["audit"])))
    return rows


def _kernel(audit: Data | None) -> str:
    if audit is None:
        return "not compared with the model yet"
    found = f"{audit['drifted']} drifted, {audit['repaired']} repaired" if audit["drifted"] else "as the model says"
    contested = f", {audit['contested']} contested by another program" if audit["contested"] else ""
    when = f"{duration(audit['ago'])} ago in {seconds(audit['seconds'])}"
    return f"{audit['compared']} routes compared {when}: {found}{contested}"


def _error(e: Data) -> tuple[object, ...]:
    return (f"{e['name']} ({e['errno']})" if e["name"] else e["errno"], e["text"], e["count"])


def _sessions(n: Data) -> list[tuple[object, ...]]:
    return [(s["address"], s["state"], s["local"], s["remote"]) for s in n["sessions"]]


def _fact(f: Data) -> tuple[object, ...]:
    holds = "unknown" if f["holds"] is None else "yes" if f["holds"] else "no"
    return (f["code"].replace("-", " "), holds, f["measured"], "" if f["holds"] else f["means"])


def _agent(n: Data) -> list[tuple[str, object]]:
    """What it counts, by the names it has for that, so that an agent may be newer than we are."""
    beat = n["beat"]
    rows: list[tuple[str, object]] = []
    if beat is not None:
        rows += [("event loop late", f"{beat['lag']:.3f} s"), ("waiting for the kernel", beat["queue_depth"])]
    for name, value in n["agent"].items():
        if name not in _SHOWN and isinstance(value, int | float | str) and not isinstance(value, bool):
            rows.append((name.replace("_", " "), value))
    return rows + [("problem", problem) for problem in n["agent"].get("problems", ())]


def _section(title: str, rows: list[tuple[str, object]]) -> None:
    if rows:
        heading(title)
        facts(rows)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        heading(title)
        table(columns, rows, right=("Attempts",))


def seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.1f} s" if value < 60 else duration(value)
