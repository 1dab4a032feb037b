"""A collection of MongoDB to try commands on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.adapters.mongodb import Mongo
from shared.adapters.mongodb.begun import BegunSession
from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.commands import Commands


class Scratch:
    """A collection, and transactions on it."""

    def __init__(self, mongo: Mongo) -> None:
        self._database: Any = mongo.database.delegate
        self._client: Any = mongo.client.delegate
        self._primary = mongo.primary
        self.connections = mongo.connections
        self.name = f"scratch-{uuid.uuid4().hex[:12]}"
        self._database.create_collection(self.name)

    @property
    def rows(self) -> list[Row]:
        return list(self._database[self.name].find({}, sort=[("_id", 1)]))

    @contextmanager
    def transaction(self) -> Iterator[Commands]:
        with self._client.start_session() as session:
            commands = Commands(BegunSession(session), self.connections, self._database.name)
            try:
                yield commands
            finally:
                commands.release()

    def seen(self, commands: Commands) -> list[Row]:
        """What the transaction sees, read by the driver."""
        return list(self._database[self.name].find({}, session=commands.session, sort=[("_id", 1)]))

    def drop(self) -> None:
        self._database.drop_collection(self.name)


def write_one(scratch: Scratch, row: Row) -> None:
    """In a transaction of its own."""
    with scratch.transaction() as commands:
        commands.insert(scratch.name, [row])
        commands.commit()


def lose_connection(commands: Commands) -> None:
    commands._connection.conn.get_conn.close()


def change(scratch: Scratch, key: object, **command: object) -> Row:
    """A command that counts up what the row has."""
    return {"findAndModify": scratch.name, "query": {"_id": key}, "update": {"$inc": {"n": 1}}, **command}
