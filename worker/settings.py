"""The worker's composition root, for `python -m worker` and for `arq worker.settings.WorkerSettings`.

Nothing is read or opened when this module is imported: WorkerSettings is made when the arq command asks for
it, from the environment (shared/settings.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import Any

import uvloop

from shared import gc, metrics, observability, probe, threads, tracing
from shared.adapters import arq
from shared.adapters.mongodb import Mongo, MongoDocumentStore, access_stores, migrate
from shared.adapters.redis.connection import ping
from shared.adapters.redis.inbox import RedisInbox
from shared.settings import Settings
from shared.space_quotas import SpaceQuotas
from shared.startup import explained
from worker.large import LargeProcess
from worker.tasks.prune import Pruner, prune_all
from worker.tasks.purge import Purger, purge_all
from worker.tasks.resolve import InboxDrain, resolve_space


async def hourly(ctx: dict[Any, Any]) -> None:
    """The arq cron job: what was removed needs no pruning."""
    await purge_all(ctx)
    await prune_all(ctx)


def settings_of(settings: Settings, *, large: bool) -> dict[str, Any]:
    """Of the worker; `large`: of its process for what is large."""
    asyncio.set_event_loop(uvloop.new_event_loop())  # arq runs on the current one
    spaces = settings.worker_large_spaces if large else settings.worker_spaces
    redis = arq.connect(settings, connections=2 * spaces + 8)

    async def on_startup(ctx: dict[Any, Any]) -> None:
        observability.configure(settings.log_level)
        threads.switch_soon()
        ctx["resources"] = resources = contextlib.AsyncExitStack()
        with explained():
            resources.enter_context(tracing.traced(settings, "hypertask-worker"))
            ctx["mongo"] = mongo = Mongo(settings)
            await mongo.prepare()
            await migrate(mongo)
        store = MongoDocumentStore(mongo, give_up_after_seconds=settings.store_timeout_seconds)
        inbox = RedisInbox(redis, settings, large=large)
        stores = access_stores(mongo)
        quotas = SpaceQuotas(stores.spaces, settings)
        ctx["drain"] = InboxDrain(store, inbox, max_bytes=settings.max_document_bytes, large=large, quotas=quotas)
        if not large:
            ctx["purger"] = Purger(stores, store)
            ctx["pruner"] = Pruner(store, settings.retention)
            ctx["large"] = LargeProcess()
            ctx["large"].start()
        resources.enter_context(metrics.served(settings))
        if not large:
            checks: probe.Checks = {"database": mongo.ping, "queue": functools.partial(ping, redis)}
            await resources.enter_async_context(probe.served(settings.worker_probe_port, checks))
        gc.freeze_after_startup()

    async def on_shutdown(ctx: dict[Any, Any]) -> None:
        if "resources" in ctx:
            await ctx["resources"].aclose()
        if "large" in ctx:
            await ctx["large"].end()
        if "mongo" in ctx:
            ctx["mongo"].close()

    return arq.worker_settings(
        settings,
        redis,
        drain=resolve_space,
        hourly=None if large else hourly,
        queue=arq.LARGE_QUEUE if large else arq.QUEUE,
        spaces=spaces,
        on_startup=on_startup,
        on_shutdown=on_shutdown,
    )


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        return settings_of(Settings.from_env(), large=False)
    raise AttributeError(name)
