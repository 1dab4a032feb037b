"""Many requests that wait for a worker are large together, or one of them is: that decides where they go."""

from __future__ import annotations

import asyncio

import pytest

from shared.adapters.arq import LARGE_QUEUE
from shared.adapters.redis.inbox import LARGE_BYTES, RedisInbox, are_large
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.core.documents import SpaceId
from shared.settings import Settings
from shared.testing.queue import answer_all, leased, space, taken
from tests.contract.test_queue import alone, connected, large_item

__all__ = ["alone", "space"]


@pytest.mark.parametrize(
    ("sizes", "large"),
    [
        ([LARGE_BYTES], False),
        ([LARGE_BYTES + 1], True),
        ([60_000] * 10, False),
        ([60_000] * 10 + [70_000], True),
        ([70_000] * 3, False),
    ],
)
def test_what_is_large(sizes: list[int], large: bool) -> None:
    assert are_large(sizes) is large


async def test_many_that_are_small_are_decided_in_portions_where_they_are(alone: Settings, space: SpaceId) -> None:
    items = [large_item(f"d{n}", 40_000) for n in range(10)]
    async with connected(alone) as redis, RedisSubmissionQueue(redis, alone) as submissions:
        before = await redis.zcard(LARGE_QUEUE)
        sending = asyncio.gather(*(submissions.submit(space, item) for item in items))
        async with await leased(RedisInbox(redis, alone), space) as lease:
            decided: list[str] = []
            while len(decided) < len(items):
                envelopes = await taken(lease, 1)
                decided += [item.submission.document for envelope in envelopes for item in envelope.items]
                assert 1 <= len(envelopes) <= LARGE_BYTES // 40_000
                await answer_all(lease, envelopes)
            assert not lease.used_up
        await sending
        assert await redis.zcard(LARGE_QUEUE) == before
        assert decided == [item.submission.document for item in items]
