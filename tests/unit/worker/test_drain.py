"""Draining an inbox: what is decided, answered and announced, and what becomes of faults."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.memory.queue import MemoryInbox, MemoryLease, MemoryQueue, MemorySubmissionQueue
from shared.codec import content_hash
from shared.core.documents import DeviceId, DocumentId, JsonText, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome, Submission
from shared.ports import (
    Announcement,
    DecisionError,
    DocumentStore,
    Fence,
    FencedError,
    Reply,
    TooMuchError,
    Transaction,
    UnavailableError,
)
from tests.patience import PATIENCE_SECONDS
from worker.tasks.resolve import InboxDrain

T = TypeVar("T")
SPACE = SpaceId("s")


def item(name: str, value: object = 1) -> Item:
    body = {"id": name, "value": value}
    return Item(Submission(DocumentId(name), body, content_hash(body), 1.0), DeviceId("d"))


def stale(name: str) -> Item:
    """A small state of what may be a large document."""
    body = {"id": name, "other": 1}
    return Item(Submission(DocumentId(name), body, content_hash(body), 2.0, base="0"), DeviceId("d"))


async def replies_of(store: DocumentStore, items: Sequence[Item]) -> tuple[Sequence[Reply], Announcement | None]:
    """In a process for what is large."""
    inbox = MemoryInbox(MemoryQueue(deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS))
    lease = await inbox.lease(SPACE)
    assert lease is not None
    return await InboxDrain(store, inbox, max_bytes=1_000_000, large=True)._replies(SPACE, lease, items)


class FailingStore(MemoryDocumentStore):
    """The first transactions end with these errors."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.transactions = 0

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *args: Any, **kwargs: Any) -> T:
        self.transactions += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().transact(space, work, *args, **kwargs)


@dataclass
class Worker:
    store: FailingStore
    announced: list[Announcement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = MemoryQueue(
            deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS, announce=self._announce
        )
        self.submissions = MemorySubmissionQueue(self.queue)

    async def _announce(self, space: SpaceId, announcement: Announcement) -> None:
        self.announced.append(announcement)

    async def answers(self, *items: Item, large: bool = False) -> list[Any]:
        waiting = asyncio.create_task(self.submissions.submit_all(SPACE, items))
        await asyncio.sleep(0)
        await InboxDrain(self.store, MemoryInbox(self.queue), max_bytes=1_000_000, large=large).drain(SPACE)
        return await waiting


async def test_what_waits_is_decided_in_one_transaction_answered_and_announced() -> None:
    worker = Worker(FailingStore())
    answers = await worker.answers(item("a"), item("b"))
    assert [answer.outcome for answer in answers] == [Outcome.APPLIED, Outcome.APPLIED]
    assert worker.store.transactions == 1
    [announcement] = worker.announced
    assert (announcement.first, announcement.last) == (1, 2)
    assert announcement.changes is not None and {one.document for one in announcement.changes} == {"a", "b"}
    assert await worker.answers() == []


async def test_a_token_that_opens_many_spaces_has_one_of_them_decided_at_a_time_beside_others() -> None:
    inside: list[SpaceId] = []
    most: dict[str, int] = {}

    class Store(MemoryDocumentStore):
        async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *args: Any, **kwargs: Any) -> T:
            inside.append(space)
            most[space[0]] = max(most.get(space[0], 0), sum(one[0] == space[0] for one in inside))
            await asyncio.sleep(0.01)
            inside.remove(space)
            return await super().transact(space, work, *args, **kwargs)

    queue = MemoryQueue(deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS)
    submissions = MemorySubmissionQueue(queue)
    drain = InboxDrain(Store(), MemoryInbox(queue), max_bytes=1_000_000)

    async def write(space: str, by: str) -> None:
        one = replace(item("a"), by=DeviceId(by))
        waiting = asyncio.create_task(submissions.submit(SpaceId(space), one))
        await asyncio.sleep(0)
        await drain.drain(SpaceId(space))
        assert isinstance(await waiting, Answer)

    await write("quiet", "one")
    await asyncio.gather(*(write(f"many-{n}", "many") for n in range(6)), write("quiet", "one"))
    assert most == {"q": 1, "m": 1}


async def test_replies_that_cannot_be_put_together_ahead_are_when_they_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[Any] = []

    def prepare(_: MemoryLease, *given: Any) -> None:
        tried.append(given)
        raise ValueError

    monkeypatch.setattr(MemoryLease, "prepare", prepare)
    worker = Worker(FailingStore())
    [answer] = await worker.answers(item("a"))
    assert answer.outcome is Outcome.APPLIED and len(tried) == 1


async def test_a_store_that_fails_when_replies_are_prepared_sends_none_of_them() -> None:
    class Store(FailingStore):
        async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *args: Any, **kwargs: Any) -> T:
            await super().transact(space, work, *args, **kwargs)
            raise UnavailableError("nobody knows whether it is stored")

    worker = Worker(Store())
    [answer] = await worker.answers(item("a"))
    assert isinstance(answer, UnavailableError) and not worker.announced


async def test_a_store_that_is_away_answers_unavailable_and_nothing_is_announced() -> None:
    worker = Worker(FailingStore(UnavailableError("away")))
    [answer] = await worker.answers(item("a"))
    assert isinstance(answer, UnavailableError) and not worker.announced
    [answer] = await worker.answers(item("a"))
    assert isinstance(answer, Answer)


async def test_a_fault_in_a_batch_is_the_fault_of_one() -> None:
    worker = Worker(FailingStore(ValueError("together"), ValueError("the first alone")))
    first, second = await worker.answers(item("a"), item("b"))
    assert isinstance(first, DecisionError) and isinstance(second, Answer)


