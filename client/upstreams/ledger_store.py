"""The ledger of an upstream in a directory: one SQLite file with an entry a document."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import ClassVar, Final, Self

from client.sync.state_store import SyncStateStore
from client.upstreams import ledger
from shared.adapters.memory import Entry, SpaceChanges
from shared.core.identifiers import ContentHash, DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.lineage import Begun, Lineage, first_history
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.context import DeviceMemory
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.usage import Usage

TIPS: Final = 100_000
"""Of so many sequences it is known what gave them out; a cursor that is older gets all of the ledger."""


class LedgerStore(SyncStateStore):
    """A Space (shared/adapters/memory), and what the driver knows of the files beside it."""

    # The write-ahead log needs memory that is shared between machines; a drive of another one has none.
    journal: ClassVar[str] = "DELETE"
    # Whoever may use the directory may use its ledger.
    private: ClassVar[bool] = False
    schema: ClassVar[str] = (
        SyncStateStore.schema
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
        self._db.execute("CREATE TABLE IF NOT EXISTS history (id TEXT NOT NULL, first INTEGER PRIMARY KEY)")
        self._db.execute("CREATE TABLE IF NOT EXISTS tip (sequence INTEGER PRIMARY KEY, tag TEXT NOT NULL)")

    @classmethod
    def of(cls, path: Path, policies: Policies) -> Self:
        """Opened, with the policies of its space."""
        store = cls.open(path)
        store.declared = policies
        return store

    def position(self) -> str:
        """Where the ledger stands: the newest sequence, and what that was given out with."""
        sequence = self.lineage().sequence
        return f"{sequence}.{self._tag(sequence)}"

    def sequence_of(self, position: str) -> SequenceNumber | None:
        """The sequence of a position that this ledger told; None: it does not know it. A copy of the ledger that was
        put back gives sequences out again, and each time with another tag."""
        number, _, tag = position.partition(".")
        if not (number.isascii() and number.isdigit() and int(number[:18]) <= self.lineage().sequence):
            return None
        return SequenceNumber(int(number)) if self._tag(int(number)) == tag else None

    def _tag(self, sequence: int) -> str:
        """What an earlier release gave out has no tag of its own."""
        row = self._db.execute("SELECT tag FROM tip WHERE sequence = ?", (sequence,)).fetchone()
        return str(row[0]) if row is not None else self.lineage().first

    # As a Space

    def policies(self) -> Policies:
        return self.declared

    def lineage(self) -> Lineage:
        row = self._db.execute("SELECT epoch, sequence FROM life").fetchone()
        if row is None:
            with self.transaction():
                self._db.execute("INSERT INTO life VALUES (?, 0)", (first_history(secrets.randbits(40)),))
            return self.lineage()
        begun = self._db.execute("SELECT id, first FROM history ORDER BY first").fetchall() or [(row[0], 1)]
        return Lineage(
            tuple(Begun(Epoch(one), SequenceNumber(first)) for one, first in begun), SequenceNumber(row[1])
        )

    def live(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM entry WHERE hash IS NOT NULL").fetchone()[0])

    def usage(self) -> Usage | None:
        return None

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
        if (newest := changes.sequence) is not None:
            if newest != self.lineage().sequence:
                self._db.execute("INSERT OR REPLACE INTO tip VALUES (?, ?)", (newest, secrets.token_hex(6)))
                self._db.execute("DELETE FROM tip WHERE sequence <= ?", (newest - TIPS,))
            self._db.execute("UPDATE life SET sequence = ?", (newest,))
        if changes.histories is not None:
            self._db.execute("DELETE FROM history")
            self._db.executemany("INSERT INTO history VALUES (?, ?)", ((h.id, h.first) for h in changes.histories))

    def hashes(self, after: int = -1) -> dict[DocumentId, ContentHash | None]:
        """The current hashes of what changed after a sequence; None: not live any more."""
        rows = self._db.execute("SELECT id, hash FROM entry WHERE sequence > ?", (after,))
        return {DocumentId(row[0]): row[1] for row in rows}
