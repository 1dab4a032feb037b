"""The queue as an API process sees it: it puts submissions into the inboxes of their spaces
(`shared.adapters.redis.inbox`) and waits for the replies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, RedisError

from shared import metrics, queue_messages, tracing
from shared.adapters.arq import LARGE_QUEUE, QUEUE, WakingRedis, enqueue
from shared.adapters.redis.connection import errors_mapped
from shared.adapters.redis.inbox import INBOX_TTL_MS, LARGE_BYTES, QUEUED_MS, SIZES
from shared.adapters.redis.keys import acknowledgements_key, process_key, space_key
from shared.adapters.redis.line import RedisLine
from shared.adapters.redis.packing import AT_ONCE_BYTES
from shared.adapters.redis.scripts import script
from shared.cancellation import repeat
from shared.core.documents import DeviceId, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Refusal
from shared.observability import event
from shared.ports import EncodedItem, OverloadedError, Reply, UnavailableError
from shared.settings import Settings

logger = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 0.5
"""So often it is checked that somebody works on what waits."""
_REPLIES_SECONDS: Final = 1
"""So long Redis waits for replies until it says that there are none. Two such questions are under way, and the second
one is waited for as long as the first one too."""
_ENVELOPE_ITEMS: Final = 500
_ENVELOPES_AT_ONCE: Final = 4
"""Of one request. The others wait until it is known how long the answers to these are."""
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Of one request: when its answers have so many, what was not sent yet is not sent."""
_MAX_SENT: Final = 4
"""How often a submission is put into the inbox, should it be found missing there."""
_PUT_BYTES: Final = 1024 * 1024
"""Of what goes to Redis in one call, or one envelope: it does nothing else meanwhile."""
_ON_THE_WAY_SECONDS: Final = 0.05
"""A submission expires in the inbox by so much earlier than its sender gives up."""
_ENQUEUE: Final = 1
_NOTHING_WAITS: Final = 2
"""Verdicts of put.lua: nobody works on the inbox, and it is for the caller to enqueue a job; it is empty, which is
possible without entries only."""
_FULL: Final = {
    "count": "too many submissions wait for this space (HYPERTASK_INBOX_DOCUMENTS)",
    "space": "too many bytes wait for this space (HYPERTASK_INBOX_BYTES)",
    "all": "too many bytes wait for all spaces together (HYPERTASK_INBOXES_BYTES)",
}


@dataclass(slots=True)
class _Pending:
    """Submissions in one envelope that an API process waits for."""

    space: SpaceId
    data: bytes
    devices: frozenset[DeviceId]
    """Whose MapAcknowledgements are told that they post."""
    future: asyncio.Future[list[Reply]]
    until: float
    """When nobody waits any more, by the monotonic clock."""
    checked_at: float
    sent: int = 0
    """How often."""
    sent_at: float = 0.0
    """When it was put into the inbox the last time, by the monotonic clock."""

    @property
    def name(self) -> bytes:
        """By which it is known in the inbox."""
        return self.data[: self.data.index(b" ")]


