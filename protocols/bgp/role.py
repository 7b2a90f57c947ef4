"""Who provides for whom on an external session: RFC 9234 4. What follows for routes is the engine's (5)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """Of the speaker that says it, by its code in the capability."""

    PROVIDER = 0
    RS_SERVER = 1
    RS_CLIENT = 2
    CUSTOMER = 3
    PEER = 4

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def counterpart(self) -> Role:
        """What the other end must be."""
        return _COUNTERPARTS[self]


_COUNTERPARTS: Final = {
    Role.PROVIDER: Role.CUSTOMER,
    Role.CUSTOMER: Role.PROVIDER,
    Role.RS_SERVER: Role.RS_CLIENT,
    Role.RS_CLIENT: Role.RS_SERVER,
    Role.PEER: Role.PEER,
}


def role_label(code: int) -> str:
    """Of a code that came in."""
    return Role(code).label if code < len(Role) else f"role {code}"
