"""What MapAcknowledgements promises, held against every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.adapters.memory.cache import MemoryMapAcknowledgements
from shared.adapters.redis import connection as adapter
from shared.adapters.redis.map_acknowledgements import RedisMapAcknowledgements
from shared.core.documents import DeviceId, SequenceNumber, SpaceId
from shared.core.resolution.context import AcknowledgedMap
from shared.ports import MapAcknowledgements, UnavailableError
from shared.settings import Settings

DEVICE, OTHER = DeviceId("d1"), DeviceId("d2")


@pytest.fixture(params=["redis", "memory"])
async def acknowledgements(request: pytest.FixtureRequest) -> AsyncIterator[MapAcknowledgements]:
    if request.param == "memory":
        yield MemoryMapAcknowledgements()
        return
    settings: Settings = request.getfixturevalue("settings")
    client = Redis(connection_pool=adapter.connection_pool(settings))
    yield RedisMapAcknowledgements(client)
    await client.aclose(close_connection_pool=True)


async def acknowledged(
    acknowledgements: MapAcknowledgements, space: SpaceId, device: DeviceId = DEVICE
) -> AcknowledgedMap | None:
    return (await acknowledgements.posted([(space, device)])).get((space, device))


async def test_two_maps_with_nothing_posted_between_are_an_agreement_with_the_first(
    acknowledgements: MapAcknowledgements, space: SpaceId
) -> None:
    assert await acknowledged(acknowledgements, space) is None
    await acknowledgements.listed(space, DEVICE, 1.5, SequenceNumber(7))
    assert await acknowledged(acknowledgements, space) is None
    await acknowledgements.listed(space, DEVICE, 2.25, SequenceNumber(8))
    assert await acknowledged(acknowledgements, space) is None, "something was posted between"
    await acknowledgements.listed(space, DEVICE, 3.0, SequenceNumber(9))
    await acknowledgements.listed(space, DEVICE, 4.0, SequenceNumber(10))
    assert await acknowledged(acknowledgements, space) == AcknowledgedMap(3.0, SequenceNumber(9))


async def test_an_agreement_stays_until_there_is_a_newer_one(
    acknowledgements: MapAcknowledgements, space: SpaceId
) -> None:
    for at in (1.0, 2.0):
        await acknowledgements.listed(space, DEVICE, at, SequenceNumber(1))
    assert await acknowledged(acknowledgements, space) == AcknowledgedMap(1.0, SequenceNumber(1))
    await acknowledgements.listed(space, DEVICE, 3.0, SequenceNumber(2))
    assert await acknowledged(acknowledgements, space) == AcknowledgedMap(1.0, SequenceNumber(1))


async def test_devices_and_spaces_are_apart(acknowledgements: MapAcknowledgements, space: SpaceId) -> None:
    for at in (1.0, 2.0):
        await acknowledgements.listed(space, DEVICE, at, SequenceNumber(1))
    assert await acknowledgements.posted([(space, OTHER), (space, DEVICE), (SpaceId(f"{space}-2"), DEVICE)]) == {
        (space, DEVICE): AcknowledgedMap(1.0, SequenceNumber(1))
    }


async def test_errors_are_ours() -> None:
    client = Redis(host="127.0.0.1", port=1)
    acknowledgements = RedisMapAcknowledgements(client)
    with pytest.raises(UnavailableError):
        await acknowledgements.listed(SpaceId("s"), DEVICE, 1.0, SequenceNumber(1))
    with pytest.raises(UnavailableError):
        await acknowledgements.posted([(SpaceId("s"), DEVICE)])
    await client.aclose()
