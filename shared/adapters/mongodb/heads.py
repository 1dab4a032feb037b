"""The rows of heads in one transaction: as they were read, and as they will be when it ends.

What is written is kept until `send`, so a document that is written several times is read once and written once.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.revisions import rows_of


class HeadRows:
    """Of one session, by key."""

    def __init__(self, documents: Collection[Row], session: ClientSession, count: Callable[[int], None]) -> None:
        """`count` is told how many bytes of heads are read or given out again, and may raise."""
        self._documents = documents
        self._session = session
        self._count = count
        self._rows: dict[str, Row | None] = {}
        self._operations: dict[str, list[InsertOne[Row] | ReplaceOne[Row] | UpdateOne]] = {}
        self._new: set[str] = set()
        """Keys of which the database has no row."""

    def read(self, keys: Set[str]) -> None:
        """Makes sure that these are known."""
        for key in keys & self._operations.keys():
            self._count((self._rows[key] or {}).get("size", 0))
        unknown = sorted(keys - self._rows.keys())
        if unknown:
            query = {"_id": {"$in": unknown}}
            self._rows.update(dict.fromkeys(unknown))
            for row in rows_of(self._documents, query, None, session=self._session, count=self._count):
                self._rows[row["_id"]] = row

    def get(self, key: str) -> Row | None:
        """None: there is no such document."""
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        """A new head."""
        key = row["_id"]
        if self._rows.get(key) is None:
            self._new.add(key)
        self._rows[key] = row
        self._operations[key] = [InsertOne(row) if key in self._new else ReplaceOne({"_id": key}, row)]

    def change(self, row: Row, *updates: UpdateOne) -> None:
        """A head that stays becomes `row`, by the updates if nothing else becomes of it."""
        key = row["_id"]
        if key in self._operations:
            self.put(row)
        else:
            self._rows[key] = row
            self._operations[key] = list(updates)

    def send(self) -> None:
        """Writes what was put and changed."""
        operations = [one for several in self._operations.values() for one in several]
        if operations:
            self._documents.bulk_write(operations, ordered=False, session=self._session)
        self._operations.clear()
