"""The rows of heads in one transaction: as they were read, and as they will be when it ends.

What is written is kept until `send`, so a document that is written several times is read once and written once. Two
things are not read at all but taken for granted, and verified before the commit: heads that are known from the last
transaction, and that a document which a client says it has made is a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from pymongo.errors import OperationFailure

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.commands import Commands, find_command
from shared.adapters.mongodb.faults import may_be_duplicate
from shared.adapters.mongodb.histories import NOTHING_BEFORE
from shared.adapters.mongodb.known_heads import (
    MOST_AT_ONCE,
    HeadsChangedError,
    KnownDocument,
    KnownHeads,
    KnownInSpace,
    Mark,
    mark_of,
)
from shared.adapters.mongodb.rows import head_of
from shared.adapters.mongodb.written import NewHead
from shared.core.documents import SpaceId
from shared.core.resolution.context import Head
from shared.core.resolution.document_history import DocumentHistory


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
        self._heads: dict[str, Head | None] = {}
        """What rows are to the rules, where that was asked."""
        self._new: dict[str, NewHead] = {}
        """Of what was put here."""
        self._inserts: dict[str, Row] = {}
        """Rows that the database does not have, by key."""
        self._updates: dict[str, list[Row]] = {}
        """Statements, by the keys of their rows."""
        self._changed: set[str] = set()
        """Keys of rows that are changed where they are."""
        self._presumed: set[str] = set()
        """Keys that were taken for new ones,"""
        self._inserted: set[str] = set()
        """and those that were sent as such."""
        self._gave_known = False
        self._verified = False

    # Reading

    def read(self, keys: Set[str], presumed: Set[str] = frozenset()) -> dict[str, DocumentHistory]:
        """Makes sure that these are known. `presumed`: those that are taken for new. Answers the histories of those
        that were not known here before, as far as nothing of them is to be read."""
        histories: dict[str, DocumentHistory] = {}
        for key in keys & (self._inserts.keys() | self._updates.keys()):
            self._count((self._rows[key] or {}).get("size", 0))
        unknown = keys - self._rows.keys()
        known = {} if self._known is None else _among(self._known.documents, unknown)
        if known:
            for key, document in known.items():
                self._rows[key], self._heads[key] = document.row, document.head
                self._count(document.row.get("size", 0))
                if document.history is not None:
                    histories[key] = document.history
            self._gave_known = True
            unknown -= known.keys()
        new = unknown & presumed
        self._presumed |= new
        self._rows.update(dict.fromkeys(new))
        asked = sorted(unknown - new)
        if asked:
            self._rows.update(dict.fromkeys(asked))
            query = {"_id": {"$in": asked}}
            find = find_command("documents", query, together=len(asked) + 1)
            for rows in self._commands.batches(find, count=self._count):
                self._rows.update({row["_id"]: row for row in rows})
        histories.update({key: NOTHING_BEFORE for key in unknown if self._rows[key] is None})
        return histories

    def get(self, key: str) -> Row | None:
        """None: there is no such document."""
        return self._rows.get(key)

    def head(self, key: str) -> Head | None:
        """What it is to the rules."""
        try:
            return self._heads[key]
        except KeyError:
            new = self._new.get(key)
            head = self._heads[key] = head_of(self._rows.get(key)) if new is None else new.head()
            return head

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

    def put(self, row: Row, made_of: NewHead | None = None) -> None:
        """A new head. `made_of`: what its row is of, if that is known."""
        key = row["_id"]
        if key in self._inserts or self._rows.get(key) is None:
            self._inserts[key] = row
        else:
            self._updates[key] = [{"q": {"_id": key}, "u": row}]
        self._rows[key] = row
        self._heads.pop(key, None)
        if made_of is None:
            self._new.pop(key, None)
        else:
            self._new[key] = made_of
        self._changed.discard(key)

    def change(self, row: Row, *updates: Row) -> None:
        """A head that stays becomes `row`, by the updates (statements) if nothing else becomes of it."""
        key = row["_id"]
        if key in self._inserts or key in self._updates:
            self.put(row)
        else:
            self._rows[key] = row
            self._heads.pop(key, None)
            self._updates[key] = list(updates)
            self._changed.add(key)

    def send(self) -> None:
        """Writes what was put and changed since it was called last. If a document that was taken for new is not,
        HeadsChangedError is raised when the answers are looked at."""
        # Replaced where they are: one that is removed and inserted is missed by who has read its place in an index
        # before, and reads the row there after.
        if self._inserts:
            self._commands.insert("documents", list(self._inserts.values()), self._not_inserted)
            self._inserted.update(self._inserts)
            self._inserts.clear()
        if self._updates:
            self._commands.update("documents", [one for several in self._updates.values() for one in several])
            self._updates.clear()

    def prove(self) -> None:
        """When all was sent: that what was taken for new and not written is not there. Raises HeadsChangedError."""
        unproven = sorted(self._presumed - self._inserted)
        if unproven and self._commands.find_one("documents", {"_id": {"$in": unproven}}, {"_id": 1}):
            raise HeadsChangedError(presumed=True)

    def _not_inserted(self, error: OperationFailure) -> None:
        if self._presumed and may_be_duplicate(error):
            raise HeadsChangedError(presumed=True) from error

    # What the next transaction may know

    def documents(self, history_of: Callable[[str], DocumentHistory | None]) -> dict[str, KnownDocument]:
        """The heads that this transaction read or wrote, unless they are many; not those that it changed by an
        update: how they look then the database alone knows for certain. `history_of`: all that came before a head,
        by its key; None: that is not known."""
        if len(self._rows) > MOST_AT_ONCE:
            return {}
        return {
            key: KnownDocument(row, self.head(key), history_of(key))
            for key, row in self._rows.items()
            if row is not None and key not in self._changed
        }

    def note(
        self,
        known: KnownHeads,
        space: SpaceId,
        mark: Mark,
        documents: Mapping[str, KnownDocument],
        row: Row | None = None,
    ) -> None:
        """Also these documents. `row`: of the space."""
        known.note(space, mark, self._known, self._rows.keys(), documents, row=row)


def _among(documents: Mapping[str, KnownDocument], keys: Iterable[str]) -> dict[str, KnownDocument]:
    """Each is looked for once: another transaction may take one away meanwhile."""
    return {key: document for key in keys if (document := documents.get(key)) is not None}
