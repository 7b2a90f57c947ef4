"""Our speaker by feature and by daemon: which exchanges a run of the tests made, and how they ended.

A test says `@pytest.mark.matrix(feature, daemon)` for every cell that it judges from both ends. At the end of a run the
table is printed. A daemon that lacks a feature has its reason here instead of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import pytest

DAEMONS: Final = {
    "bird": "BIRD 2.0.12",
    "frr": "FRR 8.4.4",
    "gobgp": "GoBGP 3.10",
    "openbgpd": "OpenBGPD 7.7",
    "exabgp": "ExaBGP 5.0",
}
FEATURES: Final[tuple[str, ...]] = (
    "routes both ways: eBGP",
    "routes both ways: iBGP",
    "we alone connect",
    "they alone connect",
    "AS numbers of four octets (RFC 6793)",
    "AS_TRANS, AS4_PATH with two octets (RFC 6793)",
    "extended messages (RFC 8654)",
    "IPv4 over IPv6 next hops (RFC 8950)",
    "roles and OTC (RFC 9234)",
    "route refresh (RFC 2918)",
    "enhanced route refresh: sent (RFC 7313)",
    "own AS allowed, AS_PATH bounded",
    "first AS enforced (RFC 4271 6.3)",
    "third-party and unchanged next hops",
    "private AS numbers, AS override",
    "link-local next hops (RFC 2545)",
    "communities of three kinds, unknown attributes",
    "shutdown with a message: ours (RFC 9003)",
    "shutdown with a message: theirs (RFC 9003)",
    "hold time 0",
    "DelayOpen",
    "maximum prefixes: ours (RFC 4486)",
    "maximum prefixes: theirs (RFC 4486)",
    "reflection: our client, and not (RFC 4456)",
    "reflection: their client (RFC 4456)",
    "reflection: loops refused (RFC 4456 8)",
    "enhanced route refresh: received (RFC 7313)",
    "graceful restart: helper (RFC 4724)",
    "graceful restart: restarter (RFC 4724)",
    "graceful restart: notifications (RFC 8538)",
    "long-lived graceful restart: helper (RFC 9494)",
    "confederation: from outside (RFC 5065)",
    "confederation: as its members (RFC 5065)",
    "several paths: received (RFC 7911)",
    "TCP MD5 (RFC 2385)",
    "GTSM (RFC 5082)",
    "external, several hops away",
    "several paths: sent (RFC 7911)",
    "dynamic neighbors",
    "link-local neighbors",
    "name of the router (FQDN)",
    "unnumbered neighbors (RFC 4861, RFC 8950)",
)
"""In the order of the table."""
_GLOBAL_ALONE: Final = "shows the global address alone"
_BY_ADDRESS: Final = "knows neighbors by address (or prefix) alone"
_SHORT: Final = "it does not offer the capability"
_INJECTS: Final = "tells routes and takes none on: it cannot reflect"
_NO_RESTART: Final = "it offers graceful restart for no family"
_NO_CONFEDERATIONS: Final = "no confederations"
LACKS: Final[Mapping[tuple[str, str], str]] = {
    ("AS_TRANS, AS4_PATH with two octets (RFC 6793)", "gobgp"): "it always offers four octets",
    ("AS_TRANS, AS4_PATH with two octets (RFC 6793)", "frr"): "told to offer no capabilities it still goes by ours",
    ("extended messages (RFC 8654)", "gobgp"): _SHORT,
    ("IPv4 over IPv6 next hops (RFC 8950)", "openbgpd"): _SHORT,
    ("roles and OTC (RFC 9234)", "gobgp"): _SHORT,
    ("roles and OTC (RFC 9234)", "exabgp"): _SHORT,
    ("extended messages (RFC 8654)", "openbgpd"): _SHORT,
    ("unnumbered neighbors (RFC 4861, RFC 8950)", "openbgpd"): _BY_ADDRESS,
    ("unnumbered neighbors (RFC 4861, RFC 8950)", "exabgp"): _BY_ADDRESS,
    ("graceful restart: helper (RFC 4724)", "openbgpd"): _NO_RESTART,
    ("graceful restart: notifications (RFC 8538)", "openbgpd"): _NO_RESTART,
    ("graceful restart: notifications (RFC 8538)", "bird"): "it does not set the N bit",
    ("graceful restart: notifications (RFC 8538)", "exabgp"): "it does not set the N bit",
    ("long-lived graceful restart: helper (RFC 9494)", "openbgpd"): "it does not offer the capability",
    ("long-lived graceful restart: helper (RFC 9494)", "exabgp"): "it does not offer the capability",
    ("own AS allowed, AS_PATH bounded", "openbgpd"): "originates no path with numbers that are not its own",
    ("first AS enforced (RFC 4271 6.3)", "gobgp"): "puts its AS in front of all that it originates",
    ("communities of three kinds, unknown attributes", "exabgp"): "takes no route on, so it passes none on",
    ("link-local next hops (RFC 2545)", "gobgp"): _GLOBAL_ALONE,
    ("link-local next hops (RFC 2545)", "openbgpd"): _GLOBAL_ALONE,
    ("enhanced route refresh: sent (RFC 7313)", "gobgp"): "it does not offer enhanced route refresh",
    ("enhanced route refresh: sent (RFC 7313)", "exabgp"): "it asks for no refresh by itself",
    ("enhanced route refresh: received (RFC 7313)", "gobgp"): "it does not offer enhanced route refresh",
    (
        "enhanced route refresh: received (RFC 7313)",
        "openbgpd",
    ): "it answers no request: AID IPv4 unicast not negotiated",
    ("confederation: as its members (RFC 5065)", "openbgpd"): _NO_CONFEDERATIONS,
    ("confederation: as its members (RFC 5065)", "exabgp"): _NO_CONFEDERATIONS,
    ("graceful restart: restarter (RFC 4724)", "exabgp"): "it tells routes and takes none on: it keeps none either",
    ("maximum prefixes: theirs (RFC 4486)", "exabgp"): "it has no limit",
    **{("DelayOpen", daemon): "it has none" for daemon in ("bird", "gobgp", "openbgpd", "exabgp")},
    ("hold time 0", "gobgp"): "0 in its configuration stands for the default, 90",
    ("hold time 0", "openbgpd"): "its configuration takes 3 s and more",
    ("shutdown with a message: theirs (RFC 9003)", "exabgp"): "it has no command that ends a session with a message",
    ("name of the router (FQDN)", "openbgpd"): "it neither tells nor shows names",
    ("reflection: their client (RFC 4456)", "exabgp"): _INJECTS,
    ("reflection: loops refused (RFC 4456 8)", "exabgp"): _INJECTS,
}
"""(feature, daemon): why there is nothing to exchange."""

Cell = tuple[str, str]
T = TypeVar("T")


def against(*features: str, **daemons: Any) -> list[Any]:
    """Values for a parameter, one per daemon and marked with its cells: `against("roles", bird=Bird, frr=Frr)`."""
    return [
        pytest.param(value, id=daemon, marks=[pytest.mark.matrix(feature, daemon) for feature in features])
        for daemon, value in daemons.items()
    ]


def marked(feature: str, *daemons: str) -> Callable[[T], T]:
    """For a test in whose lab there are several."""

    def mark(test: T) -> T:
        for daemon in daemons:
            test = pytest.mark.matrix(feature, daemon)(test)
        return test

    return mark


def unknown(marked: Iterable[Cell]) -> set[Cell]:
    """Cells that tests claim and the table has no place for."""
    return {(f, d) for f, d in marked if f not in FEATURES or d not in DAEMONS or (f, d) in LACKS}


def missing(marked: Iterable[Cell]) -> set[Cell]:
    """Cells with neither a test nor a reason."""
    every = {(feature, daemon) for feature in FEATURES for daemon in DAEMONS}
    return every - set(marked) - set(LACKS)


def rendered(outcomes: Mapping[Cell, Sequence[str]]) -> list[str]:
    """Lines of the table. ``outcomes``: of each cell those of its tests ("passed", "failed", "skipped")."""
    width = max(map(len, FEATURES))
    columns = {name: max(len(title), 6) for name, title in DAEMONS.items()}
    head = "  ".join(f"{title:^{columns[name]}}" for name, title in DAEMONS.items())
    lines = [f"{'':{width}}  {head}".rstrip()]
    for feature in FEATURES:
        cells = (f"{_word((feature, d), outcomes):^{columns[d]}}" for d in DAEMONS)
        lines.append(f"{feature:{width}}  {'  '.join(cells)}".rstrip())
    reasons: dict[str, list[str]] = {}
    for (feature, daemon), reason in LACKS.items():
        reasons.setdefault(f"{DAEMONS[daemon]}: {reason}", []).append(feature)
    lines += [f"- {reason}: {', '.join(features)}" for reason, features in sorted(reasons.items())]
    return lines


def _word(cell: Cell, outcomes: Mapping[Cell, Sequence[str]]) -> str:
    if cell in LACKS:
        return "-"
    of = outcomes.get(cell, ())
    if not of:
        return "."
    return "FAILED" if "failed" in of else "ok" if "passed" in of else "skipped"
