"""Which agents may speak to this controller: names, versions, elections, one agent per name. No I/O.

An agent dials three connections that share its boot id. A second agent under a name in use is refused, never preferred:
the first one may be the box that forwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from fibd.messages import LOOK, OLDEST, VERSION
from fibd.wire import Error, Hello, Role, Welcome


@dataclass(slots=True)
class _Member:
    boot_id: bytes
    roles: Counter[int] = field(default_factory=Counter)
    """Connections by role: for a moment two, when an agent dials again before the end of the old one was seen."""


class Membership:
    def __init__(
        self, names: Collection[str], welcome: Welcome, *, oldest: int = OLDEST, newest: int = VERSION
    ) -> None:
        """``oldest`` to ``newest``: versions spoken here."""
        self._names = frozenset(names)
        self._welcome = welcome
        self._oldest, self._newest = oldest, newest
        self._members: dict[str, _Member] = {}
        self.refused: dict[str, int] = {}
        """By code: what `show ncp` tells about agents that were turned away."""

    def hello(self, hello: Hello, allowed: Collection[str] | None = None) -> Welcome | Error:
        """``allowed``: the names that the connection's own proof of identity admits; None: any (a local socket)."""
        answer = self._answer(hello, allowed)
        if isinstance(answer, Error):
            self.refused[answer.code] = self.refused.get(answer.code, 0) + 1
        return answer

    def _answer(self, hello: Hello, allowed: Collection[str] | None) -> Welcome | Error:
        version = min(self._newest, hello.version_max)
        if version < max(self._oldest, hello.version_min):
            return Error(
                "version",
                f"this routingd speaks versions {self._oldest} to {self._newest}, the agent {hello.version_min} to "
                f"{hello.version_max}: install the same release on both",
            )
        if hello.ncp not in self._names:
            known = ", ".join(sorted(self._names))
            return Error("name", f"no NCP named {hello.ncp!r} under ncps in the configuration (there are: {known})")
        if allowed is not None and hello.ncp not in allowed:
            return Error(
                "name",
                f"this certificate does not stand for {hello.ncp!r}: set ncps.{hello.ncp}.certificate to its name",
            )
        if self._overtaken(hello):
            return Error(
                "election",
                f"the agent has served a controller with election id {hello.election_id}, this one has "
                f"{self._welcome.election_id}: another controller has taken over; stop it and restart this one to have "
                "the box back",
            )
        welcome = replace(self._welcome, version=version)
        if hello.role == LOOK:
            return welcome
        member = self._members.get(hello.ncp)
        if member is not None and member.roles and member.boot_id != hello.boot_id:
            return Error("duplicate", f"another agent named {hello.ncp!r} is connected: stop one of them or rename it")
        if member is None or member.boot_id != hello.boot_id:
            member = self._members[hello.ncp] = _Member(hello.boot_id)
        if hello.role != Role.CONTROL and Role.CONTROL not in member.roles:
            return Error("protocol", "the control connection comes first")
        member.roles[hello.role] += 1
        return welcome

    def _overtaken(self, hello: Hello) -> bool:
        """Two that start in one instant may have one id; an agent keeps to the one it met first."""
        ours = self._welcome
        other = hello.elected not in (b"", ours.stream_id)
        return hello.election_id > ours.election_id or (hello.election_id == ours.election_id and other)

    def gone(self, ncp: str, boot_id: bytes, role: int) -> None:
        """A welcomed connection ended."""
        member = self._members.get(ncp)
        if member is not None and member.boot_id == boot_id:
            member.roles[role] -= 1
            member.roles = +member.roles
