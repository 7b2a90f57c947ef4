"""The knobs of one network instance: how its routes are chosen, and through what its next hops may resolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

# Of the options that are numbers: the least and the greatest value.
RANGES: Final = {"default_local_pref": (0, 0xFFFFFFFF), "multipath_ebgp": (1, 64), "multipath_ibgp": (1, 64)}


@dataclass(frozen=True, slots=True)
class Options:
    """There is no knob for "deterministic MED": choosing by elimination from the set is deterministic, always."""

    always_compare_med: bool = False  # MED between different neighbouring ASes too
    missing_med_as_worst: bool = False  # else a missing MED counts 0, the best (RFC 4271 9.1.2.2 c)
    as_path_ignore: bool = False
    compare_router_id: bool = True  # False: not among external paths, whose age or address then decides
    prefer_oldest: bool = False  # RFC 5004: stay with the external path that was there first
    default_local_pref: int = 100
    multipath_ebgp: int = 1  # how many equal paths to use when the best one is external
    multipath_ibgp: int = 1
    multipath_relax: bool = False  # members may have other AS_PATHs than the best path, of the same length
    weighted: bool = True  # share by link bandwidth where every member tells it
    backup: bool = False  # choose a second best for the moment the best one goes
    resolve_via_default: bool = True  # a next hop may resolve through 0.0.0.0/0 or ::/0
    advertise_installed: bool = False  # a new prefix is told under our own next hop once every box has it

    def changed(self, values: Mapping[str, object]) -> Options:
        """With the named options set; ValueError for an unknown name or a value that does not fit."""
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no option {name}")
            if name not in RANGES:
                if not isinstance(value, bool):
                    raise ValueError(f"{name} is true or false, not {value!r}")
            else:
                least, greatest = RANGES[name]
                if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
                    raise ValueError(f"{name} is a number from {least} to {greatest}, not {value!r}")
        return replace(self, **values)  # type: ignore[arg-type]
