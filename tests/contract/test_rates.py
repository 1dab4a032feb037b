"""RateCounter on Redis, and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.rates import LimitsRateCounter, memory_rates, redis_rates
from shared.core.access.limits import Limit, Rate
from shared.ports import RateCounter, UnavailableError
from shared.settings import Settings
from shared.testing.rates import RateCounterContract


class TestRedisRates(RateCounterContract):
    @pytest.fixture
    async def counter(self, settings: Settings) -> AsyncIterator[RateCounter]:
        counter: LimitsRateCounter = redis_rates(settings)
        yield counter
        await counter.close()


class TestMemoryRates(RateCounterContract):
    @pytest.fixture
    def counter(self) -> RateCounter:
        return memory_rates()


async def test_a_counter_that_is_away_says_so_soon() -> None:
    counter = redis_rates(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(UnavailableError):
        await counter.take(Rate(Limit.REQUESTS_PER_USER, 5), "k", 1)
    await counter.close()
