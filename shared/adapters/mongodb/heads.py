"""The rows of heads in one transaction: as they were read, and as they will be when it ends.

What is written is kept until `send`, so a document that is written several times is read once and written once. Two
things are not read at all but taken for granted, and verified before the commit: heads that are known from the last
transaction, and that a document which a client says it has made is a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from pymongo.errors import OperationFailure

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.faults import may_be_duplicate
from shared.adapters.mongodb.known_heads import (
    MOST_AT_ONCE,
    HeadsChangedError,
    KnownHeads,
    KnownInSpace,
    Mark,
    mark_of,
)
from shared.core.documents import SpaceId


class HeadRows:
    """Of one transaction, by key."""

    def __init__(
        self,
        commands: Commands,
        count: Callable[[int], None],
        known: KnownInSpace | None = None,
    ) -> None:
        """`count` is told how many bytes of heads are read or given out again, and may raise."""
        self._commands = commands
        self._count = count
        self._known = known
        self._rows: dict[str, Row | None] = {}
        self._inserts: dict[str, Row] = {}
        """Rows that the database does not have, by key."""
        self._updates: dict[str, list[Row]] = {}
        """Statements, by the keys of their rows."""
        self._changed: set[str] = set()
        """Keys of rows that are changed where they are."""
        self._presumed: set[str] = set()
        """Keys that were taken for new ones."""
        self._gave_known = False
        self._verified = False

    # Reading

    def read(self, keys: Set[str], presumed: Set[str] = frozenset()) -> None:
        """Makes sure that these are known. `presumed`: those that are taken for new."""
        for key in keys & (self._inserts.keys() | self._updates.keys()):
            self._count((self._rows[key] or {}).get("size", 0))
        unknown = keys - self._rows.keys()
        if self._known is not None and (known := unknown & self._known.rows.keys()):
            self._rows.update({key: self._known.rows[key] for key in known})
            self._count(sum(self._known.rows[key].get("size", 0) for key in known))
            self._gave_known = True
            unknown -= known
        new = unknown & presumed
        self._presumed |= new
        self._rows.update(dict.fromkeys(new))
        asked = sorted(unknown - new)
        if asked:
            self._rows.update(dict.fromkeys(asked))
            query = {"_id": {"$in": asked}}
            for rows in self._commands.find("documents", query, together=len(asked) + 1, count=self._count):
                self._rows.update({row["_id"]: row for row in rows})

    def get(self, key: str) -> Row | None:
        """None: there is no such document."""
        return self._rows.get(key)

    @property
    def is_unverified(self) -> bool:
        """Whether `verify` has to be called before the commit."""
        return self._gave_known and not self._verified

    def verify(self, space_row: Mapping[str, Any] | None) -> None:
        """Given the row of the space, as it is in this transaction and was before it. Raises HeadsChangedError."""
        if not self._verified and self._known is not None and mark_of(space_row) != self._known.mark:
            if self._gave_known:
                raise HeadsChangedError(presumed=False)
            self._known = None
        self._verified = True

    # Writing

    def put(self, row: Row) -> None:
        """A new head."""
        key = row["_id"]
        if key in self._inserts or self._rows.get(key) is None:
            self._inserts[key] = row
        else:
            self._updates[key] = [{"q": {"_id": key}, "u": row}]
        self._rows[key] = row
        self._changed.discard(key)

    def change(self, row: Row, *updates: Row) -> None:
        """A head that stays becomes `row`, by the updates (statements) if nothing else becomes of it."""
        key = row["_id"]
        if key in self._inserts or key in self._updates:
            self.put(row)
        else:
            self._rows[key] = row
            self._updates[key] = list(updates)
            self._changed.add(key)

    def send(self) -> None:
        """Writes what was put and changed. Raises HeadsChangedError if a document that was taken for new is not."""
        if self._inserts:
            try:
                self._commands.insert("documents", list(self._inserts.values()))
            except OperationFailure as error:
                if self._presumed and may_be_duplicate(error):
                    raise HeadsChangedError(presumed=True) from error
                raise
        if self._updates:
            self._commands.update("documents", [one for several in self._updates.values() for one in several])
        unproven = sorted(self._presumed - self._inserts.keys())
        if unproven and self._commands.find_one("documents", {"_id": {"$in": unproven}}, {"_id": 1}):
            raise HeadsChangedError(presumed=True)

    # What the next transaction may know

    def note(self, known: KnownHeads, space: SpaceId, mark: Mark) -> None:
        """Also the heads that this transaction read or wrote, unless they are many; not those that it changed by an
        update: how they look then the database alone knows for certain."""
        rows: dict[str, Row] = {}
        if len(self._rows) <= MOST_AT_ONCE:
            rows = {k: row for k, row in self._rows.items() if row is not None and k not in self._changed}
        known.note(space, mark, self._known, self._rows.keys(), rows)
