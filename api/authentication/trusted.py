"""What was looked up a moment ago is trusted for a moment. While it is asked for it is looked up again before that is
over, so that no request waits for it: where many are under way, all of them would, ten times a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
TRUSTED_SECONDS: Final = 0.1
"""How long a process goes on opening to a token, or to a member, after it began to look that up. Whoever takes
something away waits as long, so that no process opens any more once it says that it is done."""
_RENEWED_SECONDS: Final = 0.3 * TRUSTED_SECONDS
"""Who asks within so many seconds of the end of that has it looked up again."""
_KEPT: Final = 10_000


class Trusted(Generic[K, V]):
    """Look-ups of one kind. What there is not is never trusted."""

    def __init__(self, look_up: Callable[[K], Awaitable[V | None]]) -> None:
        """`look_up`: begins to read after it was called."""
        self._look_up = look_up
        self._known: dict[K, tuple[float, V]] = {}
        """Until when."""
        self._renewals: dict[K, asyncio.Task[V | None]] = {}

    async def get(self, key: K) -> V | None:
        """As it was at most TRUSTED_SECONDS ago. Raises what the look-up raises."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or now >= known[0]:
            return await self._looked_up(key)
        if known[0] - now < _RENEWED_SECONDS and key not in self._renewals:
            task = self._renewals[key] = asyncio.create_task(self._looked_up(key))
            task.add_done_callback(partial(self._end_renewal, key))
        return known[1]

    async def close(self) -> None:
        """Ends the renewals that are under way."""
        renewals = list(self._renewals.values())
        for renewal in renewals:
            renewal.cancel()
        await asyncio.gather(*renewals, return_exceptions=True)

    async def _looked_up(self, key: K) -> V | None:
        asked = time.monotonic()
        value = await self._look_up(key)
        if value is None:
            self._known.pop(key, None)
            return None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = (asked + TRUSTED_SECONDS, value)
        return value

    def _end_renewal(self, key: K, task: asyncio.Task[V | None]) -> None:
        del self._renewals[key]
        if not task.cancelled():
            task.exception()  # whoever asks next looks it up, and is told
