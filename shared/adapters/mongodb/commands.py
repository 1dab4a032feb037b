"""The commands of a transaction, in a quarter of the driver's steps.

The driver selects a server, takes a connection from its pool, and asks who wants to know, for each command anew:
1,240 lines of Python. Here the commands that follow one another go over one connection, each encoded, sent and read
by what the driver has for that. What an error means stays the driver's: the connection is taken and given back by it,
so that it learns what became of the server, and a commit that fails is repeated by it.

What is written is sent at once, and its answer is read later, with those of what follows: the database works while
the next command is made, and the transaction waits for it once. The commit is sent when all answers were seen.

The driver promises nothing about these parts; tests/integration/test_transaction_commands.py tells if they change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count as counted
from struct import Struct
from typing import Any, Final, NamedTuple

import bson
from bson import Int64
from bson.codec_options import CodecOptions
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.helpers_shared import _check_command_response
from pymongo.synchronous.client_session import _TxnState  # type: ignore[attr-defined]

from shared.adapters.mongodb.answers import AnswerReader, is_success, value_in
from shared.adapters.mongodb.begun import BegunSession
from shared.adapters.mongodb.client import CODEC, DURABLE, RAW, Row
from shared.adapters.mongodb.kept import Checkout, Connections

_HEAD: Final = Struct("<iiiiIB")
"""Of a message: length, number, the number that it answers, OP_MSG, flags, and that a document is all it has."""
_OP_MSG: Final = 2013
_MAX_BYTES: Final = 15 * 1024 * 1024
"""Of a command. What is longer is for the driver, which divides it."""
_AT_ONCE_BYTES: Final = 32 * 1024
"""Of commands, which a connection takes though the server takes nothing: it waits until its answers are taken. More
are sent only when all answers that may be long were read."""
_MOST_UNREAD: Final = 16
"""Short answers, which a connection holds."""
_NUMBERS: Final = counted(1)
_PLAIN: Final[CodecOptions[Row]] = CodecOptions()
"""For answers of which nobody asks more than whether they are good,"""
_ROW: Final[CodecOptions[Row]] = CodecOptions(type_registry=CODEC.type_registry)
"""and for those of which the row is asked, their `value`."""
_NOTHING: Final[Row] = {}

OnAnswer = Callable[[Row], None]
"""Is given an answer, of which it asks for the `value` alone, and may raise."""
OnRefusal = Callable[[OperationFailure], None]
"""Is given what a command was refused with. May raise another error in its place."""


class _Sent(NamedTuple):
    """A command whose answer was not looked at."""

    number: int
    size: int
    is_short: bool
    """Its answer is: it says how many rows were written, or why they were not."""
    answer: Any
    """Its bytes, if they came; None: they are on their way."""
    seen: OnAnswer | None
    refused: OnRefusal | None


class Commands:
    """Of one transaction on one session."""

    def __init__(self, begun: BegunSession, connections: Connections, database: str) -> None:
        self._begun = begun
        self._session = session = begun.session
        self._connections = connections
        self._client: Any = session.client
        self._database = database
        self._checkout: Checkout | None = None
        self._connection: Any = None
        self._answers: AnswerReader
        self._fields: Row = {}
        """Of each command but the first: which transaction it is of."""
        self._sent: deque[_Sent] = deque()
        self._sent_bytes = 0
        self._sent_long = 0
        """Of those that were sent, how many may have a long answer."""

    @property
    def session(self) -> ClientSession:
        """For a call of the driver, which takes a connection for itself. This one's is given back first: who waits
        for one holds none."""
        self.settle()
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
        """Its answer, when those before it were looked at. Raises what the driver would, _TooLongError, and what
        `count` does, which is told the bytes of the answer before values are made of them."""
        database = database or self._database
        message = self._made(command, database)
        self._make_room(len(message))
        self._send(message, command, database)
        while len(self._sent) > 1:
            self._settle_first()
        return self._answer(self._next(), codec, count)

    def post(
        self,
        command: Row,
        *,
        is_short: bool = False,
        seen: OnAnswer | None = None,
        refused: OnRefusal | None = None,
    ) -> None:
        """Sends a command that writes; `settle` looks at its answer. `is_short`: that is certain to be. Raises
        _TooLongError."""
        message = self._made(command)
        self._make_room(len(message))
        try:
            self._send(message, command, self._database, seen, refused, is_short=is_short)
        except OperationFailure as error:
            _tell(refused, error)
            raise
        if self._sent[-1].answer is not None:  # where somebody is told of commands: each by itself
            self.settle()

    def settle(self) -> None:
        """Looks at the answers to all that was sent, in its order. Raises at the first one that is no success; then
        the transaction is over, and so are the commands that came after."""
        while self._sent:
            self._settle_first()

    def _settle_first(self) -> None:
        sent = self._next()
        try:
            answer = self._answer(sent, _PLAIN if sent.seen is None else _ROW, None)
        except OperationFailure as error:
            _tell(sent.refused, error)
            raise
        if sent.seen is not None:
            sent.seen(answer)

    def _make_room(self, size: int) -> None:
        """For a message of so many bytes."""
        while len(self._sent) >= _MOST_UNREAD:
            self._settle_first()
        if self._sent_bytes + size > _AT_ONCE_BYTES:
            while self._sent_long:
                self._settle_first()
            self._answers.patiently()  # the last step: whoever reads an answer has the socket wait for a moment only

    def _next(self) -> _Sent:
        sent = self._sent.popleft()
        self._sent_bytes -= sent.size
        self._sent_long -= not sent.is_short
        return sent

    def _made(self, command: Row, database: str | None = None) -> bytes:
        """As it is sent. Adds to the command what it says of its transaction."""
        connection = self._connected(next(iter(command)))
        if self._fields:
            command.update(self._fields)
        else:
            self._fields = self._begun.add_to(command, connection)
        data = bson.encode({**command, "$db": database or self._database})
        if len(data) > _MAX_BYTES:
            raise _TooLongError
        return data

    def _send(
        self,
        data: bytes,
        command: Row,
        database: str,
        seen: OnAnswer | None = None,
        refused: OnRefusal | None = None,
        *,
        is_short: bool = False,
    ) -> None:
        transaction: Any = self._session._transaction
        transaction.state = _TxnState.IN_PROGRESS
        transaction.has_completed_command = True  # else a driver that is not let in begins it again with the commit
        number = next(_NUMBERS) & 0x7FFFFFFF
        try:
            answer = send(self._connection, database, command, data, number)
        except BaseException as error:
            self.release(error)
            raise
        self._sent.append(_Sent(number, len(data), is_short, answer, seen, refused))
        self._sent_bytes += len(data)
        self._sent_long += not is_short

    def _answer(self, sent: _Sent, codec: CodecOptions[Any], count: Callable[[int], None] | None) -> Any:
        connection: Any = self._connection
        try:
            text = self._answers.read(sent.number) if sent.answer is None else sent.answer
            if count is not None:
                count(len(text))
            transaction: Any = self._session._transaction
            brief = None if transaction.sharded else _brief(text, codec)
            answer = checked(bson.decode(text, codec), connection) if brief is None else brief
        except BaseException as error:
            self.release(error)
            raise
        if transaction.sharded:
            self._client._process_response(answer, self._session)
        return answer

    def batches(
        self,
        find: Row,
        *,
        codec: CodecOptions[Any] = CODEC,
        count: Callable[[int], None] | None = None,
    ) -> Iterator[Sequence[Any]]:
        """The rows that a `find_command` or an `aggregate_command` finds, as many at a time as come in one answer."""
        # A cursor that is left before its end goes with the transaction.
        cursor = self.run(dict(find), codec=codec, count=count)["cursor"]
        yield cursor["firstBatch"]
        while cursor["id"]:
            cursor = self.run(more_command(find, cursor["id"]), codec=codec, count=count)["cursor"]
            yield cursor["nextBatch"]

    def find_one(self, collection: str, query: Row, projection: Row) -> Row | None:
        [rows] = self.batches(find_command(collection, query, projection, limit=1, together=2))
        return rows[0] if rows else None

    def insert(self, collection: str, rows: list[Row], refused: OnRefusal | None = None) -> None:
        """A row without `_id` gets one from the database. BulkWriteError is what it may be refused with."""
        self._write({"insert": collection, "documents": rows, "ordered": False}, refused, is_short=True)

    def update(self, collection: str, statements: list[Row]) -> None:
        """Statements of the `update` command: `q`, `u` and, if the row may be missing, `upsert`."""
        is_short = not any("upsert" in statement for statement in statements)  # their ids would be listed
        self._write({"update": collection, "updates": statements, "ordered": False}, is_short=is_short)

    def commit(self, meanwhile: Callable[[], None] | None = None) -> None:
        """As `commit_transaction` of the driver, when all answers were seen. `meanwhile` is called while the database
        commits; not where the driver asks it to."""
        self.settle()
        transaction: Any = self._session._transaction
        if self._fields and not transaction.sharded:
            command: Row = {"commitTransaction": 1, "writeConcern": DURABLE.document}
            # Asked again it is not over, as in the driver, which forgets one that is when it looks for a server.
            transaction.state = _TxnState.IN_PROGRESS
            try:
                self._send(self._made(command, "admin"), command, "admin")
                if meanwhile is not None:
                    meanwhile()
                self._answer(self._next(), _PLAIN, None)
            except PyMongoError:
                pass  # asked again below: to commit twice is to commit once
            else:
                transaction.state = _TxnState.COMMITTED
                self.release(keeps=True)
                return
        self.session.commit_transaction()

    def release(self, error: BaseException | None = None, *, keeps: bool = False) -> None:
        """Gives the connection back. `error`: what it was told, or met. Answers that nobody looked at are left.
        `keeps`: for the next transaction."""
        checkout, self._checkout = self._checkout, None
        if checkout is not None:
            error = self._left(error)
            if keeps and error is None:
                self._connections.give_back(checkout)
            else:
                checkout.end(error)

    def _left(self, error: BaseException | None) -> BaseException | None:
        """Whoever has the connection next finds no answers that are not its own. They come at once: the transaction
        is over, or they are to what takes no time. Returns the first error."""
        left = [one.number for one in self._sent if one.answer is None] if self._sent else ()
        self._sent.clear()
        self._sent_bytes = self._sent_long = 0
        try:
            for number in left:
                if not self._connection.closed:
                    self._answers.read(number)
        except PyMongoError as lost:
            return error or lost
        return error

    def _connected(self, name: str) -> Any:
        if self._checkout is None:
            self._checkout = checkout = self._connections.take(self._session, name)
            self._connection, self._answers = checkout.connection, checkout.answers
        return self._connection

    def _write(self, command: Row, refused: OnRefusal | None = None, *, is_short: bool) -> None:
        try:
            self.post(command, refused=refused, is_short=is_short)
        except _TooLongError:
            session = self.session  # what came before was refused for its own reasons
            try:
                self._divided(session, command)
            except OperationFailure as error:
                _tell(refused, error)
                raise

    def _divided(self, session: ClientSession, command: Row) -> None:
        kind, collection = next(iter(command.items()))
        those = command["documents"] if kind == "insert" else command["updates"]
        operations = [InsertOne(row) if kind == "insert" else _operation(row) for row in those]
        self._client[self._database][collection].bulk_write(operations, ordered=False, session=session)


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


def aggregate_command(collection: str, stages: Sequence[Row], *, together: int) -> Row:
    """`together`: as many rows come in one answer unless they are large."""
    return {"aggregate": collection, "pipeline": list(stages), "cursor": {"batchSize": together}}


def more_command(find: Row, cursor: int) -> Row:
    """For what comes after the first answer to a `find_command` or an `aggregate_command`."""
    collection, together = (
        (find["find"], find["batchSize"]) if "find" in find else (find["aggregate"], find["cursor"]["batchSize"])
    )
    return {"getMore": Int64(cursor), "collection": collection, "batchSize": together}


class _TooLongError(Exception):
    """The command is longer than the server takes."""


def _tell(refused: OnRefusal | None, error: OperationFailure) -> None:
    if refused is not None:
        refused(error)


def received(connection: Any, database: str, command: Row, data: bytes) -> Any:
    """The bytes of the answer. `data`: the command as it is sent. Where somebody is told of commands, it is the
    driver that sends it."""
    number = next(_NUMBERS) & 0x7FFFFFFF
    answer = send(connection, database, command, data, number)
    if answer is not None:
        return answer
    with AnswerReader(connection) as answers:
        return answers.read(number)


def send(connection: Any, database: str, command: Row, data: bytes, number: int) -> Any:
    """None: the answer will come by this number. Its bytes, where the driver sends the command and waits."""
    if connection.listeners is not None and connection.listeners.enabled_for_commands:
        return connection.command(database, command, codec_options=RAW, parse_write_concern_error=True).raw
    connection.send_message(_HEAD.pack(_HEAD.size + len(data), number, 0, _OP_MSG, 0, 0) + data, 0)
    return None


def _brief(text: bytes, codec: CodecOptions[Any]) -> Row | None:
    """What is asked for of an answer, if it is a success: times and signatures, which each answer has, take longer to
    read than all the rest. None: all of it has to be looked at."""
    if codec is _PLAIN:
        return _NOTHING if is_success(text) else None
    row = value_in(text) if codec is _ROW else None
    return None if row is None else {"value": bson.decode(row, CODEC)}


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