class RedisSubmissionQueue:
    """SubmissionQueue: what an API process does with client states. Use `async with`."""

    def __init__(self, redis: WakingRedis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._process = secrets.token_hex(8)
        self._replies = process_key(self._process, "replies")
        self._put: AsyncScript = redis.register_script(script("put"))
        self._missing: AsyncScript = redis.register_script(script("missing"))
        self._line = RedisLine(redis)
        """Of what is put into inboxes and is not long. The reader of the replies opens it."""
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._pending_bytes: dict[SpaceId, int] = {}
        self._all_pending_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        """Of the oldest one that waited when it was set."""
        self._outgoing: dict[SpaceId, list[int]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._lost = False
        """The replies could not be read a moment ago."""

    async def __aenter__(self) -> RedisSubmissionQueue:
        ensured = repeat(self._ensure_worker, "submissions that wait", every=_CHECK_SECONDS)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(ensured)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in [*self._tasks, *self._senders]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._senders, return_exceptions=True)

    def watch(self) -> None:
        """Lets the metrics of the process tell what waits here."""
        metrics.PENDING_SUBMISSIONS.set_function(lambda: len(self._pending))
        metrics.PENDING_BYTES.set_function(lambda: self._all_pending_bytes)
        metrics.OLDEST_PENDING_SECONDS.set_function(self._oldest_seconds)

    def _oldest_seconds(self) -> float:
        oldest = next(iter(list(self._pending.values())), None)  # they are in the order in which they came
        if oldest is None:
            return 0.0
        return max(0.0, time.monotonic() - (oldest.until - self._settings.submit_deadline_seconds))

    async def submit(self, space: SpaceId, item: Item | EncodedItem) -> Answer | Refusal:
        [reply] = await self._submit_together(space, [_encoded(item)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def submit_all(self, space: SpaceId, items: Sequence[Item | EncodedItem]) -> list[Reply]:
        chunks = list(self._chunks([_encoded(item) for item in items]))
        answered: list[Reply] = []
        bytes_left = _MAX_ANSWER_BYTES
        for first in range(0, len(chunks), _ENVELOPES_AT_ONCE):
            some = chunks[first : first + _ENVELOPES_AT_ONCE]
            if bytes_left <= 0:
                error = UnavailableError("the answer together with the others would be too long")
                answered += [error] * sum(map(len, some))
                continue
            for replies in await asyncio.gather(*(self._submit_chunk(space, chunk) for chunk in some)):
                answered += replies
                bytes_left -= sum(map(queue_messages.size_of, replies))
        return answered

    async def waiting(self, space: SpaceId) -> int:
        with errors_mapped():
            return int(await cast(Awaitable[int], self._redis.llen(space_key(space, "inbox"))))

    def _chunks(self, items: Sequence[EncodedItem]) -> Iterator[list[EncodedItem]]:
        """Each is an envelope. A worker takes one at least, so one must not be much for it."""
        chunk: list[EncodedItem] = []
        size = 0
        max_items, max_bytes = min(self._settings.batch_documents, _ENVELOPE_ITEMS), self._settings.batch_bytes
        for item in items:
            if chunk and (len(chunk) >= max_items or size + len(item.row) > max_bytes):
                yield chunk
                chunk, size = [], 0
            chunk.append(item)
            size += len(item.row)
        if chunk:
            yield chunk

    async def _submit_chunk(self, space: SpaceId, items: Sequence[EncodedItem]) -> Sequence[Reply]:
        try:
            return await self._submit_together(space, items)
        except UnavailableError as error:
            return [error] * len(items)

    async def _submit_together(self, space: SpaceId, items: Sequence[EncodedItem]) -> list[Reply]:
        """In one envelope. Raises UnavailableError for all of them."""
        with tracing.span("submit", "producer", attributes={"count": len(items)}):
            number, future = self._begin(space, items)
            try:
                return await future
            finally:
                entry = self._pending.pop(number)
                self._count_bytes(space, -len(entry.data))

    def _begin(self, space: SpaceId, items: Sequence[EncodedItem]) -> tuple[int, asyncio.Future[list[Reply]]]:
        """What answers them, at the latest when it is too late."""
        deadline = self._settings.submit_deadline_seconds
        number = next(self._numbers)
        data = queue_messages.dump_envelope(self._process, number, items)
        self._admit(space, len(data))
        future: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        devices = frozenset([item.device for item in items if item.device is not None])
        now = time.monotonic()
        self._pending[number] = _Pending(space, data, devices, future, now + deadline, now)
        self._count_bytes(space, len(data))
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(deadline, self._give_up)
        self._send(space, number)
        return number, future

    def _count_bytes(self, space: SpaceId, size: int) -> None:
        """So many more that wait, or fewer."""
        self._all_pending_bytes += size
        self._pending_bytes[space] = self._pending_bytes.get(space, 0) + size
        if not self._pending_bytes[space]:
            del self._pending_bytes[space]

    def _give_up(self) -> None:
        """On those whose deadline has come: they are in the order of their deadlines, so one timer is enough."""
        self._deadline, now = None, time.monotonic()
        for entry in self._pending.values():
            if entry.until > now:
                self._deadline = asyncio.get_running_loop().call_later(entry.until - now, self._give_up)
                return
            _fail([entry], UnavailableError("no worker answered in time"))

    def _admit(self, space: SpaceId, size: int) -> None:
        """Raises OverloadedError if another envelope of so many bytes would be too much: for the space, of which this
        process holds no more than its inbox may, or for the process. One alone is always accepted."""
        space_bytes = self._pending_bytes.get(space, 0)
        if space_bytes and space_bytes + size > self._settings.inbox_bytes:
            raise OverloadedError(_FULL["space"])
        if self._pending and self._all_pending_bytes + size > self._settings.pending_bytes:
            raise OverloadedError("this process holds too many submissions (HYPERTASK_PENDING_BYTES)")

    def _send(self, space: SpaceId, number: int) -> None:
        """Everything that turns up while one call to Redis is under way goes with the next one."""
        waiting = self._outgoing.get(space)
        if waiting is not None:
            waiting.append(number)
            return
        self._outgoing[space] = [number]
        sender = asyncio.create_task(self._send_all(space))
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    async def _send_all(self, space: SpaceId) -> None:
        while numbers := self._outgoing[space]:
            some, self._outgoing[space] = self._portion(numbers)
            try:
                with errors_mapped():
                    await self._put_in(space, some)
            except Exception as error:  # noqa: BLE001  whoever waits is told, whatever it was
                _fail(some, error)
        del self._outgoing[space]

    def _portion(self, numbers: Sequence[int]) -> tuple[list[_Pending], list[int]]:
        """Those that go in one call, and the others."""
        portion: list[_Pending] = []
        size = 0
        for place, number in enumerate(numbers):
            entry = self._pending.get(number)
            if entry is None:
                continue
            if portion and size + len(entry.data) > _PUT_BYTES:
                return portion, list(numbers[place:])
            portion.append(entry)
            size += len(entry.data)
        return portion, []

    async def _not_in_inbox(self, space: SpaceId, numbers: Sequence[int]) -> list[int]:
        """Those that were sent and are not in the inbox: Redis was wiped, or a reply was lost with its connection, or
        is on its way. Enqueues a job if something waits in the inbox and nobody works on it."""
        if not await self._enqueue_if_any_waits(space):
            return list(numbers)
        sent = [(entry.sent_at, number) for number in numbers if (entry := self._pending.get(number)) and entry.sent]
        sent.sort()
        names = [self._pending[number].name for _, number in sent]
        if not names:
            return []
        missing = await self._missing(keys=[space_key(space, "inbox")], args=names)
        return [sent[place - 1][1] for place in missing]

    async def _enqueue_if_any_waits(self, space: SpaceId) -> bool:
        """Enqueues a job if something is in the inbox and nobody works on it. False: the inbox is empty."""
        return await self._put_in(space, ()) != _NOTHING_WAITS

    async def _put_in(self, space: SpaceId, entries: Sequence[_Pending]) -> int:
        """Puts the entries into the inbox and enqueues a job if nobody works on it. Those for which it is full fail
        with OverloadedError. Returns the verdict of put.lua."""
        keys = [*(space_key(space, name) for name in ("inbox", "lease", "queued")), SIZES]
        keys += {acknowledgements_key(space, device) for entry in entries for device in entry.devices}
        bounds = self._settings.inbox_documents, self._settings.inbox_bytes, self._settings.inboxes_bytes
        now = time.monotonic() + _ON_THE_WAY_SECONDS
        items = (part for entry in entries for part in (max(int(1000 * (entry.until - now)), 1), entry.data))
        args = [space, *bounds, INBOX_TTL_MS, QUEUED_MS, *items]
        size = sum(len(entry.data) for entry in entries)
        answer = self._line.call("EVALSHA", self._put.sha, len(keys), *keys, *args) if size < AT_ONCE_BYTES else None
        verdict, taken, full = await _of_line(self._line, answer) or await self._put(keys=keys, args=args)
        moment = time.monotonic()
        for entry in entries[:taken]:
            entry.sent += 1
            entry.sent_at = moment
        _fail(entries[taken:], OverloadedError(_FULL.get(full.decode(), "")))
        if verdict == _ENQUEUE:
            # What is large together may be decided in several batches: whoever takes it sees.
            large = any(len(entry.data) > LARGE_BYTES for entry in entries)
            await enqueue(self._redis, space, LARGE_QUEUE if large else QUEUE)
        return int(verdict)

    async def _read(self) -> None:
        """The one reader of this process's replies, on a line of its own."""
        async with RedisLine(self._redis) as replies, self._line:
            await repeat(partial(self._read_all, replies), "replies")

    async def _read_all(self, line: RedisLine) -> None:
        """As long as the lines are open."""
        try:
            with errors_mapped():
                await self._line.open()
                await line.open()
                if self._lost:
                    # The inboxes may have gone with the connection. Sending twice changes nothing.
                    for number, entry in self._pending.items():
                        self._send_again(entry.space, number)
                    self._lost = False
                # One is always under way: what comes next need not wait until this process asks for it.
                waits = deque([self._next(line)])
                while self._line.is_open and waits[0] is not None:
                    await asyncio.sleep(0)  # the one before has left, and the answers that came with it
                    waits.append(self._next(line))
                    await cast("asyncio.Future[Any]", waits.popleft())
        except UnavailableError as error:
            if not self._lost:
                event(logger, logging.WARNING, "replies_unreachable", cause=error.__cause__)
            self._lost = True
            line.drop()
            await asyncio.sleep(0.1)

    def _next(self, line: RedisLine) -> asyncio.Future[Any] | None:
        """Asks for the next replies, which are delivered as they come. None: the line is not open, or does not take
        it."""
        return line.call("BLPOP", self._replies, _REPLIES_SECONDS, take=self._deliver)

    def _deliver(self, popped: tuple[bytes, bytes] | None) -> None:
        for number, replies in queue_messages.load_replies(popped[1]) if popped is not None else ():
            entry = self._pending.get(number)
            if entry is not None and not entry.future.done():
                entry.future.set_result(replies)

    async def _ensure_worker(self) -> None:
        """Makes sure that what has been waiting for a while is in the inbox, and that somebody is at work on it."""
        now = time.monotonic()
        waiting: dict[SpaceId, list[int]] = {}
        for number, entry in self._pending.items():
            if now - entry.checked_at >= _CHECK_SECONDS:
                entry.checked_at = now
                waiting.setdefault(entry.space, []).append(number)
        for space, numbers in waiting.items():
            # If Redis is away the reader notices, and sends all again.
            with contextlib.suppress(UnavailableError), errors_mapped():
                for number in await self._not_in_inbox(space, numbers):
                    self._send_again(space, number)  # what is sent twice changes nothing

    def _send_again(self, space: SpaceId, number: int) -> None:
        """Not for ever: what comes into the inbox and is gone again has another reason."""
        entry = self._pending.get(number)
        if entry is not None and entry.sent < _MAX_SENT:
            self._send(space, number)


def _encoded(item: Item | EncodedItem) -> EncodedItem:
    return item if isinstance(item, EncodedItem) else queue_messages.encode_item(item)


async def _of_line(line: RedisLine, answer: asyncio.Future[Any] | None) -> Any:
    """The answer to a script. None: there is none, and the driver has to be asked."""
    try:
        return None if answer is None else await answer
    except NoScriptError:
        return None
    except RedisError:
        line.drop()
        return None


def _fail(entries: Sequence[_Pending], error: Exception) -> None:
    for entry in entries:
        if not entry.future.done():
            entry.future.set_exception(error)
