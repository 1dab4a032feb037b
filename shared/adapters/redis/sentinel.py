"""Connections to the master of a Redis that sentinels watch. Each new connection asks them where the master is, so
after a fail-over all go to the new one by themselves.

redis-py's pool for that opens a connection more where none is free; ours waits for one, as without sentinels. Its
connection repeats the repetitions of a connection; ours makes them once.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection
from redis.exceptions import ConnectionError, MasterDownError, ResponseError

from shared.adapters.redis.packing import PackingConnection
from shared.addresses import addresses_of
from shared.settings import Settings

_ANSWER_SECONDS: Final = 1.0
"""How long a sentinel is waited for before the next one is asked."""
_NOT_THE_MASTER: Final = re.compile(r"(?:\A|-)(?:READONLY|NOREPLICAS|MASTERDOWN) ")
"""How an error begins of a server that is a replica now, or cut off from its own; inside a script it is quoted."""


class MasterConnection(PackingConnection, SentinelManagedConnection):
    """Goes to whatever server is the master when it connects."""

    async def connect(self) -> None:
        await Connection.connect(self)  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        self.host, self.port = await self.connection_pool.get_master_address()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *args: Any, **named: Any) -> Any:
        try:
            return await super().read_response(*args, **named)
        except ResponseError as error:
            if not isinstance(error, MasterDownError) and not _NOT_THE_MASTER.search(str(error)):
                raise
            await self.disconnect()  # the next attempt asks the sentinels
            raise ConnectionError(f"the server is not the master, or cut off: {error}") from error


class MasterTlsConnection(MasterConnection, SSLConnection):
    """The same over TLS."""


class MasterPool(SentinelConnectionPool, BlockingConnectionPool):
    """Whoever finds no connection free waits for one. Idle ones are closed when another server is the master."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for client in self.sentinel_manager.sentinels:
                await client.aclose(close_connection_pool=True)


def master_pool(
    settings: Settings, *, socket_connect_timeout: float, socket_timeout: float, **options: Any
) -> MasterPool:
    """Account, database and TLS are those of HYPERTASK_REDIS_URL; the sentinels are asked over TLS if Redis is."""
    from_url = cast("dict[str, Any]", parse_url(settings.redis_url))
    tls = from_url.pop("connection_class", Connection) is SSLConnection
    for name in ("host", "port"):
        from_url.pop(name, None)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        addresses_of(settings.redis_sentinels),
        sentinel_kwargs={
            "username": settings.redis_sentinel_user or None,
            "password": settings.redis_sentinel_password or None,
            "socket_connect_timeout": min(_ANSWER_SECONDS, socket_connect_timeout),
            "socket_timeout": min(_ANSWER_SECONDS, socket_timeout),
            "ssl": tls,
            **{name: value for name, value in from_url.items() if name.startswith("ssl_")},
        },
    )
    timeouts = {"socket_connect_timeout": socket_connect_timeout, "socket_timeout": socket_timeout}
    return MasterPool(  # type: ignore[no-untyped-call]
        settings.redis_master,
        sentinels,
        connection_class=MasterTlsConnection if tls else MasterConnection,
        **{**options, **timeouts, **from_url},
    )
