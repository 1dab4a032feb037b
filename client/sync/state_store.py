"""What a client remembers beside its files: one SQLite file a folder.

    upstream   name -> cursor, whether everything was agreed on once, what it can do, how the last sync went, when it
               last proved that it has what is remembered of it
    record     (upstream, id) -> base, shadow, remote, pending, refused, unverified: client/sync/engine/records.py
    file       id -> content hash and stamp: what the file held when it was read or written last
    arriving   id -> a state on its way into its file: client/sync/arrivals.py
    decided, own_edit, replaced: client/sync/decided.py
    replica, version, earlier, returned: client/sync/file_versions.py

The files are the truth. All of this can be thrown away: the next sync asks for more and merges by content, and
nothing is lost or doubled. What makes it worth keeping is that a change of it is one transaction.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from client.folder.replace import Stamp
from client.sync.decided import TABLES as DECIDED_TABLES
from client.sync.decided import DecidedConflicts
from client.sync.engine.records import Outline, Pending, Record, Refused
from client.sync.file_versions import TABLES as VERSION_TABLES
from client.sync.file_versions import FileVersions
from client.sync.state_file import OPEN, Columns, connected, move_aside
from shared import codec
from shared.core.documents import Body, ContentHash, DocumentId
from shared.core.version_vectors import Version

_OUTLINE: Final = "base, gone, shadow_hash, remote, pending IS NOT NULL, refused, unverified"
_OPEN_IDS: Final = f"SELECT id FROM record WHERE upstream = ? AND {OPEN}"  # noqa: S608
_AT_ONCE: Final = 500
"""Variables in one statement; SQLite may be built for 999."""

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


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it was read or written last. `stamp` is the folder's, opaque here."""

    hash: ContentHash
    stamp: str


@dataclass(frozen=True, slots=True)
class Arriving:
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


@dataclass(frozen=True, slots=True)
class UpstreamRow:
    """`place`: its address; another one is another upstream, whatever its name."""

    cursor: str | None
    whole: bool
    facts: Mapping[str, Any]
    status: Mapping[str, Any]
    place: str = ""
    proved: float = 0.0
    """When it last proved that it has what is remembered of it, in seconds since 1970."""
    unproved: int = 0
    """So many syncs agreed since then."""


