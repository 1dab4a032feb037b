"""Connections to Redis, and what its errors mean. Wiping it at any moment loses nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, cast

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

from shared.ports import UnavailableError

_NOT_NOW: Final = re.compile(r"(?:\A|-)(?:OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNKILLABLE) ")
"""How an error of the server begins when it is out of memory or disk, or busy; inside a script it is quoted, and the
driver has no class for it."""


def connection_pool(url: str, *, connections: int = 64) -> BlockingConnectionPool:
    """Connections that come back by themselves; no call waits for ever."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=5,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), 3),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        health_check_interval=15,
    )


def impatient_pool(url: str, seconds: float, *, connections: int) -> BlockingConnectionPool:
    """Connections for one who has something to go on with if there is no answer so soon. Nothing is asked twice."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=seconds,
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )


def client(url: str) -> Redis:
    """A client for a few calls of a command. It connects when it is first used."""
    return Redis(connection_pool=connection_pool(url, connections=1))


@contextmanager
def errors_mapped() -> Iterator[None]:
    """Driver errors that mean 'not now' become UnavailableError."""
    try:
        yield
    except (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError) as error:
        raise UnavailableError("the cache does not answer") from error
    except NoPermissionError as error:
        raise UnavailableError("the cache does not let us in") from error
    except ResponseError as error:
        if not isinstance(error, OutOfMemoryError | TryAgainError | ClusterDownError) and not _NOT_NOW.search(
            str(error)
        ):
            raise
        raise UnavailableError("the cache cannot do it now") from error


async def ping(redis: Redis) -> None:
    """Raises UnavailableError unless the server answers."""
    with errors_mapped():
        await cast(Awaitable[bool], redis.ping())
