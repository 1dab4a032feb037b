"""Requests that nobody waits for any more, in the inbox on Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from shared.adapters.arq import WakingRedis
from shared.adapters.redis.inbox import SIZES, RedisInbox
from shared.adapters.redis.keys import space_key
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.core.documents import SpaceId
from shared.ports import Envelope, Lease, UnavailableError
from shared.settings import Settings
from shared.testing.queue import an_item, answer_all, leased, space, taken
from tests.contract.test_queue import DEADLINE, alone, both_ends, connected, large_item

__all__ = ["alone", "space"]


async def test_what_nobody_waits_for_any_more_makes_room_whoever_has_the_lease(
    alone: Settings, space: SpaceId
) -> None:
    settings = replace(alone, inbox_bytes=30_000)
    hasty = replace(settings, submit_deadline_seconds=DEADLINE)
    async with (
        connected(settings) as redis,
        RedisSubmissionQueue(redis, settings) as submissions,
        RedisSubmissionQueue(redis, hasty) as impatient,
    ):
        inbox = RedisInbox(redis, settings)
        dead = await leased(inbox, space)  # and never ended
        for _ in range(2):  # the second one has room
            with pytest.raises(UnavailableError, match="no worker answered"):
                await impatient.submit(space, large_item("a", 20_000))
        assert len(await dead.take()) == 0, "it expired"
        await redis.delete(space_key(space, "lease"))
        late = asyncio.create_task(submissions.submit(space, large_item("b", 20_000)))
        async with await leased(inbox, space) as lease:
            envelopes = await taken(lease, 1)
            assert [item.submission.document for item in envelopes[0].items] == ["b"]
            await answer_all(lease, envelopes)
            await late
        assert await redis.llen(space_key(space, "inbox")) == 0
        assert int(await redis.hget(SIZES, space) or 0) == 0


async def test_what_expired_while_it_was_decided_does_not_take_others_with_it(
    alone: Settings, space: SpaceId
) -> None:
    async with both_ends(alone, space) as (redis, submissions, lease):
        key = space_key(space, "inbox")
        slow, first = await taken_and_expired(redis, alone, space, lease)
        sending = asyncio.create_task(submissions.submit(space, an_item("b")))
        while await redis.lindex(key, 0) == first:  # it is dropped when the other one comes
            await asyncio.sleep(0.01)
        await answer_all(lease, slow)
        envelopes = await lease.take()  # at once, and not when it is sent again because it is missing
        assert [item.submission.document for envelope in envelopes for item in envelope.items] == ["b"]
        await answer_all(lease, envelopes)
        await sending


async def taken_and_expired(
    redis: WakingRedis, settings: Settings, space: SpaceId, lease: Lease
) -> tuple[list[Envelope], bytes]:
    """What nobody waits for any more, and how it stands in the inbox. It has to be taken before: whoever sends it
    waits longer, if that came too late."""
    for seconds in (0.6, 6.0, 60.0):
        async with RedisSubmissionQueue(redis, replace(settings, submit_deadline_seconds=seconds)) as submissions:
            late = asyncio.create_task(submissions.submit(space, an_item("late")))
            envelopes: list[Envelope] = []
            while not envelopes and not late.done():
                envelopes = await lease.take()
            row = await redis.lindex(space_key(space, "inbox"), 0)
            with pytest.raises(UnavailableError):
                await late
            if envelopes and row is not None:
                return envelopes, row
    raise AssertionError("it expired each time before it was taken")
