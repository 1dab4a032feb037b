"""Event streams and waiting requests, counted over all processes.

Each process knows what it holds itself, and tells the shared counter of each that begins or ends. Where the counter
(Redis) does not answer, the process goes by its own count, and states all that it holds, under another name, as soon
as the counter answers again; so what a lost answer leaves uncertain is put right, too.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from shared.cancellation import repeat
from shared.core.access.limits import NO_LIMIT
from shared.observability import event
from shared.ports import StreamCounter, UnavailableError

logger = logging.getLogger(__name__)

_AWAY_SECONDS: Final = 1.0
"""So long a counter that did not answer is not asked again."""
_SAY_SECONDS: Final = 15
"""So often a process says that it lives."""
_STATE_AGAIN_SECONDS: Final = 6 * 3600.0
"""So often all is stated again: the counter forgets what does not change for a day."""


class StreamCounts:
    """Of one process."""

    def __init__(self, shared: StreamCounter) -> None:
        self._shared = shared
        self._name = ""
        """Under which it counts; none before it has begun."""
        self._held: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        """Of what has ended, what the counter was not told of yet."""
        self._telling: asyncio.Task[None] | None = None
        self.is_sure = False
        """Whether the counter has what this process holds."""
        self._is_stating = False
        """What ends meanwhile is told afterwards: it would be taken from a count that is not there yet."""
        self._stated_at = 0.0
        self._seconds = 0
        self._away_until = 0.0

    async def enter(self, bounds: Mapping[str, int]) -> str | None:
        """One more of each key. If one of them has as many as it may, that key, and nothing has changed."""
        for key, most in bounds.items():
            if most != NO_LIMIT and self._held[key] >= most:
                return key
        self._held.update(bounds.keys())
        if not self._name or time.monotonic() < self._away_until:
            self.is_sure = False
            return None
        name = self._name
        try:
            full = await self._shared.enter(name, bounds)
        except UnavailableError as error:
            self._lost(error)
            return None
        except BaseException:
            self.is_sure = False  # whether it was counted is not known
            self._drop(bounds)
            raise
        if full is None:
            return None
        if name == self._name:
            self._drop(bounds)
        else:  # it was stated under the new name meanwhile
            self.leave(bounds)
        return full

    def leave(self, keys: Collection[str]) -> None:
        """One fewer of each."""
        self._drop(keys)
        self._left.update(keys)
        self._begin_to_tell()

    async def keep(self) -> None:
        """Looks after it until it is cancelled: now and then, and soon where something is not sure."""
        await repeat(self._tick, "stream counts", every=1)

    async def _tick(self) -> None:
        self._seconds += 1
        if not self.is_sure or self._seconds % _SAY_SECONDS == 0:
            await self.look_after()

    async def look_after(self) -> None:
        """Says that the process lives, and states all that it holds where that is needed."""
        try:
            old = time.monotonic() > self._stated_at + _STATE_AGAIN_SECONDS
            if self.is_sure and not old and await self._shared.lives(self._name):
                return
            await self._state()
        except UnavailableError as error:
            self._lost(error)

    async def close(self) -> None:
        """It holds nothing any more."""
        if self._telling is not None:
            await self._telling
        with suppress(UnavailableError):  # it is forgotten soon
            await self._shared.ends(self._name)

    async def _state(self) -> None:
        name, before = secrets.token_hex(8), self._name
        await self._shared.lives(name, begins=True)
        self._name, self.is_sure, self._is_stating = name, True, True
        held = dict(self._held)
        self._left.clear()
        try:
            await self._shared.add(name, held)
            await self._shared.ends(before)
        except BaseException:
            self.is_sure = False
            raise
        finally:
            self._is_stating = False
        self._stated_at, self._away_until = time.monotonic(), 0.0
        self._begin_to_tell()

    def _begin_to_tell(self) -> None:
        if self._telling is None and self.is_sure and not self._is_stating:
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._left and self.is_sure and not self._is_stating:
                left, self._left = self._left, Counter()
                await self._shared.add(self._name, {key: -count for key, count in left.items()})
        except UnavailableError as error:
            self._lost(error)
        finally:
            self._telling = None

    def _drop(self, keys: Collection[str]) -> None:
        for key in keys:
            self._held[key] -= 1
            if self._held[key] <= 0:
                del self._held[key]

    def _lost(self, error: UnavailableError) -> None:
        self.is_sure = False
        self._away_until = time.monotonic() + _AWAY_SECONDS
        event(logger, logging.WARNING, "streams_counted_alone", cause=error.__cause__)
