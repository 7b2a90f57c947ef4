"""The decision process: which of a prefix's paths is best, at which step each other one lost, which are used beside the
best one, and which stands by.

RFC 4271 9.1.1 and 9.1.2.2 with RFC 4456 9, RFC 5004, RFC 7311 4.1 and RFC 9494 4.3, as elimination from the *set*: MED
makes the pairwise order of paths non-transitive, so no sort and no running comparison with a best-so-far gives the
RFC's answer. Pure: paths, resolutions and options in, Selection out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rib.attributes import as_path_length, neighbor_as
from rib.options import Options
from rib.path import Path, Protocol
from rib.resolution import Resolutions, igp_metric, usable
from rib.step import Step

WORST_MED: Final = 0xFFFFFFFF
WORST_AIGP: Final = 0xFFFFFFFFFFFFFFFF

Key = Callable[[Path], Any]
Keep = Callable[[Sequence[Path]], list[Path]]
Steps = list[tuple[Step, Keep]]


@dataclass(frozen=True, slots=True)
class Selection:
    """``step`` left ``best`` alone. ``lost`` names the step of each usable loser, ``unusable`` the paths that never
    took part. ``members`` are the paths used at the same time, the best one first; ``backup`` is to be used when these
    are gone."""

    best: Path | None
    step: Step
    lost: dict[tuple[int, int], Step] = field(default_factory=dict)
    unusable: tuple[Path, ...] = ()
    members: tuple[Path, ...] = ()
    backup: Path | None = None

    def role(self, path: Path) -> str:
        if self.best is not None and path.key == self.best.key:
            return "best"
        if any(path.key == member.key for member in self.members):
            return "multipath"
        return "backup" if self.backup is not None and path.key == self.backup.key else ""


def select(paths: Iterable[Path], known: Resolutions, options: Options) -> Selection:
    """First the best path of each protocol by that protocol's steps, then the best of these by distance."""
    candidates = list(paths)
    taking_part = [path for path in candidates if usable(path, known)]
    unusable = tuple(path for path in candidates if path not in taking_part)
    lost: dict[tuple[int, int], Step] = {}
    winners: list[Path] = []
    step = Step.NONE
    for protocol in (Protocol.CONNECTED, Protocol.STATIC):
        of_protocol = [path for path in taking_part if path.protocol is protocol]
        if of_protocol:
            (winner,), step = eliminate(of_protocol, LOCAL_STEPS, lost)
            winners.append(winner)
    of_bgp = [path for path in taking_part if path.protocol is Protocol.BGP]
    equal: list[Path] = []
    if of_bgp:
        winner, equal, step = select_bgp(of_bgp, known, options, lost)
        winners.append(winner)
    if not winners:
        return Selection(None, Step.NONE, {}, unusable)
    if len(winners) > 1:
        winners, step = eliminate(winners, BETWEEN_PROTOCOLS, lost)
    best = winners[0]
    if best.protocol is not Protocol.BGP:
        return Selection(best, step, lost, unusable, (best,))
    members = multipath(best, equal, options)
    backup = backup_for(members, of_bgp, known, options) if options.backup else None
    return Selection(best, step, lost, unusable, members, backup)


def eliminate(paths: Sequence[Path], steps: Steps, lost: dict[tuple[int, int], Step]) -> tuple[list[Path], Step]:
    """The paths that are left, and the last step at which one went. Each path that goes is entered in ``lost`` with its
    step."""
    remaining = list(paths)
    deciding = Step.ONLY
    for step, keep in steps:
        if len(remaining) == 1:
            break
        kept = keep(remaining)
        lost.update((path.key, step) for path in remaining if path not in kept)
        if len(kept) < len(remaining):
            deciding = step
        remaining = kept
    return remaining, deciding


def lowest(key: Key) -> Keep:
    """A step that keeps the paths for which ``key`` is least."""

    def keep(paths: Sequence[Path]) -> list[Path]:
        values = [key(path) for path in paths]
        least = min(values)
        return [path for path, value in zip(paths, values, strict=True) if value == least]

    return keep


LOCAL_STEPS: Final[Steps] = [
    (Step.DISTANCE, lowest(lambda path: path.distance)),
    (Step.METRIC, lowest(lambda path: path.metric)),
    (Step.SOURCE, lowest(lambda path: path.source.number)),
    (Step.PATH_ID, lowest(lambda path: path.path_id)),
]
BETWEEN_PROTOCOLS: Final[Steps] = [
    (Step.DISTANCE, lowest(lambda path: path.distance)),
    (Step.PROTOCOL, lowest(lambda path: path.protocol)),
]


# --- BGP --------------------------------------------------------------------------------------------------------------


def select_bgp(
    paths: Sequence[Path], known: Resolutions, options: Options, lost: dict[tuple[int, int], Step]
) -> tuple[Path, list[Path], Step]:
    """The best path, those that were as good as it until only tie-breaking was left, and the deciding step."""
    equal, step = eliminate(paths, bgp_steps(known, options), lost)
    ties: Steps = [(tie, lowest(key)) for tie, key in tie_breakers(equal, options)]
    (best,), tie = eliminate(equal, ties, lost)
    return best, equal, step if tie is Step.ONLY else tie


