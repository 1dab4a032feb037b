"""What a worker asks Redis for while it holds a lease: on one connection, in fewer steps than the driver's pipelines.

The answers to what is only told (`tell`) are read with those of what is asked next (`ask`), so between two batches a
worker waits for Redis once. Until they are read, what was told is kept: it goes out again on a new connection if the
old one is lost. All that is told may come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from shared.adapters.redis.packing import packed

_MOST_UNREAD_BYTES: Final = 256 * 1024
"""Of what was told. When there are so many, their answers are waited for at once."""

RedisCommand = tuple[Any, ...]


class LeaseConnection:
    """Of the pool, from the first command until `close`. Errors are the driver's."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._connection: Any = None
        self._unread: list[bytes] = []
        """Commands that were told, as they were sent."""

    async def tell(self, *commands: RedisCommand) -> None:
        """Sends them."""
        connection = await self._connected()
        data = [packed(command) for command in commands]
        self._unread += data
        if connection.is_connected:
            with suppress(ConnectionError, TimeoutError):  # then they go out again with what is asked next
                await self._send(connection, data)
        if sum(map(len, self._unread)) > _MOST_UNREAD_BYTES:
            await self.ask()

    async def ask(self, *commands: RedisCommand) -> list[Any]:
        """Sends them, and returns their answers. Raises ResponseError if one of them, or of what was told before, is
        refused."""
        connection = await self._connected()
        data = [packed(command) for command in commands]
        earlier, self._unread = self._unread, []
        unsent = data

        async def exchange() -> list[Any]:
            if unsent:
                await self._send(connection, unsent)
            return await _answers(connection, len(earlier) + len(data))

        async def lost(_error: RedisError) -> None:
            nonlocal unsent
            unsent = [*earlier, *data]
            await connection.disconnect(nowait=True)

        if not connection.is_connected:
            unsent = [*earlier, *data]
        answers = await connection.retry.call_with_retry(exchange, lost)
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return list(answers[len(earlier) :])

    async def close(self) -> None:
        """Gives it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._unread:
                self._unread = []
                await connection.disconnect(nowait=True)
            await self._redis.connection_pool.release(connection)

    async def _connected(self) -> Any:
        if self._connection is None:
            # By a client of its own, since the pool's method is another one before release 5.3 of the driver.
            client = await self._redis.client().initialize()
            self._connection, client.connection = client.connection, None
        return self._connection

    async def _send(self, connection: Any, data: Sequence[bytes]) -> None:
        # No look at its health: the answers that are read then would be others.
        await connection.send_packed_command(b"".join(data), check_health=False)


async def _answers(connection: Any, count: int) -> list[Any]:
    """Those that are refusals among them. All within the time that the driver gives to each."""
    try:
        async with asyncio.timeout(connection.socket_timeout):
            return [await connection._parser.read_response() for _ in range(count)]
    except BaseException as error:
        await connection.disconnect(nowait=True)
        if isinstance(error, asyncio.TimeoutError):
            raise TimeoutError("no answer in time") from error
        if isinstance(error, OSError):
            raise ConnectionError("the connection is lost") from error
        raise
