"""Which new prefixes the boxes have not all answered for: peers that would send us packets for them are not told yet.

Only a *new* prefix waits: one that was in no box's table, or that a box could not install. Its changes and its end
never do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from rib.path import Place
from rib.prefix import Prefix
from rib.reference_fib import FibConsumer, table_of


@dataclass(slots=True)
class _Read:
    number: int
    has: dict[Place, int]
    """What its box has once it has answered: places as they were at so-and-so many changes."""
    whole: bool


@dataclass(slots=True)
class _Box:
    """One reader of the FIB, and what its box has answered."""

    reader: FibConsumer
    waited_for: bool = True
    whole: bool = False
    """It has had everything once."""
    reads: int = 0
    unanswered: list[_Read] = field(default_factory=list)
    has: dict[Place, int] = field(default_factory=dict)
    failed: set[tuple[int, Prefix]] = field(default_factory=set)

    def lacks(self, place: Place) -> bool:
        return (table_of(place), place[1]) in self.failed


class Installed:
    def __init__(self) -> None:
        self.waiting: set[Place] = set()
        """Peers are not told of these."""
        self.asked: dict[Place, int] = {}
        """Those of them for which an answer is awaited, numbered as they came to be so. The others failed."""
        self.last_asked = 0
        self.instances: set[int] = set()
        """Those whose new prefixes wait."""
        self._boxes: dict[int, _Box] = {}
        self._seen: dict[Place, tuple[bytes, int]] = {}
        """What is forwarded, and what was until some box was told of its end: the group, and when it became that."""
        self._changes = 0

    # --- what boxes are told ------------------------------------------------------------------------------------------

    def want(self, instance: int, on: bool, routes: Mapping[Place, bytes]) -> None:
        """What there is counts as answered."""
        if on == (instance in self.instances):
            return
        self.waiting = {place for place in self.waiting if place[0] != instance}
        self.asked = {place: number for place, number in self.asked.items() if place[0] != instance}
        self._seen = {place: seen for place, seen in self._seen.items() if place[0] != instance}
        first = not self.instances
        (self.instances.add if on else self.instances.discard)(instance)
        before = self.waiting.copy(), self.asked.copy()
        self.look(routes)
        self.waiting, self.asked = before
        here = {place: seen[1] for place, seen in self._seen.items() if place[0] == instance}
        for box in self._boxes.values():
            box.whole |= first
            for has in (box.has, *(read.has for read in box.unanswered)):
                has.update(here)

    def look(self, routes: Mapping[Place, bytes]) -> None:
        """What is new is so from now on."""
        here = {place: group for place, group in routes.items() if place[0] in self.instances}
        if self._waits():
            self.waiting |= here.keys() - self._seen.keys()
        for place, group in here.items():
            if self._seen.get(place, (b"", 0))[0] != group:
                self._changes += 1
                self._seen[place] = group, self._changes
                if place in self.waiting and place not in self.asked:
                    self.last_asked += 1
                    self.asked[place] = self.last_asked

    def open(self, number: int, reader: FibConsumer) -> None:
        self._boxes[number] = _Box(reader)

    def read(self, number: int, routes: Mapping[Place, bytes], *, empty: bool, whole: bool) -> None:
        """After a read: who looks at a prefix that is gone may hear of its end."""
        self._seen = {place: seen for place, seen in self._seen.items() if place in routes}
        self.waiting &= routes.keys()
        self._no_longer_asked(self.asked.keys() - routes.keys())
        if not self.instances:
            return
        box = self._boxes[number]
        before = box.unanswered[-1].has if box.unanswered else box.has
        told = box.reader.routes
        has = {
            place: change if told.get(place) == group else before.get(place, 0)
            for place, (group, change) in self._seen.items()
        }
        if empty and box.unanswered:
            box.unanswered[-1].has = has
            box.unanswered[-1].whole |= whole
        elif empty and box.whole:
            box.has = has
        else:
            box.reads += 1
            box.unanswered.append(_Read(box.reads, has, whole))
        self._settle(routes)

    # --- what boxes answer --------------------------------------------------------------------------------------------

    def reads(self, number: int) -> int:
        return self._boxes[number].reads if number in self._boxes else 0

    def answer(self, number: int, read: int, routes: Mapping[Place, bytes]) -> None:
        box = self._boxes[number]
        while box.unanswered and box.unanswered[0].number <= read:
            done = box.unanswered.pop(0)
            box.has = done.has
            box.whole |= done.whole
        self._settle(routes)

    def wait(self, number: int, on: bool, routes: Mapping[Place, bytes]) -> None:
        box = self._boxes[number]
        if box.waited_for != on:
            box.waited_for = on
            self._note(box.failed, on, routes)
            self._settle(routes)

    def fail(self, number: int, table: int, prefix: Prefix, on: bool, routes: Mapping[Place, bytes]) -> None:
        box = self._boxes[number]
        if on == ((table, prefix) in box.failed):
            return
        (box.failed.add if on else box.failed.discard)((table, prefix))
        if box.waited_for:
            self._note([(table, prefix)], on, routes)
            self._settle(routes)

    def close(self, number: int, routes: Mapping[Place, bytes]) -> None:
        gone = self._boxes.pop(number)
        if gone.waited_for:
            self._note(gone.failed, False, routes)
        self._settle(routes)

    def answered(self, instance: int, afi: int, last: int) -> bool:
        """No answer is awaited for what was asked up to this number."""
        return not any(
            number <= last and (place[0], place[1].afi) == (instance, afi) for place, number in self.asked.items()
        )

    # --- what follows -------------------------------------------------------------------------------------------------

    def _note(self, failed: Collection[tuple[int, Prefix]], on: bool, routes: Mapping[Place, bytes]) -> None:
        """Failures that count from now on, or no longer: then all boxes are asked again, if all had answered."""
        for table, prefix in list(failed):
            place = table >> 8, prefix
            if place[0] not in self.instances or place not in routes:
                continue
            if on:
                self.waiting.add(place)
            elif place in self.waiting and place not in self.asked:
                del self._seen[place]
                for box in self._boxes.values():
                    box.reader.routes.pop(place, None)
                self.look(routes)

    def _counted(self) -> list[_Box]:
        return [box for box in self._boxes.values() if box.waited_for]

    def _required(self) -> list[_Box]:
        """Boxes that have everything; while there is none, those that are getting it."""
        counted = self._counted()
        return [box for box in counted if box.whole] or counted

    def _everywhere(self, place: Place) -> bool:
        return all(box.has.get(place) == self._seen[place][1] for box in self._required())

    def _waits(self) -> bool:
        """For somebody, or for the first box to come."""
        return bool(self._counted()) or not self._boxes

    def _settle(self, routes: Mapping[Place, bytes]) -> None:
        if not self._waits():
            self.waiting.clear()
            self.asked.clear()
        counted = self._counted()
        if counted:
            done = {place for place in self.waiting & routes.keys() if self._everywhere(place)}
            self._no_longer_asked(done & self.asked.keys())
            self.waiting -= {place for place in done if not any(box.lacks(place) for box in counted)}

    def _no_longer_asked(self, places: Collection[Place]) -> None:
        for place in places:
            del self.asked[place]
