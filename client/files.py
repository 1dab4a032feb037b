"""What the files of a folder hold now, without reading those that have not changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from client.arrivals import key_of, stamp_key
from client.folder import Problem, TaskFolder
from client.memory import Memory, Seen
from client.replace import stamp_at
from shared.core.documents import Body, ContentHash, DocumentId

LATELY: Final = 20_000
"""So many bodies are kept from a look to the acting on it."""


@dataclass(frozen=True, slots=True)
class Found:
    """`hashes` of the files that are documents. `unreadable`: ids that must be left alone, because a file that may be
    theirs is none at the moment; `problems` says why."""

    hashes: Mapping[DocumentId, ContentHash]
    unreadable: AbstractSet[DocumentId] = frozenset()
    problems: tuple[Problem, ...] = ()
    read: int = 0
    """How many files had to be read."""
    changed: AbstractSet[DocumentId] = field(default_factory=frozenset)
    """Documents that are not as they were when the folder was looked at before."""


class UnreadableError(Exception):
    """The file holds no document at the moment."""


class Files:
    """A folder and what the memory knows of its files."""

    def __init__(self, folder: TaskFolder, memory: Memory) -> None:
        self._folder = folder
        self._memory = memory
        self._lately: dict[DocumentId, tuple[str, Body]] = {}

    def look(self, *, remember: bool = True) -> Found:
        """Reads what has a new stamp, and remembers it; that is for who holds the sync lock. Raises FolderError."""
        self._lately.clear()
        scan = self._folder.scan()
        known = self._memory.files()
        hashes: dict[DocumentId, ContentHash] = {}
        news: dict[DocumentId, Seen | None] = {}
        problems = list(scan.problems)
        changed: set[DocumentId] = set()
        read = 0
        for document, stamp in scan.files.items():
            before = known.get(document)
            if before is not None and before.stamp == key_of(stamp):
                hashes[document] = before.hash
                continue
            started, loaded = time.time_ns(), self._folder.read(document)
            read += 1
            if isinstance(loaded, Problem):
                problems.append(loaded)
            elif loaded is not None:
                hashes[document] = loaded.hash
                key = stamp_key(loaded.stamp, started)
                news[document] = Seen(loaded.hash, key)
                if key and len(self._lately) < LATELY:
                    self._lately[document] = key, loaded.body
                if before is None or before.hash != loaded.hash:
                    changed.add(document)
        # Whose file cannot be read, or was renamed, is not deleted.
        unreadable = {problem.document for problem in problems if problem.document is not None}
        unreadable |= self._folder.held(tuple(problems)).keys()
        unreadable -= hashes.keys()
        gone = [document for document in known if document not in hashes and document not in unreadable]
        news.update(dict.fromkeys(gone))
        changed.update(gone)
        if news and remember:
            with self._memory.transaction():
                self._memory.saw(news)
        return Found(hashes, frozenset(unreadable), tuple(problems), read, frozenset(changed))

    def now(self, document: DocumentId, likely: Sequence[tuple[ContentHash | None, Body | None]] = ()) -> Body | None:
        """What the file holds; None without a file. Raises UnreadableError. `likely`: bodies by their hashes, which
        need not be read again if it is one of them."""
        stamp = stamp_at(self._folder.path(document))
        key = key_of(stamp) if stamp is not None else None
        lately = self._lately.get(document)
        if lately is not None and lately[0] == key:
            return lately[1]
        seen = self._memory.file(document)
        if seen is None and key is None:
            return None
        if seen is not None and seen.stamp == key:
            for content, body in likely:
                if body is not None and content == seen.hash:
                    return body
        loaded = self._folder.read(document)
        if isinstance(loaded, Problem):
            raise UnreadableError(loaded.sentence)
        return loaded.body if loaded is not None else None
