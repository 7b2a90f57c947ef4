"""What a query asks for: criteria that all hold for one path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rib.attributes import PathAttributes, neighbor_as, origin_as
from rib.path import Path, Protocol
from rib.prefix import Prefix

# As people write them: standard (RFC 1997) and large (RFC 8092) with the greatest value of a part, extended as 16
# hexadecimal digits (RFC 4360).
NUMBERED: Final = (
    (re.compile(r"\d+:\d+", re.ASCII), 0xFFFF),
    (re.compile(r"\d+:\d+:\d+", re.ASCII), 0xFFFFFFFF),
)
EXTENDED: Final = re.compile(r"[0-9a-fA-F]{16}")


@dataclass(frozen=True, slots=True)
class Criteria:
    """Empty or None: anything will do. What is asked of communities and ASes holds of no path but BGP's."""

    within: Prefix | None = None
    protocols: frozenset[Protocol] = frozenset()
    source: int | None = None
    communities: tuple[str, ...] = ()
    as_in_path: int | None = None
    origin_as: int | None = None
    neighbor_as: int | None = None

    def __post_init__(self) -> None:
        for text in self.communities:
            if not is_community(text):
                raise ValueError(f"no community: {text!r}")

    def hold(self, prefix: Prefix, path: Path) -> bool:
        return (
            (self.within is None or self.within.covers(prefix))
            and (not self.protocols or path.protocol in self.protocols)
            and (self.source is None or path.source.number == self.source)
            and (not self._about_bgp or (path.protocol is Protocol.BGP and self._hold_of(path.attributes)))
        )

    @property
    def _about_bgp(self) -> bool:
        asked = (self.as_in_path, self.origin_as, self.neighbor_as)
        return bool(self.communities) or any(asn is not None for asn in asked)

    def _hold_of(self, attributes: PathAttributes) -> bool:
        path = attributes.as_path
        return (
            all(has_community(attributes, text) for text in self.communities)
            and (self.as_in_path is None or any(self.as_in_path in segment.asns for segment in path))
            and (self.origin_as is None or origin_as(path) == self.origin_as)
            and (self.neighbor_as is None or neighbor_as(path) == self.neighbor_as)
        )


def is_community(text: str) -> bool:
    for form, greatest in NUMBERED:
        if form.fullmatch(text):
            return all(int(part) <= greatest for part in text.split(":"))
    return EXTENDED.fullmatch(text) is not None


def has_community(attributes: PathAttributes, text: str) -> bool:
    if EXTENDED.fullmatch(text):
        return bytes.fromhex(text) in attributes.extended_communities
    numbers = ":".join(str(int(part)) for part in text.split(":"))
    return numbers in attributes.communities or numbers in attributes.large_communities
