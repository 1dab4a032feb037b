"""What SubmissionQueue and Inbox promise together. A test class of an adapter inherits this, with a fixture `queue`.

No worker but the test's may drain the queue's spaces.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from shared.core.documents import ContentHash, DeviceId, DocumentId, SpaceId
from shared.core.json.canonical import content_hash
from shared.core.resolution.batch import MAX_PER_DOCUMENT, Answer, Item
from shared.core.resolution.context import Given, Outcome, Refusal, Submission
from shared.core.resolution.revs import Rev
from shared.observability import on_behalf_of
from shared.ports import DecisionError, Envelope, Inbox, Lease, Reply, SubmissionQueue, UnavailableError

_PATIENCE_SECONDS = 180.0
"""Whatever a test waits for comes long before, unless it never does."""


_LEASES_SECONDS = (0.3, 3.0, 30.0)
"""One is renewed three times as often as it lasts. What shares the processor with the test may hold its loop up for
longer than that, but hardly each time."""


@dataclass(frozen=True)
class Queue:
    """The two ends of one queue, where whoever submits waits for as long as a test does, and so long a space stays
    with a worker that gives no sign of life; and such ends where it is `deadline_seconds`, and what is asked for."""

    submissions: SubmissionQueue
    inbox: Inbox
    hasty_submissions: SubmissionQueue
    deadline_seconds: float
    inbox_of: Callable[[float], Inbox]


def an_item(name: str, value: object = 1) -> Item:
    """A submission; every field has something in it."""
    body = {"id": name, "value": value}
    submission = Submission(
        DocumentId(name), body, content_hash(body), 2.5, "7-abc", {"id": name}, DeviceId("d1"), True, None
    )
    return Item(submission, DeviceId("d1"), dry_run=True, confirmed=True)


def echo(item: Item) -> Reply:
    """An answer that tells which item it is for."""
    submission = item.submission
    return Answer(Outcome.APPLIED, "echo", submission.hash, Rev(f"1-{submission.document}"), submission.client_state)


@pytest.fixture
def space() -> SpaceId:
    """Of this test alone."""
    return SpaceId(f"s-{uuid.uuid4().hex[:12]}")


def sent(envelopes: Sequence[Envelope]) -> list[Item]:
    """The items as they were sent: without the name that the queue gives each request."""
    items = [item for envelope in envelopes for item in envelope.items]
    return [replace(item, submission=replace(item.submission, delivery=None)) for item in items]


def request_ids(envelopes: Sequence[Envelope]) -> list[str | None]:
    """Those of the requests that brought the items."""
    return [item.request for envelope in envelopes for item in envelope.items]


def requests(envelopes: Sequence[Envelope]) -> list[str | None]:
    """The names of the requests."""
    return [item.submission.delivery for envelope in envelopes for item in envelope.items]


async def leased(inbox: Inbox, space: SpaceId) -> Lease:
    """The lease, as soon as nobody else has it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            lease = await inbox.lease(space)
            if lease is not None:
                return lease
            await asyncio.sleep(0.01)


async def taken(lease: Lease, count: int) -> list[Envelope]:
    """What is taken as soon as `count` submissions wait."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            envelopes = await lease.take()
            if sum(len(envelope.items) for envelope in envelopes) >= count:
                return envelopes
            await asyncio.sleep(0.01)


async def nothing_left(lease: Lease) -> None:
    """Returns when what nobody waits for has expired. On a busy machine it came into the inbox later, and expires
    later."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            if not await lease.take():
                return
            await asyncio.sleep(0.01)


async def answer_all(lease: Lease, envelopes: Sequence[Envelope], reply: Callable[[Item], Reply] = echo) -> None:
    await lease.reply([(envelope, [reply(item) for item in envelope.items]) for envelope in envelopes])


