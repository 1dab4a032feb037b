"""The ledger of an upstream in a repository: an entry a document, what devices deleted lately, policies."""

from __future__ import annotations

import collections.abc
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from client.folder.file_names import document_of, file_name
from client.upstreams import ledger
from client.upstreams.decisions import policies_in
from client.upstreams.git_binary import Git
from shared.adapters.memory import Entry, MemorySpace, MemoryTransaction
from shared.codec import dumps, loads
from shared.core.identifiers import DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.lineage import Begun, first_history
from shared.core.merge.policies import Policies
from shared.core.resolution.context import BEGINNING
from shared.core.resolution.deletion_guard import Deletions

LEDGER: Final = ".hypertask/ledger"
DEVICES: Final = ".hypertask/devices"
POLICIES: Final = ".hypertask/policies.json"
LINEAGE: Final = ".hypertask/lineage.json"
"""The id of the repository's history."""

Texts = dict[DocumentId, bytes | None]


@dataclass
class CommitSpace(MemorySpace):
    """The documents of a commit that a sync is about. Sequences count from the newest of these: devices need not
    agree on one number of the whole repository."""

    documents: int = 0

    def live(self) -> int:
        return self.documents


class GitLedger:
    """Reads spaces from commits. `url`: for people."""

    def __init__(self, git: Git, url: str) -> None:
        self._git = git
        self._url = url

    async def space(
        self,
        head: str | None,
        documents: collections.abc.Sequence[DocumentId],
        device: DeviceId,
        *,
        deletes: bool,
    ) -> tuple[MemorySpace, Texts]:
        """What the rules may ask for, as it is in a commit, and the texts of the documents. `deletes`: with what the
        deletion guard asks for."""
        if head is None:
            return MemorySpace(histories=(_history(None),)), dict.fromkeys(documents, None)
        books = await self._texts(head, documents)
        policies, counter = f"{head}:{POLICIES}", f"{head}:{_device_path(device)}"
        lineage = f"{head}:{LINEAGE}"
        more = await self._git.read([policies, lineage, counter] if deletes else [policies, lineage])
        entries = {document: entry for document, (_, book) in books.items() if (entry := _loaded(book)) is not None}
        space = CommitSpace(
            declared=self._declared(more.get(policies)),
            newest=max((entry.head.sequence for entry in entries.values()), default=BEGINNING),
            histories=(_history(more.get(lineage)),),
            entries=entries,
            deleted={device: counted} if (counted := _counted(more.get(counter))) is not None else {},
        )
        if deletes:
            names = await self._git.names(head)
            space.documents = sum(document_of(name) is not None for name in names)
        return space, {document: text for document, (text, _) in books.items()}

    @staticmethod
    def files(transaction: MemoryTransaction) -> dict[str, bytes | None]:
        """The files of the ledger that a transaction wants written."""
        changes = transaction.changes
        files: dict[str, bytes | None] = {
            f"{LEDGER}/{file_name(document)}": ledger.dump(entry) for document, entry in changes.entries.items()
        }
        for device, counted in changes.deletions.items():
            files[_device_path(device)] = dumps([counted.since, counted.count])
        if changes.sequence is not None:
            files[LINEAGE] = dumps(transaction.lineage().first)
        return files

    async def entry(self, head: str | None, document: DocumentId) -> Entry | None:
        _, book = (await self._texts(head, [document]))[document]
        return _loaded(book)

    async def policies(self, head: str | None) -> Policies:
        """Raises NotAnUpstreamError if the file is not valid."""
        name = f"{head}:{POLICIES}"
        return self._declared((await self._git.read([name])).get(name) if head is not None else None)

    def _declared(self, text: bytes | None) -> Policies:
        return policies_in(text, f"{POLICIES} of {self._url}")

    async def _texts(
        self, head: str | None, documents: collections.abc.Sequence[DocumentId]
    ) -> dict[DocumentId, tuple[bytes | None, bytes | None]]:
        """The texts of each document and of its entry."""
        if head is None:
            return dict.fromkeys(documents, (None, None))
        files = {document: f"{head}:{file_name(document)}" for document in documents}
        books = {document: f"{head}:{LEDGER}/{file_name(document)}" for document in documents}
        texts = await self._git.read([*files.values(), *books.values()])
        return {document: (texts.get(files[document]), texts.get(books[document])) for document in documents}


def _device_path(device: DeviceId) -> str:
    return f"{DEVICES}/{device}.json"


def _history(text: bytes | None) -> Begun:
    """The only one: a cursor is a commit, which tells by itself when an older repository was put back."""
    history = first_history(secrets.randbits(40))
    if text is not None:
        with suppress(ValueError):
            history = Epoch(str(loads(text)))
    return Begun(history, SequenceNumber(1))


def _counted(text: bytes | None) -> Deletions | None:
    """None too for what somebody garbled: then the count starts again."""
    if text is None:
        return None
    try:
        since, count = loads(text)
        return Deletions(float(since), int(count))
    except (ValueError, TypeError):
        return None


def _loaded(book: bytes | None) -> Entry | None:
    """None too for an entry that somebody garbled: then the document goes by its content."""
    if book is None:
        return None
    try:
        return ledger.load(book)
    except ValueError:
        return None
