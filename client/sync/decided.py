"""What the memory keeps for people: conflicts that were decided, and own edits that others may have dropped.

decided    number -> a document and the conflicts in it, as they were decided at once
own_edit   (upstream, id) -> the fields that this device set last
replaced   (upstream, id) -> own fields for which another value arrived: since which rev, and what the document was
           then. The upstream is asked whether the other author had seen ours.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from client.sync.state_file import rows_of
from shared import codec
from shared.core.identifiers import Body, DocumentId

DECIDED_KEPT: Final = 5_000

TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS own_edit (upstream TEXT NOT NULL, id TEXT NOT NULL, fields TEXT NOT NULL, "
    "PRIMARY KEY (upstream, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS replaced (upstream TEXT NOT NULL, id TEXT NOT NULL, fields TEXT NOT NULL, "
    "since TEXT, was BLOB, PRIMARY KEY (upstream, id)) WITHOUT ROWID",
)


class Decided(NamedTuple):
    """Conflicts in one document that were decided at once. `number`: how people call it."""

    number: int
    id: DocumentId
    conflicts: Sequence[Mapping[str, Any]]


class Replaced(NamedTuple):
    """Own edits that somebody has replaced. `was`: the document before that; None: it was deleted."""

    fields: frozenset[str]
    since: str | None
    was: Body | None


class DecidedConflicts:
    """Mixed into the memory. Everything that changes is changed inside a transaction of the caller."""

    _db: sqlite3.Connection

    def record_conflicts(
        self, upstream: str, document: DocumentId, conflicts: Sequence[Mapping[str, Any]]
    ) -> Decided | None:
        """Keeps conflicts that were decided, there or here; the oldest are forgotten. None: there are none."""
        if not conflicts:
            return None
        number = self._db.execute(
            "INSERT INTO decided (at, id, upstream, what) VALUES (?, ?, ?, ?)",
            (time.time(), document, upstream, codec.dumps(list(conflicts))),
        ).lastrowid
        self._db.execute("DELETE FROM decided WHERE number <= (SELECT max(number) FROM decided) - ?", (DECIDED_KEPT,))
        return Decided(number or 0, document, conflicts)

    def decisions(
        self, document: DocumentId | None = None, most: int = 100, *, after: int = 0
    ) -> list[dict[str, Any]]:
        """The newest first: number, at, id, upstream, conflicts. `after`: with greater numbers only."""
        rows = self._db.execute(
            "SELECT number, at, id, upstream, what FROM decided WHERE (?1 IS NULL OR id = ?1) AND number > ?3 "
            "ORDER BY number DESC LIMIT ?2",
            (document, most, after),
        )
        names = ("number", "at", "id", "upstream")
        return [{**dict(zip(names, row, strict=False)), "conflicts": codec.loads(row[4])} for row in rows]

    # Own edits

    def own_edits(self, upstream: str, documents: Iterable[DocumentId]) -> dict[DocumentId, frozenset[str]]:
        """The fields that this device set, of those documents that have such."""
        chosen = "SELECT id, fields FROM own_edit WHERE upstream = ? AND id IN"
        rows = rows_of(self._db, chosen, documents, upstream)
        return {DocumentId(document): frozenset(codec.loads(fields)) for document, fields in rows}

    def set_own_edits(self, upstream: str, edits: Mapping[DocumentId, frozenset[str]]) -> None:
        """No fields: nothing in the document is this device's any more."""
        self._db.executemany(
            "INSERT OR REPLACE INTO own_edit (upstream, id, fields) VALUES (?, ?, ?)",
            ((upstream, document, _text(fields)) for document, fields in edits.items() if fields),
        )
        self._db.executemany(
            "DELETE FROM own_edit WHERE upstream = ? AND id = ?",
            ((upstream, document) for document, fields in edits.items() if not fields),
        )

    def set_replaced(self, upstream: str, document: DocumentId, replaced: Replaced) -> None:
        """To be asked about. What was to be asked about before is asked with it."""
        if (before := self.replaced(upstream, document=document).get(document)) is not None:
            replaced = Replaced(before.fields | replaced.fields, before.since, before.was)
        was = None if replaced.was is None else codec.dumps(replaced.was)
        self._db.execute(
            "INSERT OR REPLACE INTO replaced (upstream, id, fields, since, was) VALUES (?, ?, ?, ?, ?)",
            (upstream, document, _text(replaced.fields), replaced.since, was),
        )

    def replaced(
        self, upstream: str, most: int = 1, *, document: DocumentId | None = None
    ) -> dict[DocumentId, Replaced]:
        """What is still to be asked about."""
        rows = self._db.execute(
            "SELECT id, fields, since, was FROM replaced WHERE upstream = ?1 AND (?2 IS NULL OR id = ?2) LIMIT ?3",
            (upstream, document, most),
        )
        return {
            DocumentId(name): Replaced(
                frozenset(codec.loads(fields)), since, None if was is None else codec.loads(was)
            )
            for name, fields, since, was in rows
        }

    def was_asked(self, upstream: str, document: DocumentId) -> None:
        self._db.execute("DELETE FROM replaced WHERE upstream = ? AND id = ?", (upstream, document))


def _text(fields: Iterable[str]) -> str:
    return codec.dumps(sorted(fields)).decode()
