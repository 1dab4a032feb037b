"""Upstream in a git repository. One commit a sync; merges are made by our rules, never by git.

    <id>.json                       the documents, in the format of a task folder
    .hypertask/ledger/<id>.json     what the rules must remember of each
    .hypertask/devices/<id>.json    how many documents a device deleted lately
    .hypertask/policies.json        how fields merge, as `PUT /policies` of a server takes it; may be missing

A push that git takes is an exchange of one state of all this for another: whoever is second fetches, decides again on
what is there, and tries again. A commit that somebody made by hand is taken in as an edit of what was there before. A
file in it that cannot be taken in is left alone and named; its document stays as it was until the file is corrected.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from watchfiles import awatch

from client.folder.file_names import document_of, file_name
from client.folder.file_text import body_of as body_in
from client.folder.file_text import text_of
from client.sync.engine.records import Refused, UpstreamReply
from client.sync.upstream import (
    Abilities,
    CursorGoneError,
    Outgoing,
    UpstreamChanges,
    UpstreamUnavailableError,
    agreement,
)
from client.upstreams import ledger
from client.upstreams.decisions import (
    BY_HAND,
    MAX_BYTES,
    decided,
    edit_by_hand,
    grew_too_large,
    items_of,
    too_large,
)
from client.upstreams.git_binary import Git
from client.upstreams.git_ledger import GitLedger
from shared.adapters.memory import Entry, MemorySpace, MemoryTransaction
from shared.adapters.memory.entries import body_of, history
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash, DeviceId, DocumentId
from shared.core.index.reconciliation import Fingerprint
from shared.core.json.strict import FaultError
from shared.core.merge.policies import Policies
from shared.core.protocol import Limits
from shared.core.version_vectors import Source
from shared.representations import history_row
from shared.retry import Backoff
from shared.transaction import CachedResolver, decide

PROBLEMS: Final = "problems"
"""Among the facts of the driver: the files in the repository that cannot be taken in."""
TRIES: Final = 12
BACKOFF: Final = Backoff(attempts=TRIES + 1, base=0.05, cap=3.2)
"""Pushes, while others push."""
PORTION: Final = 100_000
"""All of a sync is one commit."""
POLL_SECONDS: Final = 15.0
LOOK_MS: Final = 500
"""A watch that has told nothing for so long has begun."""
NAMED: Final = 20


class GitUpstream:
    """See the port. `url` as git understands it, or file://. `work`: a directory of our own."""

    def __init__(self, url: str, work: Path, facts: Mapping[str, Any], *, device: str) -> None:
        parts = urlsplit(url)
        self._local = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._git = Git(work / "mirror.git", str(self._local) if self._local else url)
        self._ledger = GitLedger(self._git, url)
        self._url = url
        self._facts = {"device": f"{device}-{secrets.token_hex(4)}", "by_hand": secrets.token_hex(6), **facts}

    @property
    def abilities(self) -> Abilities:
        return Abilities(local=True, portion=PORTION, facts=self._facts)

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        head = await self._git.fetch()
        if head is None:
            if cursor:
                raise CursorGoneError
            return UpstreamChanges({}, None, is_complete=True)
        if head == cursor:
            return UpstreamChanges({}, head, is_complete=False, problems=self._problems())
        changed = await self._git.changed(cursor or None, head)
        if changed is None:
            raise CursorGoneError
        blobs = {name: blob for path, blob in changed.items() if (name := document_of(path)) is not None}
        texts = await self._git.read([blob for blob in blobs.values() if blob is not None])
        hashes: dict[DocumentId, ContentHash | None] = {}
        doubtful: dict[DocumentId, Body | None] = {}
        for document, blob in blobs.items():
            body = None if blob is None else _parsed(texts[blob], document)
            if blob is None:
                hashes[document] = None
            elif body is None or too_large(body) is not None:
                doubtful[document] = body
            else:
                hashes[document] = content_hash(body)
        problems = {
            document: reason
            for document, reason in self._problems().items()
            if document not in blobs and cursor is not None
        }
        for document, body in doubtful.items():
            entry = await self._ledger.entry(head, document)
            refused = _unusable(document, body, entry)
            if refused is None and body is not None:
                hashes[document] = content_hash(body)
            elif refused is not None:
                problems[document] = refused.reason
                if entry is not None:
                    hashes[document] = entry.hash
        if problems != self._problems():
            self._facts = {**self._facts, PROBLEMS: problems}
        if cursor is None:
            hashes = {document: content for document, content in hashes.items() if content is not None}
        return UpstreamChanges(hashes, head, is_complete=cursor is None, problems=self._problems())

    def _problems(self) -> dict[DocumentId, str]:
        """Files in the repository that cannot be taken in, remembered from one sync to the next."""
        return dict(self._facts.get(PROBLEMS, {}))

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        for attempt in range(1, TRIES + 1):
            head = await self._git.fetch()
            attempted = await self._decided(head, outgoing, confirmed=confirmed)
            if not attempted.files:
                break
            await self._git.commit(head, attempted.files, self._message(attempted), self._author())
            if await self._git.push():
                break
            await asyncio.sleep(BACKOFF.delay(attempt) or 0)
        else:
            raise UpstreamUnavailableError(
                f"others keep pushing to {self._url}; nothing is lost. Try again in a moment."
            )
        yield attempted.replies

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        return await self._ledger.policies(await self._git.fetch())

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
        watching = awatch(refs, step=20, debounce=100, rust_timeout=LOOK_MS, yield_on_timeout=True)
        has_begun = False
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * POLL_SECONDS):
                async for events in watching:
                    # What was pushed before the watch had begun was not told to it.
                    if events or (not has_begun and await self._git.newest() != (cursor or "")):
                        return
                    has_begun = True

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        entry = await self._entry(document)
        if entry is None:
            return []
        policies = await self.policies()
        return [history_row(row, policies) for row in history(entry)]

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        entry = await self._entry(document)
        return body_of(entry, content) if entry is not None else None

    async def close(self) -> None:
        return None

    # One attempt

    async def _decided(self, head: str | None, outgoing: Sequence[Outgoing], *, confirmed: bool) -> _Attempt:
        attempt = _Attempt()
        device = DeviceId(str(self._facts["device"]))
        deletes = not confirmed and any(one.pending is not None and one.pending.deletes for one in outgoing)
        space, texts = await self._ledger.space(head, [one.id for one in outgoing], device, deletes=deletes)
        at = time.time()
        bodies: dict[DocumentId, Body | None] = {}
        by_hand: list[Outgoing] = []
        taken: list[Outgoing] = []
        for one in outgoing:
            text, entry = texts[one.id], space.entries.get(one.id)
            body = bodies[one.id] = None if text is None else _parsed(text, one.id)
            refused = _unusable(one.id, body, entry) if text is not None else None
            if refused is not None and one.pending is not None:
                attempt.replies[one.id] = refused
                self._facts = {**self._facts, PROBLEMS: {**self._problems(), one.id: refused.reason}}
                continue
            taken.append(one)
            edited = None if refused is not None else self._edit_by_hand(one.id, body, space, at)
            if edited is not None:
                by_hand.append(edited)
        transaction = MemoryTransaction(space, ledger.retained)
        # What became of the files stands in them at once, so a guard against deletions comes too late.
        decide(transaction, CachedResolver(MAX_BYTES), items_of(by_hand, BY_HAND, at, confirmed=True))
        attempt.replies |= decided(transaction, taken, device, at, confirmed=confirmed)
        changes = transaction.changes
        attempt.files = GitLedger.files(transaction)
        for document, entry in changes.entries.items():
            body = bodies[document]
            if entry.head.body is None:
                if texts[document] is not None:
                    attempt.files[file_name(document)] = None
            elif body is None or content_hash(body) != entry.hash:
                attempt.files[file_name(document)] = text_of(entry.head.body)
            attempt.documents.append(document)
        return attempt

    def _edit_by_hand(
        self, document: DocumentId, body: Body | None, space: MemorySpace, at: float
    ) -> Outgoing | None:
        """What somebody committed without us, as an edit of the head."""
        entry = space.entries.get(document)
        if (content_hash(body) if body is not None else None) == (entry.hash if entry is not None else None):
            return None
        return edit_by_hand(document, body, entry, space.lineage(), source=Source(self._facts["by_hand"]), at=at)

    async def _entry(self, document: DocumentId) -> Entry | None:
        return await self._ledger.entry(await self._git.fetch(), document)

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

    replies: dict[DocumentId, UpstreamReply] = field(default_factory=dict)
    files: dict[str, bytes | None] = field(default_factory=dict)
    documents: list[DocumentId] = field(default_factory=list)


def _parsed(text: bytes, document: DocumentId) -> Body | None:
    try:
        return body_in(text, document, Limits().readable)[0]
    except FaultError:
        return None


def _unusable(document: DocumentId, body: Body | None, entry: Entry | None) -> Refused | None:
    """Why the file of a document cannot be taken in, if it cannot: it holds no document (`body` None), or one that
    somebody made too large."""
    name = file_name(document)
    if body is None:
        reason = f"{name} in the repository is not a valid document. Correct it there, and commit."
        return Refused("not-valid", reason, file=True)
    if entry is not None and content_hash(body) == entry.hash:
        return None
    refused = grew_too_large(body, entry.head.body if entry is not None else None)
    if refused is None:
        return None
    return refused._replace(reason=f"{name} in the repository: {refused.reason} Make it smaller there.", file=True)
