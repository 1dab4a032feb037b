"""A connection to Redis that one part of a process keeps for itself. A short command is written when it comes, and
answers are taken in that order: without the pool, the stream and the timers that the driver has for each command.

The driver connects it, so addresses, accounts, TLS and sentinels are its matter. Nothing is asked twice here: whoever
gets an error asks the driver, whose calls are repeated.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, InvalidResponse, TimeoutError
from redis.typing import EncodableT

from shared.adapters.redis.packing import AT_ONCE_BYTES, packed

_NOTHING: Final = object()
_ANSWER_SECONDS: Final = 5.0
"""How long an answer is waited for, if the driver is told of no other time."""


class RedisLine:
    """Use `async with`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._client: Redis | None = None
        """Has one connection of the pool."""
        self._wire: _Wire | None = None

    async def __aenter__(self) -> RedisLine:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._leave()

    @property
    def is_open(self) -> bool:
        return self._wire is not None and self._wire.is_open

    async def open(self) -> None:
        """If it is not open. Raises what the driver raises."""
        if self.is_open:
            return
        await self._leave()
        self._client = await self._redis.client().initialize()
        assert self._client.connection is not None
        self._wire = _Wire(self._client.connection)

    def call(self, *command: EncodableT, take: Callable[[Any], None] | None = None) -> asyncio.Future[Any] | None:
        """The answer, or its error. None: the line is not open, or what was written before has not left, or the
        command is not short. Then it is for the driver. `take` is given the answer as soon as it comes, a turn of the
        loop before who waits for it; what it raises is raised there."""
        return None if self._wire is None else self._wire.call(command, take)

    def drop(self) -> None:
        """Ends the connection: whoever waits is told, and it may be opened again."""
        if self._wire is not None:
            self._wire.end(ConnectionError("The line was dropped."))

    async def _leave(self) -> None:
        """Gives the connection back, closed."""
        self.drop()
        client, self._client, self._wire = self._client, None, None
        if client is not None:
            if client.connection is not None:
                await client.connection.disconnect(nowait=True)
            await client.aclose()


class _Wire(asyncio.Protocol):
    """What the driver has connected, taken from its stream."""

    def __init__(self, connection: AbstractConnection) -> None:
        writer = connection._writer
        assert writer is not None
        self._transport = writer.transport
        self._stream = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._loop = asyncio.get_running_loop()
        self._seconds = connection.socket_timeout or _ANSWER_SECONDS
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=_NOTHING
        )
        self._waiting: deque[tuple[float, asyncio.Future[Any], Callable[[Any], None] | None]] = deque()
        """Until when, by the loop's clock; who; and what takes the answer before."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def call(self, command: tuple[EncodableT, ...], take: Callable[[Any], None] | None) -> asyncio.Future[Any] | None:
        if self._transport.is_closing() or self._transport.get_write_buffer_size() > 0:
            return None
        data = packed(command)
        if len(data) > AT_ONCE_BYTES:
            return None
        answer: asyncio.Future[Any] = self._loop.create_future()
        until = self._loop.time() + self._seconds
        self._waiting.append((until, answer, take))
        if self._timer is None:
            self._timer = self._loop.call_at(until, self._end_if_late)
        self._transport.write(data)
        return answer

    def end(self, error: Exception) -> None:
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            _, future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # retrieved here, should nobody wait any more

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _NOTHING:
            _, future, take = self._waiting.popleft()
            if future.done():  # whoever asked has gone
                continue
            if take is not None and not isinstance(answer, Exception):
                try:
                    take(answer)
                except Exception as error:  # noqa: BLE001 -- raised where the answer is waited for
                    answer = error
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._stream.connection_lost(error)
        self.end(ConnectionError("Connection closed by server."))

    def _end_if_late(self) -> None:
        """Looks after the one that waits longest: answers come in their order, so one timer is enough."""
        self._timer = None
        if not self._waiting:
            return
        until = self._waiting[0][0]
        if until > self._loop.time():
            self._timer = self._loop.call_at(until, self._end_if_late)
        else:
            self.end(TimeoutError("Timeout reading from the line."))
