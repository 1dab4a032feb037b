"""What a worker asks Redis for while it holds a lease: on one connection, in fewer steps than the driver's pipelines.
The driver connects it; its stream rests until the connection is given back.

The answers to what is only told (`tell`) are read with those of what is asked next (`ask`), so between two batches a
worker waits for Redis once. Until they are read, what was told is kept: it goes out again on a new connection if the
old one is lost. All that is told may come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, InvalidResponse, RedisError, ResponseError, TimeoutError

from shared.adapters.redis.packing import packed

_MOST_UNREAD_BYTES: Final = 256 * 1024
"""Of what was told. When there are so many, their answers are waited for at once."""
_NOTHING: Final = object()

RedisCommand = tuple[Any, ...]


class LeaseConnection:
    """Of the pool, from the first command until `close`. Errors are the driver's."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._connection: Any = None
        self._wire: LeaseWire | None = None
        self._unread: list[bytes] = []
        """Commands that were told, as they were sent."""

    async def tell(self, *commands: RedisCommand) -> None:
        """Sends them."""
        await self.tell_packed([packed(command) for command in commands])

    async def tell_packed(self, data: list[bytes]) -> None:
        """The same, of commands as they are sent."""
        connection = await self._connected()
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
            return await self._answers(connection, len(earlier) + len(data))

        async def lost(_error: RedisError) -> None:
            nonlocal unsent
            unsent = [*earlier, *data]
            await self._disconnect(connection)

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
                await self._disconnect(connection)
            elif self._wire is not None:
                self._wire.leave()
                self._wire = None
            await self._redis.connection_pool.release(connection)

    async def _connected(self) -> Any:
        if self._connection is None:
            # By a client of its own, since the pool's method is another one before release 5.3 of the driver.
            client = await self._redis.client().initialize()
            self._connection, client.connection = client.connection, None
        return self._connection

    async def _send(self, connection: Any, data: Sequence[bytes]) -> None:
        if not connection.is_connected:
            await connection.connect()
            self._wire = None
        if self._wire is None:
            self._wire = LeaseWire(connection)
        self._wire.write(b"".join(data))

    async def _answers(self, connection: Any, count: int) -> list[Any]:
        """Those that are refusals among them. All within the time that the driver gives to each. Raises what
        the driver takes for a lost connection."""
        try:
            if self._wire is None:
                raise ConnectionError("the connection is lost")
            answers = await self._wire.answers(count)
            for answer in answers:
                if isinstance(answer, ConnectionError):  # Redis loads what it had, or lets nobody in: none was run
                    raise answer
            return answers
        except BaseException:
            await self._disconnect(connection)
            raise

    async def _disconnect(self, connection: Any) -> None:
        self._wire = None
        await connection.disconnect(nowait=True)


class LeaseWire(asyncio.Protocol):
    """What the driver has connected, taken from its stream until `leave`."""

    def __init__(self, connection: Any) -> None:
        self._transport = connection._writer.transport
        self._stream = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._loop = asyncio.get_running_loop()
        self._seconds: float | None = connection.socket_timeout
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=_NOTHING
        )
        self._came: list[Any] = []
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> None:
        """It leaves as the connection takes it; if it does not, no answer comes."""
        if self._transport.is_closing():
            raise ConnectionError("the connection is lost")
        self._transport.write(data)

    async def answers(self, count: int) -> list[Any]:
        """The next ones: values, and errors as values. Raises ConnectionError or TimeoutError."""
        if len(self._came) < count:
            if self._transport.is_closing():
                raise ConnectionError("the connection is lost")
            self._wanted = count
            self._waiter = self._loop.create_future()
            late = None if self._seconds is None else self._loop.call_later(self._seconds, self._end_late)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if late is not None:
                    late.cancel()
        answers, self._came = self._came[:count], self._came[count:]
        return answers

    def leave(self) -> None:
        """The stream has the connection again."""
        self._transport.set_protocol(self._stream)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not _NOTHING:
                self._came.append(answer)
        except InvalidResponse as error:
            self._transport.abort()
            self._end(ConnectionError(str(error)))
        if len(self._came) >= self._wanted and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> None:
        """The transport closes."""

    def connection_lost(self, error: Exception | None) -> None:
        self._stream.connection_lost(error)
        self._end(ConnectionError("the connection is lost"))

    def _end_late(self) -> None:
        self._end(TimeoutError("no answer in time"))

    def _end(self, error: RedisError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
