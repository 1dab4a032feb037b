"""How an operator's command reaches the server's database."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from shared.adapters.mongodb import Mongo, migrate, opened
from shared.adapters.redis import connection as redis
from shared.adapters.redis.announcements import announce_changed
from shared.core.documents import SpaceId
from shared.ports import Announcement, UnavailableError
from shared.settings import Settings

T = TypeVar("T")

_CONNECTION = "connection.json"


def run(data: Path | None, call: Callable[[Mongo], Awaitable[T]]) -> T:
    settings = settings_of(data)

    async def call_it() -> T:
        async with opened(settings) as mongo:
            await mongo.prepare()
            await migrate(mongo)
            return await call(mongo)

    try:
        return asyncio.run(call_it())
    except UnavailableError as error:
        where = f"the instance on {data}" if data else "HYPERTASK_MONGO_URL"
        raise click.ClickException(f"{error}. Is {where} right, and running? `ops/serve` starts one.") from error


@asynccontextmanager
async def announcing(settings: Settings) -> AsyncIterator[Callable[[SpaceId, Announcement], Awaitable[None]]]:
    """Tells API processes what a command changed in a space. Without Redis they hear of it with the next change."""
    client = redis.client(settings)

    async def announce(space: SpaceId, announcement: Announcement) -> None:
        with suppress(UnavailableError):
            await announce_changed(client, space, announcement)

    try:
        yield announce
    finally:
        await client.aclose(close_connection_pool=True)


def settings_of(data: Path | None) -> Settings:
    environment: dict[str, Any] = dict(os.environ)
    if data is not None:
        connection = connection_of(data)
        environment["HYPERTASK_MONGO_URL"] = connection["mongo_url"]
        environment["HYPERTASK_MONGO_DATABASE"] = connection["mongo_database"]
        environment["HYPERTASK_REDIS_URL"] = connection["redis_url"]
        environment["HYPERTASK_REDIS_SENTINELS"] = ""
    try:
        return Settings.from_env(environment)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def connection_of(data: Path) -> dict[str, Any]:
    try:
        connection: dict[str, Any] = json.loads((data / _CONNECTION).read_text())
    except FileNotFoundError:
        raise click.ClickException(f"No instance has run on {data}. Start one: ops/serve --data {data}") from None
    return connection
