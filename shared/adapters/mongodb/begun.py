"""Sessions on which a transaction has begun, of which nothing was sent yet.

To begin one, and to say of a command which transaction it is of, takes the driver 140 lines of Python. The next
transaction's are done while the database commits this one.
"""

from __future__ import annotations

from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from shared.adapters.mongodb.client import DURABLE, Row

_SNAPSHOT: Final = ReadConcern("snapshot")
_OF_THE_FIRST: Final = {"startTransaction", "readConcern"}


class BegunSession:
    """A session with a transaction, and what the commands say of that."""

    def __init__(self, session: ClientSession) -> None:
        session.start_transaction(_SNAPSHOT, DURABLE, ReadPreference.PRIMARY)
        self.session = session
        self.connection: Any = None
        """That somebody asked for the first time with; None: nobody has."""
        self._fields: tuple[Row, Row] | None = None

    def add_to(self, command: Row, connection: Any) -> Row:
        """What the first command that is not the driver's says beside what it asks. Returns what each later one
        does."""
        first, later = self.fields_of_commands(connection)
        command.update(first if self.session._transaction.starting() else later)
        return later

    def fields_of_commands(self, connection: Any) -> tuple[Row, Row]:
        """What the first command says beside what it asks, and what each later one does. `connection`: any one to the
        servers."""
        if self._fields is None:
            self.connection = connection
            command: Row = {"insert": ""}
            self.session._apply_to(command, False, ReadPreference.PRIMARY, connection)
            connection.add_server_api(command)
            del command["insert"]
            self._fields = command, {name: value for name, value in command.items() if name not in _OF_THE_FIRST}
        return self._fields


class Sessions:
    """Of one client, kept for the next transactions, but not one that saw an error. Used by several threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._rested: list[ClientSession] = []
        self._begun: list[BegunSession] = []

    def begin(self) -> BegunSession:
        """To be given back by `rest`, or ended."""
        try:
            return self._begun.pop()
        except IndexError:
            return self._begin()

    def begin_next(self, begun: BegunSession) -> None:
        """What `begin` will find, while a transaction on this one is committed."""
        new = self._begin()
        if begun.connection is not None:
            new.fields_of_commands(begun.connection)
        self._begun.append(new)

    def rest(self, begun: BegunSession) -> None:
        """Its transaction is over."""
        if begun.session._transaction.sharded:
            begun.session._unpin()  # behind a load balancer it has a connection until its next transaction begins
        self._rested.append(begun.session)

    def _begin(self) -> BegunSession:
        try:
            return BegunSession(self._rested.pop())
        except IndexError:
            return BegunSession(self._client.start_session())
