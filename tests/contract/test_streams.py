"""StreamCounter on Redis, and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.adapters.memory.streams import MemoryStreamCounter
from shared.adapters.redis.streams import RedisStreamCounter
from shared.ports import StreamCounter, UnavailableError
from shared.settings import Settings
from shared.testing.streams import StreamCounterContract, new_process
from tests.patience import PATIENCE_SECONDS


class TestRedisStreams(StreamCounterContract):
    @pytest.fixture
    async def counter(self, settings: Settings) -> AsyncIterator[StreamCounter]:
        counter = RedisStreamCounter(settings)
        yield counter
        await counter.close()


class TestMemoryStreams(StreamCounterContract):
    @pytest.fixture
    def counter(self) -> StreamCounter:
        return MemoryStreamCounter()


async def test_a_process_that_says_nothing_is_forgotten_with_what_it_held(settings: Settings) -> None:
    counter, patient = (
        RedisStreamCounter(settings, lives_seconds=0.1),
        RedisStreamCounter(settings),
    )
    dead, process = await new_process(counter), await new_process(patient)
    assert await counter.enter(dead, {f"of {dead}": 1}) is None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await patient.enter(process, {f"of {dead}": 1}) is not None:
            await asyncio.sleep(0.02)
    assert not await counter.lives(dead), "it has to begin again"
    await counter.close()
    await patient.close()


async def test_a_counter_that_is_away_says_so_soon() -> None:
    counter = RedisStreamCounter(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(UnavailableError):
        await counter.enter("p", {"k": 1})
    await counter.close()
