"""The router's number and its peers': external ones, each on a subnet and a port of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

OUR_ASN: Final = 65001
ROUTER_ID: Final = "10.255.0.1"
FIRST_ASN: Final = 65100


@dataclass(frozen=True, slots=True)
class Session:
    """An external peer on a subnet and a port of its own. ``n`` gives its AS number and its addresses."""

    n: int
    family: int = 4
    told: bool = True
    """It takes what the router has to tell; else the router tells it nothing."""

    @property
    def name(self) -> str:
        return f"p{self.n}"

    @property
    def port(self) -> str:
        return f"eth{self.n}"

    @property
    def asn(self) -> int:
        return FIRST_ASN + self.n

    @property
    def local(self) -> str:
        """The peer's address."""
        return f"10.9.{self.n}.2" if self.family == 4 else f"2001:db8:{self.n + 1:x}::2"

    @property
    def ours(self) -> str:
        """The router's."""
        return f"10.9.{self.n}.1" if self.family == 4 else f"2001:db8:{self.n + 1:x}::1"

    @property
    def length(self) -> int:
        return 24 if self.family == 4 else 64

    def spec(self) -> dict[str, Any]:
        return {
            "name": self.name, "local": self.local, "peer": self.ours, "port": 179, "listen": False, "asn": self.asn,
            "router_id": f"10.9.{self.n}.2", "families": [1 if self.family == 4 else 2], "hold": 90,
        }  # fmt: skip
