"""Upstream in a git repository. One commit a sync; merges are made by our rules, never by git.

    <id>.json                       the documents, in the format of a task folder
    .hypertask/ledger/<id>.json     what the rules must remember of each

A push that git takes is an exchange of one state of all this for another: whoever is second fetches, decides anew on
what is there, and tries again. A commit that somebody made by hand is taken in as an edit of what was there before.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from watchfiles import awatch

from client.engine.records import NotNow, Pending, Reply
from client.file_names import document_of, file_name
from client.file_text import body_of, text_of
from client.upstreams import ledger
from client.upstreams.git_binary import Git
from client.upstreams.port import Abilities, Changes, CursorGoneError, Outgoing, UnavailableError, agreement
from shared.core.documents import Body, ContentHash, DocumentId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import CREATED
from shared.core.policies import NO_POLICIES, Policies
from shared.core.protocol import Limits
from shared.core.reconciliation import Fingerprint
from shared.core.states import DELETED_KEY
from shared.core.strict import FaultError
from shared.wire import content_hash

LEDGER: Final = ".hypertask/ledger"
TRIES: Final = 12
"""Pushes, while others push."""
PORTION: Final = 100_000
"""All of a sync is one commit."""
POLL_SECONDS: Final = 15.0
BY_HAND: Final = "by hand"
NAMED: Final = 20


class GitUpstream:
    """See the port. `url` as git understands it, or file://. `work`: a directory of our own."""

    def __init__(self, url: str, work: Path, facts: Mapping[str, Any], *, device: str) -> None:
        parts = urlsplit(url)
        self._local = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._git = Git(work / "mirror.git", str(self._local) if self._local else url)
        self._url = url
        self._facts = {"device": f"{device}-{secrets.token_hex(4)}", **facts}

    @property
    def abilities(self) -> Abilities:
        return Abilities(portion=PORTION, facts=self._facts)

    async def changes(self, cursor: str | None) -> Changes:
        head = await self._git.fetch()
        if head is None:
            if cursor:
                raise CursorGoneError
            return Changes({}, None, whole=True)
        if head == cursor:
            return Changes({}, head, whole=False)
        found = await self._git.changed(cursor or None, head)
        if found is None:
            raise CursorGoneError
        blobs = {name: blob for path, blob in found.items() if (name := document_of(path)) is not None}
        texts = await self._git.read([blob for blob in blobs.values() if blob is not None])
        hashes: dict[DocumentId, ContentHash | None] = {}
        for document, blob in blobs.items():
            body = None if blob is None else _parsed(texts[blob], document)
            if blob is None:
                hashes[document] = None
            elif body is not None:
                hashes[document] = content_hash(body)
        return Changes(hashes, head, whole=cursor is None)

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, Reply]]:
        for attempt in range(TRIES):
            head = await self._git.fetch()
            attempted = await self._decided(head, outgoing)
            if not attempted.files:
                break
            await self._git.commit(head, attempted.files, self._message(attempted), self._author())
            if await self._git.push():
                break
            await asyncio.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311  spreads, nothing to guess
        else:
            raise UnavailableError(f"others keep pushing to {self._url}; nothing is lost. Try again in a moment.")
        yield attempted.replies

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        return NO_POLICIES

    async def wait(self, cursor: str | None) -> None:
        if self._local is None:
            same = True
            while same:
                await asyncio.sleep(POLL_SECONDS)
                same = await self._git.newest() == (cursor or "")
            return
        refs = next((p for p in (self._local / "refs", self._local / ".git" / "refs") if p.is_dir()), None)
        if refs is None:
            await asyncio.sleep(POLL_SECONDS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * POLL_SECONDS):
                async for _ in awatch(refs, step=20, debounce=100):
                    return

    async def story(self, document: DocumentId) -> list[dict[str, Any]]:
        entry = await self._entry(document)
        return ledger.story(entry) if entry is not None else []

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        entry = await self._entry(document)
        return ledger.body_of(entry, content) if entry is not None else None

    async def close(self) -> None:
        return None

    # One attempt

    async def _decided(self, head: str | None, outgoing: Sequence[Outgoing]) -> _Attempt:
        found = _Attempt()
        books = await self._read(head, [one.id for one in outgoing])
        for one in outgoing:
            text, book = books[one.id]
            body = None if text is None else _parsed(text, one.id)
            if text is not None and body is None:
                found.replies[one.id] = NotNow(f"{file_name(one.id)} in the repository holds no document")
                continue
            before = _loaded(book)
            entry = self._with_edits_by_hand(one.id, before, body)
            reply: Reply = ledger.head_of(entry)
            if one.pending is not None:
                entry, reply = self._one(one.id, entry, one.pending, str(self._facts["device"]))
            found.replies[one.id] = reply
            if entry is None or entry is before:
                continue
            found.files[f"{LEDGER}/{file_name(one.id)}"] = ledger.dump(entry)
            if entry.head.body is None:
                if text is not None:
                    found.files[file_name(one.id)] = None
            elif body is None or content_hash(body) != entry.hash:
                found.files[file_name(one.id)] = text_of(entry.head.body)
            found.documents.append(one.id)
        return found

    def _with_edits_by_hand(
        self, document: DocumentId, entry: ledger.Entry | None, body: Body | None
    ) -> ledger.Entry | None:
        here = content_hash(body) if body is not None else None
        if here == (entry.hash if entry is not None else None):
            return entry
        if body is None:
            assert entry is not None and entry.head.body is not None
            body = {**entry.head.body, DELETED_KEY: True}
        base = entry.head.rev if entry is not None else CREATED
        return self._one(document, entry, Pending(body, content_hash(body), base), BY_HAND)[0]

    @staticmethod
    def _one(
        document: DocumentId, entry: ledger.Entry | None, pending: Pending, device: str
    ) -> tuple[ledger.Entry | None, Reply]:
        request = ledger.submission_of(document, pending, device, time.time())
        sequence = SequenceNumber((entry.head.sequence if entry is not None else 0) + 1)
        return ledger.decide(entry, request, sequence)

    async def _read(
        self, head: str | None, documents: Sequence[DocumentId]
    ) -> dict[DocumentId, tuple[bytes | None, bytes | None]]:
        """The texts of each document and of its entry."""
        if head is None:
            return dict.fromkeys(documents, (None, None))
        files = {document: f"{head}:{file_name(document)}" for document in documents}
        books = {document: f"{head}:{LEDGER}/{file_name(document)}" for document in documents}
        texts = await self._git.read([*files.values(), *books.values()])
        return {document: (texts.get(files[document]), texts.get(books[document])) for document in documents}

    async def _entry(self, document: DocumentId) -> ledger.Entry | None:
        head = await self._git.fetch()
        _, book = (await self._read(head, [document]))[document]
        return _loaded(book)

    def _author(self) -> str:
        return f"Hypertask <{self._facts['device']}@hypertask.invalid>"

    def _message(self, attempted: _Attempt) -> str:
        names = attempted.documents
        more = f"\n... and {len(names) - NAMED} more" if len(names) > NAMED else ""
        count = "1 task" if len(names) == 1 else f"{len(names)} tasks"
        return f"{count} from {self._facts['device']}\n\n" + "\n".join(names[:NAMED]) + more + "\n"


@dataclass
class _Attempt:
    """What a push would bring."""

    replies: dict[DocumentId, Reply] = field(default_factory=dict)
    files: dict[str, bytes | None] = field(default_factory=dict)
    documents: list[DocumentId] = field(default_factory=list)


def _parsed(text: bytes, document: DocumentId) -> Body | None:
    try:
        return body_of(text, document, Limits())[0]
    except FaultError:
        return None


def _loaded(book: bytes | None) -> ledger.Entry | None:
    """None too for an entry that somebody garbled: then the document goes by its content."""
    if book is None:
        return None
    try:
        return ledger.load(book)
    except ValueError:
        return None
