"""Resolver and Inbox on arq and Redis, in a database of it of which the server's workers know nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.commands.core import AsyncScript

from shared.adapters.arq import WakingRedis, connect
from shared.adapters.inbox import ArqInbox
from shared.adapters.redis import RedisRounds
from shared.adapters.resolver import ArqResolver
from shared.core.documents import DeviceId, Sequence, SpaceId
from shared.core.memory import Agreed
from shared.ports import OverloadedError, UnavailableError
from shared.settings import Settings
from shared.testing.queue import Queue, QueueContract, an_item, answer_all, leased, space, taken

__all__ = ["space"]

DEADLINE, LEASE = 3.0, 0.4


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[WakingRedis]:
    redis = connect(settings.redis_url, connections=20)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


@pytest.fixture
def alone(settings: Settings) -> Settings:
    url = urlunsplit(urlsplit(settings.redis_url)._replace(path="/1"))
    return replace(settings, redis_url=url, submit_deadline_seconds=DEADLINE, lease_seconds=LEASE)


class TestArqQueue(QueueContract):
    @pytest.fixture
    async def queue(self, alone: Settings) -> AsyncIterator[Queue]:
        async with connected(alone) as redis, ArqResolver(redis, alone) as resolver:
            yield Queue(resolver, ArqInbox(redis, alone), DEADLINE, LEASE)


async def test_what_is_sent_is_posted_for_the_rounds_of_its_device(alone: Settings, space: SpaceId) -> None:
    """Only if the token is one device's: `single_device`."""
    one, several = an_item("d"), an_item("e")
    several = replace(several, submission=replace(several.submission, single_device=False, device=DeviceId("d2")))
    async with connected(alone) as redis, ArqResolver(redis, alone) as resolver:
        rounds = RedisRounds(redis)
        devices = [DeviceId("d1"), DeviceId("d2")]

        async def listed(at: float) -> None:
            for device in devices:
                await rounds.listed(space, device, at, Sequence(int(at)))

        await listed(1.0)
        async with await leased(Queue(resolver, ArqInbox(redis, alone), DEADLINE, LEASE), space) as lease:
            sending = asyncio.create_task(resolver.resolve_all(space, [one, several]))
            await answer_all(lease, await taken(lease, 2))
            await sending
        await listed(2.0)
        found = await rounds.posted([(space, device) for device in devices])
    assert found == {(space, DeviceId("d2")): Agreed(1.0, Sequence(1))}


async def test_more_than_may_wait_is_not_taken_in(alone: Settings) -> None:
    here = SpaceId("s-overloaded")
    async with connected(alone) as redis, ArqResolver(redis, replace(alone, inbox_documents=2)) as resolver:
        sending = [asyncio.create_task(resolver.resolve(here, an_item(f"d{n}"))) for n in range(2)]
        async with await leased(Queue(resolver, ArqInbox(redis, alone), DEADLINE, LEASE), here) as lease:
            envelopes = await taken(lease, 2)
            with pytest.raises(OverloadedError):
                await resolver.resolve(here, an_item("more"))
            await answer_all(lease, envelopes)
            await asyncio.gather(*sending)
            assert await lease.take() == []


async def test_a_lease_ends_though_its_renewal_misses_the_cancellation(alone: Settings) -> None:
    """As the client does it now and then; the space would stay with this worker until the job's time is up."""
    here = SpaceId("s-deaf")
    async with connected(alone) as redis:
        lease = await ArqInbox(redis, alone).lease(here)
        assert lease is not None
        renew, renewing = lease._scripts["renew"], asyncio.Event()

        async def deaf(**arguments: Any) -> Any:
            renewing.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            return await renew(**arguments)

        lease._scripts["renew"] = cast(AsyncScript, deaf)
        async with asyncio.timeout(10):
            async with lease:
                await renewing.wait()
        assert await ArqInbox(redis, alone).lease(here)


async def test_errors_are_ours() -> None:
    nowhere = Settings(redis_url="redis://127.0.0.1:1/0", submit_deadline_seconds=2)
    async with connected(nowhere) as redis, ArqResolver(redis, nowhere) as resolver:
        with pytest.raises(UnavailableError):
            await resolver.resolve(SpaceId("s"), an_item("d"))
        [reply] = await resolver.resolve_all(SpaceId("s"), [an_item("d")])
        assert isinstance(reply, UnavailableError)
        with pytest.raises(UnavailableError):
            await ArqInbox(redis, nowhere).lease(SpaceId("s"))
