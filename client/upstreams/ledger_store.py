"""The ledger of an upstream in a directory: one SQLite file with an entry a document."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import ClassVar, Self

from client.memory import Memory
from client.upstreams import ledger
from shared.adapters.memory import Entry, SpaceChanges
from shared.core.brake import Deletions
from shared.core.documents import ContentHash, DeviceId, DocumentId, Epoch, Sequence
from shared.core.lineage import Begun, Lineage
from shared.core.memory import DeviceMemory
from shared.core.policies import NO_POLICIES, Policies


class LedgerStore(Memory):
    """A Space (shared/adapters/memory), and what the driver knows of the files beside it."""

    # The write-ahead log needs memory that is shared between machines; a drive of another one has none.
    journal: ClassVar[str] = "DELETE"
    schema: ClassVar[str] = (
        Memory.schema
        + """
CREATE TABLE entry (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash TEXT, data BLOB NOT NULL);
CREATE INDEX entry_sequence ON entry (sequence);
CREATE TABLE life (epoch TEXT NOT NULL, sequence INTEGER NOT NULL);
"""
    )

    def __init__(self, connection: sqlite3.Connection, *, rebuilt: str | None = None) -> None:
        super().__init__(connection, rebuilt=rebuilt)
        self.declared: Policies = NO_POLICIES
        """Set by who opens it: they stand in a file of their own."""
        # Ledgers of earlier releases lack it.
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS deletions "
            "(device TEXT PRIMARY KEY, since REAL NOT NULL, count INTEGER NOT NULL)"
        )

    @classmethod
    def of(cls, path: Path, policies: Policies) -> Self:
        """Opened, with the policies of its space."""
        store = cls.open(path)
        store.declared = policies
        return store

    def life(self) -> tuple[str, int]:
        """Epoch and the newest sequence."""
        row = self._db.execute("SELECT epoch, sequence FROM life").fetchone()
        if row is None:
            with self.transaction():
                self._db.execute("INSERT INTO life VALUES (?, 0)", (secrets.token_hex(6),))
            return self.life()
        return row[0], row[1]

    # As a Space

    def policies(self) -> Policies:
        return self.declared

    def lineage(self) -> Lineage:
        epoch, sequence = self.life()
        return Lineage((Begun(Epoch(epoch), Sequence(1)),), Sequence(sequence))

    def live(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM entry WHERE hash IS NOT NULL").fetchone()[0])

    def entry(self, document: DocumentId) -> Entry | None:
        row = self._db.execute("SELECT data FROM entry WHERE id = ?", (document,)).fetchone()
        return None if row is None else ledger.load(row[0])

    def deletions(self, device: DeviceId) -> Deletions | None:
        row = self._db.execute("SELECT since, count FROM deletions WHERE device = ?", (device,)).fetchone()
        return None if row is None else Deletions(row[0], row[1])

    def device_memory(self, device: DeviceId, document: DocumentId) -> DeviceMemory | None:
        """Nothing: whoever decides here sends a base."""
        return None

    def store(self, changes: SpaceChanges) -> None:
        """What a transaction wants stored; inside `transaction`."""
        self._db.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)",
            (
                (document, entry.head.sequence, entry.hash, ledger.dump(entry))
                for document, entry in changes.entries.items()
            ),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO deletions VALUES (?, ?, ?)",
            ((device, counted.since, counted.count) for device, counted in changes.deletions.items()),
        )
        if changes.sequence is not None:
            self._db.execute("UPDATE life SET sequence = ?", (changes.sequence,))

    def hashes(self, after: int = -1) -> dict[DocumentId, ContentHash | None]:
        """The current hashes of what changed after a sequence; None: not live any more."""
        rows = self._db.execute("SELECT id, hash FROM entry WHERE sequence > ?", (after,))
        return {DocumentId(row[0]): row[1] for row in rows}
