"""The central RIB, and what makes it a tool by itself: ``rib.Rib`` (docs/rib-api.md). The reference engine is here too.

Everything is imported when it is first used: ``import rib`` is quick, and ``rib.reference`` loads nothing native.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rib.api import Rib as Rib
    from rib.explanation import Candidate as Candidate
    from rib.explanation import Explanation as Explanation
    from rib.explanation import NextHop as NextHop
    from rib.mrt import Loaded as Loaded
    from rib.mrt import Progress as Progress
    from rib.options import Options as Options
    from rib.routes import Adjacency as Adjacency
    from rib.routes import Attributes as Attributes
    from rib.routes import Group as Group
    from rib.routes import GroupHop as GroupHop
    from rib.routes import Route as Route
    from rib.routes import Source as Source
    from rib.routes import TrackedNextHop as TrackedNextHop
    from rib.watching import Change as Change
    from rib.watching import Move as Move
    from rib.watching import Moves as Moves
    from rib.watching import Watch as Watch
    from rib.watching import Way as Way

_WHERE = {
    "api": ("Rib",),
    "explanation": ("Candidate", "Explanation", "NextHop"),
    "mrt": ("Loaded", "Progress"),
    "options": ("Options",),
    "routes": ("Adjacency", "Attributes", "Group", "GroupHop", "Route", "Source", "TrackedNextHop"),
    "watching": ("Change", "Move", "Moves", "Watch", "Way"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}
__all__ = tuple(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'rib' has no attribute {name!r}")
    value = getattr(import_module(f"rib.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
