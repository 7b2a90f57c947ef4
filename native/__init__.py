"""The compiled core: what runs once per route or per graph edge, and nothing else.

Logic lives in ``native/core`` (plain Rust); ``native/py`` is the thin binding that this package loads.
"""

from native._native import *  # noqa: F403
