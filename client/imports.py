"""Bringing documents of another program into the folder, again and again.

What was brought the last time is remembered, so that it is known what the other program changed since then and what
was changed here: the two are merged. The memory may be lost; then of two different values the one of the document
with the newer clock stands, and without clocks the one that is here.

Laws (tests/unit/client/test_imports.py):
    a second import of the same changes nothing, whatever happened here meanwhile: what was deleted stays deleted
    what only one side changed stands
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from client.durable import make_durable, write_new
from client.folder import FolderError, Loaded, Problem, Stamp
from client.journal import Step
from client.tasks import Tasks
from shared import wire
from shared.core.canonical import equal
from shared.core.clock import clock
from shared.core.documents import Body, DocumentId
from shared.core.merge import Side, merge

Reconcile = Callable[[Body, Body], Body]
"""(what is imported, what is known) -> what is imported, without differences that are no edits."""
_NAME: Final = "imported.ndjson"


class Fate(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STAYS_DELETED = "stays_deleted"
    LEFT_ALONE = "left_alone"


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of each document, and the files that could not be read."""

    fates: Mapping[DocumentId, Fate]
    problems: tuple[Problem, ...]

    def count(self, fate: Fate) -> int:
        return sum(1 for found in self.fates.values() if found is fate)


def decided(new: Body, base: Body | None, local: Body | None) -> tuple[Fate, Body | None]:
    """What becomes of an imported document. `base`: as it was imported the last time; `local`: as it is here."""
    if base is not None and equal(new, base):
        return (Fate.STAYS_DELETED if local is None else Fate.UNCHANGED), local
    if local is None:
        return Fate.CREATED, new
    if base is not None:
        result: Any = merge([base], local, new).value
    else:
        mine, theirs = clock(local), clock(new)
        newer = Side.THEIRS if mine is not None and theirs is not None and theirs > mine else Side.OURS
        result = merge([], local, new, decide=lambda *_: (newer, "newer")).value
    return (Fate.UNCHANGED if equal(result, local) else Fate.UPDATED), result


def bring(
    tasks: Tasks, documents: Mapping[DocumentId, Body], command: str, *, reconcile: Reconcile | None, dry_run: bool
) -> Brought:
    """Puts the documents into the folder; one undo takes all of it back. Raises FolderError, FaultError,
    ChangedError.

    No hooks are run: these tasks are not new, they only move.
    """
    memory = _read(tasks.folder.state / _NAME)
    fates: dict[DocumentId, Fate] = {}
    problems: list[Problem] = []
    pairs: list[tuple[Step, Stamp | None]] = []
    for document, body in documents.items():
        found = tasks.folder.read(document)
        if isinstance(found, Problem):
            problems.append(found)
            fates[document] = Fate.LEFT_ALONE
            continue
        base, local = memory.get(document), found.body if isinstance(found, Loaded) else None
        known = local if base is None else base
        new = body if reconcile is None or known is None else reconcile(body, known)
        fates[document], after = decided(new, base, local)
        pairs.append((Step(document, local, after), found.stamp if isinstance(found, Loaded) else None))
        memory[document] = new
    if not dry_run:
        tasks.carry_out(command, pairs)
        _write(tasks.folder.state / _NAME, memory)
    return Brought(fates, tuple(problems))


def _read(path: Path) -> dict[DocumentId, Body]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}. Correct its permissions, or delete it.") from None
    rows = (wire.loads(line) for line in lines)
    return {DocumentId(row["id"]): row for row in rows}


def _write(path: Path, memory: Mapping[DocumentId, Body]) -> None:
    new = path.with_suffix(".new")
    try:
        new.unlink(missing_ok=True)
        write_new(new, b"".join(wire.dumps(body) + b"\n" for body in memory.values()))
        make_durable([new])
        new.replace(path)
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}. Make room, and repeat the import.") from error
