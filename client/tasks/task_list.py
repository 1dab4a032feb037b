"""What commands do with tasks, on the folder: looked up, changed with undo and hooks, and never over an edit that
somebody else makes at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from client.folder.task_folder import ChangedError, FileChange, FileProblem, FolderError, Loaded, Stamp, TaskFolder
from client.tasks.ids import NoSuchTaskError
from client.tasks.journal import ARRIVALS, COMMANDS, UNDONE, Journal, JournalEntry, Step
from client.tasks.listed import numbers
from client.tasks.moments import written
from shared.core.identifiers import Body, DocumentId
from shared.core.json.canonical import equal

if TYPE_CHECKING:
    from client.folder.body_cache import AllFiles
    from client.tasks.hooks import Hooks

ATTEMPTS: Final = 5
"""So often a change is decided again because somebody else changes the same file at that moment."""


class NotATaskError(Exception):
    """The file of the task is a Problem; the message is what it says."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(f"{problem.name} is left alone: {problem.sentence}")


class NothingToUndoError(Exception):
    """The message says so."""


class Done(NamedTuple):
    """What a command did: the documents before and after, those among them that changed, and what hooks said."""

    steps: tuple[Step, ...]
    feedback: tuple[str, ...] = ()


class Tasks:
    """The tasks of one folder, for one command."""

    def __init__(self, folder: TaskFolder, hooks: Callable[[], Hooks], now: datetime) -> None:
        """`hooks` is called when something is changed."""
        self.folder = folder
        self._hooks = hooks
        self._journal = Journal(folder.state)
        self._now = now

    def find(self, text: str) -> DocumentId:
        """The task of a number of the last listing, or of the beginning of an id. Raises NoSuchTaskError, WordError,
        FolderError."""
        named = self.named(text)
        if len(named) > 1:
            raise NoSuchTaskError(f"{text} names {len(named)} tasks; this command takes one")
        return named[0]

    def named(self, text: str) -> list[DocumentId]:
        """The tasks of numbers, or of beginnings of ids, with commas between them. Raises as `find` does."""
        from client.tasks.named import documents_named  # noqa: PLC0415  undo takes no task

        return documents_named(text, numbers(self.folder.state), self.folder.names())

    def all(self) -> AllFiles:
        """Raises FolderError."""
        from client.folder.body_cache import read_all  # noqa: PLC0415  who names tasks reads these alone

        files = read_all(self.folder)
        if not files.bodies:
            self._is_set_up()
        return files

    def recalled(self) -> Mapping[DocumentId, Body]:
        """The bodies as they were read last, for what need not know whether a file was changed since: hints. Raises
        FolderError."""
        from client.folder.body_cache import recalled  # noqa: PLC0415  as above

        return recalled(self.folder)

    def read(self, document: DocumentId) -> Body:
        """Raises NotATaskError, FolderError."""
        return self._loaded(document).body

    def add(self, bodies: Sequence[Body], command: str) -> Done:
        """New documents. Raises HookError with nothing added, FaultError, ChangedError if one is there already."""
        feedback: list[str] = []
        steps: list[Step] = []
        for body in bodies:
            hooked = self._hooks().added(body)
            feedback += hooked.feedback
            steps.append(Step(DocumentId(body["id"]), None, hooked.body))
        self.carry_out(command, [(step, None) for step in steps])
        return Done(tuple(steps), tuple(feedback))

    def change(self, documents: Iterable[DocumentId], modify: Callable[[Body], Body], command: str) -> Done:
        """Puts `modify` of each document in its place, with the clock set. What it leaves as it is stays untouched.

        Raises HookError with nothing changed, what `modify` raises, NotATaskError, FaultError, ChangedError.
        """
        feedback: list[str] = []

        def decide(document: DocumentId) -> tuple[Step, Stamp | None]:
            loaded = self._loaded(document)
            after = modify(loaded.body)
            if not equal(after, loaded.body):
                hooked = self._hooks().modified(loaded.body, {**after, "modified": written(self._now)})
                feedback.extend(hooked.feedback)
                after = hooked.body
            return Step(document, loaded.body, after), loaded.stamp

        return Done(self._decide_and_carry_out(documents, decide, command), tuple(feedback))

    def delete(self, documents: Iterable[DocumentId], command: str) -> Done:
        """Removes the files; a sync takes that for a deletion. Raises as `change` does."""
        feedback: list[str] = []

        def decide(document: DocumentId) -> tuple[Step, Stamp | None]:
            loaded = self._loaded(document)
            feedback.extend(self._hooks().deleted(loaded.body))
            return Step(document, loaded.body, None), loaded.stamp

        return Done(self._decide_and_carry_out(documents, decide, command), tuple(feedback))

    def undo(self, *, arrivals: bool = False) -> tuple[JournalEntry, Done]:
        """Takes back what the last command did, or what the last sync brought; what happened to the documents since
        then stays. Raises NothingToUndoError, CannotUndoError with nothing changed, NotATaskError, ChangedError."""
        from client.tasks.undone import CannotUndoError, undone  # noqa: PLC0415  other commands need it not

        self.folder.prepare()
        journal, entry = self._last(arrivals=arrivals)
        pairs: list[tuple[Step, Stamp | None]] = []
        refused: list[str] = []
        for step in (*entry.steps, *self._made_by_listing(entry)):
            now, stamp = self._body_and_stamp(step.document)
            try:
                after = undone(step, now)
            except CannotUndoError as error:
                refused.append(f"{step.document}: {error}")
                continue
            if after is not None and not equal(after, now):
                after = {**after, "modified": written(self._now)}
            pairs.append((Step(step.document, now, after), stamp))
        if refused:
            option = " --sync" if arrivals else ""
            raise CannotUndoError(
                f"hypertask {entry.command} cannot be taken back; nothing was changed.\n"
                + "\n".join(refused)
                + f"\nTo leave it as it is and go on with the one before: hypertask undo{option} --skip"
            )
        taken_back = _changed([step for step, _ in pairs])
        if taken_back:
            record = Journal(self.folder.state, UNDONE)
            entry_made = record.record("undo --sync" if arrivals else f"undo, of: {entry.command}", taken_back)
            with self._told_as_done(record, entry_made):
                self._apply(pairs)
        journal.drop(entry)
        return entry, Done(taken_back)

    def skip(self, *, arrivals: bool = False) -> JournalEntry:
        """Drops the last entry: the next undo takes back the one before. Raises NothingToUndoError."""
        journal, entry = self._last(arrivals=arrivals)
        journal.drop(entry)
        return entry

    def _last(self, *, arrivals: bool) -> tuple[Journal, JournalEntry]:
        journal = Journal(self.folder.state, ARRIVALS if arrivals else COMMANDS)
        if (entry := journal.last()) is not None:
            return journal, entry
        raise NothingToUndoError(
            "there is nothing to undo: no sync has changed a task here"
            if arrivals
            else "there is nothing to undo: no command has changed a task here"
        )

    def _made_by_listing(self, entry: JournalEntry) -> Iterator[Step]:
        """The tasks that were made of a pattern since the command that made it, as far as nobody changed them."""
        for step in entry.steps:
            if step.before is not None or step.after is None or step.after.get("status") != "recurring":
                continue
            from client.tasks.recurrence import is_pattern, occurrences  # noqa: PLC0415  most tasks do not repeat

            if not is_pattern(step.after):
                continue
            made, _ = occurrences(step.after, self._now)
            for body in made:
                document = DocumentId(body["id"])
                if equal(self._body_and_stamp(document)[0], body):
                    yield Step(document, None, body)

    def restore(self, bodies: Mapping[DocumentId, Body], command: str) -> Done:
        """Puts each document back to that state, as an edit of now: what is replaced can be had by `undo`. Raises as
        `change` does."""

        def decide(document: DocumentId) -> tuple[Step, Stamp | None]:
            now, stamp = self._body_and_stamp(document)
            return Step(document, now, {**bodies[document], "modified": written(self._now)}), stamp

        return Done(self._decide_and_carry_out(bodies, decide, command))

    def make_occurrences(self, bodies: Mapping[DocumentId, Body]) -> tuple[Body, ...]:
        """Makes what repeating tasks have due by now, and returns it. It is nobody's command: it is not undone."""
        patterns = [body for body in bodies.values() if body.get("status") == "recurring"]
        if not patterns:
            return ()
        from client.tasks.recurrence import NoPeriodError, is_pattern, occurrences  # noqa: PLC0415  as above

        created: list[Body] = []
        numbers = _numbers(bodies.values())
        for pattern in filter(is_pattern, patterns):
            try:
                new, after = occurrences(pattern, self._now, numbers.get(pattern["id"], frozenset()))
            except NoPeriodError:  # said when the period is set, and by doctor; a list is not the place
                continue
            changes = [FileChange(DocumentId(body["id"]), body, None) for body in new]
            results = self.folder.apply(changes)
            created += [body for body in new if isinstance(results[DocumentId(body["id"])], Stamp)]
            now, stamp = self._body_and_stamp(DocumentId(pattern["id"]))
            if new and equal(now, pattern):
                self.folder.apply([FileChange(DocumentId(pattern["id"]), after, stamp)])
        return tuple(created)

    def _is_set_up(self) -> None:
        """Raises FolderError where nothing was ever ours: a disk that is not mounted looks like that, and what is
        written below its mount point is hidden when it is there again."""
        if not self.folder.state.is_dir() and self.folder.root.is_dir() and not self.folder.scan().files:
            raise FolderError(
                f"{self.folder.root} is empty, and was not set up. Is its disk connected? "
                "To set it up: hypertask init"
            )

    def _loaded(self, document: DocumentId) -> Loaded:
        if (loaded := self._loaded_if_there(document)) is None:
            raise ChangedError(self.folder.path(document))
        return loaded

    def _body_and_stamp(self, document: DocumentId) -> tuple[Body | None, Stamp | None]:
        loaded = self._loaded_if_there(document)
        return (None, None) if loaded is None else (loaded.body, loaded.stamp)

    def _loaded_if_there(self, document: DocumentId) -> Loaded | None:
        loaded = self.folder.read(document)
        if isinstance(loaded, FileProblem):
            raise NotATaskError(loaded)
        return loaded

    def _decide_and_carry_out(
        self,
        documents: Iterable[DocumentId],
        decide: Callable[[DocumentId], tuple[Step, Stamp | None]],
        command: str,
    ) -> tuple[Step, ...]:
        steps: list[Step] = []
        left = list(documents)
        for attempt in range(1, ATTEMPTS + 1):
            pairs = [decide(document) for document in left]
            results = self.carry_out(command, pairs, tolerant=attempt < ATTEMPTS)
            steps += [step for step, _ in pairs if step.document not in results]
            left = results
            if not left:
                break
        return _changed(steps)

    def carry_out(
        self, command: str, pairs: list[tuple[Step, Stamp | None]], *, tolerant: bool = False
    ) -> list[DocumentId]:
        """Records the steps that change something, and does them; a step comes with the stamp that it was decided on.
        Returns which failed because the file was changed at this moment; raises ChangedError unless `tolerant`."""
        meant = [(step, stamp) for step, stamp in pairs if not _same(step)]
        if not meant:
            return []
        self._is_set_up()
        self.folder.prepare()
        try:
            entry = self._journal.record(command, [step for step, _ in meant])
        except OSError as error:
            raise FolderError(f"{error.filename}: {error.strerror}. Make room or correct the permissions.") from error
        with self._told_as_done(self._journal, entry):
            failed = self._apply(meant, tolerant=True)
        if failed:
            _keep(self._journal, entry, [step for step in entry.steps if step.document not in failed])
            if not tolerant:
                raise ChangedError(self.folder.path(failed[0]))
        return failed

    @contextmanager
    def _told_as_done(self, journal: Journal, entry: JournalEntry) -> Iterator[None]:
        """What fails inside was not done, or not all of it: the entry tells then what was."""
        try:
            yield
        except (ChangedError, FolderError):
            with suppress(FolderError, OSError):  # the folder is gone: the entry tells of it all
                _keep(journal, entry, [step for step in entry.steps if self._may_be_done(step)])
            raise

    def _may_be_done(self, step: Step) -> bool:
        loaded = self.folder.read(step.document)
        return isinstance(loaded, FileProblem) or not equal(loaded.body if loaded else None, step.before)

    def _apply(self, pairs: Iterable[tuple[Step, Stamp | None]], *, tolerant: bool = False) -> list[DocumentId]:
        changes = [FileChange(step.document, step.after, stamp) for step, stamp in pairs if not _same(step)]
        results = self.folder.apply(changes)
        failed = [(document, result) for document, result in results.items() if isinstance(result, ChangedError)]
        if failed and not tolerant:
            raise failed[0][1]
        return [document for document, _ in failed]


def _numbers(bodies: Iterable[Body]) -> dict[str, set[int]]:
    """Which occurrences are there by their number, by the id of their pattern."""
    by_parent: dict[str, set[int]] = {}
    for body in bodies:
        number, parent = body.get("imask"), body.get("parent")
        if isinstance(number, int | float) and isinstance(parent, str):
            by_parent.setdefault(parent, set()).add(int(number))
    return by_parent


def _keep(journal: Journal, entry: JournalEntry, done: list[Step]) -> None:
    """Of what an entry tells, these steps alone."""
    journal.drop(entry)
    if done:
        journal.record(entry.command, done)


def _same(step: Step) -> bool:
    return equal(step.before, step.after)


def _changed(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if not _same(step))
