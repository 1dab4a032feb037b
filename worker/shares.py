"""Who takes most of a worker's time rests while others have something to do: a space, and whoever sends.

A batch of a space that floods takes as long as hundreds of another one's, in the same interpreter and on the same
database. So after each of its batches it rests as long as that took: half of the time is for the others. A space that
is alone never rests.

A token that opens many spaces could take a turn for each of them, and none of them would take much. So its batches
are one after another while others have something to do, and the rests between them are its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Final, Generic, TypeVar

from shared.core.documents import DeviceId

K = TypeVar("K", bound=Hashable)
_WINDOW_SECONDS: Final = 1.0
_SENDERS_WINDOW_SECONDS: Final = 4.0
"""Longer: of several workers each is asked by a quiet client only now and then, and the less often the longer it has
to wait."""
_MAX_REST_SECONDS: Final = 0.5
_SHARE: Final = 0.5


class TimeShares(Generic[K]):
    """Of one worker process. Times are of a clock that never goes back, in seconds."""

    def __init__(self, now: float | None = None, *, window: float = _WINDOW_SECONDS) -> None:
        """`window`: seconds. What was taken counts for once to twice as long."""
        self._window = window
        self._taken: dict[K, float] = {}
        self._before: dict[K, float] = {}
        self._since = time.monotonic() if now is None else now

    def took(self, key: K, seconds: float, now: float | None = None) -> float:
        """A batch took so long; how long its space, or its sender, should rest before the next one."""
        now = time.monotonic() if now is None else now
        self._turn(now)
        self._taken[key] = self._taken.get(key, 0.0) + seconds
        mine = self._taken[key] + self._before.get(key, 0.0)
        everything = sum(self._taken.values()) + sum(self._before.values())
        if self.is_alone(key, now) or mine <= _SHARE * everything:
            return 0.0
        return min(seconds, _MAX_REST_SECONDS)

    def meet(self, key: K, now: float) -> None:
        """It has something to do."""
        self._turn(now)
        self._taken.setdefault(key, 0.0)

    def is_alone(self, key: K, now: float | None = None) -> bool:
        """Whether no other had something to do of late."""
        self._turn(time.monotonic() if now is None else now)
        return not (self._taken.keys() | self._before.keys()) - {key}

    def _turn(self, now: float) -> None:
        """The sums are of this window and the one before."""
        passed = now - self._since
        if passed >= self._window:
            self._before = self._taken if passed < 2 * self._window else {}
            self._taken, self._since = {}, now


class SenderTurn:
    """Of a batch. Not of `contextlib`: each batch has one, which somebody waits for."""

    def __init__(self, turns: SenderTurns, senders: Mapping[DeviceId, int]) -> None:
        self._turns = turns
        self._senders = senders

    async def __aenter__(self) -> None:
        await self._turns.begin(self._senders)

    async def __aexit__(self, *_: object) -> None:
        await self._turns.end(self._senders)


class SenderTurns:
    """Of one worker process: when the batches of a sender begin."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shares: TimeShares[DeviceId] = TimeShares(clock(), window=_SENDERS_WINDOW_SECONDS)
        self._under_way: Counter[DeviceId] = Counter()
        """Batches. Those who have none are not in it."""
        self._changed = asyncio.Condition()
        self._waiting = 0

    def turn(self, senders: Mapping[DeviceId, int]) -> SenderTurn:
        """Around a batch, with the number of submissions in it by who sent them. It begins when one of its senders
        has nothing else under way, or none but they have something to do."""
        return SenderTurn(self, senders)

    async def begin(self, senders: Mapping[DeviceId, int]) -> None:
        now = self._clock()
        for sender in senders:
            self._shares.meet(sender, now)  # also if it waits now
        if not self._may_begin(senders):  # else it need not go through the condition, and nor does any that is alone
            await self._until_it_may_begin(senders)
        for sender in senders:
            self._under_way[sender] += 1

    async def end(self, senders: Mapping[DeviceId, int]) -> None:
        for sender in senders:
            self._under_way[sender] -= 1
            if not self._under_way[sender]:
                del self._under_way[sender]
        if self._waiting:
            async with self._changed:
                self._changed.notify_all()

    async def _until_it_may_begin(self, senders: Mapping[DeviceId, int]) -> None:
        self._waiting += 1
        try:
            async with self._changed:
                await self._changed.wait_for(partial(self._may_begin, senders))
        finally:
            self._waiting -= 1

    def took(self, senders: Mapping[DeviceId, int], seconds: float) -> float:
        """Their batch took so long; how long it keeps its turn before the next one begins."""
        count, now = sum(senders.values()), self._clock()
        rests = [self._shares.took(sender, seconds * share / count, now) for sender, share in senders.items()]
        return min(rests, default=0.0)

    def _may_begin(self, senders: Mapping[DeviceId, int]) -> bool:
        now = self._clock()
        return not senders or any(
            not self._under_way[sender] or self._shares.is_alone(sender, now) for sender in senders
        )
