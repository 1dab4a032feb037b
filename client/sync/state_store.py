"""What a client remembers beside its files: one SQLite file a folder.

    upstream   name -> cursor, whether everything was agreed on once, what it can do, how the last sync went, when it
               last proved that it has what is remembered of it
    record     (upstream, id) -> base, shadow, remote, pending, refused, unverified: client/sync/upstream_records.py
    file       id -> content hash and stamp: what the file held when it was read or written last
    arriving   id -> a state on its way into its file: client/sync/arrivals.py
    decided, own_edit, replaced: client/sync/decided.py
    replica, version, earlier, returned: client/sync/version_store.py

The files are the truth. If all of this is lost, the next sync asks for more and merges by content: no state of a file
is lost or doubled, but deletions that were not sent are forgotten. What makes it worth keeping is that a change of it
is one transaction.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self

from client.folder.replace import Stamp
from client.sync.decided import TABLES as DECIDED_TABLES
from client.sync.decided import DecidedConflicts
from client.sync.state_file import Columns, connected, dumped, loaded, move_aside, rows_of
from client.sync.upstream_records import UpstreamRecords
from client.sync.version_store import TABLES as VERSION_TABLES
from client.sync.version_store import FileVersions
from shared import codec
from shared.core.identifiers import Body, ContentHash, DocumentId

_SCHEMA: Final = """
CREATE TABLE upstream (
    name TEXT PRIMARY KEY, place TEXT NOT NULL DEFAULT '', cursor TEXT, whole INTEGER NOT NULL DEFAULT 0,
    facts TEXT NOT NULL DEFAULT '{}', status TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE TABLE record (
    upstream TEXT NOT NULL, id TEXT NOT NULL, base TEXT, gone INTEGER NOT NULL, shadow_hash TEXT, remote TEXT,
    shadow BLOB, pending BLOB, refused BLOB, PRIMARY KEY (upstream, id)
);
CREATE TABLE file (id TEXT PRIMARY KEY, hash TEXT NOT NULL, stamp TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE arriving (id TEXT PRIMARY KEY, body BLOB, expected BLOB, staged TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE decided (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, id TEXT NOT NULL, upstream TEXT NOT NULL, what BLOB NOT NULL
);
CREATE INDEX decided_id ON decided (id);
"""


_COLUMNS: Final[Columns] = (
    ("record", "unverified", "INTEGER NOT NULL DEFAULT 0"),
    ("record", "version", "TEXT"),
    ("upstream", "proved", "REAL NOT NULL DEFAULT 0"),
    ("upstream", "unproved", "INTEGER NOT NULL DEFAULT 0"),
)


_TABLES: Final = (*VERSION_TABLES, *DECIDED_TABLES)

_FEW: Final = 8
"""Rows that are removed one by one, whatever else is there."""


STAGED_IN: Final = "arriving"
"""The directory of staged files, inside the folder's own part."""


class SeenFile(NamedTuple):
    """A file as it was read or written last. `stamp` is the folder's, opaque here."""

    hash: ContentHash
    stamp: str


class Arriving(NamedTuple):
    """`body` must come into the file in place of `expected`; None: no file. `staged`: the name of the file that holds
    it until then; "" without one."""

    body: Body | None
    expected: Body | None
    staged: str = ""
    hash: ContentHash | None = None
    """Of `body`, where it is known already. This and what follows is not stored."""
    at: Stamp | None = None
    """The stamp with which the file holds `expected`."""
    wrote: Stamp | None = None
    """Of the staged file."""


PROVE_SECONDS: Final = 3600.0
PROVE_SYNCS: Final = 16
"""After so long, or so many agreed syncs, agreement is proved by the content and not by the cursor alone."""


class UpstreamRow(NamedTuple):
    """`place`: its address; another one is another upstream, whatever its name."""

    cursor: str | None
    agreed_once: bool
    facts: Mapping[str, Any]
    status: Mapping[str, Any]
    place: str = ""
    proved: float = 0.0
    """When it last proved that it has what is remembered of it, in seconds since 1970."""
    unproved: int = 0
    """So many syncs agreed since then."""

    def must_prove(self, now: float) -> bool:
        """Whether the next sync that agrees is to prove it."""
        return self.unproved >= PROVE_SYNCS or abs(now - self.proved) >= PROVE_SECONDS


class SyncStateStore(UpstreamRecords, FileVersions, DecidedConflicts):
    """One process at a time writes: whoever holds the folder's sync lock (client/folder/locks.py)."""

    schema: ClassVar[str] = _SCHEMA
    columns: ClassVar[Columns] = _COLUMNS
    journal: ClassVar[str] = "WAL"
    """A write-ahead log lets `status` read while a sync writes."""
    private: ClassVar[bool] = True

    def __init__(self, connection: sqlite3.Connection, *, rebuilt: str | None = None) -> None:
        self._db = connection
        self._version: int | None = None
        self.rebuilt = rebuilt
        """Why the memory that was there could not be used; it lies beside it under another name."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Made if it is missing; moved aside and made again if it is damaged or of another version."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(connected(path, cls.schema, cls.journal, cls.columns, _TABLES, private=cls.private))
        except sqlite3.OperationalError:  # locked, no right, no space: the file is not to blame
            raise
        except sqlite3.DatabaseError as error:
            aside = move_aside(path)
            return cls(
                connected(path, cls.schema, cls.journal, cls.columns, _TABLES, private=cls.private),
                rebuilt=f"{error}; it was moved to {aside.name}",
            )

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing; durable at the end. Nested ones belong to the outermost. `durable` False: see
        `_durable_later`."""
        if self._db.in_transaction:
            yield
            return
        with contextlib.nullcontext() if durable else self._durable_later():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite has ended it itself, or has not: it must not stay open.
                self._end()
                raise

    @contextlib.contextmanager
    def _durable_later(self) -> Iterator[None]:
        """Outside of a transaction: what is changed is durable when the next one is. A power cut before that takes it
        back, and nothing else; so it is with a write-ahead log."""
        if self.journal != "WAL":
            yield
            return
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def _end(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def written_elsewhere(self) -> bool:
        """Whether another process wrote since this was asked last."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        before, self._version = self._version, version
        return bool(version != before)

    # Upstreams

    def upstream(self, name: str) -> UpstreamRow:
        row = self._db.execute(
            "SELECT cursor, whole, facts, status, place, proved, unproved FROM upstream WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return UpstreamRow(None, False, {}, {})
        return UpstreamRow(row[0], bool(row[1]), codec.loads(row[2]), codec.loads(row[3]), *row[4:])

    def upstreams(self) -> dict[str, UpstreamRow]:
        names = [name for (name,) in self._db.execute("SELECT name FROM upstream ORDER BY name")]
        return {name: self.upstream(name) for name in names}

    def at_place(self, name: str, place: str) -> None:
        """What is remembered of an upstream belongs to its address: at another one nothing holds."""
        if self.upstream(name).place == place:
            return
        with self.transaction():
            if self.upstream(name).place not in ("", place):
                self.forget_upstream(name)
            self._set_upstream(name, place=place)

    def set_cursor(self, name: str, cursor: str | None, *, agreed_once: bool) -> None:
        with self.transaction():
            self._set_upstream(name, cursor=cursor, whole=int(agreed_once))

    def set_proof(self, name: str, *, proved: float | None = None) -> None:
        """The upstream has what is remembered of it, at that time; None: a sync agreed, and did not ask."""
        if proved is not None:
            with self.transaction():
                self._set_upstream(name, proved=proved, unproved=0)
            return
        with self._durable_later():
            self._db.execute("UPDATE upstream SET unproved = unproved + 1 WHERE name = ?", (name,))

    def set_facts(self, name: str, facts: Mapping[str, Any]) -> None:
        with self.transaction():
            self._set_upstream(name, facts=codec.dumps(dict(facts)).decode())

    def set_status(self, name: str, status: Mapping[str, Any]) -> None:
        """The last that a sync does: durable, and with it all that was to be durable later."""
        with self.transaction():
            self._set_upstream(name, status=codec.dumps(dict(status)).decode())

    def forget_upstream(self, name: str) -> None:
        """What was agreed with it; the files stay."""
        with self.transaction():
            self._db.execute("DELETE FROM upstream WHERE name = ?", (name,))
            for table in ("record", "own_edit", "replaced"):
                self._db.execute(f"DELETE FROM {table} WHERE upstream = ?", (name,))  # noqa: S608

    def _set_upstream(self, name: str, **columns: Any) -> None:
        self._db.execute("INSERT OR IGNORE INTO upstream (name) VALUES (?)", (name,))
        for column, value in columns.items():
            self._db.execute(f"UPDATE upstream SET {column} = ? WHERE name = ?", (value, name))  # noqa: S608

    def held_as_emptied(self) -> set[DocumentId]:
        """Documents whose deletion some upstream was not told, because the folder was emptied at once."""
        return {document for row in self.upstreams().values() for document in row.status.get("emptied") or ()}

    def is_new(self, upstream: str) -> bool:
        """Nothing was ever heard of it."""
        row = self._db.execute("SELECT 1 FROM record WHERE upstream = ? LIMIT 1", (upstream,)).fetchone()
        return row is None and self.upstream(upstream).cursor is None

    def mark_unverified(self, upstream: str, *, drop_pending: bool = False) -> None:
        """The upstream may have forgotten anything that was agreed on: nothing of it is verified, and all of it is
        to be listed. `drop_pending`: what is on its way is made again."""
        with self.transaction():
            self._set_upstream(upstream, cursor=None)
            self._db.execute("UPDATE record SET unverified = 1 WHERE upstream = ? AND base IS NOT NULL", (upstream,))
            if drop_pending:
                self._db.execute("UPDATE record SET pending = NULL WHERE upstream = ?", (upstream,))

    # Files

    def files(self) -> dict[DocumentId, SeenFile]:
        rows = self._db.execute("SELECT id, hash, stamp FROM file")
        return {DocumentId(row[0]): SeenFile(ContentHash(row[1]), row[2]) for row in rows}

    def file_hashes(self) -> dict[DocumentId, ContentHash]:
        return dict(self._db.execute("SELECT id, hash FROM file").fetchall())

    def file_stamps(self) -> dict[DocumentId, str]:
        return dict(self._db.execute("SELECT id, stamp FROM file").fetchall())

    def file(self, document: DocumentId) -> SeenFile | None:
        row = self._db.execute("SELECT hash, stamp FROM file WHERE id = ?", (document,)).fetchone()
        return None if row is None else SeenFile(ContentHash(row[0]), row[1])

    def files_of(self, documents: Iterable[DocumentId]) -> dict[DocumentId, SeenFile]:
        """Of those of which something is known."""
        rows = rows_of(self._db, "SELECT id, hash, stamp FROM file WHERE id IN", documents)
        return {DocumentId(row[0]): SeenFile(ContentHash(row[1]), row[2]) for row in rows}

    def record_files(self, files: Mapping[DocumentId, SeenFile | None]) -> None:
        """None: there is no such file."""
        self._db.executemany(
            "INSERT OR REPLACE INTO file (id, hash, stamp) VALUES (?, ?, ?)",
            ((document, seen.hash, seen.stamp) for document, seen in files.items() if seen is not None),
        )
        self._db.executemany(
            "DELETE FROM file WHERE id = ?", ((document,) for document, seen in files.items() if seen is None)
        )

    # Arrivals

    def arriving(self) -> dict[DocumentId, Arriving]:
        rows = self._db.execute("SELECT id, body, expected, staged FROM arriving")
        return {DocumentId(row[0]): Arriving(loaded(row[1]), loaded(row[2]), row[3]) for row in rows}

    def set_arriving(self, arriving: Mapping[DocumentId, Arriving]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO arriving (id, body, expected, staged) VALUES (?, ?, ?, ?)",
            ((document, dumped(row.body), dumped(row.expected), row.staged) for document, row in arriving.items()),
        )

    def delete_arriving(self, documents: Collection[DocumentId]) -> None:
        if len(documents) > _FEW and {row[0] for row in self._db.execute("SELECT id FROM arriving")} == {*documents}:
            self._db.execute("DELETE FROM arriving")  # all at once takes next to nothing
            return
        self._db.executemany("DELETE FROM arriving WHERE id = ?", ((document,) for document in documents))
