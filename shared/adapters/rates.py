"""RateCounter by the library limits: on Redis, or in the memory of one process. The only module that imports it."""

from __future__ import annotations

from typing import Any, Final

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from shared.adapters.redis.connection import errors_mapped, impatient_pool
from shared.core.access.limits import Rate, window_left
from shared.ports import Counted
from shared.settings import Settings

_PREFIX: Final = "ht:rate"
_CONNECTIONS: Final = 16
_ANSWER_SECONDS: Final = 0.5
"""A request waits no longer for its count."""


class LimitsRateCounter:
    """RateCounter on a storage of limits: weighted counters of two windows, so memory does not grow with the rate."""

    def __init__(self, storage: RedisStorage | MemoryStorage) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._storage = storage

    async def take(self, rate: Rate, key: str, count: int) -> Counted:
        item = RateLimitItemPerSecond(rate.amount, rate.seconds, namespace=rate.limit)
        with errors_mapped():
            # It takes all or nothing: what is not there for all is asked for again.
            granted = min(count, rate.amount)
            while granted > 0 and not await self._limiter.hit(item, key, cost=granted):
                granted = min(granted - 1, (await self._left(rate, item, key))[0])
            remaining, seconds = await self._left(rate, item, key)
        return Counted(granted, remaining, seconds)

    async def _left(self, rate: Rate, item: RateLimitItem, key: str) -> tuple[int, float]:
        return window_left(rate, *await self._storage.get_sliding_window(item.key_for(key), rate.seconds))

    async def close(self) -> None:
        """Gives back the connections."""
        if isinstance(self._storage, RedisStorage):
            await self._storage.bridge.get_connection().aclose(close_connection_pool=True)  # type: ignore[attr-defined]


def redis_rates(settings: Settings) -> LimitsRateCounter:
    """On connections of its own, which give up soon: whoever asks has something to go on with. It connects when it is
    first used."""
    pool = impatient_pool(settings, _ANSWER_SECONDS, connections=_CONNECTIONS)
    options: dict[str, Any] = {"connection_pool": pool}  # which says where it is
    return LimitsRateCounter(RedisStorage("async+redis://", implementation="redispy", key_prefix=_PREFIX, **options))


def memory_rates() -> LimitsRateCounter:
    """Of one process."""
    return LimitsRateCounter(MemoryStorage())
