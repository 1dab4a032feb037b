"""Who asks for much goes slower when there is much to do and somebody else asks for little.

The event loop says itself that it has much to do: it is late. Then requests of a space that asks for much are let go
one after another, at a rate that falls while the loop is late and grows while it is not (additive increase would be
too slow: both are factors). So they fill the time that is there, and do not come in waves. A space that is alone is
never held up, nor are spaces that ask for as much as each other.

What other processes are asked for counts, too, as far as it is known (api/limits/share_exchange.py).

Much is what takes much of the loop, whatever makes it so: a list grows with what its reader has made.
"""

from __future__ import annotations

import asyncio
import heapq
import time
import types
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from api.http.connection import LASTING, Connection
from shared.cancellation import repeat
from shared.core.documents import SpaceId
from shared.ports.active_shares import TOLD_SECONDS

T = TypeVar("T")
_LOOK_SECONDS: Final = 0.02
_WINDOW_SECONDS: Final = 1.0
_LATE_SECONDS: Final = 0.002
"""A loop that is late by less has time."""
_SLOWER: Final = 0.5
_FASTER: Final = 1.007
"""What the rate of a space that is paced is multiplied by at each look: it doubles in two seconds."""
_LEAST_RATE: Final = 40.0
"""Requests a second. A loop that is late in spite of this is late for something else; of several processes on few
cores each lets so many through."""
_MAX_TURN_SECONDS: Final = 10.0
"""So long a request waits at most ..."""
_MAX_DEBT_SECONDS: Final = 4.0
"""... and so long if nothing is to be done before it but what was large: of that no more is remembered."""
REQUEST_SECONDS: Final = 0.002
"""Of the event loop that are taken for one request. One that takes more counts as several."""
ANSWERS_RATE: Final = 8 * 1024 * 1024
"""Bytes a second of the large answers of one space. Making them takes some 15 ns a byte."""
_READING: Final = 4
"""Documents of one space that are read and written as text at a time."""
_MANY: Final = 200
"""Requests in one to two seconds: a space with fewer is not what the loop is late for."""
_TIMES: Final = 4
"""A space that asks for so many times as much as somebody else asks for much."""
_QUIETEST: Final = 2
"""Enough for others to know whether a space is alone: one of them is another one."""


