"""Writing a backup of the database, and putting one back.

A backup holds rows of MongoDB as they are, so its file and this module know of that adapter alone. A space that is
empty gets its rows back as they were; into one that has documents a backup is merged as an export is imported, by the
rules by which everything else is decided: nothing is taken from anybody.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Final

from api import VERSION
from api.imports.importing import import_into
from api.representations import export
from api.representations.imports import Import, read_export
from shared.adapters.mongodb.backups import CONTENT, PEOPLE, MongoBackups, exported, is_of, policies_in, users_in
from shared.adapters.mongodb.migrations import VERSION as SCHEMA
from shared.backup_file import SPACE, BackupReader, BackupWriter, Frame, Header, InvalidBackupError
from shared.core.documents import DocumentId, SpaceId, is_space_id
from shared.core.protocol import Limits
from shared.ports import Announce, DocumentStore

_ROWS_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 8 * 1024 * 1024

PrintLine = Callable[[str], None]


async def back_up(
    backups: MongoBackups,
    spaces: Collection[SpaceId],
    file: BinaryIO,
    *,
    everybody: bool,
    tell: PrintLine = lambda line: None,
) -> dict[str, int]:
    """Writes a backup of these spaces and of whoever has to do with them; with `everybody`, of all people. Each
    space as it is at one moment, while others write to it. Returns how many rows there are of each collection."""
    named = None if everybody else tuple(spaces)
    writer = BackupWriter(file, Header(VERSION, SCHEMA, time.time(), named))
    counts: Counter[str] = Counter()
    async for collection, raw in backups.people(None if everybody else spaces):
        writer.row(collection, raw)
        counts[collection] += 1
    for number, space in enumerate(spaces, 1):
        writer.space(space)
        before = counts["documents"]
        async for collection, raw in backups.space(space):
            writer.row(collection, raw)
            counts[collection] += 1
        tell(f"{number} of {len(spaces)} spaces: {space}, {counts['documents'] - before} documents")
    writer.finish()
    return dict(counts)


def checked(file: BinaryIO) -> tuple[Header, dict[str, int]]:
    """What a backup is of, and how many rows it has of each collection, when all of it was read. Raises
    InvalidBackupError."""
    reader = BackupReader(file)
    if reader.header.schema > SCHEMA:
        raise InvalidBackupError(
            f"it is of a later release ({reader.header.release}, schema {reader.header.schema}); this one reads "
            f"schema {SCHEMA}"
        )
    counts = reader.verify()
    unknown = counts.keys() - {SPACE, "spaces", *PEOPLE, *CONTENT}
    if unknown:
        raise InvalidBackupError(f"it has rows of {', '.join(sorted(unknown))}, which this release does not know")
    return reader.header, counts


@dataclass(slots=True)
class Restored:
    """What became of a backup. `merged`: spaces that had documents, with what `POST /import` would say of them;
    `put`: spaces that were empty, with their numbers of documents."""

    people: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    """Rows of people that were there already, and stay as they are."""
    put: dict[SpaceId, int] = field(default_factory=dict)
    merged: dict[SpaceId, dict[str, Any]] = field(default_factory=dict)


class Restoration:
    """Puts a backup back."""

    def __init__(
        self, backups: MongoBackups, store: DocumentStore, limits: Limits, announce: Announce, tell: PrintLine
    ) -> None:
        self._backups = backups
        self._store = store
        self._limits = limits
        self._announce = announce
        self._tell = tell

    async def run(self, file: BinaryIO, only: Collection[SpaceId] = ()) -> Restored:
        """`file` was `checked`. `only` these spaces, if any are named. May be stopped at any moment: the same again
        goes on. People and devices come last, so nobody finds half a space that was not there before."""
        restored = Restored()
        restoration = _digest(file)
        for space, frames in _by_space(BackupReader(file).frames()):
            if only and space not in only:
                continue
            first = next(frames, None)
            if first is None or first.name != "spaces":
                continue  # it was removed while the backup was made
            if await self._backups.begin(space, first.payload, restoration):
                await self._put(space, frames, restoration, restored, file)
            else:
                restored.merged[space] = await self._merge(space, file)
            self._tell(f"{space}: {_outcome(restored, space)}")
        await self._people(file, only, restored)
        return restored

    async def _put(
        self, space: SpaceId, frames: Iterator[Frame], restoration: str, restored: Restored, file: BinaryIO
    ) -> None:
        written_meanwhile: list[DocumentId] = []
        documents = 0
        for collection, rows in _portions(frames):
            written_meanwhile += await self._backups.put(collection, rows)
            documents += len(rows) if collection == "documents" else 0
        await self._backups.finish(space, restoration)
        restored.put[space] = documents
        if written_meanwhile:
            restored.merged[space] = await self._merge(space, file, set(written_meanwhile))

    async def _merge(
        self, space: SpaceId, file: BinaryIO, only: Collection[DocumentId] | None = None
    ) -> dict[str, Any]:
        """Every state of the documents is decided as what an export brings is."""
        place = file.tell()
        with tempfile.TemporaryFile() as lines:
            for one, frames in _by_space(BackupReader(file).frames()):
                if one == space:
                    _write_export(lines, space, frames, only)
            lines.seek(0)
            exported_space: Import = read_export(lines, self._limits)

            most, now = self._limits.max_request_bytes, time.time()
            report = await import_into(
                self._store, space, exported_space, max_bytes=most, at=now, announce=partial(self._announce, space)
            )
        file.seek(place)
        return report

    async def _people(self, file: BinaryIO, only: Collection[SpaceId], restored: Restored) -> None:
        users: set[str] = set()
        for frame in _people_in(file):
            users |= users_in(frame.name, frame.payload, only)
        for frame in _people_in(file):
            if not only or is_of(frame.name, frame.payload, only, users):
                stored = await self._backups.add_person_row(frame.name, frame.payload)
                (restored.people if stored else restored.kept)[frame.name] += 1


def _outcome(restored: Restored, space: SpaceId) -> str:
    put, merged = restored.put.get(space), restored.merged.get(space)
    parts = [] if put is None else [f"{put} documents put back"]
    if merged is not None:
        parts.append(f"{merged['documents']} documents merged into what is there")
    return ", ".join(parts)


def _write_export(
    lines: BinaryIO, space: SpaceId, frames: Iterator[Frame], only: Collection[DocumentId] | None
) -> None:
    counts: Counter[bool] = Counter()
    lines.write(export.first_line(space, "", 0.0))
    for frame in frames:
        if frame.name == "spaces":
            lines.write(export.policies_line(policies_in(frame.payload)))
        elif frame.name in ("documents", "revisions"):
            document = exported(frame.name, frame.payload)
            if only is None or document.document in only:
                counts[document.is_head] += 1
                lines.write(export.line_of(document))
    lines.write(export.last_line(counts[True], counts[False]))


def _people_in(file: BinaryIO) -> Iterator[Frame]:
    """They come before all spaces."""
    return itertools.takewhile(lambda frame: frame.name != SPACE, BackupReader(file).frames())


def _by_space(frames: Iterator[Frame]) -> Iterator[tuple[SpaceId, Iterator[Frame]]]:
    """Each space with its frames, the row of the space first. What is not read of them is passed over. Raises
    InvalidBackupError."""
    named: Frame | None = next((frame for frame in frames if frame.name == SPACE), None)
    following: Frame | None = None

    def rows() -> Iterator[Frame]:
        nonlocal following
        following = None
        for frame in frames:
            if frame.name == SPACE:
                following = frame
                return
            yield frame

    while named is not None:
        space = SpaceId(named.payload.decode(errors="replace"))
        if not is_space_id(space):
            raise InvalidBackupError("it is damaged: a space has an id that none can have")
        of_space = rows()
        yield space, of_space
        for _ in of_space:
            pass
        named = following


def _portions(frames: Iterator[Frame]) -> Iterator[tuple[str, list[bytes]]]:
    """Rows of one collection, not too many at a time."""
    for collection, group in itertools.groupby(frames, lambda frame: frame.name):
        rows: list[bytes] = []
        size = 0
        for frame in group:
            rows.append(frame.payload)
            size += len(frame.payload)
            if len(rows) >= _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
                yield collection, rows
                rows, size = [], 0
        if rows:
            yield collection, rows


def _digest(file: BinaryIO) -> str:
    """Names a backup: the same file has the same one."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_BYTES_AT_ONCE):
        digest.update(piece)
    return digest.hexdigest()
