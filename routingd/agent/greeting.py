"""Hello and Welcome on each connection, and which of several controllers this agent serves.

The controller with the highest election id ever seen writes. When one with a higher id answers, the connections of the
other end at that moment, after a word to it; frames of theirs that are still to be read are not taken. A controller
that is silent is not left at once, as it may only stand still: meanwhile the agent asks who answers at its address now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from fibd.agent import Agent, Effect, Remember
from fibd.messages import LOOK
from fibd.wire import Error, Hello, Message, Role, Welcome, WireError
from routingd.agent.connection import Connection, Controller
from routingd.agent.state import Store
from routingd.conditions import ConditionBook

log = structlog.get_logger("ncpd")

_WELCOME_PATIENCE: Final = 5.0
_LAST_WORD: Final = 0.2
"""Seconds that a controller which was overtaken has for taking the word about it; it may stand still."""
_LOOK_AGAIN: Final = 2.0
"""Seconds; so long one that goes on has to say so on its own connection."""
HUNG: Final = 30.0
"""Seconds for which a controller may say nothing before it counts as gone; its sessions are kept for as long."""


class Greeting:
    def __init__(
        self, agent: Agent, store: Store, conditions: ConditionBook, controller: Controller,
        hello: Callable[[int], Hello], connected: Callable[[], Iterable[Connection]],
    ) -> None:  # fmt: skip
        """``hello``: of a role; ``connected``: those that were welcomed and have not ended."""
        self._agent = agent
        self._store = store
        self._conditions = conditions
        self._controller = controller
        self._hello = hello
        self._connected = connected
        self._looking: asyncio.Task[None] | None = None

    async def greet(self, connection: Connection, role: int) -> tuple[Welcome | str, list[Message]]:
        """The Welcome of a controller that may write, and what came with it; or why there is none."""
        connection.send(self._hello(role))
        messages: list[Message] = []
        try:
            async with asyncio.timeout(_WELCOME_PATIENCE):
                while not messages:
                    messages = await connection.receive()
                    if not messages and connection.at_end:
                        return "closed before Welcome", []
        except TimeoutError:
            return f"no Welcome within {_WELCOME_PATIENCE:g} s", []
        except WireError as error:
            return f"protocol error: {error}", []
        first = messages[0]
        if isinstance(first, Error):
            return f"refused ({first.code}): {first.text}", []
        if not isinstance(first, Welcome):
            return f"{type(first).__name__} where Welcome is due", []
        effects, refusal = self._agent.elect(first)
        if refusal is not None:
            connection.send(refusal)
            return refusal.text, []
        self._elected(effects)
        connection.welcome = first
        return first, messages[1:]

    def _elected(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Remember):
                self._store.save_election_id(effect.election_id)
        for connection in list(self._connected()):
            if connection.welcome is not None and self._agent.overtaken(connection.welcome):
                log.warning("controller.fenced", role=connection.role.name.lower(), by=self._agent.election_id)
                connection.send(self._agent.stale(connection.welcome.election_id))
                connection.end(_LAST_WORD)

    def look(self, silent: Connection) -> None:
        """Until it is heard again, is left, or another has taken over."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look(silent))

    async def _look(self, silent: Connection) -> None:
        loop = asyncio.get_running_loop()
        heard = silent.last_heard
        self._conditions.set("controller-silent", "warning", "the controller is connected and says nothing")
        try:
            while self._is_silent(silent, heard):
                answered = await self._answered()
                await asyncio.sleep(_LOOK_AGAIN)
                # One that stands still loses nothing by that; one that answers elsewhere has lost this connection.
                if self._is_silent(silent, heard) and (answered or loop.time() - heard > HUNG):
                    log.warning("controller.silent", seconds=round(loop.time() - heard, 1))
                    silent.end()
        finally:
            self._conditions.clear("controller-silent")

    def _is_silent(self, connection: Connection, heard: float) -> bool:
        return connection.last_heard == heard and not connection.ending

    async def _answered(self) -> bool:
        try:
            connection = Connection(Role.CONTROL, *await self._controller.dial())
        except (OSError, TimeoutError, ValueError):
            return False
        try:
            return isinstance((await self.greet(connection, LOOK))[0], Welcome)
        except OSError:
            return False
        finally:
            await connection.close()

    def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
