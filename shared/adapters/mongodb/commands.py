"""The commands that a transaction writes with, in a quarter of the driver's steps.

The driver selects a server, takes a connection from its pool, and asks who wants to know, for each command anew:
1,240 lines of Python. Here the commands that follow one another go over one connection, each encoded, sent and read
by what the driver has for that. What an error means stays the driver's: the connection is taken and given back by it,
so that it learns what became of the server, and a commit that fails is repeated by it.

The driver promises nothing about these parts; tests/integration/test_transaction_commands.py tells if they change.
"""

from __future__ import annotations

from itertools import count
from struct import Struct
from typing import Any, Final

import bson
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.helpers_shared import _check_command_response
from pymongo.read_preferences import ReadPreference
from pymongo.server_selectors import writable_server_selector
from pymongo.synchronous.client_session import _TxnState  # type: ignore[attr-defined]

from shared.adapters.mongodb.client import CODEC, DURABLE, Row

_HEAD: Final = Struct("<iiiiIB")
"""Of a message: length, number, the number that it answers, OP_MSG, flags, and that a document is all it has."""
_OP_MSG: Final = 2013
_MAX_BYTES: Final = 15 * 1024 * 1024
"""Of a command. What is longer is for the driver, which divides it."""
_NUMBERS: Final = count(1)


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

    def run(self, command: Row, database: str | None = None) -> Row:
        """Its answer. Raises what the driver would, and _TooLongError."""
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
            answer = _answer(connection, database, command, data)
        except BaseException as error:
            self.release(error)
            raise
        if transaction.sharded:
            self._client._process_response(answer, self._session)
        return answer

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


class _TooLongError(Exception):
    """The command is longer than the server takes."""


def _answer(connection: Any, database: str, command: Row, data: bytes) -> Row:
    """`data`: the command as it is sent. Where somebody is told of commands, it is the driver that sends it."""
    answer: Row
    if connection.listeners is not None and connection.listeners.enabled_for_commands:
        answer = connection.command(database, command, codec_options=CODEC, parse_write_concern_error=True)
    else:
        number = next(_NUMBERS) & 0x7FFFFFFF
        connection.send_message(_HEAD.pack(_HEAD.size + len(data), number, 0, _OP_MSG, 0, 0) + data, 0)
        answer = bson.decode(connection.receive_message(number).payload_document, CODEC)
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
