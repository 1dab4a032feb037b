"""Bringing states into files that people and programs may be editing at the same moment.

A file and the memory cannot be changed in one transaction. So a state arrives in four steps:

    1. staged      in `arriving/`, complete and synced
    2. remembered  one transaction: base, shadow, no longer pending, and the row `arriving`
    3. placed      the staged file takes the name of the file, if that is what was expected (client/folder/replace.py)
    4. forgotten   the row, and then the file that was there before, which has the staged one's name since 3

Whoever is stopped goes on from what lies there:

    staged, no row of that name     1 was not followed by 2: the answer was never taken; or 4 was not brought to its
                                    end. It is thrown away
    row, staged holds what arrives  3 is still to be done
    row, staged holds another       stopped inside of 3: old and new had changed places, and the old one is looked at
    row, nothing staged             3 was done

If the file is not what was expected, somebody edited it in between: the edit is merged onto the state that arrives,
and that is placed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from threading import Thread
from typing import Final, NamedTuple

from client.folder.durable import FEW, make_durable, make_names_durable, write_new
from client.folder.file_text import body_of, text_of
from client.folder.replace import (
    ChangedError,
    Stamp,
    WriteProtectedError,
    placed_key,
    put_new,
    put_over,
    stamp_at,
    take_away,
)
from client.folder.task_folder import STATE, FileProblem, Loaded, TaskFolder
from client.sync.engine.answer import MergedDoc, merged_onto
from client.sync.state_store import STAGED_IN, Arriving, SeenFile, SyncStateStore
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash, DocumentId
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.merge.policies import NO_POLICIES
from shared.core.protocol import Limits

HERE: Final = "here"
"""Stands for the upstream in what was decided in the folder itself."""
TRIES: Final = 20
"""So often in a row a file may change in the moment of its replacement."""

Checkpoint = Callable[[str], None]
"""Called between any two steps; tests stop there."""

BeforeAndAfter = tuple[Body | None, Body | None]
"""(before, now) of a file; None: no file."""


class Placed(NamedTuple):
    """What became of an arrival that could be brought to its end. `seen`: the file then, as far as it is known."""

    seen: SeenFile | None
    before: Body | None
    now: Body | None
    """Not always what was to come: an edit that was found in the file is merged with it, or stays."""

    @property
    def changed(self) -> bool:
        """Whether the file was changed by us."""
        return not equal(self.before, self.now)


class Recovered(NamedTuple):
    """`stuck`: what still cannot be placed. `changes`: of the files that were changed, now or before the stop."""

    stuck: tuple[DocumentId, ...] = ()
    changes: tuple[BeforeAndAfter, ...] = ()


class Arrivals:
    """The states on their way into the files of one folder. `control`: where they are staged, on the same file
    system."""

    def __init__(
        self,
        folder: TaskFolder,
        store: SyncStateStore,
        step: Checkpoint = lambda name: None,
        *,
        control: Path | None = None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._step = step
        control = control or folder.root / STATE
        self._stage = control / STAGED_IN
        self._stage_text = str(self._stage)
        self._leaving = control / "leaving"
        self._rescued = folder.root / STATE / "rescued"
        self.protected: set[DocumentId] = set()
        """Whose files could not be changed because we may not write into them."""
        self._left: list[Path | str] = []
        """Files of before, to be removed when their rows are forgotten."""

    def stage(self, wanted: Mapping[DocumentId, Arriving]) -> dict[DocumentId, Arriving]:
        """Step 1. `wanted`: rows without a staged file. Returns the rows for step 2. Raises OSError."""
        rows, paths = self._write(wanted)
        if paths:
            self._settle(paths)
            self._step("staged")
        return rows

    async def stage_meanwhile(self, wanted: Mapping[DocumentId, Arriving]) -> dict[DocumentId, Arriving]:
        """As `stage`; others of the event loop have their turn while the disk is waited for."""
        import asyncio  # noqa: PLC0415  who awaits this has it

        rows, paths = self._write(wanted)
        if paths:
            if len(paths) > FEW:
                await asyncio.to_thread(self._settle, paths)
            else:
                self._settle(paths)
            self._step("staged")
        return rows

    def place(
        self, arriving: Mapping[DocumentId, Arriving], *, fresh: bool = True, durable: bool = True
    ) -> dict[DocumentId, Placed]:
        """Steps 3 and 4, after step 2 was committed. `fresh`: no try was made so far. `durable` False: that a row is
        forgotten is durable with what is written down next, before which nobody may be told what came. Returns what
        was placed; the others cannot be placed, because their files cannot be read, or written, at the moment.
        `recover` tries again. Raises OSError."""
        if not arriving:
            return {}
        placed: dict[DocumentId, Placed] = {}
        self._left = []
        with self._folder.turn():
            for document, row in arriving.items():
                try:
                    if row.body is not None:
                        placed[document] = self._put(document, row, fresh=fresh)
                    else:
                        placed[document] = self._remove(document, row)
                except WriteProtectedError:
                    self.protected.add(document)
                except _StuckError:
                    continue  # of what could not be placed nothing is said
        if placed:
            make_names_durable(self._folder.root)
            self.protected -= placed.keys()
        self._step("placed all")
        with self._store.transaction(durable=durable):
            self._store.record_files({document: one.seen for document, one in placed.items()})
            self._store.delete_arriving(placed)
        self._step("forgotten")
        _thrown_away(self._left)
        return placed

    def recover(self) -> Recovered:
        """Goes on with what a client that was stopped has left behind. Raises OSError."""
        rows = self._store.arriving()
        names = {row.staged for row in rows.values()}
        for path in _files_of(self._stage):
            if path.name not in names:
                path.unlink(missing_ok=True)
        done = [d for d, row in rows.items() if row.body is not None and not (self._stage / row.staged).exists()]
        if done:
            with self._store.transaction():
                self._store.delete_arriving(done)
        left = {document: row for document, row in rows.items() if document not in done}
        placed = self.place(left, fresh=False)
        # Who placed these was stopped before anybody was told.
        changes = [(rows[document].expected, rows[document].body) for document in done]
        changes += [(one.before, one.now) for one in placed.values() if one.changed]
        return Recovered(tuple(left.keys() - placed.keys()), tuple(changes))

    # A state that comes into its file

    def _put(self, document: DocumentId, row: Arriving, *, fresh: bool) -> Placed:
        """Raises _StuckError."""
        if fresh and row.hash is not None and (row.expected is None or row.at is not None):
            # Where nobody is at work, this is all.
            try:
                return Placed(self._exchange(document, row, row.at, row.hash), row.expected, row.body)
            except ChangedError:
                fresh = False
            if not (self._stage / row.staged).exists():
                row = self._again(document, row, MergedDoc(_body(row)), row.expected)
        for _ in range(TRIES):
            staged = self._stage / row.staged
            body = _body(row)
            staged_body = body if fresh else _parsed(staged, document)
            fresh = False
            now = self._folder.read(document)
            here = now.body if isinstance(now, Loaded) else None
            match _stage_of(row, staged_body, now, is_staged=staged_body is not None or staged.exists()):
                case _Stage.EXCHANGED:
                    staged.unlink(missing_ok=True)
                    return Placed(SeenFile(content_hash(body), ""), row.expected, body)
                case _Stage.EXCHANGED_WITH_EDIT:
                    onto = here if here is not None else body
                    row = self._again(document, row, merged_onto(row.expected, onto, staged_body or {}), here)
                case _Stage.EXCHANGED_WITH_RUBBLE:
                    self._rescue(staged)
                    return Placed(SeenFile(content_hash(body), ""), row.expected, body)
                case _Stage.UNREADABLE:
                    raise _StuckError
                case _Stage.THERE_ALREADY:
                    staged.unlink(missing_ok=True)
                    return Placed(SeenFile(content_hash(body), ""), body, body)
                case _Stage.EDITED:
                    row = self._again(document, row, merged_onto(row.expected, body, here or {}), here)
                case _Stage.READY:
                    row = row._replace(wrote=stamp_at(staged))
                    at = now.stamp if isinstance(now, Loaded) else None
                    with suppress(ChangedError):
                        return Placed(self._exchange(document, row, at, content_hash(body)), here, body)
                    if not staged.exists():
                        row = self._again(document, row, MergedDoc(body), row.expected)
        raise _StuckError

    def _exchange(self, document: DocumentId, row: Arriving, at: Stamp | None, content: ContentHash) -> SeenFile:
        """The staged file takes its name, if the file there is at `at` (None: there is none). Raises ChangedError."""
        staged = f"{self._stage_text}/{row.staged}"
        target = self._folder.text_path(document)
        if at is None:
            put_new(staged, target)
        else:
            put_over(staged, target, at, self._rescue, self._left.append)
        self._step("placed")
        return SeenFile(content, placed_key(row.wrote, stamp_at(target)))

    def _again(self, document: DocumentId, old: Arriving, merged: MergedDoc, expected: Body | None) -> Arriving:
        """Another state is to be placed instead. Its staged file has a name of its own: whoever is stopped here
        finds either the old row and the old file, or the new ones."""
        staged, paths = self._write({document: Arriving(merged.doc, expected)})
        self._settle(paths)
        row = staged[document]
        self._step("again")
        with self._store.transaction():
            self._store.set_arriving({document: row})
            from shared.core.merge.conflict_rows import conflict_rows  # noqa: PLC0415  hardly ever needed

            rows = conflict_rows(merged.conflicts, NO_POLICIES)
            self._store.record_conflicts(HERE, document, [dict(conflict) for conflict in rows])
        (self._stage / old.staged).unlink(missing_ok=True)
        return row

    # A file that goes

    def _remove(self, document: DocumentId, row: Arriving) -> Placed:
        """Raises _StuckError. What was edited in between stays."""
        target, aside = self._folder.path(document), self._leaving / f"{document}.json"
        if aside.exists():  # stopped inside of `take_away`
            taken = _parsed(aside, document)
            if taken is not None and row.expected is not None and equal(taken, row.expected):
                aside.unlink()
                return Placed(None, row.expected, None)
            try:
                put_new(aside, target)
            except ChangedError:
                self._rescue(aside)
            return Placed(None, taken, taken)
        now = self._folder.read(document)
        if isinstance(now, FileProblem):
            raise _StuckError
        body = now.body if now is not None else None
        if now is None or row.expected is None or not equal(body, row.expected):
            return Placed(None, body, body)
        self._leaving.mkdir(parents=True, exist_ok=True)
        self._step("leaving")
        with suppress(ChangedError):
            take_away(target, aside, now.stamp, self._rescue)
            return Placed(None, body, None)
        return Placed(None, body, body)

    # Files

    def _write(self, rows: Mapping[DocumentId, Arriving]) -> tuple[dict[DocumentId, Arriving], list[str]]:
        """Staged, each under a name that nothing ever had, and these files. Not durable yet."""
        rows_written: dict[DocumentId, Arriving] = {}
        paths: list[str] = []
        if any(row.body is not None for row in rows.values()):
            self._stage.mkdir(parents=True, exist_ok=True)
        mark = os.urandom(8).hex()
        for number, (document, row) in enumerate(rows.items()):
            if row.body is None:
                rows_written[document] = row
                continue
            name = f"{mark}{number:x}.json"
            paths.append(path := f"{self._stage_text}/{name}")
            wrote = write_new(path, text_of(row.body))
            rows_written[document] = Arriving(row.body, row.expected, name, row.hash, row.at, wrote)
        return rows_written, paths

    def _settle(self, paths: Sequence[str]) -> None:
        """What was written is durable."""
        if not make_durable(paths):
            make_names_durable(self._stage)

    def _rescue(self, path: Path) -> None:
        self._rescued.mkdir(parents=True, exist_ok=True)
        path.rename(self._rescued / f"{os.urandom(4).hex()}-{path.name}")


class _Stage(Enum):
    """How far placing came, by what lies there.

    | staged | in the file | |
    |---|---|---|
    | what was expected in the file | any | EXCHANGED: the old content was not removed yet |
    | another document | any | EXCHANGED_WITH_EDIT: it was in the file, edited |
    | no document | any | EXCHANGED_WITH_RUBBLE: it was in the file, half written |
    | what arrives, or nothing | no document | UNREADABLE |
    | what arrives, or nothing | what arrives | THERE_ALREADY |
    | what arrives, or nothing | another document than expected | EDITED |
    | what arrives, or nothing | what was expected, or no file | READY: who deleted it had not seen what arrives |
    """

    EXCHANGED = 1
    EXCHANGED_WITH_EDIT = 2
    EXCHANGED_WITH_RUBBLE = 3
    UNREADABLE = 4
    THERE_ALREADY = 5
    EDITED = 6
    READY = 7


def _stage_of(row: Arriving, staged: Body | None, now: Loaded | FileProblem | None, *, is_staged: bool) -> _Stage:
    """`staged`: the document in the staged file; None: there is none, or no such file (`is_staged`)."""
    if staged is None and is_staged:
        return _Stage.EXCHANGED_WITH_RUBBLE
    if staged is not None and row.expected is not None and not equal(staged, row.body):
        return _Stage.EXCHANGED if equal(staged, row.expected) else _Stage.EXCHANGED_WITH_EDIT
    if isinstance(now, FileProblem):
        return _Stage.UNREADABLE
    if now is None or (row.expected is not None and equal(now.body, row.expected)):
        return _Stage.READY
    return _Stage.THERE_ALREADY if equal(now.body, row.body) else _Stage.EDITED


class _StuckError(Exception):
    """The file cannot be read now: somebody is writing it, or has written no document."""


def _body(row: Arriving) -> Body:
    assert row.body is not None
    return row.body


def _parsed(path: Path, document: DocumentId) -> Body | None:
    """None if it is missing or holds no document."""
    try:
        return body_of(path.read_bytes(), document, Limits().readable)[0]
    except (FileNotFoundError, FaultError):
        return None


def _thrown_away(files: Sequence[Path | str]) -> None:
    """What is removed is written down nowhere, and nobody waits for it: a disk that is told at once of every block
    that becomes free takes a millisecond for each file. What stays is thrown away by the next sync."""
    if len(files) > FEW:
        Thread(target=_removed, args=(files,), name="thrown-away").start()
    else:
        _removed(files)


def _removed(files: Iterable[Path | str]) -> None:
    for path in files:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108  mostly texts


def _files_of(path: Path) -> Iterable[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(path)]
    except FileNotFoundError:
        return ()
