"""What Rounds promises, held against Redis. Another adapter needs another `rounds` fixture."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.adapters.redis import connection as adapter
from shared.adapters.redis.connection import RedisRounds
from shared.core.documents import DeviceId, Sequence, SpaceId
from shared.core.resolution.context import Agreed
from shared.ports import Rounds, UnavailableError
from shared.settings import Settings

DEVICE, OTHER = DeviceId("d1"), DeviceId("d2")


@pytest.fixture
async def rounds(settings: Settings) -> AsyncIterator[Rounds]:
    client = Redis(connection_pool=adapter.connection_pool(settings.redis_url))
    yield RedisRounds(client)
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def space() -> SpaceId:
    return SpaceId(f"s-{uuid.uuid4().hex[:12]}")


async def agreed(rounds: Rounds, space: SpaceId, device: DeviceId = DEVICE) -> Agreed | None:
    return (await rounds.posted([(space, device)])).get((space, device))


async def test_two_maps_with_nothing_posted_between_are_an_agreement_with_the_first(
    rounds: Rounds, space: SpaceId
) -> None:
    assert await agreed(rounds, space) is None
    await rounds.listed(space, DEVICE, 1.5, Sequence(7))
    assert await agreed(rounds, space) is None
    await rounds.listed(space, DEVICE, 2.25, Sequence(8))
    assert await agreed(rounds, space) is None, "something was posted between"
    await rounds.listed(space, DEVICE, 3.0, Sequence(9))
    await rounds.listed(space, DEVICE, 4.0, Sequence(10))
    assert await agreed(rounds, space) == Agreed(3.0, Sequence(9))


async def test_an_agreement_stays_until_there_is_a_newer_one(rounds: Rounds, space: SpaceId) -> None:
    for at in (1.0, 2.0):
        await rounds.listed(space, DEVICE, at, Sequence(1))
    assert await agreed(rounds, space) == Agreed(1.0, Sequence(1))
    await rounds.listed(space, DEVICE, 3.0, Sequence(2))
    assert await agreed(rounds, space) == Agreed(1.0, Sequence(1))


async def test_devices_and_spaces_are_apart(rounds: Rounds, space: SpaceId) -> None:
    for at in (1.0, 2.0):
        await rounds.listed(space, DEVICE, at, Sequence(1))
    assert await rounds.posted([(space, OTHER), (space, DEVICE), (SpaceId(f"{space}-2"), DEVICE)]) == {
        (space, DEVICE): Agreed(1.0, Sequence(1))
    }


async def test_errors_are_ours() -> None:
    client = Redis(host="127.0.0.1", port=1)
    rounds = RedisRounds(client)
    with pytest.raises(UnavailableError):
        await rounds.listed(SpaceId("s"), DEVICE, 1.0, Sequence(1))
    with pytest.raises(UnavailableError):
        await rounds.posted([(SpaceId("s"), DEVICE)])
    await client.aclose()
