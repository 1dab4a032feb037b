"""What the files of a folder hold now, without reading those that have not changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from client.folder.replace import Stamp
from client.folder.task_folder import FileProblem, TaskFolder
from client.sync.change_scope import EVERYTHING, ChangeScope
from client.sync.state_store import SeenFile, SyncStateStore
from shared.core.identifiers import Body, ContentHash, DocumentId

MAX_KEPT_BODIES: Final = 20_000
"""So many bodies are kept from a refresh until they are used."""


class FolderContents(NamedTuple):
    """What the files held at a refresh. `hashes`: of the files that are documents. `unreadable`: ids to be left
    alone, because a file that may be theirs holds no document at the moment; `problems` says why."""

    hashes: Mapping[DocumentId, ContentHash]
    unreadable: AbstractSet[DocumentId] = frozenset()
    problems: tuple[FileProblem, ...] = ()
    read: int = 0
    """How many files had to be read."""


class FileContent(NamedTuple):
    """What a file holds. `stamp` None: its stamp does not prove yet that it is unchanged."""

    body: Body
    hash: ContentHash
    stamp: Stamp | None = None
    too_large: bool = False
    """See `Loaded`."""


class UnreadableError(Exception):
    """The file holds no document at the moment."""


class Files:
    """A folder and what the memory knows of its files. The files are the truth. What the memory says of them, and the
    fields here, are caches: each entry holds as long as the stamp of its file is the one that it was made with.

    `_keys`, `_hashes`   what the memory says, with our own writes since the last refresh
    `_lately`            contents that were read, from a refresh until they are used
    `_last`              what the last refresh returned; None: there was none, so the memory alone is asked
    """

    def __init__(self, folder: TaskFolder, store: SyncStateStore) -> None:
        self._folder = folder
        self._store = store
        self._lately: dict[DocumentId, FileContent] = {}
        self._keys: dict[DocumentId, str] = {}
        self._hashes: dict[DocumentId, ContentHash] = {}
        self._last: FolderContents | None = None

    def is_empty(self) -> bool:
        """Whether there is no file now, nor was at the last refresh. Raises FolderError."""
        scan = self._folder.scan()
        if scan.files or scan.problems or self._store.file_hashes():
            return False
        self._last = FolderContents({})
        return True

    def refresh(self, scope: ChangeScope = EVERYTHING, *, remember: bool = True) -> FolderContents:
        """Reads what has a new stamp, and remembers it; that is for who holds the sync lock. `scope`: no other files
        changed since the last refresh. Raises FolderError."""
        partial = None if scope.documents is None else self._refresh_some(scope.documents)
        self._last = partial if partial is not None else self._refresh_all(remember=remember)
        return self._last

    def _refresh_all(self, *, remember: bool) -> FolderContents:
        self._lately.clear()
        scan = self._folder.scan()
        known, hashes = self._store.file_stamps(), self._store.file_hashes()
        news: dict[DocumentId, SeenFile | None] = {}
        problems = list(scan.problems)
        other = [
            document
            for document, stamp in scan.files.items()
            # What is too large is read, and named, each time.
            if known.get(document) != stamp.key or self._may_be_too_large(stamp)
        ]
        for document in other:
            hashes.pop(document, None)
            loaded = self._read(document)
            if isinstance(loaded, FileProblem):
                problems.append(loaded)
            elif loaded is not None:
                if loaded.too_large:
                    problems.append(self._folder.too_large(document))
                hashes[document] = loaded.hash
                news[document] = SeenFile(loaded.hash, loaded.stamp.key if loaded.stamp else "")
        for document in hashes.keys() - scan.files.keys():
            del hashes[document]
        # Whose file cannot be read, or was renamed, is not deleted.
        unreadable = {problem.document for problem in problems if problem.document is not None}
        unreadable |= self._folder.withheld(tuple(problems)).keys()
        unreadable -= hashes.keys()
        news.update(dict.fromkeys(known.keys() - hashes.keys() - unreadable))
        if news and remember:
            with self._store.transaction(durable=False):
                self._store.record_files(news)
        self._keys, self._hashes = known, hashes
        self._keys.update((document, seen.stamp if seen is not None else "") for document, seen in news.items())
        return FolderContents(dict(hashes), frozenset(unreadable), tuple(problems), len(other))

    def _refresh_some(self, documents: Iterable[DocumentId]) -> FolderContents | None:
        """None: all files must be read."""
        if self._last is None or self._last.problems:
            return None
        ids = tuple(documents)
        known = self._store.files_of(ids)
        seen: dict[DocumentId, SeenFile] = {}
        for document in ids:
            stamp, remembered = self._folder.stamp(document), known.get(document)
            if stamp is None and remembered is None:
                self._hashes.pop(document, None)
                self._keys.pop(document, None)
            elif stamp is None or self._may_be_too_large(stamp):  # removed, or renamed: all names are to be seen
                return None
            elif remembered is not None and remembered.stamp == stamp.key:
                self._hashes[document], self._keys[document] = remembered.hash, remembered.stamp
            else:
                loaded = self._read(document)
                if not isinstance(loaded, FileContent):
                    return None
                self._hashes[document] = loaded.hash
                self._keys[document] = loaded.stamp.key if loaded.stamp else ""
                seen[document] = SeenFile(loaded.hash, self._keys[document])
        if seen:
            with self._store.transaction(durable=False):
                self._store.record_files(seen)
        return FolderContents(dict(self._hashes), read=len(seen))

    def note_written(self, files: Mapping[DocumentId, SeenFile | None]) -> None:
        """What was just written, or removed, by us."""
        for document, seen in files.items():
            if seen is None:
                self._hashes.pop(document, None)
                self._keys.pop(document, None)
            else:
                self._hashes[document], self._keys[document] = seen.hash, seen.stamp

    def now(
        self, document: DocumentId, likely: Sequence[tuple[ContentHash | None, Body | None]] = ()
    ) -> FileContent | None:
        """What the file holds; None without a file. Raises UnreadableError, and FolderError if the folder is gone.
        `likely`: bodies by their hashes, which need not be read again if it is one of them."""
        stamp = self._folder.stamp(document)
        if stamp is None:
            if self._last is None or document in self._hashes:
                self._folder.prepare()  # it is gone, if the folder is not
            return None
        lately = self._lately.get(document)
        if lately is not None and lately.stamp == stamp:
            return lately
        if self._last is None:
            seen = self._store.file(document)
            key, content = (seen.stamp, seen.hash) if seen is not None else ("", None)
        else:
            key, content = self._keys.get(document, ""), self._hashes.get(document)
        if content is not None and key == stamp.key:
            for hash_, body in likely:
                if body is not None and hash_ == content:
                    return FileContent(body, content, stamp)
        loaded = self._read(document)
        if isinstance(loaded, FileProblem):
            raise UnreadableError(loaded.sentence)
        return loaded

    def _may_be_too_large(self, stamp: Stamp) -> bool:
        return stamp.size > self._folder.max_document_bytes

    def _read(self, document: DocumentId) -> FileContent | FileProblem | None:
        loaded = self._folder.read(document)
        if loaded is None or isinstance(loaded, FileProblem):
            return loaded
        held = FileContent(loaded.body, loaded.hash, None if loaded.racy else loaded.stamp, loaded.too_large)
        if not loaded.racy and len(self._lately) < MAX_KEPT_BODIES:
            self._lately[document] = held
        return held
