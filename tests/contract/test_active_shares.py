"""ActiveShares on Redis, and in memory."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import pytest

from shared.adapters.memory.active_shares import MemoryActiveShares
from shared.adapters.redis.active_shares import MAX_PROCESSES, RedisActiveShares
from shared.core.documents import SpaceId
from shared.ports import ActiveShares, UnavailableError
from shared.settings import Settings
from shared.testing.active_shares import ActiveSharesContract


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A database of Redis where the server tells nothing of what other tests ask it."""
    return replace(settings, redis_url=urlunsplit(urlsplit(settings.redis_url)._replace(path="/2")))


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
    ours = {SpaceId(uuid.uuid4().hex) for _ in range(MAX_PROCESSES + 9)}
    try:
        for space in ours:
            told = await shares.tell(uuid.uuid4().hex, {space: 1})
    finally:
        await shares.close()
    assert 0 < sum(count for space, count in told.items() if space in ours) <= MAX_PROCESSES


async def test_a_redis_that_is_away_says_so_soon() -> None:
    shares = RedisActiveShares(Settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(UnavailableError):
        await shares.tell("p", {})
    await shares.close()