def bgp_steps(known: Resolutions, options: Options) -> Steps:
    """The steps at which one path is really better than another."""
    steps: Steps = [
        (Step.STALE, lowest(lambda path: path.least_preferred)),  # RFC 9494 4.3
        (Step.WEIGHT, lowest(lambda path: -path.source.weight)),
        (Step.LOCAL_PREF, lowest(lambda path: -local_pref(path, options))),  # RFC 4271 9.1.1
        (Step.AIGP, least_aigp(known)),  # RFC 7311 4.1: before all of 9.1.2.2
    ]
    if not options.as_path_ignore:
        steps.append((Step.AS_PATH_LENGTH, lowest(lambda path: as_path_length(path.attributes.as_path))))  # 9.1.2.2 a
    return [
        *steps,
        (Step.ORIGIN, lowest(lambda path: path.attributes.origin)),  # b
        (Step.MED, least_med(options)),  # c
        (Step.EBGP_OVER_IBGP, lowest(lambda path: not path.source.ebgp)),  # d
        (Step.IGP_METRIC, lowest(lambda path: igp_metric(path, known))),  # e
    ]


def tie_breakers(equal: Sequence[Path], options: Options) -> list[tuple[Step, Key]]:
    """What decides between paths that are as good as each other: each has a key, and the lowest wins."""
    external = all(path.source.ebgp for path in equal)  # if one is, all are: step d saw to it
    ties: list[tuple[Step, Key]] = []
    if options.prefer_oldest and external:
        ties.append((Step.OLDEST, lambda path: path.since))  # RFC 5004
    if options.compare_router_id or not external:
        ties.append((Step.ROUTER_ID, router_id))  # RFC 4271 9.1.2.2 f, RFC 4456 9
    return [
        *ties,
        (Step.CLUSTER_LIST_LENGTH, lambda path: len(path.attributes.cluster_list)),  # RFC 4456 9
        (Step.PEER_ADDRESS, lambda path: address_order(path.source.address)),  # RFC 4271 9.1.2.2 g
        (Step.PATH_ID, lambda path: path.path_id),
        (Step.SOURCE, lambda path: path.source.number),
    ]


def local_pref(path: Path, options: Options) -> int:
    value = path.attributes.local_pref
    return options.default_local_pref if value is None else value


def least_aigp(known: Resolutions) -> Keep:
    """RFC 7311 4.1: where any path has AIGP those without go; what counts is the way to the far end, AIGP and the
    interior cost to the next hop."""

    def keep(paths: Sequence[Path]) -> list[Path]:
        costs = {path.key: aigp_cost(path, known) for path in paths if path.attributes.aigp is not None}
        if not costs:
            return list(paths)
        least = min(costs.values())
        return [path for path in paths if costs.get(path.key) == least]

    return keep


def aigp_cost(path: Path, known: Resolutions) -> int:
    """The sum does not wrap: what is too far for 64 bits is as far as they can say."""
    return min((path.attributes.aigp or 0) + igp_metric(path, known), WORST_AIGP)


def least_med(options: Options) -> Keep:
    """RFC 4271 9.1.2.2 c: MED says something only among routes from the same neighbouring AS, unless it is always to be
    compared."""

    def compared_among(path: Path) -> int:
        return 0 if options.always_compare_med else neighbor_as(path.attributes.as_path)

    def med(path: Path) -> int:
        if path.attributes.med is None:
            return WORST_MED if options.missing_med_as_worst else 0
        return path.attributes.med

    def keep(paths: Sequence[Path]) -> list[Path]:
        least: dict[int, int] = {}
        for path in paths:
            least[compared_among(path)] = min(med(path), least.get(compared_among(path), WORST_MED))
        return [path for path in paths if med(path) == least[compared_among(path)]]

    return keep


def router_id(path: Path) -> bytes:
    """RFC 4456 9: the ORIGINATOR_ID stands for the router id of a reflected route."""
    return path.attributes.originator_id or path.source.router_id


def address_order(address: bytes) -> tuple[int, bytes]:
    return len(address), address


# --- beside the best path ---------------------------------------------------------------------------------------------


def multipath(best: Path, equal: Sequence[Path], options: Options) -> tuple[Path, ...]:
    """The paths to be used together: as good as the best one, in the order in which the tie-breakers prefer them.

    Unless relaxed they share its AS_PATH, so that what we tell our peers is true of every packet."""
    ties = tie_breakers(equal, options)
    alike = [path for path in equal if options.multipath_relax or path.attributes.as_path == best.attributes.as_path]
    alike.sort(key=lambda path: tuple(key(path) for _, key in ties))
    return tuple(alike[: options.multipath_ebgp if best.source.ebgp else options.multipath_ibgp])


def backup_for(members: Sequence[Path], paths: Sequence[Path], known: Resolutions, options: Options) -> Path | None:
    """The best of the paths that do not depend on what the members depend on."""
    in_use = {hop.identity for member in members for hop in member.next_hops}
    others = [path for path in paths if not in_use & {hop.identity for hop in path.next_hops}]
    return select_bgp(others, known, options, {})[0] if others else None
