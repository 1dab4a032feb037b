"""SubmissionQueue and Inbox on arq and Redis, in a database of it of which the server's workers know nothing; and in
memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis.commands.core import AsyncScript

from shared.adapters.arq import LARGE_QUEUE, QUEUE, WakingRedis, connect, enqueue
from shared.adapters.memory.queue import MemoryInbox, MemoryQueue, MemorySubmissionQueue
from shared.adapters.redis.inbox import LARGE_BYTES, SIZES, RedisInbox
from shared.adapters.redis.keys import space_key
from shared.adapters.redis.lease_connection import LeaseWire
from shared.adapters.redis.map_acknowledgements import RedisMapAcknowledgements
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.core.documents import DeviceId, JsonText, SequenceNumber, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import AcknowledgedMap, Outcome
from shared.ports import Lease, OverloadedError, UnavailableError
from shared.settings import Settings
from shared.testing.queue import Queue, QueueContract, an_item, answer_all, echo, leased, space, taken
from tests.patience import PATIENCE_SECONDS

__all__ = ["space"]

DEADLINE, LEASE = 0.4, 0.4
"""Where somebody is to wait too long, or to lose a space."""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[WakingRedis]:
    redis = connect(settings, connections=20)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def both_ends(
    settings: Settings, space: SpaceId
) -> AsyncIterator[tuple[WakingRedis, RedisSubmissionQueue, Lease]]:
    """Of one queue, and the lease of a space."""
    async with (
        connected(settings) as redis,
        RedisSubmissionQueue(redis, settings) as submissions,
        await leased(RedisInbox(redis, settings), space) as lease,
    ):
        yield redis, submissions, lease


@pytest.fixture
def alone(settings: Settings) -> Settings:
    url = urlunsplit(urlsplit(settings.redis_url)._replace(path="/1"))
    return replace(settings, redis_url=url, submit_deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS)


class TestArqQueue(QueueContract):
    @pytest.fixture
    async def queue(self, alone: Settings) -> AsyncIterator[Queue]:
        hasty = replace(alone, submit_deadline_seconds=DEADLINE)
        async with (
            connected(alone) as redis,
            RedisSubmissionQueue(redis, alone) as submissions,
            RedisSubmissionQueue(redis, hasty) as hasty_submissions,
        ):

            def inbox_of(seconds: float) -> RedisInbox:
                return RedisInbox(redis, replace(alone, lease_seconds=seconds))

            yield Queue(submissions, RedisInbox(redis, alone), hasty_submissions, DEADLINE, inbox_of)


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    def queue(self) -> Queue:
        queue = MemoryQueue(deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS)
        return Queue(
            MemorySubmissionQueue(queue),
            MemoryInbox(queue),
            MemorySubmissionQueue(queue, deadline_seconds=DEADLINE),
            DEADLINE,
            lambda seconds: MemoryInbox(queue, lease_seconds=seconds),
        )


async def test_what_is_sent_is_noted_in_the_acknowledgements_of_its_device(alone: Settings, space: SpaceId) -> None:
    """Only if the token is one device's: `single_device`."""
    one, several = an_item("d"), an_item("e")
    several = replace(several, submission=replace(several.submission, single_device=False, device=DeviceId("d2")))
    async with connected(alone) as redis, RedisSubmissionQueue(redis, alone) as submissions:
        acknowledgements = RedisMapAcknowledgements(redis)
        devices = [DeviceId("d1"), DeviceId("d2")]

        async def listed(at: float) -> None:
            for device in devices:
                await acknowledgements.listed(space, device, at, SequenceNumber(int(at)))

        await listed(1.0)
        async with await leased(RedisInbox(redis, alone), space) as lease:
            sending = asyncio.create_task(submissions.submit_all(space, [one, several]))
            await answer_all(lease, await taken(lease, 2))
            await sending
        await listed(2.0)
        found = await acknowledgements.posted([(space, device) for device in devices])
    assert found == {(space, DeviceId("d2")): AcknowledgedMap(1.0, SequenceNumber(1))}


async def test_what_a_wiped_redis_has_lost_is_sent_again_though_others_wait_in_the_inbox(
    alone: Settings, space: SpaceId
) -> None:
    async with (
        connected(alone) as redis,
        RedisSubmissionQueue(redis, alone) as one,
        RedisSubmissionQueue(redis, alone) as other,
        await leased(RedisInbox(redis, alone), space) as lease,
    ):
        lost = [asyncio.create_task(one.submit(space, an_item(name))) for name in ("a", "b")]
        async with ended(lost):
            assert len(await taken(lease, 2)) == 2
            await redis.flushdb()
            sending = [*lost, asyncio.create_task(other.submit(space, an_item("c")))]
            async with (
                ended(sending),
                await leased(RedisInbox(redis, alone), space) as new,
            ):
                envelopes = await taken(new, 3)
                await answer_all(new, envelopes)
                assert await asyncio.gather(*sending) == [echo(an_item(name)) for name in ("a", "b", "c")]


