"""Reads outside transactions, in half of the CPU that the driver takes.

For each command the driver makes a cursor, a session and a message, and asks who wants to be told. Here a command is
encoded, sent and read as those of a transaction are (`commands.py`), over a connection that the driver gives out and
takes back, so that it learns what became of the server. A first command that fails for what may be over a moment
later is sent once more, as the driver does it.

The driver promises nothing about these parts; tests/integration/test_reads.py tells if they change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import bson
from bson import Int64
from motor.frameworks.asyncio import run_on_executor
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.helpers_shared import _RETRYABLE_ERROR_CODES

from shared.adapters.mongodb.client import CODEC, MAJORITY, Mongo, Row
from shared.adapters.mongodb.commands import checked, more_command, received
from shared.adapters.mongodb.raw_batches import with_one_text

T = TypeVar("T")

_Batch = tuple[int, T]
"""The cursor's number, 0 after its last batch, and what came."""
_Made = Callable[[Any, Any], T]
"""Of the bytes of an answer, and the connection that it came over."""


class Reads:
    """Of one database: what a majority has, from the primary. Raises what the driver raises."""

    def __init__(self, mongo: Mongo) -> None:
        self._client: Any = mongo.client.delegate
        self._primary = mongo.primary
        self._database = mongo.database.name

    async def rows(self, find: Row) -> list[Row]:
        """All rows that a `find_command` or an `aggregate_command` finds: they are few."""
        rows: list[Row] = []
        async with aclosing(self._batches(find, _rows)) as batches:
            async for batch in batches:
                rows += batch
        return rows

    def batches(self, find: Row) -> AsyncGenerator[bytes, None]:
        """The rows as BSON, one after another, as many at a time as come in one answer. To be closed (`aclosing`)."""
        return self._batches(find, _text)

    async def _batches(self, find: Row, made: _Made[_Batch[T]]) -> AsyncGenerator[T, None]:
        server, (cursor, batch) = await self._in_thread(self._first, {**find, "readConcern": MAJORITY.document}, made)
        more = more_command(find, cursor)
        try:
            while True:
                yield batch
                if not cursor:
                    return
                cursor, batch = await self._in_thread(self._on, server, more, made)
        finally:
            if cursor:
                await self._in_thread(self._end, server, more["collection"], cursor)

    def _first(self, command: Row, made: _Made[T]) -> tuple[Any, T]:
        """And the server that has the cursor."""
        try:
            return self._tried(command, made)
        except (ConnectionFailure, OperationFailure) as error:
            code = getattr(error, "code", None)
            if isinstance(error, ServerSelectionTimeoutError) or (code and code not in _RETRYABLE_ERROR_CODES):
                raise
        return self._tried(command, made)

    def _tried(self, command: Row, made: _Made[T]) -> tuple[Any, T]:
        server = self._primary.server(None, next(iter(command)))
        return server, self._on(server, command, made)

    def _on(self, server: Any, command: Row, made: _Made[T]) -> T:
        with self._client._checkout(server, None) as connection:
            command = dict(command)
            connection.add_server_api(command)
            data = bson.encode({**command, "$db": self._database})
            return made(received(connection, self._database, command, data), connection)

    def _end(self, server: Any, collection: str, cursor: int) -> None:
        with suppress(PyMongoError):  # the server ends what nobody asks for any more
            self._on(server, {"killCursors": collection, "cursors": [Int64(cursor)]}, _checked)

    def _in_thread(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """In one of the threads in which Motor has the driver work."""
        future: asyncio.Future[T] = run_on_executor(  # type: ignore[no-untyped-call]
            asyncio.get_running_loop(), work, *arguments
        )
        return future


def _checked(answer: Any, connection: Any) -> None:
    checked(bson.decode(answer), connection)


def _rows(answer: Any, connection: Any) -> _Batch[list[Row]]:
    return _batch_in(checked(bson.decode(answer, CODEC), connection))


def _text(answer: Any, connection: Any) -> _Batch[bytes]:
    cursor, rows = _batch_in(checked(with_one_text(answer), connection))
    return cursor, rows[0] if rows else b""


def _batch_in(answer: Any) -> _Batch[Any]:
    cursor = answer["cursor"]
    return cursor["id"], cursor["firstBatch"] if "firstBatch" in cursor else cursor["nextBatch"]