async def test_who_was_taken_over_leaves_the_submissions_to_the_next_worker() -> None:
    worker = Worker(FailingStore())
    await worker.store.transact(SPACE, lambda transaction: None, Fence(10**9, "another"))
    # It holds the lease, so it is right whatever its number was.
    [answer] = await worker.answers(item("a"))
    assert isinstance(answer, Answer)

    worker = Worker(FailingStore(FencedError(5)))
    lease = worker.queue.spaces[SPACE]
    waiting = asyncio.create_task(worker.submissions.submit(SPACE, item("a")))
    await asyncio.sleep(0)
    transact = worker.store.transact

    async def taken_over(*args: Any, **kwargs: Any) -> Any:
        lease.holder = "somebody else"
        return await transact(*args, **kwargs)

    worker.store.transact = taken_over  # type: ignore[method-assign]
    await InboxDrain(worker.store, MemoryInbox(worker.queue), max_bytes=1_000_000).drain(SPACE)
    assert not waiting.done() and len(lease.waiting) == 1
    worker.store.transact, lease.holder = transact, None  # type: ignore[method-assign]
    await InboxDrain(worker.store, MemoryInbox(worker.queue), max_bytes=1_000_000).drain(SPACE)
    assert isinstance(await waiting, Answer)


@pytest.mark.parametrize("count", [1, 5])
async def test_what_is_too_much_at_once_is_decided_in_halves(count: int) -> None:
    worker = Worker(FailingStore(TooMuchError()) if count > 1 else FailingStore())
    answers = await worker.answers(*(item(f"d{n}") for n in range(count)), large=True)
    assert [answer.outcome for answer in answers] == [Outcome.APPLIED] * count
    if count > 1:
        assert worker.announced[0].changes is None and worker.announced[0].last == count


class Read:
    """Stands for what a transaction has read."""


class HalvingStore(MemoryDocumentStore):
    """A transaction about more than one submission is too much, once it has read something; counts what is held of
    several transactions at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.read: weakref.WeakSet[Read] = weakref.WeakSet()
        self.held: list[int] = []
        self.decided = 0

    async def transact(self, space: SpaceId, work: Callable[[Transaction], T], *args: Any, **kwargs: Any) -> T:
        read = Read()
        self.held.append(len(self.read))
        self.read.add(read)
        if kwargs["max_bytes"] is not None:
            raise TooMuchError
        result = await super().transact(space, work, *args, **kwargs)
        self.decided += 1
        return result


async def test_nothing_is_held_of_what_was_too_much_at_once_while_its_halves_are_decided() -> None:
    store = HalvingStore()
    gc.disable()  # what goes only with a collection is held
    try:
        replies, announcement = await replies_of(store, [item(f"d{n}") for n in range(16)])
    finally:
        gc.enable()
    assert store.decided == 16 and len(replies) == 16
    assert announcement is not None and (announcement.first, announcement.last) == (1, 16)
    assert announcement.changes is None
    assert set(store.held) == {0}


async def test_halves_are_decided_until_their_answers_are_as_long_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.tasks.resolve.MOST_REPLY_BYTES", 3000)
    store = HalvingStore()
    for number in range(16):
        await replies_of(store, [item(f"d{number}", "x" * 1000)])
    store.decided = 0
    replies, _ = await replies_of(store, [stale(f"d{n}") for n in range(16)])
    assert store.decided == 3, "a fourth would be decided for an answer that is not sent"
    answered = [reply for reply in replies if isinstance(reply, Answer)]
    assert len(answered) == 3 and replies[:3] == answered
    assert all(isinstance(reply.body, JsonText) for reply in answered)
    assert all(isinstance(reply, UnavailableError) for reply in replies[3:]) and len(replies) == 16


async def test_what_answers_say_of_conflicts_counts_towards_how_long_they_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.tasks.resolve.MOST_REPLY_BYTES", 3000)
    store = HalvingStore()
    row = {"path": "/a", "rule": "r", "dropped": "x" * 1000}
    told = Answer(Outcome.MERGED, "r", None, None, None, same=True, conflicts=(row,))

    async def transact(*args: Any, max_bytes: int | None, **kwargs: Any) -> Any:
        if max_bytes is not None:
            raise TooMuchError
        return [told], None

    monkeypatch.setattr(store, "transact", transact)
    replies, announcement = await replies_of(store, [item(f"d{n}") for n in range(8)])
    assert replies[:3] == [told] * 3 and announcement is None
    assert all(isinstance(reply, UnavailableError) for reply in replies[3:]) and len(replies) == 8


async def test_a_process_for_what_is_large_keeps_nothing_of_a_batch_that_is_in_a_cycle() -> None:
    """The collector looks by how many objects there are; a few large ones would stay for hours."""
    store = HalvingStore()

    async def transact(*args: Any, **kwargs: Any) -> Any:
        read = Read()
        store.read.add(read)
        error = UnavailableError("cycle")
        read.error = error  # type: ignore[attr-defined]
        error.read = read  # type: ignore[attr-defined]
        raise error

    queue = MemoryQueue(deadline_seconds=PATIENCE_SECONDS, lease_seconds=PATIENCE_SECONDS)
    inbox = MemoryInbox(queue)
    store.transact = transact  # type: ignore[method-assign]
    sending = asyncio.create_task(MemorySubmissionQueue(queue).submit(SPACE, item("d")))
    await asyncio.sleep(0)
    gc.disable()
    try:
        await InboxDrain(store, inbox, max_bytes=1_000_000, large=True).drain(SPACE)
        held = len(store.read)
    finally:
        gc.enable()
    with pytest.raises(UnavailableError):
        await sending
    assert held == 0
