"""What the memory keeps of each document and upstream: the records of client/sync/engine/records.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from client.sync.engine.records import Outline, Pending, Record, Refused
from client.sync.state_file import OPEN, dumped, loaded, rows_of
from shared import codec
from shared.core.identifiers import ContentHash, DocumentId
from shared.core.version_vectors import Version

_OUTLINE: Final = "base, gone, shadow_hash, remote, pending IS NOT NULL, refused, unverified"
_OPEN_IDS: Final = f"SELECT id FROM record WHERE upstream = ? AND {OPEN}"  # noqa: S608


class UpstreamRecords:
    """Mixed into the memory. Everything that changes is changed inside a transaction of the caller."""

    _db: sqlite3.Connection

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
        for row in self._rows(_OUTLINE, upstream, ids):
            outlines[DocumentId(row[0])] = _outline(row[1:])
        return outlines

    def known(self) -> set[DocumentId]:
        """Every document that some upstream has, or had."""
        return {DocumentId(row[0]) for row in self._db.execute("SELECT DISTINCT id FROM record")}

    def record(self, upstream: str, document: DocumentId) -> Record:
        return self.records(upstream, (document,)).get(document, Record())

    def records(self, upstream: str, documents: Iterable[DocumentId]) -> dict[DocumentId, Record]:
        """Of those that are known."""
        rows = self._rows(f"{_OUTLINE}, shadow, pending, version", upstream, documents)
        return {
            DocumentId(row[0]): Record(_outline(row[1:8]), loaded(row[8]), _pending(row[9]), _version(row[10]))
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
                    record.outline.shadow_hash,
                    record.outline.remote_hash,
                    dumped(record.shadow),
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

    def has_refused(self, upstream: str) -> bool:
        """Whether it refused some state."""
        chosen = "SELECT 1 FROM record WHERE upstream = ? AND refused IS NOT NULL LIMIT 1"
        return self._db.execute(chosen, (upstream,)).fetchone() is not None

    def retry_problems(self, upstream: str, still: Collection[DocumentId]) -> None:
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

    def record_remote(
        self, upstream: str, hashes: Mapping[DocumentId, ContentHash | None], *, is_complete: bool
    ) -> None:
        """What the upstream has. `is_complete`: and nothing else. What it has as it was agreed on is verified."""
        if is_complete:
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

    def _rows(self, columns: str, upstream: str, documents: Iterable[DocumentId]) -> Iterator[tuple[Any, ...]]:
        """Of those of these documents that have a record: the id, and these columns."""
        chosen = f"SELECT id, {columns} FROM record WHERE upstream = ? AND id IN"  # noqa: S608
        return rows_of(self._db, chosen, documents, upstream)


def _outline(row: Sequence[Any]) -> Outline:
    base, gone, shadow, remote, pending, refused, unverified = row
    return Outline(base, bool(gone), shadow, remote, bool(pending), _refused(refused), bool(unverified))


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
