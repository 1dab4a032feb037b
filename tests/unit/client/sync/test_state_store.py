"""What a client remembers: nothing of it is lost when a later program opens the file, or doubts what it says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from client.sync.engine.records import Outline, Pending, Record
from client.sync.state_store import SyncStateStore
from shared.codec import dumps
from shared.core.documents import ContentHash, DocumentId

ID = DocumentId("a")
A, B = ContentHash("aa"), ContentHash("bb")
FIRST = """
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
CREATE INDEX record_open ON record (upstream, id) WHERE pending IS NOT NULL;
PRAGMA user_version = 1;
"""


def test_a_memory_of_the_first_release_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    shadow, edited = {"id": "a", "x": 1}, {"id": "a", "x": 2}
    with sqlite3.connect(path) as old:
        old.executescript(FIRST)
        old.execute("INSERT INTO upstream (name, cursor, whole) VALUES ('up', 'since:e-7', 1)")
        pending = dumps([edited, B, "7-aa", shadow, False])
        row = ("up", "a", "7-aa", 0, A, A, dumps(shadow), pending, None)
        old.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    old.close()
    wanted = Record(
        Outline("7-aa", shadow_hash=A, remote_hash=A, is_pending=True),
        shadow,
        Pending(edited, B, "7-aa", shadow, attach=False),
    )
    for _ in range(2):
        store = SyncStateStore.open(path)
        assert store.rebuilt is None
        assert store.record("up", ID) == wanted
        assert (store.upstream("up").cursor, store.upstream("up").agreed_once) == ("since:e-7", True)
        store.close()
    with sqlite3.connect(path) as old:  # as the earlier program writes
        old.execute(
            "INSERT OR REPLACE INTO record (upstream, id, base, gone, shadow_hash, remote, shadow, pending, refused) "
            "VALUES ('up', 'a', '8-bb', 0, 'bb', 'bb', NULL, NULL, NULL)"
        )
    old.close()
    store = SyncStateStore.open(path)
    assert store.record("up", ID) == Record(Outline("8-bb", shadow_hash=B, remote_hash=B))
    store.close()


def test_what_is_doubted_is_verified_by_what_the_upstream_still_has(tmp_path: Path) -> None:
    store = SyncStateStore.open(tmp_path / "memory.sqlite")
    store.set_cursor("up", "since:e-7", agreed_once=True)
    records = {
        DocumentId("same"): Record(Outline("5-aa", shadow_hash=A, remote_hash=A)),
        DocumentId("other"): Record(Outline("6-aa", shadow_hash=A, remote_hash=A)),
        DocumentId("gone"): Record(Outline("7-aa-deleted", gone=True)),
        DocumentId("heard"): Record(Outline(remote_hash=A)),
    }
    store.set_records("up", records)
    assert store.unverified("up") == 0
    store.mark_unverified("up")
    assert store.upstream("up").cursor is None
    store.record_remote("up", {DocumentId("same"): A, DocumentId("other"): B}, is_complete=True)
    unverified = {d for d, outline in store.outlines("up").items() if outline.unverified}
    assert unverified == {"other", "gone"}
    outlines, settled = store.unsettled("up", {DocumentId("same"): A, DocumentId("other"): A})
    assert (set(outlines), settled) == ({"other", "gone"}, 1)
    store.close()


def test_what_each_sync_asks_goes_through_no_records_that_agree(tmp_path: Path) -> None:
    """What is asked of the file, and how it is found there: a sync that finds nothing takes as long with ten thousand
    documents as with ten."""
    store = SyncStateStore.open(tmp_path / "memory.sqlite")
    store.set_records("up", {ID: Record(Outline("5-aa", shadow_hash=A, remote_hash=A))})
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    store.retry_refused("up", {"quota-exceeded"})
    store.retry_problems("up", ())
    store.record_remote("up", {}, is_complete=False)
    store.open_outlines("up", ())
    store._db.set_trace_callback(None)
    searched = [one for one in asked if " record " in one and not one.startswith("--")]
    for statement in searched:
        found = " ".join(row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "record_unsettled" in found or "record_refused" in found, (statement, found)
    assert len(searched) >= 4
    store.close()


def test_a_count_of_syncs_waits_for_no_disk_and_what_follows_does(tmp_path: Path) -> None:
    store = SyncStateStore.open(tmp_path / "memory.sqlite")
    store.set_cursor("up", "since:e-7", agreed_once=True)
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    store.set_proof("up")
    store._db.set_trace_callback(None)
    assert [one.split()[-1] for one in asked if one.startswith("PRAGMA")] == ["NORMAL", "FULL"], asked
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,) and store.upstream("up").unproved == 1
    store.close()
