"""Upstream in a directory: another disk, a USB stick, a shared drive. No server: whoever syncs decides, by the same
rules, under a lock.

    <id>.json                            the documents, in the format of a task folder; people may edit them there
    .hypertask/upstream/ledger.sqlite    what the rules must remember of each
    .hypertask/upstream/lock             one writer at a time

An edit that somebody made in the directory itself is taken in before anything else, as an edit of what was there.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from watchfiles import awatch

from client.arrivals import Arrivals
from client.engine.records import Answer, NotNow, Pending, Refused, Reply
from client.files import Files, UnreadableError
from client.folder import STATE, FolderError, TaskFolder
from client.locks import LockedError, waited_for
from client.memory import Arriving, Memory
from client.upstreams import ledger
from client.upstreams.port import (
    Abilities,
    Changes,
    CursorGoneError,
    NotAnUpstreamError,
    Outgoing,
    UnavailableError,
    UnreachableError,
    agreement,
)
from shared.core.brake import ALWAYS_ALLOWED, SHARE
from shared.core.documents import ContentHash, DocumentId
from shared.core.documents import Sequence as SequenceNumber
from shared.core.memory import CREATED
from shared.core.policies import NO_POLICIES, Policies
from shared.core.reconciliation import Fingerprint
from shared.core.states import DELETED_KEY
from shared.wire import content_hash

CONTROL: Final = "upstream"
LOCK_SECONDS: Final = 60.0
LOOK_MS: Final = 1000
WAIT_SECONDS: Final = 30.0
"""Drives of other machines tell nothing of their changes."""
BY_HAND: Final = "by hand"
"""The device whose edits are those that were made in the directory itself."""


class Book(Memory):
    """The ledger's file, and what the driver knows of the files beside it."""

    # The write-ahead log needs memory that is shared between machines; a drive of another one has none.
    journal: ClassVar[str] = "DELETE"
    schema: ClassVar[str] = (
        Memory.schema
        + """
CREATE TABLE entry (id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash TEXT, data BLOB NOT NULL);
CREATE INDEX entry_sequence ON entry (sequence);
CREATE TABLE life (epoch TEXT NOT NULL, sequence INTEGER NOT NULL);
"""
    )

    def life(self) -> tuple[str, int]:
        """Epoch and the newest sequence."""
        row = self._db.execute("SELECT epoch, sequence FROM life").fetchone()
        if row is None:
            with self.transaction():
                self._db.execute("INSERT INTO life VALUES (?, 0)", (secrets.token_hex(6),))
            return self.life()
        return row[0], row[1]

    def entry(self, document: DocumentId) -> ledger.Entry | None:
        row = self._db.execute("SELECT data FROM entry WHERE id = ?", (document,)).fetchone()
        return None if row is None else ledger.load(row[0])

    def write(self, entries: Mapping[DocumentId, ledger.Entry], sequence: int) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)",
            ((d, entry.head.sequence, entry.hash, ledger.dump(entry)) for d, entry in entries.items()),
        )
        self._db.execute("UPDATE life SET sequence = ?", (sequence,))

    def hashes(self, after: int = -1) -> dict[DocumentId, ContentHash | None]:
        rows = self._db.execute("SELECT id, hash FROM entry WHERE sequence > ?", (after,))
        return {DocumentId(row[0]): row[1] for row in rows}


