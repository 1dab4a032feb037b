"""Bringing documents of another program into the folder, again and again.

What was brought the last time is remembered, so that it is known what the other program changed since then and what
was changed here: the two are merged. The memory may be lost; then of two different values the one of the document
with the newer clock stands, and without clocks the one that is here.

What an earlier version read of a file says less than what is read of it now: days were moments, sentences lost words.
Its memory (`imported.ndjson`) still tells what was brought; what was deleted here since stays deleted, whatever the
file says now.

Laws (tests/unit/client/formats/test_imports.py):
    a second import of the same changes nothing, whatever happened here meanwhile: what was deleted stays deleted
    what only one side changed stands
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from client.folder.durable import make_durable, write_new
from client.folder.task_folder import FileProblem, FolderError, Loaded, Stamp
from client.sync.direct import Reconcile
from client.sync.report import Progress
from client.tasks.journal import Step
from client.tasks.task_list import Tasks
from shared import codec
from shared.core.identifiers import Body, DocumentId
from shared.core.json.canonical import equal
from shared.core.merge.clock import clock
from shared.core.merge.objects import Side, merge

_NAME: Final = "imported-2.ndjson"
_EARLIER: Final = "imported.ndjson"


class ImportOutcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STAYS_DELETED = "stays_deleted"
    LEFT_ALONE = "left_alone"


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of each document, and the files that could not be read."""

    fates: Mapping[DocumentId, ImportOutcome]
    problems: tuple[FileProblem, ...]

    def count(self, fate: ImportOutcome) -> int:
        return sum(1 for outcome in self.fates.values() if outcome is fate)


class ImportMemory:
    """What was brought the last time, by id. Raises FolderError where its file cannot be read."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._earlier = _read(state / _EARLIER)
        self._bases = self._earlier | _read(state / _NAME)
        self._earlier = {name: body for name, body in self._earlier.items() if self._bases[name] is body}

    def base(self, document: DocumentId) -> Body | None:
        return self._bases.get(document)

    def is_of_an_earlier_version(self, document: DocumentId) -> bool:
        return document in self._earlier

    def remember(self, document: DocumentId, body: Body) -> None:
        self._bases[document] = body

    def write(self) -> None:
        """Raises FolderError."""
        _write(self._state / _NAME, self._bases)
        (self._state / _EARLIER).unlink(missing_ok=True)


def decided(
    new: Body, base: Body | None, local: Body | None, *, is_earlier: bool = False
) -> tuple[ImportOutcome, Body | None]:
    """What becomes of an imported document. `base`: as it was imported the last time, `is_earlier`: by a version that
    read less of it; `local`: as it is here."""
    if base is not None and (equal(new, base) or (is_earlier and local is None)):
        return (ImportOutcome.STAYS_DELETED if local is None else ImportOutcome.UNCHANGED), local
    if local is None:
        return ImportOutcome.CREATED, new
    if base is not None:
        result: Any = merge([base], local, new).value
    else:
        mine, theirs = clock(local), clock(new)
        newer = Side.THEIRS if mine is not None and theirs is not None and theirs > mine else Side.OURS
        result = merge([], local, new, decide=lambda *_: (newer, "newer")).value
    return (ImportOutcome.UNCHANGED if equal(result, local) else ImportOutcome.UPDATED), result


def bring(
    tasks: Tasks,
    documents: Mapping[DocumentId, Body],
    command: str,
    *,
    reconcile: Reconcile | None,
    dry_run: bool,
    progress: Progress = lambda done, total: None,
) -> Brought:
    """Puts the documents into the folder; one undo takes all of it back. Raises FolderError, FaultError,
    ChangedError.

    No hooks are run: these tasks are not new, they only move.
    """
    memory = ImportMemory(tasks.folder.state)
    fates: dict[DocumentId, ImportOutcome] = {}
    problems: list[FileProblem] = []
    pairs: list[tuple[Step, Stamp | None]] = []
    for number, (document, body) in enumerate(documents.items(), 1):
        loaded = tasks.folder.read(document)
        if isinstance(loaded, FileProblem):
            problems.append(loaded)
            fates[document] = ImportOutcome.LEFT_ALONE
            continue
        base, local = memory.base(document), loaded.body if isinstance(loaded, Loaded) else None
        known = local if base is None else base
        new = body if reconcile is None or known is None else reconcile(body, known)
        is_earlier = memory.is_of_an_earlier_version(document)
        fates[document], after = decided(new, base, local, is_earlier=is_earlier)
        pairs.append((Step(document, local, after), loaded.stamp if isinstance(loaded, Loaded) else None))
        memory.remember(document, new)
        progress(number, len(documents))
    if not dry_run:
        tasks.carry_out(command, pairs)
        memory.write()
    return Brought(fates, tuple(problems))


def _read(path: Path) -> dict[DocumentId, Body]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}. Correct its permissions, or delete it.") from None
    rows = (codec.loads(line) for line in lines)
    return {DocumentId(row["id"]): row for row in rows}


def _write(path: Path, memory: Mapping[DocumentId, Body]) -> None:
    new = path.with_suffix(".new")
    try:
        new.unlink(missing_ok=True)
        write_new(new, b"".join(codec.dumps(body) + b"\n" for body in memory.values()))
        make_durable([new])
        new.replace(path)
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}. Make room, and repeat the import.") from error
