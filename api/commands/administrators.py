"""What the commands of administrators have in common: the functions of /admin, and what is printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from api.access.administration import Administration
from api.authentication.trusted import TRUSTED_SECONDS
from api.commands.operating import run, settings_of
from api.errors import ProblemError
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.mongodb import Mongo, MongoDocumentStore, access_stores
from shared.adapters.redis import connection as redis
from shared.adapters.redis.announcements import announce_access
from shared.core.display import shown
from shared.core.documents import SpaceId
from shared.ports import UnavailableError
from shared.settings import Settings

T = TypeVar("T")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON value on stdout.")


def administer(data: Path | None, call: Callable[[Administration], Awaitable[T]]) -> T:
    settings = settings_of(data)

    async def with_mongo(mongo: Mongo) -> T:
        admin = Administration(
            access_stores(mongo),
            MongoDocumentStore(mongo, give_up_after_seconds=10),
            Argon2Hasher(threads=1),
            settings,
            tell=lambda spaces: _tell(settings, spaces),
        )
        return await call(admin)

    try:
        return run(data, with_mongo)
    except ProblemError as error:
        raise click.ClickException(error.detail) from error


async def _tell(settings: Settings, spaces: Sequence[SpaceId]) -> None:
    await asyncio.sleep(1.1 * TRUSTED_SECONDS)
    client = redis.client(settings)
    try:
        for one in spaces:
            await announce_access(client, one)
    except UnavailableError:
        click.echo("Redis does not answer: what is open still ends within 15 seconds.", err=True)
    finally:
        await client.aclose(close_connection_pool=True)


def print_value(value: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value, indent=None if not isinstance(value, dict) else 2))
        return
    for name, one in value.items():
        if one is not None:
            click.echo(f"{name:<14}{shown(str(one))}")


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as what is in them; the last one takes the rest."""
    cells = [[shown("" if one is None else str(one)) for one in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def time_shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
