"""How often Redis is asked for a write: counted, so a step too many shows on any machine."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from shared.adapters import arq
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.redis import inbox as inboxes
from shared.adapters.redis import submission_queue as submission_queues
from shared.adapters.redis.inbox import RedisInbox
from shared.adapters.redis.lease_connection import LeaseWire
from shared.adapters.redis.line import RedisLine
from shared.adapters.redis.packing import PackingConnection
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.codec import content_hash
from shared.core.documents import DeviceId, DocumentId, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Submission
from shared.core.resolution.revs import CREATED
from shared.settings import Settings
from tests.integration.test_large_merges import away_from_the_workers
from worker.tasks.resolve import InboxDrain

CONNECTING = {"AUTH", "HELLO", "CLIENT", "SELECT"}
"""Commands of a connection that begins. Whether one is free when it is needed is left to chance."""
COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n")
LONG = 60.0
"""Seconds, of what would ask by the clock."""


@pytest.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent to Redis, each time with the names of the commands in it."""
    sent: list[str] = []
    send = PackingConnection.send_packed_command

    def note(text: bytes) -> None:
        names = [name.decode() for name in COMMAND.findall(text)]
        if not CONNECTING.issuperset(names):
            sent.append(" ".join(names))

    async def noted(self: PackingConnection, command: Any, *args: Any, **kwargs: Any) -> None:
        note(command if isinstance(command, bytes) else b"".join(command))
        await send(self, command, *args, **kwargs)

    write = LeaseWire.write

    def written(self: LeaseWire, data: bytes) -> None:
        note(data)
        write(self, data)

    call = RedisLine.call

    def called(self: RedisLine, *command: Any, **how: Any) -> asyncio.Future[Any] | None:
        answer = call(self, *command, **how)
        if answer is not None:
            sent.append(command[0])
        return answer

    monkeypatch.setattr(PackingConnection, "send_packed_command", noted)
    monkeypatch.setattr(LeaseWire, "write", written)
    monkeypatch.setattr(RedisLine, "call", called)
    monkeypatch.setattr(submission_queues, "_CHECK_SECONDS", LONG)
    monkeypatch.setattr(submission_queues, "_REPLIES_SECONDS", 2)
    monkeypatch.setattr(inboxes, "_LINGER_SECONDS", LONG)
    return sent


@pytest.fixture
async def sender(
    settings: Settings, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[RedisSubmissionQueue, SpaceId]]:
    """A process of the API, and a space that a worker has the lease of and waits for."""
    settings = replace(away_from_the_workers(settings), lease_seconds=LONG)
    space = SpaceId(f"s-{uuid.uuid4().hex[:12]}")
    redis = arq.connect(settings, connections=20)
    worker = InboxDrain(MemoryDocumentStore(), RedisInbox(redis, settings), max_bytes=10**6)
    async with RedisSubmissionQueue(redis, settings) as submissions:
        first = asyncio.create_task(submissions.submit(space, item("first")))
        await _until(asked, "ZADD")  # the job that a worker would find
        draining = asyncio.create_task(worker.drain(space))
        await first
        await _until(asked, "BLMOVE EVAL", times=2)
        yield submissions, space
        monkeypatch.setattr(inboxes, "_LINGER_SECONDS", 0.01)
        await submissions.submit(space, item("last"))
        await draining
    await redis.aclose(close_connection_pool=True)


async def _until(asked: list[str], wanted: str, times: int = 1) -> None:
    while sum(wanted in command for command in asked) < times:
        await asyncio.sleep(0.001)


async def _settled(asked: list[str]) -> None:
    """Until both sides wait for what comes next."""
    await _until(asked, "BLMOVE EVAL")
    await _until(asked, "BLPOP")


def item(document: str) -> Item:
    body = {"id": document}
    submission = Submission(DocumentId(document), body, content_hash(body), 1.0, CREATED, device=DeviceId("d"))
    return Item(submission, DeviceId("d"))


async def test_a_write_asks_four_times(sender: tuple[RedisSubmissionQueue, SpaceId], asked: list[str]) -> None:
    submissions, space = sender
    for document in ("a", "b"):
        asked.clear()
        assert isinstance(await submissions.submit(space, item(document)), Answer)
        await _settled(asked)
        # In: the submission. Out: the answer, the announcement, and what was taken removed. Both wait for the next.
        assert sorted(asked) == ["BLMOVE EVAL", "BLPOP", "EVALSHA", "RPUSH PEXPIRE PUBLISH EVAL"]


async def test_a_batch_asks_no_more(sender: tuple[RedisSubmissionQueue, SpaceId], asked: list[str]) -> None:
    submissions, space = sender
    asked.clear()
    replies = await submissions.submit_all(space, [item(f"d{number}") for number in range(100)])
    assert all(isinstance(reply, Answer) for reply in replies)
    await _settled(asked)
    assert sorted(asked) == ["BLMOVE EVAL", "BLPOP", "EVALSHA", "RPUSH PEXPIRE PUBLISH EVAL"]
