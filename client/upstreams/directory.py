"""Upstream in a directory: another disk, a USB stick, a shared drive. No server: whoever syncs decides, by the same
rules, under a lock.

    <id>.json                            the documents, in the format of a task folder; people may edit them there
    .hypertask/upstream/ledger.sqlite    what the rules must remember of each, and what devices deleted lately
    .hypertask/upstream/policies.json    how fields merge, as `PUT /policies` of a server takes it; may be missing
    .hypertask/upstream/lock             one writer at a time

An edit that somebody made in the directory itself is taken in before anything else, as an edit of what was there. A
file there that cannot be taken in is left alone and named; its document stays as it was until the file is corrected.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from watchfiles import awatch

from client.folder.locks import LockedError, waited_for
from client.folder.task_folder import STATE, FolderError, TaskFolder
from client.sync.arrivals import Arrivals
from client.sync.engine.records import NotNow, Refused, UpstreamAnswer, UpstreamReply
from client.sync.files import Files, UnreadableError
from client.sync.state_store import Arriving
from client.sync.upstream import (
    Abilities,
    CursorGoneError,
    NotAnUpstreamError,
    Outgoing,
    UpstreamChanges,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
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
    policies_in,
    reply_of,
)
from client.upstreams.ledger_store import LedgerStore
from shared.adapters.memory import MemoryTransaction, SpaceChanges
from shared.adapters.memory.entries import body_of, history
from shared.core.identifiers import DeviceId, DocumentId
from shared.core.index.reconciliation import Fingerprint
from shared.core.json.canonical import equal
from shared.core.merge.policies import Policies
from shared.core.resolution.deletion_guard import ALWAYS_ALLOWED, SHARE
from shared.core.version_vectors import Source
from shared.representations import history_row
from shared.transaction import CachedResolver, decide

CONTROL: Final = "upstream"
LOCK_SECONDS: Final = 60.0
LOOK_MS: Final = 1000
WAIT_SECONDS: Final = 30.0
"""Drives of other machines tell nothing of their changes."""
POLICIES: Final = "policies.json"


class FolderUpstream:
    """See the port. `make`: set it up if it is not there, which is asked for once, when it is connected."""

    def __init__(self, root: Path, facts: Mapping[str, Any], *, device: str, make: bool = False) -> None:
        self._folder = TaskFolder(root, private=False)
        self._control = root / STATE / CONTROL
        self._make = make
        self._unusable: dict[DocumentId, Refused] = {}
        """Files in the directory that cannot be taken in, as they were seen last."""
        self._facts = {"device": f"{device}-{secrets.token_hex(4)}", "by_hand": secrets.token_hex(6), **facts}

    @property
    def abilities(self) -> Abilities:
        return Abilities(local=True, facts=self._facts)

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        async with self._opened() as store:
            now = store.position()
            if cursor is None:
                hashes = {document: content for document, content in store.hashes().items() if content is not None}
                return UpstreamChanges(hashes, now, is_complete=True, problems=self._problems())
            if (seen := store.sequence_of(cursor)) is None:
                raise CursorGoneError
            return UpstreamChanges(store.hashes(after=seen), now, is_complete=False, problems=self._problems())

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        async with self._opened() as store:
            replies = self._decide(store, outgoing, DeviceId(self._facts["device"]), confirmed=confirmed)
        yield replies

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        return self._policies_declared()

    def _policies_declared(self) -> Policies:
        path = self._control / POLICIES
        return policies_in(path.read_bytes() if path.exists() else None, str(path))

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
            changes = await self.changes(cursor)
        except CursorGoneError:
            return True
        return changes.is_complete or bool(changes.hashes)

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        async with self._opened() as store:
            entry = store.entry(document)
            if entry is None:
                return []
            return [history_row(row, store.policies()) for row in history(entry)]

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        async with self._opened() as store:
            entry = store.entry(document)
            return body_of(entry, content) if entry is not None else None

    async def close(self) -> None:
        return None

    def _problems(self) -> dict[DocumentId, str]:
        return {document: refused.reason for document, refused in self._unusable.items()}

    # Under the lock

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[LedgerStore]:
        """The ledger, with what was edited in the directory taken in."""
        root, path = self._folder.root, self._control / "ledger.sqlite"
        if not path.exists() and not self._make:
            raise UpstreamUnreachableError(
                f"{root} is not there, or is not an upstream any more. Is the disk connected? To set it up again: "
                f"hypertask connect {root}"
            )
        try:
            if self._make:
                self._folder.make()
            self._control.mkdir(parents=self._make, exist_ok=True)
            async with waited_for(self._control / "lock", LOCK_SECONDS):
                store = LedgerStore.of(path, self._policies_declared())
                try:
                    stuck = self._arrivals(store).recover().stuck
                    self._take_in(store, Files(self._folder, store), stuck)
                    yield store
                finally:
                    store.close()
        except LockedError as error:
            raise UpstreamUnavailableError(f"{root} is in use. {error}") from error
        except FolderError as error:
            raise UpstreamUnreachableError(str(error)) from error
        except OSError as error:
            raise UpstreamUnreachableError(f"{root} cannot be used: {error.strerror}.") from error

    def _arrivals(self, store: LedgerStore) -> Arrivals:
        return Arrivals(self._folder, store, control=self._control)

    def _take_in(self, store: LedgerStore, files: Files, stuck: Sequence[DocumentId]) -> None:
        """Edits that were made in the directory."""
        contents = files.refresh()
        known = store.hashes()
        self._unusable = {
            problem.document: Refused(problem.code, f"{problem.name} in {self._folder.root}: {problem.sentence}")
            for problem in contents.problems
            if problem.document is not None and problem.document in contents.unreadable
        }
        differing = [
            document
            for document in sorted({*contents.hashes, *known})
            if known.get(document) != contents.hashes.get(document)
            and document not in contents.unreadable
            and document not in stuck
        ]
        gone = [document for document in differing if document not in contents.hashes]
        live = sum(content is not None for content in known.values())
        if len(gone) > max(ALWAYS_ALLOWED, SHARE * live) or (gone and len(gone) == live):
            raise NotAnUpstreamError(
                f"{len(gone)} documents vanished from {self._folder.root} at once, without a sync. Nothing was "
                "deleted anywhere. If the directory was emptied by mistake, bring the files back. If it was meant, "
                f"delete {self._control} and connect it again."
            )
        by_hand: list[Outgoing] = []
        for document in differing:
            entry = store.entry(document)
            here = entry.head.body if entry is not None else None
            try:
                held = files.now(document)
            except UnreadableError:
                continue
            if held is not None:
                if (refused := grew_too_large(held.body, here)) is not None:
                    self._unusable[document] = refused
                    continue
            elif here is None:
                continue
            body = held.body if held is not None else None
            source = Source(self._facts["by_hand"])
            by_hand.append(edit_by_hand(document, body, entry, store.lineage(), source=source, at=time.time()))
        if by_hand:
            self._decide_by_hand(store, by_hand)

    def _decide_by_hand(self, store: LedgerStore, outgoing: Sequence[Outgoing]) -> None:
        """What became of the files stands in them at once, so a guard against deletions comes too late."""
        transaction = MemoryTransaction(store, ledger.retained)
        items = items_of(outgoing, BY_HAND, time.time(), confirmed=True)
        replies, _ = decide(transaction, CachedResolver(MAX_BYTES), items)
        wanted: dict[DocumentId, Arriving] = {}
        for one, decision in zip(outgoing, replies, strict=True):
            reply, pending = reply_of(one, decision), one.pending
            assert pending is not None
            here = None if pending.deletes else pending.body
            if isinstance(reply, Refused):
                self._unusable[one.id] = reply
            elif isinstance(reply, UpstreamAnswer) and not equal(reply.state, here):
                wanted[one.id] = Arriving(reply.state, here, hash=reply.hash)
        self._store(store, transaction.changes, wanted)

    def _decide(
        self, store: LedgerStore, outgoing: Sequence[Outgoing], device: DeviceId, *, confirmed: bool
    ) -> dict[DocumentId, UpstreamReply]:
        """Decides, and stores what was decided: the ledger at once, then the files."""
        replies: dict[DocumentId, UpstreamReply] = {}
        stuck = store.arriving()
        taken: list[Outgoing] = []
        for one in outgoing:
            unusable = self._unusable.get(one.id)
            if one.id in stuck:
                replies[one.id] = NotNow("its file in the directory is being written by another program")
            elif unusable is not None and one.pending is not None:
                replies[one.id] = unusable._replace(file=True)
            else:
                taken.append(one)
        before = {one.id: store.entry(one.id) for one in taken}
        transaction = MemoryTransaction(store, ledger.retained)
        replies |= decided(transaction, taken, device, time.time(), confirmed=confirmed)
        wanted: dict[DocumentId, Arriving] = {}
        for document, after in transaction.changes.entries.items():
            old = before[document]
            if old is None or old.hash != after.hash:
                in_file = old.head.body if old is not None else None
                wanted[document] = Arriving(after.head.body, in_file, hash=after.hash)
        self._store(store, transaction.changes, wanted)
        return replies

    def _store(self, store: LedgerStore, changes: SpaceChanges, wanted: Mapping[DocumentId, Arriving]) -> None:
        arrivals = self._arrivals(store)
        rows = arrivals.stage(wanted)
        with store.transaction():
            store.store(changes)
            store.set_arriving(rows)
        arrivals.place(rows)
