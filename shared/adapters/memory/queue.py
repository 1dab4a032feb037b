"""The queue that is nothing but memory: both ends, in one process and on one event loop."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared import queue_messages
from shared.core.documents import SpaceId
from shared.core.resolution.batch import Answer, DocumentCounts, Item
from shared.core.resolution.context import Refusal
from shared.ports import (
    Announce,
    Announcement,
    EncodedItem,
    Envelope,
    Fence,
    MapAcknowledgements,
    Reply,
    UnavailableError,
)


@dataclass(slots=True)
class _Waiting:
    """An envelope, and who waits for its replies until when, by the monotonic clock."""

    envelope: Envelope
    future: asyncio.Future[list[Reply]]
    until: float


@dataclass(slots=True)
class _Space:
    waiting: list[_Waiting] = field(default_factory=list)
    holder: str | None = None
    held_until: float = 0.0


class MemoryQueue:
    """What a MemorySubmissionQueue puts in and leases of a MemoryInbox take out. `lease_seconds`: how long a space
    stays with a worker that gives no sign of life. `on_waiting` is called when something waits for a space."""

    def __init__(
        self,
        *,
        deadline_seconds: float,
        lease_seconds: float,
        announce: Announce | None = None,
        on_waiting: Callable[[SpaceId], None] = lambda space: None,
    ) -> None:
        self.deadline_seconds = deadline_seconds
        self.lease_seconds = lease_seconds
        self.announce = announce
        self.on_waiting = on_waiting
        self.spaces: defaultdict[SpaceId, _Space] = defaultdict(_Space)
        self.fences = itertools.count(1)


class MemorySubmissionQueue:
    """SubmissionQueue."""

    def __init__(
        self,
        queue: MemoryQueue,
        acknowledgements: MapAcknowledgements | None = None,
        *,
        deadline_seconds: float | None = None,
    ) -> None:
        """`deadline_seconds`: another one than the queue's."""
        self._queue = queue
        self._deadline_seconds = queue.deadline_seconds if deadline_seconds is None else deadline_seconds
        self._acknowledgements = acknowledgements
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    async def submit(self, space: SpaceId, item: Item | EncodedItem) -> Answer | Refusal:
        [reply] = await self._together(space, [item])
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def submit_all(self, space: SpaceId, items: Sequence[Item | EncodedItem]) -> list[Reply]:
        if not items:
            return []
        try:
            return await self._together(space, items)
        except UnavailableError as error:
            return [error] * len(items)

    async def waiting(self, space: SpaceId) -> int:
        return len(self._queue.spaces[space].waiting)

    async def _together(self, space: SpaceId, items: Sequence[Item | EncodedItem]) -> list[Reply]:
        sealed = [item if isinstance(item, EncodedItem) else queue_messages.encode_item(item) for item in items]
        if self._acknowledgements is not None:
            await self._acknowledgements.posted([(space, one.device) for one in sealed if one.device is not None])
        # Through its wire form, so that what does not survive it is found here too.
        data = queue_messages.dump_envelope(self._process, next(self._numbers), sealed)
        envelope = queue_messages.load_envelope(data)
        future: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        until = time.monotonic() + self._deadline_seconds
        self._queue.spaces[space].waiting.append(_Waiting(envelope, future, until))
        self._queue.on_waiting(space)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await future
        except TimeoutError:
            raise UnavailableError("no worker answered in time") from None


class MemoryInbox:
    """Inbox."""

    def __init__(self, queue: MemoryQueue, *, lease_seconds: float | None = None) -> None:
        """`lease_seconds`: others than the queue's."""
        self._queue = queue
        self._lease_seconds = queue.lease_seconds if lease_seconds is None else lease_seconds

    async def lease(self, space: SpaceId) -> MemoryLease | None:
        inbox = self._queue.spaces[space]
        if inbox.holder is not None and time.monotonic() < inbox.held_until:
            return None
        fence = Fence(next(self._queue.fences), secrets.token_hex(8))
        return MemoryLease(self._queue, space, fence, self._lease_seconds)


class MemoryLease:
    """Lease."""

    def __init__(self, queue: MemoryQueue, space: SpaceId, fence: Fence, seconds: float) -> None:
        self._queue = queue
        self._seconds = seconds
        self._space = space
        self._fence = fence
        self._here = queue.spaces[space]
        self._taken: list[_Waiting] = []
        self._lost = False
        self._renewal: asyncio.Task[None] | None = None
        self._here.holder = fence.token
        self._here.held_until = time.monotonic() + seconds

    @property
    def used_up(self) -> bool:
        return self._lost

    @property
    def fence(self) -> Fence:
        return self._fence

    async def confirm(self, number: int) -> bool:
        mine = self._here.holder == self._fence.token
        if mine:
            self._fence = Fence(max(self._fence.number, number + 1), self._fence.token)
        self._lost = self._lost or not mine
        return mine

    async def __aenter__(self) -> MemoryLease:
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._here.holder == self._fence.token:
            self._here.holder = None
        if self._here.waiting:
            self._queue.on_waiting(self._space)

    async def _renew(self) -> None:
        while self._here.holder == self._fence.token:
            self._here.held_until = time.monotonic() + self._seconds
            await asyncio.sleep(self._seconds / 3)
        self._lost = True

    def hand_over(self) -> bool:
        return False

    async def take(self) -> list[Envelope]:
        await asyncio.sleep(0)  # who writes one after another is about to send the next
        self._drop_expired()
        if self._here.holder != self._fence.token:
            self._lost = True
            return []
        counts = DocumentCounts()
        self._taken = list(itertools.takewhile(lambda one: counts.admit(one.envelope.items), self._here.waiting))
        return [one.envelope for one in self._taken]

    def _drop_expired(self) -> None:
        now = time.monotonic()
        self._here.waiting[:] = [one for one in self._here.waiting if now < one.until and not one.future.done()]

    def prepare(
        self, replies: Sequence[tuple[Envelope, Sequence[Reply]]], announcement: Announcement | None = None
    ) -> None:
        for envelope, those in replies:
            queue_messages.dump_replies(envelope.number, those)  # raises what it would

    async def reply(
        self, replies: Sequence[tuple[Envelope, Sequence[Reply]]], announcement: Announcement | None = None
    ) -> None:
        waiting = {(one.envelope.process, one.envelope.number): one for one in self._taken}
        for envelope, those in replies:
            one = waiting.get((envelope.process, envelope.number))
            if one is not None and not one.future.done():
                data = queue_messages.joined([queue_messages.dump_replies(envelope.number, those)])
                one.future.set_result(queue_messages.load_replies(data)[0][1])
        if announcement is not None and self._queue.announce is not None:
            await self._queue.announce(self._space, announcement)
        if self._here.holder == self._fence.token:
            self._here.waiting[:] = [one for one in self._here.waiting if one not in self._taken]
        self._taken = []

    async def release_if_empty(self) -> bool:
        self._drop_expired()
        if self._here.waiting or self._here.holder != self._fence.token:
            return False
        self._here.holder = None
        return True
