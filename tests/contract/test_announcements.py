"""What Announcements promises, held against every adapter; and what the one on Redis needs besides."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.adapters.memory.cache import MemoryAnnouncements
from shared.adapters.redis.announcements import RedisAnnouncements
from shared.adapters.redis.keys import space_key
from shared.announcement_messages import load_announcement
from shared.core.documents import DeviceId, SequenceNumber, SpaceId
from shared.ports import Announcement, Announcements
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS


class Heard:
    """What was called back."""

    def __init__(self) -> None:
        self.changed: asyncio.Queue[tuple[SpaceId, SequenceNumber]] = asyncio.Queue()
        self.revoked: asyncio.Queue[tuple[SpaceId, DeviceId]] = asyncio.Queue()
        self.access: asyncio.Queue[SpaceId] = asyncio.Queue()

    def on_changed(self, space: SpaceId, data: bytes) -> None:
        self.changed.put_nowait((space, load_announcement(data)[1]))

    def on_revoked(self, space: SpaceId, device: DeviceId) -> None:
        self.revoked.put_nowait((space, device))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=["redis", "memory"])
async def announcements(request: pytest.FixtureRequest, heard: Heard) -> AsyncIterator[Announcements]:
    callbacks: Any = {
        "changed": heard.on_changed,
        "lost": lambda space: None,
        "revoked": heard.on_revoked,
        "access": heard.access.put_nowait,
    }
    if request.param == "memory":
        async with MemoryAnnouncements(**callbacks) as opened:
            yield opened
        return
    redis = Redis.from_url(request.getfixturevalue("settings").redis_url)
    async with RedisAnnouncements(redis, **callbacks) as announcements:
        yield announcements
    await redis.aclose()


async def test_who_listens_to_a_space_hears_what_is_said_of_it_and_of_no_other(
    announcements: Announcements, heard: Heard
) -> None:
    mine, other = (SpaceId(f"s-{uuid.uuid4().hex[:12]}") for _ in range(2))
    await announcements.listen(mine)
    for sequence, space in enumerate((other, mine), 1):
        await announcements.tell_revoked(space, DeviceId("d"))
        await announcements.tell_changed(
            space, Announcement(SequenceNumber(sequence), SequenceNumber(sequence), None, None)
        )
    assert await asyncio.wait_for(heard.revoked.get(), PATIENCE_SECONDS) == (mine, "d")
    await announcements.tell_access(mine)
    assert await asyncio.wait_for(heard.access.get(), PATIENCE_SECONDS) == mine
    assert await asyncio.wait_for(heard.changed.get(), PATIENCE_SECONDS) == (mine, 2)
    await announcements.listen(other)
    await announcements.unlisten(mine)
    for sequence, space in enumerate((mine, other), 3):
        await announcements.tell_changed(
            space, Announcement(SequenceNumber(sequence), SequenceNumber(sequence), None, None)
        )
    assert await asyncio.wait_for(heard.changed.get(), PATIENCE_SECONDS) == (other, 4)
    assert heard.changed.empty() and heard.revoked.empty()


async def test_after_leaving_every_space_another_one_is_heard(settings: Settings) -> None:
    # As soon as this, the driver wants to check a connection before it uses it again.
    redis = Redis.from_url(settings.redis_url, health_check_interval=1)
    heard: asyncio.Queue[tuple[SpaceId, bytes]] = asyncio.Queue()
    spaces = [SpaceId(f"s-{uuid.uuid4().hex[:12]}") for _ in range(2)]
    async with RedisAnnouncements(
        redis,
        changed=lambda space, data: heard.put_nowait((space, data)),
        lost=lambda space: None,
        revoked=lambda space, device: None,
        access=lambda space: None,
    ) as announcements:
        await announcements.listen(spaces[0])
        await announcements.unlisten(spaces[0])
        await asyncio.sleep(1.5)
        await announcements.listen(spaces[1])
        await redis.publish(space_key(spaces[1], "changed"), b"news")
        assert await asyncio.wait_for(heard.get(), PATIENCE_SECONDS) == (spaces[1], b"news")
    await redis.aclose()
