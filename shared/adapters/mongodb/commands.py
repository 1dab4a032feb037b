"""The commands of a transaction, in a quarter of the driver's steps.

The driver selects a server, takes a connection from its pool, and asks who wants to know, for each command anew:
1,240 lines of Python. Here the commands that follow one another go over one connection, each encoded, sent and read
by what the driver has for that. What an error means stays the driver's: the connection is taken and given back by it,
so that it learns what became of the server, and a commit that fails is repeated by it.

The driver promises nothing about these parts; tests/integration/test_transaction_commands.py tells if they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count as counted
from struct import Struct
from typing import Any, Final

import bson
from bson import Int64
from bson.codec_options import CodecOptions
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.helpers_shared import _check_command_response
from pymongo.read_preferences import ReadPreference
from pymongo.server_selectors import writable_server_selector
from pymongo.synchronous.client_session import _TxnState  # type: ignore[attr-defined]

from shared.adapters.mongodb.client import CODEC, DURABLE, RAW, Row

_HEAD: Final = Struct("<iiiiIB")
"""Of a message: length, number, the number that it answers, OP_MSG, flags, and that a document is all it has."""
_OP_MSG: Final = 2013
_MAX_BYTES: Final = 15 * 1024 * 1024
"""Of a command. What is longer is for the driver, which divides it."""
_NUMBERS: Final = counted(1)


class Commands:
    """Of one transaction on one session."""

    def __init__(self, session: ClientSession, database: str) -> None:
        self._session = session
        self._client: Any = session.client
        self._database = database
        self._checkout: Any = None
        self._connection: Any = None
        self._fields: Row = {}
        """Of each command but the first: which transaction it is of."""

    @property
    def session(self) -> ClientSession:
        """For a call of the driver, which takes a connection for itself. This one's is given back first: who waits
        for one holds none."""
        self.release()
        return self._session

    def run(
        self,
        command: Row,
        database: str | None = None,
        *,
        codec: CodecOptions[Any] = CODEC,
        count: Callable[[int], None] | None = None,
    ) -> Any:
        """Its answer. Raises what the driver would, _TooLongError, and what `count` does, which is told the bytes of
        the answer before values are made of them."""
        connection = self._connected(next(iter(command)))
        transaction: Any = self._session._transaction
        if self._fields:
            command = {**command, **self._fields}
        else:
            known = len(command)
            self._session._apply_to(command, False, ReadPreference.PRIMARY, connection)
            connection.add_server_api(command)
            added = list(command.items())[known:]
            self._fields = {name: value for name, value in added if name not in ("startTransaction", "readConcern")}
        database = database or self._database
        data = bson.encode({**command, "$db": database})
        if len(data) > _MAX_BYTES:
            raise _TooLongError
        transaction.state = _TxnState.IN_PROGRESS
        try:
            text = received(connection, database, command, data)
            if count is not None:
                count(len(text))
            answer = checked(bson.decode(text, codec), connection)
        except BaseException as error:
            self.release(error)
            raise
        if transaction.sharded:
            self._client._process_response(answer, self._session)
        return answer

    def find(
        self,
        collection: str,
        query: Row,
        projection: Row | None = None,
        *,
        order: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        together: int,
        codec: CodecOptions[Any] = CODEC,
        count: Callable[[int], None] | None = None,
    ) -> Iterator[Sequence[Any]]:
        """Batches of rows. `together`: as many come in one answer unless they are large."""
        command = find_command(collection, query, projection, order=order, limit=limit, together=together)
        return self._batches(command, collection, together, codec, count)

    def find_one(self, collection: str, query: Row, projection: Row) -> Row | None:
        [rows] = self.find(collection, query, projection, limit=1, together=2)
        return rows[0] if rows else None

    def aggregate(
        self, collection: str, steps: Sequence[Row], *, together: int, count: Callable[[int], None]
    ) -> Iterator[Sequence[Any]]:
        command = {"aggregate": collection, "pipeline": steps, "cursor": {"batchSize": together}}
        return self._batches(command, collection, together, CODEC, count)

    def _batches(
        self,
        command: Row,
        collection: str,
        together: int,
        codec: CodecOptions[Any],
        count: Callable[[int], None] | None,
    ) -> Iterator[Sequence[Any]]:
        # A cursor that is left before its end goes with the transaction.
        cursor = self.run(command, codec=codec, count=count)["cursor"]
        yield cursor["firstBatch"]
        while cursor["id"]:
            more = {"getMore": Int64(cursor["id"]), "collection": collection, "batchSize": together}
            cursor = self.run(more, codec=codec, count=count)["cursor"]
            yield cursor["nextBatch"]

    def insert(self, collection: str, rows: list[Row]) -> None:
        """A row without `_id` gets one from the database. Raises BulkWriteError."""
        self._write({"insert": collection, "documents": rows, "ordered": False})

    def update(self, collection: str, statements: list[Row]) -> None:
        """Statements of the `update` command: `q`, `u` and, if the row may be missing, `upsert`."""
        self._write({"update": collection, "updates": statements, "ordered": False})

    def commit(self) -> None:
        """As `commit_transaction` of the driver."""
        transaction: Any = self._session._transaction
        if self._fields and not transaction.sharded:
            try:
                answer = self.run({"commitTransaction": 1, "writeConcern": DURABLE.document}, "admin")
            except PyMongoError:
                pass  # asked again below: to commit twice is to commit once
            else:
                transaction.state = _TxnState.COMMITTED
                self._client._process_response(answer, self._session)
                self.release()
                return
        self.session.commit_transaction()

    def release(self, error: BaseException | None = None) -> None:
        """Gives the connection back. `error`: what it was told, or met."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            checkout.__exit__(None if error is None else type(error), error, None)

    def _connected(self, name: str) -> Any:
        if self._checkout is None:
            server = self._client._select_server(writable_server_selector, self._session, name)
            checkout = self._client._checkout(server, self._session)
            self._connection = checkout.__enter__()
            self._checkout = checkout
        return self._connection

    def _write(self, command: Row) -> None:
        try:
            self.run(command)
        except _TooLongError:
            self._divided(command)

    def _divided(self, command: Row) -> None:
        kind, collection = next(iter(command.items()))
        those = command["documents"] if kind == "insert" else command["updates"]
        operations = [InsertOne(row) if kind == "insert" else _operation(row) for row in those]
        self._client[self._database][collection].bulk_write(operations, ordered=False, session=self.session)