async def test_a_job_is_due_at_once_though_the_clock_of_who_enqueues_it_is_ahead(
    alone: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker takes what is due by its own clock: it would be answered 503 until then."""

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr("shared.adapters.arq.datetime", Tomorrow)
    queue = f"{QUEUE}:{space}"
    async with connected(alone) as redis:
        await enqueue(redis, space, queue)
        [(_, due)] = await cast("Awaitable[list[tuple[bytes, float]]]", redis.zrange(queue, 0, -1, withscores=True))
        await redis.delete(queue, f"{queue}:wake")
    assert due < 1000 * time.time()


async def test_a_job_wakes_a_worker_that_waits_for_one(
    alone: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when it looks by itself."""
    monkeypatch.setattr("shared.adapters.arq._WAKE_WAIT_SECONDS", 10 * PATIENCE_SECONDS)
    async with connected(alone) as redis, connected(alone) as worker:
        await redis.delete(f"{QUEUE}:wake")  # of what was enqueued before, and nobody took
        waiting = asyncio.create_task(worker.zrangebyscore(QUEUE, "-inf", "+inf"))
        await enqueue(redis, space)
        async with ended([waiting]):
            assert await asyncio.wait_for(waiting, PATIENCE_SECONDS)
        await redis.delete(QUEUE)


async def test_a_lease_has_a_later_number_though_the_clock_is_set_back(alone: Settings, space: SpaceId) -> None:
    async with connected(alone) as redis:
        inbox = RedisInbox(redis, alone)
        first = await inbox.lease(space)
        assert first is not None
        tomorrow = first.fence.number + 86_400_000_000
        await redis.set(space_key(space, "fence"), tomorrow)  # as given before the clock was set back by a day
        await redis.delete(space_key(space, "lease"))
        later = await inbox.lease(space)
        assert later is not None and later.fence.number == tomorrow + 1


async def test_a_reply_that_was_lost_is_asked_for_again_and_what_still_waits_is_not(
    alone: Settings, space: SpaceId
) -> None:
    async with both_ends(alone, space) as (_, submissions, lease):
        sending = [asyncio.create_task(submissions.submit(space, an_item("a")))]
        async with ended(sending):
            await lease.reply(
                [(replace(envelope, process="x"), [echo(envelope.items[0])]) for envelope in await taken(lease, 1)]
            )
            sending.append(asyncio.create_task(submissions.submit(space, an_item("b"))))
            envelopes = await taken(lease, 2)
            assert [item.submission.document for envelope in envelopes for item in envelope.items] == ["b", "a"]
            await answer_all(lease, envelopes)
            assert await asyncio.gather(*sending) == [echo(an_item("a")), echo(an_item("b"))]


async def test_more_than_may_wait_is_not_taken_in(alone: Settings) -> None:
    here = SpaceId("s-overloaded")
    few = replace(alone, inbox_documents=2)
    async with connected(few) as redis, RedisSubmissionQueue(redis, few) as submissions:
        sending = [asyncio.create_task(submissions.submit(here, an_item(f"d{n}"))) for n in range(2)]
        async with await leased(RedisInbox(redis, alone), here) as lease:
            envelopes = await taken(lease, 2)
            with pytest.raises(OverloadedError):
                await submissions.submit(here, an_item("more"))
            await answer_all(lease, envelopes)
            await asyncio.gather(*sending)
            assert await lease.take() == []


async def test_a_lease_ends_though_its_renewal_misses_the_cancellation(alone: Settings) -> None:
    """As the client does it now and then; the space would stay with this worker until the job's time is up."""
    here = SpaceId("s-deaf")
    async with connected(alone) as redis:
        lease = await RedisInbox(redis, replace(alone, lease_seconds=LEASE)).lease(here)
        assert lease is not None
        renew, calls, renewing = lease._renewed, 0, asyncio.Event()

        async def deaf(**arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > 1:
                return None  # so that a renewal that goes on ends, and not by the time of the lease
            renewing.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return await renew(**arguments)

        lease._renewed = cast(AsyncScript, deaf)
        async with asyncio.timeout(PATIENCE_SECONDS):
            async with lease:
                await renewing.wait()
        assert calls == 1
        assert await RedisInbox(redis, alone).lease(here)


async def test_errors_are_ours() -> None:
    nowhere = Settings(redis_url="redis://127.0.0.1:1/0", submit_deadline_seconds=2)
    async with connected(nowhere) as redis, RedisSubmissionQueue(redis, nowhere) as submissions:
        with pytest.raises(UnavailableError):
            await submissions.submit(SpaceId("s"), an_item("d"))
        [reply] = await submissions.submit_all(SpaceId("s"), [an_item("d")])
        assert isinstance(reply, UnavailableError)
        with pytest.raises(UnavailableError):
            await RedisInbox(redis, nowhere).lease(SpaceId("s"))


async def test_who_waits_when_the_queue_is_closed_is_told_so_in_time() -> None:
    nowhere = Settings(redis_url="redis://127.0.0.1:1/0", submit_deadline_seconds=0.2)
    async with connected(nowhere) as redis:
        async with RedisSubmissionQueue(redis, nowhere) as submissions:
            waiting = asyncio.create_task(submissions.submit(SpaceId("s"), an_item("d")))
            await asyncio.sleep(0)
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(waiting, PATIENCE_SECONDS)


def large_item(name: str, size: int) -> Item:
    item = an_item(name, "x" * size)
    return replace(item, dry_run=False)


@asynccontextmanager
async def ended(tasks: list[asyncio.Task[Any]]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_bytes_that_wait_for_a_space_have_a_bound_and_others_have_room(
    alone: Settings, space: SpaceId
) -> None:
    settings = replace(alone, inbox_bytes=30_000, inboxes_bytes=50_000)
    other, third = SpaceId(f"{space}-2"), SpaceId(f"{space}-3")
    async with connected(settings) as redis:
        await redis.delete(SIZES)
        # Two processes: none of them has the whole.
        async with RedisSubmissionQueue(redis, settings) as one, RedisSubmissionQueue(redis, settings) as two:
            sending = [asyncio.create_task(one.submit(space, large_item("a", 20_000)))]
            async with ended(sending):
                while not await redis.llen(space_key(space, "inbox")):
                    await asyncio.sleep(0.01)
                with pytest.raises(OverloadedError, match="INBOX_BYTES"):
                    await two.submit(space, large_item("b", 20_000))
                sending.append(asyncio.create_task(two.submit(other, large_item("a", 20_000))))
                while not await redis.llen(space_key(other, "inbox")):
                    await asyncio.sleep(0.01)
                with pytest.raises(OverloadedError, match="INBOXES_BYTES"):
                    await two.submit(third, large_item("a", 20_000))
                await redis.delete(space_key(space, "inbox"))  # forgotten, but for its size
                async with await leased(RedisInbox(redis, settings), third) as lease:
                    sending.append(asyncio.create_task(two.submit(third, large_item("a", 20_000))))
                    assert len(await taken(lease, 1)) == 1, "what is not there any more takes no room"


async def test_a_batch_is_no_more_than_fits_a_lease_and_what_is_large_goes_to_its_process(
    alone: Settings, space: SpaceId
) -> None:
    settings = replace(alone, batch_bytes=100_000)
    items = [large_item(f"d{n}", 40_000) for n in range(8)]
    async with connected(settings) as redis, RedisSubmissionQueue(redis, settings) as submissions:
        sending = asyncio.create_task(submissions.submit_all(space, items))
        decided: list[str] = []
        async with await leased(RedisInbox(redis, settings, large=True), space) as lease:
            while len(decided) < len(items):
                envelopes = await taken(lease, 1)
                names = [item.submission.document for envelope in envelopes for item in envelope.items]
                assert 1 <= len(names) <= 2
                decided += names
                await answer_all(lease, envelopes)
        replies = await sending
        assert [reply.hash for reply in replies if isinstance(reply, Answer)] == [i.submission.hash for i in items]
        assert decided == [item.submission.document for item in items]
        again = asyncio.create_task(submissions.submit(space, large_item("large", LARGE_BYTES)))
        async with ended([again]):
            small = await leased(RedisInbox(redis, settings), space)
            async with small:
                while not small.used_up:
                    assert await small.take() == []
                    await asyncio.sleep(0.01)
            assert await redis.zscore(LARGE_QUEUE, (await redis.zrange(LARGE_QUEUE, -1, -1))[0])


async def test_a_lease_that_is_used_up_does_not_wait(
    alone: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.adapters.redis.inbox._LINGER_SECONDS", 10 * PATIENCE_SECONDS)
    async with connected(alone) as redis, await leased(RedisInbox(redis, alone), space) as lease:
        assert lease.hand_over() and lease.used_up
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await lease.take() == []


async def test_no_more_replies_are_texts_at_a_time_than_go_in_one_call(
    alone: Settings, space: SpaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    write = LeaseWire.write

    def noted(self: LeaseWire, data: bytes) -> None:
        calls.append(len(data))
        write(self, data)

    body = JsonText(b'"%s"' % (b"x" * 2**20))
    async with connected(alone) as redis, RedisSubmissionQueue(redis, alone) as submissions:
        sending = [asyncio.create_task(submissions.submit(space, an_item(f"d{n}"))) for n in range(16)]
        async with await leased(RedisInbox(redis, alone), space) as lease:
            envelopes = await taken(lease, 16)
            monkeypatch.setattr(LeaseWire, "write", noted)
            await answer_all(
                lease, envelopes, lambda item: Answer(Outcome.UNCHANGED, "r", item.submission.hash, None, body)
            )
        answers = await asyncio.gather(*sending)
    assert [answer.body for answer in answers if isinstance(answer, Answer)] == [body] * 16
    assert sum(calls) > 16 * 2**20 and max(calls) < 6 * 2**20
