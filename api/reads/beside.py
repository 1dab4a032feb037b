"""Work that is done beside requests, for whoever asks next: one piece at a time for each key. It ends with the
process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from shared.core.documents import SpaceId
from shared.ports import UnavailableError

logger = logging.getLogger(__name__)

K = TypeVar("K")


class Beside(Generic[K]):
    """The pieces that are under way."""

    def __init__(self, failed: str) -> None:
        """`failed`: the event as which an error is logged that nobody expected."""
        self._failed = failed
        self._tasks: dict[K, asyncio.Task[None]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, key: K, space: SpaceId, work: Callable[[], Awaitable[object]]) -> None:
        """Unless there is one with this key. `space`: whose it is."""
        if key not in self._tasks:
            self._tasks[key] = task = asyncio.create_task(self._done(space, work))
            task.add_done_callback(lambda _: self._tasks.pop(key))

    async def over(self, key: K) -> None:
        """Returns when none is under way with this key."""
        if key in self._tasks:
            await asyncio.wait([self._tasks[key]])

    async def close(self) -> None:
        """Ends all of them."""
        under_way = list(self._tasks.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _done(self, space: SpaceId, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except UnavailableError:
            pass  # who asks next is told
        except Exception:
            logger.exception(self._failed, extra={"fields": {"space": space}})
