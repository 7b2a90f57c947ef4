"""The decision process: which of a prefix's paths is best, and at which step each other one lost.

RFC 4271 9.1.1 and 9.1.2.2 with RFC 4456 9, as elimination from the *set*: MED makes the pairwise order of paths
non-transitive, so no
sort and no running comparison with a best-so-far gives the RFC's answer. Pure: paths and resolutions in, Selection out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rib.attributes import as_path_length, neighbor_as
from rib.path import Path, Protocol
from rib.resolution import Resolutions, igp_metric, usable
from rib.step import Step

DEFAULT_LOCAL_PREF: Final = 100

Keep = Callable[[Sequence[Path], Resolutions], list[Path]]


@dataclass(frozen=True, slots=True)
class Selection:
    """``step`` left ``best`` alone. ``lost`` names the step of each usable loser, ``unusable`` the paths that never
    took part."""

    best: Path | None
    step: Step
    lost: dict[tuple[int, int], Step] = field(default_factory=dict)
    unusable: tuple[Path, ...] = ()


def lowest(key: Callable[[Path, Resolutions], Any]) -> Keep:
    """A step that keeps the paths for which ``key`` is least."""

    def keep(paths: Sequence[Path], known: Resolutions) -> list[Path]:
        values = [key(path, known) for path in paths]
        least = min(values)
        return [path for path, value in zip(paths, values, strict=True) if value == least]

    return keep


def least_med_of_each_neighbor(paths: Sequence[Path], known: Resolutions) -> list[Path]:
    """RFC 4271 9.1.2.2 c: MED says something only among routes from the same neighbouring AS; a missing one counts
    0."""
    least: dict[int, int] = {}
    for path in paths:
        neighbor = neighbor_as(path.attributes.as_path)
        least[neighbor] = min(med(path), least.get(neighbor, med(path)))
    return [path for path in paths if med(path) == least[neighbor_as(path.attributes.as_path)]]


def med(path: Path) -> int:
    return path.attributes.med or 0


def local_pref(path: Path) -> int:
    value = path.attributes.local_pref
    return DEFAULT_LOCAL_PREF if value is None else value


def router_id(path: Path) -> bytes:
    """RFC 4456 9: the ORIGINATOR_ID stands for the router id of a reflected route."""
    return path.attributes.originator_id or path.source.router_id


def address_order(address: bytes) -> tuple[int, bytes]:
    return len(address), address


BGP_STEPS: Final[tuple[tuple[Step, Keep], ...]] = (
    (Step.LOCAL_PREF, lowest(lambda path, _: -local_pref(path))),  # RFC 4271 9.1.1
    (Step.AS_PATH_LENGTH, lowest(lambda path, _: as_path_length(path.attributes.as_path))),  # 9.1.2.2 a
    (Step.ORIGIN, lowest(lambda path, _: path.attributes.origin)),  # b
    (Step.MED, least_med_of_each_neighbor),  # c
    (Step.EBGP_OVER_IBGP, lowest(lambda path, _: not path.source.ebgp)),  # d
    (Step.IGP_METRIC, lowest(igp_metric)),  # e
    (Step.ROUTER_ID, lowest(lambda path, _: router_id(path))),  # f, RFC 4456 9
    (Step.CLUSTER_LIST_LENGTH, lowest(lambda path, _: len(path.attributes.cluster_list))),  # RFC 4456 9
    (Step.PEER_ADDRESS, lowest(lambda path, _: address_order(path.source.address))),  # g
    (Step.PATH_ID, lowest(lambda path, _: path.path_id)),
    (Step.SOURCE, lowest(lambda path, _: path.source.number)),
)
LOCAL_STEPS: Final[tuple[tuple[Step, Keep], ...]] = (
    (Step.DISTANCE, lowest(lambda path, _: path.distance)),
    (Step.METRIC, lowest(lambda path, _: path.metric)),
    (Step.SOURCE, lowest(lambda path, _: path.source.number)),
    (Step.PATH_ID, lowest(lambda path, _: path.path_id)),
)
STEPS: Final = {Protocol.CONNECTED: LOCAL_STEPS, Protocol.STATIC: LOCAL_STEPS, Protocol.BGP: BGP_STEPS}
BETWEEN_PROTOCOLS: Final[tuple[tuple[Step, Keep], ...]] = (
    (Step.DISTANCE, lowest(lambda path, _: path.distance)),
    (Step.PROTOCOL, lowest(lambda path, _: path.protocol)),
)


def select(paths: Iterable[Path], known: Resolutions) -> Selection:
    """First the best path of each protocol by that protocol's steps, then the best of these by distance."""
    candidates = list(paths)
    taking_part = [path for path in candidates if usable(path, known)]
    unusable = tuple(path for path in candidates if path not in taking_part)
    if not taking_part:
        return Selection(None, Step.NONE, {}, unusable)
    lost: dict[tuple[int, int], Step] = {}
    winners = []
    step = Step.ONLY
    for protocol in Protocol:
        of_protocol = [path for path in taking_part if path.protocol is protocol]
        if of_protocol:
            winner, step = eliminate(of_protocol, STEPS[protocol], known, lost)
            winners.append(winner)
    if len(winners) > 1:
        best, step = eliminate(winners, BETWEEN_PROTOCOLS, known, lost)
    else:
        best = winners[0]
    return Selection(best, step, lost, unusable)


def eliminate(
    paths: Sequence[Path], steps: Sequence[tuple[Step, Keep]], known: Resolutions, lost: dict[tuple[int, int], Step]
) -> tuple[Path, Step]:
    """The path that is left, and the step that left it alone. Each path that goes is entered in ``lost`` with its
    step."""
    remaining = list(paths)
    deciding = Step.ONLY
    for step, keep in steps:
        if len(remaining) == 1:
            break
        kept = keep(remaining, known)
        lost.update((path.key, step) for path in remaining if path not in kept)
        if len(kept) < len(remaining):
            deciding = step
        remaining = kept
    return remaining[0], deciding
