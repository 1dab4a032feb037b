"""Telling all who follow a space, a few at a time: a thousand of them take a tenth of a second, and whoever writes
can have them told many times a second. While others ask for something, half of the time is theirs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final, Generic, Protocol, TypeVar

from api.limits.pace import Pace
from shared.core.documents import SpaceId

AT_ONCE: Final = 32
MOST_WAITING: Final = 16
"""Of a space. If there is more to tell, its followers are told instead that they may have missed something."""
_MAX_REST_SECONDS: Final = 0.05


class SpaceFollower(Protocol):
    """A follower. Must not block."""

    def lost(self) -> None:
        """Something may have changed that was not told."""
        ...


F = TypeVar("F", bound=SpaceFollower)


class FanOut(Generic[F]):
    """Of one process. `followers`: by space. Who comes while something is told may or may not be told it, too."""

    def __init__(self, followers: Mapping[SpaceId, Collection[F]], pace: Pace) -> None:
        self._followers = followers
        self._pace = pace
        self._waiting: dict[SpaceId, deque[Callable[[F], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, space: SpaceId, call: Callable[[F], None]) -> None:
        """Calls it with each follower of the space, in the order of these calls: now if they are few, else soon."""
        waiting = self._waiting.get(space)
        if waiting is None:
            followers = self._followers.get(space, ())
            if len(followers) <= AT_ONCE:
                for follower in list(followers):
                    call(follower)
                return
            self._waiting[space] = deque([call])
            task = asyncio.create_task(self._tell_all(space))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) < MOST_WAITING:
            waiting.append(call)
        else:
            waiting.clear()
            waiting.append(_lost)

    async def close(self) -> None:
        """What was not told by now is not told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell_all(self, space: SpaceId) -> None:
        waiting = self._waiting[space]
        try:
            while waiting:
                call = waiting.popleft()
                followers = list(self._followers.get(space, ()))
                for begin in range(0, len(followers), AT_ONCE):
                    await self._tell_some(space, followers[begin : begin + AT_ONCE], call)
        finally:
            del self._waiting[space]

    async def _tell_some(self, space: SpaceId, followers: Collection[F], call: Callable[[F], None]) -> None:
        began = time.monotonic()
        for follower in followers:
            if follower in self._followers.get(space, ()):  # it may have gone meanwhile
                call(follower)
        await asyncio.sleep(0)  # what they do about it
        if not self._pace.is_alone(space):
            await asyncio.sleep(min(time.monotonic() - began, _MAX_REST_SECONDS))


def _lost(follower: SpaceFollower) -> None:
    follower.lost()
