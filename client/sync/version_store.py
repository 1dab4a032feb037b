"""What the memory keeps so that states can be handed on between upstreams, and what is noticed of them.

replica    this folder's own id as a source of edits, and the last number that it gave
version    id -> what the file was last known to hold, and which edits that contains
earlier    id -> states that were agreed on before, for merges that are made elsewhere
returned   id -> what the file held lately, and when it went back to an earlier content
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from client.sync.engine.records import Ancestor
from client.sync.engine.versions import FileVersion
from client.sync.state_file import rows_of
from shared import codec
from shared.core.identifiers import ContentHash, DocumentId
from shared.core.version_vectors import Source, Version

EARLIER: Final = 6
"""States of a document that are kept beside the shadows of its upstreams."""
HELD_LATELY: Final = 8
"""Contents of a file that are remembered, to notice when one comes back;"""
RETURNS: Final = 3
"""if that happens so often"""
RETURNS_SECONDS: Final = 3600.0
"""within so many seconds, something is wrong, and somebody should be told."""
GONE: Final = ContentHash("")
"""Stands for no file where a hash is expected."""

TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS replica (id TEXT NOT NULL, number INTEGER NOT NULL, place TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS version (id TEXT PRIMARY KEY, hash TEXT, version TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS earlier (number INTEGER PRIMARY KEY, id TEXT NOT NULL, version TEXT NOT NULL, "
    "hash TEXT, body BLOB)",
    "CREATE INDEX IF NOT EXISTS earlier_id ON earlier (id, number)",
    "CREATE TABLE IF NOT EXISTS returned (id TEXT PRIMARY KEY, held TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
)


class FileVersions:
    """Mixed into the memory. Everything that changes is changed inside a transaction of the caller."""

    _db: sqlite3.Connection

    # The folder as a source of edits

    def is_replica(self) -> bool:
        """Whether this folder has ever numbered its edits."""
        return self._db.execute("SELECT 1 FROM replica").fetchone() is not None

    def replica(self) -> tuple[Source, int]:
        """The folder's id, and the last number that it gave. A copy of the folder, or one that was put back from a
        copy, must not give the same numbers to other edits: its memory lies elsewhere on the disk, and it gets an id
        of its own."""
        row = self._db.execute("SELECT id, number, place FROM replica").fetchone()
        if row is not None and row[2] == self._place():
            return Source(row[0]), row[1]
        return self.new_replica()

    def new_replica(self) -> tuple[Source, int]:
        """Another id from now on. What was numbered, and never agreed on with anybody, gets a number of it."""
        replica = self.make_source()
        self._db.execute("DELETE FROM replica")
        self._db.execute("INSERT INTO replica VALUES (?, 0, ?)", (replica, self._place()))
        self._db.execute("DELETE FROM version")
        self._db.execute("UPDATE record SET pending = NULL WHERE pending IS NOT NULL")
        return replica, 0

    def make_source(self) -> Source:
        """An id that no other folder has. Simulations choose it, so that they can be repeated."""
        return Source(os.urandom(4).hex())

    def next_number(self) -> tuple[Source, int]:
        """For an edit."""
        replica, number = self.replica()
        self._db.execute("UPDATE replica SET number = ?", (number + 1,))
        return replica, number + 1

    def _place(self) -> str:
        path = self._db.execute("PRAGMA database_list").fetchone()[2]
        if not path:
            return ""
        status = Path(path).stat()
        return f"{status.st_dev}-{status.st_ino}"

    # What files contain

    def file_versions(self, documents: Iterable[DocumentId]) -> dict[DocumentId, FileVersion]:
        """Of those of which it is known."""
        return {
            DocumentId(row[0]): FileVersion(row[1], codec.loads(row[2].encode()))
            for row in rows_of(self._db, "SELECT id, hash, version FROM version WHERE id IN", documents)
        }

    def set_file_versions(self, versions: Mapping[DocumentId, FileVersion]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO version VALUES (?, ?, ?)",
            ((document, one.hash, _text(one.version)) for document, one in versions.items()),
        )

    def record_versions(
        self, documents: Iterable[DocumentId]
    ) -> dict[DocumentId, dict[str, tuple[ContentHash | None, Version | None]]]:
        """By document and upstream: what was agreed on, and what that contains. Of what was agreed on at all."""
        recorded: dict[DocumentId, dict[str, tuple[ContentHash | None, Version | None]]] = {}
        chosen = "SELECT id, upstream, shadow_hash, version, gone FROM record WHERE base IS NOT NULL AND id IN"
        for document, upstream, content, version, gone in rows_of(self._db, chosen, documents):
            known = None if version is None else codec.loads(version.encode())
            recorded.setdefault(DocumentId(document), {})[upstream] = (None if gone else content, known)
        return recorded

    # Earlier states

    def keep_earlier(self, states: Mapping[DocumentId, Ancestor]) -> None:
        """The oldest are forgotten."""
        for document, one in states.items():
            self._db.execute(
                "INSERT INTO earlier (id, version, hash, body) VALUES (?, ?, ?, ?)",
                (document, _text(one.version), one.hash, None if one.state is None else codec.dumps(one.state)),
            )
            self._db.execute(
                "DELETE FROM earlier WHERE id = ?1 AND number NOT IN "
                "(SELECT number FROM earlier WHERE id = ?1 ORDER BY number DESC LIMIT ?2)",
                (document, EARLIER),
            )

    def earlier(self, documents: Iterable[DocumentId]) -> dict[DocumentId, list[Ancestor]]:
        """States that were agreed on with some upstream, now or before."""
        ancestors: dict[DocumentId, list[Ancestor]] = {}
        wanted = list(documents)
        kept = "SELECT id, version, hash, body FROM earlier WHERE id IN"
        shadows = (
            "SELECT id, version, CASE gone WHEN 0 THEN shadow_hash END, CASE gone WHEN 0 THEN shadow END "
            "FROM record WHERE version IS NOT NULL AND id IN"
        )
        for chosen in (kept, shadows):
            for document, version, content, body in rows_of(self._db, chosen, wanted):
                state = None if body is None else codec.loads(body)
                ancestor = Ancestor(codec.loads(version.encode()), state, content)
                ancestors.setdefault(DocumentId(document), []).append(ancestor)
        return ancestors

    # What alternates

    def note_contents(
        self, changes: Mapping[DocumentId, tuple[ContentHash | None, ContentHash | None]], at: float
    ) -> None:
        """Arrivals changed these files. (before, then) of each; `at`: seconds since 1970."""
        rows: dict[str, tuple[list[str], list[float]]] = {
            row[0]: (codec.loads(row[1].encode()), codec.loads(row[2].encode()))
            for row in rows_of(self._db, "SELECT id, held, at FROM returned WHERE id IN", changes)
        }
        noted: list[tuple[str, str, str]] = []
        for document, (before, then) in changes.items():
            if before is None and document not in rows:
                continue
            held, times = rows.get(document, ([], []))
            for content in (before or GONE, then or GONE):
                if held and held[-1] == content:
                    continue
                if content in held:
                    times = [*times, at][-RETURNS:]
                held = [*held, content][-HELD_LATELY:]
            noted.append((document, codec.dumps(held).decode(), codec.dumps(times).decode()))
        self._db.executemany("INSERT OR REPLACE INTO returned VALUES (?, ?, ?)", noted)

    def alternating(self, now: float) -> tuple[DocumentId, ...]:
        """Documents that went back to an earlier content again and again."""
        rows = self._db.execute("SELECT id, at FROM returned WHERE at != '[]' ORDER BY id").fetchall()
        since = now - RETURNS_SECONDS
        return tuple(
            DocumentId(document)
            for document, times in rows
            if sum(at >= since for at in codec.loads(times.encode())) >= RETURNS
        )


def _text(version: Version) -> str:
    return codec.dumps(dict(version)).decode()
