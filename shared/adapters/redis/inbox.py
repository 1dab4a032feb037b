"""The inboxes of the spaces and their leases, on Redis: what a worker drains.

Submissions of a space wait in an inbox, a Redis list. Whoever puts the first one in enqueues an arq job that
says no more than "drain this space"; the job holds the space's lease while it works, so what comes in
meanwhile waits for its next batch, and nobody enqueues again. That is group commit without a timer.

What keeps a submission from being forgotten:
    - it stays in the inbox until its answer is sent, so a dead worker loses nothing;
    - "is there a lease?" is asked in the same step that fills the inbox, and "is the inbox empty?" in the one
      that ends the lease;
    - the API process that waits checks every half second that somebody works on the space: a lease or an arq job
      that died with its process is replaced then, long before arq itself runs the job again; and what it waits for
      that is not in the inbox, because Redis was wiped or a reply was lost, it sends again.

What keeps it bounded: a maximum of items and bytes of a space, and of bytes of all spaces. `SIZES` has the bytes of
each space, and their sum under `*`; it is corrected when an inbox is found empty, or all of them full. What
expired is dropped by whoever comes next, with a lease or without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from redis.commands.core import AsyncScript

from shared import queue_messages
from shared.adapters.arq import LARGE_QUEUE, QUEUE, WakingRedis, enqueue
from shared.adapters.redis.announcements import changed_message
from shared.adapters.redis.connection import errors_mapped
from shared.adapters.redis.keys import process_key, space_key
from shared.adapters.redis.lease_connection import LeaseConnection, RedisCommand
from shared.adapters.redis.packing import packed
from shared.adapters.redis.scripts import script
from shared.core.documents import SpaceId
from shared.core.resolution.batch import DocumentCounts
from shared.observability import event
from shared.ports import Announcement, Envelope, Fence, Reply, UnavailableError
from shared.settings import Settings

logger = logging.getLogger(__name__)

SIZES: Final = "ht:inbox:bytes"
QUEUED_MS: Final = 1000
"""How long a space counts as queued though no worker has begun with it; then it may be queued again."""
INBOX_TTL_MS: Final = 60_000
_NUMBER_TTL_MS: Final = 3_600_000
"""How long the number of a lease is known: longer than a worker stands still and then goes on with it."""
_DRAIN_SECONDS: Final = 1.0
"""After so long a job hands the space on, so that spaces share the workers fairly."""
_LINGER_SECONDS: Final = 0.03
"""How long a worker waits for more when an inbox is empty, so that a client that writes one document after another
finds it still there."""
LARGE_BYTES: Final = 256 * 1024
"""Of submissions that are taken together: more are decided in the process for what is large, or in portions if"""
_SMALL_BYTES: Final = 64 * 1024
"""none of the envelopes has more than these: it is the many of them that are large."""
_REPLIES_BYTES: Final = 1024 * 1024
"""Of replies to one process that go together."""
_REPLIES_AT_ONCE_BYTES: Final = 4 * 1024 * 1024
"""Of all replies that are texts at the same time, beside those to one envelope: they go in several calls then."""


_Replies = Sequence[tuple[Envelope, Sequence[Reply]]]


class _Prepared(NamedTuple):
    """What `reply` sends when it is given these."""

    replies: _Replies
    announcement: Announcement | None
    data: list[bytes]


class RedisInbox:
    """Inbox: what a worker process drains."""

    def __init__(self, redis: WakingRedis, settings: Settings, *, large: bool = False) -> None:
        """`large`: in a process where what is large is decided."""
        self._redis = redis
        self._settings = settings
        self._large = large
        self._lease: AsyncScript = redis.register_script(script("lease"))

    async def lease(self, space: SpaceId) -> RedisLease | None:
        token = secrets.token_hex(8)
        keys = [space_key(space, name) for name in ("lease", "queued", "fence")]
        milliseconds = int(self._settings.lease_seconds * 1000)
        with errors_mapped():
            number = await self._lease(keys=keys, args=[token, milliseconds, _NUMBER_TTL_MS])
        if not number:
            return None
        return RedisLease(self._redis, self._settings, space, Fence(number, token), large=self._large)


class RedisLease:
    """Lease on Redis."""

    def __init__(self, redis: WakingRedis, settings: Settings, space: SpaceId, fence: Fence, *, large: bool) -> None:
        self._redis = redis
        self._large = large
        self._next = QUEUE
        self._settings = settings
        self._space = space
        self._fence = fence
        self._token = fence.token
        self._inbox, self._key, self._queued = (space_key(space, name) for name in ("inbox", "lease", "queued"))
        self._calls = LeaseConnection(redis)
        self._renewed: AsyncScript = redis.register_script(script("renew"))
        self._taken: list[str] = []
        self._prepared: _Prepared | None = None
        self._released = False
        self._lost = False
        self._ends_at = time.monotonic() + _DRAIN_SECONDS
        self._renewal: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def used_up(self) -> bool:
        return self._lost or self._next != QUEUE or time.monotonic() >= self._ends_at

    @property
    def fence(self) -> Fence:
        return self._fence

    async def confirm(self, number: int) -> bool:
        with errors_mapped():
            holder = await cast("Awaitable[bytes | None]", self._redis.get(self._key))
        # This is asked after the other worker's fence was seen in the store. If the lease is still this worker's, the
        # other one holds it no more.
        holds_lease = holder is not None and holder.decode("utf-8", "replace") == self._token
        if holds_lease:
            self._fence = Fence(max(self._fence.number, number + 1), self._token)
        self._lost = self._lost or not holds_lease
        return holds_lease

    async def __aenter__(self) -> RedisLease:
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._renewal is not None:
            # The client may swallow a cancellation that comes in the middle of a call; the event stays.
            self._over.set()
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        try:
            if not self._released:
                keys = (self._inbox, self._key, self._queued)
                with errors_mapped():
                    [waits] = await self._calls.ask(_script("hand_on", keys, self._token, QUEUED_MS))
                    if waits:
                        await enqueue(self._redis, self._space, self._next)
        finally:
            await self._calls.close()

    async def take(self) -> list[Envelope]:
        while True:
            raw_envelopes = await self._first_waiting()
            if not self._large:
                if are_large(list(map(len, raw_envelopes))):
                    self.hand_over()
                    return []
                raw_envelopes = _portion(raw_envelopes)
            envelopes = self._decoded(raw_envelopes)
            if envelopes or not raw_envelopes:
                return envelopes
            await self.reply(())  # removes them: none of them can be decoded

    def hand_over(self) -> bool:
        if not self._large:
            self._next = LARGE_QUEUE
        return not self._large

    async def _first_waiting(self) -> list[bytes]:
        """The oldest envelopes, as many as make a batch. Waits up to _LINGER_SECONDS for the first one."""
        settings = self._settings
        bounds = (settings.batch_documents, settings.batch_bytes, INBOX_TTL_MS)
        commands = [_script("take", (self._inbox, SIZES, self._key), self._space, *bounds, self._token)]
        if not self.used_up:
            # BLMOVE from the left of the inbox to its left changes nothing, but it blocks until there is an item, or
            # until the time is over; Redis then runs the next command. A lease that is used up does not wait: Redis
            # may take a time of a millisecond for 0, which means no time limit.
            commands.insert(0, ("BLMOVE", self._inbox, self._inbox, "LEFT", "LEFT", _LINGER_SECONDS))
        with errors_mapped():
            *_, raw_envelopes = await self._calls.ask(*commands)
        if raw_envelopes is None:
            self._lost = True
            event(logger, logging.WARNING, "lease_lost", space=self._space)
            return []
        return cast("list[bytes]", raw_envelopes)

    def _decoded(self, raw_envelopes: Sequence[bytes]) -> list[Envelope]:
        """Up to the first one with one submission too many of the same document. Those that cannot be decoded are
        logged and taken out of the inbox."""
        envelopes: list[Envelope] = []
        counts = DocumentCounts()
        self._taken = []
        for raw in raw_envelopes:
            _, name, _ = raw.split(b" ", 2)
            try:
                envelope = queue_messages.load_envelope(raw.partition(b" ")[2])
            except (ValueError, TypeError):
                event(logger, logging.ERROR, "envelope_unreadable", space=self._space)
            else:
                if not counts.admit(envelope.items):
                    break
                envelopes.append(envelope)
            self._taken.append(name.decode("ascii"))
        return envelopes

    def prepare(self, replies: _Replies, announcement: Announcement | None = None) -> None:
        rows: dict[str, list[bytes]] = {}
        size = 0
        for envelope, its_replies in replies:
            size += _add(rows, envelope, its_replies)
            if size > _REPLIES_AT_ONCE_BYTES:
                return
        self._prepared = _Prepared(replies, announcement, self._packed(rows, announcement))

    async def reply(self, replies: _Replies, announcement: Announcement | None = None) -> None:
        prepared, self._prepared = self._prepared, None
        with errors_mapped():
            if prepared is not None and prepared.replies is replies and prepared.announcement is announcement:
                data = prepared.data
            else:
                data = await self._last_call(replies, announcement)
            await self._calls.tell_packed(data)
        self._taken = []

    async def _last_call(self, replies: _Replies, announcement: Announcement | None) -> list[bytes]:
        """The commands of the last call, as they are sent. Makes the others, where the replies are too much for
        one."""
        rows: dict[str, list[bytes]] = {}
        size = 0
        for envelope, its_replies in replies:
            size += _add(rows, envelope, its_replies)
            if size > _REPLIES_AT_ONCE_BYTES:
                await self._calls.ask(*_delivered(rows))
                rows, size = {}, 0
        return self._packed(rows, announcement)

    def _packed(self, rows: Mapping[str, Sequence[bytes]], announcement: Announcement | None) -> list[bytes]:
        commands = _delivered(rows)
        if announcement is not None:
            commands.append(("PUBLISH", *changed_message(self._space, announcement)))
        keys = (self._inbox, self._key, SIZES)
        commands.append(_script("trim", keys, self._space, self._token, *self._taken))
        return [packed(command) for command in commands]

    async def release_if_empty(self) -> bool:
        with errors_mapped():
            keys = (self._inbox, self._key)
            [verdict] = await self._calls.ask(_script("release_if_empty", keys, self._token))
        self._released = bool(verdict)
        return self._released

    async def _renew(self) -> None:
        milliseconds = int(self._settings.lease_seconds * 1000)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.lease_seconds / 3):
                    await self._over.wait()
            if self._over.is_set():
                return
            try:
                with errors_mapped():
                    renewed = await self._renewed(keys=[self._key], args=[self._token, milliseconds])
            except UnavailableError:
                continue  # it may come back in time; if not, another worker does the batch again
            if not renewed:
                self._lost = True
                event(logger, logging.WARNING, "lease_lost", space=self._space)
                return


def are_large(sizes: Sequence[int]) -> bool:
    """Whether envelopes of so many bytes are for the process for what is large."""
    return sum(sizes) > LARGE_BYTES and max(sizes) > _SMALL_BYTES


def _portion(raw_envelopes: list[bytes]) -> list[bytes]:
    """The first of these that are not more than LARGE_BYTES."""
    size = 0
    for place, raw in enumerate(raw_envelopes):
        size += len(raw)
        if size > LARGE_BYTES and place:
            return raw_envelopes[:place]
    return raw_envelopes


def _script(name: str, keys: Sequence[str], *args: str | int) -> RedisCommand:
    """As text: by its name it would have to be asked first whether Redis knows it."""
    return ("EVAL", script(name), len(keys), *keys, *args)


def _add(rows: dict[str, list[bytes]], envelope: Envelope, replies: Sequence[Reply]) -> int:
    """Encodes replies, for their process. How many bytes they have."""
    row = queue_messages.dump_replies(envelope.number, replies)
    rows.setdefault(envelope.process, []).append(row)
    return len(row)


def _delivered(rows: Mapping[str, Sequence[bytes]]) -> list[RedisCommand]:
    """`rows`: of replies, by process."""
    commands: list[RedisCommand] = []
    for process, answers in rows.items():
        key = process_key(process, "replies")
        commands += [("RPUSH", key, queue_messages.joined(together)) for together in _portions(answers)]
        commands.append(("PEXPIRE", key, INBOX_TTL_MS))
    return commands


def _portions(replies: Sequence[bytes]) -> list[list[bytes]]:
    """Those that go together, of _REPLIES_BYTES each, or of one."""
    portions: list[list[bytes]] = [[]]
    size = 0
    for reply in replies:
        if portions[-1] and size + len(reply) > _REPLIES_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(reply)
        size += len(reply)
    return portions
