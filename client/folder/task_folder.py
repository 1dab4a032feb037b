"""The folder of task files: the client's truth. One JSON file a document, at the folder's top.

Whatever is there and is no readable document is reported by name and left alone. Hidden files, other suffixes and
folders are nobody's business, but for STATE, which is ours.

A change names the state of the file that it was decided on; if the file is no longer in it, nothing is done
(ChangedError), so an edit that was made meanwhile stands. What that can promise where: `client.folder.replace`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from client.folder.durable import make_durable, make_names_durable, write_new
from client.folder.file_names import SUFFIX, document_of, file_name, placeholder_of
from client.folder.file_text import body_of, checked, text_of
from client.folder.problems import (
    FileProblem,
    changing,
    faulty,
    is_elsewhere,
    misnamed,
    not_a_file,
    placeholder,
    rescued,
    too_large,
    unreadable,
    wrong_id,
)
from client.folder.replace import (
    READ_ONLY,
    ChangedError,
    Stamp,
    WriteProtectedError,
    put_new,
    put_over,
    stamp_at,
    take_away,
)
from shared.codec import parse
from shared.core.identifiers import Body, ContentHash, DocumentId, is_document_id
from shared.core.json.canonical import hash_of_canonical
from shared.core.json.strict import FaultError, check
from shared.core.protocol import Limits

__all__ = ["STATE", "ChangedError", "FileChange", "FolderError", "FolderGoneError", "Loaded"]
__all__ += ["FileProblem", "Scan", "Stamp", "TaskFolder"]

STATE: Final = ".hypertask"
"""Inside the folder: what this device remembers. It belongs to one device and must not travel with the files."""
LEFT_OVER_SECONDS: Final = 3600
"""A temporary file of that age belongs to a process that is gone."""
AT_ONCE: Final = 500
"""So many files are written, made durable and put in place together."""


class FolderError(Exception):
    """The folder cannot be used as it is. The message says what to do."""


class FolderGoneError(FolderError):
    """There is no such folder: a disk that is not mounted, a folder that was moved. Not the same as empty: nothing
    may be concluded from it."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"the folder {root} is not there. Is its disk connected? Was it moved? To make a new one: hypertask init"
        )


class Scan(NamedTuple):
    """What the folder holds by name. A document whose file is a Problem that `scan` saw is not in `files`."""

    files: Mapping[DocumentId, Stamp]
    problems: tuple[FileProblem, ...]


class Loaded(NamedTuple):
    """A document that was read."""

    body: Body
    canonical: bytes
    stamp: Stamp
    racy: bool
    """The file had just been written: an equal stamp does not yet prove that it is unchanged."""
    too_large: bool = False
    """It is larger than a document may be: it can be read and made smaller, and no upstream takes it."""

    @property
    def hash(self) -> ContentHash:
        """Made when it is asked for: commands ask for none, and what makes it takes time to load."""
        return hash_of_canonical(self.canonical)


class FileChange(NamedTuple):
    """One file as it is to be (`body` None: removed), if it is at `expected` (None: there is none)."""

    document: DocumentId
    body: Body | None
    expected: Stamp | None


