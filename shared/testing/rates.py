"""What every RateCounter must do. A test module subclasses the suite and gives it a counter."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from shared.core.access.limits import Limit, Rate
from shared.ports import RateCounter


class RateCounterContract:
    @pytest.fixture
    def counter(self) -> RateCounter:
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        return uuid.uuid4().hex

    async def test_no_more_is_granted_than_the_rate_says(self, counter: RateCounter, key: str) -> None:
        rate = Rate(Limit.REQUESTS_PER_TOKEN, 10)
        counted = [await counter.take(rate, key, count) for count in (4, 4, 4, 1)]
        assert [one.granted for one in counted] == [4, 4, 2, 0]
        assert [one.remaining for one in counted] == [6, 2, 0, 0]
        assert all(0 < one.reset_seconds <= 2 * rate.seconds for one in counted)

    async def test_keys_and_limits_are_counted_apart(self, counter: RateCounter, key: str) -> None:
        rate = Rate(Limit.REQUESTS_PER_TOKEN, 3)
        assert (await counter.take(rate, key, 3)).granted == 3
        assert (await counter.take(rate, key + "x", 3)).granted == 3
        assert (await counter.take(Rate(Limit.REQUESTS_PER_SPACE, 3), key, 3)).granted == 3

    async def test_those_who_ask_at_the_same_time_share_it(self, counter: RateCounter, key: str) -> None:
        rate = Rate(Limit.REQUESTS_PER_USER, 100)
        counted = await asyncio.gather(*(counter.take(rate, key, 7) for _ in range(30)))
        assert sum(one.granted for one in counted) == 100

    async def test_more_than_there_ever_is_takes_what_there_is(self, counter: RateCounter, key: str) -> None:
        assert (await counter.take(Rate(Limit.REQUESTS_PER_USER, 5), key, 1000)).granted == 5

    async def test_what_was_counted_is_forgotten_after_the_window(self, counter: RateCounter, key: str) -> None:
        rate = Rate(Limit.REQUESTS_PER_TOKEN, 5, seconds=1)
        assert (await counter.take(rate, key, 5)).granted == 5
        for _ in range(10):
            counted = await counter.take(rate, key, 5)
            if counted.granted:
                return
            await asyncio.sleep(counted.reset_seconds + 0.01)
        raise AssertionError("nothing was granted again")