class QueueContract:
    """Each space is a test's own."""

    async def test_what_is_sent_is_taken_in_order_and_answered_to_who_sent_it(
        self, queue: Queue, space: SpaceId
    ) -> None:
        items = [an_item(f"d{n}", n) for n in range(12)]
        sending = []
        async with await leased(queue.inbox, space) as lease:
            for count, item in enumerate(items, 1):
                sending.append(asyncio.create_task(queue.submissions.submit(space, item)))
                envelopes = await taken(lease, count)
            assert sent(envelopes) == items
            names = requests(envelopes)
            assert None not in names and len(set(names)) == len(items), "each is a request of its own"
            await answer_all(lease, envelopes)
            assert await asyncio.gather(*sending) == [echo(item) for item in items]
            assert await lease.take() == []

    async def test_the_id_of_a_request_goes_with_its_items(self, queue: Queue, space: SpaceId) -> None:
        async with await leased(queue.inbox, space) as lease:
            with on_behalf_of(["r1"]):
                sending = [asyncio.create_task(queue.submissions.submit_all(space, [an_item("d1"), an_item("d2")]))]
            with on_behalf_of(["r2"]):
                sending.append(asyncio.create_task(queue.submissions.submit_all(space, [an_item("d3")])))
            sending.append(asyncio.create_task(queue.submissions.submit_all(space, [an_item("d4")])))
            envelopes = await taken(lease, 4)
            assert request_ids(envelopes) == ["r1", "r1", "r2", None]
            await answer_all(lease, envelopes)
            await asyncio.gather(*sending)
            assert await lease.take() == []

    async def test_many_at_once_are_answered_one_by_one(self, queue: Queue, space: SpaceId) -> None:
        items = [an_item(f"d{n}") for n in range(5)]
        refusal = Refusal("base-unknown", "9 no body")

        def reply(item: Item) -> Reply:
            others: dict[str, Reply] = {"d1": refusal, "d2": DecisionError("x"), "d3": UnavailableError("x")}
            return others.get(item.submission.document) or echo(item)

        sending = asyncio.create_task(queue.submissions.submit_all(space, items))
        async with await leased(queue.inbox, space) as lease:
            await answer_all(lease, await taken(lease, len(items)), reply)
            replies = await sending
        assert [replies[0], replies[1], replies[4]] == [echo(items[0]), refusal, echo(items[4])]
        assert isinstance(replies[2], DecisionError) and isinstance(replies[3], UnavailableError)
        assert await queue.submissions.submit_all(space, []) == []

    @pytest.mark.parametrize("error", [DecisionError("x"), UnavailableError("x")])
    async def test_what_could_not_be_decided_or_stored_is_raised(
        self, queue: Queue, space: SpaceId, error: Exception
    ) -> None:
        sending = asyncio.create_task(queue.submissions.submit(space, an_item("d")))
        async with await leased(queue.inbox, space) as lease:
            await answer_all(lease, await taken(lease, 1), lambda item: error)
            with pytest.raises(type(error)):
                await sending

    async def test_a_batch_has_so_many_of_one_document_and_the_others_come_next_in_order(
        self, queue: Queue, space: SpaceId
    ) -> None:
        items = [an_item("hot", n) for n in range(2 * MAX_PER_DOCUMENT)]
        items[3] = an_item("other")
        async with await leased(queue.inbox, space) as lease:
            sending = [asyncio.create_task(queue.submissions.submit(space, item)) for item in items]
            first = await taken(lease, MAX_PER_DOCUMENT + 1)
            assert sent(first) == items[: MAX_PER_DOCUMENT + 1]
            await answer_all(lease, first)
            then = await taken(lease, MAX_PER_DOCUMENT - 1)
            assert sent(then) == items[MAX_PER_DOCUMENT + 1 :]
            await answer_all(lease, then)
            assert await asyncio.gather(*sending) == [echo(item) for item in items]

    async def test_a_refusal_and_null_are_answers(self, queue: Queue, space: SpaceId) -> None:
        asked = Item(Submission(DocumentId("d"), None, None, 1.0, base_state=Given.NOTHING), DeviceId("d1"))
        refusal = Refusal("base-unknown", "9 no body")
        for reply in (refusal, Answer(Outcome.UNCHANGED, "1 null", ContentHash(""), None, None)):
            sending = asyncio.create_task(queue.submissions.submit(space, asked))
            async with await leased(queue.inbox, space) as lease:
                envelopes = await taken(lease, 1)
                assert sent(envelopes) == [asked]
                await lease.reply([(envelopes[0], [reply])])
                assert await sending == reply

    @pytest.mark.parametrize("sends", ["what was prepared", "something else"])
    async def test_replies_may_be_put_together_before_they_are_sent(
        self, queue: Queue, space: SpaceId, sends: str
    ) -> None:
        items = [an_item(f"d{n}") for n in range(3)]
        later = UnavailableError("it was not stored after all")
        async with await leased(queue.inbox, space) as lease:
            sending = [asyncio.create_task(queue.submissions.submit(space, item)) for item in items]
            envelopes = await taken(lease, len(items))
            prepared = [(envelope, [echo(item) for item in envelope.items]) for envelope in envelopes]
            await asyncio.to_thread(lease.prepare, prepared)
            assert not any(one.done() for one in sending)
            if sends == "something else":
                await answer_all(lease, envelopes, lambda _: later)
            else:
                await lease.reply(prepared)
            answers = await asyncio.gather(*sending, return_exceptions=True)
            if sends == "something else":
                assert all(isinstance(answer, UnavailableError) for answer in answers)
            else:
                assert answers == [echo(item) for item in items]
            assert await lease.take() == []

    async def test_one_worker_at_a_time_holds_a_space_and_others_hold_other_spaces(
        self, queue: Queue, space: SpaceId
    ) -> None:
        async with await leased(queue.inbox, space):
            assert await queue.inbox.lease(space) is None
            async with await leased(queue.inbox, SpaceId(f"{space}-2")):
                assert await queue.inbox.lease(space) is None
        async with await leased(queue.inbox, space):
            pass

    async def test_a_lease_is_renewed_while_its_worker_lives(self, queue: Queue, space: SpaceId) -> None:
        for seconds in _LEASES_SECONDS:
            inbox = queue.inbox_of(seconds)
            async with await leased(inbox, space):
                await asyncio.sleep(1.5 * seconds)
                if await inbox.lease(space) is None:
                    return
        raise AssertionError("it ran out each time")

    async def test_what_a_dead_worker_took_is_there_for_the_next_one_with_a_later_fence(
        self, queue: Queue, space: SpaceId
    ) -> None:
        sending = asyncio.create_task(queue.submissions.submit(space, an_item("d")))
        dead, envelopes = await self._taken_by_the_dead(queue, space)
        async with await leased(queue.inbox, space) as lease:
            assert lease.fence.number > dead.fence.number
            assert not await dead.confirm(dead.fence.number) and dead.used_up
            again = await taken(lease, 1)
            assert [envelope.items for envelope in again] == [envelope.items for envelope in envelopes], (
                "the same request, by its name too: that tells a delivery from an edit"
            )
            await answer_all(lease, again)
            assert await sending == echo(an_item("d"))
            other = asyncio.create_task(queue.submissions.submit(space, an_item("e")))
            mine = await taken(lease, 1)
            await answer_all(dead, envelopes)  # wakes up, and must not remove what is not its own
            assert await lease.take() == mine
            await answer_all(lease, mine)
            assert await other == echo(an_item("e"))

    async def _taken_by_the_dead(self, queue: Queue, space: SpaceId) -> tuple[Lease, list[Envelope]]:
        for seconds in _LEASES_SECONDS:
            dead = await leased(queue.inbox_of(seconds), space)  # never entered: nobody renews it
            while not dead.used_up:
                if envelopes := await dead.take():
                    return dead, envelopes
        raise AssertionError("it died each time before it took anything")

    async def test_who_has_lost_the_lease_takes_nothing_more(self, queue: Queue, space: SpaceId) -> None:
        """Else it would store what came later before what the other one has taken, which sets old values back."""
        sending = [asyncio.create_task(queue.submissions.submit(space, an_item("d", 1)))]
        late = await leased(queue.inbox_of(_LEASES_SECONDS[0]), space)  # never entered: nobody renews it
        async with await leased(queue.inbox, space) as lease:
            await taken(lease, 1)
            sending.append(asyncio.create_task(queue.submissions.submit(space, an_item("d", 2))))
            await taken(lease, 2)
            assert await late.take() == []
            assert late.used_up and not await late.release_if_empty()
            await answer_all(lease, await taken(lease, 2))
            assert await asyncio.gather(*sending) == [echo(an_item("d", 1)), echo(an_item("d", 2))]

    async def test_a_fence_that_met_a_later_one_passes_it_if_the_lease_is_held(
        self, queue: Queue, space: SpaceId
    ) -> None:
        async with await leased(queue.inbox, space) as lease:
            number = lease.fence.number + 10**9
            assert await lease.confirm(number)
            assert lease.fence.number > number

    async def test_a_lease_ends_only_when_nothing_waits(self, queue: Queue, space: SpaceId) -> None:
        sending = asyncio.create_task(queue.submissions.submit(space, an_item("d")))
        async with await leased(queue.inbox, space) as lease:
            envelopes = await taken(lease, 1)
            assert not await lease.release_if_empty(), "it is in the inbox until it is answered"
            await answer_all(lease, envelopes)
            await sending
            assert await lease.release_if_empty()
            async with await leased(queue.inbox, space):
                pass

    async def test_who_waited_too_long_is_told_and_forgotten(self, queue: Queue, space: SpaceId) -> None:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(queue.hasty_submissions.submit(space, an_item("late")), _PATIENCE_SECONDS)
        assert time.monotonic() - began > 0.9 * queue.deadline_seconds
        async with await leased(queue.inbox, space) as lease:
            await nothing_left(lease)
            sending = asyncio.create_task(queue.submissions.submit(space, an_item("d")))
            envelopes = await taken(lease, 1)
            assert sent(envelopes) == [an_item("d")], "what nobody waits for was taken"
            await answer_all(lease, envelopes)
            assert await sending == echo(an_item("d"))

    async def test_what_nobody_waits_for_does_not_hold_a_lease(self, queue: Queue, space: SpaceId) -> None:
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(queue.hasty_submissions.submit(space, an_item("late")), _PATIENCE_SECONDS)
        async with await leased(queue.inbox, space) as lease:
            await nothing_left(lease)
            assert await lease.release_if_empty(), "it waits still"
