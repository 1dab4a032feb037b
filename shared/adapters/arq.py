"""arq, the queue of jobs. The only module that imports it.

A job says no more than "drain this space" (`shared.adapters.redis.inbox`). arq polls a sorted set. `WakingRedis`
makes that poll wait on a list beside it, so a job starts when it is enqueued; the wait ends by itself every half
second, which is arq's own pace.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import orjson
from arq import cron, func
from arq.connections import ArqRedis, RedisSettings
from arq.worker import Worker
from redis.asyncio.connection import parse_url

from shared.adapters.redis.connection import connection_pool, errors_mapped
from shared.addresses import addresses_of
from shared.cancellation import raise_if_cancelled
from shared.core.documents import SpaceId
from shared.observability import event
from shared.ports import UnavailableError
from shared.settings import Settings

logger = logging.getLogger(__name__)

QUEUE: Final = "ht:queue"
LARGE_QUEUE: Final = "ht:queue:large"
"""Of spaces with something large to decide: a process of its own does that (`worker.large`)."""
DRAIN: Final = "resolve_space"
_WAKE_WAIT_SECONDS: Final = 0.5
_WAKE_TOKENS: Final = 64
_JOB_SECONDS: Final = 60
_PAST_THE_HOUR: Final = 17
_CRON_SECONDS: Final = 300
_AGAIN_SECONDS: Final = 0.2
"""So often Redis is looked for while it is away."""
STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that tell a worker to stop."""
_CLOCK_TOLERANCE: Final = timedelta(days=365)
"""By so much the clock of an API process may be ahead of a worker's."""


class WakingRedis(ArqRedis):
    """arq's Redis client, of which the worker's poll of its queue returns as soon as there is something."""

    async def zrangebyscore(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        if name in (QUEUE, LARGE_QUEUE):
            await cast(Awaitable[Any], self.blpop([_wake_key(name)], timeout=cast(Any, _WAKE_WAIT_SECONDS)))
        return await super().zrangebyscore(name, *args, **kwargs)


class PatientWorker(Worker):
    """arq's worker, which would end when Redis is away for longer than a call is repeated: this one waits for it, and
    goes on."""

    _away = False

    async def main(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        await super().main()

    async def _poll_iteration(self) -> None:
        raise_if_cancelled()
        try:
            with errors_mapped():
                await super()._poll_iteration()
        except UnavailableError as error:
            if not self._away:
                event(logger, logging.WARNING, "queue_unreachable", cause=error.__cause__)
            self._away = True
            await asyncio.sleep(_AGAIN_SECONDS)
            self._free_slots()
        else:
            self._away = False

    def _free_slots(self) -> None:
        """Those of jobs that were about to begin when Redis went away; arq does not give them back."""
        running = sum(not task.done() for task in self.tasks.values())
        while self.job_counter > running:
            self._release_sem_dec_counter_on_complete()


def connect(settings: Settings, *, connections: int = 64) -> WakingRedis:
    """A client for enqueuing and for a worker. It connects when it is first used. A worker waits on one connection
    for each space that it serves, besides those that it works with."""
    return WakingRedis(
        connection_pool(settings, connections=connections),
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
    hourly: Callable[..., Awaitable[None]] | None = None,
    queue: str = QUEUE,
    spaces: int,
    on_startup: Callable[[dict[Any, Any]], Awaitable[None]],
    on_shutdown: Callable[[dict[Any, Any]], Awaitable[None]],
) -> dict[str, Any]:
    """What the `arq` command asks of a WorkerSettings, as arq also takes it: a dict. `spaces`: served at a time."""
    crons = [cron(cast(Any, hourly), name="hourly", minute=_PAST_THE_HOUR, timeout=_CRON_SECONDS)] if hourly else []
    return {
        "functions": [func(cast(Any, drain), name=DRAIN)],
        "cron_jobs": crons,
        "queue_name": queue,
        "redis_pool": redis,
        "redis_settings": redis_settings(settings),  # for `arq --check`
        "on_startup": on_startup,
        "on_shutdown": on_shutdown,
        "max_jobs": spaces,
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


def redis_settings(settings: Settings) -> RedisSettings:
    """For arq's own connections. They ask sentinels without an account."""
    account = parse_url(settings.redis_url)
    connected = dataclasses.replace(
        RedisSettings.from_dsn(settings.redis_url),  # which leaves them percent-encoded
        username=account.get("username"),
        password=account.get("password"),
    )
    if not settings.redis_sentinels:
        return connected
    sentinels = addresses_of(settings.redis_sentinels)
    return dataclasses.replace(connected, host=sentinels, sentinel=True, sentinel_master=settings.redis_master)


def run(settings: dict[str, Any]) -> None:
    """A worker with what `worker_settings` made, until it is told to stop: also if that comes before its loop runs,
    which knows of no signal of before."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    PatientWorker(**settings).run()


def _wake_key(queue: str) -> str:
    return f"{queue}:wake"


async def enqueue(redis: ArqRedis, space: SpaceId, queue: str = QUEUE) -> None:
    """Enqueues a job that drains the space, and wakes a worker."""
    # Due a while ago: arq fixes "now" before it polls, that is before our wait, and compares the clocks of
    # two hosts. A job that seems to lie in the future would wait for the next poll.
    due = datetime.now(UTC) - _CLOCK_TOLERANCE
    await redis.enqueue_job(DRAIN, space, _queue_name=queue, _defer_until=due, _expires=_JOB_SECONDS)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.rpush(_wake_key(queue), "1")
        pipe.ltrim(_wake_key(queue), -_WAKE_TOKENS, -1)
        await pipe.execute()
