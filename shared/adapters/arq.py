"""The queue on arq and Redis. The only module that imports arq.

Submissions of a space wait in an inbox, a Redis list. Whoever puts the first one in enqueues an arq job that
says no more than "drain this space"; the job holds the space's lease while it works, so what comes in
meanwhile waits for its next batch, and nobody enqueues again. That is group commit without a timer.

What keeps a submission from being forgotten:
    - it stays in the inbox until its answer is sent, so a dead worker loses nothing;
    - "is there a lease?" is asked in the same step that fills the inbox, and "is the inbox empty?" in the one
      that ends the lease;
    - the API process that waits knocks again while it waits: a lease or an arq job that died with its
      process is replaced then, long before arq itself runs the job again; and what is not there any more,
      because Redis was wiped, is sent again.

arq polls a sorted set. `WakingRedis` makes that poll wait on a list beside it, so a job starts when it is
enqueued; the wait ends by itself every half second, which is arq's own pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import orjson
from arq import cron, func
from arq.connections import ArqRedis, RedisSettings
from redis.asyncio import BlockingConnectionPool
from redis.commands.core import AsyncScript

from shared import wire
from shared.adapters.redis import connection_pool, errors_mapped, process_key, rounds_key, space_key
from shared.core.batch import Answer, Item, Turns
from shared.core.documents import DeviceId, SpaceId
from shared.core.memory import Refusal
from shared.observability import event
from shared.ports import Announcement, Envelope, Fence, OverloadedError, Reply, UnavailableError
from shared.settings import Settings

logger = logging.getLogger(__name__)

QUEUE: Final = "ht:queue"
WAKE: Final = "ht:queue:wake"
DRAIN: Final = "resolve_space"
_WAKE_WAIT_SECONDS: Final = 0.5
_WAKE_TOKENS: Final = 64
_QUEUED_MS: Final = 1000
"""How long a space counts as queued though no worker has begun with it; then it may be queued again."""
_INBOX_TTL_MS: Final = 60_000
_KNOCK_SECONDS: Final = 0.5
_JOB_SECONDS: Final = 60
_PAST_THE_HOUR: Final = 17
_CRON_SECONDS: Final = 300
_CLOCK_TOLERANCE: Final = timedelta(seconds=5)
_DRAIN_SECONDS: Final = 1.0
"""After so long a job hands the space on, so that spaces share the workers fairly."""

_LINGER_SECONDS: Final = 0.03
"""How long a worker waits for more when an inbox is empty: who writes one after another finds it there still."""
_ENVELOPE_ITEMS: Final = 500

# KEYS inbox, lease, queued, rounds of a device that posts ...; ARGV most, ttl, queued ttl, item ...
# -1: full; 1: the caller must enqueue a job; 0: somebody is at it. Without items it is a knock, and 2: nothing
# waits, so what is not answered is not there any more.
_PUT: Final = """
local items = #ARGV - 3
for i = 4, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('HSET', KEYS[i], 'posted', '1') end
end
local waiting = redis.call('LLEN', KEYS[1])
if items > 0 then
  if waiting + items > tonumber(ARGV[1]) then return -1 end
  for i = 4, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if waiting == 0 and items == 0 then return 2 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[3]) then return 1 end
return 0
"""

# KEYS lease, queued; ARGV token, ttl: the time in microseconds, or 0 if another one holds it
_LEASE: Final = """
redis.call('DEL', KEYS[2])
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local now = redis.call('TIME')
return now[1] * 1000000 + now[2]
"""

# KEYS lease; ARGV token, ttl
_RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS inbox; ARGV documents, bytes, ttl: the oldest envelopes within both, one at least. How many documents are in an
# envelope stands in front of it.
_TAKE: Final = """
local found, documents, bytes, first = {}, 0, 0, 0
redis.call('PEXPIRE', KEYS[1], ARGV[3])
while true do
  local slice = redis.call('LRANGE', KEYS[1], first, first + 49)
  for _, envelope in ipairs(slice) do
    documents = documents + (tonumber(string.match(envelope, '^%d+')) or 1)
    bytes = bytes + #envelope
    if #found > 0 and (documents > tonumber(ARGV[1]) or bytes > tonumber(ARGV[2])) then return found end
    table.insert(found, envelope)
  end
  if #slice < 50 then return found end
  first = first + 50
end
"""

# KEYS inbox, lease; ARGV token, count: what was taken goes, if it is still ours to say so
_TRIM: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
return 1
"""