def find_command(
    collection: str,
    query: Row,
    projection: Row | None = None,
    *,
    order: Sequence[tuple[str, int]] = (),
    limit: int = 0,
    together: int,
) -> Row:
    """`together`: as many rows come in one answer unless they are large."""
    command: Row = {"find": collection, "filter": query, "batchSize": together}
    if projection is not None:
        command["projection"] = projection
    if order:
        command["sort"] = dict(order)
    if limit:
        command["limit"] = limit
    return command


class _TooLongError(Exception):
    """The command is longer than the server takes."""


def received(connection: Any, database: str, command: Row, data: bytes) -> Any:
    """The bytes of the answer. `data`: the command as it is sent. Where somebody is told of commands, it is the
    driver that sends it."""
    if connection.listeners is not None and connection.listeners.enabled_for_commands:
        return connection.command(database, command, codec_options=RAW, parse_write_concern_error=True).raw
    number = next(_NUMBERS) & 0x7FFFFFFF
    connection.send_message(_HEAD.pack(_HEAD.size + len(data), number, 0, _OP_MSG, 0, 0) + data, 0)
    return connection.receive_message(number).payload_document


def checked(answer: Any, connection: Any) -> Any:
    _check_command_response(answer, connection.max_wire_version, parse_write_concern_error=True)
    if "writeErrors" in answer:
        raise BulkWriteError(answer)
    return answer


def _operation(statement: Row) -> ReplaceOne[Row] | UpdateOne:
    query, change = statement["q"], statement["u"]
    upsert = statement.get("upsert", False)
    if next(iter(change)).startswith("$"):
        return UpdateOne(query, change, upsert=upsert)
    return ReplaceOne(query, change, upsert=upsert)
