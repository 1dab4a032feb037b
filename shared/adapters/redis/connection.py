"""Connections to Redis, and what its errors mean. Wiping it at any moment loses nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from shared.adapters.redis.packing import PackingConnection
from shared.adapters.redis.sentinel import master_pool
from shared.ports import UnavailableError
from shared.settings import Settings

_NOT_NOW: Final = re.compile(
    r"(?:\A|-)(?:READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNKILLABLE|UNBLOCKED) "
)
"""How an error of the server begins when it is out of memory or disk, or busy, or becomes a replica while somebody
waits at it; inside a script it is quoted, and the driver has no class for it."""
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0


def connection_pool(settings: Settings, *, connections: int = 64) -> BlockingConnectionPool:
    """Connections that come back by themselves; no call waits for ever."""
    return _pool(
        settings,
        max_connections=connections,
        timeout=ANSWER_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), 3),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        health_check_interval=15,
    )


def impatient_pool(settings: Settings, seconds: float, *, connections: int) -> BlockingConnectionPool:
    """Connections for one who has something to go on with if there is no answer so soon. Nothing is asked twice."""
    return _pool(
        settings,
        max_connections=connections,
        timeout=seconds,
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


def _pool(settings: Settings, **options: Any) -> BlockingConnectionPool:
    if settings.redis_sentinels:
        return master_pool(settings, **options)
    # The address names another class where it asks for TLS.
    return BlockingConnectionPool.from_url(settings.redis_url, connection_class=PackingConnection, **options)


def client(settings: Settings) -> Redis:
    """A client for a few calls of a command. It connects when it is first used."""
    return Redis(connection_pool=connection_pool(settings, connections=1))


class _ErrorsMapped:
    """Not of `contextlib`: every few steps of a write are in such a block, and errors are rare."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is not None:
            _map(error)


_ERRORS_MAPPED: Final = _ErrorsMapped()


def errors_mapped() -> _ErrorsMapped:
    """Driver errors that mean 'not now' become UnavailableError."""
    return _ERRORS_MAPPED


def _map(error: BaseException) -> None:
    if isinstance(error, ConnectionError | TimeoutError | BusyLoadingError | ReadOnlyError):
        raise UnavailableError("the cache does not answer") from error
    if isinstance(error, NoPermissionError):
        raise UnavailableError("the cache does not let us in") from error
    if isinstance(error, OutOfMemoryError | TryAgainError | ClusterDownError) or (
        isinstance(error, ResponseError) and _NOT_NOW.search(str(error))
    ):
        raise UnavailableError("the cache cannot do it now") from error


async def ping(redis: Redis) -> None:
    """Raises UnavailableError unless the server answers."""
    with errors_mapped():
        await cast(Awaitable[bool], redis.ping())