class FolderUpstream:
    """See the port. `make`: set it up if it is not there, which is asked for once, when it is connected."""

    def __init__(self, root: Path, facts: Mapping[str, Any], *, device: str, make: bool = False) -> None:
        self._folder = TaskFolder(root)
        self._control = root / STATE / CONTROL
        self._make = make
        self._facts = {"device": f"{device}-{secrets.token_hex(4)}", **facts}

    @property
    def abilities(self) -> Abilities:
        return Abilities(facts=self._facts)

    async def changes(self, cursor: str | None) -> Changes:
        async with self._opened() as book:
            epoch, sequence = book.life()
            now = f"{epoch}.{sequence}"
            if cursor is None:
                hashes = {document: content for document, content in book.hashes().items() if content is not None}
                return Changes(hashes, now, whole=True)
            life, _, seen = cursor.partition(".")
            if life != epoch or not seen.isdigit() or int(seen) > sequence:
                raise CursorGoneError
            return Changes(book.hashes(after=int(seen)), now, whole=False)

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, Reply]]:
        async with self._opened() as book:
            replies = self._decide(book, [(one.id, one.pending) for one in outgoing], self._facts["device"])
        yield replies

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        return NO_POLICIES

    async def wait(self, cursor: str | None) -> None:
        """The directory is watched; where that tells nothing, time passes."""
        if not self._folder.root.is_dir():
            await asyncio.sleep(WAIT_SECONDS)
            return
        watching = awatch(
            self._folder.root, recursive=False, step=20, debounce=100, rust_timeout=LOOK_MS, yield_on_timeout=True
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                async for events in watching:
                    # What happened before the watch had begun was not told to it.
                    if events or await self._is_behind(cursor):
                        return

    async def _is_behind(self, cursor: str | None) -> bool:
        try:
            found = await self.changes(cursor)
        except CursorGoneError:
            return True
        return found.whole or bool(found.hashes)

    async def story(self, document: DocumentId) -> list[dict[str, Any]]:
        async with self._opened() as book:
            entry = book.entry(document)
            return ledger.story(entry) if entry is not None else []

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        async with self._opened() as book:
            entry = book.entry(document)
            return ledger.body_of(entry, content) if entry is not None else None

    async def close(self) -> None:
        return None

    # Under the lock

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Book]:
        """The ledger, with what was edited in the directory taken in."""
        root, path = self._folder.root, self._control / "ledger.sqlite"
        if not path.exists() and not self._make:
            raise UnreachableError(
                f"{root} is not there, or no upstream any more. Is the disk connected? To set it up anew: "
                f"hypertask connect {root}"
            )
        try:
            if self._make:
                self._folder.make()
            async with waited_for(self._control / "lock", LOCK_SECONDS):
                book = Book.open(path)
                try:
                    stuck = self._arrivals(book).recover()
                    self._take_in(book, Files(self._folder, book), stuck)
                    yield book
                finally:
                    book.close()
        except LockedError as error:
            raise UnavailableError(f"{root} is in use: {error}. Try again in a moment.") from error
        except FolderError as error:
            raise UnreachableError(str(error)) from error
        except OSError as error:
            raise UnreachableError(f"{root} cannot be used: {error.strerror}.") from error

    def _arrivals(self, book: Book) -> Arrivals:
        return Arrivals(self._folder, book, control=self._control)

    def _take_in(self, book: Book, files: Files, stuck: Sequence[DocumentId]) -> None:
        """Edits that were made in the directory."""
        found = files.look()
        known = book.hashes()
        differing = [
            document
            for document in sorted({*found.hashes, *known})
            if known.get(document) != found.hashes.get(document)
            and document not in found.unreadable
            and document not in stuck
        ]
        gone = [document for document in differing if document not in found.hashes]
        if len(gone) > max(ALWAYS_ALLOWED, SHARE * sum(content is not None for content in known.values())):
            raise NotAnUpstreamError(
                f"{len(gone)} documents vanished from {self._folder.root} at once, without a sync. Nothing was "
                "deleted anywhere. If the directory was emptied by mistake, bring the files back. If it was meant, "
                f"delete {self._control} and connect it again."
            )
        states: list[tuple[DocumentId, Pending | None]] = []
        for document in differing:
            entry = book.entry(document)
            base = entry.head.rev if entry is not None else CREATED
            here = entry.head.body if entry is not None else None
            try:
                held = files.now(document)
            except UnreadableError:
                continue
            if held is not None:
                states.append((document, Pending(held.body, held.hash, base)))
            elif here is not None:
                buried = {**here, DELETED_KEY: True}
                states.append((document, Pending(buried, content_hash(buried), base)))
        if states:
            self._decide(book, states, BY_HAND)

    def _decide(
        self, book: Book, states: Sequence[tuple[DocumentId, Pending | None]], device: str
    ) -> dict[DocumentId, Reply]:
        """Decides, and stores what was decided: the ledger at once, then the files."""
        replies: dict[DocumentId, Reply] = {}
        entries: dict[DocumentId, ledger.Entry] = {}
        wanted: dict[DocumentId, Arriving] = {}
        stuck = book.arriving()
        _, sequence = book.life()
        for document, pending in states:
            if document in stuck:
                replies[document] = NotNow("its file in the directory is being written by another program")
                continue
            before = book.entry(document)
            if pending is None:
                replies[document] = ledger.head_of(before)
                continue
            request = ledger.submission_of(document, pending, device, time.time())
            after, reply = ledger.decide(before, request, SequenceNumber(sequence + 1))
            replies[document] = reply
            if isinstance(reply, Refused) or after is None or after is before:
                continue
            entries[document] = after
            sequence = max(sequence, after.head.sequence)
            if isinstance(reply, Answer) and (before is None or before.hash != after.hash):
                in_file = None if before is None else before.head.body
                if device != BY_HAND:
                    wanted[document] = Arriving(after.head.body, in_file, hash=after.hash)
                elif reply.hash != (None if pending.deletes else pending.hash):
                    by_hand = None if pending.deletes else pending.body
                    wanted[document] = Arriving(after.head.body, by_hand, hash=after.hash)
        arrivals = self._arrivals(book)
        rows = arrivals.stage(wanted)
        with book.transaction():
            book.write(entries, sequence)
            book.set_arriving(rows)
        arrivals.place(rows)
        return replies