class TaskFolder:
    """See the module. Several processes may use one folder at a time."""

    def __init__(self, root: Path, limits: Limits | None = None, *, private: bool = True) -> None:
        """`private`: it is one person's, so nobody else may read what is remembered of it."""
        self.root = root
        self._private = private
        self._text_root = str(root)
        self.state = root / STATE
        self._temporary = self.state / "tmp"
        self._rescued = self.state / "rescued"
        self._limits = limits or Limits()
        self._prepared = False

    def make(self) -> None:
        """Creates the folder if it is missing. Raises FolderError."""
        with self._explained():
            self.root.mkdir(parents=True, exist_ok=True)
            self._prepare()

    def prepare(self) -> None:
        """Sees to it that `state` is there. Raises FolderGoneError: the folder itself is not made."""
        with self._explained():
            self._prepare()

    def turn(self) -> AbstractContextManager[None]:
        """For who puts files in place. A file that was changed meanwhile is there again after a moment: who read
        what stood there in that moment must not put anything on it."""
        from client.folder.locks import turn  # noqa: PLC0415  most commands put nothing

        return turn(self.state / "placing.lock")

    def path(self, document: DocumentId) -> Path:
        """Where the document's file is, or would be."""
        return self.root / file_name(document)

    def text_path(self, document: DocumentId) -> str:
        """The same as a text: making ten thousand paths is slower than renaming the files."""
        return f"{self._text_root}/{file_name(document)}"

    def stamp(self, document: DocumentId) -> Stamp | None:
        """What the system says of the document's file; None: it has none, or the folder is gone."""
        return stamp_at(self.text_path(document))

    @property
    def max_document_bytes(self) -> int:
        """Of the canonical form, and about as long is the text."""
        return self._limits.max_document_bytes

    def too_large(self, document: DocumentId) -> FileProblem:
        """What is wrong with a file that was read and is `too_large`."""
        return too_large(document, self._limits)

    def scan(self) -> Scan:
        """One pass over the names and what the system says of the files; reads none. Raises FolderError."""
        files: dict[DocumentId, Stamp] = {}
        problems: list[FileProblem] = []
        placeholders: dict[DocumentId, str] = {}
        with self._explained(), os.scandir(self.root) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.endswith(SUFFIX):
                    if (elsewhere := placeholder_of(entry.name)) is not None:
                        placeholders[elsewhere] = entry.name
                    continue
                if (document := document_of(entry.name)) is None:
                    problems.append(misnamed(entry.name))
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # removed since the names were read
                    continue
                if is_elsewhere(status):
                    problems.append(placeholder(document))
                elif stat.S_ISREG(status.st_mode):
                    files[document] = Stamp.of(status)
                else:
                    problems.append(not_a_file(document))
            problems += [placeholder(d, name) for d, name in placeholders.items() if d not in files]
            if self._rescued.is_dir():
                problems += [rescued(f"{STATE}/rescued/{path.name}") for path in self._rescued.iterdir()]
        return Scan(files, tuple(sorted(problems, key=lambda problem: problem.name)))

    def names(self) -> set[DocumentId]:
        """The documents that have a file by its name, whatever it is; nothing is asked about the files. Raises
        FolderError."""
        with self._explained():
            names = os.listdir(self.root)  # noqa: PTH208  a path for each of ten thousand takes longer than all else
            return {one for name in names if (one := document_of(name)) is not None}

    def read(self, document: DocumentId) -> Loaded | FileProblem | None:
        """The document's file; None: it has none. Raises FolderGoneError."""
        try:
            read = _read(self.text_path(document), self._limits.max_request_bytes)
        except FileNotFoundError:
            if not self.root.is_dir():
                raise FolderGoneError(self.root) from None
            return None
        except OSError as error:
            if self.path(document).is_symlink():
                return not_a_file(document)
            return unreadable(document, error.strerror or str(error))
        match read:
            case "not-a-file":
                return not_a_file(document)
            case "too-large":
                return too_large(document, self._limits)
            case str():
                return changing(document)
        return self._understood(*read, document)

    def write(self, document: DocumentId, body: Body, *, expected: Stamp | None) -> Stamp:
        """Puts `body` in the document's file, at once and durably, if the file is at `expected` (None: there is
        none). Returns the stamp of what was written.

        Raises ChangedError if the file is not as expected, FaultError if `body` is outside the I-JSON profile or
        not the document's, FolderError if the folder or the disk does not take it. The file is then as it was.
        """
        match self.apply([FileChange(document, body, expected)])[document]:
            case ChangedError() as changed:
                raise changed
            case None:
                raise AssertionError("what was written has a stamp")
            case stamp:
                return stamp

    def remove(self, document: DocumentId, *, expected: Stamp) -> None:
        """Removes the document's file if it is at `expected`. Raises ChangedError, FolderError."""
        if isinstance(changed := self.apply([FileChange(document, None, expected)])[document], ChangedError):
            raise changed

    def apply(self, changes: Iterable[FileChange]) -> dict[DocumentId, Stamp | ChangedError | None]:
        """Each change, durably and many times faster than one by one; they stand or fail singly. The stamp of what
        was written, None for a removal, ChangedError where the file was not as expected.

        Raises FaultError before anything is done, and FolderError, after which any of them may have been done.
        """
        texts = [(change, self._text(change)) for change in changes]
        results: dict[DocumentId, Stamp | ChangedError | None] = {}
        for start in range(0, len(texts), AT_ONCE):
            results |= self._apply(texts[start : start + AT_ONCE])
        return results

    def withheld(self, problems: Iterable[FileProblem]) -> Mapping[DocumentId, str]:
        """The documents that are inside the files of `problems` under another name, and that name. Reads these
        files. A document whose own file is missing and that is here was renamed, not deleted."""
        withheld: dict[DocumentId, str] = {}
        for problem in problems:
            holds = problem.holds
            if problem.document is None and problem.code != "rescued":
                try:
                    read = _read(self.root / problem.name, self._limits.max_request_bytes)
                except OSError:  # what cannot be read says nothing of any document
                    continue
                holds = None if isinstance(read, str) else self._id_inside(read[0])
            if holds is not None:
                withheld[holds] = problem.name
        return withheld

    def _understood(self, raw: bytes, stamp: Stamp, racy: bool, document: DocumentId) -> Loaded | FileProblem:
        if raw and not raw.strip(b"\0"):  # the hole that a drive has put in the place of the text
            return placeholder(document)
        try:
            body, canonical = body_of(raw, document, self._limits.readable)
        except FaultError as error:
            if error.fault.reason == "too large":
                return too_large(document, self._limits)
            if error.fault.reason in ("id mismatch", "id missing"):
                return wrong_id(document, self._id_inside(raw))
            return faulty(document, error.fault)
        return Loaded(body, canonical, stamp, racy, len(canonical) > self._limits.max_document_bytes)

    def _id_inside(self, raw: bytes) -> DocumentId | None:
        try:
            value = parse(raw, max_depth=self._limits.max_depth)
        except FaultError:
            return None
        identity = value.get("id") if isinstance(value, dict) else None
        return DocumentId(identity) if isinstance(identity, str) and is_document_id(identity) else None

    def _text(self, change: FileChange) -> bytes | None:
        if change.body is None:
            return None
        check(change.body, max_depth=self._limits.max_depth)
        return text_of(checked(change.body, change.document, self._limits)[0])

    def _apply(self, texts: list[tuple[FileChange, bytes | None]]) -> dict[DocumentId, Stamp | ChangedError | None]:
        results: dict[DocumentId, Stamp | ChangedError | None] = {}
        with self._explained():
            self._prepare()
            names = [self._temporary / os.urandom(8).hex() for _ in texts]
            try:
                written = []
                for path, (_, text) in zip(names, texts, strict=True):
                    if text is not None:
                        write_new(path, text)
                        written.append(path)
                make_durable(written)
                with self.turn():
                    for path, (change, _) in zip(names, texts, strict=True):
                        try:
                            results[change.document] = self._put(change, path)
                        except ChangedError as changed:
                            results[change.document] = changed
            finally:
                for path in names:
                    path.unlink(missing_ok=True)
            make_names_durable(self.root)
        return results

    def _put(self, change: FileChange, path: Path) -> Stamp | None:
        """`path`: the new file, or a free name to remove the old one by."""
        target = self.path(change.document)
        if change.body is None:
            if change.expected is not None:
                with _unless_protected():
                    take_away(target, path, change.expected, self._rescue)
            elif os.path.lexists(target):
                raise ChangedError(target)
            return None
        # Held open: afterwards it says what became of our file, whoever has written at its name since then.
        with path.open("rb") as ours:
            if change.expected is None:
                put_new(path, target)
            else:
                with _unless_protected():
                    put_over(path, target, change.expected, self._rescue)
            return Stamp.of(os.fstat(ours.fileno()))

    def _prepare(self) -> None:
        if self._prepared and self._temporary.is_dir():
            return
        if not self.root.is_dir():
            raise FolderGoneError(self.root)
        self.state.mkdir(mode=0o700 if self._private else 0o777, exist_ok=True)
        if self._private and os.name == "posix" and self.state.stat().st_mode & 0o077:  # of an earlier release
            with suppress(PermissionError):  # a disk that has no permissions
                self.state.chmod(0o700)
        self._temporary.mkdir(exist_ok=True)
        if not (ignored := self.state / ".gitignore").exists():
            ignored.write_text("*\n", encoding="ascii")
        for left_over in self._temporary.iterdir():
            stamp = stamp_at(left_over)  # gone by now, if another process is at work
            if stamp is not None and stamp.mtime_ns < time.time_ns() - LEFT_OVER_SECONDS * 1_000_000_000:
                left_over.unlink(missing_ok=True)
        self._prepared = True

    def _rescue(self, path: Path) -> None:
        self._rescued.mkdir(exist_ok=True)
        path.rename(self._rescued / f"{path.name}{SUFFIX}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self.root.is_dir():
                raise FolderGoneError(self.root) from None
            where = error.filename or self.root
            detail = f"{where}: {error.strerror}. Make room or correct the permissions, and try again."
            raise FolderError(detail) from error


@contextmanager
def _unless_protected() -> Iterator[None]:
    try:
        yield
    except WriteProtectedError as error:
        raise FolderError(str(error)) from None


def _read(path: Path | str, most: int) -> tuple[bytes, Stamp, bool] | str:
    """Content and stamp that belong together and whether the stamp is racy, or the code of a problem. Raises
    OSError."""
    for _ in range(3):
        descriptor = os.open(path, READ_ONLY)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return "not-a-file"
            if (size := status.st_size) > most:
                return "too-large"
            now = time.time_ns()
            raw = os.read(descriptor, size + 1)
            while len(raw) < size and (more := os.read(descriptor, size + 1 - len(raw))):
                raw += more
            stamp = Stamp.of(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if stamp == Stamp.of(status) and len(raw) == stamp.size:
            return raw, stamp, stamp.racy(now)
    return "changing"
