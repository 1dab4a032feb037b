"""The API's composition root: which adapters a process opens, and closes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypedDict

from starlette.applications import Starlette

from api.access.first_administrator import make_first_administrator
from api.assembly import Adapters, assembled
from api.imports.import_runner import import_in_process
from api.state import AppState
from shared import gc, metrics, observability, threads, tracing
from shared.adapters import arq
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.mongodb import MongoDocumentStore, access_stores, migrate, opened
from shared.adapters.openid import HttpOpenIdProvider
from shared.adapters.rates import memory_rates, redis_rates
from shared.adapters.redis import connection as redis
from shared.adapters.redis.active_shares import RedisActiveShares
from shared.adapters.redis.announcements import RedisAnnouncements
from shared.adapters.redis.map_acknowledgements import RedisMapAcknowledgements
from shared.adapters.redis.map_cache import RedisHashMapCache
from shared.adapters.redis.streams import RedisStreamCounter
from shared.adapters.redis.submission_queue import RedisSubmissionQueue
from shared.settings import Settings
from shared.startup import explained


class Lifespan(TypedDict):
    """Starlette hands it to every request as `request.state`."""

    hypertask: AppState


LifespanOf = Callable[[Settings], Callable[[Starlette], AbstractAsyncContextManager[Lifespan]]]


def lifespan_of(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[Lifespan]]:
    """Opens the adapters, and closes them when the process ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Lifespan]:
        observability.configure(settings.log_level)
        threads.switch_soon()
        client = arq.connect(settings)
        rates = redis_rates(settings)
        streams = RedisStreamCounter(settings)
        shares = RedisActiveShares(settings)
        with explained(), tracing.traced(settings, "hypertask-api"):
            async with opened(settings) as mongo, RedisSubmissionQueue(client, settings) as submissions:
                await mongo.prepare()
                await migrate(mongo)
                adapters = Adapters(
                    documents=MongoDocumentStore(mongo, give_up_after_seconds=settings.store_timeout_seconds),
                    stores=access_stores(mongo),
                    passwords=Argon2Hasher(threads=settings.password_threads),
                    cache=RedisHashMapCache(client),
                    acknowledgements=RedisMapAcknowledgements(client),
                    submissions=submissions,
                    announcements=partial(RedisAnnouncements, client),
                    importer=partial(import_in_process, settings),
                    provider=HttpOpenIdProvider(settings) if settings.oidc_issuer else None,
                    rates=rates,
                    rates_alone=memory_rates(),
                    streams=streams,
                    shares=shares,
                    checks={"database": mongo.ping, "cache": partial(redis.ping, client)},
                )
                submissions.watch()
                async with assembled(settings, adapters) as state:
                    await make_first_administrator(state.administration, settings)
                    gc.freeze_after_startup()
                    with metrics.served(settings):
                        yield {"hypertask": state}
        await rates.close()
        await streams.close()
        await shares.close()
        await client.aclose(close_connection_pool=True)

    return lifespan