class SyncStateStore(FileVersions, DecidedConflicts):
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
        """Made if it is missing; moved aside and made anew if it is damaged or of another version."""
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
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable at the end. Nested ones belong to the outermost."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has ended it itself, or has not: it must not stay open.
            self._end()
            raise

    def _end(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

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

    def set_cursor(self, name: str, cursor: str | None, *, whole: bool) -> None:
        with self.transaction():
            self._set_upstream(name, cursor=cursor, whole=int(whole))

    def set_proof(self, name: str, *, proved: float | None = None) -> None:
        """The upstream has what is remembered of it, at that time; None: a sync agreed, and did not ask."""
        with self.transaction():
            if proved is not None:
                self._set_upstream(name, proved=proved, unproved=0)
            else:
                self._db.execute("UPDATE upstream SET unproved = unproved + 1 WHERE name = ?", (name,))

    def set_facts(self, name: str, facts: Mapping[str, Any]) -> None:
        with self.transaction():
            self._set_upstream(name, facts=codec.dumps(dict(facts)).decode())

    def set_status(self, name: str, status: Mapping[str, Any]) -> None:
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

    # Records

    def held_as_emptied(self) -> set[DocumentId]:
        """Documents whose deletion some upstream was not told, because the folder was emptied at once."""
        return {document for row in self.upstreams().values() for document in row.status.get("emptied") or ()}

    def any_agreed(self, documents: AbstractSet[DocumentId]) -> bool:
        """Whether one of them was agreed on with some upstream."""
        rows = self._db.execute("SELECT DISTINCT id FROM record WHERE shadow_hash IS NOT NULL")
        return any(row[0] in documents for row in rows)

    def outlines(self, upstream: str) -> dict[DocumentId, Outline]:
        rows = self._db.execute(f"SELECT id, {_OUTLINE} FROM record WHERE upstream = ?", (upstream,))  # noqa: S608
        return {DocumentId(row[0]): _outline(row[1:]) for row in rows}

    def unsettled(
        self, upstream: str, local: Mapping[DocumentId, ContentHash]
    ) -> tuple[dict[DocumentId, Outline], int]:
        """The outlines of the documents of which `local`, the memory and the upstream do not all say the same, and
        how many others there are. Far cheaper than all outlines: what agrees is compared inside the database and by
        the sets alone."""
        settled: dict[DocumentId, ContentHash] = dict(
            self._db.execute(
                "SELECT id, shadow_hash FROM record WHERE upstream = ? AND pending IS NULL AND base IS NOT NULL "
                "AND shadow_hash = remote AND unverified = 0",
                (upstream,),
            ).fetchall()
        )
        differing = {document for document, _ in local.items() ^ settled.items()}
        outlines = self.open_outlines(upstream, differing)
        return outlines, len(settled.keys() - outlines.keys())

    def open_outlines(self, upstream: str, documents: Iterable[DocumentId]) -> dict[DocumentId, Outline]:
        """Those of these documents, and of all of which the memory and the upstream do not say the same."""
        ids = set(documents)
        ids.update(DocumentId(row[0]) for row in self._db.execute(_OPEN_IDS, (upstream,)))
        outlines = dict.fromkeys(ids, Outline())
        for row in self._selected(_OUTLINE, upstream, ids):
            outlines[DocumentId(row[0])] = _outline(row[1:])
        return outlines

    def written_elsewhere(self) -> bool:
        """Whether another process wrote since this was asked last."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        before, self._version = self._version, version
        return bool(version != before)

    def _selected(self, columns: str, upstream: str, documents: Iterable[DocumentId]) -> Iterator[tuple[Any, ...]]:
        """The rows of these documents."""
        ids = list(documents)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            chosen = f"upstream = ? AND id IN ({','.join('?' * len(some))})"
            yield from self._db.execute(f"SELECT id, {columns} FROM record WHERE {chosen}", (upstream, *some))  # noqa: S608

    def is_new(self, upstream: str) -> bool:
        """Nothing was ever heard of it."""
        row = self._db.execute("SELECT 1 FROM record WHERE upstream = ? LIMIT 1", (upstream,)).fetchone()
        return row is None and self.upstream(upstream).cursor is None

    def known(self) -> set[DocumentId]:
        """Every document that some upstream has, or had."""
        return {DocumentId(row[0]) for row in self._db.execute("SELECT DISTINCT id FROM record")}

    def record(self, upstream: str, document: DocumentId) -> Record:
        return self.records(upstream, (document,)).get(document, Record())

    def records(self, upstream: str, documents: Iterable[DocumentId]) -> dict[DocumentId, Record]:
        """Of those that are known."""
        rows = self._selected(f"{_OUTLINE}, shadow, pending, version", upstream, documents)
        return {
            DocumentId(row[0]): Record(_outline(row[1:8]), _loads(row[8]), _pending(row[9]), _version(row[10]))
            for row in rows
        }

    def set_records(self, upstream: str, records: Mapping[DocumentId, Record]) -> None:
        """Replaces all of them."""
        self._db.executemany(
            "INSERT OR REPLACE INTO record "
            "(upstream, id, base, gone, shadow_hash, remote, shadow, pending, refused, unverified, version) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    upstream,
                    document,
                    record.outline.base,
                    int(record.outline.gone),
                    record.outline.shadow,
                    record.outline.remote,
                    _dumps(record.shadow),
                    _dumped_pending(record.pending),
                    _dumped_refused(record.outline.refused),
                    int(record.outline.unverified),
                    None if record.version is None else codec.dumps(dict(record.version)).decode(),
                )
                for document, record in records.items()
            ),
        )

    def set_pending(self, upstream: str, pending: Mapping[DocumentId, Pending]) -> None:
        self._db.executemany(
            "INSERT INTO record (upstream, id, gone, pending) VALUES (?, ?, 0, ?) "
            "ON CONFLICT (upstream, id) DO UPDATE SET pending = excluded.pending",
            ((upstream, document, _dumped_pending(one)) for document, one in pending.items()),
        )

    def refuse(self, upstream: str, document: DocumentId, refused: Refused) -> None:
        """What was pending will not be taken."""
        self._db.execute(
            "INSERT INTO record (upstream, id, gone, refused) VALUES (?, ?, 0, ?) "
            "ON CONFLICT (upstream, id) DO UPDATE SET pending = NULL, refused = excluded.refused",
            (upstream, document, _dumped_refused(refused)),
        )

    def retry_refused(self, upstream: str, codes: Collection[str]) -> None:
        """Forgets refusals with these codes: what was refused is sent again."""
        rows = self._db.execute(
            "SELECT id, refused FROM record WHERE upstream = ? AND refused IS NOT NULL", (upstream,)
        )
        again = [document for document, data in rows if (r := _refused(data)) and r.code in codes]
        self._db.executemany(
            "UPDATE record SET refused = NULL WHERE upstream = ? AND id = ?",
            [(upstream, document) for document in again],
        )

    def forgive(self, upstream: str, still: Collection[DocumentId]) -> None:
        """Forgets refusals for which the upstream's own files were to blame, but for those of documents whose files
        are so `still`."""
        rows = self._db.execute(
            "SELECT id, refused FROM record WHERE upstream = ? AND refused IS NOT NULL", (upstream,)
        )
        over = [document for document, data in rows if (r := _refused(data)) and r.file and document not in still]
        self._db.executemany(
            "UPDATE record SET refused = NULL WHERE upstream = ? AND id = ?",
            ((upstream, document) for document in over),
        )

    def heard(self, upstream: str, hashes: Mapping[DocumentId, ContentHash | None], *, whole: bool) -> None:
        """What the upstream has. `whole`: and nothing else. What it has as it was agreed on, it has not forgotten."""
        if whole:
            self._db.execute("UPDATE record SET remote = NULL WHERE upstream = ?", (upstream,))
        self._db.executemany(
            "INSERT INTO record (upstream, id, gone, remote) VALUES (?, ?, 0, ?) "
            "ON CONFLICT (upstream, id) DO UPDATE SET remote = excluded.remote",
            ((upstream, document, content) for document, content in hashes.items()),
        )
        self._db.execute(
            "UPDATE record SET unverified = 0 WHERE upstream = ? AND unverified != 0 AND shadow_hash = remote",
            (upstream,),
        )

    def doubt(self, upstream: str, *, drop_pending: bool = False) -> None:
        """The upstream may have forgotten anything that was agreed on: nothing of it is verified, and all of it is
        to be listed. `drop_pending`: what is on its way is made anew."""
        with self.transaction():
            self._set_upstream(upstream, cursor=None)
            self._db.execute("UPDATE record SET unverified = 1 WHERE upstream = ? AND base IS NOT NULL", (upstream,))
            if drop_pending:
                self._db.execute("UPDATE record SET pending = NULL WHERE upstream = ?", (upstream,))

    def bases(self, upstream: str) -> Iterator[str]:
        """Of all documents that were agreed on."""
        rows = self._db.execute("SELECT base FROM record WHERE upstream = ? AND base IS NOT NULL", (upstream,))
        return (base for (base,) in rows)

    def unverified(self, upstream: str) -> int:
        """How many records are not verified."""
        row = self._db.execute(
            "SELECT count(*) FROM record WHERE upstream = ? AND unverified != 0", (upstream,)
        ).fetchone()
        return int(row[0])

    def remote_hashes(self, upstream: str) -> dict[DocumentId, ContentHash]:
        """The live documents of the upstream, as it was last heard."""
        rows = self._db.execute(
            "SELECT id, remote FROM record WHERE upstream = ? AND remote IS NOT NULL", (upstream,)
        )
        return dict(rows.fetchall())

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

    def saw(self, files: Mapping[DocumentId, SeenFile | None]) -> None:
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
        return {DocumentId(row[0]): Arriving(_loads(row[1]), _loads(row[2]), row[3]) for row in rows}

    def set_arriving(self, arriving: Mapping[DocumentId, Arriving]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO arriving (id, body, expected, staged) VALUES (?, ?, ?, ?)",
            ((document, _dumps(row.body), _dumps(row.expected), row.staged) for document, row in arriving.items()),
        )

    def arrived(self, documents: Iterable[DocumentId]) -> None:
        self._db.executemany("DELETE FROM arriving WHERE id = ?", ((document,) for document in documents))

    # For people


def _outline(row: Sequence[Any]) -> Outline:
    base, gone, shadow, remote, pending, refused, unverified = row
    return Outline(base, bool(gone), shadow, remote, bool(pending), _refused(refused), bool(unverified))


def _dumps(body: Body | None) -> bytes | None:
    return None if body is None else codec.dumps(body)


def _loads(data: bytes | None) -> Body | None:
    body: Body | None = None if data is None else codec.loads(data)
    return body


def _version(text: str | None) -> Version | None:
    version: Version | None = None if text is None else codec.loads(text.encode())
    return version


def _dumped_pending(pending: Pending | None) -> bytes | None:
    if pending is None:
        return None
    version = [dict(pending.version)] if pending.version is not None else []
    return codec.dumps([pending.body, pending.hash, pending.base, pending.shadow, pending.attach, *version])


def _pending(data: bytes | None) -> Pending | None:
    return None if data is None else Pending(*codec.loads(data))


def _dumped_refused(refused: Refused | None) -> bytes | None:
    return (
        None
        if refused is None
        else codec.dumps([refused.code, refused.reason, refused.hash, refused.remote, refused.file])
    )


def _refused(data: bytes | None) -> Refused | None:
    return None if data is None else Refused(*codec.loads(data))
