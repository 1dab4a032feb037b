"""Announcements on Redis: who left every channel may come back, however long nothing was said."""

from __future__ import annotations

import asyncio
import uuid

from redis.asyncio import Redis

from shared.adapters.redis.announcements import RedisAnnouncements
from shared.adapters.redis.connection import space_key
from shared.core.documents import SpaceId
from shared.settings import Settings


async def test_after_leaving_every_space_another_one_is_heard(settings: Settings) -> None:
    # As soon as this, the driver wants to check a connection before it uses it again.
    redis = Redis.from_url(settings.redis_url, health_check_interval=1)
    heard: asyncio.Queue[tuple[SpaceId, bytes]] = asyncio.Queue()
    spaces = [SpaceId(f"s-{uuid.uuid4().hex[:12]}") for _ in range(2)]
    async with RedisAnnouncements(
        redis,
        heard=lambda space, data: heard.put_nowait((space, data)),
        lost=lambda space: None,
        revoked=lambda space, device: None,
    ) as announcements:
        await announcements.listen(spaces[0])
        await announcements.unlisten(spaces[0])
        await asyncio.sleep(1.5)
        await announcements.listen(spaces[1])
        await redis.publish(space_key(spaces[1], "changed"), b"news")
        assert await asyncio.wait_for(heard.get(), 10) == (spaces[1], b"news")
    await redis.aclose()
