"""ActiveShares on Redis, and in memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from shared.adapters.memory.active_shares import MemoryActiveShares
from shared.adapters.redis.active_shares import MAX_PROCESSES, RedisActiveShares
from shared.core.documents import SpaceId
from shared.ports import ActiveShares, UnavailableError
from shared.settings import Settings
from shared.testing.active_shares import ActiveSharesContract


class TestRedisShares(ActiveSharesContract):
    @pytest.fixture
    async def shares(self, settings: Settings, told_seconds: float) -> AsyncIterator[ActiveShares]:
        shares = RedisActiveShares(settings, told_seconds=told_seconds)
        yield shares
        await shares.close()


class TestMemoryShares(ActiveSharesContract):
    @pytest.fixture
    def shares(self, told_seconds: float) -> ActiveShares:
        return MemoryActiveShares(told_seconds=told_seconds)


async def test_so_many_processes_are_listened_to(settings: Settings) -> None:
    shares = RedisActiveShares(settings)
    for number in range(MAX_PROCESSES + 9):
        told = await shares.tell(uuid.uuid4().hex, {SpaceId(f"{number}"): 1})
    assert 0 < sum(told.values()) <= MAX_PROCESSES
    await shares.close()


async def test_a_redis_that_is_away_says_so_soon() -> None:
    shares = RedisActiveShares(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(UnavailableError):
        await shares.tell("p", {})
    await shares.close()
