"""Large documents: a merge that takes long holds nobody up, and two that are too large together are refused."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from redis.commands.core import AsyncScript

from shared import codec
from shared.adapters import arq
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.adapters.redis.inbox import RedisInbox, RedisLease
from shared.adapters.redis.keys import space_key
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.core.documents import Body, DeviceId, DocumentId, SpaceId
from shared.core.merge.objects import merge
from shared.core.resolution import rebase
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome, Submission
from shared.large import LARGE, is_large
from shared.settings import Settings
from tests.instance import Access
from tests.patience import PATIENCE_SECONDS, STORE_TIMEOUT_SECONDS
from worker.tasks.resolve import InboxDrain

T = TypeVar("T")

LIMIT = Settings().max_document_bytes
LEASES_SECONDS = (1.0, 6.0, 60.0)
"""One is renewed three times as often as it lasts. What shares the processor with the test may hold the loop up for
longer than it may be, but hardly each time."""
RENEWALS = 4
"""So many times while a merge runs: it takes longer than a lease lasts that nobody renews."""

Parts = tuple[arq.WakingRedis, RedisSubmissionQueue, RedisInbox, InboxDrain]


def away_from_the_workers(settings: Settings) -> Settings:
    """The server's Redis, in a database of which its workers know nothing."""
    parts = urlsplit(settings.redis_url)
    return replace(
        settings,
        redis_url=urlunsplit(parts._replace(path="/1")),
        lease_seconds=PATIENCE_SECONDS,
        submit_deadline_seconds=PATIENCE_SECONDS,
    )


@pytest.fixture
async def submissions(settings: Settings) -> AsyncIterator[Parts]:
    settings = away_from_the_workers(settings)
    redis = arq.connect(settings, connections=20)
    async with opened(settings) as mongo, RedisSubmissionQueue(redis, settings) as sender:
        store = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
        inbox = RedisInbox(redis, settings, large=True)
        yield redis, sender, inbox, InboxDrain(store, inbox, max_bytes=LIMIT, large=True)
    await redis.aclose(close_connection_pool=True)


def document(value: Any) -> Body:
    return {"id": "d", "x": value}


def item(body: Body, base: str) -> Item:
    submission = Submission(DocumentId("d"), body, codec.content_hash(body), time.time(), base, device=DeviceId("d1"))
    return Item(submission, DeviceId("d1"))


class SlowMerge:
    """The merge, which ends when the lease was renewed often enough meanwhile."""

    def __init__(self) -> None:
        self._loop_thread = threading.current_thread()
        self._renewed = threading.Semaphore(0)
        self.was_beside_the_loop = False

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.was_beside_the_loop = threading.current_thread() is not self._loop_thread
        for _ in range(RENEWALS if self.was_beside_the_loop else 0):
            assert self._renewed.acquire(timeout=PATIENCE_SECONDS), "nobody renews the lease"
        return merge(*arguments, **options)

    def sees(self, lease: RedisLease) -> RedisLease:
        renew = lease._renewed

        async def renewed(**arguments: Any) -> Any:
            answer = await renew(**arguments)
            self._renewed.release(1 if answer else 100)  # it ran out: the merge need not wait any more
            return answer

        lease._renewed = cast(AsyncScript, renewed)
        return lease


class RanOutError(Exception):
    """Another worker had the lease while its holder was at work."""


async def test_the_lease_is_renewed_while_a_large_merge_runs(
    submissions: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the event loop it could not be: another worker would take the space, and be stopped by the same merge."""
    redis, sender, inbox, worker = submissions
    dice = random.Random(1)
    base, ours, theirs = (
        document({str(n): dice.choices(range(3), k=8) for n in range(LIMIT // 80)}) for _ in range(3)
    )
    # So many arrays are values, of which one side has all: a field of its own shows that the other one is there.
    ours["ours"], theirs["theirs"] = True, True
    assert len(codec.canonical(base)) < LIMIT

    async def submitted(space: SpaceId, body: Body, on: str) -> Answer:
        async with ended(sender.submit(space, item(body, on))) as sending:
            while not await redis.llen(space_key(space, "inbox")):
                await asyncio.sleep(0.001)
            async with ended(worker.drain(space)) as draining:
                while not draining.done() and not await redis.exists(space_key(space, "lease")):
                    await asyncio.sleep(0.001)
                while not sending.done():
                    await asyncio.sleep(0.02)
                    other = await inbox.lease(space)
                    if other is not None:
                        async with other:  # it would keep the worker from what comes next
                            if not sending.done():
                                raise RanOutError
                await draining
            reply = await sending
        assert isinstance(reply, Answer)
        return reply

    async def merged(lease_seconds: float) -> tuple[Answer, SlowMerge]:
        space = SpaceId(f"s-{uuid.uuid4().hex[:12]}")
        made = await submitted(space, base, "0")
        assert made.rev is not None
        await submitted(space, ours, made.rev)
        slow, lease_of = SlowMerge(), inbox.lease

        async def seen(space: SpaceId) -> RedisLease | None:
            lease = await lease_of(space)
            return lease and slow.sees(lease)

        with monkeypatch.context() as patch:
            patch.setattr(inbox, "_settings", replace(inbox._settings, lease_seconds=lease_seconds))
            patch.setattr(inbox, "lease", seen)
            patch.setattr(rebase, "merge", slow)
            return await submitted(space, theirs, made.rev), slow

    for seconds in LEASES_SECONDS:
        with suppress(RanOutError):
            reply, slow = await merged(seconds)
            break
    else:
        pytest.fail("the lease ran out each time")
    assert reply.outcome is Outcome.MERGED and reply.conflicts
    assert slow.was_beside_the_loop, "nobody could renew the lease meanwhile"


@asynccontextmanager
async def ended(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_is_large() -> None:
    assert not is_large([[1] * (LARGE // 2), [1]]) and is_large([[1] * (LARGE // 2)] * 2)


def test_two_that_are_too_large_together_are_refused_and_nothing_is_lost(access: Access) -> None:
    most = LIMIT // 2 - 100
    with httpx.Client(base_url=access.url, headers=access.headers) as http:

        def post(body: Body, **members: Any) -> httpx.Response:
            return http.post("/task/d", content=json.dumps({"client_state": body, **members}))

        base = {"id": "d", "c": "z" * 300}
        rev = post(base, base="0").raise_for_status().json()["rev"]
        head = {**base, "a": "x" * most}
        assert post(head, base=rev).raise_for_status().json()["outcome"] == "fast_forward"
        edited = {**base, "b": "y" * most}
        revisions = http.get("/task/d/revisions").json()
        for _ in range(2):
            refused = post(edited, base=rev)
            assert (refused.status_code, refused.json()["code"]) == (413, "too-large")
            assert str(LIMIT) in refused.json()["detail"] and "Keep the edit" in refused.json()["detail"]
        batch = {"d": {"client_state": edited, "base": rev}, "e": {"client_state": {"id": "e"}}}
        answers = http.post("/tasks", content=json.dumps({"tasks": batch})).raise_for_status().json()["tasks"]
        assert answers["d"]["error"]["code"] == "too-large" and answers["e"]["outcome"] == "applied"
        assert http.get("/task/d").json() == head and http.get("/task/d/revisions").json() == revisions
        # Somebody makes room; the same request goes through, and both edits stand.
        smaller = {**head, "a": "x"}
        post(smaller).raise_for_status()
        merged = post(edited, base=rev).raise_for_status().json()
        assert merged["outcome"] == "merged" and merged["server_state"] == {**edited, "a": "x"}
