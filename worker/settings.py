"""The worker's composition root: `arq worker.settings.WorkerSettings`.

Nothing is read or opened when this module is imported: WorkerSettings is made when the arq command asks for
it, from the environment (shared/settings.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from shared import garbage, observability
from shared.adapters import arq
from shared.adapters.inbox import ArqInbox
from shared.adapters.mongo import Mongo, MongoDocumentStore
from shared.settings import Settings
from worker.tasks.prune import Pruner, prune_all
from worker.tasks.resolve import SpaceResolver, resolve_space


def _worker_settings(settings: Settings) -> dict[str, Any]:
    asyncio.set_event_loop(uvloop.new_event_loop())  # arq runs on the current one
    redis = arq.connect(settings.redis_url, connections=2 * settings.worker_spaces + 8)

    async def on_startup(ctx: dict[Any, Any]) -> None:
        observability.configure(settings.log_level)
        ctx["mongo"] = mongo = Mongo(settings)
        await mongo.prepare()
        store = MongoDocumentStore(mongo, give_up_after_seconds=settings.store_timeout_seconds)
        inbox = ArqInbox(redis, settings)
        ctx["resolver"] = SpaceResolver(store, inbox, max_bytes=settings.max_document_bytes)
        ctx["pruner"] = Pruner(store, settings.retention)
        garbage.settle()

    async def on_shutdown(ctx: dict[Any, Any]) -> None:
        if "mongo" in ctx:
            ctx["mongo"].close()

    return arq.worker_settings(
        settings, redis, drain=resolve_space, hourly=prune_all, on_startup=on_startup, on_shutdown=on_shutdown
    )


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        return _worker_settings(Settings.from_env())
    raise AttributeError(name)
