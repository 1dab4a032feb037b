"""The API's composition root: what a process opens, and closes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypedDict

from starlette.applications import Starlette

from api.acknowledgements import DeviceRounds
from api.aside import Aside
from api.auth import Devices
from api.change_feed import ChangeFeed
from api.hash_maps import HashMaps
from api.live import Live
from api.pace import Pace
from api.room import LARGE_ANSWERS, LARGE_ANSWERS_OF_SPACE, LARGE_BODIES, LARGE_BODIES_OF_SPACE, Gate, Room
from api.state import State
from shared import gc, observability
from shared.adapters import arq
from shared.adapters.mongodb import MongoDeviceStore, MongoDocumentStore, opened
from shared.adapters.redis import connection as redis
from shared.adapters.redis.announcements import RedisAnnouncements
from shared.adapters.redis.resolver import ArqResolver
from shared.settings import Settings


class Lifespan(TypedDict):
    """Starlette hands it to every request as `request.state`."""

    hypertask: State


def lifespan_of(
    settings: Settings,
) -> Callable[[Starlette], AbstractAsyncContextManager[Lifespan]]:
    """Opens the adapters, and closes them when the process ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Lifespan]:
        observability.configure(settings.log_level)
        client = arq.connect(settings.redis_url)
        async with (
            opened(settings) as mongo,
            ArqResolver(client, settings) as resolver,
            Pace() as pace,
            Aside(settings.limits, pace) as aside,
        ):
            await mongo.prepare()
            store = MongoDocumentStore(mongo, give_up_after_seconds=settings.store_timeout_seconds)
            cache = redis.RedisHashMapCache(client)
            maps = HashMaps(store, cache, max_bytes=settings.map_cache_bytes)
            devices = Devices(MongoDeviceStore(mongo), pace, most_of_space=settings.devices_per_space)
            live = Live(ChangeFeed(store, maps), devices, settings.streams_per_device, settings.streams_per_space)
            async with (
                RedisAnnouncements(client, heard=live.heard, lost=live.lost, revoked=live.revoked) as announcements,
                live.following(announcements),
            ):
                gc.freeze_after_startup()
                yield {
                    "hypertask": State(
                        settings=settings,
                        pace=pace,
                        bodies=Room(settings.bodies_bytes, settings.space_bodies_bytes),
                        answers=Room(
                            settings.answers_bytes, settings.space_answers_bytes, "answers", first_always=True
                        ),
                        large_bodies=Gate(pace, LARGE_BODIES, LARGE_BODIES_OF_SPACE),
                        large_answers=Gate(pace, LARGE_ANSWERS, LARGE_ANSWERS_OF_SPACE),
                        aside=aside,
                        devices=devices,
                        hash_maps=maps,
                        live=live,
                        acknowledgements=DeviceRounds(redis.RedisMapAcknowledgements(client)),
                        documents=store,
                        resolver=resolver,
                        checks={"database": mongo.ping, "cache": partial(redis.ping, client)},
                    )
                }
        await client.aclose(close_connection_pool=True)

    return lifespan