# KEYS inbox, lease; ARGV token
_RELEASE_IF_EMPTY: Final = """
if redis.call('LLEN', KEYS[1]) > 0 then return 0 end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
"""

# KEYS inbox, lease, queued; ARGV token, queued ttl: 1 if the caller must enqueue a job
_HAND_ON: Final = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if redis.call('LLEN', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""


class WakingRedis(ArqRedis):
    """arq's Redis client, of which the worker's poll of its queue returns as soon as there is something."""

    async def zrangebyscore(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        if name == QUEUE:
            await cast(Awaitable[Any], self.blpop([WAKE], timeout=cast(Any, _WAKE_WAIT_SECONDS)))
        return await super().zrangebyscore(name, *args, **kwargs)


def connect(url: str, *, connections: int = 64) -> WakingRedis:
    """A client for enqueuing and for a worker. It connects when it is first used. A worker waits on one connection
    for each space that it serves, besides those that it works with."""
    pool: BlockingConnectionPool = connection_pool(url, connections=connections)
    return WakingRedis(
        pool,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
        expires_extra_ms=_JOB_SECONDS * 1000,
    )


def worker_settings(
    settings: Settings,
    redis: WakingRedis,
    *,
    drain: Callable[..., Awaitable[None]],
    hourly: Callable[..., Awaitable[None]],
    on_startup: Callable[[dict[Any, Any]], Awaitable[None]],
    on_shutdown: Callable[[dict[Any, Any]], Awaitable[None]],
) -> dict[str, Any]:
    """What the `arq` command asks of a WorkerSettings, as arq also takes it: a dict."""
    return {
        "functions": [func(cast(Any, drain), name=DRAIN)],
        "cron_jobs": [cron(cast(Any, hourly), name="hourly", minute=_PAST_THE_HOUR, timeout=_CRON_SECONDS)],
        "queue_name": QUEUE,
        "redis_pool": redis,
        "redis_settings": RedisSettings.from_dsn(settings.redis_url),  # for `arq --check`
        "on_startup": on_startup,
        "on_shutdown": on_shutdown,
        "max_jobs": settings.worker_spaces,
        "job_timeout": _JOB_SECONDS,
        "job_completion_wait": 3,
        "keep_result": 0,
        "log_results": False,
        "poll_delay": 0.001,  # the poll itself waits
        "health_check_interval": 5,
        "job_serializer": orjson.dumps,
        "job_deserializer": orjson.loads,
        "expires_extra_ms": _JOB_SECONDS * 1000,
    }


async def enqueue(redis: ArqRedis, space: SpaceId) -> None:
    """A job that drains the space, and a knock on a worker's door."""
    # Due a while ago: arq fixes "now" before it polls, that is before our wait, and compares the clocks of
    # two hosts. A job that seems to lie in the future would wait for the next poll.
    due = datetime.now(UTC) - _CLOCK_TOLERANCE
    await redis.enqueue_job(DRAIN, space, _defer_until=due, _expires=_JOB_SECONDS)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.rpush(WAKE, "1")
        pipe.ltrim(WAKE, -_WAKE_TOKENS, -1)
        await pipe.execute()


@dataclass(slots=True)
class _Pending:
    """Submissions in one envelope that an API process waits for."""

    space: SpaceId
    data: bytes
    senders: frozenset[DeviceId]
    future: asyncio.Future[list[Reply]]
    knocked_at: float


class ArqResolver:
    """Resolver: what an API process does with client states. Use `async with`."""

    def __init__(self, redis: WakingRedis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._process = secrets.token_hex(8)
        self._replies = process_key(self._process, "replies")
        self._put: AsyncScript = redis.register_script(_PUT)
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._pending_bytes = 0
        self._outgoing: dict[SpaceId, list[int]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def __aenter__(self) -> ArqResolver:
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._knock())]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closed = True  # the client may swallow a cancellation that comes in the middle of a call
        for task in [*self._tasks, *self._senders]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._senders, return_exceptions=True)

    async def resolve(self, space: SpaceId, item: Item) -> Answer | Refusal:
        [reply] = await self._resolve_together(space, [item])
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def resolve_all(self, space: SpaceId, items: Sequence[Item]) -> list[Reply]:
        most = min(self._settings.batch_documents, _ENVELOPE_ITEMS)
        chunks = [items[first : first + most] for first in range(0, len(items), most)]
        found = await asyncio.gather(*(self._resolve_chunk(space, chunk) for chunk in chunks))
        return [reply for chunk in found for reply in chunk]

    async def _resolve_chunk(self, space: SpaceId, items: Sequence[Item]) -> Sequence[Reply]:
        try:
            return await self._resolve_together(space, items)
        except UnavailableError as error:
            return [error] * len(items)

    async def _resolve_together(self, space: SpaceId, items: Sequence[Item]) -> list[Reply]:
        """In one envelope. Raises UnavailableError for all of them."""
        deadline = self._settings.submit_deadline_seconds
        number = next(self._numbers)
        data = wire.dump_envelope(self._process, number, time.time() + deadline, items)
        if self._pending_bytes + len(data) > self._settings.pending_bytes and self._pending:
            raise OverloadedError("this process holds too many submissions")
        future: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        senders = frozenset(s.device for s in (item.submission for item in items) if s.device and s.single_device)
        self._pending[number] = _Pending(space, data, senders, future, time.monotonic())
        self._pending_bytes += len(data)
        self._send(space, number)
        try:
            async with asyncio.timeout(deadline):
                return await future
        except TimeoutError:
            raise UnavailableError("no worker answered in time") from None
        finally:
            del self._pending[number]
            self._pending_bytes -= len(data)

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
            self._outgoing[space] = []
            pending = [self._pending[number] for number in numbers if number in self._pending]
            try:
                with errors_mapped():
                    await self._put_in(space, pending)
            except Exception as error:  # noqa: BLE001  whoever waits is told, whatever it was
                for entry in pending:
                    if not entry.future.done():
                        entry.future.set_exception(error)
        del self._outgoing[space]

    async def _put_in(self, space: SpaceId, entries: Sequence[_Pending]) -> bool:
        """False for a knock where nothing waits."""
        keys = [space_key(space, name) for name in ("inbox", "lease", "queued")]
        keys += {rounds_key(space, device) for entry in entries for device in entry.senders}
        most, items = self._settings.inbox_documents, (entry.data for entry in entries)
        verdict = await self._put(keys=keys, args=[most, _INBOX_TTL_MS, _QUEUED_MS, *items])
        if verdict == -1:
            raise OverloadedError("too many submissions wait for this space")
        if verdict == 1:
            await enqueue(self._redis, space)
        return bool(verdict != 2)

    async def _read(self) -> None:
        """The one reader of this process's replies."""
        lost = False
        while not self._closed:
            try:
                with errors_mapped():
                    if lost:
                        # The inboxes may have gone with the connection. Sending twice changes nothing.
                        for number, entry in self._pending.items():
                            self._send(entry.space, number)
                        lost = False
                    found = await cast(
                        "Awaitable[tuple[bytes, bytes] | None]", self._redis.blpop([self._replies], timeout=2)
                    )
            except UnavailableError as error:
                if not lost:
                    event(logger, logging.WARNING, "replies_unreachable", cause=error.__cause__)
                lost = True
                await asyncio.sleep(0.1)
                continue
            if found is not None:
                self._deliver(found[1])

    def _deliver(self, data: bytes) -> None:
        for number, replies in wire.load_replies(data):
            entry = self._pending.get(number)
            if entry is not None and not entry.future.done():
                entry.future.set_result(replies)

    async def _knock(self) -> None:
        """Makes sure that somebody is at work on what has been waiting for a while."""
        while not self._closed:
            await asyncio.sleep(_KNOCK_SECONDS)
            now = time.monotonic()
            waiting: dict[SpaceId, list[int]] = {}
            for number, entry in self._pending.items():
                if now - entry.knocked_at >= _KNOCK_SECONDS:
                    entry.knocked_at = now
                    waiting.setdefault(entry.space, []).append(number)
            for space, numbers in waiting.items():
                # If Redis is away the reader notices, and sends all again.
                with contextlib.suppress(UnavailableError), errors_mapped():
                    if not await self._put_in(space, ()):
                        # Redis was wiped, or the reply is on its way: what is sent twice changes nothing.
                        for number in numbers:
                            if number in self._pending:
                                self._send(space, number)


class ArqInbox:
    """Inbox: what a worker process drains."""

    def __init__(self, redis: WakingRedis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._lease: AsyncScript = redis.register_script(_LEASE)

    async def lease(self, space: SpaceId) -> ArqLease | None:
        token = secrets.token_hex(8)
        keys = [space_key(space, name) for name in ("lease", "queued")]
        milliseconds = int(self._settings.lease_seconds * 1000)
        with errors_mapped():
            now = await self._lease(keys=keys, args=[token, milliseconds])
        return ArqLease(self._redis, self._settings, space, Fence(now, token)) if now else None


class ArqLease:
    """Lease on Redis."""

    def __init__(self, redis: WakingRedis, settings: Settings, space: SpaceId, fence: Fence) -> None:
        self._redis = redis
        self._settings = settings
        self._space = space
        self._fence = fence
        self._token = fence.token
        self._inbox, self._key, self._queued = (space_key(space, name) for name in ("inbox", "lease", "queued"))
        self._scripts = {text: redis.register_script(text) for text in (_RENEW, _RELEASE_IF_EMPTY, _HAND_ON)}
        self._taken = 0
        self._released = False
        self._lost = False
        self._ends_at = time.monotonic() + _DRAIN_SECONDS
        self._renewal: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def used_up(self) -> bool:
        return self._lost or time.monotonic() >= self._ends_at

    @property
    def fence(self) -> Fence:
        return self._fence

    async def confirm(self, number: int) -> bool:
        with errors_mapped():
            found = await cast("Awaitable[bytes | None]", self._redis.get(self._key))
        # Asked after the other one's fence was seen: whoever set it holds the lease no more.
        mine = found is not None and found.decode("utf-8", "replace") == self._token
        if mine:
            self._fence = Fence(max(self._fence.number, number + 1), self._token)
        self._lost = self._lost or not mine
        return mine

    async def __aenter__(self) -> ArqLease:
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._renewal is not None:
            # The client may swallow a cancellation that comes in the middle of a call; the event stays.
            self._over.set()
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        if not self._released:
            keys = [self._inbox, self._key, self._queued]
            with errors_mapped():
                if await self._scripts[_HAND_ON](keys=keys, args=[self._token, _QUEUED_MS]):
                    await enqueue(self._redis, self._space)

    async def take(self) -> list[Envelope]:
        while True:
            found = await self._waiting()
            envelopes = self._wanted(found)
            if envelopes or not found:
                return envelopes
            await self.reply(())  # nobody waits for any of them

    async def _waiting(self) -> list[bytes]:
        most = [str(self._settings.batch_documents), str(self._settings.batch_bytes), str(_INBOX_TTL_MS)]
        linger = cast(Any, 0.001 if self.used_up else _LINGER_SECONDS)
        with errors_mapped():
            # In one go: what comes first, while nothing waits, is moved onto its own place, which changes nothing and
            # takes until there is one; the server does what stands behind it then.
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.blmove(self._inbox, self._inbox, linger, "LEFT", "LEFT")
                pipe.eval(_TAKE, 1, self._inbox, *most)
                _, found = await pipe.execute()
        return cast("list[bytes]", found)

    def _wanted(self, found: Sequence[bytes]) -> list[Envelope]:
        """Those that somebody waits for, up to the first one that would be one turn too many for its document."""
        envelopes: list[Envelope] = []
        turns = Turns()
        now = time.time()
        self._taken = 0
        for data in found:
            try:
                envelope, expires_at = wire.load_envelope(data)
            except ValueError:
                event(logger, logging.ERROR, "envelope_unreadable", space=self._space)
            else:
                if expires_at > now:
                    if not turns.admit(envelope.items):
                        break
                    envelopes.append(envelope)
            self._taken += 1
        return envelopes

    async def reply(
        self, replies: Sequence[tuple[Envelope, Sequence[Reply]]], announcement: Announcement | None = None
    ) -> None:
        by_process: dict[str, list[tuple[int, Sequence[Reply]]]] = {}
        for envelope, those in replies:
            by_process.setdefault(envelope.process, []).append((envelope.number, those))
        with errors_mapped():
            async with self._redis.pipeline(transaction=False) as pipe:
                for process, answers in by_process.items():
                    key = process_key(process, "replies")
                    pipe.rpush(key, wire.dump_replies(answers))
                    pipe.pexpire(key, _INBOX_TTL_MS)
                if announcement is not None:
                    pipe.publish(space_key(self._space, "changed"), wire.dump_announcement(announcement))
                # As text: a script object asks in a call of its own whether the server knows it.
                pipe.eval(_TRIM, 2, self._inbox, self._key, self._token, str(self._taken))
                await pipe.execute()
        self._taken = 0

    async def release_if_empty(self) -> bool:
        with errors_mapped():
            verdict = await self._scripts[_RELEASE_IF_EMPTY](keys=[self._inbox, self._key], args=[self._token])
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
                    mine = await self._scripts[_RENEW](keys=[self._key], args=[self._token, milliseconds])
            except UnavailableError:
                continue  # it may come back in time; if not, another worker does the batch again
            if not mine:
                self._lost = True
                event(logger, logging.WARNING, "lease_lost", space=self._space)
                return
