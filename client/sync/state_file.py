"""The memory's file: made, checked, or moved aside when it is opened; what its tables have in common."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from shared import codec
from shared.core.identifiers import Body, DocumentId

PRIVATE: Final = 0o600
"""Mode of a device's memory: only its owner may read it, for tasks may be private. SQLite gives its log the same."""
VERSION: Final = 1
"""Of the schema. What is added to it later has defaults, so an earlier program can still use the file."""
OPEN: Final = (
    "(pending IS NOT NULL OR shadow_hash IS NOT remote OR (base IS NULL AND remote IS NOT NULL) OR unverified != 0)"
)
"""Of a record: the memory and the upstream do not say the same, or something is on its way. Indexed."""
LOG_PAGES: Final = 4_000
"""The write-ahead log is brought into the file when it has so many pages: 16 MiB."""
_AT_ONCE: Final = 500
"""Variables in one statement; SQLite may be built for 999."""
Columns = Sequence[tuple[str, str, str]]
"""(table, column, declaration) that a file of an earlier program lacks."""


def connected(
    path: Path,
    schema: str,
    journal: str,
    columns: Columns = (),
    tables: Sequence[str] = (),
    *,
    private: bool = True,
) -> sqlite3.Connection:
    """`columns` and `tables` are what was added to the schema since its first release. `private`: only its owner may
    read the file."""
    # isolation_level None: transactions are begun and ended here and nowhere else.
    if private and str(path) != ":memory:":
        _make_private(path)
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        db.execute(f"PRAGMA journal_mode = {journal}")
        # Else a first pull brings its log into the file after every few pages, and waits for the disk each time.
        db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        # A commit survives a power cut.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in schema.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
        if version in (0, VERSION):
            _add(db, columns)
            for statement in tables:
                db.execute(statement)
            db.execute("DROP INDEX IF EXISTS record_open")
            db.execute(f"CREATE INDEX IF NOT EXISTS record_unsettled ON record (upstream, id) WHERE {OPEN}")
            # Each sync asks which were refused, and hardly ever one was: without it, all records are gone through.
            db.execute("CREATE INDEX IF NOT EXISTS record_refused ON record (upstream, id) WHERE refused IS NOT NULL")
        db.execute("COMMIT")
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"it has version {version}; this program knows {VERSION}")
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(str(fault))
    except BaseException:
        db.close()
        raise
    return db


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
    if os.name == "posix" and path.stat().st_mode & 0o077:  # of an earlier release
        with contextlib.suppress(PermissionError):  # a disk that has no permissions, or another's file
            path.chmod(PRIVATE)


def _add(db: sqlite3.Connection, columns: Columns) -> None:
    for table, column, declaration in columns:
        known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        if column not in known:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {declaration}")


def move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.stem}.damaged-{time.time_ns()}{path.suffix}")
    path.replace(aside)
    for tail in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{tail}").replace(f"{aside}{tail}")
    return aside


def rows_of(
    db: sqlite3.Connection, query: str, documents: Iterable[DocumentId], *before: Any
) -> Iterator[tuple[Any, ...]]:
    """What a query that ends with `IN` gives of these documents. `before`: the values of its earlier variables."""
    ids = list(documents)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        yield from db.execute(f"{query} ({','.join('?' * len(some))})", (*before, *some))


def dumped(body: Body | None) -> bytes | None:
    """A body as a column holds it."""
    return None if body is None else codec.dumps(body)


def loaded(data: bytes | None) -> Body | None:
    """Of what `dumped` gave."""
    body: Body | None = None if data is None else codec.loads(data)
    return body
