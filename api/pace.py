"""Who asks for most goes slower when there is much to do and somebody else asks too.

The event loop says itself that it has much to do: it is late. Then a request of a space that sent most of the
requests of the last second waits in proportion, before anything is done for it. A space that is alone is never held
up.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from shared.core.documents import SpaceId

_LOOK_SECONDS: Final = 0.02
_WINDOW_SECONDS: Final = 1.0
_LATE_SECONDS: Final = 0.002
"""A loop that is late by less has time."""
_DELAY: Final = 40.0
"""Seconds that such a request waits for each second that the loop is late."""
_MOST_DELAY_SECONDS: Final = 1.0
_TOGETHER: Final = 100
"""So many requests of a space wait at a time by _DELAY alone. If there are more, one is let go after another: those
that came together would else go on together."""
_MOST_TURN_SECONDS: Final = 10.0
ANSWERS_RATE: Final = 8 * 1024 * 1024
"""Bytes a second of the large answers of one space. Making them takes some 15 ns a byte."""
_READING: Final = 4
"""Documents of one space that are read and written as text at a time."""
_SHARE: Final = 0.5
"""Of the requests of the last second: a space with more asks for most."""
_MANY: Final = 200
"""Requests in one to two seconds: a space with fewer is not what the loop is late for, whatever its share."""


class Pace:
    """Of one event loop. Use `async with`."""

    def __init__(self) -> None:
        self._late = 0.0
        self._counts: Counter[SpaceId] = Counter()
        self._before: Counter[SpaceId] = Counter()
        self._since = time.monotonic()
        self._reading: WeakValueDictionary[SpaceId, asyncio.Semaphore] = WeakValueDictionary()
        self._due: dict[SpaceId, float] = {}
        """When the large answers of a space go on."""
        self._turns: dict[SpaceId, float] = {}
        """When the last request of a space that waits is let go."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pace:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def throttle(self, space: SpaceId) -> None:
        """Before a request of the space is answered: waits if the loop is late and the space asks for most."""
        self._counts[space] += 1
        if self._late > _LATE_SECONDS and self._asks_for_most(space):
            delay, now = min(self._late * _DELAY, _MOST_DELAY_SECONDS), time.monotonic()
            turn = max(self._turns.get(space, now), now) + delay / _TOGETHER
            self._turns[space] = min(turn, now + _MOST_TURN_SECONDS)
            await asyncio.sleep(max(delay, self._turns[space] - now))

    def more(self, space: SpaceId, count: int) -> None:
        """A request turned out to be as much as `count` more."""
        self._counts[space] += count

    async def give_way(self, space: SpaceId, size: int) -> None:
        """After so many bytes of a large answer. While others ask for something, those of a space come to
        ANSWERS_RATE together."""
        if self.is_alone(space):
            await asyncio.sleep(0)
            return
        now = time.monotonic()
        due = self._due[space] = max(self._due.get(space, now), now) + size / ANSWERS_RATE
        await asyncio.sleep(due - now)

    @asynccontextmanager
    async def reading(self, space: SpaceId) -> AsyncIterator[None]:
        """While a document is read and written as text: a few of a space at a time, for each may be large. Others
        wait."""
        turns = self._reading.get(space)
        if turns is None:
            turns = self._reading[space] = asyncio.Semaphore(_READING)
        async with turns:
            yield

    def is_alone(self, space: SpaceId) -> bool:
        """Whether nobody else asked for something of late."""
        return not (self._counts.keys() | self._before.keys()) - {space}

    def _asks_for_most(self, space: SpaceId) -> bool:
        mine = self._counts[space] + self._before[space]
        everything = self._counts.total() + self._before.total()
        return mine > _MANY and _SHARE * everything < mine < everything

    async def _look(self) -> None:
        while True:
            asked = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            late = now - asked - _LOOK_SECONDS
            self._late = max(late, 0.8 * self._late + 0.2 * late)
            if now - self._since >= _WINDOW_SECONDS:
                self._before, self._counts, self._since = self._counts, Counter(), now
                self._due = {space: due for space, due in self._due.items() if due > now}
                self._turns = {space: turn for space, turn in self._turns.items() if turn > now}