class Pace:
    """Of one event loop. Use `async with`."""

    def __init__(self) -> None:
        self._counts: Counter[SpaceId] = Counter()
        self._before: Counter[SpaceId] = Counter()
        self._since = time.monotonic()
        self._elsewhere: Mapping[SpaceId, int] = {}
        """What other processes said that they were asked for of late."""
        self._heard_at = 0.0
        self._many: set[SpaceId] = set()
        """The spaces with more than _MANY requests of late, and perhaps some that had them."""
        self._reading: WeakValueDictionary[SpaceId, asyncio.Semaphore] = WeakValueDictionary()
        self._due: dict[SpaceId, float] = {}
        """When the large answers of a space go on."""
        self._rates: dict[SpaceId, float] = {}
        """Requests a second of the spaces that are paced."""
        self._turns: dict[SpaceId, float] = {}
        """When the last request of each of these is let go, or was."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pace:
        self._task = asyncio.create_task(repeat(self._measure, "pace"))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def throttle(self, space: SpaceId, connection: Connection = LASTING) -> None:
        """Before a request of the space is answered: waits for its turn if the space is paced. ProblemError if
        the connection ends meanwhile: its turn is for those who come then."""
        now = time.monotonic()
        self._count(space, 1, now, now + _MAX_TURN_SECONDS)
        if space in self._rates:
            with connection.telling(partial(self._give_back, space, 1 / self._rates[space])):
                await asyncio.sleep(self._turns[space] - now)
            connection.check()

    def more(self, space: SpaceId, count: int) -> None:
        """A request turned out to be as much as `count` more: those after it wait for that."""
        if not count:
            return
        now = time.monotonic()
        self._count(space, count, now, max(self._turns.get(space, now), now + _MAX_DEBT_SECONDS))

    def _count(self, space: SpaceId, count: int, now: float, latest: float) -> None:
        self._counts[space] += count
        if self._asked(space) > _MANY:
            self._many.add(space)
        if space in self._rates:
            turn = max(self._turns[space], now) + count / self._rates[space]
            self._turns[space] = min(turn, latest)

    def _give_back(self, space: SpaceId, seconds: float) -> None:
        if space in self._turns:
            self._turns[space] -= seconds

    @types.coroutine
    def billed(self, work: Coroutine[Any, Any, T], payer: Callable[[], SpaceId | None]) -> Generator[Any, Any, T]:
        """What the work of a request returns. The time that its steps take of the event loop is its space's: whatever
        it is that makes a request long, those after it wait for that. `payer`: whose request it is, once that is
        known."""
        step: Callable[[Any], Any] = work.send
        given: Any = None
        unpaid = -REQUEST_SECONDS  # that much was counted when it came
        while True:
            began = time.perf_counter()
            try:
                awaited = step(given)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                unpaid += time.perf_counter() - began
                if unpaid >= REQUEST_SECONDS and (space := payer()) is not None:
                    self.more(space, int(unpaid / REQUEST_SECONDS))
                    unpaid %= REQUEST_SECONDS
            try:
                given, step = (yield awaited), work.send
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001  it is the work's, which may be cancelled
                given, step = error, work.throw

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
        return not (self._counts.keys() | self._before.keys() | self._elsewhere.keys()) - {space}

    def quietest(self) -> dict[SpaceId, int]:
        """The two spaces that ask for least, of those that asked this process for something of late, and for how
        much they asked it."""
        asked = filter(self._asked, self._counts.keys() | self._before.keys())
        return {space: self._asked(space) for space in heapq.nsmallest(_QUIETEST, asked, key=self._asked_anywhere)}

    def note_elsewhere(self, asked_elsewhere: Mapping[SpaceId, int], now: float) -> None:
        """What other processes were asked for of late, as far as they said. It counts for TOLD_SECONDS, or until
        there is something newer."""
        self._elsewhere, self._heard_at = asked_elsewhere, now

    async def _measure(self) -> None:
        asked = time.monotonic()
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        self._adjust(now - asked - _LOOK_SECONDS, now)
        if now - self._since >= _WINDOW_SECONDS:
            self._before, self._counts, self._since = self._counts, Counter(), now
            self._many = {space for space in self._many if self._asked(space) > _MANY}
            self._due = {space: due for space, due in self._due.items() if due > now}

    def _adjust(self, late: float, now: float) -> None:
        """Sets the rates of the spaces that ask for much, by how many seconds the loop was late just now."""
        if now - self._heard_at > TOLD_SECONDS:
            self._elsewhere = {}
        for space in list(self._rates):
            # Or nobody waits: the space asks for less than it may.
            if self.is_alone(space) or self._turns[space] < now - _WINDOW_SECONDS:
                del self._rates[space]
                del self._turns[space]
        if late <= _LATE_SECONDS:
            for space in self._rates:
                self._rates[space] *= _FASTER
            return
        seconds = now - self._since + _WINDOW_SECONDS
        for space in {*self._rates, *filter(self._asks_for_much, self._many)}:
            rate = self._rates.get(space, self._asked(space) / seconds)
            self._rates[space] = max(_SLOWER * rate, _LEAST_RATE)
            self._turns.setdefault(space, now)

    def _asked(self, space: SpaceId) -> int:
        return self._counts[space] + self._before[space]

    def _asked_anywhere(self, space: SpaceId) -> int:
        """At least."""
        return self._asked(space) + self._elsewhere.get(space, 0)

    def _asks_for_much(self, space: SpaceId) -> bool:
        """Of this process, beside somebody who asks for little of all of them. That one is found soon: there are
        few of the others."""
        mine, others = self._asked(space), chain(self._elsewhere, self._counts, self._before)
        return mine > _MANY and any(_TIMES * self._asked_anywhere(one) < mine for one in others)
